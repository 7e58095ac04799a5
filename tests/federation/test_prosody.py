# SPDX-License-Identifier: Apache-2.0
"""Starling and Debian's prosody: by certificate and by dialback, with stream management and bidi and without."""
import pytest

from peers import Prosody, Starling

KINDS = {
    "certificate, managed": dict(modules=("smacks",)),
    "certificate": dict(modules=()),
    "certificate, both ways": dict(modules=("smacks", "s2s_bidi")),
    "dialback": dict(modules=("smacks",), self_signed=True, secure=False),
    "dialback, not managed": dict(modules=(), self_signed=True, secure=False),
}


@pytest.fixture(scope="module", params=sorted(KINDS))
def pair(request, authority, dns):
    domain = "p%d.example.net" % sorted(KINDS).index(request.param)
    prosody = Prosody(domain, authority, dns, **KINDS[request.param])
    starling = Starling("s%d.example.net" % sorted(KINDS).index(request.param), authority, dns)
    try:
        yield starling, prosody
    finally:
        starling.close()
        prosody.close()


def test_messages_both_ways(pair, users):
    a, b = users.login(pair[0]), users.login(pair[1])
    for i in range(5):
        a.message(b.bare, "there %d" % i)
    for i in range(5):
        assert b.wait_message("there %d" % i).get("from") == a.jid
    for i in range(5):
        b.message(a.jid, "back %d" % i)
    for i in range(5):
        assert a.wait_message("back %d" % i).get("from") == b.jid


def test_subscription(pair, users):
    from xmpp import befriend
    a, b = users.login(pair[0]), users.login(pair[1])
    befriend(a, b)
    a.presence("<status>here</status>")
    assert b.wait_presence(a.jid).findtext("{jabber:client}status") == "here"
