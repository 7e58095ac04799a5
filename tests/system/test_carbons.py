# SPDX-License-Identifier: Apache-2.0
"""Copies for one's other clients (XEP-0280)."""
import pytest

from archive import CARBONS, carbons, copy, query, stanza_ids, talk
from xmpp import NS_CLIENT, error_of, local, q


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
