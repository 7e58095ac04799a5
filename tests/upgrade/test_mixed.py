# SPDX-License-Identifier: Apache-2.0
"""Mixtures of this release and the one before that an operator may run for a long time: everything that both know works, and what needs both sides new is
not offered, or refused, and never waited for."""
import itertools

import pytest

from mixed import ROLES, Mixed
from test_sm import Managed, condition, managed
from xmpp import NS_CLIENT, Client, befriend, q

NS_SM = "urn:xmpp:sm:3"
SETTINGS = {"services": {
    "auth": {"iterations": 4096, "throttle": {"failures_per_minute": 0}},
    "c2s-edge": {"limits": {"logins_per_address": 0}},
}}
LEAVING = (r"ended \((status 0|signal 9, Killed)\), next start", r"(?i)lost|unavailable|gone|unhealthy")
numbers = itertools.count(1)


def all_of(build, **others):
    """{role or instance: build}"""
    return {**{role: build for role in ROLES}, **{name.replace("_", "-"): b for name, b in others.items()}}


def pair_of(role):
    return {**all_of("new"), role + "-1": "old", role + "-2": "new"}


# name: how many, which builds, and what becomes of stream management.
MIXTURES = {
    "old session-manager": ({}, all_of("new", session_manager="old"), "refused"),
    "old edge": ({}, all_of("new", c2s_edge="old"), "absent"),
    "old router": ({}, all_of("new", router="old"), "works"),
    "new router": ({}, all_of("old", router="new"), "absent"),
    "two storages": ({"storage": 2}, pair_of("storage"), "works"),
    "two auths": ({"auth": 2}, pair_of("auth"), "works"),
    "two session-managers": ({"session-manager": 2}, pair_of("session-manager"), "by account"),
}


@pytest.fixture(scope="module")
def state():
    """One state folder, and one database, for all: what any mixture wrote, all others live with."""
    flock = Mixed(settings=SETTINGS)
    try:
        yield flock
    finally:
        flock.close()


@pytest.fixture(params=MIXTURES)
def mixture(state, request):
    scale, builds, management = MIXTURES[request.param]
    state.up_mixed(scale, builds)
    try:
        yield state, management
    finally:
        state.down()
        state.check()


def people(flock, count):
    names = ["user%d" % next(numbers) for _ in range(count)]
    for name in names:
        flock.register(name, "secret")
    return names


def log_in(flock, name):
    return Client(flock).login(name, "secret")


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


def check_offline(a, flock, name):
    """In order, each once, with the account coming twice."""
    jid = "%s@%s" % (name, flock.host)
    for i in range(5):
        a.message(jid, "later %d" % i)
    a.nothing(lambda e: e.get("type") == "error")
    c = log_in(flock, name).online()
    assert [c.wait_message().findtext(q(NS_CLIENT, "body")) for _ in range(5)] == ["later %d" % i for i in range(5)]
    c.close()
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
    c.close()


def check_management(flock, management, sender, name):
    if management == "absent":
        c = log_in(flock, name)
        assert c.features.find(q(NS_SM, "sm")) is None
        c.close()
        return "absent"
    c, answer = enable(flock, name)
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
    names = people(flock, 6)
    clients = [log_in(flock, name).online() for name in names[:4]]
    for a, b in (clients[0:2], clients[1:3], clients[2:4], clients[3:] + clients[:1]):
        befriend(a, b)
        check_presence(a, b)
        check_chat(a, b, flock)
    check_stores(clients[0])
    check_offline(clients[0], flock, names[4])
    check_offline(clients[1], flock, names[5])
    for c in clients[:2]:
        c.close()
    clients[3].wait_presence(clients[0].jid, "unavailable")
    managements = {check_management(flock, management, clients[2], name) for name in names[:2] + names[4:]}
    assert managements == {management} or management == "by account" and managements <= {"works", "refused"}
    for c in clients[2:]:
        c.close()
