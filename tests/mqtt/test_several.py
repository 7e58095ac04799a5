# SPDX-License-Identifier: Apache-2.0
"""Three brokers are one (docs/decisions/0042-mqtt-several-brokers.md). All have the same ports: whose a connection is, the kernel says."""
import os
import struct
import time

import pytest

from conftest import LOST, Flock, settings
from raw import CONNACK, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, Raw, ack, connect, publish

BROKERS = ["mqtt-broker-1", "mqtt-broker-2", "mqtt-broker-3"]
TRIES = 200


def u32(n):
    return struct.pack(">I", n)


@pytest.fixture(scope="module")
def flock_session():
    flock = Flock(settings=settings(access=""))
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
        for fd in os.listdir("/proc/%d/fd" % pid):
            try:
                if os.readlink("/proc/%d/fd/%s" % (pid, fd)) == "socket:[%s]" % inode:
                    return pid
            except OSError:
                pass
    return None


@pytest.fixture
def at(flock):
    """A function that connects to one of the brokers, 0 to 2: as often as the kernel takes to choose it."""
    clients = []

    def make(which):
        pid = flock.pid(BROKERS[which])
        for _ in range(TRIES):
            client = Raw(flock.address, flock.mqtt["tcp"])
            client.send(b"\x10")  # so it is accepted before it is looked for
            deadline = time.monotonic() + 10
            while not (found := owner(client, [flock.pid_of[b] for b in BROKERS])) and time.monotonic() < deadline:
                time.sleep(0.01)
            if found == pid:
                clients.append(Begun(client))
                return clients[-1]
            client.close()
        raise AssertionError("no connection to " + BROKERS[which])
    flock.pid_of = {b: flock.pid(b) for b in BROKERS}
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


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_publish_across(at, name, qos):
    subscribers = [at(i).live(client="%s-%d" % (name, i)) for i in range(3)]
    for s in subscribers:
        s.subscribed((name, 2))
    for i in range(3):
        p = at(i).live(client="%s-p%d" % (name, i))
        p.send(publish(name, b"%d" % i, qos, ident=7))
        if qos:
            p.expect(PUBACK if qos == 1 else PUBREC)
        for s in subscribers:
            got = s.expect(PUBLISH)
            assert (got.payload, got.qos) == (b"%d" % i, qos)
    for s in subscribers:
        s.nothing_more()
