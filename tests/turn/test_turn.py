# SPDX-License-Identifier: Apache-2.0
"""STUN and TURN over UDP, message by message (RFC 8489, RFC 8656)."""
import os
import socket
import struct
import time

import pytest

import stun
from relay import LOOPBACK, needs_ipv6
from stun import ALLOCATE, BINDING, ERROR, SUCCESS, Message, Peer, Transport, attr, message, u32

V6 = attr(stun.REQUESTED_FAMILY, b"\2\0\0\0")


def test_binding(relay):
    for server in LOOPBACK:
        t = Transport(server, relay.port)
        tid = os.urandom(12)
        t.send(message(BINDING, b"", tid))
        answer = Message(t.receive())
        assert answer.kind == BINDING | SUCCESS and answer.tid == tid
        assert answer.address(stun.XOR_MAPPED_ADDRESS) == t.name
        assert answer.attrs == [(stun.XOR_MAPPED_ADDRESS, answer.get(stun.XOR_MAPPED_ADDRESS))]  # nothing else
        t.send(stun.fingerprint(message(BINDING, b"", tid)))
        answer = t.receive()
        assert stun.fingerprint(answer[:-8])[-8:] == answer[-8:]
        t.close()


def test_unknown_attributes_of_a_binding(relay):
    t = Transport("127.0.0.1", relay.port)
    t.send(message(BINDING, attr(0x7777, b"abc") + attr(0xFF05, b"x") + attr(stun.CHANGE_REQUEST, b"\0\0\0\6"), os.urandom(12)))
    answer = Message(t.receive())
    assert answer.code == 420 and answer.get(stun.UNKNOWN_ATTRIBUTES) == struct.pack(">HH", 0x7777, stun.CHANGE_REQUEST)
    t.close()


def test_challenge(relay):
    with relay.client() as c:
        answer = c.challenge()
        assert answer.kind == ALLOCATE | ERROR
        assert answer.get(stun.REALM) == b"turn.test" and answer.get(stun.NONCE).startswith(b"obMatJos2gAAA")
        assert answer.get(stun.PASSWORD_ALGORITHMS) == stun.OFFERED
        assert stun.MESSAGE_INTEGRITY not in answer
        assert answer.get(stun.ERROR_CODE) == b"\0\0\4\1"  # no phrase


@pytest.mark.parametrize("sha256", (False, True))
def test_allocation_and_data_both_ways(relay, sha256):
    with relay.client(sha256=sha256) as c, Peer() as peer:
        answer = c.allocate()
        assert answer.kind == ALLOCATE | SUCCESS and answer.lifetime == 600
        assert answer.signed_by(c.key, sha256)
        assert answer.address(stun.XOR_MAPPED_ADDRESS) == c.t.name
        relayed = c.relayed[0]
        assert relayed[0] == "127.0.0.1" and 49152 <= relayed[1] <= 65535
        # Without a permission nothing goes either way.
        c.send_to(peer.name, b"too early")
        peer.send(b"too early", relayed)
        assert c.t.silent() and peer.silent()
        assert c.permit(peer.name).cls == SUCCESS
        c.send_to(peer.name, b"hello")
        assert peer.receive() == (b"hello", relayed)
        peer.send(b"hello yourself", relayed)
        assert c.receive_data() == (peer.name, b"hello yourself")
        for data in (b"", b"x", b"xy", b"xyz", os.urandom(1472), os.urandom(9000)):
            c.send_to(peer.name, data)
            assert peer.receive() == (data, relayed)
            peer.send(data, relayed)
            assert c.receive_data() == (peer.name, data)
        # A permission is for an address, not a port.
        with Peer() as neighbour, Peer("127.0.0.2") as stranger:
            neighbour.send(b"me too", relayed)
            assert c.receive_data() == (neighbour.name, b"me too")
            stranger.send(b"and me", relayed)
            assert c.t.silent()


def test_channel(relay):
    with relay.client() as c, Peer() as peer:
        c.allocate()
        assert c.bind(0x4000, peer.name).cls == SUCCESS
        c.channel(0x4000, b"through the channel")
        assert peer.receive() == (b"through the channel", c.relayed[0])
        peer.send(b"and back", c.relayed[0])
        assert c.receive_data() == (0x4000, b"and back")
        for data in (b"", b"x", b"xy", os.urandom(1400)):
            c.channel(0x4000, data)
            assert peer.receive()[0] == data
            peer.send(data, c.relayed[0])
            assert c.receive_data() == (0x4000, data)
        c.t.send(struct.pack(">HH", 0x4000, 2) + b"hi\0\0")  # padded, as pjnath does
        assert peer.receive()[0] == b"hi"
        c.send_to(peer.name, b"an indication")  # may be mixed
        assert peer.receive()[0] == b"an indication"
        # What is too short, unbound, or of the reserved range is dropped.
        for bad in (struct.pack(">HH", 0x4000, 5) + b"four", struct.pack(">HH", 0x4001, 1) + b"x", struct.pack(">HH", 0x5000, 1) + b"x", b"\x40"):
            c.t.send(bad)
        assert c.t.silent() and peer.silent()


def test_channel_rules(relay):
    with relay.client() as c, Peer() as peer, Peer() as other:
        c.allocate()
        assert c.bind(0x4000, peer.name).cls == SUCCESS
        assert c.bind(0x4000, peer.name).cls == SUCCESS
        assert c.bind(0x4000, other.name).code == 400
        assert c.bind(0x4001, peer.name).code == 400
        for number in (0x3FFF, 0x5000, 0x7FFE, 0, 0xFFFF):
            assert c.bind(number, other.name).code == 400
        assert c.bind(0x4FFF, other.name).cls == SUCCESS
        assert c.ask(stun.CHANNEL_BIND, attr(stun.CHANNEL_NUMBER, b"\x40\2\0\0")).code == 400
        assert c.ask_with(stun.CHANNEL_BIND, lambda t: attr(stun.XOR_PEER_ADDRESS, stun.xor_address(*peer.name, t))).code == 400
        assert c.bind(0x4002, ("::1", 9)).code == 443
        assert c.bind(0x4002, ("127.0.0.1", 0)).code == 403


def test_refresh(relay):
    with relay.client() as c:
        assert c.refresh().code == 437
        c.allocate()
        assert c.refresh().lifetime == 600
        assert c.refresh(1200).lifetime == 1200
        assert c.refresh(10).lifetime == 600
        assert c.refresh(10 ** 6).lifetime == 3600
        assert c.refresh(600, V6).code == 443
        assert c.refresh(0).lifetime == 0
        assert c.refresh().code == 437
        assert c.permit(("127.0.0.1", 1)).code == 437
        assert c.allocate().cls == SUCCESS  # the 5-tuple is free again


def test_lifetime_of_an_allocate(relay):
    for asked, got in ((None, 600), (0, 600), (1, 600), (900, 900), (10 ** 9, 3600)):
        with relay.client() as c:
            assert c.allocate(*([u32(stun.LIFETIME, asked)] if asked is not None else [])).lifetime == got


def test_repeated_requests(relay):
    """A retransmission gets the same answer; another request on the 5-tuple a mismatch (RFC 8656 section 7.2)."""
    with relay.client() as c:
        c.challenge()
        request = c.signed(ALLOCATE, attr(stun.REQUESTED_TRANSPORT, stun.UDP))
        first, second = c.exchange(request), c.exchange(request)
        assert first.cls == second.cls == SUCCESS
        assert first.address(stun.XOR_RELAYED_ADDRESS) == second.address(stun.XOR_RELAYED_ADDRESS)
        assert c.allocate().code == 437
        ask = c.signed(stun.REFRESH, u32(stun.LIFETIME, 0))
        assert c.exchange(ask).cls == SUCCESS and c.exchange(ask).code == 437


def test_what_an_allocate_must_have(relay):
    with relay.client() as c:
        assert c.ask(ALLOCATE).code == 400
        assert c.allocate(transport=b"\x06\0\0\0").code == 442
        assert c.allocate(transport=b"\x84\0\0\0").code == 442
        token, even, reserve = attr(stun.RESERVATION_TOKEN, b"12345678"), attr(stun.EVEN_PORT, b"\0"), attr(stun.EVEN_PORT, b"\x80")
        dual = attr(stun.ADDITIONAL_FAMILY, b"\2\0\0\0")
        for bad in ([token, even], [token, V6], [token, dual], [V6, dual], [reserve, dual], [attr(stun.ADDITIONAL_FAMILY, b"\1\0\0\0")]):
            assert c.allocate(*bad).code == 400
        assert c.allocate(token).code == 508
        assert c.allocate(attr(stun.REQUESTED_FAMILY, b"\3\0\0\0")).code == 440
        unknown = c.allocate(attr(0x7ABC, b""))
        assert unknown.code == 420 and unknown.get(stun.UNKNOWN_ATTRIBUTES) == b"\x7a\xbc"
        assert c.allocate(attr(0xFF05, b"whatever"), attr(stun.DONT_FRAGMENT)).cls == SUCCESS


@needs_ipv6
def test_families(relay):
    with relay.client() as c, Peer("::1") as peer:
        c.allocate(V6)
        assert c.relayed[0][0] == "::1"
        assert c.permit(("127.0.0.1", 9)).code == 443
        assert c.permit(peer.name).cls == SUCCESS
        c.send_to(peer.name, b"six")
        assert peer.receive() == (b"six", c.relayed[0])
        peer.send(b"and back", c.relayed[0])
        assert c.receive_data() == (peer.name, b"and back")
    with relay.client(server="::1") as c:
        c.allocate()
        assert c.relayed[0][0] == "127.0.0.1"


@needs_ipv6
def test_dual_allocation(relay):
    with relay.client() as c, Peer() as four, Peer("::1") as six:
        assert c.allocate(attr(stun.ADDITIONAL_FAMILY, b"\2\0\0\0")).cls == SUCCESS
        assert [r[0] for r in c.relayed] == ["127.0.0.1", "::1"]
        assert c.permit(four.name, six.name).cls == SUCCESS
        for peer, relayed in ((four, c.relayed[0]), (six, c.relayed[1])):
            c.send_to(peer.name, b"hello")
            assert peer.receive() == (b"hello", relayed)
            peer.send(b"back", relayed)
            assert c.receive_data() == (peer.name, b"back")
        # One family ends, the other goes on.
        assert c.refresh(0, V6).lifetime == 0
        assert c.refresh(600, V6).code == 443
        c.send_to(four.name, b"still here")
        assert four.receive()[0] == b"still here"
        assert c.permit(six.name).code == 443
        assert c.refresh(0, attr(stun.REQUESTED_FAMILY, b"\1\0\0\0")).lifetime == 0
        assert c.refresh().code == 437


def test_family_that_is_not_there(special):
    relay = special({"addresses": ["127.0.0.1"]})
    with relay.client() as c:
        assert c.allocate(V6).code == 440
        answer = c.allocate(attr(stun.ADDITIONAL_FAMILY, b"\2\0\0\0"))
        assert answer.cls == SUCCESS and len(c.relayed) == 1
        assert answer.get(stun.ADDRESS_ERROR_CODE) == b"\2\0\4\x28"


def test_even_port_and_token(relay):
    with relay.client() as first, relay.client() as second, relay.client(name="tybalt@turn.test") as thief, relay.client() as late:
        answer = first.allocate(attr(stun.EVEN_PORT, b"\x80"))
        token, port = answer.get(stun.RESERVATION_TOKEN), first.relayed[0][1]
        assert port % 2 == 0 and len(token) == 8
        assert thief.allocate(attr(stun.RESERVATION_TOKEN, token)).code == 508
        assert second.allocate(attr(stun.RESERVATION_TOKEN, token)).cls == SUCCESS
        assert second.relayed[0] == ("127.0.0.1", port + 1)
        assert late.allocate(attr(stun.RESERVATION_TOKEN, token)).code == 508
        with Peer() as peer:
            second.permit(peer.name)
            second.send_to(peer.name, b"from the odd one")
            assert peer.receive() == (b"from the odd one", second.relayed[0])
    with relay.client() as c:
        answer = c.allocate(attr(stun.EVEN_PORT, b"\0"))
        assert c.relayed[0][1] % 2 == 0 and stun.RESERVATION_TOKEN not in answer


def test_port_range_and_capacity(special):
    relay = special({"relay": {"port_min": 50001, "port_max": 50004}, "addresses": ["127.0.0.1"]})
    clients = [relay.client() for _ in range(5)]
    codes = [c.allocate().code for c in clients]
    assert codes == [0, 0, 0, 0, 508]
    assert sorted(c.relayed[0][1] for c in clients[:4]) == [50001, 50002, 50003, 50004]
    clients[1].refresh(0)
    assert clients[4].allocate().cls == SUCCESS and clients[4].relayed == clients[1].relayed
    for c in clients:
        c.close()


def test_icmp(relay):
    """Nobody listens at the peer's port: the client is told (RFC 8656 section 11.5)."""
    with relay.client() as c, Peer() as peer:
        gone = Peer()
        gone.close()
        c.allocate()
        c.permit(gone.name)
        c.send_to(gone.name, b"anybody there?")
        told = c.receive_data()
        assert told.address(stun.XOR_PEER_ADDRESS) == gone.name
        assert told.get(stun.ICMP) == b"\0\0\3\3\0\0\0\0"  # port unreachable
        # The next datagram is not the one that the error is about.
        c.send_to(peer.name, b"and you?")
        assert peer.receive()[0] == b"and you?"


def test_dont_fragment(relay):
    with relay.client() as c, Peer() as peer:
        c.allocate(attr(stun.DONT_FRAGMENT))
        c.permit(peer.name)
        c.send_to(peer.name, b"in one piece", attr(stun.DONT_FRAGMENT))
        assert peer.receive()[0] == b"in one piece"
        c.send_to(peer.name, b"unknown is refused", attr(0x7777))
        c.send_to(peer.name, b"after it")
        assert peer.receive()[0] == b"after it"


def test_relay_to_relay(relay):
    """Two clients of this relay, both behind one."""
    with relay.client() as a, relay.client(name="juliet@turn.test") as b:
        a.allocate()
        b.allocate()
        assert a.permit(b.relayed[0]).cls == SUCCESS and b.bind(0x4000, a.relayed[0]).cls == SUCCESS
        a.send_to(b.relayed[0], b"across")
        assert b.receive_data() == (0x4000, b"across")
        b.channel(0x4000, b"and back")
        assert a.receive_data() == (b.relayed[0], b"and back")


def test_external_address(special):
    """Behind a NAT that maps one to one: clients are told the outer address, and two of this relay find each other by it."""
    relay = special({"addresses": ["127.0.0.1"], "relay": {"external": ["127.0.0.1=192.0.2.99"]}})
    with relay.client() as a, relay.client(name="juliet@turn.test") as b, Peer() as peer:
        a.allocate()
        b.allocate()
        assert a.relayed[0][0] == b.relayed[0][0] == "192.0.2.99"
        assert a.permit(b.relayed[0]).cls == SUCCESS and b.bind(0x4000, a.relayed[0]).cls == SUCCESS
        a.send_to(b.relayed[0], b"across")
        assert b.receive_data() == (0x4000, b"across")
        b.channel(0x4000, b"and back")
        assert a.receive_data() == (b.relayed[0], b"and back")
        assert a.permit(peer.name).cls == SUCCESS
        a.send_to(peer.name, b"out")
        assert peer.receive() == (b"out", ("127.0.0.1", a.relayed[0][1]))
        assert a.bind(0x4001, ("192.0.2.99", 22)).code == 403


def test_order_holds(relay):
    with relay.client() as c, Peer() as peer:
        c.allocate()
        c.bind(0x4000, peer.name)
        numbers = [b"%d" % i for i in range(150)]
        for n in numbers:
            c.channel(0x4000, n)
        assert [peer.receive()[0] for _ in numbers] == numbers
        for n in numbers:
            peer.send(n, c.relayed[0])
        assert [c.receive_data()[1] for _ in numbers] == numbers


def test_bursts(relay):
    """What a client sends as one, for the kernel to cut, comes as one (UDP_GRO): each datagram of it is its own."""
    def burst(c, pieces):
        c.t.sock.sendmsg(pieces, [(socket.SOL_UDP, 103, struct.pack("H", len(pieces[0])))])  # UDP_SEGMENT

    with relay.client() as c, Peer() as peer:
        assert c.allocate().cls == SUCCESS and c.bind(0x4000, peer.name).cls == SUCCESS
        data = [b"%02d" % i * 500 for i in range(40)] + [b"the last is shorter"]
        burst(c, [struct.pack(">HH", 0x4000, len(d)) + d for d in data])
        assert [peer.receive() for _ in data] == [(d, c.relayed[0]) for d in data]
        # Requests, rubbish, and data of a channel that there is not, all of one size.
        tids = [os.urandom(12) for _ in range(2)]
        burst(c, [message(BINDING, b"", tids[0]), b"\xff" * 20, struct.pack(">HH", 0x4001, 16) + b"x" * 16, struct.pack(">HH", 0x4000, 16) + b"y" * 16, message(BINDING, b"", tids[1])])
        assert peer.receive()[0] == b"y" * 16 and peer.silent()
        assert [stun.Message(c.t.receive()).tid for _ in tids] == tids
        # A header that says more than its datagram has takes nothing of the next one.
        burst(c, [struct.pack(">HH", 0x4000, 17) + b"z" * 16, struct.pack(">HH", 0x4000, 16) + b"z" * 16])
        assert peer.receive()[0] == b"z" * 16 and peer.silent()


def test_unknown_method_and_classes(relay):
    t = Transport("127.0.0.1", relay.port)
    t.send(message(0x00D, b"", os.urandom(12)))
    assert Message(t.receive()).code == 400
    for kind in (BINDING | stun.INDICATION, BINDING | SUCCESS, BINDING | ERROR, ALLOCATE | SUCCESS, stun.DATA | stun.INDICATION):
        t.send(message(kind, b"", os.urandom(12)))
    assert t.silent()
    t.close()


def test_expiry(special):
    """An allocation that is not refreshed ends, and its port with it. Ten minutes are the least that TURN knows: only the name's expiry is shorter."""
    relay = special({"strict_expiry": True})
    with relay.client() as c, Peer() as peer:
        c.user, c.password = stun.rest_credentials(relay.secret, "romeo@turn.test", 3)
        answer = c.allocate()
        assert answer.cls == SUCCESS and answer.lifetime <= 3
        c.permit(peer.name)
        peer.send(b"alive", c.relayed[0])
        assert c.receive_data()[1] == b"alive"
        deadline = time.monotonic() + 15
        while relay.list() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not relay.list()
        peer.send(b"gone", c.relayed[0])
        assert c.t.silent()
        assert c.refresh(600).code == 401
