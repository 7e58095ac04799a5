# SPDX-License-Identifier: Apache-2.0
"""Who a client is without auth, by certificate; and what of it is refused."""
import datetime
import os
import queue
import ssl

import paho.mqtt.client as paho
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

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
        self.told, self.ended = queue.Queue(), queue.Queue()
        self.client = paho.Client(client_id=client_id, protocol=version)
        if user is not None or password is not None:
            self.client.username_pw_set(user, password)
        self.client.on_connect = lambda client, userdata, flags, reason, *more: self.told.put(getattr(reason, "value", reason))
        self.client.on_disconnect = lambda client, userdata, reason, *more: (self.told.put(None), self.ended.put(getattr(reason, "value", reason)))
        if kind == "tls":
            self.client.tls_set(flock.ca(), *(certificate or (None, None)), cert_reqs=ssl.CERT_REQUIRED)
            self.client.tls_insecure_set(True)  # the certificate is the host's, the address is not
        self.client.connect(flock.address, flock.mqtt[kind])
        self.client.loop_start()
        self.reason = self.told.get(timeout=TIMEOUT)

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
    hosts = flock.hosts
    assert client(certificate=certificate, client_id="one").reason == 0
    assert client("device-17", certificate=certificate, version=paho.MQTTv311, client_id="two").reason == 0
    log = flock.log("mqtt-broker-1")
    assert "user=device-17@" + hosts[0] in log
    # The name says which host.
    assert client(certificate=authority.issue("romeo@" + hosts[-1]), client_id="three").reason == 0
    assert "user=romeo@" + hosts[-1] in flock.log("mqtt-broker-1")
    # It is who it is, and no other.
    assert client("romeo", "secret", certificate=certificate).reason == 0x86
    assert client(certificate=authority.issue("romeo@elsewhere.test")).reason == 0x87


def test_without_a_certificate_passwords_are_taken(authority, client):
    assert client("romeo", "secret").reason == 0
    assert client("romeo", "wrong").reason == 0x86
    assert client().reason == 0x87


def test_certificates_of_others_are_refused(flock, authority, client):
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
