# SPDX-License-Identifier: Apache-2.0
"""SASL (RFC 6120 section 6, RFC 5802, XEP-0440): what logs in, and above all what must not."""
import base64

import pytest

from xmpp import NS_BIND, NS_SASL, Client, Closed, StreamError, local, q, scram_client

ALL = ["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"]


def secured(flock):
    return Client(flock).secure()


def refused(answer, *conditions):
    assert local(answer) == "failure", local(answer)
    assert local(answer[0]) in conditions, local(answer[0])


@pytest.mark.parametrize("mechanism", ALL)
def test_login(flock, account, mechanism):
    user = account()
    c = secured(flock)
    assert mechanism in c.mechanisms()
    assert local(c.sasl(mechanism, user.name, user.password)) == "success"
    c.open()
    assert c.bind().startswith(user.jid + "/")
    c.close()


@pytest.mark.parametrize("mechanism", ALL)
def test_wrong_password(flock, account, mechanism):
    user = account()
    c = secured(flock)
    refused(c.sasl(mechanism, user.name, user.password + "x"), "not-authorized")
    c.sock.close()


@pytest.mark.parametrize("mechanism", ALL)
def test_unknown_user_looks_like_a_wrong_password(flock, account, mechanism):
    c = secured(flock)
    refused(c.sasl(mechanism, "nobody-of-that-name", "secret"), "not-authorized")
    c.sock.close()


def test_the_fake_salt_of_an_unknown_user_is_stable(flock):
    salts = set()
    for _ in range(2):
        c = secured(flock)
        c.send("<auth xmlns='%s' mechanism='SCRAM-SHA-256'>%s</auth>" % (NS_SASL, base64.b64encode(b"n,,n=nobody-here,r=abcdefgh").decode()))
        salts.add(base64.b64decode(c.next().text).split(b",")[1])
        c.sock.close()
    assert len(salts) == 1


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-512-PLUS"])
def test_channel_binding_end_point(flock, account, mechanism):
    user = account()
    c = secured(flock)
    assert mechanism in c.mechanisms()
    offered = [b.get("type") for b in c.features.iter("{urn:xmpp:sasl-cb:0}channel-binding")]
    assert "tls-server-end-point" in offered and "tls-exporter" in offered
    assert local(c.sasl(mechanism, user.name, user.password, binding=("tls-server-end-point", c.end_point()))) == "success"
    c.sock.close()


def test_channel_binding_of_another_channel(flock, account):
    user = account()
    c = secured(flock)
    refused(c.sasl("SCRAM-SHA-256-PLUS", user.name, user.password, binding=("tls-server-end-point", b"\0" * 32)), "not-authorized")
    c.sock.close()


def test_channel_binding_type_not_offered(flock, account):
    user = account()
    c = secured(flock)
    refused(c.sasl("SCRAM-SHA-256-PLUS", user.name, user.password, binding=("tls-unique", b"\0" * 12)), "not-authorized", "malformed-request")
    c.sock.close()


def test_downgraded_channel_binding(flock, account):
    """gs2 flag y says "I could, but you did not offer it". We did, so somebody in between took it away (RFC 5802 section 6)."""
    user = account()
    c = secured(flock)
    refused(c.sasl("SCRAM-SHA-256", user.name, user.password, gs2="y,,"), "not-authorized")
    c.sock.close()


def test_plus_flag_without_plus_mechanism(flock, account):
    user = account()
    c = secured(flock)
    refused(c.sasl("SCRAM-SHA-256", user.name, user.password, gs2="p=tls-server-end-point,,"), "not-authorized", "malformed-request")
    c.sock.close()


def scram_by_hand(c, user, change_final):
    messages = scram_client("SCRAM-SHA-256", user.name, user.password)
    c.send("<auth xmlns='%s' mechanism='SCRAM-SHA-256'>%s</auth>" % (NS_SASL, base64.b64encode(next(messages)).decode()))
    final = messages.send(base64.b64decode(c.next().text))
    c.send("<response xmlns='%s'>%s</response>" % (NS_SASL, base64.b64encode(change_final(final)).decode()))
    return c.next()


def flip_proof(final):
    head, proof = final.rsplit(b",p=", 1)
    raw = bytearray(base64.b64decode(proof))
    raw[0] ^= 1
    return head + b",p=" + base64.b64encode(bytes(raw))


@pytest.mark.parametrize("change", [
    flip_proof,
    lambda f: f.replace(b",r=", b",r=x"),
    lambda f: f.rsplit(b",p=", 1)[0],
    lambda f: b"",
    lambda f: f + b",x=1",
    lambda f: f[:40],
    lambda f: b"c=biws," + f,
], ids=["proof", "nonce", "no-proof", "empty", "appended", "cut", "prepended"])
def test_tampered_final_message(flock, account, change):
    c = secured(flock)
    refused(scram_by_hand(c, account(), change), "not-authorized", "malformed-request")
    c.sock.close()


def test_replayed_final_message(flock, account):
    """A final message that logged in once does not log in again."""
    user = account()
    seen = []
    c = secured(flock)
    assert local(scram_by_hand(c, user, lambda f: seen.append(f) or f)) == "success"
    c.sock.close()
    c = secured(flock)
    refused(scram_by_hand(c, user, lambda f: seen[0]), "not-authorized", "malformed-request")
    c.sock.close()


@pytest.mark.parametrize("text,condition", [
    ("AGEAYg", "incorrect-encoding"),
    ("A=GEAYg==", "incorrect-encoding"),
    ("====", "incorrect-encoding"),
    ("AGE AYg==", "incorrect-encoding"),
    ("!!!!", "incorrect-encoding"),
])
def test_bad_base64(flock, text, condition):
    c = secured(flock)
    c.send("<auth xmlns='%s' mechanism='PLAIN'>%s</auth>" % (NS_SASL, text))
    refused(c.next(), condition)
    c.sock.close()


@pytest.mark.parametrize("plain", [b"", b"user", b"\0user", b"\0\0pass", b"\0user\0", b"\0a\0b\0c", b"\0\xff\xfe\0pw", b"\0" * 5000])
def test_malformed_plain(flock, plain):
    c = secured(flock)
    c.send("<auth xmlns='%s' mechanism='PLAIN'>%s</auth>" % (NS_SASL, base64.b64encode(plain).decode() or "="))
    refused(c.next(), "malformed-request", "not-authorized")
    c.sock.close()


def test_authorisation_as_another_user(flock, account):
    user, other = account(), account()
    c = secured(flock)
    plain = "%s\0%s\0%s" % (other.jid, user.name, user.password)
    c.send("<auth xmlns='%s' mechanism='PLAIN'>%s</auth>" % (NS_SASL, base64.b64encode(plain.encode()).decode()))
    refused(c.next(), "invalid-authzid", "not-authorized")
    c.sock.close()


def test_authorisation_as_oneself(flock, account):
    user = account()
    c = secured(flock)
    plain = "%s\0%s\0%s" % (user.jid, user.name, user.password)
    c.send("<auth xmlns='%s' mechanism='PLAIN'>%s</auth>" % (NS_SASL, base64.b64encode(plain.encode()).decode()))
    assert local(c.next()) == "success"
    c.sock.close()


def test_mechanism_not_offered(flock):
    c = secured(flock)
    c.send("<auth xmlns='%s' mechanism='CRAM-MD5'/>" % NS_SASL)
    refused(c.next(), "invalid-mechanism")
    c.sock.close()


def test_abort_and_try_again(flock, account):
    user = account()
    c = secured(flock)
    c.send("<auth xmlns='%s' mechanism='SCRAM-SHA-1'>%s</auth>" % (NS_SASL, base64.b64encode(b"n,,n=x,r=abcdefgh").decode()))
    assert local(c.next()) == "challenge"
    c.send("<abort xmlns='%s'/>" % NS_SASL)
    refused(c.next(), "aborted")
    assert local(c.sasl("SCRAM-SHA-256", user.name, user.password)) == "success"
    c.sock.close()


def test_response_without_auth(flock):
    c = secured(flock)
    c.send("<response xmlns='%s'>AAAA</response>" % NS_SASL)
    try:
        assert local(c.next()) == "failure"
    except StreamError:
        pass
    c.sock.close()


def test_retries_are_limited(flock, account):
    """RFC 6120 section 6.4.5: between 2 and 5 tries, then the stream is closed with policy-violation."""
    user = account()
    c = secured(flock)
    tries = 0
    with pytest.raises((StreamError, Closed)) as caught:
        for tries in range(1, 8):
            answer = c.sasl("SCRAM-SHA-256", user.name, "wrong")
            assert local(answer) == "failure"
    assert 2 <= tries <= 6
    if caught.type is StreamError:
        assert caught.value.condition == "policy-violation"
    c.sock.close()


def test_oversized_message(flock):
    c = secured(flock)
    c.send("<auth xmlns='%s' mechanism='PLAIN'>%s</auth>" % (NS_SASL, base64.b64encode(b"\0" + b"u" * 200000 + b"\0p").decode()))
    try:
        assert local(c.next()) == "failure"
    except StreamError as error:
        assert error.condition == "policy-violation"
    c.sock.close()


def test_stanza_before_login(flock):
    c = secured(flock)
    c.send("<message to='a@%s'><body>hi</body></message>" % flock.host)
    c.ended_by("not-authorized")


def test_second_login_on_one_stream(flock, account):
    user = account()
    c = secured(flock)
    assert local(c.sasl("SCRAM-SHA-256", user.name, user.password)) == "success"
    c.open()
    assert not c.mechanisms()
    c.send("<auth xmlns='%s' mechanism='PLAIN'>AGEAYg==</auth>" % NS_SASL)
    with pytest.raises(StreamError):
        c.next()
    c.sock.close()


def test_a_user_of_another_host(flock, account):
    """Accounts are per host: the same name and password on the other host is another account."""
    user = account()
    c = Client(flock, host=flock.hosts[1]).secure()
    refused(c.sasl("SCRAM-SHA-256", user.name, user.password), "not-authorized")
    c.sock.close()


def test_passwords_beyond_ascii(flock, account):
    user = account(password="pässwörd ☃ 密码")
    for mechanism in ALL:
        c = secured(flock)
        assert local(c.sasl(mechanism, user.name, user.password)) == "success"
        c.sock.close()


def test_bind_needs_login(flock):
    c = secured(flock)
    c.send("<iq type='set' id='b'><bind xmlns='%s'/></iq>" % NS_BIND)
    c.ended_by("not-authorized")


def test_features_after_login(flock, account):
    user = account()
    c = secured(flock)
    c.sasl("SCRAM-SHA-256", user.name, user.password)
    c.open()
    assert c.features.find(q(NS_BIND, "bind")) is not None
    assert c.features.find("{urn:xmpp:features:rosterver}ver") is not None
    assert c.features.find("{urn:xmpp:features:pre-approval}sub") is not None
    c.close()
