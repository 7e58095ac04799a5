# SPDX-License-Identifier: Apache-2.0
"""Sessions that outlive their connections: what they keep, and for how long (MQTT 5.0 sections 3.1.2.4, 3.1.2.11, 3.1.3.2 and 4.1 to 4.4)."""
import struct

import pytest

from raw import DISCONNECT, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, UNSUBACK, ack, packet, publish, unsubscribe, varint

VERSIONS = [3, 4, 5]


def u32(n):
    return struct.pack(">I", n)


def send(raw, topic, *payloads, qos=1):
    """Published and acknowledged by a client of its own."""
    p = raw().live(client="sender-" + topic)
    for i, payload in enumerate(payloads):
        p.send(publish(topic, payload, qos, ident=i + 1))
        if qos == 1:
            p.expect(PUBACK)
        if qos == 2:
            p.expect(PUBREC)
            p.send(ack(PUBREL, i + 1))
            p.expect(PUBCOMP)
    p.nothing_more()
    p.close()


# [MQTT-3.1.2-5] [MQTT-3.1.2-6] [MQTT-3.1.2-23] [MQTT-3.1.3-2] [MQTT-3.2.2-3] [MQTT-4.5.0-1] [MQTT311-3.1.2-4] [MQTT311-3.1.2-5]
# [MQTT311-3.1.3-2] [MQTT311-3.2.2-2] [MQTT311-3.2.2-3] [MQTT311-4.1.0-1] [MQTT311-4.5.0-1]
@pytest.mark.parametrize("version", VERSIONS)
def test_it_is_there_again(raw, name, version):
    a = raw().lasting(name, version)
    assert not a.present
    a.subscribed((name, 1))
    a.close()
    send(raw, name, b"1", b"2")
    a = raw().lasting(name, version)
    assert a.present or version == 3  # 3.1 has no such flag
    for payload in (b"1", b"2"):
        p = a.expect(PUBLISH)
        assert (p.payload, p.qos, p.dup) == (payload, 1, False)
        a.send(ack(PUBACK, p.ident))
    a.nothing_more()
    a.close()
    a = raw().lasting(name, version)
    a.nothing_more()


# [MQTT-3.1.2-4] [MQTT-3.1.4-4] [MQTT-3.2.2-2] [MQTT311-3.1.2-6] [MQTT311-3.1.4-3] [MQTT311-3.2.2-1]
@pytest.mark.parametrize("version", [4, 5])
def test_clean_start_ends_it(raw, name, version):
    a = raw().lasting(name, version)
    a.subscribed((name, 1))
    a.close()
    send(raw, name, b"1")
    a = raw().live(version, client=name)
    assert not a.present
    a.nothing_more()
    a.close()
    a = raw().lasting(name, version)
    assert not a.present
    a.nothing_more()


# [MQTT-3.8.4-8] [MQTT-4.6.0-5] [MQTT-4.6.0-6] [MQTT311-3.8.4-6] [MQTT311-4.6.0-5] [MQTT311-4.6.0-6]
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_what_comes_meanwhile(raw, name, qos):
    """With QoS 0 nothing is kept; of the others each goes with the lower one of both."""
    a = raw().lasting(name)
    a.subscribed((name, 1))
    a.close()
    send(raw, name, *(b"%d" % i for i in range(15)), qos=qos)
    a = raw().lasting(name)
    for i in range(15 if qos else 0):
        p = a.expect(PUBLISH)
        assert (p.payload, p.qos) == (b"%d" % i, 1)
        a.send(ack(PUBACK, p.ident))
    a.nothing_more()


def test_more_than_a_window_and_a_full_queue(raw, name):
    """limits.inflight is 10 and limits.queue 20 here."""
    a = raw().lasting(name)
    a.subscribed((name, 1))
    a.close()
    send(raw, name, *(b"%d" % i for i in range(25)))
    a = raw().lasting(name)
    got = [a.expect(PUBLISH) for _ in range(10)]
    a.nothing_more()
    while len(got) < 20:
        a.send(ack(PUBACK, got[len(got) - 10].ident))
        got.append(a.expect(PUBLISH))
    assert [p.payload for p in got] == [b"%d" % i for i in range(20)]
    for p in got[10:]:
        a.send(ack(PUBACK, p.ident))
    a.nothing_more()
    send(raw, name, b"again")
    assert a.expect(PUBLISH).payload == b"again"


def test_a_long_queue_and_more_behind_it(raw, roomy, name):
    """Read in pages while more is published, in order to the last."""
    a = raw().lasting(name)
    a.subscribed((name, 1))
    a.close()
    send(raw, name, *(b"%d" % i for i in range(250)))
    a, p = raw().lasting(name), raw().live(client=name + "-p")
    for i in range(500):
        if i % 2 == 0:
            p.send(publish(name, b"%d" % (250 + i // 2), 1, ident=i + 1))
        got = a.expect(PUBLISH)
        assert got.payload == b"%d" % i
        a.send(ack(PUBACK, got.ident))
    for _ in range(250):
        p.expect(PUBACK)
    a.nothing_more()


# [MQTT-2.2.1-5] [MQTT-3.3.1-1] [MQTT-4.3.2-3] [MQTT-4.3.3-3] [MQTT-4.3.3-4] [MQTT-4.3.3-5] [MQTT-4.3.3-6] [MQTT-4.4.0-1] [MQTT311-2.3.1-6]
# [MQTT311-3.3.1-1] [MQTT311-4.3.2-1] [MQTT311-4.3.3-1] [MQTT311-4.4.0-1]
def test_in_flight_comes_again(raw, name):
    """[MQTT-4.4.0-1]: under the same identifiers, with DUP; what was completed does not."""
    a = raw().lasting(name)
    a.subscribed((name, 2))
    send(raw, name, b"q1")
    send(raw, name, b"q2a", b"q2b", qos=2)
    one, two, three = (a.expect(PUBLISH) for _ in range(3))
    a.send(ack(PUBREC, three.ident))
    assert a.expect(PUBREL).body[:2] == struct.pack(">H", three.ident)
    a.close()
    a = raw().lasting(name)
    first, second, third = a.next(), a.next(), a.next()
    assert [(p.kind, p.ident, p.dup, p.payload) for p in (first, second)] == [(PUBLISH, one.ident, True, b"q1"), (PUBLISH, two.ident, True, b"q2a")]
    assert (third.kind, third.body[:2]) == (PUBREL, struct.pack(">H", three.ident))
    a.send(ack(PUBACK, one.ident), ack(PUBREC, two.ident), ack(PUBCOMP, three.ident))
    a.expect(PUBREL)
    a.send(ack(PUBCOMP, two.ident))
    a.nothing_more()
    a.close()
    a = raw().lasting(name)
    a.nothing_more()


# [MQTT-4.3.3-10] [MQTT-4.3.3-12] [MQTT311-4.3.3-2]
def test_incoming_qos2_goes_on(raw, name):
    b = raw().live(client=name + "-b")
    b.subscribed((name, 0))
    a = raw().lasting(name)
    a.send(publish(name, b"once", 2, ident=9))
    a.expect(PUBREC)
    a.close()
    a = raw().lasting(name)
    a.send(publish(name, b"once", 2, ident=9, dup=True))
    a.expect(PUBREC)
    a.send(ack(PUBREL, 9))
    assert len(a.expect(PUBCOMP).body) == 2
    a.send(publish(name, b"another", 2, ident=9))
    a.expect(PUBREC)
    assert [b.expect(PUBLISH).payload for _ in range(2)] == [b"once", b"another"]
    b.nothing_more()


# [MQTT-3.1.4-3] [MQTT-4.1.0-1] [MQTT311-3.1.4-2] [MQTT311-4.1.0-2]
@pytest.mark.parametrize("version", [4, 5])
def test_takeover(raw, name, version):
    a = raw().lasting(name, version)
    a.subscribed((name, 1))
    send(raw, name, b"1")
    p = a.expect(PUBLISH)
    b = raw().lasting(name, version)
    assert a.disconnected() == (0x8E if version == 5 else None)
    assert b.present
    again = b.expect(PUBLISH)
    assert (again.ident, again.dup, again.payload) == (p.ident, True, b"1")


# [MQTT-3.1.3-8]
def test_it_is_its_users_alone(raw, name):
    raw().lasting(name).close()
    assert raw().connect(5, client=name, user="juliet", clean=False) == 0x85
    assert raw().lasting(name).present


def test_unsubscribed_for_good(raw, name):
    a = raw().lasting(name)
    a.subscribed((name + "/1", 1), (name + "/2", 1))
    a.send(unsubscribe(name + "/1"))
    a.expect(UNSUBACK)
    a.close()
    send(raw, name + "/1", b"no")
    send(raw, name + "/2", b"yes")
    a = raw().lasting(name)
    assert a.expect(PUBLISH).payload == b"yes"
    a.nothing_more()


def test_retained_for_one_that_lasts(raw, name):
    a = raw().live(client="a")
    a.send(publish(name, b"kept", 1, retain=True))
    a.expect(PUBACK)
    b = raw().lasting(name)
    b.subscribed((name, 1))
    p = b.expect(PUBLISH)
    assert (p.payload, p.retain, p.qos) == (b"kept", True, 1)
    b.close()
    b = raw().lasting(name)
    p = b.expect(PUBLISH)
    assert (p.payload, p.retain, p.dup) == (b"kept", True, True)
    a.send(publish(name, b"", 1, retain=True))


# [MQTT-3.3.2-5] [MQTT-3.3.2-6]
def test_message_expiry_while_away(raw, name):
    a = raw().lasting(name)
    a.subscribed((name, 1))
    a.close()
    p = raw().live(client="p")
    p.send(publish(name, b"short", 1, ident=1, properties=b"\x02" + u32(0)), publish(name, b"long", 1, ident=2, properties=b"\x02" + u32(600)))
    p.expect(PUBACK)
    p.expect(PUBACK)
    a = raw().lasting(name)
    got = a.expect(PUBLISH)
    assert got.payload == b"long" and got.properties[:1] == b"\x02"
    assert 500 < struct.unpack(">I", got.properties[1:5])[0] <= 600


def test_shared_between_those_here_and_away(raw, name):
    """Who is away gets what nobody else is there for."""
    a, b = raw().lasting(name + "-a"), raw().lasting(name + "-b")
    for m in (a, b):
        m.subscribed(("$share/g/" + name, 1))
    a.close()
    send(raw, name, b"1", b"2")
    got = [b.expect(PUBLISH) for _ in range(2)]
    assert [p.payload for p in got] == [b"1", b"2"]
    b.send(*(ack(PUBACK, p.ident) for p in got))
    b.nothing_more()
    b.close()
    send(raw, name, b"3", b"4")
    a, b = raw().lasting(name + "-a"), raw().lasting(name + "-b")
    assert {a.expect(PUBLISH).payload, b.expect(PUBLISH).payload} == {b"3", b"4"}
    a.nothing_more()
    b.nothing_more()


# --- its end -----------------------------------------------------------------------------------------------------------------


def watch(raw, topic):
    b = raw().live(client="watch-" + topic)
    b.subscribed((topic, 1))
    return b


# [MQTT-3.1.2-8] [MQTT-4.1.0-2]
def test_it_expires(raw, name):
    """Its will, whose delay is longer, says when ([MQTT-3.1.3-9])."""
    b = watch(raw, name + "/will")
    a = raw().lasting(name, expiry=1, will=(name + "/will", b"over", 1, False, b"\x18" + u32(100)))
    a.subscribed((name, 1))
    a.close()
    assert b.expect(PUBLISH).payload == b"over"
    a = raw().lasting(name)
    assert not a.present


def test_disconnect_changes_how_long(raw, name):
    a = raw().lasting(name)
    a.send(packet(DISCONNECT, b"\x00\x05\x11" + u32(0)))
    assert a.disconnected() is None
    assert not raw().lasting(name, expiry=0).present
    a = raw().live(client=name)
    a.send(packet(DISCONNECT, b"\x00\x05\x11" + u32(10)))
    assert a.disconnected() == 0x82


# [MQTT-3.1.2-8] [MQTT-3.1.3-9]
def test_a_will_waits_and_is_forgotten(raw, name):
    """Of two that vanish the one that comes back leaves nothing."""
    b = watch(raw, name + "/#")
    for who, delay in (("back", 1), ("gone", 2)):
        raw().lasting(name + who, will=(name + "/" + who, b"", 1, False, b"\x18" + u32(delay))).close()
    a = raw().lasting(name + "back")
    assert b.expect(PUBLISH).topic == name + "/gone"
    b.nothing_more()
    a.close()
    raw().live(client=name + "gone").nothing_more()


# [MQTT-3.1.2-10]
def test_a_will_without_delay(raw, name):
    b = watch(raw, name)
    a = raw().lasting(name + "-a", will=(name, b"gone", 1, False, b""))
    a.close()
    assert b.expect(PUBLISH).payload == b"gone"
    a = raw().lasting(name + "-a")
    assert a.present
    a.close()
    raw().live(client=name + "-a").nothing_more()
    b.nothing_more()


def test_identifiers_stay(raw, name):
    a = raw().lasting(name)
    a.subscribed((name + "/x", 1), properties=b"\x0b" + varint(5))
    a.subscribed((name + "/+", 1), properties=b"\x0b" + varint(300))
    a.close()
    send(raw, name + "/x", b"1")
    a = raw().lasting(name)
    p = a.expect(PUBLISH)
    assert sorted(p.properties.split(b"\x0b")[1:]) == sorted([varint(5), varint(300)])


def test_a_full_queue_drops_the_oldest(flock, raw, name):
    """limits.queue_full: drop-old. What is in flight stays; limits.inflight is 10 and limits.queue 20 here."""
    def policy(what):
        flock.configure({"services": {"mqtt-broker": {"limits": {"queue_full": what}}}})
        flock.ctl("reload", "mqtt-broker")
    policy("drop-old")
    try:
        raw().lasting(name).subscribed((name, 1))
        raw().lasting(name).close()
        send(raw, name, *(b"%d" % i for i in range(25)))
        a = raw().lasting(name)
        flight = [a.expect(PUBLISH) for _ in range(10)]
        assert [p.payload for p in flight] == [b"%d" % i for i in range(5, 15)]
        send(raw, name, *(b"%d" % i for i in range(25, 40)))
        a.nothing_more()
        a.close()
        send(raw, name, b"40")
        a = raw().lasting(name)
        got = [a.expect(PUBLISH) for _ in range(10)]
        assert [p.payload for p in got] == [p.payload for p in flight] and all(p.dup for p in got)
        a.send(*(ack(PUBACK, p.ident) for p in got))
        assert [a.expect(PUBLISH).payload for _ in range(10)] == [b"%d" % i for i in range(31, 41)]
        a.nothing_more()
    finally:
        policy("drop-new")
