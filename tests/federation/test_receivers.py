# SPDX-License-Identifier: Apache-2.0
"""Servers that we go to, and that do not do what they should: nothing is lost, nothing hangs, and the sender is told in time."""
import socket
import time

import pytest

from raw import DIALBACK_OFFER, EXTERNAL_OFFER, NS_SM, element
from xmpp import NS_SASL, NS_TLS, Closed, error_of, local

PING = "<ping xmlns='urn:xmpp:ping'/>"


def no_answer(stream, e):
    """Says nothing."""


def hang_up(stream, e):
    raise Closed()


def never_mind_tls(stream, e):
    """Agrees to TLS, and then does not begin with it."""
    stream.send("<proceed xmlns='%s'/>" % NS_TLS)
    while stream.sock.recv(4096):
        pass
    raise Closed()


@pytest.fixture
def user(wild, users):
    return users.login(wild.starling)


def kept_until_mended(wild, user, server, seconds=10):
    """An iq comes back in time; a message waits, and is delivered once the server is well."""
    user.message("a@" + server.domain, "patience")
    assert error_of(user.iq("get", PING, to="a@" + server.domain, timeout=seconds)) == ("remote-server-timeout", "wait")
    user.nothing(lambda e: local(e) == "message")
    server.mend()
    assert server.wait_message("patience").get("from") == user.jid


# --- no stream comes about --------------------------------------------------------------------------------------------

SICK = {
    "no TLS": dict(early=DIALBACK_OFFER),
    "refuses TLS": dict(on={"starttls": lambda stream, e: stream.send("<failure xmlns='%s'/></stream:stream>" % NS_TLS)}),
    "TLS handshake of rubbish": dict(on={"starttls": lambda stream, e: stream.send("<proceed xmlns='%s'/>no handshake at all" % NS_TLS)}),
    "no TLS handshake": dict(on={"starttls": never_mind_tls}),
    "no header": dict(on={"header": no_answer}),
    "no features": dict(on={"header": lambda stream, h: stream.send(stream.header(id="x"))}),
    "another version": dict(on={"header": lambda stream, h: stream.send(stream.header(id="x", version="0.9"))}),
    "of clients": dict(on={"header": lambda stream, h: stream.send(stream.header(id="x").replace("jabber:server", "jabber:client"))}),
    "no answer to a key": dict(offer=DIALBACK_OFFER, on={"result": no_answer}),
    "a key is not valid": dict(offer=DIALBACK_OFFER, on={"result": lambda s, e: s.send(element("result", e.get("to"), e.get("from"), type="invalid"))}),
    "a key of another": dict(offer=DIALBACK_OFFER, on={"result": lambda s, e: s.send(element("result", "x.example.net", e.get("from"), type="valid"))}),
    "no answer to EXTERNAL": dict(on={"auth": no_answer}),
    "neither of both": dict(offer=EXTERNAL_OFFER, on={"auth": lambda s, e: s.send("<failure xmlns='%s'><not-authorized/></failure>" % NS_SASL)}),
    "no answer to enable": dict(on={"enable": no_answer}),
    "closes at auth": dict(on={"auth": hang_up}),
    "closes at the header": dict(on={"header": hang_up}),
    "stream error": dict(on={"header": lambda s, h: s.send(s.header(id="x") + "<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
                                                                            "</stream:error></stream:stream>")}),
    "garbage": dict(on={"header": lambda stream, h: stream.send("<<<>>>")}),
    "too long": dict(on={"header": lambda stream, h: stream.send(stream.header(id="x") + "<stream:features>" + "<x/>" * 200000)}),
}


@pytest.mark.parametrize("kind", sorted(SICK))
def test_sick_server(wild, user, kind):
    kept_until_mended(wild, user, wild.server(**SICK[kind]))


def test_server_is_down(wild, user):
    server = wild.server()
    server.listener.close()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        server.move(closed.getsockname()[1])
    user.message("a@" + server.domain, "patience")
    assert error_of(user.iq("get", PING, to=server.domain, timeout=10)) == ("remote-server-timeout", "wait")
    assert error_of(user.iq("get", PING, to=server.domain, timeout=10)) == ("remote-server-timeout", "wait")


@pytest.mark.parametrize("kind", ["unknown", "no service"])
def test_no_such_server(wild, user, kind):
    name = wild.fresh()
    if kind == "no service":
        wild.dns.records[("_xmpp-server._tcp." + name, "SRV")] = [(0, 0, 0, "")]
    assert error_of(user.iq("get", PING, to=name, timeout=10)) == ("remote-server-not-found", "cancel")
    user.message("a@" + name, "nowhere")
    assert error_of(user.wait(lambda e: local(e) == "message", timeout=10)) == ("remote-server-not-found", "cancel")


def test_name_server_fails(wild, user):
    """That says nothing of whether there is such a server."""
    name = wild.fresh()
    wild.dns.manners["_xmpp-server._tcp." + name] = "servfail"
    assert error_of(user.iq("get", PING, to=name, timeout=15)) == ("remote-server-timeout", "wait")


# --- certificates -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [dict(names="DNS:other.example.net"), dict(self_signed=True), dict(days=-1)])
def test_certificate_is_wanted(wild, user, how):
    name = wild.fresh("strict.example.net")
    server = wild.server(name, certificate=wild.certificate(name, **how))
    user.message("a@" + name, "patience")
    assert error_of(user.iq("get", PING, to=name, timeout=10)) == ("remote-server-timeout", "wait")
    assert server.errors.get(timeout=5) == "policy-violation"
    assert server.got.empty()
    server.certificate = wild.certificate(name)
    server.wait_message("patience")


def test_certificate_is_not_wanted(wild, user):
    name = wild.fresh()
    server = wild.server(name, certificate=wild.certificate(name, self_signed=True), offer=DIALBACK_OFFER)
    user.message("a@" + name, "by dialback")
    server.wait_message("by dialback")


def test_external_fails_and_dialback_works(wild, user):
    server = wild.server(on={"auth": lambda s, e: s.send("<failure xmlns='%s'><not-authorized/></failure>" % NS_SASL)})
    user.message("a@" + server.domain, "by the other way")
    server.wait_message("by the other way")
    assert server.connections == 1


# --- streams that were open -------------------------------------------------------------------------------------------


def opened(wild, user, **how):
    server = wild.server(**how)
    user.message("a@" + server.domain, "first")
    server.wait_message("first")
    return server


def test_acknowledges_too_much(wild, user):
    server = opened(wild, user)
    server.streams[-1].send("<a xmlns='%s' h='7'/>" % NS_SM)
    assert server.errors.get(timeout=10) == "undefined-condition"
    user.message("a@" + server.domain, "again")
    server.wait_message("again")


def test_acknowledges_nothing(wild, user):
    """The stream is given up, and what it carried goes over the next; once it is acknowledged there, it does not come again."""
    server = wild.server(on={"r": no_answer})
    user.message("a@" + server.domain, "not heard")
    server.wait_message("not heard")
    assert server.errors.get(timeout=15) == "connection-timeout"
    server.mend()
    server.wait_message("not heard")
    user.message("a@" + server.domain, "next")
    assert server.wait_message("next")


def test_acknowledges_later(wild, user):
    """An answer that brings nothing new is no reason to ask again at once."""
    server = wild.server(on={"r": lambda stream, e: (server.got.put(e), stream.send("<a xmlns='%s' h='0'/>" % NS_SM))})
    user.message("a@" + server.domain, "first")
    server.wait_message("first")
    times = []
    while len(times) < 3:
        assert local(server.got.get(timeout=20)) == "r"
        times.append(time.monotonic())
    assert times[2] - times[0] > 0.8  # the second and the third come with looks that are a second apart


def test_closes_in_the_middle(wild, user):
    """What was not acknowledged comes again, in order."""
    server = wild.server(on={"r": no_answer})
    for i in range(10):
        user.message("a@" + server.domain, "m%d" % i)
    server.wait_message("m9")
    server.mend()
    server.streams[-1].cut()
    bodies = []
    while len(bodies) < 10:
        bodies.append(server.got.get(timeout=20).findtext("{jabber:server}body"))
    assert bodies == ["m%d" % i for i in range(10)]


def test_closes_in_order(wild, user):
    server = opened(wild, user)
    first = server.streams[-1]
    first.send("</stream:stream>")
    deadline = time.monotonic() + 10
    while not first.reader.ended and time.monotonic() < deadline:
        time.sleep(0.01)
    user.message("a@" + server.domain, "over a new one")
    server.wait_message("over a new one")
    assert server.connections == 2


def test_without_stream_management(wild, user):
    """It is there when a ping behind it is answered; before, it is in the store."""
    server = wild.server(offer=EXTERNAL_OFFER + DIALBACK_OFFER)
    user.message("a@" + server.domain, "first")
    server.wait_message("first")
    ping = server.got.get(timeout=10)
    assert local(ping) == "iq" and ping.find("{urn:xmpp:ping}ping") is not None
    user.send("<iq type='get' id='q' to='%s'>%s</iq>" % (server.domain, PING))  # what is not stored goes, too, and holds up nothing
    assert server.got.get(timeout=10).get("from") == user.jid
    user.message("a@" + server.domain, "last")
    server.wait_message("last")


def test_speaks_on_our_stream(wild, user):
    """It was we who asked: without an agreement on both directions it may not."""
    server = opened(wild, user)
    server.streams[-1].send("<message from='a@%s' to='%s'><body>x</body></message>" % (server.domain, user.jid))
    assert server.errors.get(timeout=10) == "not-authorized"
    user.nothing(lambda e: local(e) == "message")


@pytest.mark.parametrize("sent", ["<starttls xmlns='%s'/>" % NS_TLS, "<auth xmlns='%s' mechanism='EXTERNAL'>=</auth>" % NS_SASL, "<proceed xmlns='%s'/>" % NS_TLS,
                                  "<success xmlns='%s'/>" % NS_SASL, "<enabled xmlns='%s'/>" % NS_SM, "<stream:features/>", "<x xmlns='urn:x'/>"])
def test_says_what_has_no_meaning(wild, user, sent):
    server = opened(wild, user)
    server.streams[-1].send(sent)
    assert server.errors.get(timeout=10) == "unsupported-stanza-type"
    user.message("a@" + server.domain, "and yet")
    server.wait_message("and yet")


def test_hanging_server_holds_nobody_up(wild, user):
    sick, well = wild.server(on={"header": no_answer}), wild.server()
    user.message("a@" + sick.domain, "waits")
    began = time.monotonic()
    for i in range(20):
        user.message("a@" + well.domain, "goes %d" % i)
    server = well.wait_message("goes 19")
    assert server.get("from") == user.jid and time.monotonic() - began < 5
