# SPDX-License-Identifier: Apache-2.0
"""What waits for who is away: with an archive beside it (XEP-0160, 0313), and read one by one (XEP-0013)."""
import pytest

from archive import DISCO_INFO, HINT, OFFLINE, field, left_messages, numbered, query
from xmpp import NS_CLIENT, NS_DELAY, Client, error_of, local, q

DISCO_ITEMS = "http://jabber.org/protocol/disco#items"


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
