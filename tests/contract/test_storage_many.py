# SPDX-License-Identifier: Apache-2.0
"""The message log while two instances of storage write for the same accounts, and while one of them, or PostgreSQL, is killed."""
import os
import signal
import threading
import time

import pytest

from starling_bus import Bus, CallFailed, E, storage_pb2 as s
from test_storage import Storage
from test_storage_log import fetch, ids, log, meta

pytestmark = pytest.mark.skipif(bool(os.environ.get("STARLING_DIR")), reason="kills daemons of its own")


@pytest.fixture(scope="module")
def flock():
    from flock import Flock
    with_two = Flock(settings={"stall_warn": "5s"}).up("storage=2")
    try:
        yield with_two
        with_two.check()
    finally:
        with_two.close()


class Instance(Storage):
    """Calls one instance of storage, by its place in the directory."""

    def __init__(self, bus, host, place):
        super().__init__(bus, host)
        self.place = place

    def __call__(self, method, request, payload=b""):
        ready = sorted(i for i, r in self.bus.instances("storage").items() if r.state == 1)
        if len(ready) <= self.place:
            self.bus.pump_until(lambda: False, 0.1)
            raise CallFailed(E.CODE_UNAVAILABLE, "not ready")
        return self.bus.call(ready[self.place], "storage." + method, request, payload=payload, timeout=5)


class Worker(threading.Thread):
    """Runs a function with a connection of its own; what it raises comes out of finish()."""

    def __init__(self, flock, place, function, *args):
        super().__init__(daemon=True)
        self.flock, self.place, self.function, self.args, self.error = flock, place, function, args, None
        self.start()

    def run(self):
        try:
            with Bus(self.flock.state, "starlingctl") as bus:
                bus.pump_until(lambda: len(bus.instances("storage")) >= 2, 10)
                self.function(Instance(bus, self.flock.host, self.place), *self.args)
        except BaseException as error:  # pylint: disable=broad-except
            self.error = error

    def finish(self, timeout=90):
        self.join(timeout)
        assert not self.is_alive()
        if self.error:
            raise self.error


@pytest.fixture
def accounts(flock):
    with Bus(flock.state, "starlingctl") as bus:
        assert bus.pump_until(lambda: sum(r.state == 1 for r in bus.instances("storage").values()) == 2, 20)
        store = Storage(bus, flock.host)
        yield [store.account() for _ in range(3)]


def repeatedly(store, method, *args, **fields):
    """Until it succeeds; each try but the first is marked as a repetition, as who appends to the log must do."""
    end = time.monotonic() + 60
    while True:
        try:
            return method(store, *args, **fields)
        except CallFailed as failure:
            assert failure.name in ("UNAVAILABLE", "TIMEOUT", "PEER_LOST", "OVERLOAD") and time.monotonic() < end, failure.name
            fields["check"] = True


def write(store, accounts, stream, count):
    for n in range(1, count + 1):
        a, b = accounts[n % 3], accounts[(n + stream) % 3]
        repeatedly(store, log, a, b, m=meta(a, b, "%d-%d" % (stream, n)), key_stream=stream, key_number=n)


def follow(store, account, stop, seen):
    """Reads behind the last position seen, again and again."""
    while True:
        last_time = stop.is_set()
        try:
            page = fetch(store, account, seen[-1] if seen else 0, 50)
        except CallFailed:
            continue
        seen += ids(page)
        if last_time and page.complete:
            return


def test_readers_miss_nothing(flock, accounts):
    stop, seen = threading.Event(), {a: [] for a in accounts}
    readers = [Worker(flock, n % 2, follow, a, stop, seen[a]) for n, a in enumerate(accounts)]
    writers = [Worker(flock, n % 2, write, accounts, 10 + n, 60) for n in range(4)]
    for w in writers:
        w.finish()
    stop.set()
    for r in readers:
        r.finish()
    with Bus(flock.state, "starlingctl") as bus:
        store = Storage(bus, flock.host)
        bus.pump_until(lambda: bus.instances("storage"), 5)
        for account in accounts:
            assert seen[account] == ids(fetch(store, account)), "rows became visible behind the reader"
            assert len(seen[account]) > 100


def assert_each_once(flock, accounts, streams, count):
    """All that was written is there, once, in the order of writing."""
    with Bus(flock.state, "starlingctl") as bus:
        store = Storage(bus, flock.host)
        assert bus.pump_until(lambda: any(r.state == 1 for r in bus.instances("storage").values()), 20)
        entries = {e.id: e for a in accounts for e in fetch(store, a).entries}
    for stream in streams:
        numbers = [int(entries[i].meta.id.split("-")[1]) for i in sorted(entries) if entries[i].meta.id.startswith("%d-" % stream)]
        assert numbers == list(range(1, count + 1))


def test_storage_is_killed(flock, accounts):
    with flock.expect(".*"):
        writers = [Worker(flock, n, write, accounts, 20 + n, 200) for n in range(2)]
        for _ in range(2):
            time.sleep(0.6)
            os.kill(flock.pid(flock.names("storage")[0]), signal.SIGKILL)
        for w in writers:
            w.finish()
        flock.wait_healthy()
    assert_each_once(flock, accounts, (20, 21), 200)


def test_postgresql_is_killed(flock, accounts):
    with flock.expect(".*"):
        writers = [Worker(flock, n, write, accounts, 30 + n, 200) for n in range(2)]
        time.sleep(0.5)
        os.kill(flock.pid("postgres"), signal.SIGQUIT)
        for w in writers:
            w.finish()
        flock.wait_healthy()
    assert_each_once(flock, accounts, (30, 31), 200)
