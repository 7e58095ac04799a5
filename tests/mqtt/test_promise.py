# SPDX-License-Identifier: Apache-2.0
"""What was acknowledged is there, and what is to come once comes once, whatever is killed (docs/decisions/0035-mqtt-broker.md).

A scenario is what was before the broker was killed, and behind its yield what is afterwards. All are prepared, then it is killed once: the supervisor waits
longer before each next start."""
import collections
import os
import signal
import struct
import threading
import time

import pytest

from conftest import LOST, restart
from raw import CONNACK, DISCONNECT, PINGREQ, PINGRESP, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, Raw, ack, connect, packet, publish, varint

GONE = (EOFError, OSError)


def u32(n):
    return struct.pack(">I", n)


# --- one broker is killed ------------------------------------------------------------------------------------------------------

SCENARIOS = {}


def scenario(names=None, cases=((),)):
    """Once for each case: the values of the parameters called names."""
    def add(function):
        for case in cases:
            values = case if isinstance(case, tuple) else (case,)
            SCENARIOS["-".join([function.__name__, *map(str, values)])] = (function, dict(zip(names.split(", ") if names else (), values)))
        return function
    return add


@scenario("qos", [1, 2])
def queued_messages_survive(raw, name, qos):
    a = raw().lasting(name)
    a.subscribed((name, 2), properties=b"\x0b" + varint(7))
    a.close()
    p = raw().lasting(name + "-p")
    for i in range(10):
        p.send(publish(name, b"%d" % i, qos, ident=i + 1))
        p.expect(PUBACK if qos == 1 else PUBREC)
    yield
    a = raw().lasting(name)
    assert a.present
    got = [a.expect(PUBLISH) for _ in range(10)]
    assert [(g.payload, g.qos, g.properties) for g in got] == [(b"%d" % i, qos, b"\x0b\x07") for i in range(10)]
    a.nothing_more()


# [MQTT-4.3.3-6] [MQTT-4.4.0-1]
@scenario()
def what_is_in_flight_goes_on(raw, name):
    """Sent and not acknowledged: again, under the same identifiers. PUBREC had come: PUBREL alone. Completed: nothing."""
    a = raw().lasting(name)
    a.subscribed((name, 2))
    p = raw().live(client=name + "-p")
    for i in range(4):
        p.send(publish(name, b"%d" % i, 2 if i else 1, ident=i + 1))
    sent = [a.expect(PUBLISH) for _ in range(4)]
    a.send(ack(PUBREC, sent[1].ident), ack(PUBREC, sent[2].ident))
    a.expect(PUBREL)
    a.expect(PUBREL)
    a.send(ack(PUBCOMP, sent[1].ident))
    a.nothing_more()
    p.send(publish(name, b"behind", 1, ident=9))
    a.expect(PUBLISH)  # so PUBCOMP has been told as well: it came in the same turn or before
    yield
    a = raw().lasting(name)
    assert a.present
    got = [a.next() for _ in range(4)]
    assert [g.kind for g in got] == [PUBLISH, PUBREL, PUBLISH, PUBLISH]
    assert [(g.ident, g.dup, g.payload) for g in (got[0], got[2])] == [(sent[0].ident, True, b"0"), (sent[3].ident, True, b"3")]
    assert got[1].body[:2] == struct.pack(">H", sent[2].ident)
    assert got[3].payload == b"behind"
    a.nothing_more()


# [MQTT-4.3.3-10]
@scenario("heard", [True, False])
def incoming_qos2_once(raw, name, heard):
    """The publisher sends it again, whether it had heard PUBREC or not; who subscribed gets it once."""
    a = raw().lasting(name)
    a.subscribed((name, 2))
    a.close()
    p = raw().lasting(name + "-p")
    p.send(publish(name, b"once", 2, ident=77))
    if heard:
        p.expect(PUBREC)
    yield
    p = raw().lasting(name + "-p")
    assert p.present
    p.send(publish(name, b"once", 2, ident=77, dup=True))
    p.expect(PUBREC)
    p.send(ack(PUBREL, 77))
    assert p.expect(PUBCOMP).body[:2] == struct.pack(">H", 77)
    p.send(publish(name, b"next", 2, ident=77))
    p.expect(PUBREC)
    a = raw().lasting(name)
    got = [a.expect(PUBLISH), a.expect(PUBLISH)]
    assert [(g.payload, g.qos) for g in got] == [(b"once", 2), (b"next", 2)]
    a.nothing_more()


# [MQTT-4.3.3-12]
@scenario()
def a_release_survives(raw, name):
    """PUBCOMP was heard: the identifier stands for another message, also after the broker has died."""
    a = raw().lasting(name)
    a.subscribed((name, 2))
    p = raw().lasting(name + "-p")
    p.send(publish(name, b"one", 2, ident=5))
    p.expect(PUBREC)
    p.send(ack(PUBREL, 5))
    p.expect(PUBCOMP)
    yield
    p = raw().lasting(name + "-p")
    p.send(publish(name, b"two", 2, ident=5))
    p.expect(PUBREC)
    a = raw().lasting(name)
    assert [a.expect(PUBLISH).payload for _ in range(2)] == [b"one", b"two"]


@scenario()
def retained_messages_survive(raw, name):
    p = raw().live(client=name)
    for topic, payload in (("a", b"1"), ("a", b"2"), ("b", b"x"), ("b", b""), ("c", b"with properties")):
        p.send(publish(name + "/" + topic, payload, 1, retain=True, properties=b"\x26\x00\x01k\x00\x01v" if topic == "c" else b""))
        p.expect(PUBACK)
    yield
    b = raw().live(client=name)
    b.subscribed((name + "/#", 1))
    got = {g.topic: g for g in (b.expect(PUBLISH), b.expect(PUBLISH))}
    b.nothing_more()
    assert {t: g.payload for t, g in got.items()} == {name + "/a": b"2", name + "/c": b"with properties"}
    assert got[name + "/c"].properties == b"\x26\x00\x01k\x00\x01v" and all(g.retain for g in got.values())
    for topic in ("a", "c"):
        b.send(publish(name + "/" + topic, b"", 1, retain=True))


@scenario("delay, vanished, lasts", [(0, False, True), (1, False, True), (3, True, True), (5, False, False)])
def wills_survive(raw, name, delay, vanished, lasts):
    """Of a client that was connected when its broker died, and of one that had vanished before and whose delay was not over."""
    b = raw().lasting(name)
    b.subscribed((name, 1))
    b.close()
    will = (name, b"gone", 1, False, b"\x18" + u32(delay) + b"\x02" + u32(60))
    a = raw().lasting(name + "-a", will=will) if lasts else raw().live(client=name + "-a", will=will)
    if vanished:
        a.close()
        raw().live(client=name + "-x").nothing_more()
    yield
    b = raw().lasting(name)
    p = b.expect(PUBLISH)
    assert (p.payload, p.properties[:1]) == (b"gone", b"\x02")
    b.send(ack(PUBACK, p.ident))
    b.nothing_more()


@scenario()
def subscriptions_keep_their_options(raw, name):
    a = raw().lasting(name)
    a.subscribed((name + "/nl", 4 | 1), (name + "/rap", 8 | 1), ("$share/g/" + name + "/s", 1))
    yield
    a = raw().lasting(name)
    a.send(publish(name + "/nl", b"own", 1, ident=1), publish(name + "/rap", b"kept", 1, ident=2, retain=True), publish(name + "/s", b"shared", 1, ident=3))
    got = []
    while len(got) < 2:
        p = a.next()
        got += [(p.payload, p.retain)] if p.kind == PUBLISH else []
    assert sorted(got) == [(b"kept", True), (b"shared", False)]
    a.send(publish(name + "/rap", b"", 1, retain=True))


@pytest.fixture(scope="module")
def prepared(flock_session):
    flock, clients, running = flock_session, [], {}

    def raw():
        clients.append(Raw(flock.address, flock.mqtt["tcp"]))
        return clients[-1]
    with flock.expect(LOST):
        for name, (function, values) in SCENARIOS.items():
            running[name] = function(raw, name, **values)
            next(running[name])
        restart(flock)
    yield running
    for client in clients:
        client.close()


@pytest.mark.parametrize("name", SCENARIOS)
def test_after_kill(flock, prepared, name):
    assert next(prepared[name], None) is None


# --- more is killed --------------------------------------------------------------------------------------------------------------


def test_the_store_is_killed(raw, kill, name):
    """What comes meanwhile is acknowledged when it is there again, and comes once."""
    a, p = raw().lasting(name), raw().live(client=name + "-p")
    a.subscribed((name, 2))

    kill("storage-1", then=lambda: p.send(*(publish(name, b"%d" % i, 1 + i % 2, ident=i + 1) for i in range(8))))
    for i in range(8):
        p.expect(PUBREC if i % 2 else PUBACK)
    got = [a.expect(PUBLISH) for _ in range(8)]
    assert [g.payload for g in got] == [b"%d" % i for i in range(8)]
    a.nothing_more()


# --- history -------------------------------------------------------------------------------------------------------------------


class Client(threading.Thread):
    """Comes back until it is done, and does then what the specification asks of it."""

    def __init__(self, flock, client):
        super().__init__(daemon=True)
        self.flock, self.client, self.error = flock, client, None

    def run(self):
        try:
            while not self.done():
                try:
                    self.once()
                except GONE:
                    continue
        except BaseException as error:
            self.error = error

    def once(self):
        raw = Raw(self.flock.address, self.flock.mqtt["tcp"])
        try:
            raw.send(connect(5, client=self.client, clean=False, properties=b"\x11" + u32(3600)))
            body = raw.expect(CONNACK).body
            if body[1] == 0:
                self.talk(raw)
        finally:
            raw.close()


class Publisher(Client):
    """Message after message, some at a time; each until it is complete."""

    window = 5

    def __init__(self, flock, topic, qos, count):
        super().__init__(flock, topic + "-p")
        self.topic, self.qos, self.count = topic, qos, count
        self.next, self.open, self.heard = 0, collections.OrderedDict(), set()  # open: number -> PUBREC has come

    def done(self):
        return self.next == self.count and not self.open

    def send(self, raw, number, dup):
        raw.send(publish(self.topic, b"%d" % number, self.qos, ident=number % 1000 + 1, dup=dup))

    def talk(self, raw):
        for number, released in self.open.items():
            if released:
                raw.send(ack(PUBREL, number % 1000 + 1))
            else:
                self.send(raw, number, True)
        while not self.done():
            while len(self.open) < self.window and self.next < self.count:
                self.open[self.next] = False
                self.next += 1
                self.send(raw, self.next - 1, False)
            p = raw.next()
            if p.kind == DISCONNECT:
                return
            number = next(n for n in self.open if n % 1000 + 1 == struct.unpack(">H", p.body[:2])[0])
            assert len(p.body) == 2 or p.body[2] < 0x80 or p.kind == PUBCOMP, p
            if p.kind == PUBREC:
                self.open[number] = True
                self.heard.add(number)
                raw.send(ack(PUBREL, number % 1000 + 1))
            else:
                del self.open[number]
                self.heard.add(number)


class Subscriber(Client):
    """Receives until the last number has come, and the broker has read every acknowledgement."""

    def __init__(self, flock, topic, count):
        super().__init__(flock, topic)
        self.topic, self.count, self.got, self.known, self.over = topic, count, [], set(), False

    def done(self):
        return self.over

    def talk(self, raw):
        asked = False
        while not self.over:
            if not asked and b"%d" % (self.count - 1) in self.got and not self.known:
                raw.send(packet(PINGREQ))
                asked = True
            p = raw.next()
            if p.kind == DISCONNECT:
                return
            if p.kind == PINGRESP:
                self.over = True
            elif p.kind == PUBLISH and p.qos == 1:
                self.got.append(p.payload)
                raw.send(ack(PUBACK, p.ident))
            elif p.kind == PUBLISH:
                if p.ident not in self.known:
                    self.got.append(p.payload)
                    self.known.add(p.ident)
                raw.send(ack(PUBREC, p.ident))
            elif p.kind == PUBREL:
                ident = struct.unpack(">H", p.body[:2])[0]
                self.known.discard(ident)
                raw.send(ack(PUBCOMP, ident))


def hang(flock, seconds):
    """The database says nothing for so long: longer than the broker waits for an answer, so that it has to ask again."""
    postgres = next(pid for name, pid in flock.children().items() if name.startswith("postgres"))
    stopped = [postgres, *map(int, open("/proc/%d/task/%d/children" % (postgres, postgres)).read().split())]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(seconds)
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)


def test_history(flock, raw, kill, roomy, name):
    """Broker and store are killed and the database hangs under the traffic: of what was acknowledged nothing is missing, and with QoS 2 nothing comes twice."""
    count, subscribers, publishers = 400, [], []
    for qos in (1, 2):
        topic = "%s-%d" % (name, qos)
        a = raw().lasting(topic)
        a.subscribed((topic, 2))
        a.close()
        subscribers.append(Subscriber(flock, topic, count))
        publishers.append(Publisher(flock, topic, qos, count))
    for thread in subscribers + publishers:
        thread.start()
    faults = (lambda: kill("mqtt-broker-1"), lambda: kill("storage-1"), lambda: hang(flock, 12), kill)
    marks = []
    for i, fault in enumerate(faults):
        while min(len(p.heard) for p in publishers) < count * (i + 1) / 6 and all(p.is_alive() for p in publishers):
            publishers[0].join(0.01)
        marks.append(([len(p.heard) for p in publishers], [len(s.got) for s in subscribers]))
        fault()
    for thread in publishers + subscribers:
        thread.join(100)
        assert thread.error is None, thread.error
        assert not thread.is_alive(), (thread.client, vars(thread))
    once, twice = ([int(x) for x in s.got] for s in subscribers)
    assert list(dict.fromkeys(once)) == list(range(count))
    missing, back = sorted(set(range(count)) - set(twice)), [(i, n) for i, n in enumerate(twice) if i and n != twice[i - 1] + 1]
    assert twice == list(range(count)), "missing %s, not behind the one before it %s, at the faults %s" % (missing, back, marks)
    for s in subscribers:
        raw().lasting(s.topic).nothing_more()
