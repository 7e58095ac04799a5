# SPDX-License-Identifier: Apache-2.0
"""Two flocks that federate, and the way between them: each finds the other by a private DNS, trusts it by a certificate of a test authority, and
reaches it through a proxy that can be cut (proxy.py)."""
import os
import shutil
import sys
import tempfile

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, folder) for folder in ("federation", "system")]

from authority import Authority  # noqa: E402
from dns_server import DnsServer  # noqa: E402
from nemesis import link_name  # noqa: E402
from peers import announce  # noqa: E402
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
        self.dns = DnsServer({})
        try:
            authority = Authority(self.folder)
            s2s = {**S2S, "tls": {"trust": authority.pem}, "dns": {"servers": [self.dns.address]}}
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
        for site in SITES:
            announce(self.dns, host(site), ports[link_name(site, "border")])

    def close(self):
        self.dns.close()
        shutil.rmtree(self.folder, ignore_errors=True)
