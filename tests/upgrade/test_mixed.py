# SPDX-License-Identifier: Apache-2.0
"""Mixtures of this release and the one before that an operator may run for a long time: everything that both know works, and what needs both sides new is
not offered, or refused, and never waited for."""
import contextlib

import psycopg2
import pytest

from load import wait_until
from mixed import ROLES, Mixed
from test_sm import Managed, condition, managed
from xmpp import NS_CLIENT, Client, befriend, q

NS_SM = "urn:xmpp:sm:3"
SETTINGS = {"services": {
    "auth": {"iterations": 4096, "throttle": {"failures_per_minute": 0}},
    "c2s-edge": {"limits": {"logins_per_address": 0}},
}}
LEAVING = (r"ended \(status (0|127)\), next start", r"(?i)lost|unavailable|gone|unhealthy")


def all_of(build, **others):
    """{role or instance: build}"""
    return {**{role: build for role in ROLES}, **{name.replace("_", "-"): b for name, b in others.items()}}


def pair_of(role):
    return {**all_of("new"), role + "-1": "old", role + "-2": "new"}


# name: how many, which builds, and what becomes of stream management.
MIXTURES = {
    "old session-manager": ({}, all_of("new", session_manager="old"), {"refused"}),
    "old edge": ({}, all_of("new", c2s_edge="old"), {"absent"}),
    "old router": ({}, all_of("new", router="old"), {"works"}),
    "new router": ({}, all_of("old", router="new"), {"absent"}),
    "two storages, two auths": ({"storage": 2, "auth": 2}, {**pair_of("storage"), **pair_of("auth")}, {"works"}),
    "two session-managers": ({"session-manager": 2}, pair_of("session-manager"), {"works", "refused"}),
}
# Friends in a ring. They live through all mixtures, as does what is stored for them.
NAMES = ["alma", "bela", "cora", "dora"]
LATE = ["emil", "fred"]


@pytest.fixture(scope="module")
def state():
    """One state folder, and one database, for all: what any mixture wrote, all others live with."""
    flock = Mixed(settings=SETTINGS)
    try:
        yield flock
    finally:
        flock.close()


@contextlib.contextmanager
def running(flock, scale, builds):
    flock.up_mixed(scale, builds)
    try:
        yield flock
    finally:
        flock.down()
        flock.check()


@pytest.fixture(params=MIXTURES)
def mixture(state, request):
    scale, builds, management = MIXTURES[request.param]
    with running(state, scale, builds):
        yield state, management


def log_in(flock, name):
    if name not in flock.registered:
        flock.register(name, "secret")
        flock.registered.add(name)
    return Client(flock).login(name, "secret")


def meet(a, b):
    """They are friends, and see each other."""
    if b.bare not in a.roster():
        befriend(a, b)
    else:
        a.wait_presence(b.jid)


def check_chat(a, b, flock, rounds=3):
    for i in range(rounds):
        a.message(b.bare, "to %d" % i)
        b.message(a.jid, "fro %d" % i)
    for i in range(rounds):
        assert b.wait_message("to %d" % i).get("from") == a.jid
        assert a.wait_message("fro %d" % i).get("from") == b.jid


def check_presence(a, b):
    b.presence("<show>away</show>")
    a.wait(lambda e: e.get("from") == b.jid and e.findtext(q(NS_CLIENT, "show")) == "away")


def wait_removed(flock, name):
    """An older owner deletes what a client has read and waits for no answer; the next login may be faster than its storage."""
    with contextlib.closing(psycopg2.connect(flock.postgres)) as connection, connection.cursor() as cursor:
        connection.autocommit = True

        def waiting():
            cursor.execute("SELECT count(*) FROM offline_messages m JOIN accounts a ON a.id = m.account_id WHERE a.local = %s", (name,))
            return cursor.fetchone()[0]
        wait_until(lambda: waiting() == 0, 30, "what was delivered was not deleted")


def check_offline(a, flock, name):
    """In order, each once, with the account coming twice."""
    jid = "%s@%s" % (name, flock.host)
    for i in range(5):
        a.message(jid, "later %d" % i)
    a.nothing(lambda e: e.get("type") == "error")
    c = log_in(flock, name).online()
    assert [c.wait_message().findtext(q(NS_CLIENT, "body")) for _ in range(5)] == ["later %d" % i for i in range(5)]
    c.close()
    wait_removed(flock, name)
    c = log_in(flock, name).online()
    c.nothing(lambda e: e.tag == q(NS_CLIENT, "message"))
    c.close()


def check_stores(a):
    """What goes to the store and back, some times, so that each storage has its turn."""
    for i in range(4):
        a.iq("set", "<vCard xmlns='vcard-temp'><FN>%d</FN></vCard>" % i)
        assert a.iq("get", "<vCard xmlns='vcard-temp'/>").element.findtext(".//{vcard-temp}FN") == str(i)


def enable(flock, name):
    c = Managed(flock).login(name, "secret")
    return c, c.enable()


def check_archive(a, management):
    """A newer owner has one, whichever storages there are; an older one says no, each time."""
    answers = {a.iq("set", "<query xmlns='urn:xmpp:mam:2'/>").get("type") for _ in range(4)}
    assert answers == {"result"} if management == {"works"} else answers in ({"result"}, {"error"})


def check_resumption(flock, sender, name):
    c = managed(flock, name)
    sender.message(c.bare, "before")
    c.wait_message("before")
    c.message(sender.bare, "counted")
    assert c.request() == c.out
    sender.wait_message("counted")
    c.abort()
    sender.message(c.bare, "meanwhile")
    c = c.again(name)
    assert c.wait_message().findtext(q(NS_CLIENT, "body")) == "meanwhile"
    c.nothing(lambda e: e.tag == q(NS_CLIENT, "message"))
    c.ack()
    c.close()


def check_management(flock, expected, sender, name):
    if expected == {"absent"}:
        c = log_in(flock, name)
        assert c.features.find(q(NS_SM, "sm")) is None
        c.close()
        return "absent"
    c = Managed(flock).login(name, "secret")
    answer = c.enable()
    if answer.tag == q(NS_SM, "enabled"):
        c.close()
        check_resumption(flock, sender, name)
        return "works"
    assert condition(answer) == "feature-not-implemented"
    c.online()      # the session goes on without it
    sender.message(c.bare, "all the same")
    c.wait_message("all the same")
    c.close()
    return "refused"


def test_mixture(mixture):
    flock, management = mixture
    clients = [log_in(flock, name).online() for name in NAMES]
    for a, b in zip(clients, clients[1:] + clients[:1]):
        meet(a, b)
        check_presence(a, b)
        check_chat(a, b, flock)
    check_stores(clients[0])
    check_archive(clients[0], management)
    for a, name in zip(clients, LATE):
        log_in(flock, name).close()
        check_offline(a, flock, name)
    for c in clients[:2]:
        c.close()
    clients[3].wait_presence(clients[0].jid, "unavailable")
    assert {check_management(flock, management, clients[2], name) for name in NAMES[:2] + LATE} == management
    for c in clients[2:]:
        c.close()


def test_slots_go_to_and_fro(state):
    """Of two session-managers first the newer and then the older leaves for a while: the other takes its slots, and knows from what it wrote who is
    there and what waits."""
    with running(state, {"session-manager": 2}, pair_of("session-manager")) as flock:
        clients = [log_in(flock, name).online() for name in NAMES]
        pairs = list(zip(clients, clients[1:] + clients[:1]))
        for a, b in pairs:
            meet(a, b)
        log_in(flock, LATE[0]).close()
        for leaver, build in (("session-manager-2", "new"), ("session-manager-1", "old")):
            body = "without " + leaver
            with flock.expect(*LEAVING):
                flock.install(leaver, None)
                flock.ctl("drain", leaver, "--timeout", "30s")
                for name, (a, b) in zip(NAMES, pairs):
                    again = log_in(flock, name).online()
                    again.wait_presence(b.jid)
                    again.close()
                    a.message(b.bare, body)
                    b.wait_message(body)
                    check_presence(a, b)
                clients[0].message("%s@%s" % (LATE[0], flock.host), body)
                clients[0].nothing(lambda e: e.get("type") == "error")
                flock.install(leaver, build)
                flock.wait_healthy()
        # An older one does not see what the newer stored; it waits for the upgrade.
        with flock.expect(*LEAVING):
            flock.replace("session-manager-1", "new")
        late = log_in(flock, LATE[0]).online()
        assert {late.wait_message().findtext(q(NS_CLIENT, "body")) for _ in range(2)} == {"without session-manager-1", "without session-manager-2"}
        for c in clients + [late]:
            c.close()
