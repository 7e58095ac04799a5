# SPDX-License-Identifier: Apache-2.0
"""Retained messages, wills, shared subscriptions, identifiers, aliases, expiry, windows, rules, $SYS."""
import struct

import pytest

from raw import DISCONNECT, PUBACK, PUBLISH, PUBREC, ack, packet, publish, varint


def u16(n):
    return struct.pack(">H", n)


def u32(n):
    return struct.pack(">I", n)


# --- retained messages -----------------------------------------------------------------------------------------------------


# [MQTT-3.3.1-6] [MQTT-3.3.1-7] [MQTT-3.3.1-12] [MQTT311-3.3.1-8] [MQTT311-3.3.1-9] [MQTT311-3.3.1-10]
def test_retained(raw):
    a, b = raw().live(client="a"), raw().live(4, client="b")
    a.send(publish("ret/1", b"one", 1, retain=True))
    a.expect(PUBACK)
    assert b.subscribed(("ret/#", 1)) == [1]
    p = b.expect(PUBLISH)
    assert (p.payload, p.retain, p.qos) == (b"one", True, 1)
    a.send(publish("ret/1", b"two", retain=True))
    p = b.expect(PUBLISH)
    assert (p.payload, p.retain) == (b"two", False)  # [MQTT-3.3.1-12]
    a.send(publish("ret/1", b"", retain=True))
    assert b.expect(PUBLISH).payload == b""
    c = raw().live(client="c")
    c.subscribed(("ret/#", 0))
    c.nothing_more()


# [MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11] [MQTT-3.3.1-13] [MQTT-3.8.4-4]
def test_retain_handling_and_retain_as_published(raw):
    a = raw().live(client="a")
    a.send(publish("rh/1", b"x", retain=True))
    for options, first, again in ((0x00, 1, 1), (0x10, 1, 0), (0x20, 0, 0)):
        b = raw().live(client="b")
        for expected in (first, again):
            b.subscribed(("rh/1", options))
            for _ in range(expected):
                assert b.expect(PUBLISH).retain
            b.nothing_more()
    b.subscribed(("rh/1", 0x28))
    a.send(publish("rh/1", b"y", retain=True))
    assert b.expect(PUBLISH).retain
    a.send(publish("rh/1", b"", retain=True))


# --- wills -------------------------------------------------------------------------------------------------------------------


# [MQTT-3.1.2-7] [MQTT-3.1.2-8] [MQTT-3.1.2-10] [MQTT-3.14.4-3]
@pytest.mark.parametrize("end, sent", [("vanish", True), ("goodbye", False), ("with will", True), ("error", True), ("takeover", True)])
def test_will(raw, end, sent):
    b = raw().live(client="b")
    b.subscribed(("will/#", 0))
    a = raw().live(client="leaving", will=("will/a", b"gone", 1, False, b""))
    if end == "vanish":
        a.close()
    elif end == "goodbye":
        a.send(packet(DISCONNECT))
    elif end == "with will":
        a.send(packet(DISCONNECT, b"\x04\x00"))
    elif end == "error":
        a.send(b"\x00\x00")
    else:
        raw().live(client="leaving")
    if sent:
        assert b.expect(PUBLISH).payload == b"gone"
    if end != "vanish":
        a.disconnected()
    b.nothing_more()


# --- shared subscriptions ------------------------------------------------------------------------------------------------------


# [MQTT-4.8.2-3]
def test_shared_takes_turns(raw):
    members = [raw().live(client="m%d" % i) for i in range(3)]
    for m in members:
        assert m.subscribed(("$share/g/sh/+", 1)) == [1]
    plain = raw().live(client="plain")
    plain.subscribed(("sh/+", 0))
    a = raw().live(client="a")
    for i in range(9):
        a.send(publish("sh/x", b"%d" % i, 1, ident=i + 1))
        a.expect(PUBACK)
    got = []
    for m in members:
        for _ in range(3):
            p = m.expect(PUBLISH)
            m.send(ack(PUBACK, p.ident))
            got.append(p.payload)
        m.nothing_more()
    assert sorted(got) == [b"%d" % i for i in range(9)]
    assert [plain.expect(PUBLISH).payload for _ in range(9)] == [b"%d" % i for i in range(9)]


# --- what subscriptions say ------------------------------------------------------------------------------------------------------


# [MQTT-3.3.4-2] [MQTT-3.3.4-3] [MQTT-3.3.4-4] [MQTT311-3.3.5-1]
def test_identifiers_and_highest_qos(raw):
    a, b = raw().live(client="a"), raw().live(client="b")
    b.subscribed(("id/x", 0), properties=b"\x0b" + varint(5))
    b.subscribed(("id/+", 2), properties=b"\x0b" + varint(300))
    a.send(publish("id/x", b"1", 1))
    p = b.expect(PUBLISH)
    assert p.qos == 1
    assert sorted(p.properties.split(b"\x0b")[1:]) == sorted([varint(5), varint(300)])
    b.nothing_more()


# [MQTT-3.8.3-3]
def test_no_local(raw):
    a = raw().live(client="a")
    a.subscribed(("nl", 4))
    a.send(publish("nl", b"1", 1))
    a.expect(PUBACK)
    a.nothing_more()


# [MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20]
def test_what_is_passed_on(raw):
    a, b = raw().live(client="a"), raw().live(client="b")
    b.subscribed(("pass", 0))
    passed = b"\x01\x01" + b"\x03\x00\x01t" + b"\x08\x00\x01r" + b"\x09\x00\x02\x00\xff" + b"\x26\x00\x01k\x00\x01v" + b"\x26\x00\x01k\x00\x01w"
    a.send(publish("pass", b"x", properties=passed + b"\x02" + u32(60)))
    got = b.expect(PUBLISH).properties
    assert passed in got and got.startswith(b"\x02")


def test_aliases(raw):
    a, b = raw().live(client="a"), raw().live(client="b", properties=b"\x22" + u16(10))
    b.subscribed(("alias/#", 0))
    a.send(publish("alias/long/topic", b"1", properties=b"\x23" + u16(1)), publish("", b"2", properties=b"\x23" + u16(1)))
    first, second = b.expect(PUBLISH), b.expect(PUBLISH)
    assert first.topic == "alias/long/topic" and second.topic == ""
    assert first.properties == second.properties and first.properties[:1] == b"\x23"
    a.send(publish("", b"3", properties=b"\x23" + u16(2)))
    assert a.disconnected() == 0x82


# [MQTT-3.3.2-5]
def test_expired_in_the_queue(raw):
    a, b = raw().live(client="a"), raw().live(client="b", properties=b"\x21" + u16(1))
    b.subscribed(("exp", 1))
    a.send(publish("exp", b"1", 1, ident=1), publish("exp", b"2", 1, ident=2, properties=b"\x02" + u32(0)), publish("exp", b"3", 1, ident=3))
    for _ in range(3):
        a.expect(PUBACK)
    b.send(ack(PUBACK, b.expect(PUBLISH).ident))
    assert b.expect(PUBLISH).payload == b"3"


# [MQTT-3.3.4-9] [MQTT-3.3.4-10] [MQTT-4.9.0-1] [MQTT-4.9.0-2] [MQTT-4.9.0-3]
def test_receive_maximum_and_full_queue(raw):
    a, b = raw().live(client="a"), raw().live(client="b", properties=b"\x21" + u16(2))
    b.subscribed(("win", 1))
    for i in range(30):
        a.send(publish("win", b"%d" % i, 1, ident=i + 1))
        a.expect(PUBACK)
    got = []
    for i in range(22):  # two in the window, twenty in the queue; the others were dropped
        p = b.expect(PUBLISH)
        got.append(p.payload)
        if i == 1:
            b.nothing_more()
        if i >= 1:
            b.send(ack(PUBACK, p.ident))
            if i == 1:
                continue
    assert got == [b"%d" % i for i in range(22)]


# [MQTT-3.1.2-24] [MQTT-3.1.2-25] [MQTT-3.2.2-15]
def test_packet_size(raw):
    a, b = raw().live(client="a"), raw().live(client="b", properties=b"\x27" + u32(100))
    b.subscribed(("big", 1))
    a.send(publish("big", b"x" * 200, 1, ident=1), publish("big", b"small", 1, ident=2))
    assert b.expect(PUBLISH).payload == b"small"
    a.send(publish("big", b"x" * (2 << 20)))
    assert a.expect(PUBACK) and a.expect(PUBACK)
    assert a.disconnected() == 0x95


# --- rights and $SYS -------------------------------------------------------------------------------------------------------------


# [MQTT-3.9.3-1] [MQTT311-3.3.5-2]
def test_rules(raw):
    a, b = raw().live(client="a"), raw().live(4, client="b")
    assert a.subscribed(("closed/x", 0), ("only/romeo/a", 1), ("only/juliet/a", 1), ("closed/#", 0), ident=5) == [0x87, 1, 0x87, 0x87]
    assert b.subscribed(("closed/x", 0)) == [0x80]
    for topic, reason in (("closed/x", 0x87), ("$SYS/x", 0x87), ("only/romeo/b", 0x87)):
        a.send(publish(topic, b"x", 1))
        assert a.expect(PUBACK).body[2] == reason
    a.send(publish("closed/x", b"x", 2))
    assert a.expect(PUBREC).body[2] == 0x87
    b.send(publish("closed/x", b"x", 1, version=4))
    b.expect(PUBACK)
    a.send(publish("only/romeo/a", b"x", 1, ident=3))
    assert {a.next().kind, a.next().kind} == {PUBLISH, PUBACK}


def test_sys(raw):
    a = raw().live(4, client="a")
    a.subscribed(("$SYS/broker/version", 0), ("$SYS/broker/clients/connected", 0))
    got = {}
    while len(got) < 2:
        p = a.expect(PUBLISH)
        got[p.topic] = p.payload
    assert got["$SYS/broker/version"].startswith(b"starling version ")
    assert int(got["$SYS/broker/clients/connected"]) >= 0
