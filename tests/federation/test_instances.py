# SPDX-License-Identifier: Apache-2.0
"""Several instances of s2s: streams come to any of them, a remote domain belongs to one at a time, and changes hands without loss when that one is stopped
or killed."""
import os
import signal

import pytest

from raw import message
from test_promise import acknowledged, managed
from xmpp import local

SCALE = "s2s=3"
ENDS = ("ended", "restarting")


@pytest.fixture
def user(wild, users):
    return users.login(wild.starling)


@pytest.fixture
def keeper(wild, request):
    """A client whose stanzas are counted."""
    name = request.node.name.replace("_", "-")
    wild.starling.register(name)
    client = managed(wild.starling, name)
    yield client
    client.close()


def no_answer(stream, e):
    """Says nothing."""


def owners(wild, servers, user):
    """Which instance speaks with each; all have been spoken with."""
    for server in servers:
        user.message("a@" + server.domain, "first")
    for server in servers:
        server.wait_message("first")
    links = [link for link in wild.starling.links() if link["direction"] != "in" and link["state"] == "open"]
    found = {server.domain: [link["instance"] for link in links if link["remote"] == server.domain] for server in servers}
    assert all(len(instances) == 1 for instances in found.values()), found
    return {domain: instances[0] for domain, instances in found.items()}


def two_of_one(wild, user):
    """Two servers with which the same instance speaks, its name, and one with which another does."""
    servers = []
    while len(servers) < 30:
        servers += [wild.server() for _ in range(4)]
        of = owners(wild, servers[-4:], user)
        for one in servers[-4:]:
            same = [s for s in servers[-4:] if s is not one and of[s.domain] == of[one.domain]]
            others = [s for s in servers[-4:] if of[s.domain] != of[one.domain]]
            if same and others:
                return one, same[0], of[one.domain], others[0]
    raise AssertionError("one instance has everything: %s" % of)


def test_streams_come_to_any(wild, user):
    name = wild.fresh()
    certificate = wild.certificate(name)
    origins = [wild.origin(name).proved(certificate) for _ in range(16)]
    for i, o in enumerate(origins):
        o.send(message("a@" + name, user.jid, "by %d" % i))
    assert {user.wait_message().findtext("{jabber:client}body") for _ in origins} == {"by %d" % i for i in range(16)}
    links = wild.starling.links(name)
    assert len(links) == 16 and {link["direction"] for link in links} == {"in"}
    assert len({link["instance"] for link in links}) > 1


def test_one_owner_each(wild, users, user):
    """Whoever writes: one stream, by one instance; not all by the same."""
    servers = [wild.server() for _ in range(10)]
    of = owners(wild, servers, user)
    assert len(set(of.values())) > 1
    second = users.login(wild.starling)
    for server in servers:
        second.message("a@" + server.domain, "second")
    for server in servers:
        server.wait_message("second")
        assert server.connections == 1
    assert owners(wild, servers, user) == of


def test_stopped_in_order(wild, user):
    """It gives up domain by domain: nobody waits for its end, nor for those that have not answered it."""
    slow, well, instance, _ = two_of_one(wild, user)
    flock = wild.starling.flock
    slow.on["r"] = no_answer  # on the stream that is open
    user.message("a@" + slow.domain, "unheard")
    slow.wait_message("unheard")
    pid = flock.pid(instance)
    with flock.expect(*ENDS):
        os.kill(pid, signal.SIGTERM)
        user.message("a@" + well.domain, "handed over")
        well.wait_message("handed over")
        os.kill(pid, 0)  # it is still there: it waits for the slow one's acknowledgement
        slow.mend()
        user.message("a@" + slow.domain, "behind")
        assert [slow.got.get(timeout=20).findtext("{jabber:server}body") for _ in range(2)] == ["unheard", "behind"]
        flock.wait_healthy()


def test_order_across_stops(wild, user, keeper):
    """Each once, in order, though the domain changes hands again and again: the new instance of the name gets it back."""
    server, _, instance, _ = two_of_one(wild, user)
    flock = wild.starling.flock
    bodies = ["m%d" % i for i in range(60)]
    with flock.expect(*ENDS):
        for i, body in enumerate(bodies):
            keeper.message("a@" + server.domain, body)
            if i in (20, 40):
                os.kill(flock.pid(instance), signal.SIGTERM)
                flock.wait_healthy()
        acknowledged(keeper, len(bodies))
        got = [server.got.get(timeout=20) for _ in bodies]
        flock.wait_healthy()
    assert [e.findtext("{jabber:server}body") for e in got if local(e) == "message"] == bodies
    keeper.message("a@" + server.domain, "last")
    server.wait_message("last")
    assert server.got.empty()


def test_queue_changes_hands(wild, user, keeper):
    """What waits for a server that is away goes with its domain."""
    server, _, instance, _ = two_of_one(wild, user)
    server.on = {**server.polite, "header": no_answer}
    server.streams[-1].cut()
    bodies = ["waits %d" % i for i in range(10)]
    for body in bodies[:5]:
        keeper.message("a@" + server.domain, body)
    acknowledged(keeper, 5)  # in the store
    flock = wild.starling.flock
    with flock.expect(*ENDS):
        os.kill(flock.pid(instance), signal.SIGTERM)
        for body in bodies[5:]:
            keeper.message("a@" + server.domain, body)
        server.mend()
        assert [server.got.get(timeout=30).findtext("{jabber:server}body") for _ in bodies] == bodies
        acknowledged(keeper, len(bodies))
        flock.wait_healthy()


def test_killed(wild, user, keeper):
    """Nothing is lost and order holds; a server that does not know our keys may get again what it had not acknowledged. Others notice nothing."""
    server, _, instance, other = two_of_one(wild, user)
    flock = wild.starling.flock
    bodies = ["m%d" % i for i in range(40)]
    with flock.expect(*ENDS, "slot .* is another"):
        for i, body in enumerate(bodies):
            keeper.message("a@" + server.domain, body)
            if i == 20:
                os.kill(flock.pid(instance), signal.SIGKILL)
                user.message("a@" + other.domain, "unmoved")
        other.wait_message("unmoved")
        acknowledged(keeper, len(bodies))
        keeper.message("a@" + server.domain, "last")
        got = []
        while "last" not in got:
            e = server.got.get(timeout=30)
            if local(e) == "message":
                got.append(e.findtext("{jabber:server}body"))
        flock.wait_healthy()
    assert list(dict.fromkeys(got)) == [*bodies, "last"]
    assert other.connections == 1
