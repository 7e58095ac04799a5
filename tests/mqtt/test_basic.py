# SPDX-License-Identifier: Apache-2.0
"""What every client does: connect, subscribe, publish with each QoS, take over, ping, leave."""
import struct

import pytest

from raw import DISCONNECT, PINGREQ, PINGRESP, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, UNSUBACK, ack, packet, publish, unsubscribe

VERSIONS = [3, 4, 5]


# [MQTT-3.1.4-5] [MQTT-3.12.4-1] [MQTT311-3.1.4-4] [MQTT311-3.12.4-1]
@pytest.mark.parametrize("version", VERSIONS)
def test_connect_and_ping(raw, version):
    c = raw().live(version, client="ping%d" % version)
    c.send(packet(PINGREQ))
    c.expect(PINGRESP)
    c.send(packet(DISCONNECT))
    assert c.disconnected() is None


# [MQTT-3.1.4-2] [MQTT-4.12.0-4]
@pytest.mark.parametrize("version, reason", [(3, 4), (4, 4), (5, 0x86)])
def test_wrong_password(raw, version, reason):
    assert raw().connect(version, client="w", password="wrong") == reason


@pytest.mark.parametrize("version, reason", [(4, 5), (5, 0x87)])
def test_anonymous_is_refused(raw, version, reason):
    assert raw().connect(version, client="w", user=None, password=None) == reason


# [MQTT-2.2.1-2] [MQTT-2.2.1-5] [MQTT-3.3.4-1] [MQTT-4.3.1-1] [MQTT-4.3.2-2] [MQTT-4.3.2-4] [MQTT-4.3.3-2] [MQTT-4.3.3-4] [MQTT-4.3.3-8]
# [MQTT-4.3.3-11] [MQTT311-2.3.1-5] [MQTT311-2.3.1-6] [MQTT311-3.3.4-1] [MQTT311-4.3.1-1] [MQTT311-4.3.2-1] [MQTT311-4.3.2-2]
# [MQTT311-4.3.3-1] [MQTT311-4.3.3-2]
@pytest.mark.parametrize("publisher", VERSIONS)
@pytest.mark.parametrize("subscriber", VERSIONS)
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_every_version_and_qos(raw, publisher, subscriber, qos):
    topic = "all/%d/%d/%d" % (publisher, subscriber, qos)
    a, b = raw().live(publisher, client="a"), raw().live(subscriber, client="b")
    assert b.subscribed((topic, 2)) == [2]
    a.send(publish(topic, b"payload", qos, ident=7, version=publisher))
    p = b.expect(PUBLISH)
    assert (p.topic, p.payload, p.qos, p.retain, p.dup) == (topic, b"payload", qos, False, False)
    if qos == 1:
        assert a.expect(PUBACK).body[:2] == struct.pack(">H", 7)
        b.send(ack(PUBACK, p.ident))
    if qos == 2:
        a.expect(PUBREC)
        a.send(ack(PUBREL, 7))
        a.expect(PUBCOMP)
        b.send(ack(PUBREC, p.ident))
        b.expect(PUBREL)
        b.send(ack(PUBCOMP, p.ident))
    a.nothing_more()
    b.nothing_more()


# [MQTT-3.3.1-3] [MQTT-4.3.3-10] [MQTT-4.3.3-11]
def test_qos2_is_handed_out_once(raw):
    """[MQTT-4.3.3-10]"""
    a, b = raw().live(client="a"), raw().live(client="b")
    b.subscribed(("once", 0))
    a.send(publish("once", b"1", 2, ident=9), publish("once", b"1", 2, ident=9, dup=True))
    a.expect(PUBREC)
    a.expect(PUBREC)
    a.send(ack(PUBREL, 9))
    assert len(a.expect(PUBCOMP).body) == 2
    a.send(ack(PUBREL, 9))
    assert a.expect(PUBCOMP).body[2] == 0x92
    b.expect(PUBLISH)
    b.nothing_more()


# [MQTT-3.10.4-1] [MQTT-3.10.4-2] [MQTT-3.11.3-1]
def test_unsubscribe(raw):
    a = raw().live(client="a")
    a.subscribed(("u/+", 0))
    a.send(unsubscribe("u/+", "never"))
    assert a.expect(UNSUBACK).body[-2:] == b"\x00\x11"
    a.send(publish("u/x", b"1"))
    a.nothing_more()


# [MQTT-3.1.4-3]
def test_takeover(raw):
    a = raw().live(client="same")
    b = raw().live(client="same")
    assert a.disconnected() == 0x8E
    b.nothing_more()


def test_hosts_are_apart(flock, raw):
    a = raw().live(client="same")
    b = raw().live(client="same", user="romeo@" + flock.hosts[1])
    a.subscribed(("#", 0))
    b.send(publish("other", b"x", 1))
    assert b.expect(PUBACK).body[2] == 0x10
    a.nothing_more()


# [MQTT-3.1.3-6] [MQTT311-3.1.3-6]
@pytest.mark.parametrize("version", [4, 5])
def test_an_assigned_identifier(raw, version):
    a, b = raw().live(version), raw().live(version)
    a.nothing_more()
    b.nothing_more()


# [MQTT-3.1.2-22] [MQTT-3.2.2-22] [MQTT311-3.1.2-24]
def test_keep_alive(raw):
    c = raw().live(client="quiet", keep_alive=1)
    assert c.disconnected() == 0x8D
