# SPDX-License-Identifier: Apache-2.0
import json
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))

from authority import Authority  # noqa: E402
from dns_server import DnsServer  # noqa: E402
from peers import Starling, merge  # noqa: E402
from raw import FakeServer, Origin  # noqa: E402
from xmpp import Client  # noqa: E402


@pytest.fixture(scope="module")
def dns():
    with DnsServer({}) as server:
        yield server


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    folder = tmp_path_factory.mktemp("authority")
    folder.chmod(0o755)
    folder.parent.chmod(0o755)
    return Authority(str(folder))


class Users:
    """Logs users in at any server; ends them all."""

    count = 0  # of all tests: servers live longer than one

    def __init__(self):
        self.clients = []

    def login(self, server, name=None, resource=None, online=True):
        Users.count += 1
        name = name or "user%d" % Users.count
        jid = server.register(name)
        c = Client(server, timeout=20).login(name, "secret", resource)
        c.user_jid = jid
        self.clients.append(c)
        c.roster()
        if online:
            c.online()
        return c

    def close(self):
        for c in self.clients:
            c.close()


@pytest.fixture
def users():
    u = Users()
    yield u
    u.close()


class Wild:
    """A flock that is impatient, and servers of a few lines around it, each with a domain of its own."""

    SETTINGS = {"deny": ["*.denied.example.net"], "certificate_domains": ["*.strict.example.net"], "limits": {"early_stanza_size": 4096},
                "timeouts": {"dialback": "2s", "early": "3s", "dial": "3s", "answer": "3s", "retry_min": "300ms", "retry_max": "1s"},
                "spool": {"after": "300ms"}}

    def __init__(self, authority, dns, domain, settings=None, scale=""):
        self.authority, self.dns, self.count, self.servers, self.origins = authority, dns, 0, [], []
        self.settings = json.loads(json.dumps(self.SETTINGS))
        merge(self.settings, settings or {})
        self.second = "second." + domain
        self.starling = Starling(domain, authority, dns, settings=self.settings, hosts=(self.second,), scale=scale)

    def fresh(self, below="example.net"):
        self.count += 1
        return "w%d-%s.%s" % (self.count, self.starling.domain.split(".")[0], below)

    def certificate(self, domain, **how):
        return self.authority.issue(self.authority.folder, domain, **how)

    def origin(self, name=None, to=None):
        self.origins.append(Origin(self.starling, name or self.fresh(), to))
        return self.origins[-1]

    def server(self, domain=None, certificate=None, **how):
        domain = domain or self.fresh()
        self.servers.append(FakeServer(domain, self.dns, certificate or self.certificate(domain), **how))
        return self.servers[-1]

    def tidy(self):
        """Ends what a test has opened, and looks whether it ended well."""
        servers, origins, self.servers, self.origins = self.servers, self.origins, [], []
        for o in origins:
            o.abort()
        for s in servers:
            s.close()
        self.starling.flock.check()


@pytest.fixture(scope="module")
def wild_flock(request, authority, dns):
    domain = request.module.__name__.replace("test_", "") + ".example.net"
    w = Wild(authority, dns, domain, getattr(request.module, "SETTINGS", None), getattr(request.module, "SCALE", ""))
    try:
        yield w
    finally:
        w.starling.close()


@pytest.fixture
def wild(wild_flock):
    yield wild_flock
    wild_flock.tidy()
