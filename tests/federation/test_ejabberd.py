# SPDX-License-Identifier: Apache-2.0
"""Starling and Debian's ejabberd 23.01: by certificate and by dialback. It acknowledges nothing between servers."""
import pytest

from peers import Ejabberd, Starling
from xmpp import befriend

KINDS = {
    "certificate": dict(),
    "dialback": dict(secure=False, self_signed=True),
}


@pytest.fixture(scope="module", params=sorted(KINDS))
def pair(request, authority, dns):
    number = sorted(KINDS).index(request.param)
    ejabberd = Ejabberd("e%d.example.net" % number, authority, dns, **KINDS[request.param])
    try:
        starling = Starling("es%d.example.net" % number, authority, dns)
        Ejabberd.found_by(dns, starling)
        try:
            yield starling, ejabberd, request.param
        finally:
            starling.close()
    finally:
        ejabberd.close()


def both(pair, users, turned):
    a, b = users.login(pair[0]), users.login(pair[1])
    return (b, a) if turned else (a, b)


@pytest.mark.parametrize("turned", [False, True])
def test_messages_both_ways(pair, users, turned):
    a, b = both(pair, users, turned)
    for i in range(5):
        a.message(b.bare, "there %d" % i)
    for i in range(5):
        assert b.wait_message("there %d" % i).get("from") == a.jid
    for i in range(5):
        b.message(a.jid, "back %d" % i)
    for i in range(5):
        assert a.wait_message("back %d" % i).get("from") == b.jid


@pytest.mark.parametrize("turned", [False, True])
def test_subscription(pair, users, turned):
    a, b = both(pair, users, turned)
    befriend(a, b)
    a.presence("<status>here</status>")
    b.wait(lambda e: e.get("from") == a.jid and e.findtext("{jabber:client}status") == "here")


def test_proof(pair, users):
    """As the kind says, in both directions."""
    a, b = users.login(pair[0]), users.login(pair[1])
    a.message(b.bare, "there")
    b.wait_message("there")
    b.message(a.bare, "back")
    a.wait_message("back")
    log = pair[0].flock.log("s2s-1")
    assert "stream to %s from %s proof=%s" % (pair[1].domain, pair[0].domain, pair[2]) in log
    assert "stream from %s to %s proof=%s" % (pair[1].domain, pair[0].domain, pair[2]) in log


def test_question_to_the_server(pair, users):
    for c in (users.login(pair[0]), users.login(pair[1])):
        for server in pair[:2]:
            answer = c.iq("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>", to=server.domain)
            assert answer.get("type") == "result", answer
