# SPDX-License-Identifier: Apache-2.0
"""What no well-behaved client sends. Each gets the right error, and a bystander on the same edge notices nothing."""
import socket

import pytest

from xmpp import NS_BIND, Client, Closed, StreamError, error_of, local

pytestmark = pytest.mark.single  # what an edge reads, it reads alone


@pytest.fixture
def bystander(flock, account):
    user = account()
    c = Client(flock).login(user.name, user.password).online()
    yield c
    assert c.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=flock.host).get("type") == "result"
    c.close()


@pytest.fixture
def client(flock, account):
    user = account()
    c = Client(flock).login(user.name, user.password).online()
    yield c
    c.sock.close()


BOMB = "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>]>"


@pytest.mark.parametrize("data,conditions", [
    (b"<message><body>\xff\xfe</body></message>", ("not-well-formed", "bad-format", "invalid-xml", "unsupported-encoding")),
    (b"<message><body>\xc3</body></message>", ("not-well-formed", "bad-format", "invalid-xml")),
    (b"<message><body>\xed\xa0\x80</body></message>", ("not-well-formed", "bad-format", "invalid-xml")),
    (b"<message><body>\xc0\xaf</body></message>", ("not-well-formed", "bad-format", "invalid-xml")),
    (b"<message><body>\x01</body></message>", ("not-well-formed",)),
    (b"<message><body>&#0;</body></message>", ("not-well-formed",)),
    (b"<message><!-- comment --><body/></message>", ("restricted-xml",)),
    (b"<!-- comment -->", ("restricted-xml",)),
    (b"<?php evil ?>", ("restricted-xml",)),
    (b"<message><?pi x?></message>", ("restricted-xml",)),
    (b"<!DOCTYPE message>", ("restricted-xml", "not-well-formed")),
    (b"<message><body>&undefined;</body></message>", ("restricted-xml", "not-well-formed")),
    (b"<message><x:body/></message>", ("not-well-formed", "bad-namespace-prefix")),
    (b"<message></iq>", ("not-well-formed",)),
    (b"<message to='a' to='b'/>", ("not-well-formed",)),
    (b"<message to=a/>", ("not-well-formed",)),
    (b"<message xmlns='urn:other'/>", ("unsupported-stanza-type",)),
    (b"<message xmlns='jabber:server'/>", ("unsupported-stanza-type", "invalid-namespace")),
    (b"<unknown/>", ("unsupported-stanza-type",)),
    (b"text between stanzas", ("bad-format", "not-well-formed", "invalid-xml")),
    (b"<message><body><![CDATA[x]]></body>", None),
    (b"<" + b"a" * 400000 + b"/>", ("policy-violation",)),
    (b"<message>" + b"<a>" * 5000, ("policy-violation",)),
    (b"<message><body>" + b"x" * 3000000, ("policy-violation",)),
    (b"<message " + b" ".join(b"a%d='1'" % i for i in range(2000)) + b"/>", ("policy-violation",)),
    (b"<message to='" + b"x" * 2000000 + b"'/>", ("policy-violation",)),
    (BOMB.encode(), ("restricted-xml", "not-well-formed")),
], ids=lambda v: repr(v[:30]) if isinstance(v, bytes) else "")
def test_broken_xml(client, bystander, data, conditions):
    try:
        client.send(data)
    except (BrokenPipeError, ConnectionResetError):
        pass  # refused before all of it was sent
    if conditions is None:  # accepted: CDATA is text
        client.send(b"</message>")
        assert client.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=client.host).get("type") == "result"
        return
    with pytest.raises((StreamError, Closed)) as caught:
        while True:
            client.next()
    if caught.type is StreamError:
        assert caught.value.condition in conditions
    else:
        assert len(data) > 100000, "closed without a stream error"


def test_bomb_in_the_first_bytes(flock, bystander):
    c = Client(flock)
    c.send(BOMB + c.header())
    with pytest.raises(StreamError) as caught:
        c.next()
    assert caught.value.condition in ("restricted-xml", "not-well-formed")
    c.sock.close()


def test_wrong_encoding(flock):
    c = Client(flock)
    c.send(("<?xml version='1.0' encoding='utf-16'?>" + c.header()).encode())
    with pytest.raises(StreamError) as caught:
        c.next()
    assert caught.value.condition in ("unsupported-encoding", "not-well-formed")
    c.sock.close()


def test_utf16_bytes(flock):
    c = Client(flock)
    c.send(c.header().encode("utf-16"))
    with pytest.raises(StreamError):
        c.next()
    c.sock.close()


def test_forged_from(client, bystander):
    client.send("<message from='%s' to='%s'><body>I am you</body></message>" % (bystander.jid, bystander.jid))
    client.ended_by("invalid-from")
    bystander.nothing(lambda e: local(e) == "message")


def test_own_from_is_accepted(client, bystander):
    for sender in (client.jid, client.bare):
        client.send("<message from='%s' to='%s' type='chat' id='f'><body>it is me</body></message>" % (sender, bystander.jid))
        assert bystander.wait_message("it is me").get("from") == client.jid


@pytest.mark.parametrize("jid", ["@", "a@", "@b", "a@b@c/", "a b@example.org", "user@exa mple", "x" * 1100 + "@a", "a@" + "b" * 1100, "a@b/", "&lt;>@b"], ids=lambda v: v[:20])
def test_malformed_jid(client, bystander, jid):
    client.send("<message to='%s' id='j' type='chat'><body>x</body></message>" % jid)
    answer = client.wait(lambda e: e.get("id") == "j")
    assert error_of(answer) == ("jid-malformed", "modify")


def test_second_bind(client):
    answer = client.iq("set", "<bind xmlns='%s'><resource>two</resource></bind>" % NS_BIND)
    assert error_of(answer)[0] in ("not-allowed", "service-unavailable")


@pytest.mark.parametrize("iq,condition", [
    ("<iq type='get' id='x' to='{host}'/>", "bad-request"),
    ("<iq type='get' id='x' to='{host}'><a xmlns='urn:a'/><b xmlns='urn:b'/></iq>", "bad-request"),
    ("<iq type='nonsense' id='x' to='{host}'><a xmlns='urn:a'/></iq>", "bad-request"),
    ("<iq id='x' to='{host}'><a xmlns='urn:a'/></iq>", "bad-request"),
    ("<iq type='get' id='x' to='{host}'><a xmlns='urn:unknown'/></iq>", "service-unavailable"),
    ("<iq type='get' id='x'><a xmlns='urn:unknown'/></iq>", "service-unavailable"),
    ("<iq type='get' id='x' to='nobody@{host}'><a xmlns='urn:unknown'/></iq>", "service-unavailable"),
    ("<iq type='get' id='x' to='nobody@{host}/res'><a xmlns='urn:unknown'/></iq>", "service-unavailable"),
])
def test_bad_iq(client, iq, condition):
    client.send(iq.format(host=client.host))
    answer = client.wait(lambda e: e.get("id") == "x")
    assert error_of(answer)[0] == condition


def test_iq_without_id(client):
    client.send("<iq type='get' to='%s'><ping xmlns='urn:xmpp:ping'/></iq>" % client.host)
    try:
        answer = client.wait(lambda e: local(e) == "iq")
        assert error_of(answer)[0] == "bad-request"
    except StreamError as error:
        assert error.condition in ("bad-format", "invalid-xml")


def test_unknown_message_type_is_normal(client, bystander):
    """RFC 6121 section 5.2.2: an unknown type is treated as normal."""
    client.send("<message to='%s' type='wild' id='w'><body>wild</body></message>" % bystander.jid)
    try:
        assert bystander.wait_message("wild", timeout=5).get("type") in (None, "normal", "wild")
    except AssertionError:
        assert error_of(client.wait(lambda e: e.get("id") == "w"))[0] == "bad-request"


def test_unknown_presence_type(client):
    client.send("<presence type='wild' id='p'/>")
    assert error_of(client.wait(lambda e: e.get("id") == "p"))[0] == "bad-request"


def test_errors_are_never_answered(client):
    """RFC 6120 section 8.3.1: an error must not be answered with an error."""
    client.send("<iq type='error' id='e1' to='nobody@%s/x'/>" % client.host)
    client.send("<message type='error' id='e2' to='nobody@%s'/>" % client.host)
    client.send("<iq type='result' id='e3' to='nobody@%s/x'/>" % client.host)
    client.nothing(lambda e: e.get("id") in ("e1", "e2", "e3"))


def test_half_open_connections(flock, bystander):
    """Connections that say nothing, half of a header, or vanish in the middle of a stanza."""
    silent = [socket.create_connection(("127.0.0.1", flock.port)) for _ in range(20)]
    for i, s in enumerate(silent):
        if i % 2:
            s.sendall(b"<stream:stre")
    assert bystander.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=flock.host).get("type") == "result"
    for s in silent:
        s.close()


def test_vanishing_in_a_stanza(flock, account, bystander):
    user = account()
    c = Client(flock).login(user.name, user.password)
    c.send("<message to='%s'><body>cut o" % bystander.jid)
    c.abort()
    bystander.nothing(lambda e: local(e) == "message")


def test_unterminated_header_is_bounded(flock, bystander):
    c = Client(flock)
    with pytest.raises((StreamError, Closed, ConnectionError)):
        for _ in range(200):
            c.send(b"<stream:stream " + b"a" * 100000)
            c.receive(0.05) if c.reader.header is not None else None
        c.next()
    c.sock.close()
