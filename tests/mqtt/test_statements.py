# SPDX-License-Identifier: Apache-2.0
"""Normative statements that no other test is about. Markers above a test name what it proves (tools/mqtt-statements): [MQTT-...] of 5.0, [MQTT311-...] of 3.1.1."""
import base64
import os
import socket
import struct

import pytest

from raw import (CONNACK, CONNECT, DISCONNECT, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBACK, UNSUBACK, Raw, ack, connect, packet, publish, subscribe, text, unsubscribe,
                 varint)


def u16(n):
    return struct.pack(">H", n)


def u32(n):
    return struct.pack(">I", n)


PROPERTY_SIZES = {0x11: 4, 0x21: 2, 0x24: 1, 0x25: 1, 0x27: 4, 0x22: 2, 0x28: 1, 0x29: 1, 0x2A: 1, 0x13: 2}


def properties_of(body):
    """Of a CONNACK: {identifier: bytes}."""
    data, out = body[3:3 + body[2]], {}
    while data:
        size = PROPERTY_SIZES.get(data[0])
        if size is None:
            size = 2 + struct.unpack(">H", data[1:3])[0]
        out[data[0]], data = data[1:1 + size], data[1 + size:]
    return out


def closed(client):
    with pytest.raises((EOFError, ConnectionResetError)):
        client.next()


# --- CONNECT and CONNACK ---------------------------------------------------------------------------------------------------


# [MQTT-3.1.2-28] [MQTT-3.1.3-7] [MQTT-3.2.0-1] [MQTT-3.2.0-2] [MQTT-3.2.2-1] [MQTT-3.2.2-16] [MQTT-4.12.0-6] [MQTT311-3.2.0-1]
def test_connack(raw):
    """Nobody asked for Response Information or an Authentication Method; an identifier that is assigned is another one each time."""
    names = set()
    for _ in range(2):
        a = raw()
        a.send(connect(client="", properties=b"\x19\x00"))
        body = a.expect(CONNACK).body
        assert body[:2] == b"\x00\x00"
        properties = properties_of(body)
        assert 0x1A not in properties and 0x15 not in properties and 0x16 not in properties
        names.add(properties[0x12])
        a.nothing_more()
    assert len(names) == 2 and all(len(n) > 2 for n in names)


# [MQTT-3.1.3-5] [MQTT311-3.1.3-5]
@pytest.mark.parametrize("version", [3, 4, 5])
def test_client_identifiers(raw, version):
    for letters in ("0123456789abcdefghijklm", "nopqrstuvwxyzABCDEFGHIJ", "KLMNOPQRSTUVWXYZ", "x"):
        raw().live(version, client=letters).nothing_more()


# [MQTT-3.1.4-2] [MQTT-3.2.2-6] [MQTT-3.2.2-7] [MQTT-3.14.0-1] [MQTT-4.13.2-1] [MQTT311-3.1.4-2] [MQTT311-3.2.2-4] [MQTT311-3.2.2-5]
@pytest.mark.parametrize("version", [4, 5])
def test_refused_with_a_session(raw, name, version):
    """CONNACK says no, nothing of the session that there is, and is the last that comes."""
    raw().lasting(name, version).close()
    a = raw()
    assert a.connect(version, client=name, user="juliet", clean=False) != 0
    assert not a.present
    closed(a)


# [MQTT-3.1.4-6] [MQTT311-3.1.4-5]
@pytest.mark.parametrize("version", [4, 5])
def test_nothing_counts_behind_a_refused_connect(raw, name, version):
    b = raw().live(client="b")
    b.subscribed((name, 0))
    a = raw()
    a.send(connect(version, client=name, password="wrong"), publish(name, b"x", version=version))
    assert a.expect(CONNACK).body[1] != 0
    closed(a)
    b.nothing_more()


# [MQTT311-3.1.3-8] [MQTT311-3.1.3-9]
def test_no_identifier_and_no_clean_session(raw):
    a = raw()
    assert a.connect(4, client="", clean=False) == 2
    closed(a)


# [MQTT311-3.1.2-2]
def test_another_protocol_level(raw):
    a = raw()
    a.send(packet(CONNECT, text("MQIsdp") + b"\x02\x02\x00\x00" + text("a")))
    assert a.next().body[1] in (1, 0x84)
    closed(a)


# --- wills -----------------------------------------------------------------------------------------------------------------


# [MQTT-3.1.2-14] [MQTT-3.1.2-15] [MQTT-3.1.3-10] [MQTT311-3.1.2-7] [MQTT311-3.1.2-16] [MQTT311-3.1.2-17]
@pytest.mark.parametrize("retain", [False, True])
def test_a_will_is_retained_when_it_says_so(raw, name, retain):
    """With its user properties, in their order."""
    properties = b"\x26\x00\x01b\x00\x011\x26\x00\x01a\x00\x012\x26\x00\x01b\x00\x010"
    b = raw().live(client="b")
    b.subscribed((name, 1))
    raw().live(client=name, will=(name, b"gone", 1, retain, properties)).close()
    p = b.expect(PUBLISH)
    assert (p.payload, p.properties) == (b"gone", properties)
    c = raw().live(client="c")
    c.subscribed((name, 0))
    if retain:
        assert c.expect(PUBLISH).payload == b"gone"
        c.send(publish(name, b"", retain=True))
        assert c.expect(PUBLISH).payload == b""
    c.nothing_more()


# [MQTT-3.1.2-12] [MQTT311-3.1.2-12] [MQTT311-3.1.2-14]
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_will_of_each_qos(raw, name, qos):
    b = raw().live(client="b")
    b.subscribed((name, 2))
    raw().live(4, client=name, will=(name, b"gone", qos, False, b"")).close()
    assert b.expect(PUBLISH).qos == qos
    raw().live(4, client=name).close()
    b.nothing_more()


# --- PUBLISH ---------------------------------------------------------------------------------------------------------------


# [MQTT-1.5.4-3] [MQTT-4.7.3-4] [MQTT311-1.5.3-3] [MQTT311-4.7.3-4]
@pytest.mark.parametrize("version", [4, 5])
def test_names_are_taken_as_they_are(raw, name, version):
    """U+FEFF stays; composed and decomposed letters, and capitals, are different."""
    a = raw().live(version, client="a")
    for topic in ("\ufeff" + name, name + "/\u00e9", name + "/A"):
        a.subscribed((topic, 0))
    for other in (name, name + "/e\u0301", name + "/a", "\ufeff" + name):
        a.send(publish(other, b"x", version=version))
    assert a.expect(PUBLISH).topic == "\ufeff" + name
    a.nothing_more()


# [MQTT-3.3.1-3] [MQTT-4.3.2-5] [MQTT311-3.3.1-3] [MQTT311-4.3.2-2]
@pytest.mark.parametrize("version", [4, 5])
def test_once_acknowledged_an_identifier_is_free(raw, name, version):
    """With QoS 1 the same packet is another message, whatever its DUP says; what goes out has a DUP of its own."""
    a, b = raw().live(version, client="a"), raw().live(version, client="b")
    b.subscribed((name, 1))
    for _ in range(2):
        a.send(publish(name, b"x", 1, dup=True, ident=5, version=version))
        assert a.expect(PUBACK).body[:2] == u16(5)
        p = b.expect(PUBLISH)
        assert not p.dup
        b.send(ack(PUBACK, p.ident))


# [MQTT-3.3.1-5] [MQTT-3.3.1-7] [MQTT-3.3.1-8] [MQTT311-3.3.1-5] [MQTT311-3.3.1-6] [MQTT311-3.3.1-7] [MQTT311-3.3.1-8] [MQTT311-3.3.1-11] [MQTT311-3.3.1-12]
def test_what_is_retained(raw, name):
    """The last one, with its QoS; one that is not to be retained changes nothing; an empty one is none."""
    a = raw().live(4, client="a")

    def retained():
        b = raw().live(4, client="b")
        b.subscribed((name, 2))
        got = []
        b.send(packet(12))
        while True:
            p = b.next()
            if p.kind != PUBLISH:
                return got
            assert p.retain
            got.append((p.payload, p.qos))

    for payload, qos, retain, there in ((b"1", 1, True, [(b"1", 1)]), (b"2", 0, False, [(b"1", 1)]), (b"", 0, False, [(b"1", 1)]), (b"3", 2, True, [(b"3", 2)]),
                                        (b"4", 0, True, [(b"4", 0)]), (b"", 0, True, [])):
        a.send(publish(name, payload, qos, retain=retain, version=4))
        if qos:
            a.next()
        a.nothing_more()
        assert retained() == there


# [MQTT-3.1.2-26] [MQTT-3.1.2-27] [MQTT-3.3.2-11]
def test_aliases_are_no_more_than_the_client_takes(raw, name):
    plain, one = raw().live(client="plain"), raw().live(client="one", properties=b"\x22" + u16(1))
    for c in (plain, one):
        c.subscribed((name + "/#", 0))
    a = raw().live(client="a")
    a.send(*(publish(name + "/%d" % (i % 3), b"x") for i in range(9)))
    assert all(plain.expect(PUBLISH).properties == b"" for _ in range(9))
    assert {one.expect(PUBLISH).properties for _ in range(9)} <= {b"", b"\x23\x00\x01"}


# [MQTT-3.3.2-7] [MQTT-3.3.2-12] [MQTT-3.2.2-17]
def test_aliases_up_to_the_maximum_of_one_connection(raw, name):
    """The highest one is taken; the next connection knows nothing of it; one more is too many."""
    for follows in ("same", "another", "beyond"):
        a = raw()
        a.version = 5
        a.send(connect(client=name))
        most = struct.unpack(">H", properties_of(a.expect(CONNACK).body)[0x22])[0]
        alias = b"\x23" + u16(most + (follows == "beyond"))
        if follows != "another":
            a.send(publish(name, b"1", 1, properties=alias))
        if follows == "beyond":
            assert a.disconnected() == 0x94
            return
        if follows == "same":
            a.expect(PUBACK)
        a.send(publish("", b"2", 1, properties=alias))
        if follows == "same":
            a.expect(PUBACK)
            a.close()
        else:
            assert a.disconnected() == 0x82


# [MQTT-3.3.4-7]
def test_more_than_receive_maximum(raw, name):
    a = raw()
    a.send(connect(client=name))
    most = struct.unpack(">H", properties_of(a.expect(CONNACK).body)[0x21])[0]
    a.send(*(publish(name, b"", 2, ident=i + 1) for i in range(most)))
    for _ in range(most):
        a.expect(PUBREC)
    a.nothing_more()
    a.send(publish(name, b"", 2, ident=most + 1))
    assert a.disconnected() == 0x93


# [MQTT-4.3.3-9]
def test_a_refused_identifier_is_free(raw, name):
    a, b = raw().live(client="a"), raw().live(client="b")
    b.subscribed((name, 0))
    a.send(publish("closed/x", b"1", 2, ident=4))
    assert a.expect(PUBREC).body[2] == 0x87
    a.send(publish(name, b"2", 2, ident=4))
    assert len(a.expect(PUBREC).body) == 2
    assert b.expect(PUBLISH).payload == b"2"


# [MQTT-4.3.3-13] [MQTT-3.3.2-5]
def test_an_expired_exchange_goes_on(raw, name):
    b = raw().lasting(name)
    b.subscribed((name, 2))
    b.close()
    a = raw().live(client="a")
    a.send(publish(name, b"1", 2, ident=4, properties=b"\x02" + u32(0)))
    assert a.expect(PUBREC).body == u16(4)
    a.send(ack(PUBREL, 4))
    assert a.expect(PUBCOMP).body == u16(4)
    raw().lasting(name).nothing_more()


# [MQTT-4.3.3-7]
def test_once_sent_it_does_not_expire(raw, name):
    """Sent with an Expiry Interval that is over when the client is back."""
    b = raw().lasting(name)
    b.subscribed((name, 2))
    a = raw().live(client="a")
    a.send(publish(name, b"1", 2, ident=4, properties=b"\x02" + u32(1)))
    a.expect(PUBREC)
    first = b.expect(PUBLISH)
    quiet = raw().live(client=name + "-q", keep_alive=1)
    assert quiet.disconnected() == 0x8D  # more than a second has gone by
    b.close()
    b = raw().lasting(name)
    p = b.expect(PUBLISH)
    assert (p.ident, p.dup, p.payload) == (first.ident, True, b"1")


# [MQTT-4.4.0-2]
def test_what_the_client_refused_does_not_come_again(raw, name):
    a = raw().lasting(name)
    a.subscribed((name, 2))
    p = raw().live(client="p")
    p.send(publish(name, b"1", 1, ident=1), publish(name, b"2", 2, ident=2))
    one, two = a.expect(PUBLISH), a.expect(PUBLISH)
    a.send(ack(PUBACK, one.ident, 0x80), ack(PUBREC, two.ident, 0x97))
    a.nothing_more()
    a.close()
    a = raw().lasting(name)
    assert a.present
    a.nothing_more()


# --- SUBSCRIBE and UNSUBSCRIBE ---------------------------------------------------------------------------------------------


# [MQTT-2.2.1-6] [MQTT-2.2.2-1] [MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-3.8.4-5] [MQTT-3.8.4-6] [MQTT-3.8.4-7] [MQTT-3.9.3-1] [MQTT-3.10.4-4] [MQTT-3.10.4-5]
# [MQTT-3.10.4-6] [MQTT-3.11.3-1]
def test_suback_and_unsuback(raw, name):
    """One answer with the identifier, no properties, and a code for each filter in their order."""
    a = raw().live(client=name)
    a.send(subscribe(("s/1", 2), ("closed/1", 1), ("s/2", 0), ("s/3", 1), ident=0x1234))
    assert a.expect(SUBACK).body == b"\x12\x34\x00" + bytes([2, 0x87, 0, 1])
    a.send(unsubscribe("s/2", "never", "s/1", ident=0x4321), unsubscribe("never", ident=7))
    assert a.expect(UNSUBACK).body == b"\x43\x21\x00" + bytes([0, 0x11, 0])
    assert a.expect(UNSUBACK).body == b"\x00\x07\x00\x11"
    a.nothing_more()


# [MQTT311-2.3.1-7] [MQTT311-3.8.4-1] [MQTT311-3.8.4-2] [MQTT311-3.8.4-4] [MQTT311-3.8.4-5] [MQTT311-3.9.3-1] [MQTT311-3.9.3-2] [MQTT311-3.10.4-4]
# [MQTT311-3.10.4-5] [MQTT311-3.10.4-6]
def test_suback_and_unsuback_of_3(raw, name):
    a = raw().live(4, client=name)
    a.send(subscribe(("s/1", 2), ("closed/1", 1), ("s/2", 0), ("s/3", 1), ident=0x1234, version=4))
    assert a.expect(SUBACK).body == b"\x12\x34" + bytes([2, 0x80, 0, 1])
    a.send(unsubscribe("s/2", "never", "s/1", ident=0x4321, version=4), unsubscribe("never", ident=7, version=4))
    assert a.expect(UNSUBACK).body == b"\x43\x21"
    assert a.expect(UNSUBACK).body == b"\x00\x07"
    a.nothing_more()


# [MQTT-3.8.4-3] [MQTT-3.8.4-4] [MQTT-3.8.4-8] [MQTT311-3.8.4-3] [MQTT311-3.8.4-6]
@pytest.mark.parametrize("version", [4, 5])
def test_a_subscription_is_replaced(raw, name, version):
    """There is one, with the new QoS; what is retained comes once more; each message has the lower QoS of both."""
    a, b = raw().live(version, client="a"), raw().live(version, client="b")
    a.send(publish(name, b"kept", 1, retain=True, version=version))
    a.expect(PUBACK)
    for granted in (2, 0, 1):
        assert b.subscribed((name, granted)) == [granted]
        assert b.expect(PUBLISH).payload == b"kept"
        a.send(publish(name, b"x", 1, version=version))
        a.expect(PUBACK)
        assert b.expect(PUBLISH).qos == min(granted, 1)
        b.nothing_more()
    a.send(publish(name, b"", retain=True, version=version))


# [MQTT-3.10.4-1] [MQTT-3.10.4-2] [MQTT-3.10.4-3] [MQTT311-3.10.4-1] [MQTT311-3.10.4-2] [MQTT311-3.10.4-3]
@pytest.mark.parametrize("version", [4, 5])
def test_what_was_begun_is_completed(raw, name, version):
    """A filter that is not the same to the letter leaves the subscription; without one nothing new comes, and what was sent goes on."""
    a, b = raw().live(version, client="a"), raw().live(version, client="b")
    b.subscribed((name + "/+", 2))
    b.send(unsubscribe(name + "/#", name + "/x", version=version))
    b.expect(UNSUBACK)
    a.send(publish(name + "/x", b"1", 2, ident=1, version=version))
    a.expect(PUBREC)
    p = b.expect(PUBLISH)
    b.send(unsubscribe(name + "/+", version=version))
    b.expect(UNSUBACK)
    a.send(publish(name + "/x", b"2", 2, ident=2, version=version))
    a.expect(PUBREC)
    b.send(ack(PUBREC, p.ident))
    assert b.expect(PUBREL).body[:2] == u16(p.ident)
    b.send(ack(PUBCOMP, p.ident))
    b.nothing_more()


# --- shared subscriptions --------------------------------------------------------------------------------------------------


# [MQTT-4.8.2-3] [MQTT-3.3.4-5]
def test_a_shared_copy_and_an_own_one(raw, name):
    """Each with the QoS that was granted for it and its own identifier."""
    a, b = raw().live(client="a"), raw().live(client="b")
    b.subscribed((name, 1), properties=b"\x0b" + varint(1))
    b.subscribed(("$share/g/" + name, 0), properties=b"\x0b" + varint(2))
    a.send(publish(name, b"x", 2))
    a.expect(PUBREC)
    assert sorted((p.qos, p.properties) for p in (b.expect(PUBLISH), b.expect(PUBLISH))) == [(0, b"\x0b\x02"), (1, b"\x0b\x01")]
    b.nothing_more()


# [MQTT-4.8.2-4] [MQTT-4.8.2-5]
@pytest.mark.parametrize("returns", [True, False])
def test_a_shared_message_stays_with_its_member(raw, name, returns):
    """Sent with QoS 2 and not completed: the member gets it when it is back; when its session ends nobody does."""
    a = raw().lasting(name + "-a")
    a.subscribed(("$share/g/" + name, 2))
    p = raw().live(client="p")
    p.send(publish(name, b"x", 2))
    p.expect(PUBREC)
    first = a.expect(PUBLISH)
    b = raw().lasting(name + "-b")
    b.subscribed(("$share/g/" + name, 2))
    a.close()
    if returns:
        a = raw().lasting(name + "-a")
        again = a.expect(PUBLISH)
        assert (again.ident, again.dup) == (first.ident, True)
        a.send(ack(PUBREC, again.ident))
        a.expect(PUBREL)
    else:
        raw().live(client=name + "-a").nothing_more()
    b.nothing_more()


# [MQTT-4.8.2-6]
def test_a_member_that_refuses_has_had_it(raw, name):
    members = [raw().live(client="m%d" % i) for i in range(2)]
    for m in members:
        m.subscribed(("$share/g/" + name, 1))
    a = raw().live(client="a")
    a.send(publish(name, b"1", 1, ident=1), publish(name, b"2", 1, ident=2))
    for m in members:
        m.send(ack(PUBACK, m.expect(PUBLISH).ident, 0x80))
    for m in members:
        m.nothing_more()


# --- errors ----------------------------------------------------------------------------------------------------------------


# [MQTT-3.3.2-13] [MQTT-3.3.2-19]
@pytest.mark.parametrize("prop", [3, 8])
def test_properties_are_utf8(raw, name, prop):
    a = raw().live(client=name)
    a.send(publish(name, b"x", properties=bytes([prop]) + b"\x00\x01\xff"))
    assert a.disconnected() == 0x81


# [MQTT311-4.8.0-1] [MQTT311-2.2.2-2] [MQTT311-1.5.3-1] [MQTT311-1.5.3-2] [MQTT311-3.3.1-4] [MQTT311-3.1.0-2]
@pytest.mark.parametrize("data", [b"\x00\x00", b"\xc1\x00", packet(PUBLISH, b"\x00\x01\xff"), packet(PUBLISH, b"\x00\x01\x00"), packet(PUBLISH, text("a") + u16(1), 6),
                                  connect(4, client="x")], ids=["type", "flags", "UTF-8", "U+0000", "QoS 3", "second CONNECT"])
def test_a_violation_ends_the_connection(raw, name, data):
    other, a = raw().live(4, client="other"), raw().live(4, client=name)
    a.send(data)
    closed(a)
    other.nothing_more()


# [MQTT311-3.14.4-3] [MQTT311-3.1.2-8] [MQTT311-3.1.2-10] [MQTT-3.14.4-3]
@pytest.mark.parametrize("goodbye", [True, False])
def test_disconnect_takes_the_will_back(raw, name, goodbye):
    b = raw().live(client="b")
    b.subscribed((name, 0))
    a = raw().live(4, client=name, will=(name, b"gone", 0, False, b""))
    if goodbye:
        a.send(packet(DISCONNECT))
        closed(a)
    a.close()
    if not goodbye:
        assert b.expect(PUBLISH).payload == b"gone"
    b.nothing_more()


# --- WebSocket -------------------------------------------------------------------------------------------------------------


class WebSocket(Raw):
    """A client of raw frames; the bytes that come are those inside."""

    def __init__(self, address, port, protocol="mqtt"):
        self.socket, self.version, self.buffer, self.raw = socket.create_connection((address, port), timeout=20), 5, b"", b""
        self.socket.sendall(("GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n"
                             "Sec-WebSocket-Protocol: %s\r\n\r\n" % (base64.b64encode(os.urandom(16)).decode(), protocol)).encode())
        while b"\r\n\r\n" not in self.raw:
            self.more()
        self.head, self.raw = self.raw.split(b"\r\n\r\n", 1)

    def more(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError(self.raw)
        self.raw += data

    def frame(self, opcode, data):
        """Masked, as clients' are: with zeros."""
        assert len(data) < 126
        self.socket.sendall(bytes([0x80 | opcode, 0x80 | len(data)]) + bytes(4) + data)

    def read(self, n):
        while len(self.buffer) < n:
            while len(self.raw) < 2 or len(self.raw) < 2 + self.raw[1]:
                self.more()
            assert self.raw[1] < 126
            if self.raw[0] & 15 == 8:
                raise EOFError(self.raw)
            self.buffer, self.raw = self.buffer + self.raw[2:2 + self.raw[1]], self.raw[2 + self.raw[1]:]
        out, self.buffer = self.buffer[:n], self.buffer[n:]
        return out


# [MQTT-6.0.0-1] [MQTT-6.0.0-2] [MQTT-6.0.0-4] [MQTT311-6.0.0-1] [MQTT311-6.0.0-2] [MQTT311-6.0.0-4]
def test_websocket_frames(flock):
    """Packets lie across frames as they like; a frame of text is the end."""
    a = WebSocket(flock.address, flock.mqtt["ws"])
    assert b" 101 " in a.head and b"sec-websocket-protocol: mqtt" in a.head.lower()
    data = connect(4, client="w") + packet(12)
    for piece in (data[:1], data[1:9], data[9:-1], data[-1:] + packet(12) + packet(12)[:1], packet(12)[1:]):
        a.frame(2, piece)
    assert [a.next().kind for _ in range(4)] == [CONNACK, 13, 13, 13]
    a.frame(1, packet(12))
    with pytest.raises((EOFError, ConnectionResetError)):
        a.next()
    a.close()
