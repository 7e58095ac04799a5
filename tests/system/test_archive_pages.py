# SPDX-License-Identifier: Apache-2.0
"""Filters and pages of an archive (XEP-0313, 0059)."""
import pytest

from archive import MAM, field, form, numbered, query, refused, rsm, talk
from xmpp import q


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
