# SPDX-License-Identifier: Apache-2.0
"""Queues of MQTT sessions while two instances of storage write for them, and while one of them, or PostgreSQL, is killed; and while owners change."""
import os
import signal
import threading
import time

import pytest

from starling_bus import Bus, CallFailed
from test_storage import Storage
from test_storage_many import Worker, flock  # noqa: F401
from test_storage_mqtt import B, Session
from ipc.proto import mqtt_store_pb2 as q

pytestmark = pytest.mark.skipif(bool(os.environ.get("STARLING_DIR")), reason="kills daemons of its own")

AWAY = ("UNAVAILABLE", "TIMEOUT", "PEER_LOST", "OVERLOAD")


def opened(store):
    """Three, as soon as the database is there again: a test before has killed it."""
    end = time.monotonic() + 20
    while True:
        try:
            return [Session(store) for _ in range(3)]
        except CallFailed as failure:
            assert failure.name in AWAY and time.monotonic() < end, failure.name
            time.sleep(0.1)


@pytest.fixture
def sessions(flock):  # noqa: F811
    with Bus(flock.state, "starlingctl") as bus:
        assert bus.pump_until(lambda: sum(r.state == 1 for r in bus.instances("storage").values()) == 2, 20)
        yield opened(Storage(bus, flock.host))


class Writer:
    """Queues numbered messages for all sessions; what fails is repeated as such, under new seqs, in the order of `turn`s that the writers share."""

    def __init__(self, fences, turn):
        self.fences, self.turn, self.lock = fences, turn, threading.Lock()

    def seq(self):
        with self.lock:
            self.turn[0] += 1
            return self.turn[0]

    def once(self, store, stream, n, again):
        to = [q.MqttQueued(fence=f, seq=self.seq(), qos=2) for f in self.fences]
        message = q.MqttMessage(topic="t", qos=2)
        return store("MqttQueue", q.MqttQueueRequest(message=message, to=to, key_origin=stream, key_number=n, again=again), b"%d-%d" % (stream, n))

    def __call__(self, store, stream, count, fenced):
        for n in range(1, count + 1):
            again, end = False, time.monotonic() + 60
            while True:
                try:
                    reply = self.once(store, stream, n, again)
                    break
                except CallFailed as failure:
                    assert failure.name in AWAY and time.monotonic() < end, failure.name
                    again = True
            fenced += [(stream, n)] * len(reply.fenced)


def payloads(store, session):
    """Of all that waits, in order of seq."""
    found, after = [], 0
    while True:
        page = store("MqttFetch", q.MqttFetchRequest(session=session, after=after, limit=100))
        found += [e.message.payload.decode() for e in page.entries]
        if page.complete:
            return found
        after = page.entries[-1].seq


def assert_each_once(flock, sessions, streams, count):  # noqa: F811
    with Bus(flock.state, "starlingctl") as bus:
        store = Storage(bus, flock.host)
        assert bus.pump_until(lambda: any(r.state == 1 for r in bus.instances("storage").values()), 20)
        wanted = sorted("%d-%d" % (stream, n) for stream in streams for n in range(1, count + 1))
        for session in sessions:
            assert sorted(payloads(store, session.fence.session)) == wanted


@pytest.mark.parametrize("victim, number", [("storage-1", signal.SIGKILL), ("postgres", signal.SIGQUIT)])
def test_each_once(flock, sessions, victim, number):  # noqa: F811
    """Whatever a writer does not know the fate of it repeats, through whichever instance is there: each session has each message once."""
    write, fenced = Writer([s.fence for s in sessions], [0]), []
    with flock.expect(".*"):
        writers = [Worker(flock, n, write, 20 + n, 200, fenced) for n in range(2)]
        time.sleep(0.6)  # into the writers' work; wherever it hits
        os.kill(flock.pid(victim), number)
        for w in writers:
            w.finish()
        flock.wait_healthy()
    assert not fenced
    assert_each_once(flock, sessions, (20, 21), 200)


def test_owners_change(flock, sessions):  # noqa: F811
    """What was stored before an owner changed the next one finds; what was not is said to be fenced: nothing comes in behind its back."""
    session, fenced = sessions[0], [[], []]
    turns = [[0], [10000]]
    writers = [Worker(flock, n, Writer([session.fence], turns[n]), 30 + n, 300, fenced[n]) for n in range(2)]
    while any(turn[0] % 10000 < 50 for turn in turns) and all(w.is_alive() for w in writers):
        time.sleep(0.005)
    session.open(instance=B, alive=[B])
    seen = sorted(payloads(session.store, session.fence.session))
    for w in writers:
        w.finish()
    with Bus(flock.state, "starlingctl") as bus:
        bus.pump_until(lambda: bus.instances("storage"), 5)
        assert seen and sorted(payloads(Storage(bus, flock.host), session.fence.session)) == seen
    for n in range(2):
        lost = {"%d-%d" % f for f in fenced[n]}
        assert lost and not lost & set(seen)
        assert {"%d-%d" % (30 + n, k) for k in range(1, 301)} == lost | {p for p in seen if p.startswith("%d-" % (30 + n))}
