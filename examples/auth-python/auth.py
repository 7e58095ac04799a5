#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The auth role in Python: PLAIN, SCRAM with and without channel binding, accounts. Credentials are the storage role's. See README.md.

usage: auth.py STATE_DIR [NAME]
"""
import base64
import hashlib
import hmac
import json
import os
import re
import secrets
import signal
import sys
import time
import unicodedata

import yaml

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tests/contract"))
from starling_bus import Bus, CallFailed, E, admin_pb2, auth_pb2 as a, storage_pb2 as s, types_pb2 as t  # noqa: E402

HASHES = {"SHA-512": "sha512", "SHA-256": "sha256", "SHA-1": "sha1"}
BINDABLE, ROUNDS, STARTED = {"tls-exporter", "tls-server-end-point"}, 10000, time.time()
FIRST = re.compile(r"((?:n|y|p=([A-Za-z0-9.-]+)),(?:a=([^,\0]+))?,)(n=([^,\0]+),r=([!-+\--~]+))(?:,.*)?")
FINAL = re.compile(r"(c=([A-Za-z0-9+/=]+),r=([!-+\--~]+)(?:,[^,]+)*),p=([A-Za-z0-9+/=]+)")
hosts = yaml.safe_load(open(sys.argv[1] + "/starling.yml", encoding="utf-8"))["hosts"]
secret = hashlib.sha256(open(sys.argv[1] + "/keys/auth-seal.key", "rb").read()).digest()  # the same for every instance


class Refused(Exception):
    """A login that fails; args[0] is its condition (RFC 6120 section 6.5)."""


def check(good, condition="not-authorized"):
    if not good:
        raise Refused(condition)
    return good


def mac(key, data, name="SHA-256"):
    return hmac.new(key, data, HASHES[name]).digest()


def scram_keys(password, name, salt=None, rounds=ROUNDS):
    salt = salt or secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac(HASHES[name], unicodedata.normalize("NFC", password).encode(), salt, rounds)
    stored = hashlib.new(HASHES[name], mac(salted, b"Client Key", name)).digest()
    return s.ScramKeys(hash=name, salt=salt, iterations=rounds, stored_key=stored, server_key=mac(salted, b"Server Key", name))


def keys_of(account, name):
    """Of an account that does not exist: keys that no password has, always the same, so that nobody learns that it does not."""
    try:
        return next(k for k in bus.call("storage", "storage.CredentialsGet", s.AccountKey(account=account)).scram if k.hash == name)
    except CallFailed as failure:
        if failure.name != "NOT_FOUND":
            raise CallFailed(E.CODE_UNAVAILABLE, "the store is away") from None
    fake = mac(secret, (name + account).encode(), "SHA-512")
    return s.ScramKeys(hash=name, salt=fake[:16], iterations=ROUNDS, stored_key=fake[16:], server_key=fake[16:])


def account_of(user, host):
    user = unicodedata.normalize("NFC", user.lower())
    return check(re.fullmatch(r"[^\s\"&'/:<>@\0-\x1f\x7f\ufffd]{1,1023}", user) and user + "@" + host)


def seal(request, values):
    """What must be remembered goes along with the client; it opens for a minute, and for this exchange on this connection only."""
    scope = a.SaslRequest(host=request.host, mechanism=request.mechanism, encrypted=request.encrypted, address=request.address,
                          channel_bindings=request.channel_bindings).SerializeToString()
    text = values if isinstance(values, bytes) else json.dumps([time.time() + 60, *values]).encode()
    return mac(secret, scope + text) + text


def unseal(request):
    check(hmac.compare_digest(seal(request, request.state[32:]), request.state))
    expires, *values = json.loads(request.state[32:])
    check(expires > time.time())
    return values


def scram_first(request, name, text):
    gs2, kind, authzid, bare, user, nonce = check(FIRST.fullmatch(text), "malformed-request").groups()
    bindings = {b.type: b.data for b in request.channel_bindings if b.type in BINDABLE}
    check(bool(kind) == request.mechanism.endswith("-PLUS"), "malformed-request")
    check(kind in bindings if kind else not (gs2[0] == "y" and bindings))  # y: someone took our -PLUS out of the list
    check(not re.search("=(?!2C|3D)", user), "malformed-request")
    account = account_of(user.replace("=2C", ",").replace("=3D", "="), request.host)
    check(authzid in (None, account), "invalid-authzid")
    keys = keys_of(account, name)
    challenge = "r=%s%s,s=%s,i=%d" % (nonce, secrets.token_urlsafe(24), base64.b64encode(keys.salt).decode(), keys.iterations)
    bound = base64.b64encode(gs2.encode() + bindings.get(kind, b"")).decode()
    return a.SaslReply(outcome=a.SASL_CONTINUE, output=challenge.encode(), has_output=True, state=seal(request, [bound, bare, challenge, account]))


def scram_final(request, name, text, bound, bare, challenge, account):
    without, binding, nonce, proof = check(FINAL.fullmatch(text), "malformed-request").groups()
    keys, message = keys_of(account, name), ",".join((bare, challenge, without)).encode()
    signature = mac(keys.stored_key, message, name)
    try:
        key = bytes(x ^ y for x, y in zip(base64.b64decode(proof, validate=True), signature))
    except ValueError:
        raise Refused("malformed-request") from None
    check(binding == bound and challenge.startswith("r=" + nonce + ",s="))
    check(hmac.compare_digest(hashlib.new(HASHES[name], key).digest(), keys.stored_key))
    verdict = b"v=" + base64.b64encode(mac(keys.server_key, message, name))
    return a.SaslReply(outcome=a.SASL_SUCCESS, account=account, output=verdict, has_output=True)


def plain(request, text):
    parts = text.split("\0")
    check(len(parts) == 3 and parts[1] and parts[2], "malformed-request")
    account = account_of(parts[1], request.host)
    keys = keys_of(account, "SHA-256")
    check(hmac.compare_digest(scram_keys(parts[2], "SHA-256", keys.salt, keys.iterations).stored_key, keys.stored_key))
    check(parts[0] in ("", account), "invalid-authzid")
    return a.SaslReply(outcome=a.SASL_SUCCESS, account=account)


def offered(request, bindings):
    if request.host not in hosts:
        raise CallFailed(E.CODE_INVALID, "no such host")
    plus = ["SCRAM-%s-PLUS" % h for h in HASHES] if BINDABLE & set(bindings) else []
    return plus + ["SCRAM-" + h for h in HASHES] + (["PLAIN"] if request.encrypted else [])


def step(request):
    check(request.mechanism in offered(request, [b.type for b in request.channel_bindings]), "invalid-mechanism")
    values = unseal(request) if request.state else []
    if not request.has_input and not request.state:
        return a.SaslReply(outcome=a.SASL_CONTINUE, has_output=True, state=seal(request, []))
    check(len(request.input) <= 8192, "malformed-request")
    try:
        text = request.input.decode()
    except UnicodeDecodeError:
        raise Refused("malformed-request") from None
    if request.mechanism == "PLAIN":
        return plain(request, text)
    name = request.mechanism[6:].replace("-PLUS", "")
    return scram_final(request, name, text, *values) if values else scram_first(request, name, text)


def sasl(request, call):
    try:
        return step(request)
    except Refused as refused:
        return a.SaslReply(outcome=a.SASL_FAILURE, condition=refused.args[0], text="The login was refused.")


def credentials(account, password):
    user, _, host = account.rpartition("@")
    try:
        check(host in hosts and password and "\0" not in password)
        return s.Credentials(account=account_of(user, host), scram=[scram_keys(password, name) for name in HASHES])
    except Refused:
        raise CallFailed(E.CODE_INVALID, "no such host, or a bad name or password") from None


def create(request, call):
    if not request.by_operator:
        raise CallFailed(E.CODE_DENIED, "registration is off")
    return bus.call("storage", "storage.AccountCreate", credentials(request.account, request.password))


def store(method, request):
    return bus.call("storage", "storage." + method, request)


HANDLERS = {
    "auth.Mechanisms": lambda r, call: a.MechanismsReply(mechanisms=offered(r, r.channel_bindings)),
    "auth.Sasl": sasl,
    "auth.CreateAccount": create,
    "auth.ChangePassword": lambda r, call: store("CredentialsSet", credentials(r.account, r.password)),
    "auth.RemoveAccount": lambda r, call: store("AccountDelete", s.AccountKey(account=r.account)),
    "auth.ListAccounts": lambda r, call: a.ListAccountsReply.FromString(
        store("AccountList", s.AccountListRequest(host=r.host, after=r.after, limit=r.limit)).SerializeToString()),
    "auth.CheckAccount": lambda r, call: store("CredentialsGet", s.AccountKey(account=r.account)) and t.Empty(),
    "admin.Status": lambda r, call: admin_pb2.StatusReply(role="auth", name=bus.registration.name, version="python", pid=os.getpid(),
                                                          uptime_ms=int(1000 * (time.time() - STARTED)), healthy=True),
}

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # leaves the flock in good order
    with Bus(sys.argv[1], "auth", name=sys.argv[2] if len(sys.argv) > 2 else "auth-python") as bus:
        for method, handler in HANDLERS.items():
            bus.serve(method, handler)
        bus.ready()
        bus.run()
