# SPDX-License-Identifier: Apache-2.0
"""What is in a user's archive, and who may ask for it (XEP-0313, 0359)."""
import asyncio

import pytest

from archive import CARBONS, DISCO_INFO, HINT, MAM, OFFLINE, RETRACT, RSM, SID, STAMP
from archive import field, left_messages, numbered, query, refused, stanza_ids, talk
from test_clients import Person
from xmpp import NS_CLIENT, NS_DELAY, error_of, local, q


# --- discovery ------------------------------------------------------------------------------------------------------------

def features(c, to):
    return {f.get("var") for f in c.iq("get", "<query xmlns='%s'/>" % DISCO_INFO, to=to).find(q(DISCO_INFO, "query")) if local(f) == "feature"}


def test_what_is_announced(pair):
    a, _ = pair
    assert {MAM, MAM + "#extended", MAM + "#groupchat-field", RSM, SID, RETRACT, RETRACT + "#tombstone"} <= features(a, a.bare)
    assert {CARBONS, "urn:xmpp:carbons:rules:0", OFFLINE, RETRACT} <= features(a, a.host)
    assert MAM + "#groupchat-available" not in features(a, a.bare)


# --- XEP-0313: what a query gives -----------------------------------------------------------------------------------------

def test_both_sides_have_it(pair):
    a, b = pair
    sent = a.message(b.jid, "Hail", extra="<thread>t1</thread>")
    got = b.wait_message("Hail")
    b.message(a.jid, "and well met")
    a.wait_message("and well met")
    for c in pair:
        page = query(c, attributes=" queryid='f&lt;27'")
        assert page.bodies == ["Hail", "and well met"] and page.complete and (page.index, page.count) == (0, 2)
        assert [page.first, page.last] == page.ids
        for r in page:
            assert r.carrier.get("from") == c.bare and r.carrier.get("to") == c.jid and r.queryid == "f<27" and STAMP.match(r.stamp)
        first = page[0].message
        assert (first.get("from"), first.get("to"), first.get("type"), first.get("id")) == (a.jid, b.jid, "chat", sent)
        assert first.findtext(q(NS_CLIENT, "thread")) == "t1"
        assert page[0].stamp <= page[1].stamp
    # Who received it learns the id, and only that of the own archive.
    assert stanza_ids(got) == {b.bare: query(b)[0].id}


def test_an_empty_archive(login):
    a = login()
    page = query(a)
    assert (list(page), page.complete, page.first, page.count) == ([], True, None, 0)
    metadata = a.iq("get", "<metadata xmlns='%s'/>" % MAM).find(q(MAM, "metadata"))
    assert len(metadata) == 0


def test_metadata(pair):
    a, b = pair
    talk(a, b, numbered(3))
    page = query(a)
    metadata = a.iq("get", "<metadata xmlns='%s'/>" % MAM, to=a.bare).find(q(MAM, "metadata"))
    start, end = metadata.find(q(MAM, "start")), metadata.find(q(MAM, "end"))
    assert (start.get("id"), end.get("id")) == (page.ids[0], page.ids[2])
    assert (start.get("timestamp"), end.get("timestamp")) == (page[0].stamp, page[2].stamp)


def test_the_form(pair):
    a, _ = pair
    x = a.iq("get", "<query xmlns='%s'/>" % MAM).find("%s/%s" % (q(MAM, "query"), q("jabber:x:data", "x")))
    assert x.get("type") == "form"
    types = {f.get("var"): f.get("type") for f in x}
    assert types == {"FORM_TYPE": "hidden", "with": "jid-single", "start": "text-single", "end": "text-single", "before-id": "text-single",
                     "after-id": "text-single", "ids": "list-multi", "include-groupchat": "boolean"}
    assert x.find(".//{http://jabber.org/protocol/xdata-validate}open") is not None
    assert x.find(".//{jabber:x:data}required") is None


BODY = "<body>x</body>"


@pytest.mark.parametrize("kind,content,kept", [
    ("chat", BODY, True),
    ("normal", BODY, True),
    (None, BODY, True),
    ("chat", "<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'/></encrypted>", True),
    ("chat", "<received xmlns='urn:xmpp:receipts' id='1'/>", True),
    ("normal", "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>", True),
    ("normal", "<x xmlns='jabber:x:conference' jid='room@conf.test'/>", True),
    ("chat", "<composing xmlns='http://jabber.org/protocol/chatstates'/>", False),
    ("normal", "<x xmlns='urn:example'/>", False),
    ("normal", "<x xmlns='urn:example'/>" + HINT % "store", True),
    ("chat", BODY + HINT % "no-store", False),
    ("chat", BODY + HINT % "no-permanent-store", False),
    ("chat", BODY + HINT % "no-store" + HINT % "store", False),
    ("chat", BODY + HINT % "no-copy", True),
    ("headline", BODY, False),
    ("groupchat", BODY, False),
    ("error", BODY + "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>", False),
])
def test_what_is_kept(pair, kind, content, kept):
    a, b = pair
    a.send("<message to='%s' id='it'%s>%s</message>" % (b.jid, " type='%s'" % kind if kind else "", content))
    got = b.wait(lambda e: local(e) == "message" and e.get("id") == "it")
    for c in pair:
        assert [r.message.get("id") for r in query(c)] == (["it"] if kept else []), c.jid
    assert bool(stanza_ids(got)) == kept


def test_a_message_to_oneself_is_there_once(login):
    a = login()
    other = login(a.user)
    a.message(a.bare, "note")
    other.wait_message("note")
    a.message(other.jid, "and to the other")
    other.wait_message("and to the other")
    assert query(a).bodies == ["note", "and to the other"]
    b = login()
    talk(a, b, ["to somebody else"])
    # Section 4.1.1: with the own JID only what went to oneself.
    assert query(a, field("with", a.bare)).bodies == ["note", "and to the other"]


def test_one_archived_copy_however_many_get_it(login):
    a, b1 = login(), login()
    b2 = login(b1.user)
    a.message(b1.bare, "to both")
    ids = {stanza_ids(c.wait_message("to both"))[b1.bare] for c in (b1, b2)}
    assert query(b1).ids == list(ids)


def test_a_message_for_somebody_away(login):
    a, b = login(), login()
    b.close()
    left_messages(a, b.bare, ["later"])
    b = login(b.user)
    got = b.wait_message("later")
    page = query(b)
    assert page.bodies == ["later"] and stanza_ids(got) == {b.bare: page.ids[0]}
    assert got.find(q(NS_DELAY, "delay")).get("stamp") == page[0].stamp


def test_what_is_refused_is_not_in_the_recipients_archive(login, flock):
    a = login()
    a.message("nobody-here@" + flock.host, "lost")
    a.wait(lambda e: local(e) == "message" and e.get("type") == "error")
    assert [r.body for r in query(a) if r.message.get("type") == "error"] == []


def test_node_is_for_others(login):
    assert refused(login(), attributes=" node='fdp/submitted'") == "item-not-found"


def test_only_ones_own_archive(pair):
    a, b = pair
    assert refused(a, to=b.bare) == "forbidden"
    assert error_of(a.iq("get", "<metadata xmlns='%s'/>" % MAM, to=b.bare))[0] == "forbidden"
    assert error_of(a.iq("get", "<prefs xmlns='%s'/>" % MAM, to=b.bare))[0] == "forbidden"
    assert error_of(a.iq("set", "<query xmlns='%s'/>" % MAM, to=a.host))[0] == "service-unavailable"
    assert query(a).complete


def test_the_archive_outlives_sessions(login):
    a, b = login(), login()
    talk(a, b, numbered(2))
    before = query(a)
    a.close()
    a = login(a.user)
    assert query(a).ids == before.ids


# --- a client that people use -----------------------------------------------------------------------------------------------

class Reader(Person):
    def __init__(self, flock, user):
        super().__init__(flock, user)
        for plugin in ("xep_0059", "xep_0297", "xep_0280", "xep_0313"):
            self.register_plugin(plugin)
        self.copies = asyncio.Queue()
        self.add_event_handler("carbon_sent", lambda m: self.copies.put_nowait(m["carbon_sent"]))
        self.add_event_handler("carbon_received", lambda m: self.copies.put_nowait(m["carbon_received"]))


def test_slixmpp_reads_archive_and_copies(flock, account):
    a_user, b_user = account(), account()

    async def story():
        a, b1, b2 = [await Reader(flock, u).enter() for u in (a_user, b_user, b_user)]
        await b2["xep_0280"].enable()
        for i in range(1, 8):
            a.send_message(b1.boundjid.full, "line %d" % i, mtype="chat")
        for i in range(1, 8):
            assert (await asyncio.wait_for(b1.messages.get(), 10))["body"] == "line %d" % i
            assert (await asyncio.wait_for(b2.copies.get(), 10))["body"] == "line %d" % i
        b1.send_message(a.boundjid.full, "enough", mtype="chat")
        assert (await asyncio.wait_for(b2.copies.get(), 10))["body"] == "enough"
        found = []
        async for message in b2["xep_0313"].retrieve(with_jid=a.boundjid.bare, iterator=True, rsm={"max": 3}):
            found += [m["mam_result"]["forwarded"]["stanza"]["body"] for m in message["mam"]["results"]]
        assert found == ["line %d" % i for i in range(1, 8)] + ["enough"]
        for person in (a, b1, b2):
            await person.leave()

    asyncio.get_event_loop().run_until_complete(asyncio.wait_for(story(), 90))
