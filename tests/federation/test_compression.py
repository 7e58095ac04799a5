# SPDX-License-Identifier: Apache-2.0
"""Stream compression between servers (XEP-0138), where the operator wants it: offered to those who come, asked of those we go to, and what goes wrong."""
import time
import zlib

import pytest

from raw import DIALBACK_OFFER, EXTERNAL_OFFER, NS_SM, SM_OFFER, element, message
from test_receivers import kept_until_mended, no_answer
from xmpp import Closed, Reader, StreamError, local, q

SETTINGS = {"compression": True, "limits": {"read_rate": "1MiB", "read_burst": "1MiB"}}
COMPRESS = "http://jabber.org/protocol/compress"
OFFER = "<compression xmlns='http://jabber.org/features/compress'><method>lzw</method><method>zlib</method></compression>"
ASK = "<compress xmlns='%s'><method>zlib</method></compress>" % COMPRESS


@pytest.fixture
def user(wild, users):
    return users.login(wild.starling)


def by_certificate(wild):
    name = wild.fresh()
    return wild.origin(name).proved(wild.certificate(name))


def by_dialback(wild):
    server = wild.server()
    o = wild.origin(server.domain).secure()
    assert o.dialback().get("type") == "valid"
    return o


def begin(stream):
    """From now on both directions are zlib's, and the stream begins anew."""
    stream.deflate, stream.inflate = zlib.compressobj(), zlib.decompressobj()
    stream.reader = Reader()


def compressed(o):
    o.send(ASK)
    answer = o.next()
    assert answer.tag == q(COMPRESS, "compressed"), answer.tag
    begin(o)
    o.open()
    return o


def refused(o, asked=ASK):
    o.send(asked)
    answer = o.wait_named("failure")
    assert answer.tag == q(COMPRESS, "failure")
    return local(answer[0])


def arrives(o, user, text):
    o.send(message("a@" + o.name, user.jid, text))
    assert user.wait_message(text).get("from") == "a@" + o.name


# --- those who come to us ---------------------------------------------------------------------------------------------


def test_offered_over_tls_until_it_is_there(wild):
    name = wild.fresh()
    o = wild.origin(name)
    o.open()
    assert "compression" not in o.offers()
    o.abort()
    o = wild.origin(name).secure(wild.certificate(name))
    assert "compression" in o.offers()  # dialback brings no new features
    assert local(o.external()) == "success"
    o.open()
    assert [m.text for m in o.features.iter(q("http://jabber.org/features/compress", "method"))] == ["zlib"]
    compressed(o)
    assert "compression" not in o.offers() and "sm" in o.offers()


@pytest.mark.parametrize("proved", [by_certificate, by_dialback])
def test_stanzas_come_in(wild, user, proved):
    """What was proved stays proved, and counting begins on the new stream (XEP-0170: compression first)."""
    o = compressed(proved(wild))
    o.send("<enable xmlns='%s'/>" % NS_SM)
    o.wait_named("enabled")
    for i in range(5):
        arrives(o, user, "packed %d" % i)
    o.send("<r xmlns='%s'/>" % NS_SM)
    while o.wait_named("a").get("h") != "5":
        pass


def test_the_new_stream_in_the_same_packet(wild, user):
    o = by_certificate(wild)
    deflate = zlib.compressobj()
    text = o.header() + message("a@" + o.name, user.jid, "at once")
    o.send(ASK.encode() + deflate.compress(text.encode()) + deflate.flush(zlib.Z_SYNC_FLUSH))
    assert user.wait_message("at once").get("from") == "a@" + o.name


def test_both_ways(wild, user):
    """XEP-0288: what the flock has to say comes over the same stream; not before its features, and compressed with the rest."""
    name = wild.fresh()
    for kind in ("_xmpp-server._tcp.", "_xmpps-server._tcp."):
        wild.dns.manners[kind + name] = "silent"
    user.send("<iq type='get' id='early' to='%s'><ping xmlns='urn:xmpp:ping'/></iq>" % name)  # waits for a stream
    o = wild.origin(name).secure(wild.certificate(name))
    o.send("<bidi xmlns='urn:xmpp:bidi'/>")
    assert local(o.external()) == "success"
    o.open()
    assert o.wait_named("iq").get("id") == "early"
    ping = o.wait_named("iq")  # it asks whether that one has been read
    compressed(o)
    o.send("<iq type='result' id='%s' from='%s' to='%s'/>" % (ping.get("id"), name, o.host))
    user.message("a@" + name, "over your stream")
    assert o.wait_named("message").get("from") == user.jid
    arrives(o, user, "and over ours")


REFUSED = {
    "another method": ("<compress xmlns='%s'><method>lzw</method></compress>" % COMPRESS, "unsupported-method"),
    "no method": ("<compress xmlns='%s'/>" % COMPRESS, "setup-failed"),
    "a method of nobody": ("<compress xmlns='%s'><method xmlns='urn:x'>zlib</method></compress>" % COMPRESS, "setup-failed"),
}


@pytest.mark.parametrize("kind", sorted(REFUSED))
def test_refused_and_the_stream_goes_on(wild, user, kind):
    asked, condition = REFUSED[kind]
    o = by_certificate(wild)
    assert refused(o, asked) == condition
    arrives(o, user, "in clear")
    compressed(o)  # it may be tried again
    arrives(o, user, "packed")


def test_refused_before_proof(wild, user):
    o = wild.origin()
    o.open()
    assert refused(o) == "setup-failed"
    server = wild.server()
    o = wild.origin(server.domain).secure()
    assert refused(o) == "setup-failed"
    assert o.dialback().get("type") == "valid"
    arrives(compressed(o), user, "after proof")


def test_refused_while_a_key_is_verified(wild):
    """Its answer would come between the two streams."""
    o = by_dialback(wild)
    other = wild.server(on={"verify": no_answer})
    o.send(element("result", other.domain, o.host, "key"))
    assert refused(o) == "setup-failed"


def test_refused_once_stanzas_are_counted(wild, user):
    o = by_certificate(wild)
    o.send("<enable xmlns='%s'/>" % NS_SM)
    o.wait_named("enabled")
    assert refused(o) == "setup-failed"
    arrives(o, user, "as before")


def test_refused_twice(wild, user):
    o = compressed(by_certificate(wild))
    assert refused(o) == "setup-failed"
    arrives(o, user, "still packed")


# --- what a small input becomes ---------------------------------------------------------------------------------------


def test_text_of_one_letter(wild, user):
    """Packed by a factor of several hundred; it is a user's, not the server's, and must not end the stream for all."""
    o = compressed(by_certificate(wild))
    for i in range(4):
        arrives(o, user, "%d" % i + "y" * 100000)


def test_bomb(wild, user):
    o = compressed(by_certificate(wild))
    o.send(message("a@" + o.name, user.jid, "x" * 50_000_000))
    o.ended_by("policy-violation")
    user.nothing(lambda e: local(e) == "message")
    arrives(by_certificate(wild), user, "alive")


def test_nothing_in_large_amounts(wild, user):
    """Spaces between stanzas are no stanza that could be too long: the rate counts what comes out, and others are served meanwhile."""
    slow, other = compressed(by_certificate(wild)), by_certificate(wild)
    began = time.monotonic()
    slow.send(" " * 4_000_000 + message("a@" + slow.name, user.jid, "behind the spaces"))
    arrives(other, user, "quick")
    assert user.wait_message("behind the spaces").get("from") == "a@" + slow.name
    assert time.monotonic() - began > 1.5


def test_not_zlib(wild, user):
    o = compressed(by_certificate(wild))
    o.deflate = None
    o.send(b"\xff" * 100)
    with pytest.raises(StreamError) as end:
        o.next()
    assert end.value.condition == "undefined-condition"
    assert end.value.element.find(q(COMPRESS, "failure"))[0].tag == q(COMPRESS, "processing-failed")
    with pytest.raises(Closed):
        o.next()
    arrives(by_certificate(wild), user, "alive")


# --- those we go to ---------------------------------------------------------------------------------------------------


def agree(stream, e):
    assert [m.text for m in e] == ["zlib"]
    stream.send("<compressed xmlns='%s'/>" % COMPRESS)
    begin(stream)


def refuse(condition):
    return lambda stream, e: stream.send("<failure xmlns='%s'><%s/></failure>" % (COMPRESS, condition))


def link_to(wild, server):
    return wild.starling.links(server.domain)[0]


@pytest.mark.parametrize("proof", [EXTERNAL_OFFER, DIALBACK_OFFER])
def test_asked_for_where_it_is_offered(wild, user, proof):
    order = []

    def enable(stream, e):
        order.append("packed" if stream.inflate else "clear")
        server.enable(stream, e)

    server = wild.server(offer=proof + SM_OFFER + OFFER, on={"compress": agree, "enable": enable})
    for i in range(5):
        user.message("a@" + server.domain, "m%d" % i + "z" * 5000)
    for i in range(5):
        server.wait_message("m%d" % i + "z" * 5000)
    assert order == ["packed"] and server.connections == 1
    assert link_to(wild, server)["compressed"] is True and link_to(wild, server)["managed"] is True


@pytest.mark.parametrize("condition", ["setup-failed", "unsupported-method"])
def test_it_says_no(wild, user, condition):
    server = wild.server(offer=EXTERNAL_OFFER + SM_OFFER + OFFER, on={"compress": refuse(condition)})
    user.message("a@" + server.domain, "without")
    server.wait_message("without")
    assert server.connections == 1
    assert link_to(wild, server)["compressed"] is False and link_to(wild, server)["managed"] is True


def test_it_offers_something_else(wild, user):
    server = wild.server(offer=EXTERNAL_OFFER + SM_OFFER + OFFER.replace("zlib", "bzip2"), on={"compress": agree})
    user.message("a@" + server.domain, "without")
    server.wait_message("without")
    assert link_to(wild, server)["compressed"] is False


def behind_compressed(stream, data):
    """It agrees, and what it sends then is not packed; what it gets is."""
    stream.inflate, stream.reader = zlib.decompressobj(), Reader()
    stream.send(b"<compressed xmlns='%s'/>" % COMPRESS.encode() + data)


SICK = {"rubbish": lambda stream, e: behind_compressed(stream, b"\xff" * 64),
        "in clear": lambda stream, e: behind_compressed(stream, (stream.header(id="x") + "<stream:features/>").encode())}


@pytest.mark.parametrize("kind", sorted(SICK))
def test_sick_server(wild, user, kind):
    server = wild.server(offer=EXTERNAL_OFFER + OFFER, on={"compress": SICK[kind]})
    kept_until_mended(wild, user, server)
    assert server.errors.get(timeout=10) == "undefined-condition"


def test_silent_server(wild, user):
    kept_until_mended(wild, user, wild.server(offer=EXTERNAL_OFFER + OFFER, on={"compress": no_answer}))


@pytest.mark.parametrize("sent", ["<compressed xmlns='%s'/>", "<compress xmlns='%s'><method>zlib</method></compress>",
                                  "<failure xmlns='%s'><setup-failed/></failure>"])
def test_said_where_it_has_no_meaning(wild, user, sent):
    server = wild.server()
    user.message("a@" + server.domain, "first")
    server.wait_message("first")
    server.streams[-1].send(sent % COMPRESS)
    assert server.errors.get(timeout=10) == "unsupported-stanza-type"
    user.message("a@" + server.domain, "and yet")
    server.wait_message("and yet")


# --- the operator does not want it ------------------------------------------------------------------------------------


@pytest.fixture
def unwanted(wild):
    def set_to(value):
        wild.starling.flock.configure({"services": {"s2s": {"compression": value}}})
        wild.starling.flock.ctl("reload", "s2s")

    set_to(False)
    yield
    set_to(True)


def test_neither_offered_nor_asked_for(wild, user, unwanted):
    o = by_certificate(wild)
    assert "compression" not in o.offers()
    assert refused(o) == "setup-failed"
    arrives(o, user, "in clear")
    server = wild.server(offer=EXTERNAL_OFFER + SM_OFFER + OFFER, on={"compress": agree})
    user.message("a@" + server.domain, "without")
    server.wait_message("without")
    assert link_to(wild, server)["compressed"] is False
