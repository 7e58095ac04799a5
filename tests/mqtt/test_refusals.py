# SPDX-License-Identifier: Apache-2.0
"""Packets that are malformed, or not in their place: the connection ends with the reason that the standard has for it, and nobody else notices."""
import pytest

from raw import AUTH, CONNECT, PUBLISH, SUBSCRIBE, connect, packet, publish, subscribe, text, unsubscribe

LIVE = [
    ("a reserved type", b"\x00\x00", 0x81),
    ("a second CONNECT", connect(client="a"), 0x82),
    ("a server's packet", packet(2, b"\x00\x00\x00"), 0x82),
    ("QoS 3", packet(PUBLISH, text("a") + b"\x00\x01\x00", 6), 0x81),
    ("DUP with QoS 0", packet(PUBLISH, text("a") + b"\x00", 8), 0x81),
    ("a wildcard in a topic", publish("a/+"), 0x81),
    ("neither topic nor alias", publish(""), 0x82),
    ("alias 0", publish("a", properties=b"\x23\x00\x00"), 0x94),
    ("an alias above the maximum", publish("a", properties=b"\x23\xff\xff"), 0x94),
    ("a subscription identifier", publish("a", properties=b"\x0b\x01"), 0x82),
    ("packet identifier 0", publish("a", qos=1, ident=0), 0x82),
    ("not UTF-8", publish(b"\xff\xfe"), 0x81),
    ("no filter", packet(SUBSCRIBE, b"\x00\x01\x00", 2), 0x82),
    ("SUBSCRIBE with wrong flags", packet(SUBSCRIBE, b"\x00\x01\x00" + text("a") + b"\x00", 0), 0x81),
    ("a filter with # inside", subscribe(("a/#/b", 0)), 0x81),
    ("no-local and shared", subscribe(("$share/g/a", 4)), 0x82),
    ("retain handling 3", subscribe(("a", 0x30)), 0x82),
    ("a share name with a wildcard", subscribe(("$share/+/a", 0)), 0x81),
    ("an empty filter", unsubscribe(""), 0x81),
    ("AUTH without a method", packet(AUTH, b"\x19\x00"), 0x82),
    ("AUTH with one, and none in CONNECT", packet(AUTH, b"\x19\x04\x15\x00\x01m"), 0x82),
    ("a length of five bytes", b"\x30\x80\x80\x80\x80\x01", 0x81),
]


# [MQTT-3.1.0-2] [MQTT-3.14.4-1] [MQTT-3.14.4-2] [MQTT-4.13.1-1] [MQTT-4.13.2-1] [MQTT-4.12.0-7]
@pytest.mark.parametrize("what, data, reason", LIVE, ids=[row[0] for row in LIVE])
def test_refused(raw, what, data, reason):
    other = raw().live(client="other")
    a = raw().live(client="a")
    a.send(data)
    assert a.disconnected() == reason
    b = raw().live(4, client="b")
    if data[:1] != bytes([CONNECT << 4]) and reason not in (0x94,):
        b.send(b"\x00\x00")
        assert b.disconnected() is None
    other.nothing_more()


FRESH = [
    ("not CONNECT", publish("a", b"x"), None),
    ("not MQTT", b"GET / HTTP/1.1\r\n\r\n", None),
    ("a protocol that there is not", packet(CONNECT, text("MQTT") + b"\x06\x02\x00\x00\x00" + text("a")), 0x84),
    ("the reserved connect flag", packet(CONNECT, text("MQTT") + b"\x05\x03\x00\x00\x00" + text("a")), 0x81),
    ("a will with QoS 3", packet(CONNECT, text("MQTT") + b"\x05\x1e\x00\x00\x00" + text("a") + b"\x00" + text("w") + text("")), 0x81),
]


# [MQTT-3.1.0-1] [MQTT-3.1.2-1] [MQTT-3.1.2-2] [MQTT-3.1.2-3] [MQTT-3.1.4-1] [MQTT-3.14.0-1] [MQTT311-3.1.0-1] [MQTT311-3.1.4-1]
@pytest.mark.parametrize("what, data, reason", FRESH, ids=[row[0] for row in FRESH])
def test_refused_at_first(raw, what, data, reason):
    a = raw()
    a.send(data)
    if reason is not None:
        assert a.next().body[1] == reason
    with pytest.raises((EOFError, ConnectionResetError)):
        a.next()
