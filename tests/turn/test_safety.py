# SPDX-License-Identifier: Apache-2.0
"""Each rule of the relay's safety, with attempts to break it (docs/protocols/turn.md, "Safety")."""
import hashlib
import os
import random
import re
import socket
import struct
import time

import pytest
import yaml

import stun
from relay import LOOPBACK
from stun import ALLOCATE, BINDING, REFRESH, SUCCESS, Message, Peer, Transport, attr, message, u32

# Every spelling of what must not be reached: of loopback, which this relay's operator has allowed as itself, of private networks, of nobody.
FORBIDDEN = [
    "::ffff:127.0.0.1", "::127.0.0.1", "::ffff:10.0.0.1", "::10.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::8.8.8.8", "64:ff9b:1::127.0.0.1",
    "2002:7f00:1::1", "2002:a00:1::", "2002:808:808::", "2001:0:7f00:1::", "2001::1", "::2",
    "0.0.0.0", "0.0.0.1", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "169.254.169.254", "100.64.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1",
    "198.51.100.1", "203.0.113.1", "192.88.99.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
    "::", "fe80::1", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "ff0e::1", "100::1", "2001:db8::1", "3fff::1",
]


@pytest.fixture
def dual(relay):
    if len(LOOPBACK) == 1:
        pytest.skip("no IPv6 here")
    with relay.client() as c:
        assert c.allocate(attr(stun.ADDITIONAL_FAMILY, b"\2\0\0\0")).cls == SUCCESS and len(c.relayed) == 2
        yield c


# --- peers -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", FORBIDDEN)
def test_forbidden_peers(dual, address):
    assert dual.permit((address, 9)).code == 403
    assert dual.bind(0x4000, (address, 9)).code == 403
    dual.send_to((address, 9), b"x")
    assert dual.t.silent()


def test_no_permission_of_several_when_one_is_forbidden(dual):
    with Peer() as peer:
        assert dual.permit(peer.name, ("10.0.0.1", 9)).code == 403
        dual.send_to(peer.name, b"x")
        assert dual.t.silent() and peer.silent()


def test_own_ports(relay, dual):
    """An operator may allow loopback; where the relay itself listens is no peer all the same."""
    for address in ("127.0.0.1", "::1"):
        for port in (relay.port, relay.tls_port):
            assert dual.bind(0x4000, (address, port)).code == 403
        assert dual.permit((address, relay.port)).cls == SUCCESS  # for the address, whatever the port
        before = relay.metrics()["starling_turn_bindings_total"]
        dual.send_to((address, relay.port), message(BINDING, b"", os.urandom(12)))
        assert dual.t.silent()
        assert relay.metrics()["starling_turn_bindings_total"] == before + 1  # silent()'s own


def test_metrics_port_is_no_peer(relay, dual):
    url = re.search(r"http://(\S+):(\d+)/metrics", relay.flock.log("turn-relay-1"))
    assert dual.bind(0x4000, (url[1], int(url[2]))).code == 403


def test_loopback_is_denied_by_default(special):
    relay = special({"peers": {"allow": []}})
    with relay.client() as c, relay.client() as other, Peer() as peer:
        c.allocate()
        other.allocate()
        assert c.bind(0x4000, peer.name).code == 403
        # The relay's own address: only with the port of an allocation.
        assert c.permit(peer.name).cls == SUCCESS
        c.send_to(peer.name, b"x")
        assert c.t.silent() and peer.silent()
        assert c.bind(0x4000, other.relayed[0]).cls == SUCCESS
        other.refresh(0)
        assert c.bind(0x4001, other.relayed[0]).code in (400, 403)
        assert c.permit(("127.0.0.2", 1)).code == 403
        assert c.permit(("8.8.8.8", 1)).cls == SUCCESS


def test_deny_and_allow_lists(special):
    relay = special({"peers": {"allow": ["127.0.0.0/8"], "deny": ["8.8.0.0/16"]}})
    with relay.client() as c:
        c.allocate()
        assert c.permit(("8.8.8.8", 1)).code == 403
        assert c.permit(("8.9.8.8", 1)).cls == SUCCESS
        assert c.permit(("127.3.4.5", 1)).cls == SUCCESS


@pytest.mark.parametrize("settings, why", (
    ({"peers": {"allow": ["0.0.0.0/0"]}}, "cannot be allowed"),
    ({"peers": {"allow": ["::/0"]}}, "cannot be allowed"),
    ({"peers": {"allow": ["64:ff9b::/96"]}}, "no peer can be in it"),
    ({"peers": {"allow": ["224.0.0.0/8"]}}, "no peer can be in it"),
    ({"peers": {"deny": ["10.0.0.1/8"]}}, "bits are set"),
    ({"secrets_file": "", "users_file": ""}, "nobody could use"),
    ({"secrets_file": "missing.secrets"}, "No such file"),
    ({"relay": {"port_min": 60000, "port_max": 50000}}, "port_min is above"),
    ({"relay": {"port_min": 80}}, "port_min"),
    ({"udp": False, "tcp": False, "tls": {"port": 0}}, "nobody could reach it"),
    ({"realm": "a\"b"}, "quotes"),
    ({"public_address": "turn.test"}, "public_address is not host:port"),
    ({"public_address": "::1:3478"}, "public_address is not host:port"),
    ({"addresses": ["localhost"]}, "not a numeric"),
    ({"relay": {"addresses": ["0.0.0.0"]}}, "a single address is wanted"),
    ({"relay": {"external": ["10.0.0.1=192.0.2.1"]}}, "no relay address"),
    ({"discovery": {"address": "127.0.0.1"}}, "discovery.address must be another"),
))
def test_configuration_is_refused(relay, settings, why):
    with open(os.path.join(relay.flock.state, "starling.yml")) as f:
        config = yaml.safe_load(f)
    section = config["services"]["turn-relay"]
    for key, value in settings.items():
        section[key] = {**section.get(key, {}), **value} if isinstance(value, dict) else value
    path = os.path.join(relay.flock.state, "tried.yml")
    with open(path, "w") as f:
        yaml.safe_dump(config, f)
    result = relay.flock.run("--check-config", "--config", path, binary="turn-relay")
    os.unlink(path)
    assert result.returncode == 78 and why in result.stderr, result.stderr


# --- who asks --------------------------------------------------------------------------------------------------------------


def test_nothing_without_credentials(relay):
    with relay.client() as c:
        c.challenge()
        for method in (ALLOCATE, REFRESH, stun.CREATE_PERMISSION, stun.CHANNEL_BIND):
            assert c.exchange(message(method, attr(stun.REQUESTED_TRANSPORT, stun.UDP), os.urandom(12))).code == 401
        assert not relay.list()


def test_wrong_credentials(relay):
    attempts = [
        {"user": stun.rest_credentials(relay.secret, "romeo@turn.test")[0], "password": "guessed"},
        {"user": "nobody", "password": "balcony"},
        {"user": "juliet", "password": "guessed"},
        {"user": "1:romeo@turn.test", "password": stun.rest_credentials(relay.secret, "romeo@turn.test")[1]},
    ]
    expired = stun.rest_credentials(relay.secret, "romeo@turn.test", -10)
    attempts.append({"user": expired[0], "password": expired[1]})
    kinds = set()
    for a in attempts:
        for sha256 in (False, True):
            with relay.client(sha256=sha256, **a) as c:
                answer = c.allocate()
                assert answer.code == 401 and not answer.signed_by(c.key, sha256)
                kinds.add((len(answer.data), tuple(k for k, _ in answer.attrs)))
    assert len(kinds) == 1  # who is not known and who is wrong look the same
    assert not relay.list()


def test_users_and_other_secrets(relay):
    for sha256 in (False, True):
        with relay.client(user="juliet", password="balcony", sha256=sha256) as c:
            assert c.allocate().cls == SUCCESS
    user, password = stun.rest_credentials("the-secret-from-before", "romeo@turn.test")
    with relay.client(user=user, password=password) as c:
        assert c.allocate().cls == SUCCESS


def test_userhash(relay):
    with relay.client(user="juliet", password="balcony", sha256=True) as c:
        c.challenge()
        hashed = hashlib.sha256(b"juliet:turn.test").digest()
        tid = os.urandom(12)
        rest = attr(stun.REALM, b"turn.test") + attr(stun.NONCE, c.nonce) + attr(stun.PASSWORD_ALGORITHMS, stun.OFFERED) + attr(stun.PASSWORD_ALGORITHM, b"\0\2\0\0")
        for value, code in ((hashed, 0), (hashlib.sha256(b"nobody:turn.test").digest(), 401)):
            with relay.client() as t:
                t.challenge()
                body = attr(stun.REQUESTED_TRANSPORT, stun.UDP) + attr(stun.USERHASH, value) + rest.replace(c.nonce, t.nonce)
                assert t.exchange(stun.sign(message(ALLOCATE, body, tid), c.key, True)).code == code


def test_bidding_down(relay):
    """Somebody on the way who makes the list of algorithms shorter is found out (RFC 8489 section 9.2.1)."""
    with relay.client() as c:
        c.challenge()
        base = attr(stun.REQUESTED_TRANSPORT, stun.UDP) + attr(stun.USERNAME, c.user.encode()) + attr(stun.REALM, c.realm.encode()) + attr(stun.NONCE, c.nonce)
        md5 = attr(stun.PASSWORD_ALGORITHM, b"\0\1\0\0")
        for extra in (md5, attr(stun.PASSWORD_ALGORITHMS, stun.OFFERED), attr(stun.PASSWORD_ALGORITHMS, b"\0\1\0\0") + md5,
                      attr(stun.PASSWORD_ALGORITHMS, stun.OFFERED) + attr(stun.PASSWORD_ALGORITHM, b"\0\3\0\0"),
                      attr(stun.PASSWORD_ALGORITHMS, stun.OFFERED) + attr(stun.PASSWORD_ALGORITHM, b"\0\1\0\4aaaa")):
            assert c.exchange(stun.sign(message(ALLOCATE, base + extra, os.urandom(12)), c.key)).code == 400
        # MD5 by choice: the answer is signed with SHA-256 then, with that key.
        answer = c.exchange(stun.sign(message(ALLOCATE, base + attr(stun.PASSWORD_ALGORITHMS, stun.OFFERED) + md5, os.urandom(12)), c.key, True))
        assert answer.cls == SUCCESS and answer.signed_by(c.key, True)


def test_missing_parts(relay):
    with relay.client() as c:
        c.challenge()
        parts = [attr(stun.USERNAME, c.user.encode()), attr(stun.REALM, c.realm.encode()), attr(stun.NONCE, c.nonce)]
        for left_out in range(3):
            body = attr(stun.REQUESTED_TRANSPORT, stun.UDP) + b"".join(p for i, p in enumerate(parts) if i != left_out)
            answer = c.exchange(stun.sign(message(ALLOCATE, body, os.urandom(12)), c.key))
            assert answer.code == 400 and stun.NONCE not in answer and stun.REALM not in answer
        body = attr(stun.REQUESTED_TRANSPORT, stun.UDP) + parts[0] + attr(stun.REALM, b"other.test") + parts[2]
        assert c.exchange(stun.sign(message(ALLOCATE, body, os.urandom(12)), c.key)).code == 401


def test_somebody_elses_allocation(relay):
    """Another user on the same 5-tuple, such as one behind the same NAT that was given the port again."""
    with relay.client() as c:
        c.allocate()
        c.user, c.password = "juliet", "balcony"
        for answer in (c.refresh(0), c.permit(("127.0.0.1", 9)), c.bind(0x4000, ("127.0.0.1", 9))):
            assert answer.code == 441
        assert c.allocate().code == 437
        # New credentials of the same account are as good as the old ones.
        c.user, c.password = stun.rest_credentials(relay.secret, "romeo@turn.test", 7200)
        assert c.refresh().cls == SUCCESS


# --- nonces ----------------------------------------------------------------------------------------------------------------


def test_a_nonce_is_for_one_address(relay):
    with relay.client() as one, relay.client() as other:
        one.challenge()
        other.challenge()
        assert one.nonce != other.nonce
        stolen = other.nonce
        other.nonce = one.nonce
        answer = other.exchange(other.signed(ALLOCATE, attr(stun.REQUESTED_TRANSPORT, stun.UDP)))
        assert answer.code == 438 and answer.get(stun.NONCE).startswith(b"obMatJos2gAAA") and answer.get(stun.NONCE) != one.nonce
        assert answer.get(stun.PASSWORD_ALGORITHMS) == stun.OFFERED
        other.nonce = stolen[:-1] + (b"A" if stolen[-1:] != b"A" else b"B")
        assert other.exchange(other.signed(ALLOCATE, attr(stun.REQUESTED_TRANSPORT, stun.UDP))).code == 438


def test_stale_nonce(special):
    relay = special({"timeouts": {"nonce": "1s"}})
    with relay.client() as c:
        c.allocate()
        first = c.nonce
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            answer = c.exchange(c.signed(REFRESH))
            if answer.code == 438:
                break
            time.sleep(0.2)
        assert answer.code == 438 and answer.get(stun.NONCE) != first
        assert c.refresh().cls == SUCCESS  # with the new one


def test_nothing_is_remembered_of_strangers(special, monkeypatch):
    """A flood of requests without credentials, from many ports, leaves nothing behind."""
    # What a sanitizer keeps of freed memory would look like remembering.
    monkeypatch.setenv("ASAN_OPTIONS", "quarantine_size_mb=0:thread_local_quarantine_size_kb=0")
    relay = special({})
    pid = relay.flock.pid("turn-relay-1")

    def memory():
        with open("/proc/%d/statm" % pid) as f:
            return int(f.read().split()[1])

    def flood(n):
        for _ in range(n):
            t = Transport("127.0.0.1", relay.port)
            for _ in range(20):
                t.send(message(ALLOCATE, attr(stun.REQUESTED_TRANSPORT, stun.UDP), os.urandom(12)))
            t.silent()
            t.close()

    flood(50)
    before = memory()
    flood(200)
    assert memory() - before < 256  # pages of 4 KiB
    assert not relay.list()


# --- answers to strangers --------------------------------------------------------------------------------------------------


def test_answers_are_short(relay):
    with relay.client() as c:
        bare = message(ALLOCATE, attr(stun.REQUESTED_TRANSPORT, stun.UDP), os.urandom(12))
        answer = c.challenge()
        # REALM, NONCE and the algorithms have to be in it; nothing else is.
        assert len(answer.data) <= 20 + 8 + 4 + 12 + 4 + 32 + 12
        assert (len(answer.data) + 28) / (len(bare) + 28) < 2.3
        assert sorted(k for k, _ in answer.attrs) == sorted((stun.ERROR_CODE, stun.REALM, stun.NONCE, stun.PASSWORD_ALGORITHMS))
        # With credentials, good or bad ones, an answer is never longer than what came.
        good = c.signed(ALLOCATE, attr(stun.REQUESTED_TRANSPORT, stun.UDP))
        for data in (good, good[:-1] + bytes([good[-1] ^ 1]), c.signed(REFRESH), c.signed(stun.CREATE_PERMISSION)):
            assert len(c.exchange(data).data) <= len(data)
        c.nonce = b"x" * 29
        stale = c.signed(REFRESH)
        assert len(c.exchange(stale).data) <= len(stale)


def test_strangers_have_a_budget(special):
    relay = special({"limits": {"unauthenticated_rate": 5, "unauthenticated_burst": 20}, "workers": 1})
    t = Transport("127.0.0.1", relay.port)
    for _ in range(300):
        t.send(message(BINDING, b"", os.urandom(12)))
        t.send(message(ALLOCATE, attr(stun.REQUESTED_TRANSPORT, stun.UDP), os.urandom(12)))
    answers = 0
    try:
        while True:
            t.receive(0.5)
            answers += 1
    except (TimeoutError, socket.timeout):
        pass
    assert 20 <= answers <= 60
    assert relay.metrics()["starling_turn_unanswered_total"] >= 500
    t.close()
    # Another network is not touched, nor somebody who comes by TCP.
    other = Transport("127.0.0.1", relay.port, local="127.0.0.9")
    other.send(message(BINDING, b"", os.urandom(12)))
    assert Message(other.receive()).cls == SUCCESS
    other.close()
    with relay.client("tcp") as c:
        assert c.allocate().cls == SUCCESS


def test_wrong_attempts_are_capped(special):
    relay = special({"limits": {"failures": 6}})
    with relay.client(user="juliet", password="guessed") as c:
        codes = [c.allocate().code for _ in range(6)]
        assert codes == [401] * 6
        c.t.send(c.signed(ALLOCATE, attr(stun.REQUESTED_TRANSPORT, stun.UDP)))
        assert c.t.silent()
        # Not even the right password is looked at now.
        c.password = "balcony"
        c.t.send(c.signed(ALLOCATE, attr(stun.REQUESTED_TRANSPORT, stun.UDP)))
        assert c.t.silent()
        assert relay.metrics()['starling_turn_wrong_credentials_total{result="capped"}'] == 2
    with relay.client(local="127.0.0.8") as c:
        assert c.allocate().cls == SUCCESS


# --- limits ----------------------------------------------------------------------------------------------------------------


def test_quotas(special):
    relay = special({"limits": {"user_allocations": 2, "address_allocations": 4, "allocations": 6}})
    clients = []

    def allocate(name, local="127.0.0.1"):
        clients.append(relay.client(name=name, local=local))
        return clients[-1].allocate().code

    assert [allocate("a@turn.test") for _ in range(3)] == [0, 0, 486]
    # Other credentials of the same account are no other account.
    assert [allocate("b@turn.test") for _ in range(2)] == [0, 0]
    assert allocate("c@turn.test") == 486  # of this address
    assert [allocate("c@turn.test", "127.0.0.2") for _ in range(2)] == [0, 0]
    assert allocate("d@turn.test", "127.0.0.3") == 508
    clients[0].refresh(0)
    assert allocate("d@turn.test", "127.0.0.3") == 0
    for c in clients:
        c.close()


def test_permissions_and_channels_have_a_limit(special):
    relay = special({"limits": {"permissions": 3, "channels": 2}})
    with relay.client() as c:
        c.allocate()
        assert c.permit(*(("127.0.0.%d" % i, 1) for i in range(1, 4))).cls == SUCCESS
        assert c.permit(("127.0.0.4", 1)).code == 508
        assert c.permit(("127.0.0.3", 1)).cls == SUCCESS
        assert c.bind(0x4000, ("127.0.0.1", 7001)).cls == SUCCESS and c.bind(0x4001, ("127.0.0.1", 7002)).cls == SUCCESS
        assert c.bind(0x4002, ("127.0.0.1", 7003)).code == 508
        assert c.bind(0x4001, ("127.0.0.1", 7002)).cls == SUCCESS


def test_rates(special):
    relay = special({"limits": {"rate": "20KiB", "packets": 0}})
    with relay.client() as c, Peer() as peer:
        c.allocate()
        c.bind(0x4000, peer.name)
        for _ in range(100):
            c.channel(0x4000, b"x" * 1000)
            peer.send(b"y" * 1000, c.relayed[0])
        relay.list()
        dropped = relay.metrics()['starling_turn_dropped_total{reason="rate"}']
        assert 130 <= dropped <= 165  # two seconds' worth of 200 went through
    relay = special({"limits": {"rate": 0, "packets": 20}})
    with relay.client() as c, Peer() as peer:
        c.allocate()
        c.bind(0x4000, peer.name)
        for _ in range(100):
            c.channel(0x4000, b"x")
        c.t.silent()
        assert 55 <= relay.metrics()['starling_turn_dropped_total{reason="rate"}'] <= 60


# --- rubbish ---------------------------------------------------------------------------------------------------------------


def test_rubbish(relay):
    """Nothing that comes in as bytes harms, and what is no message is not answered."""
    chance = random.Random(5389)
    with relay.client() as c, Peer() as peer:
        c.allocate()
        c.bind(0x4000, peer.name)
        good = [c.signed(REFRESH, u32(stun.LIFETIME, 600)), c.signed(stun.CREATE_PERMISSION), stun.fingerprint(message(BINDING, b"", os.urandom(12)))]
        for _ in range(500):
            data = bytearray(chance.choice(good))
            for _ in range(chance.randrange(1, 6)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            c.t.send(bytes(data[:chance.randrange(len(data) + 1)]))
        for data in (b"", b"\0", b"\0\1\0\0", b"\x16\x03\x01", struct.pack(">HHI", 1, 65532, stun.COOKIE) + b"x" * 12, b"\x80" * 100):
            c.t.send(data)
        c.t.sock.settimeout(0.3)
        try:
            while c.t.receive():
                pass
        except (TimeoutError, socket.timeout):
            pass
        assert c.refresh().cls == SUCCESS
        c.channel(0x4000, b"still there")
        assert peer.receive()[0] == b"still there"
