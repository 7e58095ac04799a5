# SPDX-License-Identifier: Apache-2.0
"""Two flocks that federate, and the way between them: each is told where the other is, trusts it by a certificate of a test authority, and reaches it
through a proxy that can be cut (proxy.py)."""
import os
import shutil
import sys
import tempfile

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "federation"))

from authority import Authority  # noqa: E402
from nemesis import link_name  # noqa: E402
from plan import SITES  # noqa: E402
from servers import SCALES, Starling  # noqa: E402

# Shorter than the nemesis's long stops and silences: both have their turn, to wait and to give up.
S2S = {"timeouts": {"answer": "5s", "dial": "5s", "early": "6s", "dead": "10s", "retry_min": "300ms", "retry_max": "2s"}, "limits": {"connect_rate": 0}}


def host(site):
    return site + ".example.net"


class Border:
    """What is between the two; servers: by site."""

    def __init__(self, binaries=None):
        self.folder = tempfile.mkdtemp(prefix="border-")
        os.chmod(self.folder, 0o755)
        try:
            authority = Authority(self.folder)
            s2s = {**S2S, "tls": {"trust": authority.pem}}
            self.servers = {site: Starling(binaries, scale, host=host(site), services={"s2s": s2s}) for site, scale in zip(SITES, SCALES)}
            for site, server in self.servers.items():
                authority.issue(server.tls, host(site))
        except BaseException:
            self.close()
            raise
        # Of each the way that leads to it.
        self.links = {link_name(site, "border"): (0, server.s2s_port) for site, server in self.servers.items()}

    def open(self, ports):
        """ports: where the proxies of the ways listen."""
        ways = ["%s=127.0.0.1:%d" % (host(site), ports[link_name(site, "border")]) for site in SITES]
        for server, way in zip(self.servers.values(), reversed(ways)):
            server.flock.configure({"services": {"s2s": {"overrides": [way]}}})

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)
