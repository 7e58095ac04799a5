# SPDX-License-Identifier: Apache-2.0
"""What users of two servers see of each other: messages that wait, archives, copies, resumption, errors, presence, rosters, and questions."""
import os
import signal
import time

import pytest

from archive import carbons, copy, field, left_messages, query, stanza_ids
from peers import PASSWORD, Starling
from test_sm import managed
from xmpp import NS_CLIENT, NS_DELAY, Client, befriend, error_of, local, q

PING = "<ping xmlns='urn:xmpp:ping'/>"
VERSION = "<query xmlns='jabber:iq:version'/>"
VCARD = "<vCard xmlns='vcard-temp'/>"
DISCO = "http://jabber.org/protocol/disco#info"


@pytest.fixture(scope="module")
def pair(authority, dns):
    one, two = Starling("across-one.example.net", authority, dns), Starling("across-two.example.net", authority, dns)
    try:
        yield one, two
    finally:
        one.close()
        two.close()


@pytest.fixture(autouse=True)
def quiet(pair):
    """Nothing that a person should look at."""
    yield
    for server in pair:
        server.flock.check()


@pytest.fixture(params=["there", "back"])
def turned(request, pair):
    return pair if request.param == "there" else pair[::-1]


@pytest.fixture
def two(users, turned):
    return users.login(turned[0]), users.login(turned[1])


@pytest.fixture
def again(users):
    """Another client of the same account."""
    def login(c, resource=None, online=True):
        new = Client(c.flock, timeout=20).login(c.user_jid.split("@")[0], PASSWORD, resource)
        users.clients.append(new)
        new.user_jid = c.user_jid
        new.roster()
        if online:
            new.online()
        return new
    return login


def numbered(n, prefix="m"):
    return ["%s%d" % (prefix, i) for i in range(n)]


def body(e):
    return e.findtext(q(NS_CLIENT, "body"))


def until(c, sender, mark):
    """The bodies of all messages up to one that the sender says now; for (sender, recipient) there is an order."""
    sender.message(c.jid, mark)
    got = []
    while mark not in got:
        got.append(body(c.wait_message()))
    return got[:-1]


# --- messages that wait -----------------------------------------------------------------------------------------------


def test_offline_messages(two, again):
    """XEP-0160, 0203: in order, with the time at which they came, once."""
    a, b = two
    b.close()
    left_messages(a, b.user_jid, numbered(5))
    b = again(b)
    for text in numbered(5):
        got = b.wait_message(text)
        assert got.get("from") == a.jid and got.get("to") == b.bare
        delay = got.find(q(NS_DELAY, "delay"))
        assert delay.get("from") in (b.host, b.bare) and delay.get("stamp").endswith("Z")
    assert until(b, a, "end") == []
    b.close()
    b = again(b)
    assert until(b, a, "nothing new") == []


def test_what_is_not_kept_for_later(two, again):
    a, b = two
    b.close()
    a.send("<message to='%s' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>" % b.user_jid)
    a.message(b.user_jid, "not for later", extra="<no-store xmlns='urn:xmpp:hints'/>")
    left_messages(a, b.user_jid, ["kept"])
    b = again(b)
    assert until(b, a, "end") == ["kept"]


# --- archives (XEP-0313, 0359) ----------------------------------------------------------------------------------------


def test_each_archive_has_it_once(two):
    a, b = two
    forged = "".join("<stanza-id xmlns='urn:xmpp:sid:0' id='forged' by='%s'/>" % by for by in (b.bare, b.host))
    sent = a.message(b.jid, "archived", extra=forged + "<origin-id xmlns='urn:xmpp:sid:0' id='o1'/>")
    got = b.wait_message("archived")
    pages = query(a), query(b)
    for page in pages:
        assert page.bodies == ["archived"] and page.complete
        assert (page[0].message.get("from"), page[0].message.get("to"), page[0].message.get("id")) == (a.jid, b.jid, sent)
    # Each server names it by itself, and believes nobody else who names it for an account of its own.
    assert stanza_ids(got)[b.bare] == pages[1].ids[0]
    assert "forged" not in [i for by, i in stanza_ids(got).items() if by == b.bare]
    assert a.bare not in stanza_ids(got)
    assert got.find("{urn:xmpp:sid:0}origin-id").get("id") == "o1"


def test_archive_of_one_who_was_away(two, again):
    a, b = two
    b.close()
    left_messages(a, b.user_jid, ["later"])
    b = again(b)
    got = b.wait_message("later")
    assert query(b).bodies == query(a).bodies == ["later"]
    assert stanza_ids(got)[b.bare] == query(b).ids[0]


def test_with_and_pages(two, users, turned):
    a, b = two
    other = users.login(turned[1])
    for text in numbered(7):
        a.message(b.jid, text)
        b.wait_message(text)
    other.message(b.bare, "from home")
    b.wait_message("from home")
    b.message(a.jid, "answer")
    a.wait_message("answer")
    for archive, remote in ((b, a), (a, b)):
        for jid in (remote.bare, remote.jid):
            assert query(archive, field("with", jid)).bodies == numbered(7) + ["answer"]
        page = query(archive, field("with", remote.bare), "<max>3</max>")
        assert (page.bodies, page.complete, page.count) == (["m0", "m1", "m2"], False, 8)
        page = query(archive, field("with", remote.bare), "<max>3</max><after>%s</after>" % page.last)
        assert (page.bodies, page.index) == (["m3", "m4", "m5"], 3)
        page = query(archive, field("with", remote.bare), "<max>3</max><before/>")
        assert page.bodies == ["m5", "m6", "answer"]
    assert query(b, field("with", remote.bare)).count == 0
    assert query(b, field("with", other.bare)).bodies == ["from home"]


def test_refused_message_is_in_no_archive_there(two):
    a, b = two
    a.message("nobody-at-all@" + b.host, "lost")
    error = a.wait_message()
    assert error.get("type") == "error"
    assert [r.message.get("type") for r in query(a) if r.message.get("type") == "error"] == []


# --- copies (XEP-0280) ------------------------------------------------------------------------------------------------


def test_copies(two, again):
    """Of what one client writes, and of what comes for it, from over there: once, with the id that the archive has."""
    a, b = two
    a2, b2 = again(a, "second"), again(b, "second")
    for c in (a2, b2):
        carbons(c)
    sent = a.message(b.jid, "hello")
    got = b.wait_message("hello")
    there, here = copy(b2, "received", "hello"), copy(a2, "sent", "hello")
    for message in (there, here):
        assert (message.get("from"), message.get("to"), message.get("id")) == (a.jid, b.jid, sent)
    assert stanza_ids(there)[b.bare] == stanza_ids(got)[b.bare] == query(b).ids[0]
    assert stanza_ids(here) == {a.bare: query(a).ids[0]}
    for c in (a, b, a2, b2):
        c.nothing(lambda e: local(e) == "message")


def test_copies_cannot_be_forged(two):
    """XEP-0280 section 11: a copy comes from the own account; what somebody over there sends as one is a message of his."""
    a, b = two
    a.send("<message to='%s' type='chat'><received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>"
           "<message xmlns='jabber:client' from='x@%s'><body>forged</body></message></forwarded></received></message>" % (b.jid, b.host))
    a.message(b.jid, "end")
    while True:
        got = b.wait_message()
        assert got.get("from") == a.jid
        if body(got) == "end":
            break


# --- resumption (XEP-0198) --------------------------------------------------------------------------------------------


def test_receiver_resumes(turned, users):
    a = users.login(turned[0])
    name = "resumes%d" % users.count
    turned[1].register(name)
    b = managed(turned[1], name)
    before, during = numbered(5, "before"), numbered(15, "during")
    for text in before:
        a.message(b.jid, text)
    assert b.bodies(5) == before
    b.ack()
    for i, text in enumerate(during):
        a.message(b.jid, text)
        if i == 5:
            b.abort()
    c = b.again(name)
    assert c.bodies(len(during)) == during
    a.message(b.jid, "end")
    assert c.bodies(1) == ["end"]
    assert query(c).bodies == before + during + ["end"]
    c.close()


def test_what_was_not_acknowledged_comes_again(turned, users):
    """It had arrived, but the client did not say so; it comes with the resumption, under the same id."""
    a = users.login(turned[0])
    name = "unsure%d" % users.count
    turned[1].register(name)
    b = managed(turned[1], name)
    b.polite = False
    h = b.h
    a.message(b.jid, "unsure")
    first = b.wait_message("unsure")
    b.abort()
    c = b.again(name, h=h)
    assert stanza_ids(c.wait_message("unsure")) == stanza_ids(first)
    a.message(c.jid, "end")
    assert c.bodies(1) == ["end"]
    c.close()


# --- errors -----------------------------------------------------------------------------------------------------------


def test_message_to_nobody(two):
    a, b = two
    to = "nobody-at-all@" + b.host
    sent = a.message(to, "hello?")
    error = a.wait(lambda e: e.get("id") == sent)
    assert error_of(error) == ("service-unavailable", "cancel")
    assert (error.get("from"), error.get("to")) == (to, a.jid)


def test_message_to_a_resource_that_is_gone(two):
    """RFC 6121 section 8.5.3.2.1: a chat message goes to the account's other clients."""
    a, b = two
    a.message(b.bare + "/gone", "for any")
    assert b.wait_message("for any").get("from") == a.jid


def test_message_whose_answer_is_an_error(two):
    """An error from a client over there comes back; an error never makes another."""
    a, b = two
    sent = a.message(b.jid, "no thanks")
    b.wait_message("no thanks")
    forbidden = "<error type='auth'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    b.send("<message type='error' id='%s' to='%s'>%s</message>" % (sent, a.jid, forbidden))
    assert error_of(a.wait(lambda e: e.get("id") == sent)) == ("forbidden", "auth")
    b.send("<message type='error' id='x' to='nobody-at-all@%s'>%s</message>" % (a.host, forbidden))
    assert b.iq("get", PING, to=a.host).get("type") == "result"
    b.nothing(lambda e: local(e) == "message")


# --- presence and rosters ---------------------------------------------------------------------------------------------


def subscription(c, jid):
    item = c.roster().get(jid)
    return None if item is None else (item.get("subscription"), item.get("ask"))


def wait_subscription(c, jid, wanted, seconds=20):
    deadline = time.monotonic() + seconds
    while subscription(c, jid) != wanted:
        assert time.monotonic() < deadline, subscription(c, jid)
        time.sleep(0.05)


def test_rosters_agree(two):
    a, b = two
    befriend(a, b)
    assert subscription(a, b.bare) == subscription(b, a.bare) == ("both", None)


def test_presence_comes_and_goes(two, again):
    a, b = two
    befriend(a, b)
    a.presence("<show>away</show><status>out</status>")
    got = b.wait(lambda e: local(e) == "presence" and e.findtext(q(NS_CLIENT, "status")) == "out")
    assert (got.get("from"), got.findtext(q(NS_CLIENT, "show"))) == (a.jid, "away")
    a2 = again(a, "second")
    assert b.wait_presence(a2.jid) is not None
    a2.presence("<status>bye</status>", type="unavailable")
    assert b.wait_presence(a2.jid, "unavailable").findtext(q(NS_CLIENT, "status")) == "bye"
    a.abort()
    b.wait_presence(a.jid, "unavailable")


def test_who_comes_online_is_told(two, again):
    """RFC 6121 section 4.3: its server asks the others'."""
    a, b = two
    befriend(a, b)
    a.presence("<status>asked</status>")
    b.wait(lambda e: local(e) == "presence" and e.findtext(q(NS_CLIENT, "status")) == "asked")
    b.close()
    a.wait_presence(b.bare, "unavailable")
    b = again(b)
    assert b.wait_presence(a.jid).findtext(q(NS_CLIENT, "status")) == "asked"
    a.wait_presence(b.jid)


def test_strangers_are_told_nothing(two):
    """A probe of a client is not passed on, and nobody without a subscription gets presence."""
    a, b = two
    a.presence(to=b.bare, type="probe")
    b.presence("<status>private</status>")
    assert until(a, b, "end") == []
    a.nothing(lambda e: local(e) == "presence" and e.get("from", "").startswith(b.bare))


def test_directed_presence(two):
    a, b = two
    a.presence("<status>psst</status>", to=b.jid)
    assert b.wait_presence(a.jid).findtext(q(NS_CLIENT, "status")) == "psst"
    a.abort()
    b.wait_presence(a.jid, "unavailable")


def test_refusing(two):
    a, b = two
    a.presence(to=b.bare, type="subscribe")
    b.wait_presence(a.bare, "subscribe")
    b.presence(to=a.bare, type="unsubscribed")
    a.wait_presence(b.bare, "unsubscribed")
    assert subscription(a, b.bare) == ("none", None)
    assert subscription(b, a.bare) is None


def test_unsubscribing(two):
    a, b = two
    befriend(a, b)
    a.presence(to=b.bare, type="unsubscribe")
    b.wait_presence(a.bare, "unsubscribe")
    a.wait_presence(b.bare, "unavailable")
    assert subscription(a, b.bare) == ("from", None)
    assert subscription(b, a.bare) == ("to", None)
    b.presence("<status>not for a</status>")
    assert until(a, b, "end") == []
    a.nothing(lambda e: local(e) == "presence" and e.findtext(q(NS_CLIENT, "status")) == "not for a")


def test_cancelling(two):
    a, b = two
    befriend(a, b)
    b.presence(to=a.bare, type="unsubscribed")
    a.wait_presence(b.bare, "unsubscribed")
    a.wait_presence(b.bare, "unavailable")
    assert subscription(a, b.bare) == ("from", None)
    assert subscription(b, a.bare) == ("to", None)


def test_removing_a_contact(two):
    a, b = two
    befriend(a, b)
    assert a.iq("set", "<query xmlns='jabber:iq:roster'><item jid='%s' subscription='remove'/></query>" % b.bare).get("type") == "result"
    b.wait_presence(a.bare, "unsubscribe")
    b.wait_presence(a.bare, "unsubscribed")
    b.wait_presence(a.bare, "unavailable")
    wait_subscription(b, a.bare, ("none", None))
    assert subscription(a, b.bare) is None


def test_asking_one_who_is_away(two, again):
    a, b = two
    b.close()
    a.presence("<status>please</status>", to=b.user_jid, type="subscribe")
    assert a.iq("get", PING, to=b.host).get("type") == "result"  # it is there: for two domains there is one stream
    b = again(b)
    assert b.wait_presence(a.bare, "subscribe").findtext(q(NS_CLIENT, "status")) == "please"
    a.close()
    b.presence(to=a.bare, type="subscribed")
    b.roster()
    a = again(a)
    assert a.wait_presence(b.jid) is not None
    assert subscription(a, b.bare) == ("to", None)


@pytest.mark.parametrize("side", [0, 1])
def test_rosters_agree_after_a_kill(pair, users, side):
    """Whatever of a subscription was on its way when s2s died arrives, and both ends agree in the end."""
    a, b = users.login(pair[0]), users.login(pair[1])
    befriend(a, b)
    c, d = users.login(pair[0]), users.login(pair[1])
    flock = pair[side].flock
    with flock.expect("ended", "restarting", "slot .* is another"):
        c.presence(to=d.bare, type="subscribe")
        a.presence(to=b.bare, type="unsubscribe")
        os.kill(flock.pid("s2s-1"), signal.SIGKILL)
        d.wait_presence(c.bare, "subscribe", timeout=40)
        b.wait_presence(a.bare, "unsubscribe", timeout=40)
        flock.wait_healthy()
        d.presence(to=c.bare, type="subscribed")
        b.presence(to=a.bare, type="unsubscribe")
        os.kill(flock.pid("s2s-1"), signal.SIGKILL)
        c.wait_presence(d.bare, "subscribed", timeout=40)
        a.wait_presence(b.bare, "unsubscribe", timeout=40)
        flock.wait_healthy()
        wait_subscription(c, d.bare, ("to", None))
        wait_subscription(d, c.bare, ("from", None))
        wait_subscription(a, b.bare, ("none", None))
        wait_subscription(b, a.bare, ("none", None))
        d.presence("<status>after</status>")
        c.wait(lambda e: local(e) == "presence" and e.findtext(q(NS_CLIENT, "status")) == "after")


# --- questions --------------------------------------------------------------------------------------------------------


def test_questions_to_the_other_server(two):
    a, b = two
    assert a.iq("get", PING, to=b.host).get("from") == b.host
    assert a.iq("get", VERSION, to=b.host).findtext("{jabber:iq:version}query/{jabber:iq:version}name") == "Starling"
    found = a.iq("get", "<query xmlns='%s'/>" % DISCO, to=b.host)
    assert "urn:xmpp:ping" in [f.get("var") for f in found.iter(q(DISCO, "feature"))]
    answer = a.iq("get", "<query xmlns='urn:example:q'/>", to=b.host)
    assert error_of(answer)[0] == "service-unavailable" and answer.get("from") == b.host


def test_questions_to_an_account(two):
    a, b = two
    assert b.iq("set", "<vCard xmlns='vcard-temp'><FN>Benvolio</FN></vCard>").get("type") == "result"
    answer = a.iq("get", VCARD, to=b.bare)
    assert answer.get("from") == b.bare and answer.findtext("{vcard-temp}vCard/{vcard-temp}FN") == "Benvolio"
    assert a.iq("set", "<vCard xmlns='vcard-temp'><FN>Tybalt</FN></vCard>", to=b.bare).get("type") == "error"
    assert b.iq("get", VCARD).findtext("{vcard-temp}vCard/{vcard-temp}FN") == "Benvolio"
    for child in (VCARD, "<query xmlns='jabber:iq:roster'/>", "<query xmlns='%s'/>" % DISCO):
        assert a.iq("get", child, to="nobody-at-all@" + b.host).get("type") == "error"
    # A roster and an archive are nobody else's.
    assert a.iq("get", "<query xmlns='jabber:iq:roster'/>", to=b.bare).get("type") == "error"
    assert a.iq("set", "<query xmlns='urn:xmpp:mam:2'/>", to=b.bare).get("type") == "error"


def test_questions_to_a_client(two):
    a, b = two
    a.send("<iq type='get' id='q1' to='%s'>%s</iq>" % (b.jid, VERSION))
    asked = b.wait(lambda e: local(e) == "iq" and e.get("id") == "q1")
    assert (asked.get("from"), asked.get("type")) == (a.jid, "get")
    b.send("<iq type='result' id='q1' to='%s'><query xmlns='jabber:iq:version'><name>Raw</name></query></iq>" % a.jid)
    answer = a.wait(lambda e: local(e) == "iq" and e.get("id") == "q1")
    assert answer.get("from") == b.jid and answer.findtext("{jabber:iq:version}query/{jabber:iq:version}name") == "Raw"
    a.send("<iq type='set' id='q2' to='%s'>%s</iq>" % (b.jid, VERSION))
    b.wait(lambda e: local(e) == "iq" and e.get("id") == "q2")
    b.send("<iq type='error' id='q2' to='%s'><error type='modify'><bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>" % a.jid)
    assert error_of(a.wait(lambda e: local(e) == "iq" and e.get("id") == "q2")) == ("bad-request", "modify")


def test_question_to_a_client_that_is_gone(two):
    a, b = two
    answer = a.iq("get", VERSION, to=b.bare + "/gone")
    assert error_of(answer) == ("service-unavailable", "cancel") and answer.get("from") == b.bare + "/gone"
