# SPDX-License-Identifier: Apache-2.0
"""Who a client is without auth, by certificate and by token; and what of that is refused."""
import base64
import datetime
import hashlib
import hmac
import json
import os
import queue
import ssl
import time

import paho.mqtt.client as paho
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from conftest import brokers

TIMEOUT = 20
NOW = datetime.datetime.utcnow()
SOON, LATER = NOW - datetime.timedelta(minutes=5), NOW + datetime.timedelta(days=1)


def write(flock, name, data):
    path = os.path.join(flock.state, name)
    with open(path, "wb") as f:
        f.write(data)
    return path


def pem(thing):
    return thing.public_bytes(serialization.Encoding.PEM)


def name_of(cn):
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, cn)])


class Authority:
    """Signs clients' certificates, and takes some back."""

    def __init__(self, flock):
        self.flock, self.key, self.issued = flock, ec.generate_private_key(ec.SECP256R1()), {}
        self.cert = self.sign("Clients", self.key, self.key, "Clients", x509.BasicConstraints(True, None))
        write(flock, "clients.pem", pem(self.cert))
        self.revoke()

    def sign(self, cn, key, signer, issuer, *extensions):
        builder = x509.CertificateBuilder().subject_name(name_of(cn)).issuer_name(name_of(issuer)).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(SOON).not_valid_after(LATER)
        for e in extensions:
            builder = builder.add_extension(e, True)
        return builder.sign(signer, hashes.SHA256())

    def issue(self, cn, signer=None):
        """Returns the paths of certificate and key."""
        key = ec.generate_private_key(ec.SECP256R1())
        cert = self.issued[cn] = self.sign(cn, key, signer or self.key, "Clients")
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return write(self.flock, cn + ".client.pem", pem(cert)), write(self.flock, cn + ".client.key", private)

    def revoke(self, *cns):
        builder = x509.CertificateRevocationListBuilder().issuer_name(name_of("Clients")).last_update(SOON).next_update(LATER)
        for cn in cns:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(self.issued[cn].serial_number).revocation_date(SOON).build())
        write(self.flock, "clients.crl", pem(builder.sign(self.key, hashes.SHA256())))


def reload(flock, **broker):
    flock.configure({"services": {"mqtt-broker": broker}})
    flock.ctl("reload", "mqtt-broker")


class Client:
    """One connection: .reason is what CONNACK said, None if the connection ended before it."""

    def __init__(self, flock, user=None, password=None, certificate=None, kind="tls", version=paho.MQTTv5, client_id="rights"):
        self.told, self.ended, self.granted, self.id = queue.Queue(), queue.Queue(), queue.Queue(), client_id
        self.client = paho.Client(client_id=client_id, protocol=version)
        if user is not None or password is not None:
            self.client.username_pw_set(user, password)
        self.client.on_connect = lambda client, userdata, flags, reason, *more: self.told.put(getattr(reason, "value", reason))
        self.client.on_subscribe = lambda client, userdata, mid, granted, *more: self.granted.put(getattr(granted[0], "value", granted[0]))
        self.client.on_disconnect = lambda client, userdata, reason, *more: (self.told.put(None), self.ended.put(getattr(reason, "value", reason)))
        if kind == "tls":
            self.client.tls_set(flock.ca(), *(certificate or (None, None)), cert_reqs=ssl.CERT_REQUIRED)
            self.client.tls_insecure_set(True)  # the certificate is the host's, the address is not
        self.client.connect(flock.address, flock.mqtt[kind])
        self.client.loop_start()
        self.reason = self.told.get(timeout=TIMEOUT)

    def subscribes(self, topic):
        self.client.subscribe(topic, 0)
        return self.granted.get(timeout=TIMEOUT) == 0

    def is_user(self, name):
        """By what only its own user may: RULES in conftest.py."""
        return self.reason == 0 and self.subscribes("only/%s/%s" % (name, self.id)) and not self.subscribes("only/other/%s" % self.id)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def client(flock):
    clients = []

    def make(*args, **how):
        clients.append(Client(flock, *args, **how))
        return clients[-1]
    yield make
    for c in clients:
        c.close()


@pytest.fixture
def authority(flock):
    made = Authority(flock)
    reload(flock, tls={"client_certificate": "optional", "client_ca": "clients.pem", "client_crl": "clients.crl", "identity": "common-name"})
    yield made
    reload(flock, tls={"client_certificate": "none"})


def test_a_certificate_is_a_login(flock, authority, client):
    """Without a password and without auth: there is no such account."""
    certificate = authority.issue("device-17")
    assert client(certificate=certificate, client_id="one").is_user("device-17")
    assert client("device-17", certificate=certificate, version=paho.MQTTv311, client_id="two").is_user("device-17")
    assert client(certificate=authority.issue("romeo@" + flock.hosts[-1]), client_id="three").is_user("romeo")
    # It is who it is, and no other.
    assert client("romeo", "secret", certificate=certificate).reason == 0x86
    assert client(certificate=authority.issue("romeo@elsewhere.test")).reason == 0x87
    # Without one, passwords are taken.
    assert client("romeo", "secret").reason == 0
    assert client("romeo", "wrong").reason == 0x86
    assert client().reason == 0x87
    # What somebody else has signed is no certificate.
    stranger = ec.generate_private_key(ec.SECP256R1())
    assert client("romeo", "secret", certificate=authority.issue("forged", stranger)).reason == 0x87
    assert client(certificate=authority.issue("forged", stranger), version=paho.MQTTv311).reason == 5


def test_revoked_certificates_are_refused_after_a_reload(flock, authority, client):
    good, stolen = authority.issue("good"), authority.issue("stolen")
    assert client(certificate=stolen, client_id="before").reason == 0
    authority.revoke("stolen")
    flock.ctl("reload", "mqtt-broker")
    assert client(certificate=stolen).reason == 0x87
    assert client(certificate=good).reason == 0


def test_required_beside_a_password(flock, authority, client):
    certificate = authority.issue("device-17")
    reload(flock, tls={"client_certificate": "required", "identity": "none"})
    assert client("romeo", "secret").reason == 0x87
    assert client("romeo", "secret", certificate=certificate).reason == 0
    assert client("romeo", "wrong", certificate=certificate).reason == 0x86
    assert client(certificate=certificate).reason == 0x87


def test_a_ca_is_needed(flock):
    with pytest.raises(Exception, match="needs tls.client_ca"):
        reload(flock, tls={"client_certificate": "optional", "client_ca": ""})
    reload(flock, tls={"client_certificate": "none"})


# --- tokens ---


def b64url(data):
    return base64.urlsafe_b64encode(data if isinstance(data, bytes) else json.dumps(data).encode()).rstrip(b"=").decode()


class Signer:
    """A folder with a key of each kind."""

    def __init__(self, flock):
        self.secret, self.rsa, self.ec = os.urandom(32), rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())
        os.makedirs(os.path.join(flock.state, "tokens"), exist_ok=True)
        write(flock, "tokens/one.secret", base64.b64encode(self.secret))
        for name, key in (("two", self.rsa), ("three", self.ec)):
            write(flock, "tokens/%s.pem" % name, key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))

    def sign(self, alg, text):
        if alg == "HS256":
            return hmac.new(self.secret, text, hashlib.sha256).digest()
        if alg == "RS256":
            return self.rsa.sign(text, padding.PKCS1v15(), hashes.SHA256())
        return b"".join(n.to_bytes(32, "big") for n in decode_dss_signature(self.ec.sign(text, ec.ECDSA(hashes.SHA256()))))

    def token(self, alg="HS256", seconds=600, **claims):
        kid = {"HS256": "one", "RS256": "two", "ES256": "three"}[alg]
        text = "%s.%s" % (b64url({"alg": alg, "typ": "JWT", "kid": kid}), b64url({"exp": int(time.time()) + seconds, "sub": "sensor", **claims}))
        return text + "." + b64url(self.sign(alg, text.encode()))


@pytest.fixture
def signer(flock):
    made = Signer(flock)
    reload(flock, jwt={"keys": "tokens", "leeway": "0s", "audience": "mqtt"})
    yield made
    reload(flock, jwt={"keys": ""})


def test_a_token_is_a_login(signer, client):
    for alg in ("HS256", "RS256", "ES256"):
        assert client("sensor", signer.token(alg, aud="mqtt"), kind="tcp", client_id=alg).is_user("sensor")
        assert client("other", signer.token(alg, aud="mqtt"), kind="tcp").reason == 0x86
        assert client("sensor", signer.token(alg), kind="tcp").reason == 0x86
        assert client("sensor", signer.token(alg, aud="mqtt", seconds=-1), kind="tcp", version=paho.MQTTv311).reason == 4
    # Unsigned ones are none.
    claims = b64url({"exp": int(time.time()) + 600, "sub": "sensor", "aud": "mqtt"})
    assert client("sensor", "%s.%s." % (b64url({"alg": "none"}), claims), kind="tcp").reason == 0x86
    assert client("sensor", "%s.%s." % (b64url({"alg": "HS256", "kid": "two"}), claims), kind="tcp").reason == 0x86
    # It ends its connection.
    c = client("sensor", signer.token("HS256", 2, aud="mqtt"), kind="tcp")
    assert c.reason == 0
    assert c.ended.get(timeout=TIMEOUT) == 0x87


# --- operators ---


def test_bans_are_at_once_and_survive_a_restart(flock, client, kill):
    a, b = client("romeo", "secret", kind="tcp", client_id="spoilt"), client("juliet", "secret", kind="tcp", client_id="good", version=paho.MQTTv311)
    listed = {c["client"]: c for c in flock.ctl_json("mqtt", "list")["clients"]}
    assert listed["spoilt"]["user"] == "romeo@" + flock.hosts[0] and listed["spoilt"]["version"] == 5 and listed["good"]["transport"] == "tcp"
    flock.ctl("mqtt", "ban", "client", "spoilt")
    try:
        assert a.ended.get(timeout=TIMEOUT) == 0x98
        assert client("romeo", "secret", kind="tcp", client_id="spoilt").reason == 0x8A
        kill()
        assert client("romeo", "secret", kind="tcp", client_id="spoilt").reason == 0x8A
        bans = [(ban["client"], ban["left_ms"]) for ban in flock.ctl_json("mqtt", "bans")["bans"]]
        assert bans == [("spoilt", 0)] * len(brokers(flock))
    finally:
        flock.ctl("mqtt", "unban", "client", "spoilt")
    assert client("romeo", "secret", kind="tcp", client_id="spoilt").reason == 0
    b.close()


def test_operators_are_told_what_is_wrong(flock, client):
    for words, code in ((("kick", "client", "nobody"), 2), (("unban", "user", "x@y"), 2), (("ban", "address", "somewhere"), 1), (("ban", "client"), 64),
                        (("ban", "colour", "red"), 64), (("ban", "client", "x", "soon"), 64), (("drown", "x"), 64)):
        with pytest.raises(Exception) as failed:
            flock.ctl("mqtt", *words)
        assert failed.value.code == code, (words, failed.value)
    c = client("juliet", "secret", kind="tcp", client_id="kicked")
    assert "kicked" in flock.ctl("mqtt", "sessions", "juliet@" + flock.hosts[0])
    assert flock.ctl("mqtt", "kick", "user", "juliet@" + flock.hosts[0]) == "1 connection ended\n"
    assert c.ended.get(timeout=TIMEOUT) == 0x98
