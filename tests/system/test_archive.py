# SPDX-License-Identifier: Apache-2.0
"""What users see of the message log: XEP-0313, 0441, 0280, 0334, 0359, 0424, 0013."""
import asyncio
import re
import time

import pytest

from test_clients import Person
from xmpp import NS_CLIENT, NS_DELAY, Client, error_of, local, q

MAM = "urn:xmpp:mam:2"
RSM = "http://jabber.org/protocol/rsm"
SID = "urn:xmpp:sid:0"
FORWARD = "urn:xmpp:forward:0"
CARBONS = "urn:xmpp:carbons:2"
SM = "urn:xmpp:sm:3"
RETRACT = "urn:xmpp:message-retract:1"
OFFLINE = "http://jabber.org/protocol/offline"
DISCO_INFO = "http://jabber.org/protocol/disco#info"
DISCO_ITEMS = "http://jabber.org/protocol/disco#items"
STAMP = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")


@pytest.fixture
def login(flock, account):
    """login() gives a client of a new account; login(user) another of the same one."""
    clients = []

    def make(user=None, resource=None, online=True, priority=None):
        user = user or account()
        c = Client(flock).login(user.name, user.password, resource)
        c.user = user
        clients.append(c)
        if online:
            c.online(priority)
        return c

    yield make
    for c in clients:
        c.close()


@pytest.fixture
def pair(login):
    return login(), login()


# --- asking -------------------------------------------------------------------------------------------------------------

class Result:
    def __init__(self, carrier):
        result = carrier.find(q(MAM, "result"))
        forwarded = result.find(q(FORWARD, "forwarded"))
        self.carrier, self.id, self.queryid = carrier, result.get("id"), result.get("queryid")
        self.stamp = forwarded.find(q(NS_DELAY, "delay")).get("stamp")
        self.message = forwarded.find(q(NS_CLIENT, "message"))
        self.body = self.message.findtext(q(NS_CLIENT, "body"))


class Page(list):
    """The results of a query, and what its answer says."""

    def __init__(self, c, answer):
        fin = answer.find(q(MAM, "fin"))
        assert fin is not None, answer
        carriers = [e for e in c.reader.elements if local(e) == "message" and e.find(q(MAM, "result")) is not None]
        c.reader.elements = [e for e in c.reader.elements if e not in carriers]
        super().__init__(Result(e) for e in carriers)
        rsm = fin.find(q(RSM, "set"))
        first = rsm.find(q(RSM, "first"))
        self.complete = fin.get("complete") == "true"
        self.first = None if first is None else first.text
        self.index = None if first is None else int(first.get("index"))
        self.last = rsm.findtext(q(RSM, "last"))
        self.count = int(rsm.findtext(q(RSM, "count")))

    @property
    def bodies(self):
        return [r.body for r in self]

    @property
    def ids(self):
        return [r.id for r in self]


def field(var, *values):
    return "<field var='%s'>%s</field>" % (var, "".join("<value>%s</value>" % v for v in values))


def form(fields, form_type=MAM):
    return "<x xmlns='jabber:x:data' type='submit'>%s%s</x>" % (field("FORM_TYPE", form_type), fields)


def rsm(content):
    return "<set xmlns='%s'>%s</set>" % (RSM, content)


def ask(c, content="", attributes="", to=None):
    return c.iq("set", "<query xmlns='%s'%s>%s</query>" % (MAM, attributes, content), to=to)


def query(c, fields="", page="", extra="", attributes=""):
    return Page(c, ask(c, (form(fields) if fields else "") + (rsm(page) if page else "") + extra, attributes))


def refused(c, content="", attributes="", to=None):
    answer = ask(c, content, attributes, to)
    assert not [e for e in answer.skipped if e.find(q(MAM, "result")) is not None]
    return error_of(answer)[0]


def features(c, to):
    return {f.get("var") for f in c.iq("get", "<query xmlns='%s'/>" % DISCO_INFO, to=to).find(q(DISCO_INFO, "query")) if local(f) == "feature"}


def stanza_ids(message):
    return {e.get("by"): e.get("id") for e in message.findall(q(SID, "stanza-id"))}


def talk(a, b, bodies):
    for body in bodies:
        a.message(b.jid, body)
        b.wait_message(body)


def settle(c):
    """All that this client has sent is committed or delivered: the server says so (XEP-0198)."""
    if not hasattr(c, "managed_from"):
        c.send("<enable xmlns='%s'/>" % SM)
        c.wait(lambda e: e.tag == q(SM, "enabled"))
        c.managed_from = c.count
    c.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=c.host)
    deadline = time.monotonic() + c.timeout
    while True:
        c.send("<r xmlns='%s'/>" % SM)
        if int(c.wait(lambda e: e.tag == q(SM, "a")).get("h")) >= c.count - c.managed_from:
            return
        assert time.monotonic() < deadline, "not accepted in time"


def left_messages(sender, to, bodies, extra=""):
    """For somebody who is away; they wait when this returns."""
    for body in bodies:
        sender.message(to, body, extra=extra)
    settle(sender)


def numbered(n, prefix="m"):
    return ["%s%d" % (prefix, i) for i in range(1, n + 1)]


# --- discovery ------------------------------------------------------------------------------------------------------------

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
HINT = "<%s xmlns='urn:xmpp:hints'/>"


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


# --- filters ----------------------------------------------------------------------------------------------------------------

def test_with(login):
    a, b, c = login(), login(resource="here"), login()
    b2 = login(b.user, resource="there")
    talk(a, b, ["to here"])
    talk(a, b2, ["to there"])
    talk(a, c, ["to c"])
    talk(c, a, ["from c"])
    assert query(a, field("with", b.bare)).bodies == ["to here", "to there"]
    assert query(a, field("with", b.bare.upper())).bodies == ["to here", "to there"]
    assert query(a, field("with", b2.jid)).bodies == ["to there"]
    assert query(a, field("with", b.bare + "/nowhere")).bodies == []
    assert query(a, field("with", c.bare)).bodies == ["to c", "from c"]
    page = query(a, field("with", "stranger@example.net"))
    assert list(page) == [] and page.complete and page.count == 0


def test_start_and_end(pair):
    a, b = pair
    talk(a, b, numbered(4))
    stamps = [r.stamp for r in query(a)]
    assert query(a, field("start", stamps[1])).bodies == ["m2", "m3", "m4"]
    assert query(a, field("end", stamps[1])).bodies == ["m1", "m2"]
    assert query(a, field("start", stamps[1]) + field("end", stamps[2])).bodies == ["m2", "m3"]
    assert query(a, field("start", stamps[2]) + field("end", stamps[1])).bodies == []
    assert query(a, field("start", "1969-07-21T02:56:15-05:00")).count == 4
    assert query(a, field("end", "1969-07-21T02:56:15.5Z")).count == 0


def test_after_id_and_before_id(pair):
    a, b = pair
    talk(a, b, numbered(5))
    ids = query(a).ids
    page = query(a, field("after-id", ids[1]))
    assert page.bodies == ["m3", "m4", "m5"] and page.count == 3 and page.index == 0
    page = query(a, field("before-id", ids[3]))
    assert page.bodies == ["m1", "m2", "m3"] and page.count == 3
    # Bounds do not turn the page around, unlike RSM's before.
    page = query(a, field("before-id", ids[3]), "<max>2</max>")
    assert page.bodies == ["m1", "m2"] and not page.complete
    assert query(a, field("after-id", ids[0]) + field("before-id", ids[4])).bodies == ["m2", "m3", "m4"]
    assert query(a, field("after-id", ids[4])).bodies == []
    for var in ("after-id", "before-id"):
        assert refused(a, form(field(var, "1000000000000001"))) == "item-not-found"
        assert refused(a, form(field(var, "anything"))) == "item-not-found"


def test_single_messages(pair):
    a, b = pair
    talk(a, b, numbered(4))
    ids = query(a).ids
    assert query(a, field("ids", ids[2])).bodies == ["m3"]
    assert query(a, field("ids", ids[3], ids[0], ids[3])).bodies == ["m1", "m4"]
    assert refused(a, form(field("ids", ids[0], "1000000000000001"))) == "item-not-found"
    assert refused(a, form(field("ids", "opaque"))) == "item-not-found"


def test_ids_of_somebody_elses_archive_are_unknown(login):
    a, b, c = login(), login(), login()
    talk(a, b, ["secret"])
    foreign = query(a).ids[0]
    for content in (form(field("ids", foreign)), form(field("after-id", foreign)), rsm("<after>%s</after>" % foreign)):
        assert refused(c, content) == "item-not-found"


# --- pages ------------------------------------------------------------------------------------------------------------------

def test_pages_forwards(pair):
    a, b = pair
    talk(a, b, numbered(5))
    page = query(a, page="<max>2</max>")
    assert (page.bodies, page.complete, page.index, page.count) == (["m1", "m2"], False, 0, 5)
    page = query(a, page="<max>2</max><after>%s</after>" % page.last)
    assert (page.bodies, page.complete, page.index, page.count) == (["m3", "m4"], False, 2, 5)
    page = query(a, page="<max>2</max><after>%s</after>" % page.last)
    assert (page.bodies, page.complete, page.index) == (["m5"], True, 4)
    page = query(a, page="<after>%s</after>" % page.last)
    assert (list(page), page.complete, page.first, page.count) == ([], True, None, 5)


def test_pages_backwards(pair):
    a, b = pair
    talk(a, b, numbered(5))
    page = query(a, page="<max>2</max><before/>")
    assert (page.bodies, page.complete, page.index, page.count) == (["m4", "m5"], False, 3, 5)
    page = query(a, page="<max>2</max><before>%s</before>" % page.first)
    assert (page.bodies, page.complete, page.index) == (["m2", "m3"], False, 1)
    page = query(a, page="<max>2</max><before>%s</before>" % page.first)
    assert (page.bodies, page.complete, page.index) == (["m1"], True, 0)


def test_pages_of_a_filter(login):
    a, b, c = login(), login(), login()
    for i in range(1, 5):
        talk(a, b, ["b%d" % i])
        talk(a, c, ["c%d" % i])
    page = query(a, field("with", c.bare), "<max>3</max>")
    assert (page.bodies, page.count, page.complete) == (["c1", "c2", "c3"], 4, False)
    assert query(a, field("with", c.bare), "<after>%s</after>" % page.last).bodies == ["c4"]


def test_a_flipped_page(pair):
    a, b = pair
    talk(a, b, numbered(4))
    page = query(a, page="<max>3</max><before/>", extra="<flip-page/>")
    assert page.bodies == ["m4", "m3", "m2"] and page.first == page.ids[2] and page.last == page.ids[0]


def test_only_counting(pair):
    a, b = pair
    talk(a, b, numbered(3))
    page = query(a, page="<max>0</max>")
    assert (list(page), page.count, page.first, page.complete) == ([], 3, None, False)


def test_the_server_limits_pages(pair):
    a, b = pair
    for body in numbered(60):
        a.message(b.jid, body)
    b.wait_message("m60")
    assert len(query(a)) == 50
    page = query(a, page="<max>100000</max>")
    assert page.bodies == numbered(60) and page.complete


def test_queries_one_behind_the_other(pair):
    """Sent at once, they are answered in order and their results do not mix."""
    a, b = pair
    talk(a, b, numbered(3))
    for i in range(8):
        a.send("<iq type='set' id='q%d'><query xmlns='%s' queryid='%d'/></iq>" % (i, MAM, i))
    for i in range(8):
        for _ in range(3):
            assert a.next().find(q(MAM, "result")).get("queryid") == str(i)
        assert a.next().get("id") == "q%d" % i


@pytest.mark.parametrize("content,condition", [
    (form(field("with", "@nobody")), "bad-request"),
    (form(field("with", "a@b", "c@d")), "bad-request"),
    (form(field("start", "yesterday")), "bad-request"),
    (form(field("end", "2010-02-30T00:00:00Z")), "bad-request"),
    (form(field("include-groupchat", "maybe")), "bad-request"),
    (form(field("start", "2010-01-01T00:00:00Z") * 2), "bad-request"),
    (form("", "urn:example"), "bad-request"),
    ("<x xmlns='jabber:x:data' type='submit'/>", "bad-request"),
    ("<x xmlns='jabber:x:data' type='result'>%s</x>" % field("FORM_TYPE", MAM), "bad-request"),
    (form(field("{urn:example}search", "x")), "feature-not-implemented"),
    (rsm("<index>2</index>"), "feature-not-implemented"),
    (rsm("<max>many</max>"), "bad-request"),
    (rsm("<max>-1</max>"), "bad-request"),
    (rsm("<after>unknown</after>"), "item-not-found"),
    (rsm("<after>1000000000000001</after>"), "item-not-found"),
    (rsm("<before>1000000000000001</before>"), "item-not-found"),
    (form(field("ids", *["10000000000%05d" % i for i in range(501)])), "policy-violation"),
], ids=lambda v: v[-70:])
def test_bad_queries(pair, content, condition):
    a, _ = pair
    assert refused(a, content) == condition
    assert query(a, field("include-groupchat", "true")).complete


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


# --- the archive and offline messages ---------------------------------------------------------------------------------------



def test_who_read_the_archive_gets_no_flood(login):
    a, b = login(), login()
    b.close()
    left_messages(a, b.bare, numbered(3))
    b = login(b.user, online=False)
    assert query(b).bodies == numbered(3)
    b.online()
    a.message(b.bare, "new")  # comes behind what waits
    assert b.wait_message().findtext(q(NS_CLIENT, "body")) == "new"
    # It counts as delivered.
    b.close()
    b = login(b.user)
    b.nothing(lambda e: local(e) == "message")


def test_what_is_not_archived_still_comes(login):
    a, b = login(), login()
    b.close()
    left_messages(a, b.bare, ["kept"])
    left_messages(a, b.bare, ["off the record"], HINT % "no-permanent-store")
    b = login(b.user, online=False)
    assert query(b).bodies == ["kept"]
    b.online()
    b.wait_message("off the record")
    b.nothing(lambda e: local(e) == "message")


def test_who_read_a_part_gets_the_flood(login):
    a, b = login(), login()
    b.close()
    left_messages(a, b.bare, numbered(3))
    b = login(b.user, online=False)
    assert query(b, page="<max>1</max><before/>").bodies == ["m3"]
    assert query(b, field("with", "stranger@example.net")).bodies == []
    b.online()
    for body in numbered(2):
        b.wait_message(body)


# --- XEP-0441 -------------------------------------------------------------------------------------------------------------

def prefs(c):
    answer = c.iq("get", "<prefs xmlns='%s'/>" % MAM)
    return read_prefs(answer)


def read_prefs(answer):
    element = answer.find(q(MAM, "prefs"))
    assert element is not None, answer
    return element.get("default"), *[[j.text for j in element.find(q(MAM, name))] for name in ("always", "never")]


def set_prefs(c, default, always=(), never=()):
    lists = "".join("<%s>%s</%s>" % (name, "".join("<jid>%s</jid>" % j for j in jids), name) for name, jids in (("always", always), ("never", never)))
    return c.iq("set", "<prefs xmlns='%s' default='%s'>%s</prefs>" % (MAM, default, lists))


def test_preferences_are_kept(login):
    a = login()
    assert prefs(a) == ("always", [], [])
    assert read_prefs(set_prefs(a, "roster", ["Z@Example.net", "b@example.net/R", "z@example.net"], ["c@example.net"])) == (
        "roster", ["b@example.net/R", "z@example.net"], ["c@example.net"])
    a.close()
    a = login(a.user)
    assert prefs(a) == ("roster", ["b@example.net/R", "z@example.net"], ["c@example.net"])
    set_prefs(a, "never")
    assert prefs(a) == ("never", [], [])


def test_never_and_always(login):
    a, b, c = login(), login(), login()
    set_prefs(a, "always", never=[b.bare])
    talk(a, b, ["to b"])
    talk(b, a, ["from b"])
    talk(a, c, ["to c"])
    assert query(a).bodies == ["to c"]
    # The other side has wishes of its own.
    assert query(b).bodies == ["to b", "from b"]
    set_prefs(a, "never", always=[b.jid])
    talk(a, b, ["again"])
    talk(a, c, ["not"])
    assert query(a).bodies == ["to c", "again"]


def test_what_is_not_wanted_in_the_archive_is_delivered_all_the_same(login):
    a, b = login(), login()
    set_prefs(b, "never")
    b.close()
    left_messages(a, b.bare, ["later"])
    b = login(b.user)
    assert not stanza_ids(b.wait_message("later"))
    assert query(b).bodies == [] and query(a).bodies == ["later"]


def test_contacts_only(login):
    a, b, c = login(), login(), login()
    set_prefs(a, "roster")
    assert a.iq("set", "<query xmlns='jabber:iq:roster'><item jid='%s'/></query>" % b.bare).get("type") == "result"
    talk(b, a, ["of a contact"])
    talk(c, a, ["of a stranger"])
    other = login(a.user)
    talk(a, other, ["of myself"])
    assert query(a).bodies == ["of a contact", "of myself"]


@pytest.mark.parametrize("default,always,never,conditions", [
    ("sometimes", (), (), ("bad-request",)),
    ("", (), (), ("bad-request",)),
    ("always", ("@",), (), ("jid-malformed",)),
    ("always", ("",), (), ("jid-malformed",)),
    ("always", ("a@b",), ("A@b",), ("bad-request",)),
    ("always", ["u%d@example.net" % i for i in range(1001)], (), ("policy-violation",)),
], ids=["default", "no default", "jid", "empty jid", "both", "many"])
def test_bad_preferences(login, default, always, never, conditions):
    a = login()
    assert error_of(set_prefs(a, default, always, never))[0] in conditions
    assert prefs(a) == ("always", [], [])


# --- XEP-0280 -------------------------------------------------------------------------------------------------------------

def carbons(c, on=True):
    assert c.iq("set", "<%s xmlns='%s'/>" % ("enable" if on else "disable", CARBONS)).get("type") == "result"


def copy(c, which, body, kind="chat"):
    """The copied message; the carrier is checked."""
    def match(e):
        return local(e) == "message" and e.find(q(CARBONS, which)) is not None and any(b.text == body for b in e.iter(q(NS_CLIENT, "body")))

    carrier = c.wait(match)
    assert (carrier.get("from"), carrier.get("to"), carrier.get("type")) == (c.bare, c.jid, kind)
    return carrier.find("%s/%s/%s" % (q(CARBONS, which), q(FORWARD, "forwarded"), q(NS_CLIENT, "message")))


@pytest.fixture
def trio(login):
    """a, and two clients of b of which the second takes copies."""
    a, b1 = login(), login(resource="one")
    b2 = login(b1.user, resource="two")
    carbons(b2)
    return a, b1, b2


def test_a_received_message_is_copied(trio):
    a, b1, b2 = trio
    sent = a.message(b1.jid, "to one")
    got = b1.wait_message("to one")
    message = copy(b2, "received", "to one")
    assert (message.get("from"), message.get("to"), message.get("id")) == (a.jid, b1.jid, sent)
    assert stanza_ids(message) == stanza_ids(got) and b1.bare in stanza_ids(got)
    b1.nothing(lambda e: local(e) == "message")


def test_a_sent_message_is_copied(trio):
    a, b1, b2 = trio
    sent = b1.message(a.jid, "from one")
    a.wait_message("from one")
    message = copy(b2, "sent", "from one")
    assert (message.get("from"), message.get("to"), message.get("id")) == (b1.jid, a.jid, sent)
    assert stanza_ids(message) == {b1.bare: query(b1).ids[0]}
    b1.nothing(lambda e: local(e) == "message")
    # The other way round: the first one takes no copies, and the sender gets none of its own.
    b2.message(a.jid, "from two")
    a.wait_message("from two")
    for c in (b1, b2):
        c.nothing(lambda e: local(e) == "message")


def test_nobody_gets_it_twice(trio):
    a, b1, b2 = trio
    carbons(b1)
    a.message(b1.bare, "to both")
    for c in (b1, b2):
        c.wait_message("to both")
        c.nothing(lambda e: local(e) == "message")


def test_a_client_that_reads_no_messages_gets_copies(login):
    a, b1 = login(), login()
    b2 = login(b1.user, priority=-1)
    carbons(b2)
    a.message(b1.bare, "to the readers")
    b1.wait_message("to the readers")
    copy(b2, "received", "to the readers")


def test_turning_copies_off(trio):
    a, b1, b2 = trio
    carbons(b2)
    carbons(b2, False)
    carbons(b2, False)
    talk(a, b1, ["unseen"])
    b2.nothing(lambda e: local(e) == "message")
    carbons(b2)
    talk(a, b1, ["seen"])
    copy(b2, "received", "seen")


def test_copies_between_ones_own_clients(login):
    """Neither who wrote it nor who got it gets a copy, the others get one."""
    b1 = login(resource="one")
    b2, b3 = login(b1.user, resource="two"), login(b1.user, resource="three")
    for c in (b1, b2, b3):
        carbons(c)
    b1.message(b2.jid, "note")
    b2.wait_message("note")
    b3.wait(lambda e: local(e) == "message" and any(b.text == "note" for b in e.iter(q(NS_CLIENT, "body"))))
    for c in (b1, b2, b3):
        c.nothing(lambda e: local(e) == "message")


@pytest.mark.parametrize("kind,content,copied", [
    ("chat", "<composing xmlns='http://jabber.org/protocol/chatstates'/>", True),
    ("chat", "<x xmlns='urn:example'/>", True),
    ("normal", "<body>x</body>", True),
    (None, "<body>x</body>", True),
    ("normal", "<received xmlns='urn:xmpp:receipts' id='1'/>", True),
    ("normal", "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>", True),
    ("normal", "<x xmlns='jabber:x:conference' jid='room@conf.test'/>", True),
    ("normal", "<x xmlns='urn:example'/>", False),
    ("chat", "<body>x</body><private xmlns='urn:xmpp:carbons:2'/><no-copy xmlns='urn:xmpp:hints'/>", False),
    ("chat", "<body>x</body><private xmlns='urn:xmpp:carbons:2'/>", False),
    ("chat", "<body>x</body><no-copy xmlns='urn:xmpp:hints'/>", False),
    ("headline", "<body>x</body>", False),
    ("groupchat", "<body>x</body>", False),
    # A private message from a room: it has sent it to all clients that joined.
    ("chat", "<body>x</body><x xmlns='http://jabber.org/protocol/muc#user'/>", False),
    ("chat", "<received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'/></received>", False),
    ("error", "<body>x</body><error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>", True),
])
def test_which_messages_are_copied(trio, kind, content, copied):
    a, b1, b2 = trio
    a.send("<message to='%s' id='it'%s>%s</message>" % (b1.jid, " type='%s'" % kind if kind else "", content))
    b1.wait(lambda e: local(e) == "message" and e.get("id") == "it")
    if copied:
        carrier = b2.wait(lambda e: local(e) == "message" and e.find(q(CARBONS, "received")) is not None)
        assert carrier.get("type") == kind
    else:
        b2.nothing(lambda e: local(e) == "message")


def test_copies_are_for_ones_own_session(pair):
    a, b = pair
    assert error_of(a.iq("set", "<enable xmlns='%s'/>" % CARBONS, to=b.bare))[0] == "not-allowed"
    assert error_of(a.iq("set", "<disable xmlns='%s'/>" % CARBONS, to=b.bare))[0] == "not-allowed"


def test_copies_end_with_the_session(login):
    a, b1 = login(), login(resource="one")
    b2 = login(b1.user, resource="two")
    carbons(b2)
    b2.close()
    b2 = login(b1.user, resource="two")
    talk(a, b1, ["for one"])
    b2.nothing(lambda e: local(e) == "message")


# --- XEP-0424 -------------------------------------------------------------------------------------------------------------

def retract(c, to, target):
    return c.message(to, "/me retracted a message", extra="<retract xmlns='%s' id='%s'/><fallback xmlns='urn:xmpp:fallback:0' for='%s'/>%s" % (
        RETRACT, target, RETRACT, HINT % "store"))


def until(condition, seconds=15):
    """Asks again until it is so: tombstones are written behind the retraction's back."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not come about"
        time.sleep(0.05)


def test_a_retracted_message_leaves_a_tombstone(pair):
    a, b = pair
    wrong = a.message(b.jid, "wrong recipient")
    b.wait_message("wrong recipient")
    retraction = retract(a, b.bare, wrong)
    assert b.wait_message("/me retracted a message").find(q(RETRACT, "retract")).get("id") == wrong
    until(lambda: "wrong recipient" not in query(a).bodies)
    for c in pair:
        page = query(c)
        assert page.bodies == [None, "/me retracted a message"]
        stone = page[0].message
        assert (stone.get("from"), stone.get("to"), stone.get("type"), stone.get("id")) == (a.jid, b.jid, "chat", wrong)
        retracted = stone.find(q(RETRACT, "retracted"))
        assert retracted.get("id") == retraction and STAMP.match(retracted.get("stamp"))
        assert page[0].stamp < retracted.get("stamp") or page[0].stamp[:19] == retracted.get("stamp")[:19]
        assert page[1].message.find(q(RETRACT, "retract")) is not None


def test_only_its_sender_retracts_a_message(login):
    a, b, c = login(), login(), login()
    sent = a.message(b.jid, "mine")
    b.wait_message("mine")
    for thief in (b, c):
        retract(thief, (a if thief is b else b).bare, sent)
    a.wait_message("/me retracted a message")
    b.wait_message("/me retracted a message")
    # Whatever that did is done when the sender's own retraction of another message is.
    other = a.message(b.jid, "other")
    retract(a, b.bare, other)
    until(lambda: "other" not in query(a).bodies)
    assert "mine" in query(a).bodies and "mine" in query(b).bodies


def test_a_retraction_of_nothing(pair):
    a, b = pair
    retract(a, b.bare, "no-such-message")
    b.wait_message("/me retracted a message")
    assert query(b).bodies == ["/me retracted a message"]


# --- XEP-0013 -------------------------------------------------------------------------------------------------------------

def offline(c, kind, content, to=None):
    return c.iq(kind, "<offline xmlns='%s'>%s</offline>" % (OFFLINE, content), to=to)


def waiting_count(c):
    query_element = c.iq("get", "<query xmlns='%s' node='%s'/>" % (DISCO_INFO, OFFLINE)).find(q(DISCO_INFO, "query"))
    identity = query_element.find(q(DISCO_INFO, "identity"))
    assert (identity.get("category"), identity.get("type")) == ("automation", "message-list") and query_element.get("node") == OFFLINE
    fields = {f.get("var"): f.findtext("{jabber:x:data}value") for f in query_element.iter("{jabber:x:data}field")}
    assert fields["FORM_TYPE"] == OFFLINE
    return int(fields["number_of_messages"])


def headers(c):
    items = c.iq("get", "<query xmlns='%s' node='%s'/>" % (DISCO_ITEMS, OFFLINE)).find(q(DISCO_ITEMS, "query"))
    assert items.get("node") == OFFLINE and all(i.get("jid") == c.bare for i in items)
    return [(i.get("node"), i.get("name")) for i in items]


def items(action, nodes):
    return "".join("<item action='%s' node='%s'/>" % (action, n) for n in nodes)


@pytest.fixture
def mailbox(login):
    """A sender, and a client without presence for whom m1 to m4 wait."""
    a, b = login(), login()
    b.close()
    left_messages(a, b.bare, numbered(4))
    return a, login(b.user, online=False)


def is_message(e):
    return local(e) == "message"


def test_offline_messages_are_listed(mailbox):
    a, b = mailbox
    assert waiting_count(b) == 4
    found = headers(b)
    assert len(found) == 4 and all(name == a.jid for _, name in found) and [n for n, _ in found] == sorted(n for n, _ in found)
    b.online()
    b.nothing(is_message)
    # Messages of now come as ever, and are none of those.
    a.message(b.bare, "now")
    b.wait_message("now")
    assert waiting_count(b) == 4 and len(headers(b)) == 4


def test_offline_messages_are_viewed_and_stay(mailbox):
    a, b = mailbox
    nodes = [n for n, _ in headers(b)]
    answer = offline(b, "get", items("view", [nodes[2], nodes[0]]))
    assert answer.get("type") == "result"
    for body, node in (("m1", nodes[0]), ("m3", nodes[2])):
        got = b.wait_message(body)
        assert got.get("from") == a.jid and got.find(q(NS_DELAY, "delay")) is not None
        assert got.find("%s/%s" % (q(OFFLINE, "offline"), q(OFFLINE, "item"))).get("node") == node
    assert waiting_count(b) == 4
    b.close()
    b = Client(a.flock).login(b.user.name, b.user.password).online()
    for body in numbered(4):
        b.wait_message(body)
    b.close()


def test_offline_messages_are_removed(mailbox, login):
    a, b = mailbox
    nodes = [n for n, _ in headers(b)]
    assert offline(b, "set", items("remove", [nodes[0], nodes[2]])).get("type") == "result"
    assert waiting_count(b) == 2 and [n for n, _ in headers(b)] == [nodes[1], nodes[3]]
    assert error_of(offline(b, "set", items("remove", [nodes[0]])))[0] == "item-not-found"
    assert error_of(offline(b, "get", items("view", [nodes[2]])))[0] == "item-not-found"
    b.close()
    b = login(b.user)
    b.wait_message("m2")
    b.wait_message("m4")
    b.nothing(is_message)
    # Archives are another matter.
    assert query(b).bodies == numbered(4)


def test_offline_messages_are_fetched_and_purged(mailbox, login):
    a, b = mailbox
    assert offline(b, "get", "<fetch/>").get("type") == "result"
    for body in numbered(4):
        assert b.wait_message(body).find(q(OFFLINE, "offline")) is not None
    b.online()
    b.nothing(is_message)
    assert offline(b, "set", "<purge/>").get("type") == "result"
    assert waiting_count(b) == 0 and headers(b) == []
    assert offline(b, "get", "<fetch/>").get("type") == "result"
    b.nothing(is_message)
    b.close()
    b = login(b.user)
    b.nothing(is_message)


def test_others_get_no_flood_while_one_reads(mailbox, login):
    a, b = mailbox
    assert waiting_count(b) == 4
    c = login(b.user)
    c.nothing(is_message)
    a.message(b.bare, "now")
    c.wait_message("now")
    # Nobody reads them one by one any more.
    b.close()
    for body in numbered(4):
        c.wait_message(body)


@pytest.mark.parametrize("kind,content,condition", [
    ("get", "", "bad-request"),
    ("get", "<purge/>", "bad-request"),
    ("set", "<fetch/>", "bad-request"),
    ("get", items("remove", ["1700000000000000"]), "bad-request"),
    ("set", items("view", ["1700000000000000"]), "bad-request"),
    ("get", items("view", ["1700000000000000"]), "item-not-found"),
    ("set", items("remove", ["2003-02-27T22:52:37.225Z"]), "item-not-found"),
    ("set", items("remove", ["1%015d" % i for i in range(501)]), "policy-violation"),
], ids=lambda v: v[:40])
def test_bad_offline_requests(mailbox, kind, content, condition):
    _, b = mailbox
    assert error_of(offline(b, kind, content))[0] == condition
    assert waiting_count(b) == 4


def test_offline_messages_of_others(mailbox):
    a, b = mailbox
    assert error_of(offline(a, "get", "<fetch/>", to=b.bare))[0] == "forbidden"
    for ns in (DISCO_INFO, DISCO_ITEMS):
        assert error_of(a.iq("get", "<query xmlns='%s' node='%s'/>" % (ns, OFFLINE), to=b.bare))[0] in ("forbidden", "service-unavailable")


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
