# SPDX-License-Identifier: Apache-2.0
"""Two flocks that compress what they say to each other (XEP-0138), proved by certificate and by dialback."""
import pytest

from peers import Starling
from test_operators import open_links, wait_links
from xmpp import befriend

KINDS = {"certificate": True, "dialback": False}


class Compressing(Starling):
    def __init__(self, *args, certify, **options):
        self.certified = certify
        super().__init__(*args, certify=certify, **options)

    def ca(self, host):
        return super().ca(host) if self.certified else self.flock.ca(host)


@pytest.fixture(scope="module", params=sorted(KINDS))
def pair(request, authority, dns):
    domains = ["%s-%s.example.net" % (name, request.param) for name in ("zip", "zap")]
    flocks = []
    try:
        for domain in domains:
            flocks.append(Compressing(domain, authority, dns, settings={"compression": True}, certify=KINDS[request.param]))
        yield (*flocks, request.param)
    finally:
        for flock in flocks:
            flock.close()


def test_messages_both_ways(pair, users):
    a, b = users.login(pair[0]), users.login(pair[1])
    for i in range(10):
        a.message(b.bare, "there %d " % i + "z" * 20000)
        b.message(a.bare, "back %d " % i + "z" * 20000)
    for i in range(10):
        assert b.wait_message("there %d " % i + "z" * 20000).get("from") == a.jid
        assert a.wait_message("back %d " % i + "z" * 20000).get("from") == b.jid
    for server, other in (pair[:2], pair[1::-1]):
        links = wait_links(server, other.domain, open_links)
        assert all(link["compressed"] and link["proof"] == pair[2] for link in open_links(links)), links


def test_presence_and_questions(pair, users):
    a, b = users.login(pair[0]), users.login(pair[1])
    befriend(a, b)
    answer = a.iq("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>", to=pair[1].domain)
    assert answer.get("type") == "result", answer


def test_a_long_text_of_one_letter(pair, users):
    """No ratio ends the stream: it would carry the same text again, for ever."""
    a, b = users.login(pair[0]), users.login(pair[1])
    a.message(b.bare, "y" * 200_000)
    a.message(b.bare, "next")
    assert len(b.wait_message().findtext("{jabber:client}body")) == 200_000
    b.wait_message("next")


def test_streams_end_and_begin_again(pair, users):
    a, b = users.login(pair[0]), users.login(pair[1])
    a.message(b.bare, "before")
    b.wait_message("before")
    assert pair[0].flock.ctl_json("s2s", "close", pair[1].domain)["closed"] >= 1
    a.message(b.bare, "after")
    b.wait_message("after")
    assert all(link["compressed"] for link in open_links(wait_links(pair[0], pair[1].domain, open_links)))
