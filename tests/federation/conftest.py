# SPDX-License-Identifier: Apache-2.0
import itertools
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))

from authority import Authority  # noqa: E402
from dns_server import DnsServer  # noqa: E402
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


numbers = itertools.count(1)


class Users:
    """Logs users in at any server; ends them all."""

    def __init__(self):
        self.clients = []

    def login(self, server, name=None, resource=None, online=True):
        name = name or "user%d" % next(numbers)
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
