# SPDX-License-Identifier: Apache-2.0
"""Messages that are taken back (XEP-0424)."""
import time

from archive import HINT, RETRACT, STAMP, query
from xmpp import q


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
