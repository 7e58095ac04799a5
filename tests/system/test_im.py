# SPDX-License-Identifier: Apache-2.0
"""RFC 6121: roster, subscriptions, presence, messages, offline messages."""
import re
import xml.etree.ElementTree as ET

import pytest

from xmpp import NS_CLIENT, NS_DELAY, NS_ROSTER, Client, StreamError, befriend, error_of, local, q


@pytest.fixture
def login(flock, account):
    """login() gives a client of a new account; login(user) another of the same one."""
    clients = []

    def make(user=None, resource=None, online=True, priority=None, roster=True):
        user = user or account()
        c = Client(flock).login(user.name, user.password, resource)
        c.user = user
        clients.append(c)
        if roster:
            c.roster()  # an interested resource: only those are told about subscriptions (RFC 6121 section 2.2)
        if online:
            c.online(priority)
        return c

    yield make
    for c in clients:
        c.close()


def set_item(c, jid, name=None, groups=(), subscription=None):
    attributes = "".join(" %s='%s'" % kv for kv in (("jid", jid), ("name", name), ("subscription", subscription)) if kv[1])
    return c.iq("set", "<query xmlns='%s'><item%s>%s</item></query>" % (NS_ROSTER, attributes, "".join("<group>%s</group>" % g for g in groups)))


# --- binding ------------------------------------------------------------------------------------------------------------

def test_resource_is_made_by_the_server(login):
    a = login()
    b = login(a.user)
    assert a.jid != b.jid and len(a.jid.split("/")[1]) >= 8


def test_resource_of_the_client(login):
    a = login(resource="phone ☎")
    assert a.jid.endswith("/phone ☎")


def test_conflict_replaces_the_old_session(login):
    a = login(resource="same")
    b = login(a.user, resource="same")
    assert b.jid == a.jid
    a.ended_by("conflict")
    b.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=b.host)


def test_bad_resource(flock, account):
    user = account()
    c = Client(flock).secure()
    c.sasl("PLAIN", user.name, user.password)
    c.open()
    answer = c.iq("set", "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>%s</resource></bind>" % ("r" * 1100))
    assert error_of(answer)[0] in ("bad-request", "jid-malformed", "not-acceptable")
    assert c.bind("fine").endswith("/fine")
    c.close()


# --- roster -------------------------------------------------------------------------------------------------------------

def test_roster_life(login):
    a = login(roster=False)
    assert a.roster() == {}
    other = login(a.user)
    other.roster()
    assert set_item(a, "romeo@example.net", "Romeo", ["Friends", "Lovers"]).get("type") == "result"
    for c in (a, other):
        item = c.wait_push("romeo@example.net")
        assert item.get("name") == "Romeo" and item.get("subscription") == "none"
        assert {g.text for g in item} == {"Friends", "Lovers"}
    assert set_item(a, "romeo@example.net", "R", []).get("type") == "result"
    assert a.wait_push().get("name") == "R"
    item = a.roster()["romeo@example.net"]
    assert item.get("name") == "R" and len(item) == 0
    assert set_item(a, "romeo@example.net", subscription="remove").get("type") == "result"
    assert a.wait_push().get("subscription") == "remove"
    assert a.roster() == {}


def test_roster_pushes_only_go_to_those_who_asked(login):
    a = login()
    deaf = login(a.user, roster=False)
    a.roster()
    set_item(a, "x@example.net")
    a.wait_push()
    deaf.nothing(lambda e: local(e) == "iq")


def test_roster_survives_logout(login):
    a = login()
    set_item(a, "x@example.net", "X", ["G"])
    a.close()
    b = login(a.user)
    assert b.roster()["x@example.net"].get("name") == "X"


def test_roster_versioning(login):
    a = login()
    answer = a.iq("get", "<query xmlns='%s' ver=''/>" % NS_ROSTER)
    ver = answer.find(q(NS_ROSTER, "query")).get("ver")
    assert ver is not None
    assert a.roster(ver=ver) is None  # an empty result: nothing changed
    set_item(a, "one@example.net")
    a.wait_push()
    set_item(a, "two@example.net")
    push = a.wait(lambda e: local(e) == "iq" and e.get("type") == "set")
    newest = push.find(q(NS_ROSTER, "query")).get("ver")
    assert newest and newest != ver
    b = login(a.user)
    answer = b.iq("get", "<query xmlns='%s' ver='%s'/>" % (NS_ROSTER, ver))
    query = answer.find(q(NS_ROSTER, "query"))
    if query is None:  # the changes come as pushes
        assert {b.wait_push().get("jid"), b.wait_push().get("jid")} == {"one@example.net", "two@example.net"}
    else:
        assert {i.get("jid") for i in query} == {"one@example.net", "two@example.net"}
    assert b.roster(ver=newest) is None


@pytest.mark.parametrize("query,condition", [
    ("<query xmlns='jabber:iq:roster'/>", "bad-request"),
    ("<query xmlns='jabber:iq:roster'><item jid='a@b'/><item jid='c@d'/></query>", "bad-request"),
    ("<query xmlns='jabber:iq:roster'><item/></query>", "bad-request"),
    ("<query xmlns='jabber:iq:roster'><item jid='@@'/></query>", "jid-malformed"),
    ("<query xmlns='jabber:iq:roster'><item jid='a@b'><group/></item></query>", "not-acceptable"),
    ("<query xmlns='jabber:iq:roster'><item jid='a@b'><group>G</group><group>G</group></item></query>", "bad-request"),
    ("<query xmlns='jabber:iq:roster'><item jid='never-seen@b' subscription='remove'/></query>", "item-not-found"),
    ("<query xmlns='jabber:iq:roster'><item jid='a@b' name='%s'/></query>" % ("n" * 5000), "not-acceptable"),
], ids=lambda v: v[:60])
def test_roster_errors(login, query, condition):
    a = login()
    answer = a.iq("set", query)
    got = error_of(answer)[0]
    assert got == condition or (condition == "jid-malformed" and got == "bad-request")


def test_roster_of_somebody_else(login):
    a, b = login(), login()
    assert error_of(a.iq("set", "<query xmlns='%s'><item jid='x@y'/></query>" % NS_ROSTER, to=b.bare))[0] in ("forbidden", "service-unavailable")
    assert error_of(a.iq("get", "<query xmlns='%s'/>" % NS_ROSTER, to=b.bare))[0] in ("forbidden", "service-unavailable")


def test_roster_push_cannot_be_forged(login):
    a, b = login(), login()
    b.roster()
    a.send("<iq type='set' id='f' to='%s'><query xmlns='%s'><item jid='evil@x' subscription='both'/></query></iq>" % (b.jid, NS_ROSTER))
    push = b.wait(lambda e: local(e) == "iq" and e.get("type") == "set")
    assert push.get("from") == a.jid  # the client can tell: a push of the server comes from nobody or the account itself


# --- subscriptions ------------------------------------------------------------------------------------------------------

def subscription(c, jid):
    item = c.roster().get(jid)
    return (item.get("subscription"), item.get("ask")) if item is not None else None


def test_subscribing_both_ways(login):
    a, b = login(), login()
    a.roster()
    b.roster()
    a.presence(to=b.bare, type="subscribe")
    item = a.wait_push(b.bare)
    assert (item.get("subscription"), item.get("ask")) == ("none", "subscribe")
    asked = b.wait_presence(a.bare, "subscribe")
    assert asked.get("from") == a.bare  # bare: RFC 6121 section 3.1.2
    assert subscription(b, a.bare) is None  # not in the roster until answered
    b.presence(to=a.bare, type="subscribed")
    assert b.wait_push(a.bare).get("subscription") == "from"
    item = a.wait(lambda e: e.tag == q(NS_CLIENT, "iq") and b"'to'" in ET.tostring(e).replace(b'"', b"'"))
    a.wait_presence(b.bare, "subscribed")
    assert a.wait_presence(b.bare).get("from") == b.jid
    b.presence(to=a.bare, type="subscribe")
    a.wait_presence(b.bare, "subscribe")
    a.presence(to=b.bare, type="subscribed")
    b.wait_presence(a.bare, "subscribed")
    assert b.wait_presence(a.bare).get("from") == a.jid
    assert subscription(a, b.bare) == ("both", None)
    assert subscription(b, a.bare) == ("both", None)


def test_refusing(login):
    a, b = login(), login()
    a.presence(to=b.bare, type="subscribe")
    b.wait_presence(a.bare, "subscribe")
    b.presence(to=a.bare, type="unsubscribed")
    a.wait_presence(b.bare, "unsubscribed")
    assert subscription(a, b.bare) == ("none", None)
    assert subscription(b, a.bare) is None


def test_unsubscribing(login):
    a, b = login(), login()
    befriend(a, b)
    a.presence(to=b.bare, type="unsubscribe")
    b.wait_presence(a.bare, "unsubscribe")
    a.wait_presence(b.bare, "unavailable")
    assert subscription(a, b.bare) == ("from", None)
    assert subscription(b, a.bare) == ("to", None)


def test_cancelling(login):
    a, b = login(), login()
    befriend(a, b)
    b.presence(to=a.bare, type="unsubscribed")
    a.wait_presence(b.bare, "unsubscribed")
    a.wait_presence(b.bare, "unavailable")
    assert subscription(a, b.bare) == ("from", None)


def test_removing_a_contact_ends_both_directions(login):
    a, b = login(), login()
    befriend(a, b)
    assert set_item(a, b.bare, subscription="remove").get("type") == "result"
    b.wait_presence(a.bare, "unsubscribe")
    b.wait_presence(a.bare, "unsubscribed")
    b.wait_presence(a.bare, "unavailable")
    assert subscription(b, a.bare) == ("none", None)
    assert subscription(a, b.bare) is None


def test_asking_an_offline_user(login):
    a, b = login(), login()
    b.close()
    a.presence("<status>please</status>", to=b.bare, type="subscribe")
    assert subscription(a, b.bare) == ("none", "subscribe")
    b2 = login(b.user)
    asked = b2.wait_presence(a.bare, "subscribe")
    assert asked.findtext(q(NS_CLIENT, "status")) == "please"
    a.close()
    b2.presence(to=a.bare, type="subscribed")
    b2.roster()
    a2 = login(a.user)
    assert a2.wait_presence(b.bare).get("from") == b2.jid
    assert subscription(a2, b.bare) == ("to", None)


def test_an_unanswered_request_is_shown_at_each_login(login):
    a, b = login(), login()
    b.close()
    a.presence(to=b.bare, type="subscribe")
    a.nothing(lambda e: e.get("type") == "error")
    for _ in range(2):
        b2 = login(b.user)
        b2.wait_presence(a.bare, "subscribe")
        b2.close()


def test_pre_approval(login):
    a, b = login(), login()
    b.presence(to=a.bare, type="subscribed")  # before a asks: RFC 6121 section 3.4
    assert b.roster()[a.bare].get("approved") == "true"
    a.presence(to=b.bare, type="subscribe")
    a.wait_presence(b.bare, "subscribed")
    assert a.wait_presence(b.bare).get("from") == b.jid
    assert subscription(b, a.bare)[0] == "from"
    b.nothing(lambda e: local(e) == "presence" and e.get("type") == "subscribe")


def test_subscribing_to_nobody(login):
    a = login()
    a.presence(to="nobody-of-that-name@" + a.host, type="subscribe")
    a.nothing(lambda e: local(e) == "presence" and e.get("type") == "subscribed")


# --- presence -----------------------------------------------------------------------------------------------------------

def test_initial_presence_probes_and_broadcasts(login):
    a, b = login(), login()
    befriend(a, b)
    a.close()
    b.wait_presence(a.bare, "unavailable")
    a2 = login(a.user)
    assert a2.wait_presence(b.bare).get("from") == b.jid
    assert b.wait_presence(a.bare).get("from") == a2.jid


def test_presence_is_passed_on_whole(login):
    a, b = login(), login()
    befriend(a, b)
    a.presence("<show>away</show><status xml:lang='en'>lunch &amp; more</status><priority>5</priority><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='v'/>")
    got = b.wait(lambda e: local(e) == "presence" and e.findtext(q(NS_CLIENT, "show")) == "away")
    assert got.findtext(q(NS_CLIENT, "status")) == "lunch & more"
    assert got.find("{http://jabber.org/protocol/caps}c").get("ver") == "v"


def test_strangers_see_nothing(login):
    a, b = login(), login()
    a.presence("<show>dnd</show>")
    b.presence(to=a.bare, type="probe")
    b.nothing(lambda e: local(e) == "presence" and e.get("type") is None)


def test_vanishing_makes_unavailable(login):
    a, b = login(), login()
    befriend(a, b)
    a.abort()
    assert b.wait_presence(a.bare, "unavailable").get("from") == a.jid


def test_unavailable_with_status(login):
    a, b = login(), login()
    befriend(a, b)
    a.presence("<status>gone fishing</status>", type="unavailable")
    assert b.wait_presence(a.bare, "unavailable").findtext(q(NS_CLIENT, "status")) == "gone fishing"


def test_own_resources_see_each_other(login):
    a = login(resource="one")
    b = login(a.user, resource="two")
    a.wait_presence(b.jid)
    b.wait_presence(a.jid)
    b.close()
    a.wait_presence(b.jid, "unavailable")


def test_directed_presence(login):
    a, b = login(), login()
    a.presence("<status>psst</status>", to=b.jid)
    assert b.wait_presence(a.jid).findtext(q(NS_CLIENT, "status")) == "psst"
    a.abort()
    b.wait_presence(a.jid, "unavailable")  # RFC 6121 section 4.6.3


def test_priority_out_of_range(login):
    a = login()
    a.presence("<priority>900</priority>", id="p")
    a.nothing(lambda e: local(e) == "message")  # the stream lives on


# --- messages -----------------------------------------------------------------------------------------------------------

def test_chat_to_full_jid(login):
    a, b = login(), login()
    stanza_id = a.message(b.jid, "hello <&> \"world\" 'ünï' 😀")
    got = b.wait_message()
    assert got.findtext(q(NS_CLIENT, "body")) == "hello <&> \"world\" 'ünï' 😀"
    assert (got.get("from"), got.get("to"), got.get("type"), got.get("id")) == (a.jid, b.jid, "chat", stanza_id)


def test_order_is_kept(login):
    a, b = login(), login()
    a.send("".join("<message to='%s' type='chat'><body>%d</body></message>" % (b.jid, i) for i in range(500)))
    assert [int(b.wait_message().findtext(q(NS_CLIENT, "body"))) for _ in range(500)] == list(range(500))


def test_chat_to_bare_jid_reaches_available_resources(login):
    a, b = login(), login(resource="one", priority=1)
    b2 = login(b.user, resource="two", priority=1)
    negative = login(b.user, resource="silent", priority=-1)
    a.message(b.bare, "to all of you")
    assert b.wait_message("to all of you").get("to") == b.bare
    b2.wait_message("to all of you")
    negative.nothing(lambda e: local(e) == "message")


def test_message_to_oneself(login):
    a = login()
    a.message(a.bare, "note")
    a.wait_message("note")


def test_message_without_to_goes_to_oneself(login):
    a = login()
    a.send("<message type='chat' id='s'><body>self</body></message>")
    a.wait_message("self")


def test_headline_to_nobody_online_is_dropped(login, account):
    a, b = login(), account()
    a.message(b.jid, "news", kind="headline")
    a.nothing(lambda e: local(e) == "message")
    c = login(b)
    c.nothing(lambda e: local(e) == "message")


def test_groupchat_to_a_user_is_refused(login):
    a, b = login(), login()
    stanza_id = a.message(b.bare, "room?", kind="groupchat")
    assert error_of(a.wait(lambda e: e.get("id") == stanza_id))[0] == "service-unavailable"
    b.nothing(lambda e: local(e) == "message")


def test_message_to_an_unknown_user(login):
    a = login()
    stanza_id = a.message("nobody-of-that-name@" + a.host, "hello?")
    error = a.wait(lambda e: e.get("id") == stanza_id)
    assert error_of(error)[0] == "service-unavailable"
    assert error.get("from") == "nobody-of-that-name@" + a.host


def test_message_to_an_unknown_domain(login):
    a = login()
    stanza_id = a.message("x@nowhere.invalid", "hello?")
    assert error_of(a.wait(lambda e: e.get("id") == stanza_id))[0] in ("remote-server-not-found", "remote-server-timeout")


def test_message_to_the_host(login):
    a = login()
    stanza_id = a.message(a.host, "dear server")
    for element in a.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=a.host).skipped:
        if element.get("id") == stanza_id:
            assert error_of(element)[0] == "service-unavailable"


def test_iq_between_users(login):
    a, b = login(), login()
    a.send("<iq type='get' id='q' to='%s'><query xmlns='urn:example:q'/></iq>" % b.jid)
    asked = b.wait(lambda e: local(e) == "iq" and e.get("id") == "q")
    assert asked.get("from") == a.jid
    b.send("<iq type='result' id='q' to='%s'><query xmlns='urn:example:q'>42</query></iq>" % a.jid)
    assert a.wait(lambda e: e.get("id") == "q").findtext("{urn:example:q}query") == "42"


def test_iq_to_an_unavailable_resource(login):
    a, b = login(), login()
    answer = a.iq("get", "<query xmlns='urn:example:q'/>", to=b.bare + "/not-there")
    assert error_of(answer)[0] == "service-unavailable"


def test_message_to_a_gone_resource_falls_back_to_the_others(login):
    a, b = login(), login()
    a.message(b.bare + "/gone", "still for you")
    b.wait_message("still for you")


def test_large_message(login):
    a, b = login(), login()
    body = "x" * 100000
    a.message(b.jid, body)
    b.wait_message(body)


# --- offline ------------------------------------------------------------------------------------------------------------

def test_offline_messages_come_in_order_with_stamps(login, account):
    a, b = login(), account()
    for i in range(30):
        a.message(b.jid, "later %d" % i)
    a.wait_archived(30)
    c = login(b)
    for i in range(30):
        got = c.wait_message()
        assert got.findtext(q(NS_CLIENT, "body")) == "later %d" % i
        delay = got.find(q(NS_DELAY, "delay"))
        assert delay.get("from") == a.host
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", delay.get("stamp"))
    c.close()
    d = login(b)
    d.nothing(lambda e: local(e) == "message")


def test_offline_messages_wait_for_a_willing_resource(login, account):
    a, b = login(), account()
    a.message(b.jid, "kept")
    silent = login(b, priority=-1)
    silent.nothing(lambda e: local(e) == "message")
    login(b).wait_message("kept")


def test_what_is_not_kept(login, account):
    a, b = login(), account()
    a.message(b.jid, "secret", extra="<no-store xmlns='urn:xmpp:hints'/>")
    a.send("<message to='%s' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>" % b.jid)
    a.message(b.jid, "group", kind="groupchat")
    a.message(b.jid, "kept", kind="normal")
    c = login(b)
    c.wait_message("kept")
    c.nothing(lambda e: local(e) == "message")


def test_offline_limit(flock, login, account):
    a, b = login(), account()
    limit = flock.setting("session-manager", "offline_max")
    ids = [a.message(b.jid, "m%d" % i) for i in range(limit + 1)]
    assert error_of(a.wait(lambda e: e.get("id") == ids[-1], timeout=60))[0] in ("service-unavailable", "resource-constraint")


def test_logout_race_loses_nothing(login):
    """Messages sent while the recipient's connection breaks are either delivered or stored."""
    a, b = login(), login()
    seen = 0
    for i in range(50):
        a.message(b.bare, "race %d" % i)
        if i == 25:
            b.close()
    a.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=a.host)
    got = {e.findtext(q(NS_CLIENT, "body")) for e in b.reader.elements if local(e) == "message"}
    c = login(b.user)
    c.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=a.host)
    for _ in range(60):
        if len(got) == 50:
            break
        got.add(c.wait_message().findtext(q(NS_CLIENT, "body")))
        seen += 1
    assert got == {"race %d" % i for i in range(50)}


# --- kicks --------------------------------------------------------------------------------------------------------------

def test_kick(flock, login):
    a = login()
    flock.ctl("kick", a.user.name, a.host)
    with pytest.raises(StreamError):
        while True:
            a.next()
