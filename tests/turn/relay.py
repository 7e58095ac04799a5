# SPDX-License-Identifier: Apache-2.0
"""A relay under test, with a router to join: on loopback, which its operator has allowed for peers."""
import copy
import os
import re
import socket
import urllib.request

import pytest

from flock import Flock, merge
from stun import Client

ONLY = "storage=0,auth=0,session-manager=0,c2s-edge=0,s2s=0,router=1,turn-relay=1"
SECRET, OLD_SECRET = "the-secret-of-the-relay", "the-secret-from-before"


def has_ipv6():
    """Containers are without, unless asked for."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


LOOPBACK = ["127.0.0.1"] + ["::1"] * has_ipv6()
needs_ipv6 = pytest.mark.skipif(len(LOOPBACK) == 1, reason="no IPv6 here")
SETTINGS = {"services": {
    "starlingctl": {"postgres": "external", "redis": "external"},
    # Tests of the limits set limits of their own.
    "turn-relay": {"addresses": LOOPBACK, "workers": 2, "peers": {"allow": ["127.0.0.0/8", "::1"]}, "users_file": "turn.users",
                   "limits": {"user_allocations": 1000, "address_allocations": 1000, "unauthenticated_rate": 100000, "unauthenticated_burst": 60000,
                              "failures": 0, "connect_rate": 0}},
}}


class Relay:
    def __init__(self, settings=None):
        both = copy.deepcopy(SETTINGS)
        merge(both, {"services": {"turn-relay": copy.deepcopy(settings or {})}})
        self.flock = Flock(settings=both, hosts=("turn.test",))
        self.secret = SECRET
        self.write("keys/turn.secrets", "# of tests\n%s\n%s\n" % (SECRET, OLD_SECRET))
        self.write("turn.users", "juliet:balcony\n")
        self.address = "127.0.0.1"
        self.port, self.tls_port = 3478 + self.flock.offset, 5349 + self.flock.offset

    def write(self, name, text):
        path = os.path.join(self.flock.state, name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, 0o644)

    def up(self, scale=ONLY):
        self.flock.up(scale)
        return self

    def client(self, *args, **kwargs):
        return Client(self, *args, **kwargs)

    def metrics(self):
        """{name{labels}: value}"""
        url = re.search(r"http://\S+/metrics", self.flock.log("turn-relay-1")).group(0)
        with urllib.request.urlopen(url, timeout=10) as r:
            lines = r.read().decode().splitlines()
        return {m[1]: float(m[2]) for m in (re.match(r"(starling_turn\S+) (\S+)$", line) for line in lines) if m}

    def reload(self):
        self.flock.ctl("reload", "turn-relay")

    def list(self, *args):
        return self.flock.ctl_json("turn", "list", *args)["allocations"]

    def put_out(self):
        """Ends what clients have left, which a relay that ends would wait for."""
        for user in {a["user"] for a in self.list()}:
            self.flock.ctl("turn", "kick", user)

    def close(self):
        self.flock.close()
