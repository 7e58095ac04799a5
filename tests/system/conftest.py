# SPDX-License-Identifier: Apache-2.0
"""One flock for the whole run (STARLING_BIN: programs, STARLING_SCALE: such as c2s-edge=2,router=2). After every test its logs are checked."""
import itertools
import os
import sys
from collections import namedtuple

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from flock import Flock  # noqa: E402
from xmpp import Client  # noqa: E402

Account = namedtuple("Account", "name password host jid")
numbers = itertools.count(1)

# All tests come from one address, many of them to be refused. The second host lets users register themselves.
SETTINGS = {"services": {
    "auth": {"iterations": 4096, "throttle": {"failures_per_minute": 100000, "burst": 100000},
             "registration": {"enabled": True, "hosts": ["second.test"], "per_hour": 100000, "burst": 1000}},
    "c2s-edge": {"compression": True, "default_host": False, "limits": {"logins_per_address": 0}},
    "session-manager": {"offline_max": 60},
}}


@pytest.fixture(scope="session")
def flock_session():
    flock = Flock(settings=SETTINGS).up()
    try:
        yield flock
    finally:
        flock.close()


@pytest.fixture
def flock(flock_session):
    yield flock_session
    flock_session.check()


@pytest.fixture
def account(flock):
    """A function that makes a fresh account."""
    def make(name=None, password="secret", host=None):
        name = name or "user%d" % next(numbers)
        host = host or flock.host
        flock.register(name, password, host)
        return Account(name, password, host, "%s@%s" % (name, host))
    return make


@pytest.fixture
def login(flock, account):
    """login() gives a client of a new account; login(user) another of the same one."""
    clients = []

    def make(user=None, resource=None, online=True, priority=None):
        user = user or account()
        c = Client(flock).login(user.name, user.password, resource)
        c.user = user
        clients.append(c)
        if online:
            c.online(priority)
        return c

    yield make
    for c in clients:
        c.close()


@pytest.fixture
def pair(login):
    return login(), login()
