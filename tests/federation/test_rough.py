# SPDX-License-Identifier: Apache-2.0
"""Streams from other servers that are broken, too long, or cut off; their acknowledgements; and the keys that we verify."""
import hashlib
import hmac
import os

import pytest

from raw import DIALBACK_OFFER, NS_SM, element, message
from xmpp import NS_STREAM, Closed, StreamError, local, q


@pytest.fixture
def user(wild, users):
    return users.login(wild.starling)


@pytest.fixture
def proved(wild):
    name = wild.fresh()
    return wild.origin(name).proved(wild.certificate(name))


def alive(wild, user):
    """It still takes stanzas, and what came before has not arrived."""
    name = wild.fresh()
    wild.origin(name).proved(wild.certificate(name)).send(message("a@" + name, user.jid, "alive"))
    assert user.wait_message().findtext("{jabber:client}body") == "alive"


# --- headers ----------------------------------------------------------------------------------------------------------

HEADERS = {
    "to another host": (dict(to="nowhere.example.net"), "host-unknown"),
    "from no domain": (dict({"from": "a b"}), "improper-addressing"),
    "version 0": (dict(version="0.9"), "unsupported-version"),
    "no version": (dict(version=""), "unsupported-version"),
}


@pytest.mark.parametrize("kind", sorted(HEADERS))
def test_bad_header(wild, kind):
    attributes, condition = HEADERS[kind]
    o = wild.origin()
    o.send(o.header(**attributes))
    o.ended_by(condition)


@pytest.mark.parametrize("was,now,condition", [("jabber:server'", "jabber:client'", "invalid-namespace"), (NS_STREAM, "urn:other", "invalid-namespace"),
                                               ("stream:stream", "stream:other", "bad-format")])
def test_header_of_another_kind(wild, was, now, condition):
    o = wild.origin()
    o.send(o.header().replace(was, now))
    o.ended_by(condition)


def test_header_without_names(wild):
    """Dialback has names of its own (XEP-0220 section 2.1.1): the header need not."""
    server = wild.server()
    o = wild.origin(server.domain)
    name, o.name = o.name, None
    o.secure()
    assert o.dialback(sender=name).get("type") == "valid"


@pytest.mark.parametrize("early", [True, False])
def test_second_header(wild, user, early):
    name = wild.fresh()
    o = wild.origin(name)
    if early:
        o.open()
    else:
        o.proved(wild.certificate(name))
    o.send(o.header().replace("<?xml version='1.0'?>", "") + "</stream:stream>")  # to the parser an element like others
    o.ended_by("unsupported-stanza-type")
    alive(wild, user)


def test_silence(wild):
    o = wild.origin()
    o.ended_by("connection-timeout")


def test_early_for_ever(wild):
    """Elements that prove nothing keep no stream open."""
    o = wild.origin().secure()
    with pytest.raises((Closed, StreamError, OSError)):
        while True:
            o.send(element("verify", o.name, o.host, "key", id="x"))
            assert local(o.next()) == "verify"


# --- bytes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET / HTTP/1.1\r\n\r\n", b"\0" * 100, b"<a><b></a>", b"\xff\xfe<\0",
                                     os.urandom(300) + b"<", b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY e 'e'>]><x>&e;</x>", b"</stream:stream>"])
def test_garbage_first(wild, user, garbage):
    o = wild.origin()
    o.sock.sendall(garbage)
    with pytest.raises((StreamError, Closed)):
        while True:
            o.next()
    alive(wild, user)


BAD_XML = {
    "not well-formed": ("<message><body></message>", "not-well-formed"),
    "a comment": ("<!-- x -->", "restricted-xml"),
    "an entity": ("<message><body>&e;</body></message>", "restricted-xml"),
    "a prefix that is not bound": ("<message><x:y/></message>", "not-well-formed"),
    "text between stanzas": ("hello<message/>", "bad-format"),
    "an unknown element": ("<x xmlns='urn:x'/>", "unsupported-stanza-type"),
    "a stanza of clients": ("<message xmlns='jabber:client'/>", "unsupported-stanza-type"),
    "depth": ("<message>" + "<x>" * 100, "policy-violation"),
    "attributes": ("<message %s>" % " ".join("a%d=''" % i for i in range(200)), "policy-violation"),
    "length": ("<message><body>" + "x" * 600000, "policy-violation"),
}


@pytest.mark.parametrize("kind", sorted(BAD_XML))
def test_bad_xml_after_proof(wild, user, proved, kind):
    text, condition = BAD_XML[kind]
    proved.send(text.replace("<message>", "<message from='a@%s' to='%s'>" % (proved.name, user.jid)))
    proved.ended_by(condition)
    alive(wild, user)


@pytest.mark.parametrize("secure", [False, True])
def test_too_long_before_proof(wild, secure):
    """Many times shorter than what is allowed afterwards."""
    o = wild.origin()
    if secure:
        o.secure()
    else:
        o.open()
    o.send("<db:result from='%s' to='%s'>" % (o.name, o.host) + "k" * 5000)
    o.ended_by("policy-violation")


def test_long_after_proof(wild, user, proved):
    proved.send(message("a@" + proved.name, user.jid, "y" * 100000))
    assert len(user.wait_message().findtext("{jabber:client}body")) == 100000


@pytest.mark.parametrize("how", ["closed", "reset"])
def test_cut_in_the_middle(wild, user, proved, how):
    proved.send(message("a@" + proved.name, user.jid, "whole") + message("a@" + proved.name, user.jid, "half")[:-3])
    user.wait_message("whole")
    if how == "reset":
        proved.sock.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER
    proved.abort()
    alive(wild, user)


def test_stanza_byte_by_byte(wild, user, proved):
    for c in message("a@" + proved.name, user.jid, "slow"):
        proved.send(c)
    user.wait_message("slow")


# --- stream management (XEP-0198) -------------------------------------------------------------------------------------


def failed(o):
    """The condition in a refusal of enable or resume."""
    e = o.next()
    assert e.tag == q(NS_SM, "failed"), e.tag
    return local(e[0])


@pytest.mark.parametrize("what", ["<enable xmlns='%s'/>", "<resume xmlns='%s' previd='x' h='0'/>"])
def test_managed_before_proof(wild, what):
    o = wild.origin().secure()
    o.send(what % NS_SM)
    assert failed(o) == "unexpected-request"


@pytest.mark.parametrize("what", ["<r xmlns='%s'/>", "<a xmlns='%s' h='0'/>"])
def test_not_enabled(wild, proved, what):
    proved.send(what % NS_SM)
    proved.ended_by("unsupported-stanza-type")


def test_enable_twice(wild, proved):
    """Section 3: only one attempt."""
    proved.send("<enable xmlns='%s'/><enable xmlns='%s'/>" % (NS_SM, NS_SM))
    assert local(proved.next()) == "enabled"
    assert failed(proved) == "unexpected-request"
    proved.ended_by("policy-violation")


def test_resume_is_not_there(wild, user, proved):
    """Sections 3 and 5: neither offered nor done, and the stream goes on."""
    proved.send("<resume xmlns='%s' previd='x' h='0'/>" % NS_SM)
    assert failed(proved) == "feature-not-implemented"
    proved.send("<enable xmlns='%s' resume='true' max='300'/>" % NS_SM)
    enabled = proved.next()
    assert local(enabled) == "enabled" and not enabled.attrib
    proved.send("<resume xmlns='%s' previd='x' h='0'/>" % NS_SM)
    assert failed(proved) == "unexpected-request"
    proved.send(message("a@" + proved.name, user.jid, "after all") + "<r xmlns='%s'/>" % NS_SM)
    user.wait_message("after all")
    count(proved, 1)


def count(o, h):
    while o.wait_named("a").get("h") != str(h):
        pass


def test_h_counts(wild, user, proved):
    proved.send("<enable xmlns='%s'/>" % NS_SM)
    proved.wait_named("enabled")
    proved.send("<r xmlns='%s'/>" % NS_SM)
    count(proved, 0)
    for i in range(1, 4):
        proved.send(message("a@" + proved.name, user.jid, "n%d" % i))
    proved.send("<r xmlns='%s'/>" % NS_SM)
    count(proved, 3)
    user.wait_message("n3")
    proved.send("<presence from='a@%s' to='nobody@%s'/><r xmlns='%s'/>" % (proved.name, wild.starling.domain, NS_SM))
    count(proved, 4)


def test_unasked_acknowledgement(wild, user, proved):
    """Section 4: at any time, and before an end; also from a server to which we send nothing on this stream."""
    proved.send("<enable xmlns='%s'/>" % NS_SM)
    proved.wait_named("enabled")
    proved.send("<a xmlns='%s' h='0'/>" % NS_SM + message("a@" + proved.name, user.jid, "still there"))
    user.wait_message("still there")
    proved.send("<a xmlns='%s' h='x'/>" % NS_SM)
    proved.ended_by("bad-format")


def test_last_acknowledgement(wild, user, proved):
    """Section 4: we say what we have before we end a stream in good order."""
    proved.send("<enable xmlns='%s'/>" % NS_SM + message("a@" + proved.name, user.jid, "counted"))
    proved.wait_named("enabled")
    user.wait_message("counted")
    proved.send("<r xmlns='%s'/>" % NS_SM)
    count(proved, 1)
    wild.starling.flock.ctl("s2s", "close", proved.name)
    assert proved.next().get("h") == "1"
    proved.closed()


def both_ways(wild):
    """A stream that carries both directions (XEP-0288): then what we send is counted, too."""
    name = wild.fresh()
    o = wild.origin(name).secure(wild.certificate(name))
    o.send("<bidi xmlns='urn:xmpp:bidi'/>")
    assert local(o.external()) == "success"
    o.open()
    o.send("<enable xmlns='%s'/>" % NS_SM)
    o.wait_named("enabled")
    return o


def test_both_ways(wild, user):
    o = both_ways(wild)
    user.message("a@" + o.name, "over your stream")
    assert o.wait_named("message").get("from") == user.jid
    o.wait_named("r")
    o.send("<a xmlns='%s' h='1'/>" % NS_SM)
    o.send(message("a@" + o.name, user.jid, "thanks"))
    user.wait_message("thanks")


@pytest.mark.parametrize("h,condition", [("2", "undefined-condition"), ("4294967295", "undefined-condition"), ("-1", "bad-format"), ("x", "bad-format"),
                                         ("99999999999", "bad-format"), ("", "bad-format")])
def test_acknowledged_too_much(wild, user, h, condition):
    o = both_ways(wild)
    user.message("a@" + o.name, "once")
    o.wait_named("r")
    o.send("<a xmlns='%s' h='%s'/>" % (NS_SM, h))
    with pytest.raises(StreamError) as error:
        while True:
            o.next()
    assert error.value.condition == condition
    if condition == "undefined-condition":
        more = error.value.element.find("{%s}handled-count-too-high" % NS_SM)
        assert (more.get("h"), more.get("send-count")) == (h, "1")


# --- verifying keys (XEP-0220 section 2.1) ----------------------------------------------------------------------------


def test_key_of_ours(wild, users):
    """What we sent as a key we say to be valid; with one digit changed, for another id, or for another pair, not."""
    keys = []

    def result(stream, e):
        keys.append((e.text, e.get("from"), stream.own_id))
        server.result(stream, e)

    server = wild.server(offer=DIALBACK_OFFER, on={"result": result})
    users.login(wild.starling).message("a@" + server.domain, "hello")
    server.wait_message("hello")
    key, ours, stream_id = keys[0]
    o = wild.origin(server.domain).secure()

    def verify(text=key, number=stream_id, sender=server.domain, to=ours):
        o.send(element("verify", sender, to, text, id=number))
        answer = o.wait_named("verify")
        assert (answer.get("from"), answer.get("to"), answer.get("id")) == (to, sender, number)
        return answer.get("type")

    assert verify() == "valid"
    assert verify(text=("0" if key[0] != "0" else "1") + key[1:]) == "invalid"
    assert verify(text="") == verify(text=key + "0") == verify(text=key[:-1]) == "invalid"
    assert verify(number="other") == verify(sender="other.example.net") == verify(to=wild.second) == "invalid"
    assert verify(to="nowhere.example.net") == "error"


def test_key_that_anybody_can_compute(wild):
    """With no secret, or the empty one (XEP-0185)."""
    o = wild.origin().secure()
    for secret in (b"", b"s3cr3tf0rd14lb4ck", b"\0" * 32):
        key = hmac.new(hashlib.sha256(secret).hexdigest().encode(), ("%s %s %s" % (o.name, o.host, "id1")).encode(), "sha256").hexdigest()
        o.send(element("verify", o.name, o.host, key, id="id1"))
        assert o.wait_named("verify").get("type") == "invalid"
