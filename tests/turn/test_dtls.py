# SPDX-License-Identifier: Apache-2.0
"""Clients over DTLS: OpenSSL's client as the transport, messages by hand through it."""
import os
import select
import socket
import struct
import subprocess
import time

import pytest

import stun
from stun import BINDING, SUCCESS, Client, Message, Peer, message


class Dtls:
    """As stun.Transport, over `openssl s_client`: what is written to it at a time is a record, and what comes back is read by its length."""

    def __init__(self, server, port):
        self.process = subprocess.Popen(["openssl", "s_client", "-dtls1_2", "-quiet", "-connect", "%s:%d" % (server, port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, bufsize=0)
        self.kind, self.buffer = "dtls", b""

    def send(self, data):
        self.process.stdin.write(data)

    def receive(self, timeout=None):
        while True:
            if len(self.buffer) >= 4:
                kind, n = struct.unpack(">HH", self.buffer[:4])
                size = 20 + n if kind < 0x4000 else 4 + n
                if len(self.buffer) >= size:
                    got, self.buffer = self.buffer[:size], self.buffer[size:]
                    return got
            if not select.select([self.process.stdout], [], [], timeout or 10)[0]:
                raise socket.timeout("nothing came")
            more = self.process.stdout.read(65536)
            if not more:
                return None
            self.buffer += more

    def close(self):
        self.process.kill()
        self.process.wait()


def dtls_client(relay, name):
    c = Client(relay, name=name)
    c.t.close()
    c.t = Dtls("127.0.0.1", relay.port)
    return c


def test_allocation_and_data(relay):
    with dtls_client(relay, "dtls@turn.test") as c, Peer() as peer:
        assert c.allocate().cls == SUCCESS
        assert c.bind(0x4000, peer.name).cls == SUCCESS
        for data in (b"hello", os.urandom(1000), b""):
            c.channel(0x4000, data)
            assert peer.receive() == (data, c.relayed[0])
            peer.send(data, c.relayed[0])
            assert c.receive_data() == (0x4000, data)
        it, = relay.list("dtls@turn.test")
        assert it["transport"] == "dtls"
        # In clear, from elsewhere, it is nobody's.
        assert relay.client(name="dtls@turn.test").refresh().code == 437
        assert c.refresh(0).cls == SUCCESS
        assert not relay.list("dtls@turn.test")


def test_session_without_allocation_ends(special):
    relay = special({"timeouts": {"early": "1s"}})
    t = Dtls("127.0.0.1", relay.port)
    t.send(message(BINDING, b"", os.urandom(12)))
    assert Message(t.receive()).cls == SUCCESS
    assert relay.metrics()["starling_turn_connections"] == 1
    deadline = time.monotonic() + 10
    while relay.metrics()["starling_turn_connections"] and time.monotonic() < deadline:
        time.sleep(0.1)
    assert relay.metrics()["starling_turn_connections"] == 0
    t.close()


def hello(tid=0, cookie=b""):
    """The first flight of a DTLS 1.2 handshake."""
    extensions = b"\0\x0a\0\x04\0\x02\0\x17"
    body = b"\xfe\xfd" + os.urandom(32) + b"\0" + bytes([len(cookie)]) + cookie + b"\0\2\xc0\x2b" + b"\1\0" + struct.pack(">H", len(extensions)) + extensions
    fragment = b"\1" + len(body).to_bytes(3, "big") + struct.pack(">H", tid) + b"\0\0\0" + len(body).to_bytes(3, "big") + body
    return b"\x16\xfe\xff\0\0" + tid.to_bytes(6, "big") + struct.pack(">H", len(fragment)) + fragment


def test_nothing_is_kept_before_the_cookie(relay):
    before = relay.metrics()["starling_turn_connections"]
    for _ in range(50):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.settimeout(5)
        asked = hello()
        s.sendto(asked, ("127.0.0.1", relay.port))
        answer = s.recv(2048)
        assert answer[0] == 0x16 and answer[13] == 3  # HelloVerifyRequest
        assert len(answer) <= len(asked)
        # A cookie for another address is none.
        other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        other.settimeout(5)
        other.sendto(hello(1, answer[-16:]), ("127.0.0.1", relay.port))
        assert other.recv(2048)[13] == 3
        s.close()
        other.close()
    assert relay.metrics()["starling_turn_connections"] == before


@pytest.mark.parametrize("data", (b"\x16\xfe\xfd" + b"\0" * 50, b"\x17" + os.urandom(100), b"\x14", b"\x3f" * 200, hello()[:40]))
def test_rubbish(relay, data):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect(("127.0.0.1", relay.port))
    s.settimeout(5)
    for _ in range(20):
        s.send(data)
    tid = os.urandom(12)
    s.send(message(BINDING, b"", tid))
    got = s.recv(2048)
    while got[8:20] != tid:
        got = s.recv(2048)
    assert stun.Message(got).cls == SUCCESS
    s.close()
