# SPDX-License-Identifier: Apache-2.0
"""What an operator sees and does about federation: starlingctl s2s list, s2s close, s2s retry."""
import time

import pytest

from flock import Failed
from peers import Starling, free_port

# For test_retry: who has failed once does not try again by itself while a test runs.
SETTINGS = {"timeouts": {"retry_min": "1h", "retry_max": "1h"}}


@pytest.fixture(scope="module")
def pair(authority, dns):
    one, two = Starling("ops-one.example.net", authority, dns), Starling("ops-two.example.net", authority, dns)
    try:
        yield one, two
    finally:
        one.close()
        two.close()


def wait_links(server, remote, wanted, seconds=15):
    deadline = time.monotonic() + seconds
    while True:
        links = server.links(remote)
        if wanted(links):
            return links
        assert time.monotonic() < deadline, links
        time.sleep(0.1)


def open_links(links):
    return [link for link in links if link["state"] == "open"]


def talk(pair, users, text):
    a, b = users.login(pair[0]), users.login(pair[1])
    a.message(b.bare, text)
    b.wait_message(text)
    return a, b


def test_list_shows_the_link(pair, users):
    talk(pair, users, "listed")
    for server, other, directions in ((pair[0], pair[1], ("out", "both")), (pair[1], pair[0], ("in", "both"))):
        link = open_links(wait_links(server, other.domain, open_links))[0]
        assert (link["local"], link["remote"]) == (server.domain, other.domain)
        assert link["direction"] in directions
        assert link["proof"] == "certificate"
        assert link["tls"].startswith("TLSv1.3 ")
        assert link["managed"] is True
        assert link["compressed"] is False
        assert link["address"].startswith("127.0.0.1")
        assert link["instance"].startswith("s2s-")
        assert link["error"] == ""


def test_list_of_all_and_of_one(pair, users):
    talk(pair, users, "filtered")
    assert {link["remote"] for link in pair[0].links()} == {pair[1].domain}
    assert pair[0].links("nobody.example.net") == []
    assert open_links(pair[0].links(pair[1].domain.upper())), "the name is normalised"


def test_list_as_a_table(pair, users):
    talk(pair, users, "tabled")
    lines = pair[0].flock.ctl("s2s", "list").splitlines()
    assert lines[0].split() == ["LOCAL", "REMOTE", "DIRECTION", "STATE", "SINCE", "PROOF", "TLS", "MANAGED", "QUEUED", "SPOOLED", "ADDRESS",
                                "INSTANCE", "ERROR"]
    assert any(pair[1].domain in line and "certificate" in line for line in lines[1:])


def test_list_shows_why_it_fails(pair, users, dns):
    dns.records[("_xmpp-server._tcp.deaf.example.net", "SRV")] = [(10, 10, 1, "host.deaf.example.net")]
    dns.records[("host.deaf.example.net", "A")] = ["127.0.0.1"]
    a = users.login(pair[0])
    a.message("somebody@deaf.example.net", "never there")
    link = wait_links(pair[0], "deaf.example.net", lambda links: links and links[0]["error"])[0]
    assert link["state"] != "open" and link["proof"] == "" and link["tls"] == ""
    link = wait_links(pair[0], "deaf.example.net", lambda links: links and links[0]["spooled"] == 1)[0]
    assert link["queued"] == 1


def test_close_and_anew(pair, users):
    a, b = talk(pair, users, "before")
    closed = pair[0].flock.ctl_json("s2s", "close", pair[1].domain)["closed"]
    assert closed >= 1
    wait_links(pair[0], pair[1].domain, lambda links: not open_links(links))
    wait_links(pair[1], pair[0].domain, lambda links: not open_links(links))
    a.message(b.bare, "after")
    b.wait_message("after")
    assert open_links(wait_links(pair[0], pair[1].domain, open_links))
    assert "ended" in pair[0].flock.ctl("s2s", "close", pair[1].domain)


def resting(wild, user, body):
    """A server to which an attempt has failed, and to which the way is free now; the DNS has said something else before."""
    server = wild.server()
    server.move(free_port())
    user.message("a@" + server.domain, body)
    wait_links(wild.starling, server.domain, lambda links: links and links[0]["state"] == "waits to try again" and links[0]["error"])
    server.move(server.port)
    return server


def test_retry(wild, users):
    user = users.login(wild.starling)
    one, two = resting(wild, user, "one"), resting(wild, user, "two")
    assert wild.starling.flock.ctl_json("s2s", "retry", one.domain)["retried"] == 1
    one.wait_message("one")
    assert two.connections == 0
    with pytest.raises(Failed) as failed:
        wild.starling.flock.ctl("s2s", "retry", one.domain)
    assert failed.value.code == 2 and "nothing for %s waits" % one.domain in failed.value.err
    three = resting(wild, user, "three")
    assert "2 pairs of domains" in wild.starling.flock.ctl("s2s", "retry")
    two.wait_message("two")
    three.wait_message("three")
    assert one.connections == 1, "what is open goes on"
    with pytest.raises(Failed) as failed:
        wild.starling.flock.ctl("s2s", "retry")
    assert failed.value.code == 2 and "nothing waits" in failed.value.err


def test_close_tries_again(wild, users):
    """What waits connects anew, as after an end in good order."""
    user = users.login(wild.starling)
    server = resting(wild, user, "patience")
    assert wild.starling.flock.ctl_json("s2s", "close", server.domain) == {"closed": 0, "retried": 1}
    server.wait_message("patience")


@pytest.mark.parametrize("words, code, says", [
    (("close", "nobody.example.net"), 2, "no stream with nobody.example.net"),
    (("close",), 64, "the remote domain is missing"),
    (("close", "no domain"), 64, "is no domain"),
    (("list", "a@b"), 64, "is no domain"),
    (("retry", "a@b"), 64, "is no domain"),
    (("open", "a.example"), 64, "no action 'open'"),
    ((), 64, "too few arguments"),
    (("list", "a.example", "b.example"), 64, "unexpected argument"),
])
def test_refusals(pair, words, code, says):
    with pytest.raises(Failed) as failed:
        pair[0].flock.ctl("s2s", *words)
    assert failed.value.code == code and says in failed.value.err
