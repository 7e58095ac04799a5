# SPDX-License-Identifier: Apache-2.0
"""What servers that come to us may not do: say anything before proof, or for others; and which proofs are none."""
import threading

import pytest

from raw import DIALBACK_OFFER, NS_SM, FakeServer, Origin, db_error, element, message
from xmpp import NS_SASL, NS_TLS, local

HOPE = "must not arrive"


@pytest.fixture
def user(wild, users):
    return users.login(wild.starling)


def silent(user):
    user.nothing(lambda e: local(e) == "message")


# --- stanzas ----------------------------------------------------------------------------------------------------------


def test_stanza_before_proof(wild, user):
    o = wild.origin().secure()
    o.send(message("a@" + o.name, user.jid, HOPE))
    o.ended_by("not-authorized")
    silent(user)


def test_stanza_before_the_key_is_verified(wild, user):
    server = wild.server(on={"verify": lambda stream, e: None})
    o = wild.origin(server.domain).secure()
    o.send(element("result", o.name, o.host, "key") + message("a@" + o.name, user.jid, HOPE))
    o.ended_by("not-authorized")
    silent(user)


@pytest.mark.parametrize("sender", ["a@other.example.net", "a@sub.%s", "%s.example.net", "starling", "second"])
def test_stanza_from_what_was_not_proved(wild, user, sender):
    name = wild.fresh()
    o = wild.origin(name).proved(wild.certificate(name))
    sender = {"starling": user.jid, "second": "b@" + wild.second}.get(sender) or sender.replace("%s", name)
    o.send(message(sender, user.jid, HOPE))
    o.ended_by("invalid-from")
    silent(user)


def test_stanza_to_what_was_not_proved(wild, user):
    """The proof is for a pair of domains (XEP-0220 section 1)."""
    name = wild.fresh()
    o = wild.origin(name).proved(wild.certificate(name))
    o.send(message("a@" + name, "b@" + wild.second, HOPE))
    o.ended_by("invalid-from")


@pytest.mark.parametrize("to", ["a@nowhere.example.net", "a@sub.refusals.example.net"])
def test_stanza_to_a_host_that_is_not_ours(wild, to):
    name = wild.fresh()
    o = wild.origin(name).proved(wild.certificate(name))
    o.send(message("a@" + name, to, HOPE))
    o.ended_by("host-unknown")


@pytest.mark.parametrize("start", ["<message to='%(to)s'>", "<message from='%(from)s'>", "<message>", "<message from='%(from)s' to=''>",
                                   "<message from='' to='%(to)s'>", "<message from='a b@%(name)s' to='%(to)s'>", "<message from='@%(name)s' to='%(to)s'>"])
def test_stanza_without_good_addresses(wild, user, start):
    name = wild.fresh()
    o = wild.origin(name).proved(wild.certificate(name))
    o.send(start % {"to": user.jid, "from": "a@" + name, "name": name} + "<body>x</body></message>")
    o.ended_by("improper-addressing")
    silent(user)


def test_stanza_with_good_addresses(wild, user):
    name = wild.fresh()
    o = wild.origin(name).proved(wild.certificate(name))
    o.send(message("a@" + name, user.jid, "good"))
    assert user.wait_message("good").get("from") == "a@" + name


# --- dialback ---------------------------------------------------------------------------------------------------------


def test_key_is_valid(wild, user):
    server = wild.server()
    o = wild.origin(server.domain).secure()
    assert o.dialback("the key").get("type") == "valid"
    asked = server.verified.get(timeout=5)
    assert (asked.text, asked.get("id"), asked.get("from"), asked.get("to")) == ("the key", o.id, wild.starling.domain, server.domain)
    o.send(message("a@" + o.name, user.jid, "proved"))
    user.wait_message("proved")


def test_key_is_not_valid(wild, user):
    server = wild.server(verdict="invalid")
    o = wild.origin(server.domain).secure()
    assert o.dialback("guessed").get("type") == "invalid"
    o.closed()
    silent(user)


@pytest.mark.parametrize("name", ["refusals.example.net", "second.refusals.example.net", "REFUSALS.example.net"])
def test_key_for_a_domain_of_ours(wild, name):
    o = wild.origin().secure()
    assert db_error(o.dialback(sender=name)) == "not-allowed"


def test_key_to_a_domain_that_is_not_ours(wild):
    o = wild.origin().secure()
    assert db_error(o.dialback(to="nowhere.example.net")) == "item-not-found"


def no_answer(stream, e):
    """Says nothing to a question."""


@pytest.mark.parametrize("kind,condition", [("silent", "remote-server-timeout"), ("no header", "remote-server-timeout"),
                                            ("down", "remote-connection-failed"), ("unknown", "remote-server-not-found"),
                                            ("error", "remote-server-not-found")])
def test_authority_is_not_there(wild, user, kind, condition):
    name = wild.fresh()
    if kind == "error":
        wild.server(name, verdict="error")
    elif kind != "unknown":
        server = wild.server(name, on={"header" if kind == "no header" else "verify": no_answer})
        if kind == "down":
            server.close()
    o = wild.origin(name).secure()
    assert db_error(o.dialback()) == condition
    o.send(message("a@" + name, user.jid, HOPE))
    o.ended_by("not-authorized")
    silent(user)


def test_answer_for_another_question(wild):
    """An authoritative server that says valid of a domain that it was not asked about."""
    other = wild.server(on={"verify": no_answer})
    name = wild.fresh()

    def lie(stream, e):
        stream.send(element("verify", other.domain, e.get("from"), id=e.get("id"), type="valid"))

    wild.server(name, offer=DIALBACK_OFFER, on={"verify": lie})
    o = wild.origin(other.domain).secure()
    o.send(element("result", other.domain, o.host, "key") + element("result", name, o.host, "key"))
    for _ in range(2):
        db_error(o.wait_named("result"))


def test_key_comes_while_our_stream_authenticates(wild):
    """Between auth and success nothing may be asked: the other server expects a new stream header behind it (RFC 6120 section 6.4.6)."""
    second, asked = [], threading.Event()

    def auth(stream, e):
        second.append(wild.origin(server.domain).secure())
        second[0].send(element("result", server.domain, wild.starling.domain, "second key"))
        second[0].send(element("result", server.domain, "nowhere.example.net", "key"))
        db_error(second[0].wait_named("result"))  # so the key before it has been read
        asked.set()
        FakeServer.auth(stream, e)

    server = wild.server(on={"auth": auth})
    o = wild.origin(server.domain).secure()
    assert o.dialback("first key").get("type") == "valid"
    assert asked.wait(10)
    assert second[0].wait_named("result").get("type") == "valid"


def test_second_domain_on_a_stream(wild, user):
    first, second, third = wild.server(), wild.server(), wild.fresh()
    o = wild.origin(first.domain).secure()
    assert o.dialback().get("type") == "valid"
    assert o.dialback(sender=second.domain).get("type") == "valid"
    o.send(message("a@" + first.domain, user.jid, "one") + message("a@" + second.domain, user.jid, "two"))
    assert user.wait_message("two").get("from") == "a@" + second.domain
    o.send(message("a@" + third, user.jid, HOPE))
    o.ended_by("invalid-from")


def test_wrong_key_for_a_second_domain(wild, user):
    first, second = wild.server(), wild.server(verdict="invalid")
    o = wild.origin(first.domain).secure()
    assert o.dialback().get("type") == "valid"
    assert o.dialback(sender=second.domain).get("type") == "invalid"
    o.send(message("a@" + first.domain, user.jid, "still"))
    user.wait_message("still")


def test_second_host_of_ours_on_a_stream(wild):
    server = wild.server()
    o = wild.origin(server.domain).secure()
    assert o.dialback().get("type") == "valid"
    assert o.dialback(to=wild.second).get("type") == "valid"
    o.send("<iq type='get' id='p' from=%r to=%r><ping xmlns='urn:xmpp:ping'/></iq>" % (server.domain, wild.second))
    assert server.got.get(timeout=20).get("from") == wild.second


@pytest.mark.parametrize("kind", ["result", "verify"])
@pytest.mark.parametrize("missing", ["from", "to"])
def test_dialback_without_names(wild, kind, missing):
    o = wild.origin().secure()
    o.send(element(kind, o.name, o.host, "key", id="x").replace(" %s=" % missing, " no="))
    o.ended_by("improper-addressing")


def test_answer_that_nobody_asked_for(wild):
    o = wild.origin().secure()
    o.send(element("result", o.name, o.host, type="valid"))
    o.ended_by("bad-format")


# --- certificates -----------------------------------------------------------------------------------------------------

SRV, ADDR = "otherName:1.3.6.1.5.5.7.8.7;IA5STRING:_xmpp-server.%s", "otherName:1.3.6.1.5.5.7.8.5;UTF8:%s"


@pytest.mark.parametrize("names", ["DNS:%s", "DNS:*.good.example.net", SRV, ADDR, "DNS:other.example.net,DNS:%s", "DNS:other.example.net," + ADDR])
def test_certificate_is_taken(wild, user, names):
    name = wild.fresh("good.example.net")
    o = wild.origin(name).proved(wild.certificate(name, names=names.replace("%s", name)))
    assert "mechanisms" not in o.offers()
    o.send(message("a@" + name, user.jid, "by certificate"))
    user.wait_message("by certificate")


BAD = {
    "self-signed": dict(self_signed=True),
    "expired": dict(days=-1),
    "another name": dict(names="DNS:other.example.net"),
    "the name above": dict(names="DNS:bad.example.net"),
    "wildcard above": dict(names="DNS:*.example.net"),
    "wildcard in part": dict(names="DNS:w*.bad.example.net"),
    "for clients": dict(names=SRV.replace("server", "client")),
    "an address with a user": dict(names=ADDR.replace("%s", "a@%s")),
}


@pytest.mark.parametrize("kind", sorted(BAD))
def test_certificate_is_not_taken(wild, kind):
    name = wild.fresh("bad.example.net")
    how = {k: v.replace("%s", name) if k == "names" else v for k, v in BAD[kind].items()}
    o = wild.origin(name).secure(wild.certificate(name, **how))
    assert "mechanisms" not in o.offers() and "dialback" in o.offers()
    answer = o.external()
    assert local(answer) == "failure" and answer.find("{%s}not-authorized" % NS_SASL) is not None


def test_no_certificate(wild):
    o = wild.origin().secure()
    assert "mechanisms" not in o.offers()
    for _ in range(3):
        assert local(o.external()) == "failure"
    o.closed()


@pytest.mark.parametrize("authzid", ["other.example.net", "a@%s", "sub.%s", "refusals.example.net"])
def test_certificate_for_another_authzid(wild, authzid):
    name = wild.fresh()
    o = wild.origin(name).secure(wild.certificate(name))
    answer = o.external(authzid.replace("%s", name))
    assert answer.find("{%s}invalid-authzid" % NS_SASL) is not None
    assert local(o.external(name)) == "success"


def test_other_mechanisms(wild):
    name = wild.fresh()
    o = wild.origin(name).secure(wild.certificate(name))
    o.send("<auth xmlns='%s' mechanism='PLAIN'>AGEAYg==</auth>" % NS_SASL)
    assert o.next().find("{%s}invalid-mechanism" % NS_SASL) is not None


def test_another_name_after_success(wild):
    """RFC 6120 section 4.7.1: the names of a stream do not change."""
    name = wild.fresh()
    o = wild.origin(name).secure(wild.certificate(name))
    assert local(o.external()) == "success"
    o.name = "other.example.net"
    o.reader = type(o.reader)()
    o.send(o.header())
    o.ended_by("invalid-from")


def test_certificate_spares_the_question(wild):
    """XEP-0344 section 2.4: dialback without an authoritative server, by certificate."""
    name = wild.fresh()
    o = wild.origin(name).secure(wild.certificate(name))
    assert o.dialback().get("type") == "valid"


# --- TLS --------------------------------------------------------------------------------------------------------------


def test_nothing_but_starttls_in_clear(wild):
    o = wild.origin()
    o.open()
    assert o.offers() == ["starttls"]
    assert o.features[0].find("{%s}required" % NS_TLS) is not None


@pytest.mark.parametrize("what,condition", [("stanza", "not-authorized"), ("result", "policy-violation"), ("verify", "policy-violation"),
                                            ("auth", "not-authorized"), ("enable", None)])
def test_in_clear(wild, what, condition):
    o = wild.origin()
    o.open()
    o.send({"stanza": message("a@" + o.name, "b@" + o.host, HOPE), "auth": "<auth xmlns='%s' mechanism='EXTERNAL'>=</auth>" % NS_SASL,
            "enable": "<enable xmlns='%s'/>" % NS_SM}.get(what) or element(what, o.name, o.host, "key", id="x"))
    if condition:
        o.ended_by(condition)
    else:
        assert local(o.next()) == "failed"


def test_starttls_twice(wild):
    o = wild.origin().secure()
    o.send("<starttls xmlns='%s'/>" % NS_TLS)
    assert local(o.next()) == "failure"
    o.closed()


def test_bytes_behind_starttls(wild, user):
    """RFC 6120 section 5.4.3.3: what is behind it in clear is not for the stream within TLS."""
    o = wild.origin()
    o.open()
    o.send("<starttls xmlns='%s'/>" % NS_TLS + o.header() + message("a@" + o.name, user.jid, HOPE))
    assert local(o.next()) == "proceed"
    o.closed()
    silent(user)


# --- policies ---------------------------------------------------------------------------------------------------------


def test_denied_domain(wild, user):
    name = wild.fresh("denied.example.net")
    o = wild.origin(name)
    o.send(o.header())
    o.ended_by("policy-violation")
    o = wild.origin().secure()
    assert db_error(o.dialback(sender=name)) == "policy-violation"
    user.message("a@" + name, "no")
    error = user.wait(lambda e: e.get("type") == "error")
    assert "policy-violation" in [local(c) for c in error.iter()]


def test_dialback_where_a_certificate_is_wanted(wild):
    server = wild.server(wild.fresh("strict.example.net"))
    o = wild.origin(server.domain).secure()
    assert db_error(o.dialback()) == "policy-violation"
    assert server.connections == 0
    wild.origin(server.domain).proved(wild.certificate(server.domain))


def test_allow_list(wild, user):
    good, bad = wild.fresh(), wild.fresh()
    wild.starling.flock.configure({"services": {"s2s": {"allow": [good]}}})
    wild.starling.flock.ctl("reload", "s2s")
    try:
        o = wild.origin(bad)
        o.send(o.header())
        o.ended_by("policy-violation")
        Origin.proved(wild.origin(good), wild.certificate(good))
    finally:
        wild.starling.flock.configure({"services": {"s2s": {"allow": []}}})
        wild.starling.flock.ctl("reload", "s2s")
