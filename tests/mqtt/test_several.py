# SPDX-License-Identifier: Apache-2.0
"""Three brokers are one (docs/decisions/0040-mqtt-several-brokers.md). All have the same ports: whose a connection is, the kernel says."""
import os
import random
import signal
import struct
import time

import pytest

from conftest import LOST, Flock, settings
from raw import PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, UNSUBACK, Raw, ack, publish, unsubscribe
from test_promise import Publisher, Subscriber, hang

BROKERS = ["mqtt-broker-1", "mqtt-broker-2", "mqtt-broker-3"]
TRIES = 200


def u32(n):
    return struct.pack(">I", n)


@pytest.fixture(scope="module")
def flock_session():
    flock = Flock(settings=settings(access="", limits={"connect_rate": 0}))
    flock.up("mqtt-broker=3,c2s-edge=0,session-manager=0")
    for name in ("romeo", "juliet"):
        flock.register(name, "secret", flock.host)
    flock.mqtt = {"tcp": 1883 + flock.offset}
    try:
        yield flock
    finally:
        flock.close()


def owner(client, pids):
    """Which of the processes has the other end of the connection; None: none yet."""
    here, there = client.socket.getsockname(), client.socket.getpeername()
    ends = ["%08X:%04X" % (struct.unpack("<I", bytes(map(int, a.split("."))))[0], p) for a, p in (there, here)]
    with open("/proc/net/tcp") as f:
        inode = next((row.split()[9] for row in f if row.split()[1:3] == ends), "0")
    for pid in pids:
        try:
            if any(os.readlink(entry.path) == "socket:[%s]" % inode for entry in os.scandir("/proc/%d/fd" % pid)):
                return pid
        except OSError:
            pass  # it was killed, or closed one meanwhile
    return None


@pytest.fixture
def at(flock):
    """A function that connects to one of the brokers, 0 to 2: as often as the kernel takes to choose it."""
    clients = []

    def make(which):
        running = flock.children()
        pids = [running.get(b, 0) for b in BROKERS]
        for _ in range(TRIES):
            client = Raw(flock.address, flock.mqtt["tcp"])
            client.send(b"\x10")  # so it is accepted before it is looked for
            deadline = time.monotonic() + 10
            while not (found := owner(client, pids)) and time.monotonic() < deadline:
                time.sleep(0.01)
            if found == pids[which]:
                clients.append(Begun(client))
                return clients[-1]
            client.close()
        raise AssertionError("no connection to " + BROKERS[which])
    yield make
    for client in clients:
        client.close()


class Begun(Raw):
    """The first byte of CONNECT has been sent."""

    def __init__(self, raw):
        self.socket, self.version, self.buffer, self.begun = raw.socket, 5, b"", True

    def send(self, *packets):
        data = b"".join(packets)
        self.socket.sendall(data[1:] if self.begun else data)
        self.begun = False


def test_publish_across(at, name):
    subscribers, publishers = ([at(i).live(client="%s-%s%d" % (name, kind, i)) for i in range(3)] for kind in "sp")
    for s in subscribers:
        s.subscribed((name, 2))
    for qos in range(3):
        for i, p in enumerate(publishers):
            p.send(publish(name, b"%d" % i, qos, ident=qos + 1))
            if qos:
                p.expect(PUBACK if qos == 1 else PUBREC)
            for s in subscribers:
                got = s.expect(PUBLISH)
                assert (got.payload, got.qos) == (b"%d" % i, qos)
    for s in subscribers:
        s.nothing_more()


def test_suback_then_publish_elsewhere(at, name):
    """Nothing that is published after SUBACK, at whatever broker, is missed."""
    s, p = at(0).live(client=name), at(1).live(client=name + "-p")
    for i in range(20):
        s.subscribed(("%s/%d" % (name, i), 0))
        p.send(publish("%s/%d" % (name, i), b"x"))
        assert s.expect(PUBLISH).topic == "%s/%d" % (name, i)


def test_a_group_over_brokers(at, name):
    """Each message to one member; each member its share."""
    members = [at(which).live(client="%s-%d" % (name, i)) for i, which in enumerate((0, 1, 1, 2))]
    for m in members:
        m.subscribed(("$share/g/" + name, 1))
    p = at(0).live(client=name + "-p")
    for i in range(40):
        p.send(publish(name, b"%d" % i, 1, ident=i + 1))
        p.expect(PUBACK)
    got = []
    for m in members:
        mine = []
        m.send(b"\xc0\x00")
        while (packet := m.next()).kind == PUBLISH:
            mine.append(int(packet.payload))
            m.send(ack(PUBACK, packet.ident))
        assert len(mine) == 10
        got += mine
    assert sorted(got) == list(range(40))


def test_takeover(at, name):
    """A client identifier is one client's, at whatever broker."""
    a = at(0).live(client=name)
    b = at(1).live(client=name)
    assert a.disconnected() == 0x8e
    b.subscribed((name, 1))
    p = at(2).live(client=name + "-p")
    p.send(publish(name, b"1", 1))
    p.expect(PUBACK)
    assert b.expect(PUBLISH).payload == b"1"
    b.nothing_more()


@pytest.mark.parametrize("qos", [1, 2])
def test_takeover_of_a_lasting_session(at, name, qos):
    """Its queue goes along, in order, also what is published while it moves."""
    a = at(0).lasting(name)
    a.subscribed((name, 2))
    p = at(1).live(client=name + "-p")
    sent, acks = 0, 0
    for which in (2, 1, 0, 2):
        for _ in range(10):
            p.send(publish(name, b"%d" % sent, qos, ident=sent + 1))
            sent += 1
        b = at(which)
        b.lasting(name)
        assert b.present
        while acks < sent:
            p.expect(PUBACK if qos == 1 else PUBREC)
            acks += 1
    seen = []
    while len(seen) < 10 or seen[-1] != sent - 1:
        packet = b.next()
        if packet.kind == PUBREL:
            b.send(ack(PUBCOMP, struct.unpack(">H", packet.body[:2])[0]))
            continue
        seen.append(int(packet.payload))
        b.send(ack(PUBACK if packet.qos == 1 else PUBREC, packet.ident))
    assert seen == list(range(sent))


def test_a_clean_start_elsewhere_ends_it(at, name):
    a = at(0).lasting(name)
    a.subscribed((name, 1))
    a.close()
    b = at(1).live(client=name)
    assert not b.present
    b.close()
    c = at(2).lasting(name)
    assert not c.present


def test_retained_everywhere(at, name):
    clients = [at(i).live(client="%s-%d" % (name, i)) for i in range(3)]
    for which, payloads in enumerate(((b"1", b"2"), (b"3",), (b"",))):
        for payload in payloads:
            clients[which].send(publish(name, payload, 1, retain=True))
            clients[which].expect(PUBACK)
        for c in clients:
            c.subscribed((name, 0))
            if payloads[-1]:
                assert c.expect(PUBLISH).payload == payloads[-1]
            c.send(unsubscribe(name))
            c.expect(UNSUBACK)


def kill(flock, which):
    pid = flock.pid(BROKERS[which])
    os.kill(pid, signal.SIGKILL)
    return pid


def whole(flock, which, before):
    """which: the number of a broker, or a daemon's name."""
    deadline, name = time.monotonic() + 60, BROKERS[which] if isinstance(which, int) else which
    while flock.children().get(name, before) == before:
        assert time.monotonic() < deadline, flock.tails()
        time.sleep(0.05)
    flock.wait_healthy()


def test_a_broker_is_killed(flock, at, name):
    """With sessions and a will, while clients of the others publish: what was acknowledged comes, with QoS 2 once; the will once."""
    a = at(0).lasting(name, will=(name + "/will", b"gone", 1, False, b""))
    a.subscribed((name + "/1", 1), (name + "/2", 2))
    w = at(1).live(client=name + "-w")
    w.subscribed((name + "/will", 1))
    publishers = [at(i).lasting("%s-p%d" % (name, i)) for i in (1, 2)]
    with flock.expect(LOST):
        sent = 0
        for round_ in range(4):
            if round_ == 1:
                before = kill(flock, 0)
            for qos, p in enumerate(publishers, 1):
                p.send(*(publish("%s/%d" % (name, qos), b"%d" % (sent + i), qos, ident=sent + i + 1) for i in range(10)))
            sent += 10
        for qos, p in enumerate(publishers, 1):
            for i in range(sent):
                assert p.expect(PUBACK if qos == 1 else PUBREC).body[:2] == struct.pack(">H", i + 1)
        got = w.expect(PUBLISH)
        assert got.payload == b"gone"
        a = at(2).lasting(name)
        assert a.present
        seen = {1: [], 2: []}
        while min(len(set(x)) for x in seen.values()) < sent:
            packet = a.next()
            if packet.kind == PUBREL:
                a.send(ack(PUBCOMP, struct.unpack(">H", packet.body[:2])[0]))
                continue
            seen[packet.qos].append(int(packet.payload))
            a.send(ack(PUBACK if packet.qos == 1 else PUBREC, packet.ident))
        assert list(dict.fromkeys(seen[1])) == list(range(sent)) and seen[2] == list(range(sent))
        w.send(ack(PUBACK, got.ident))
        w.nothing_more()
        whole(flock, 0, before)


def test_a_broker_that_was_held_for_dead(flock, at, name):
    """It pauses for longer than it is waited for: its sessions are others', and when it wakes it ends."""
    a = at(0).lasting(name)
    a.subscribed((name, 1))
    p = at(1).live(client=name + "-p")
    with flock.expect(LOST, "held this one for dead", r"\[%s\] event loop stalled" % BROKERS[0]):
        paused = flock.pid(BROKERS[0])
        os.kill(paused, signal.SIGSTOP)
        p.send(publish(name, b"1", 1))
        p.expect(PUBACK)
        a = at(2).lasting(name)
        assert a.present and a.expect(PUBLISH).payload == b"1"
        os.kill(paused, signal.SIGCONT)
        whole(flock, 0, paused)
        a.nothing_more()


class Mover(Subscriber):
    """Never long at one broker."""

    def talk(self, raw):
        following, until = raw.next, time.monotonic() + random.random() * 0.02

        def moving():
            if time.monotonic() > until and b"%d" % (self.count - 1) not in self.got:
                raise EOFError
            return following()
        raw.next = moving
        super().talk(raw)


# [MQTT-4.6.0-6]
@pytest.mark.parametrize("qos", (1, 2))
def test_order_while_a_session_moves(flock, at, name, qos):
    """Other sessions have the same filter at all brokers, so that publishers need not hear of it to find the session where it is now."""
    topic, count = "%s-%d-" % (name, qos), 8000
    for i in range(3):
        at(i).lasting("%s-%d" % (name, i)).subscribed((topic, 0))
    at(0).lasting(topic).subscribed((topic, qos))
    publisher, mover = Publisher(flock, topic, qos, count), Mover(flock, topic, count)
    publisher.window = 200  # ours is 256
    for thread in (publisher, mover):
        thread.start()
    for thread in (publisher, mover):
        thread.join(60)
        assert thread.error is None, thread.error
        assert not thread.is_alive(), (thread.client, len(mover.got))
    assert list(dict.fromkeys(int(x) for x in mover.got)) == list(range(count))


def history(flock, name, faults):
    """Under the traffic of clients that come back at whichever broker the kernel chooses, one fault after the other."""
    count, subscribers, publishers = 400, [], []
    for qos in (1, 2):
        for k in range(2):
            topic = "%s-%d-%d" % (name, qos, k)
            a = Raw(flock.address, flock.mqtt["tcp"]).lasting(topic)
            a.subscribed((topic, 2))
            a.close()
            subscribers.append(Subscriber(flock, topic, count))
            publishers.append(Publisher(flock, topic, qos, count))
    for thread in subscribers + publishers:
        thread.start()
    for i, fault in enumerate(faults):
        while min(len(p.heard) for p in publishers) < count * (i + 1) / (len(faults) + 2) and all(p.is_alive() for p in publishers):
            publishers[0].join(0.01)
        fault()
    for thread in publishers + subscribers:
        thread.join(60)
        assert thread.error is None, thread.error
        assert not thread.is_alive(), (thread.client, vars(thread))
    flock.wait_healthy()
    for s in subscribers:
        got = [int(x) for x in s.got]
        assert (list(dict.fromkeys(got)) if "-1-" in s.topic else got) == list(range(count)), s.topic


def a_broker(flock):
    which = random.randrange(3)
    whole(flock, which, kill(flock, which))


def test_history(flock, name):
    with flock.expect(LOST):
        history(flock, name, [lambda: a_broker(flock)] * 3)


def test_history_of_everything(flock, name):
    """In any order: a broker is killed, one pauses until it is held for dead, or for less, the store is killed, the database hangs."""
    def pause(seconds):
        pid = flock.pid(random.choice(BROKERS))
        os.kill(pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(pid, signal.SIGCONT)
        flock.wait_healthy()

    def the_store():
        before = flock.pid("storage-1")
        os.kill(before, signal.SIGKILL)
        whole(flock, "storage-1", before)
    faults = [lambda: a_broker(flock), lambda: pause(5), lambda: pause(random.random()), the_store, lambda: hang(flock, 2 * random.random())]
    random.shuffle(faults)
    with flock.expect(LOST, "held this one for dead", "event loop stalled"):
        history(flock, name, faults)
