# SPDX-License-Identifier: Apache-2.0
"""The small extensions: XEP-0030, 0092, 0199, 0202, 0012, 0049, 0054, 0077, 0138, 0359."""
import re
import time
import zlib

import pytest

from test_sm import NS_SM
from xmpp import NS_CLIENT, Client, Closed, StreamError, befriend, error_of, local, q

DISCO_INFO = "http://jabber.org/protocol/disco#info"
DISCO_ITEMS = "http://jabber.org/protocol/disco#items"
REGISTER = "jabber:iq:register"


@pytest.fixture
def pair(flock, account):
    users = account(), account()
    clients = [Client(flock).login(u.name, u.password).online() for u in users]
    for c, u in zip(clients, users):
        c.user = u
        c.roster()
    yield clients
    for c in clients:
        c.close()


def features(c, to):
    return {f.get("var") for f in c.iq("get", "<query xmlns='%s'/>" % DISCO_INFO, to=to).find(q(DISCO_INFO, "query")) if local(f) == "feature"}


def test_disco_of_the_host(pair):
    a, _ = pair
    query = a.iq("get", "<query xmlns='%s'/>" % DISCO_INFO, to=a.host).find(q(DISCO_INFO, "query"))
    identity = query.find(q(DISCO_INFO, "identity"))
    assert (identity.get("category"), identity.get("type")) == ("server", "im")
    assert {DISCO_INFO, DISCO_ITEMS, "urn:xmpp:ping", "jabber:iq:version", "urn:xmpp:time", "jabber:iq:last", "vcard-temp", "jabber:iq:roster", "msgoffline"} <= features(a, a.host)
    assert a.iq("get", "<query xmlns='%s'/>" % DISCO_ITEMS, to=a.host).get("type") == "result"


def test_disco_of_an_account(pair):
    a, b = pair
    query = a.iq("get", "<query xmlns='%s'/>" % DISCO_INFO).find(q(DISCO_INFO, "query"))
    identity = query.find(q(DISCO_INFO, "identity"))
    assert (identity.get("category"), identity.get("type")) == ("account", "registered")
    assert error_of(a.iq("get", "<query xmlns='%s'/>" % DISCO_INFO, to=b.bare))[0] in ("service-unavailable", "subscription-required")
    befriend(a, b)
    assert a.iq("get", "<query xmlns='%s'/>" % DISCO_INFO, to=b.bare).get("type") == "result"
    items = a.iq("get", "<query xmlns='%s'/>" % DISCO_ITEMS, to=b.bare).find(q(DISCO_ITEMS, "query"))
    assert items is not None


def test_disco_of_an_unknown_node(pair):
    a, _ = pair
    assert error_of(a.iq("get", "<query xmlns='%s' node='no-such-node'/>" % DISCO_INFO, to=a.host))[0] == "item-not-found"


def test_ping(pair):
    a, b = pair
    for to in (a.host, a.bare, None):
        assert a.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=to).get("type") == "result"


def test_version(pair):
    a, _ = pair
    query = a.iq("get", "<query xmlns='jabber:iq:version'/>", to=a.host).find("{jabber:iq:version}query")
    assert query.findtext("{jabber:iq:version}name") == "Starling"
    assert query.findtext("{jabber:iq:version}version")


def test_time(pair):
    a, _ = pair
    got = a.iq("get", "<time xmlns='urn:xmpp:time'/>", to=a.host).find("{urn:xmpp:time}time")
    assert re.fullmatch(r"[+-]\d\d:\d\d|Z", got.findtext("{urn:xmpp:time}tzo"))
    stamp = got.findtext("{urn:xmpp:time}utc")
    assert abs(time.mktime(time.strptime(stamp[:19], "%Y-%m-%dT%H:%M:%S")) - time.mktime(time.gmtime())) < 60


def test_uptime(pair):
    a, _ = pair
    assert int(a.iq("get", "<query xmlns='jabber:iq:last'/>", to=a.host).find("{jabber:iq:last}query").get("seconds")) >= 0


def test_last_activity(flock, pair):
    a, b = pair
    assert error_of(a.iq("get", "<query xmlns='jabber:iq:last'/>", to=b.bare))[0] in ("forbidden", "service-unavailable", "subscription-required")
    befriend(a, b)
    assert a.iq("get", "<query xmlns='jabber:iq:last'/>", to=b.bare).find("{jabber:iq:last}query").get("seconds") == "0"
    b.presence("<status>bye</status>", type="unavailable")
    a.wait_presence(b.bare, "unavailable")
    query = a.iq("get", "<query xmlns='jabber:iq:last'/>", to=b.bare).find("{jabber:iq:last}query")
    assert 0 <= int(query.get("seconds")) < 60 and query.text == "bye"


def test_private_xml(flock, pair):
    a, b = pair
    empty = a.iq("get", "<query xmlns='jabber:iq:private'><x xmlns='urn:mine'/></query>").find("{jabber:iq:private}query")
    assert len(empty) == 1 and empty[0].tag == "{urn:mine}x" and len(empty[0]) == 0
    stored = "<x xmlns='urn:mine' a='1'><y>text &amp; more</y></x>"
    assert a.iq("set", "<query xmlns='jabber:iq:private'>%s</query>" % stored).get("type") == "result"
    got = a.iq("get", "<query xmlns='jabber:iq:private'><x xmlns='urn:mine'/></query>").find("{jabber:iq:private}query")[0]
    assert got.get("a") == "1" and got.findtext("{urn:mine}y") == "text & more"
    assert error_of(b.iq("get", "<query xmlns='jabber:iq:private'><x xmlns='urn:mine'/></query>", to=a.bare))[0] in ("forbidden", "service-unavailable")
    assert error_of(a.iq("get", "<query xmlns='jabber:iq:private'/>"))[0] in ("bad-request", "not-acceptable")
    assert error_of(a.iq("set", "<query xmlns='jabber:iq:private'><x xmlns='jabber:client'/></query>"))[0] in ("bad-request", "not-acceptable")


def test_vcard(pair):
    a, b = pair
    assert a.iq("get", "<vCard xmlns='vcard-temp'/>").get("type") in ("result", "error")
    assert a.iq("set", "<vCard xmlns='vcard-temp'><FN>Juliet</FN><NICKNAME>J</NICKNAME></vCard>").get("type") == "result"
    for c, to in ((a, None), (b, a.bare)):
        assert c.iq("get", "<vCard xmlns='vcard-temp'/>", to=to).find("{vcard-temp}vCard").findtext("{vcard-temp}FN") == "Juliet"
    assert error_of(b.iq("set", "<vCard xmlns='vcard-temp'><FN>Evil</FN></vCard>", to=a.bare))[0] in ("forbidden", "not-allowed", "service-unavailable")
    assert b.iq("get", "<vCard xmlns='vcard-temp'/>", to="nobody-there@" + a.host).get("type") == "error"


# --- registration ---------------------------------------------------------------------------------------------------------

def test_registration_in_band(flock):
    """The second host of the test flock allows it."""
    host = flock.hosts[1]
    c = Client(flock, host=host).secure()
    assert c.features.find("{http://jabber.org/features/iq-register}register") is not None
    form = c.iq("get", "<query xmlns='%s'/>" % REGISTER, to=host).find(q(REGISTER, "query"))
    assert form.find(q(REGISTER, "username")) is not None and form.find(q(REGISTER, "password")) is not None
    name = "new%d" % time.time_ns()
    fields = "<query xmlns='%s'><username>%s</username><password>%s</password></query>"
    assert c.iq("set", fields % (REGISTER, name, "correct horse")).get("type") == "result"
    answer = c.sasl("SCRAM-SHA-256", name, "correct horse")
    assert local(answer) == "success"
    c.open()
    c.bind()
    registered = c.iq("get", "<query xmlns='%s'/>" % REGISTER).find(q(REGISTER, "query"))
    assert registered.find(q(REGISTER, "registered")) is not None
    again = Client(flock, host=host).secure()
    assert error_of(again.iq("set", fields % (REGISTER, name, "other password")))[0] == "conflict"
    assert error_of(again.iq("set", "<query xmlns='%s'><username>x</username></query>" % REGISTER))[0] in ("not-acceptable", "bad-request")
    assert error_of(again.iq("set", fields % (REGISTER, "a b", "long enough")))[0] in ("not-acceptable", "jid-malformed", "bad-request")
    again.close()

    # A new password: the old one is refused, the new one is not.
    assert c.iq("set", fields % (REGISTER, name, "battery staple")).get("type") == "result"
    d = Client(flock, host=host).secure()
    assert local(d.sasl("SCRAM-SHA-256", name, "correct horse")) == "failure"
    d.close()
    d = Client(flock, host=host).login(name, "battery staple")
    # Somebody else's password cannot be set.
    assert error_of(d.iq("set", fields % (REGISTER, "somebody", "password 123")))[0] in ("forbidden", "not-allowed", "bad-request", "not-acceptable")

    # Removal ends the account and its sessions.
    c.send("<iq type='set' id='rm'><query xmlns='%s'><remove/></query></iq>" % REGISTER)
    try:
        while True:
            element = c.next()
            if element.get("id") == "rm":
                assert element.get("type") == "result"
    except StreamError as error:
        assert error.condition == "not-authorized"
    with pytest.raises((StreamError, Closed)):
        while True:
            d.next()
    e = Client(flock, host=host).secure()
    assert local(e.sasl("SCRAM-SHA-256", name, "battery staple")) == "failure"
    e.close()


def test_registration_is_off_by_default(flock):
    c = Client(flock).secure()
    assert c.features.find("{http://jabber.org/features/iq-register}register") is None
    answer = None
    try:
        answer = c.iq("set", "<query xmlns='%s'><username>sneaky</username><password>password</password></query>" % REGISTER)
        assert error_of(answer)[0] in ("not-allowed", "service-unavailable", "forbidden", "not-authorized")
    except StreamError as error:
        assert error.condition == "not-authorized"
    c = Client(flock).secure()
    assert local(c.sasl("SCRAM-SHA-256", "sneaky", "password")) == "failure"
    c.sock.close()


def test_an_operator_removes_an_account(flock, pair):
    """Its sessions end at once, its contacts are told, and nobody logs in to it any more."""
    a, b = pair
    befriend(a, b)
    flock.ctl("unregister", a.user.name, a.host)
    a.ended_by("not-authorized")
    b.wait_presence(a.bare, "unavailable")
    c = Client(flock).secure()
    assert local(c.sasl("SCRAM-SHA-256", a.user.name, a.user.password)) == "failure"
    c.sock.close()


# --- compression ----------------------------------------------------------------------------------------------------------

COMPRESS = "http://jabber.org/protocol/compress"


def authenticated(flock, user):
    c = Client(flock).secure()
    assert local(c.sasl("SCRAM-SHA-256", user.name, user.password)) == "success"
    c.open()
    return c


def compressed(flock, user):
    c = authenticated(flock, user)
    assert [m.text for m in c.features.iter(q("http://jabber.org/features/compress", "method"))] == ["zlib"]
    c.send("<compress xmlns='%s'><method>zlib</method></compress>" % COMPRESS)
    assert c.next().tag == q(COMPRESS, "compressed")
    c.deflate, c.inflate = zlib.compressobj(), zlib.decompressobj()
    c.open()
    return c


def test_compression(flock, account):
    user = account()
    c = compressed(flock, user)
    c.bind()
    c.online()
    for i in range(20):
        c.message(c.bare, "compressed %d " % i + "z" * 1000)
        c.wait_message("compressed %d " % i + "z" * 1000)
    c.close()


@pytest.mark.parametrize("body,failure", [("<method>lzw</method>", "unsupported-method"), ("", "setup-failed")])
def test_compression_refused(flock, account, body, failure):
    c = authenticated(flock, account())
    c.send("<compress xmlns='%s'>%s</compress>" % (COMPRESS, body))
    answer = c.next()
    assert answer.tag == q(COMPRESS, "failure") and local(answer[0]) == failure
    c.bind()  # the stream goes on uncompressed
    c.close()


def garbled(c):
    """XEP-0138 section 2: it is said, in what the other way is packed by, and the stream is over."""
    with pytest.raises(StreamError) as end:
        while True:
            c.next()
    assert end.value.condition == "undefined-condition"
    assert end.value.element.find(q(COMPRESS, "failure"))[0].tag == q(COMPRESS, "processing-failed")
    with pytest.raises(Closed):
        c.next()


def test_compressed_garbage(flock, account):
    """It is the stream that is over, not a session that can be resumed."""
    user = account()
    c = compressed(flock, user)
    c.bind()
    c.online()
    c.send("<enable xmlns='%s' resume='true'/>" % NS_SM)
    previd = c.wait(lambda e: e.tag == q(NS_SM, "enabled")).get("id")
    c.deflate = None
    c.send(b"\xff" * 100)
    garbled(c)
    c = authenticated(flock, user)
    c.send("<resume xmlns='%s' previd='%s' h='0'/>" % (NS_SM, previd))
    assert c.wait(lambda e: e.tag == q(NS_SM, "resumed")).get("previd") == previd
    c.close()


def test_compression_bomb(flock, account):
    c = compressed(flock, account())
    c.send("<message><body>" + "x" * 50_000_000)
    garbled(c)


def test_origin_id_travels(pair):
    a, b = pair
    a.message(b.jid, "with origin", extra="<origin-id xmlns='urn:xmpp:sid:0' id='de305d54'/>")
    assert b.wait_message("with origin").find("{urn:xmpp:sid:0}origin-id").get("id") == "de305d54"


def test_forged_stanza_id_is_removed(pair):
    """XEP-0359 section 5: a server must drop stanza-id elements that claim to be its own (by: the recipient's account)."""
    a, b = pair
    a.message(b.jid, "forged id", extra="<stanza-id xmlns='urn:xmpp:sid:0' id='evil' by='%s'/>" % b.bare)
    got = b.wait_message("forged id")
    assert all(e.get("id") != "evil" for e in got.iter("{urn:xmpp:sid:0}stanza-id"))
    assert got.findtext(q(NS_CLIENT, "body")) == "forged id"
