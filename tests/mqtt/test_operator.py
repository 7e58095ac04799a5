# SPDX-License-Identifier: Apache-2.0
"""What an operator does: rules changed and reloaded, a wrong one, drain."""
import os

import pytest

from conftest import RULES
from raw import PUBACK, publish


def rewrite(flock, text):
    with open(os.path.join(flock.state, "access.rules"), "w") as f:
        f.write(text)


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
    with flock.expect(r"mqtt-broker-1 ended \(status 0\)"):
        flock.ctl("drain", "mqtt-broker-1")
        assert a.disconnected() == 0x8B
        assert b.disconnected() is None
        flock.wait_healthy()
    raw().live(client="a").nothing_more()
