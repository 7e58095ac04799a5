# SPDX-License-Identifier: Apache-2.0
"""TCP to peers (RFC 6062): Connect, ConnectionBind, ConnectionAttempt."""
import contextlib
import shutil
import socket
import struct
import subprocess
import threading

import pytest

import stun
from relay import Relay
from stun import SUCCESS, Message

CONNECT, CONNECTION_BIND, CONNECTION_ATTEMPT, CONNECTION_ID = 0xA, 0xB, 0xC, 0x2A
TCP = b"\x06\0\0\0"


@pytest.fixture(scope="module")
def session():
    made = Relay({"relay": {"tcp": True}, "limits": {"tcp_connections": 3, "output_size": "64KiB", "rate": 0}}).up()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def relay(session):
    yield session
    session.flock.check()


class Listener:
    """A peer that can be called."""

    def __init__(self, address="127.0.0.1"):
        self.sock = socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
        self.sock.settimeout(5)
        self.name = self.sock.getsockname()[:2]

    def accept(self):
        conn, where = self.sock.accept()
        conn.settimeout(5)
        return conn, where[:2]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()


def allocate(c, *attrs):
    answer = c.allocate(*attrs, transport=TCP)
    assert answer.cls == SUCCESS, answer.code
    return c


def ask_connect(c, peer):
    return c.ask_with(CONNECT, lambda t: stun.attr(stun.XOR_PEER_ADDRESS, stun.xor_address(*peer, t)))


def connect(c, peer):
    answer = ask_connect(c, peer)
    assert answer.cls == SUCCESS and answer.signed_by(c.key, c.sha256), answer.code
    return struct.unpack(">I", answer.get(CONNECTION_ID))[0]


def ask_bind(c, number):
    return c.ask(CONNECTION_BIND, stun.u32(CONNECTION_ID, number))


class Data:
    """A data connection. Its first bytes may have come with the answer."""

    def __init__(self, transport):
        self.first, self.sock = transport.buffer, transport.sock

    def recv(self, n):
        if self.first:
            got, self.first = self.first[:n], self.first[n:]
            return got
        return self.sock.recv(n)

    def sendall(self, data):
        self.sock.sendall(data)


@contextlib.contextmanager
def bound(relay, number, kind="tcp", name="romeo@turn.test"):
    with relay.client(kind, name=name) as c:
        answer = ask_bind(c, number)
        assert answer.cls == SUCCESS and answer.signed_by(c.key), answer.code
        yield Data(c.t)


def attempt(c):
    """(peer, number) of the next ConnectionAttempt."""
    m = Message(c.t.receive())
    assert m.kind == CONNECTION_ATTEMPT | stun.INDICATION
    return m.address(stun.XOR_PEER_ADDRESS), struct.unpack(">I", m.get(CONNECTION_ID))[0]


def read(sock, n):
    data = b""
    while len(data) < n:
        more = sock.recv(n - len(data))
        assert more, "closed after %d of %d bytes" % (len(data), n)
        data += more
    return data


@pytest.mark.parametrize("kind", ("tcp", "tls"))
def test_connect(relay, kind):
    with relay.client(kind) as c, Listener() as peer:
        number = connect(allocate(c), peer.name)
        theirs, where = peer.accept()
        assert where == c.relayed[0]  # from the relayed address itself
        theirs.sendall(b"before it is bound ")
        with bound(relay, number, kind) as ours:
            theirs.sendall(b"and after")
            assert read(ours, 28) == b"before it is bound and after"
            ours.sendall(b"answer")
            assert read(theirs, 6) == b"answer"
            assert [a["transport"] for a in relay.list("romeo@turn.test")] == [kind]
            assert relay.metrics()["starling_turn_peer_connections"] == 1
            theirs.sendall(b"last words")
            theirs.close()
            assert read(ours, 10) == b"last words" and ours.recv(1) == b""


def test_data_right_behind_the_request(relay):
    with relay.client("tcp") as c, relay.client("tcp") as data, Listener() as peer:
        number = connect(allocate(c), peer.name)
        theirs, _ = peer.accept()
        data.challenge()
        data.t.sock.sendall(data.signed(CONNECTION_BIND, stun.u32(CONNECTION_ID, number)) + b"impatient")
        assert Message(data.t.receive()).cls == SUCCESS
        assert read(theirs, 9) == b"impatient"
        data.t.close()
        assert theirs.recv(1) == b""  # one ends, the other does


def test_being_called(relay):
    with relay.client("tcp") as c, relay.client("tcp", name="other@turn.test") as other:
        allocate(c)
        stranger = socket.create_connection(c.relayed[0], 5, ("127.0.0.5", 0))
        assert stranger.recv(1) == b""  # no permission
        assert c.permit(("127.0.0.6", 1)).cls == SUCCESS
        caller = socket.create_connection(c.relayed[0], 5, ("127.0.0.6", 0))
        where, number = attempt(c)
        assert where == caller.getsockname()
        assert ask_bind(other, number).code == 400  # not his
        with bound(relay, number) as ours:
            caller.sendall(b"hello")
            assert read(ours, 5) == b"hello"
            ours.sendall(b"you")
            assert read(caller, 3) == b"you"
            with relay.client("tcp") as again:
                assert ask_bind(again, number).code == 400  # bound already
            assert c.refresh(0).cls == SUCCESS
            assert ours.recv(1) == b"" and caller.recv(1) == b""  # all end with the allocation
        caller.close()


def test_control_connection_ends(relay):
    with Listener() as peer:
        with relay.client("tcp") as c:
            number = connect(allocate(c), peer.name)
            theirs, _ = peer.accept()
            with bound(relay, number) as ours:
                c.t.close()
                assert ours.recv(1) == b"" and theirs.recv(1) == b""


def test_who_is_not_read_waits(relay):
    """The relay keeps no more than its limit: a sender is stopped by a receiver that does not read, and all arrives when he does."""
    size = 24 << 20
    with relay.client("tcp") as c, Listener() as peer:
        number = connect(allocate(c), peer.name)
        theirs, _ = peer.accept()
        with bound(relay, number) as ours:
            theirs.settimeout(1)
            sent = 0
            with pytest.raises((TimeoutError, socket.timeout)):
                while sent < size:
                    sent += theirs.send(b"x" * 65536)
            assert sent < size
            theirs.settimeout(20)
            rest = threading.Thread(target=theirs.sendall, args=(b"y" * 100000,))
            rest.start()
            ours.sock.settimeout(20)
            assert read(ours, sent) == b"x" * sent and read(ours, 100000) == b"y" * 100000
            rest.join()


def test_refusals(relay):
    with relay.client("tcp") as c, relay.client("tcp", name="udp@turn.test") as udp, relay.client(name="datagrams@turn.test") as datagrams, Listener() as peer:
        assert ask_connect(c, peer.name).code == 437
        for more in (stun.attr(stun.EVEN_PORT, b"\0"), stun.attr(stun.DONT_FRAGMENT), stun.attr(stun.RESERVATION_TOKEN, b"x" * 8), stun.attr(stun.ADDITIONAL_FAMILY, b"\2\0\0\0")):
            assert c.allocate(more, transport=TCP).code == 400
        assert datagrams.allocate(transport=TCP).code == 400  # over UDP
        allocate(c)
        udp.allocate()
        assert ask_connect(udp, peer.name).code == 403
        assert c.bind(0x4000, peer.name).code == 403
        assert c.ask(CONNECT).code == 400
        assert ask_connect(c, ("10.0.0.1", 80)).code == 403
        assert ask_connect(c, ("127.0.0.1", relay.port)).code == 403
        assert ask_connect(c, ("2001:db8::1", 80)).code == 443
        with Listener() as closed:
            name = closed.name
        assert ask_connect(c, name).code == 447
        connect(c, peer.name)
        assert ask_connect(c, peer.name).code == 446
        with Listener() as second, Listener() as third, Listener() as fourth:
            connect(c, second.name)
            connect(c, third.name)
            assert ask_connect(c, fourth.name).code == 508  # three at a time
        assert ask_bind(c, 1).code == 400  # a control connection
        assert ask_bind(datagrams, 1).code == 400
        with relay.client("tcp") as data:
            assert ask_bind(data, 0xFFFFFFFF).code == 400
            assert data.ask(CONNECTION_BIND).code == 400
        c.send_to(peer.name, b"x")  # dropped: no datagrams from here
        assert c.refresh().cls == SUCCESS


def test_off_unless_configured(relay_session):
    with relay_session.client("tcp") as c:
        assert c.allocate(transport=TCP).code == 442


@pytest.mark.skipif(not shutil.which("turnutils_uclient"), reason="coturn's tools are not installed")
def test_coturns_client(relay):
    """Two clients of it call each other's relayed addresses."""
    user, password = stun.rest_credentials(relay.secret, "uclient@turn.test")
    out = subprocess.run(["turnutils_uclient", "-t", "-T", "-y", "-n", "5", "-m", "1", "-l", "170", "-c", "-p", str(relay.port), "-u", user, "-w", password, "127.0.0.1"],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, timeout=60).stdout
    assert "tot_send_msgs=10, tot_recv_msgs=10" in out.replace("  ", " "), out
