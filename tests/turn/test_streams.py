# SPDX-License-Identifier: Apache-2.0
"""Clients over TCP and TLS."""
import os
import socket
import struct
import time

import pytest

import stun
from stun import BINDING, SUCCESS, Message, Peer, Transport, message
from test_dtls import dtls_client


@pytest.mark.parametrize("kind", ("tcp", "tls"))
def test_both_ways(relay, kind):
    with relay.client(kind, name=kind + "@turn.test") as c, Peer() as peer:
        answer = c.allocate()
        assert answer.cls == SUCCESS and answer.address(stun.XOR_MAPPED_ADDRESS) == c.t.name
        c.permit(peer.name)
        assert c.bind(0x4000, peer.name).cls == SUCCESS
        for data in (b"", b"x", b"xy", b"xyz", os.urandom(1400), os.urandom(9000)):
            c.channel(0x4000, data)
            assert peer.receive() == (data, c.relayed[0])
            peer.send(data, c.relayed[0])
            assert c.receive_data() == (0x4000, data)
        with Peer() as other:
            for data in (b"", b"x", os.urandom(1401)):
                c.send_to(other.name, data)
                assert other.receive()[0] == data
                other.send(data, c.relayed[0])
                assert c.receive_data() == (other.name, data)
        assert [a["transport"] for a in relay.list(kind + "@turn.test")] == [kind]


@pytest.mark.parametrize("kind", ("tcp", "tls"))
def test_burst(relay, kind):
    """What the relay gathers into one write, or one record of TLS, is all there, in order."""
    with relay.client(kind) as c, Peer() as peer:
        c.allocate()
        assert c.bind(0x4000, peer.name).cls == SUCCESS
        for i in range(60):
            peer.send(b"%03d" % i * 50, c.relayed[0])
        assert [c.receive_data() for _ in range(60)] == [(0x4000, b"%03d" % i * 50) for i in range(60)]


def test_byte_by_byte(relay):
    with relay.client("tcp") as c, Peer() as peer:
        c.allocate()
        c.bind(0x4000, peer.name)
        c.t.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        frame = struct.pack(">HH", 0x4000, 5) + b"hello\0\0\0"
        for byte in frame + frame:
            c.t.sock.sendall(bytes([byte]))
        assert peer.receive()[0] == b"hello" and peer.receive()[0] == b"hello"
        c.t.sock.sendall(frame * 100)
        assert [peer.receive()[0] for _ in range(100)] == [b"hello"] * 100


def test_connection_ends_its_allocation(relay):
    with relay.client("tcp", name="gone@turn.test") as c:
        c.allocate()
        assert len(relay.list("gone@turn.test")) == 1
    deadline = time.monotonic() + 10
    while relay.list("gone@turn.test") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not relay.list("gone@turn.test")


def test_connection_without_allocation_ends(special):
    relay = special({"timeouts": {"early": "1s"}})
    idle = Transport("127.0.0.1", relay.port, "tcp")
    asked = Transport("127.0.0.1", relay.port, "tcp")
    asked.send(message(BINDING, b"", os.urandom(12)))
    assert Message(asked.receive()).cls == SUCCESS
    half = Transport("127.0.0.1", relay.tls_port, "tcp")  # never says anything of TLS
    with relay.client("tcp") as c:
        c.allocate()
        for t in (idle, asked, half):
            assert t.receive(10) is None
            t.close()
        assert c.refresh().cls == SUCCESS  # this one stays


@pytest.mark.parametrize("data", (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\0\5hello", struct.pack(">HHI", 1, 65532, stun.COOKIE) + b"x" * 12, b"\x80\0\0\0",
                                  struct.pack(">HH", 1, 3) + b"x" * 20))
def test_what_is_no_frame_ends_the_connection(relay, data):
    t = Transport("127.0.0.1", relay.port, "tcp")
    t.sock.sendall(data + b"\0" * 6000)
    try:
        assert t.receive(5) is None
    except ConnectionResetError:
        pass
    t.close()


def test_slow_reader(special):
    """What a client does not read is dropped, within a limit; others do not notice."""
    relay = special({"limits": {"output_size": "64KiB", "rate": 0, "packets": 0}})
    with relay.client("tcp") as slow, relay.client("tcp", name="juliet@turn.test") as other, Peer() as peer:
        for c in (slow, other):
            c.allocate()
            c.bind(0x4000, peer.name)
        name = 'starling_turn_dropped_total{reason="queue"}'
        deadline = time.monotonic() + 30
        while relay.metrics()[name] == 0 and time.monotonic() < deadline:
            for _ in range(200):
                peer.send(b"x" * 8000, slow.relayed[0])
        assert relay.metrics()[name] > 0
        peer.send(b"quick", other.relayed[0])
        assert other.receive_data() == (0x4000, b"quick")


def test_limit_of_connections(special):
    relay = special({"limits": {"connections": 2}, "workers": 1})
    first, second, third = (Transport("127.0.0.1", relay.port, "tcp") for _ in range(3))
    for t in (first, second):
        t.send(message(BINDING, b"", os.urandom(12)))
        assert Message(t.receive()).cls == SUCCESS
    third.send(message(BINDING, b"", os.urandom(12)))
    with pytest.raises((TimeoutError, socket.timeout)):
        third.receive(0.5)
    first.close()
    assert Message(third.receive(10)).cls == SUCCESS  # its turn
    for t in (second, third):
        t.close()


def test_one_port_for_all(special):
    """tls.port is port: UDP, DTLS, TCP and TLS on one number."""
    relay = special({"port": 3478, "tls": {"port": 3478}, "timeouts": {"early": "1s"}, "limits": {"connections": 8}})
    relay.tls_port = relay.port
    for kind in ("tcp", "tls", "udp"):
        with relay.client(kind, name="one@turn.test") as c, Peer() as peer:
            assert c.allocate().cls == SUCCESS
            assert c.bind(0x4000, peer.name).cls == SUCCESS
            c.channel(0x4000, b"through")
            assert peer.receive()[0] == b"through"
            assert c.refresh(0).cls == SUCCESS
    with dtls_client(relay, "one@turn.test") as c:
        assert c.allocate().cls == SUCCESS
        assert [a["transport"] for a in relay.list("one@turn.test")] == ["dtls"]
        assert c.refresh(0).cls == SUCCESS
    silent, gone = Transport("127.0.0.1", relay.port, "tcp"), Transport("127.0.0.1", relay.port, "tcp")
    gone.close()
    assert silent.receive(10) is None  # who says nothing has as little time as elsewhere
    silent.close()


def test_tcp_and_udp_can_be_off(special):
    relay = special({"tcp": False, "tls": {"port": 0}})
    with pytest.raises(ConnectionRefusedError):
        Transport("127.0.0.1", relay.port, "tcp")
    with relay.client() as c:
        assert c.allocate().cls == SUCCESS
