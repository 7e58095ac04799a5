# SPDX-License-Identifier: Apache-2.0
"""What an operator does: rules changed and reloaded, a wrong one, drain."""
import os
import signal
import subprocess
import time

import pytest

from conftest import RULES, brokers
from raw import CONNACK, DISCONNECT, PUBACK, PUBLISH, connect, packet, publish, text


def rewrite(flock, text):
    with open(os.path.join(flock.state, "access.rules"), "w") as f:
        f.write(text)


def wait_for(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def reason(client, topic):
    client.send(publish(topic, b"x", 1))
    body = client.expect(PUBACK).body
    return body[2] if len(body) > 2 else 0


def test_rules_are_reloaded(flock, raw):
    a = raw().live(client="a")
    assert reason(a, "later/x") == 0x10
    rewrite(flock, "deny all later/#\n" + RULES)
    try:
        flock.ctl("reload", "mqtt-broker")
        assert reason(a, "later/x") == 0x87
    finally:
        rewrite(flock, RULES)
        flock.ctl("reload", "mqtt-broker")
    assert reason(a, "later/x") == 0x10


def test_a_wrong_rule_changes_nothing(flock, raw):
    a = raw().live(client="a")
    rewrite(flock, RULES + "allow everything\n")
    try:
        with pytest.raises(Exception, match="line 6"):
            flock.ctl("reload", "mqtt-broker")
        assert reason(a, "closed/x") == 0x87 and reason(a, "open/x") == 0x10
    finally:
        rewrite(flock, RULES)
        flock.ctl("reload", "mqtt-broker")


def test_drain_sends_clients_off(flock, raw):
    a, b = raw().live(client="a"), raw().live(4, client="b")
    before = {name: flock.pid(name) for name in brokers(flock)}
    with flock.expect(r"mqtt-broker-\d ended \(status 0\)"):
        for broker in before:
            flock.ctl("drain", broker)
        assert a.disconnected() == 0x8B
        assert b.disconnected() is None
        for broker, pid in before.items():
            flock.wait_replaced(broker, pid)
        flock.wait_healthy()
    raw().live(client="a").nothing_more()


def test_a_second_one_joins_and_takes_over(flock, raw, kill, name):
    """A second broker serves beside the first; when that is gone it has what lasts."""
    a = raw().lasting(name)
    a.subscribed((name, 1))
    a.close()
    log = open(os.path.join(flock.state, "log", "second.log"), "w+")
    second = subprocess.Popen([os.path.join(flock.binaries, "mqtt-broker"), "--config", os.path.join(flock.state, "starling.yml"), "--instance", "second"],
                              stdout=log, stderr=log, cwd=flock.state, env={**os.environ, "STARLING_PORT_OFFSET": str(flock.offset)})
    try:
        wait_for(lambda: " ready " in flock.log("second"))
        for i in range(10):
            p = raw().live(client=name + "-p")
            p.send(publish(name, b"%d" % i, 1))
            p.expect(PUBACK)
        first = brokers(flock)
        lives = [flock.log(broker).count(" ready ") for broker in first]
        for broker in first:
            os.kill(flock.pid(broker), signal.SIGKILL)
        wait_for(lambda: flock.log("second").count("a broker is gone") == len(first))
        a = raw().lasting(name)
        assert a.present and [a.expect(PUBLISH).payload for _ in range(10)] == [b"%d" % i for i in range(10)]
        # While the first comes back, on the same port, whoever connects is served by one or the other.
        while lives == [flock.log(broker).count(" ready ") for broker in first]:
            raw().live(client=name + "-p").close()
    finally:
        second.terminate()
        assert second.wait(30) == 0
        log.close()
    flock.wait_healthy()
    assert raw().lasting(name).present


def configure(flock, **broker):
    flock.configure({"services": {"mqtt-broker": broker}})
    flock.ctl("reload", "mqtt-broker")


def test_who_flaps_is_banned(flock, raw, name):
    """Listed and taken back like any other ban."""
    configure(flock, flapping={"client": 2, "ban": "1h"})
    try:
        for _ in range(3):
            a = raw().live(client=name)
            a.send(packet(DISCONNECT))
            with pytest.raises((EOFError, ConnectionResetError)):
                a.next()
        assert raw().connect(client=name) == 0x8A
        raw().live(client=name + "2")
        bans = flock.ctl_json("mqtt", "bans")["bans"]
        assert len(bans) == len(brokers(flock))  # wherever it connects
        for ban in bans:
            assert (ban["client"], ban["user"]) == (name, "romeo@" + flock.hosts[0]) and 3_500_000 < ban["left_ms"] <= 3_600_000
        flock.ctl("mqtt", "unban", "client", name)
        raw().live(client=name)
    finally:
        configure(flock, flapping={"client": 0, "ban": "5m"})
    for _ in range(4):
        raw().live(client=name)
    assert flock.ctl_json("mqtt", "bans")["bans"] == []


# [MQTT-3.1.2-28]
def test_response_information(flock, raw, name):
    """Told to who asks for it; what may be done there, the access rules say."""
    configure(flock, response_information=[flock.hosts[1] + " closed/%c", "only/%u/%c"])
    try:
        for user, asks, told in (("romeo", b"\x19\x01", b"\x1a" + text("only/romeo/" + name)), ("romeo@" + flock.hosts[1], b"\x19\x01", b"\x1a" + text("closed/" + name)),
                                 ("romeo", b"\x19\x00", b""), ("romeo", b"", b"")):
            a = raw()
            a.send(connect(client=name, user=user, properties=asks))
            body = a.expect(CONNACK).body
            assert body[1] == 0 and (told in body if told else b"only/" not in body), body
        assert reason(a, "only/romeo/%s/x" % name) == 0x87 and reason(a, "only/romeo/" + name) == 0x10
        with pytest.raises(Exception, match="response_information"):
            configure(flock, response_information=["reply/#"])
    finally:
        configure(flock, response_information=[])
