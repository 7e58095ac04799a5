# SPDX-License-Identifier: Apache-2.0
"""The store fails while stanzas for other servers are on their way into it, and nobody knows whether they are in: each is delivered once all the same."""
import os
import signal
import time

import psycopg2
import pytest

from peers import Starling, free_port
from raw import FakeServer
from test_promise import acknowledged, managed
from xmpp import local

LOCKS = 1398031704  # class of the advisory locks on slots (services/storage/migrations/0003_spool.sql)
AWAY = ("(?i)lost|ended|restarting|unavailable|unhealthy|no answer|silent|gone|stall",)


def slot_of(domain):
    h = 0xcbf29ce484222325
    for byte in domain.encode():
        h = (h ^ byte) * 0x100000001b3 % (1 << 64)
    return (h ^ h >> 32) % 1024


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)


class Store:
    """The flock's database, from behind."""

    def __init__(self, starling):
        self.connection = psycopg2.connect(starling.postgres)
        self.connection.autocommit = True

    def ask(self, sql, *values):
        with self.connection.cursor() as cursor:
            cursor.execute(sql, values)
            return cursor.fetchone()[0]

    def rows(self):
        return self.ask("SELECT count(*) FROM spool")

    def waiting(self):
        return self.ask("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND NOT granted", LOCKS)


@pytest.fixture
def place(request, authority, dns):
    """A flock, and a client whose stanzas are counted."""
    starling = Starling("spool.example.net", authority, dns, settings={"spool": {"after": "300ms"}}, scale=request.param,
                        others={"storage": {"statement_timeout": "2m"}})
    store, servers = Store(starling), []

    def away():
        """A server that cannot be reached, until it moves to where it is."""
        domain = "s%d.spool.example.net" % len(servers)
        servers.append(FakeServer(domain, dns, authority.issue(authority.folder, domain)))
        servers[-1].move(free_port())
        return servers[-1]

    starling.register("keeper")
    keeper = managed(starling, "keeper")
    try:
        yield starling, store, keeper, away
    finally:
        keeper.close()
        for server in servers:
            server.close()
        store.connection.close()
        starling.close()


def once(starling, store, keeper, server, bodies):
    """The server gets these, in order, each once; nothing is left for a next owner to find."""
    server.move(server.port)
    starling.flock.run("s2s", "--dir", starling.flock.state, "retry", server.domain)
    keeper.message("a@" + server.domain, "last")
    got = []
    while not got or got[-1] != "last":
        e = server.got.get(timeout=30)
        if local(e) == "message":
            got.append(e.findtext("{jabber:server}body"))
    assert got == [*bodies, "last"]


@pytest.mark.parametrize("place", ["storage=1"], indirect=True)
def test_storage_is_killed_over_an_append(place):
    """What it has begun PostgreSQL goes on with: the row comes when the storage is long gone."""
    starling, store, keeper, away = place
    server = away()
    store.ask("SELECT count(pg_advisory_lock(%s, %s))", LOCKS, slot_of(server.domain))
    bodies = ["m%d" % i for i in range(5)]
    for body in bodies:
        keeper.message("a@" + server.domain, body)
    wait_until(lambda: store.waiting() == 1)
    with starling.flock.expect(*AWAY):
        os.kill(starling.flock.pid("storage-1"), signal.SIGKILL)
        wait_until(lambda: store.waiting() == 2)  # the claim of a higher epoch, behind the append
        store.ask("SELECT count(pg_advisory_unlock(%s, %s))", LOCKS, slot_of(server.domain))
        acknowledged(keeper, len(bodies))
        assert store.rows() == len(bodies)
        once(starling, store, keeper, server, bodies)
        starling.flock.wait_healthy()
    wait_until(lambda: store.rows() == 0)


@pytest.mark.parametrize("place", ["storage=2"], indirect=True)
def test_storage_is_frozen_over_an_append(place):
    """It wakes when all has been delivered, and does what it was asked for before: too late."""
    starling, store, keeper, away = place
    servers = [away() for _ in range(8)]
    frozen = starling.flock.pid("storage-1")
    with starling.flock.expect(*AWAY, r"\[storage-1\] event loop stalled"):
        os.kill(frozen, signal.SIGSTOP)
        try:
            for server in servers:
                keeper.message("a@" + server.domain, "once")
            acknowledged(keeper, len(servers), timeout=90)
            for server in servers:
                once(starling, store, keeper, server, ["once"])
            wait_until(lambda: store.rows() == 0)
        finally:
            os.kill(frozen, signal.SIGCONT)
        starling.flock.wait_healthy()
        for server in servers:
            keeper.message("a@" + server.domain, "after")
            server.wait_message("after")
    wait_until(lambda: store.rows() == 0)
    assert starling.flock.log("s2s-1").count("took ") == 1, "it was never thought to be another's"
