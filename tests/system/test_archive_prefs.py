# SPDX-License-Identifier: Apache-2.0
"""What users want in their archives (XEP-0441)."""
import pytest

from archive import MAM, left_messages, query, stanza_ids, talk
from xmpp import error_of, q


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
