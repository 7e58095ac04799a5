# SPDX-License-Identifier: Apache-2.0
"""A SCRAM client (RFC 5802), written for tests: every part can be bent."""
import base64
import hashlib
import hmac
import secrets

HASHES = {"SCRAM-SHA-1": "sha1", "SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}


class Scram:
    def __init__(self, mechanism, user, password, binding=None, flag=None, authzid=""):
        """binding: (type, data). flag: what to write in place of n, y or p=TYPE."""
        self.hash = HASHES[mechanism.replace("-PLUS", "")]
        self.password, self.binding = password.encode(), binding
        if flag is None:
            flag = "p=" + binding[0] if mechanism.endswith("-PLUS") else "n"
        self.gs2 = "%s,%s," % (flag, "a=" + authzid if authzid else "")
        self.nonce = base64.b64encode(secrets.token_bytes(18)).decode()
        self.bare = "n=%s,r=%s" % (user.replace("=", "=3D").replace(",", "=2C"), self.nonce)

    def first(self):
        return (self.gs2 + self.bare).encode()

    def hmac(self, key, data):
        return hmac.new(key, data, self.hash).digest()

    def final(self, challenge, nonce=None, proof=None):
        fields = dict(part.split("=", 1) for part in challenge.decode().split(","))
        self.salt, self.rounds, self.server_nonce = base64.b64decode(fields["s"]), int(fields["i"]), fields["r"]
        assert self.server_nonce.startswith(self.nonce) and len(self.server_nonce) > len(self.nonce) + 16
        bound = self.gs2.encode() + (self.binding[1] if self.gs2.startswith("p") else b"")
        without = "c=%s,r=%s" % (base64.b64encode(bound).decode(), nonce or self.server_nonce)
        salted = hashlib.pbkdf2_hmac(self.hash, self.password, self.salt, self.rounds)
        message = ",".join((self.bare, challenge.decode(), without)).encode()
        key = self.hmac(salted, b"Client Key")
        signature = self.hmac(hashlib.new(self.hash, key).digest(), message)
        self.expected = b"v=" + base64.b64encode(self.hmac(self.hmac(salted, b"Server Key"), message))
        proof = proof or base64.b64encode(bytes(a ^ b for a, b in zip(key, signature))).decode()
        return ("%s,p=%s" % (without, proof)).encode()
