# SPDX-License-Identifier: Apache-2.0
"""SCRAM (RFC 5802) for many logins of few accounts: what PBKDF2 makes of a password is kept."""
import base64
import functools
import hashlib
import hmac
import os

MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-1")


@functools.lru_cache(maxsize=None)
def salted(name, password, salt, rounds):
    return hashlib.pbkdf2_hmac(name, password.encode(), salt, rounds)


class Scram:
    def __init__(self, mechanism, user, password):
        self.mechanism, self.password = mechanism, password
        self.name = mechanism.removeprefix("SCRAM-").replace("SHA-", "sha")
        self.bare = "n=%s,r=%s" % (user, base64.b64encode(os.urandom(15)).decode())

    def first(self):
        return base64.b64encode(("n,," + self.bare).encode()).decode()

    def answer(self, challenge):
        server = base64.b64decode(challenge).decode()
        fields = dict(p.split("=", 1) for p in server.split(","))
        key = salted(self.name, self.password, base64.b64decode(fields["s"]), int(fields["i"]))
        client = hmac.digest(key, b"Client Key", self.name)
        final = "c=biws,r=" + fields["r"]
        signature = hmac.digest(hashlib.new(self.name, client).digest(), ",".join((self.bare, server, final)).encode(), self.name)
        proof = bytes(a ^ b for a, b in zip(client, signature))
        return base64.b64encode(("%s,p=%s" % (final, base64.b64encode(proof).decode())).encode()).decode()
