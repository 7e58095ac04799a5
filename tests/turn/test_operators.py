# SPDX-License-Identifier: Apache-2.0
"""What operators see and do: list, kick, quota, metrics, reload, drain."""
import os
import socket
import subprocess
import time

import pytest
import yaml

import stun
from flock import Failed
from relay import needs_ipv6
from stun import SUCCESS, Peer


def wait(condition, seconds=15):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        got = condition()
        if got:
            return got
        time.sleep(0.05)
    raise AssertionError("it did not happen")


@needs_ipv6
def test_list(relay):
    with relay.client(name="list@turn.test") as c, relay.client("tcp", name="other@turn.test") as other, Peer() as peer:
        c.allocate(stun.attr(stun.ADDITIONAL_FAMILY, b"\2\0\0\0"))
        other.allocate()
        c.bind(0x4000, peer.name)
        c.permit(("127.0.0.7", 1))
        for _ in range(3):
            c.channel(0x4000, b"12345")
            assert peer.receive()[0] == b"12345"
        peer.send(b"1234567890", c.relayed[0])
        c.receive_data()
        assert {"list@turn.test", "other@turn.test"} <= {a["user"] for a in relay.list()}
        it, = relay.list("list@turn.test")
        assert it["client"] == "%s:%d" % c.t.name and it["transport"] == "udp" and it["instance"] == "turn-relay-1"
        assert it["relayed"] == ["127.0.0.1:%d" % c.relayed[0][1], "[::1]:%d" % c.relayed[1][1]]
        assert (it["permissions"], it["channels"], it["bytes_to_peer"], it["packets_to_peer"], it["bytes_to_client"], it["packets_to_client"]) == (2, 1, 15, 3, 10, 1)
        assert 590000 < it["expires_ms"] <= 600000
        table = relay.flock.ctl("turn", "list")
        assert table.startswith("USER") and "other@turn.test" in table
        assert relay.list("nobody@turn.test") == []


def test_kick(relay):
    with relay.client(name="kicked@turn.test") as c, relay.client("tcp", name="kicked@turn.test") as tcp, relay.client(name="stays@turn.test") as other, Peer() as peer:
        for one in (c, tcp, other):
            one.allocate()
            one.permit(peer.name)
        assert relay.flock.ctl_json("turn", "kick", "kicked@turn.test") == {"kicked": 2}
        assert c.refresh().code == 437 and other.refresh().cls == SUCCESS
        peer.send(b"x", c.relayed[0])
        assert c.t.silent()
        with pytest.raises(Failed) as failed:
            relay.flock.ctl("turn", "kick", "kicked@turn.test")
        assert failed.value.code == 2
        assert c.allocate().cls == SUCCESS  # he may come again
        relay.flock.ctl("turn", "kick", "kicked@turn.test", "3s")
        assert c.allocate().code == 403 and other.refresh().cls == SUCCESS
        wait(lambda: c.allocate().cls == SUCCESS)
        c.relayed = c.relayed or [None]


def test_quota(relay):
    name = "quota@turn.test"
    with relay.client(name=name) as c, relay.client(name=name) as second:
        assert relay.flock.ctl_json("turn", "quota", name)["quotas"] == [{"allocations": 1000, "set": False, "used": 0, "blocked_ms": 0, "instance": "turn-relay-1"}]
        assert relay.flock.ctl_json("turn", "quota", name, "1")["quotas"][0]["set"]
        assert c.allocate().cls == SUCCESS and second.allocate().code == 486
        assert "1 (set)" in relay.flock.ctl("turn", "quota", name)
        it, = relay.flock.ctl_json("turn", "quota", name, "default")["quotas"]
        assert (it["allocations"], it["set"], it["used"]) == (1000, False, 1)
        assert second.allocate().cls == SUCCESS


@pytest.mark.parametrize("words", (("lst",), ("quota",), ("quota", "a@b", "many"), ("quota", "a@b", "-1"), ("kick",), ("kick", "a@b", "soon"), ("list", "a", "b"), ("kick", "a@b", "0s")))
def test_wrong_words(relay, words):
    with pytest.raises(Failed) as failed:
        relay.flock.ctl("turn", *words)
    assert failed.value.code == 64


def test_metrics(relay):
    before = relay.metrics()
    with relay.client(name="counted@turn.test") as c, Peer() as peer:
        c.allocate()
        c.permit(peer.name, )
        assert c.permit(("10.0.0.1", 1)).code == 403
        c.send_to(peer.name, b"12345")
        peer.receive()
        peer.send(b"123", c.relayed[0])
        c.receive_data()
        with Peer("127.0.0.2") as stranger:
            stranger.send(b"x", c.relayed[0])
            assert c.t.silent()
        now = relay.metrics()

        def grown(name):
            return now["starling_turn_" + name] - before["starling_turn_" + name]

        assert grown("allocations") == 1 and grown("allocations_total") == 1
        assert grown('bytes_total{direction="to_peer"}') == 5 and grown('bytes_total{direction="to_client"}') == 3
        assert grown('packets_total{direction="to_peer"}') == 1 and grown('packets_total{direction="to_client"}') == 1
        assert grown('refused_total{reason="peer"}') == 1 and grown('dropped_total{reason="permission"}') == 1
        assert grown('challenges_total{code="401"}') == 1
    assert wait(lambda: relay.metrics()["starling_turn_allocations"] == before["starling_turn_allocations"])
    status = next(i for i in relay.flock.status() if i["role"] == "turn-relay")
    assert status["healthy"]


def test_reload_of_secrets(special):
    relay = special({})
    new = "a-secret-that-is-new-here"
    with relay.client() as c:
        c.allocate()
        relay.write("keys/turn.secrets", "%s\n%s\n" % (new, relay.secret))
        relay.reload()
        assert c.refresh().cls == SUCCESS
        user, password = stun.rest_credentials(new, "romeo@turn.test")
        with relay.client(user=user, password=password) as fresh:
            assert fresh.allocate().cls == SUCCESS
        # A file with a mistake changes nothing.
        relay.write("keys/turn.secrets", "short\n")
        with relay.flock.expect("credentials not reloaded|turn.secrets"):
            with pytest.raises(Failed):
                relay.reload()
            assert c.refresh().cls == SUCCESS
        relay.write("keys/turn.secrets", new + "\n")
        relay.reload()
        assert c.refresh().code == 401  # its secret is no more


def test_drain(special):
    """No new allocations; those that are there go on until they end."""
    relay = special({})
    relay.flock.configure({"drain": "60s"})
    relay.reload()
    pid = relay.flock.pid("turn-relay-1")
    with relay.flock.expect("turn-relay-1 ended"), relay.client() as c, relay.client(name="late@turn.test") as late, Peer() as peer:
        c.allocate()
        c.permit(peer.name)
        late.challenge()
        drain = subprocess.Popen([os.path.join(relay.flock.binaries, "starlingctl"), "drain", "--dir", relay.flock.state, "turn-relay-1"])

        def refused():
            answer = late.allocate()
            if answer.cls == SUCCESS:
                late.refresh(0)
            return answer.code == 508

        wait(refused)
        c.send_to(peer.name, b"still here")
        assert peer.receive()[0] == b"still here"
        assert c.refresh().cls == SUCCESS
        assert c.refresh(0).cls == SUCCESS
        assert drain.wait(30) == 0
        relay.flock.wait_replaced("turn-relay-1", pid)


@needs_ipv6
def test_drain_sends_elsewhere(special):
    """With another relay named, clients are told of it (RFC 8489 section 10)."""
    relay = special({"alternates": ["192.0.2.7:3479", "2001:db8::7"]})
    relay.flock.configure({"drain": "60s"})
    relay.reload()
    pid = relay.flock.pid("turn-relay-1")
    with relay.flock.expect("turn-relay-1 ended"), relay.client() as c, relay.client(name="late@turn.test") as late, relay.client(server="::1", name="six@turn.test") as six:
        c.allocate()
        six.challenge()
        late.challenge()
        drain = subprocess.Popen([os.path.join(relay.flock.binaries, "starlingctl"), "drain", "--dir", relay.flock.state, "turn-relay-1"])

        def sent_away():
            answer = late.allocate()
            if answer.cls == SUCCESS:
                late.refresh(0)
            return answer if answer.code == 300 else None

        answer = wait(sent_away)
        assert answer.plain_address(stun.ALTERNATE_SERVER) == ("192.0.2.7", 3479) and answer.signed_by(late.key)
        assert six.allocate().plain_address(stun.ALTERNATE_SERVER) == ("2001:db8::7", 3478)
        assert c.refresh(0).cls == SUCCESS
        assert drain.wait(30) == 0
        relay.flock.wait_replaced("turn-relay-1", pid)


def test_killed_relay(special):
    """A relay that dies in a call: its client finds no allocation, and makes another (ICE restart)."""
    relay = special({})
    with relay.client() as c, Peer() as peer:
        c.allocate()
        pid = relay.flock.pid("turn-relay-1")
        with relay.flock.expect("turn-relay-1"):
            os.kill(pid, 9)
            wait(lambda: relay.flock.children().get("turn-relay-1") not in (pid, None))
            relay.flock.wait_healthy()
            answer = c.refresh()  # its nonce is of the old life
            assert answer.code == 437
            assert c.allocate().cls == SUCCESS
            assert c.permit(peer.name).cls == SUCCESS
            c.send_to(peer.name, b"again")
            assert peer.receive()[0] == b"again"


def test_port_that_somebody_else_has(relay):
    """It says so, and ends."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with open(os.path.join(relay.flock.state, "starling.yml")) as f:
            config = yaml.safe_load(f)
        config["services"]["turn-relay"]["port"] = port
        path = os.path.join(relay.flock.state, "tried.yml")
        with open(path, "w") as f:
            yaml.safe_dump(config, f)
        result = relay.flock.run("--config", path, binary="turn-relay")
        os.unlink(path)
    assert result.returncode == 1 and "cannot listen on 127.0.0.1 UDP port %d" % port in result.stderr, result.stderr
    assert "Sanitizer" not in result.stderr
