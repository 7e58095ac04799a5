# SPDX-License-Identifier: Apache-2.0
"""Bytes between two clients by the relay of the flock (XEP-0065): discovery, SOCKS5, activation, its refusals and limits."""
import asyncio
import contextlib
import hashlib
import os
import re
import signal
import socket
import threading
import time
import urllib.request

import pytest
import slixmpp

from border import Border
from flock import Flock
from socks_client import NS_BYTESTREAMS, Socks, hash_of
from xmpp import Client, error_of, local, q

pytestmark = pytest.mark.single  # several of it are a test here; how many others there are is nothing to it

DISCO_INFO = "http://jabber.org/protocol/disco#info"
DISCO_ITEMS = "http://jabber.org/protocol/disco#items"
USUAL = {"announce": {"host": "127.0.0.1", "port": 0}, "limits": {"connect_rate": 0, "connections_per_address": 0, "user_streams": 100, "user_rate": 0, "stream_rate": 0},
         "quota": {"size": 0, "period": "1d"}, "timeouts": {"handshake": "20s", "activation": "60s", "idle": "5m"}, "allow": []}


def start(relays):
    scale = ",".join(s for s in os.environ.get("STARLING_SCALE", "").split(",") if s and "proxy65" not in s)
    flock = Flock(settings={"services": {"auth": {"iterations": 4096}, "proxy65": USUAL}})
    flock.up(scale=",".join(filter(None, (scale, "proxy65=%d" % relays))))
    for user in ("juliet", "romeo", "nurse"):
        flock.register(user, "secret")
    return flock


@pytest.fixture(scope="module")
def one_relay():
    flock = start(1)
    yield flock
    flock.close()


@pytest.fixture
def flock(one_relay):
    one_relay.changed = False
    yield one_relay
    if one_relay.changed:
        configure(one_relay, {})
    one_relay.check()


def configure(flock, settings):
    """Other settings of the relay, for this test."""
    flock.configure({"services": {"proxy65": USUAL}})
    flock.configure({"services": {"proxy65": settings}})
    flock.ctl("reload", "proxy65")
    flock.changed = True


@pytest.fixture
def people(flock):
    """juliet, who asks for bytestreams, and romeo, with whom."""
    clients = [Client(flock).login(name, "secret").online() for name in ("juliet", "romeo")]
    yield clients
    for c in clients:
        c.close()


def relay_of(client):
    return "proxy." + client.host


def place_of(client):
    answer = client.iq("get", "<query xmlns='%s'/>" % NS_BYTESTREAMS, to=relay_of(client))
    assert answer.get("type") == "result", answer
    host, = answer.find(q(NS_BYTESTREAMS, "query"))
    assert local(host) == "streamhost" and host.get("jid") == relay_of(client)
    return host.get("host"), int(host.get("port"))


def activate(client, sid, target, extra=""):
    return client.iq("set", "<query xmlns='%s' sid='%s'%s><activate>%s</activate></query>" % (NS_BYTESTREAMS, sid, extra, target), to=relay_of(client))


@contextlib.contextmanager
def stream(people, sid, place=None, **options):
    """An active one: (requester's socket, target's socket)."""
    juliet, romeo = people
    place, name = place or place_of(juliet), hash_of(sid, juliet.jid, romeo.jid)
    with Socks(place, **options) as target, Socks(place) as requester:
        target.join(name)
        requester.join(name)
        answer = activate(juliet, sid, romeo.jid)
        assert answer.get("type") == "result" and not list(answer), answer
        yield requester, target


# --- discovery -----------------------------------------------------------------------------------------------------------


def test_the_host_lists_it(people):
    juliet, _ = people
    items = juliet.iq("get", "<query xmlns='%s'/>" % DISCO_ITEMS, to=juliet.host).find(q(DISCO_ITEMS, "query"))
    assert [i.get("jid") for i in items].count(relay_of(juliet)) == 1
    query = juliet.iq("get", "<query xmlns='%s'/>" % DISCO_INFO, to=relay_of(juliet)).find(q(DISCO_INFO, "query"))
    identity = query.find(q(DISCO_INFO, "identity"))
    assert (identity.get("category"), identity.get("type")) == ("proxy", "bytestreams")
    assert {f.get("var") for f in query if local(f) == "feature"} == {DISCO_INFO, DISCO_ITEMS, NS_BYTESTREAMS}
    assert len(juliet.iq("get", "<query xmlns='%s'/>" % DISCO_ITEMS, to=relay_of(juliet)).find(q(DISCO_ITEMS, "query"))) == 0
    assert juliet.iq("get", "<query xmlns='%s'/>" % DISCO_INFO, to="proxy.second.test").get("type") == "result"


def test_where_it_is(flock, people):
    assert place_of(people[0]) == ("127.0.0.1", 7777 + flock.offset)
    configure(flock, {"announce": {"host": "2001:db8::5", "port": 443}})
    assert place_of(people[0]) == ("2001:db8::5", 443)
    configure(flock, {"announce": {"host": ""}})
    assert place_of(people[0])[0] == relay_of(people[0])


@pytest.mark.parametrize("kind, child, condition", [
    ("get", "<query xmlns='%s' node='x'/>" % DISCO_INFO, "item-not-found"), ("get", "<query xmlns='%s' node='x'/>" % DISCO_ITEMS, "item-not-found"),
    ("get", "<query xmlns='jabber:iq:version'/>", "service-unavailable"), ("set", "<query xmlns='%s'/>" % DISCO_INFO, "service-unavailable"),
    ("get", "<other xmlns='%s'/>" % NS_BYTESTREAMS, "service-unavailable")])
def test_questions_that_it_does_not_answer(people, kind, child, condition):
    assert error_of(people[0].iq(kind, child, to=relay_of(people[0])))[0] == condition


def test_it_is_nobody_to_talk_to(people):
    juliet, _ = people
    for to in (relay_of(juliet), "somebody@" + relay_of(juliet)):
        juliet.message(to, "hello")
        error = juliet.wait(lambda e: local(e) == "message" and e.get("type") == "error" and e.get("from") == to)
        assert error_of(error)[0] == "service-unavailable"
    assert error_of(juliet.iq("get", "<query xmlns='%s'/>" % DISCO_INFO, to="somebody@" + relay_of(juliet)))[0] == "service-unavailable"
    juliet.presence(to=relay_of(juliet))
    juliet.nothing(lambda e: e.get("from") == relay_of(juliet))


# --- activation ----------------------------------------------------------------------------------------------------------


def test_bytes_pass_both_ways(people):
    with stream(people, "both") as (requester, target):
        requester.send(b"wherefore")
        assert target.read(9) == b"wherefore"
        target.send(b"art thou")
        assert requester.read(8) == b"art thou"
        # A half that is closed leaves the other half open.
        requester.sock.shutdown(socket.SHUT_WR)
        assert target.ended()
        target.send(b"romeo")
        assert requester.read(5) == b"romeo"
        target.sock.shutdown(socket.SHUT_WR)
        assert requester.ended()


def test_the_full_and_the_bare_jid_are_different_targets(people):
    juliet, romeo = people
    place = place_of(juliet)
    name = hash_of("bare", juliet.jid, romeo.bare)
    with Socks(place).join(name), Socks(place).join(name):
        assert error_of(activate(juliet, "bare", romeo.jid))[0] == "item-not-found"
        assert activate(juliet, "bare", romeo.bare).get("type") == "result"


def test_addresses_are_normalised(people):
    """XEP-0065 section 6.3.2: the hash is of prepared addresses, however they are written in the request."""
    juliet, romeo = people
    name = hash_of("prep", juliet.jid, romeo.bare)
    with Socks(place_of(juliet)).join(name), Socks(place_of(juliet)).join(name.upper()):
        assert activate(juliet, "prep", romeo.bare.upper()).get("type") == "result"


def test_not_before_both_are_there(people):
    juliet, romeo = people
    place, name = place_of(juliet), hash_of("alone", juliet.jid, romeo.jid)
    assert error_of(activate(juliet, "alone", romeo.jid)) == ("item-not-found", "cancel")
    with Socks(place).join(name):
        assert error_of(activate(juliet, "alone", romeo.jid)) == ("not-allowed", "cancel")
        with Socks(place).join(name) as other:
            other.close()
        # Who has hung up is not there, whether or not that was noticed before.
        assert error_of(activate(juliet, "alone", romeo.jid)) == ("not-allowed", "cancel")
        with Socks(place).join(name):
            assert activate(juliet, "alone", romeo.jid).get("type") == "result"
            assert error_of(activate(juliet, "alone", romeo.jid)) == ("not-allowed", "cancel")


def test_by_the_requester_alone(flock, people):
    juliet, romeo = people
    place, name = place_of(juliet), hash_of("own", juliet.jid, romeo.jid)
    with Socks(place).join(name) as one, Socks(place).join(name) as two:
        assert error_of(activate(romeo, "own", juliet.jid))[0] == "item-not-found"
        assert error_of(activate(romeo, "own", romeo.jid))[0] == "item-not-found"
        nurse = Client(flock).login("nurse", "secret").online()
        assert error_of(activate(nurse, "own", romeo.jid))[0] == "item-not-found"
        nurse.close()
        # Another session of the same account is another requester.
        other = Client(flock).login("juliet", "secret").online()
        assert error_of(activate(other, "own", romeo.jid))[0] == "item-not-found"
        other.close()
        assert activate(juliet, "own", romeo.jid).get("type") == "result"
        one.send(b"x")
        assert two.read(1) == b"x"


@pytest.mark.parametrize("query, condition", [
    ("<query xmlns='%s'><activate>a@b.test/c</activate></query>", "bad-request"), ("<query xmlns='%s' sid=''><activate>a@b.test/c</activate></query>", "bad-request"),
    ("<query xmlns='%s' sid='s'/>", "bad-request"), ("<query xmlns='%s' sid='s'><activate/></query>", "jid-malformed"),
    ("<query xmlns='%s' sid='s'><activate>@</activate></query>", "jid-malformed"),
    ("<query xmlns='%s' sid='s'><activate>a@b.test</activate><activate>a@b.test</activate></query>", "bad-request"),
    ("<query xmlns='%s' sid='s'><activate xmlns='other'>a@b.test</activate></query>", "bad-request"),
    ("<query xmlns='%s' sid='s' mode='udp'><activate>a@b.test</activate></query>", "feature-not-implemented"),
    ("<query xmlns='%s' sid='s' mode='quic'><activate>a@b.test</activate></query>", "bad-request")])
def test_activations_that_are_refused(people, query, condition):
    assert error_of(people[0].iq("set", query % NS_BYTESTREAMS, to=relay_of(people[0])))[0] == condition


def test_what_came_too_early_is_ignored(people):
    """XEP-0065 section 10.1."""
    juliet, romeo = people
    place, name = place_of(juliet), hash_of("early", juliet.jid, romeo.jid)
    with Socks(place) as target, Socks(place).join(name) as requester:
        target.send(b"\x05\x01\x00")
        assert target.read(2) == b"\x05\x00"
        target.send(b"\x05\x01\x00\x03\x28" + name.encode() + b"\0\0" + b"with the request")
        assert target.read(47)[1] == 0
        target.send(b"and after it")
        assert activate(juliet, "early", romeo.jid).get("type") == "result"
        target.send(b"now")
        assert requester.read(3) == b"now"


def test_much_too_early(people):
    juliet, romeo = people
    with Socks(place_of(juliet)).join(hash_of("flood", juliet.jid, romeo.jid)) as target:
        with contextlib.suppress(ConnectionError):
            for _ in range(1000):
                target.send(bytes(1000))
        assert target.ended()


def test_users_of_other_servers(flock, people):
    juliet, romeo = people
    place, stranger = place_of(juliet), "mallory@elsewhere.test/x"
    with Border(flock) as border, Socks(place).join(hash_of("s", stranger, romeo.jid)), Socks(place).join(hash_of("s", stranger, romeo.jid)):
        query, active = "<query xmlns='%s'/>" % NS_BYTESTREAMS, "<query xmlns='%s' sid='s'><activate>%s</activate></query>" % (NS_BYTESTREAMS, romeo.jid)
        # The relay hears of the border from the routers, in its own time.
        until(lambda: border.iq("get", "<query xmlns='%s'/>" % DISCO_INFO, stranger, relay_of(juliet)).get("type") == "result")
        assert error_of(border.iq("get", query, stranger, relay_of(juliet))) == ("forbidden", "auth")
        assert error_of(border.iq("set", active, stranger, relay_of(juliet))) == ("forbidden", "auth")
        configure(flock, {"allow": ["friends.test", "*.elsewhere.test"]})
        assert error_of(border.iq("set", active, stranger, relay_of(juliet)))[0] == "forbidden"
        configure(flock, {"allow": ["elsewhere.test"]})
        assert border.iq("get", query, stranger, relay_of(juliet)).get("type") == "result"
        assert border.iq("set", active, stranger, relay_of(juliet)).get("type") == "result"
        # The domain itself is no user.
        assert error_of(border.iq("get", query, "elsewhere.test", relay_of(juliet)))[0] == "forbidden"


# --- SOCKS5 --------------------------------------------------------------------------------------------------------------


def test_a_stream_has_two_parties(people):
    juliet, romeo = people
    with stream(people, "three") as (requester, target):
        with Socks(place_of(juliet)) as third:
            assert third.greet().ask(hash_of("three", juliet.jid, romeo.jid)) == 2
            assert third.ended()
        requester.send(b"still there")
        assert target.read(11) == b"still there"


@pytest.mark.parametrize("greeting, answer", [(b"\x04\x01\0\x50\0\0\0\1x\0", b""), (b"GET / HTTP/1.1\r\n\r\n", b""), (b"\x05\x00", b"\x05\xff"), (b"\x05\x02\x01\x02", b"\x05\xff")])
def test_greetings_that_are_refused(people, greeting, answer):
    with Socks(place_of(people[0])) as s:
        s.send(greeting)
        assert s.read(len(answer)) == answer
        assert s.ended()


@pytest.mark.parametrize("request_bytes, code", [
    (b"\x05\x01\0\x01\x7f\0\0\1\0\x50", 8), (b"\x05\x01\0\x04" + bytes(16) + b"\0\x50", 8), (b"\x05\x01\0\x09", 8), (b"\x05\x03\0\x03\x28" + b"a" * 40 + b"\0\0", 7),
    (b"\x05\x02\0\x03\x28" + b"a" * 40 + b"\0\0", 7), (b"\x05\x01\0\x03\x0bexample.org\0\x50", 2), (b"\x05\x01\0\x03\x28" + b"z" * 40 + b"\0\0", 2), (b"\x05\x01\x07\x03\x28" + b"a" * 40 + b"\0\0", 1)])
def test_requests_that_are_refused(people, request_bytes, code):
    with Socks(place_of(people[0])) as s:
        s.greet().send(request_bytes)
        reply = s.read(4)
        assert reply[:2] == bytes([5, code])
        s.read(300)
        assert s.ended()


def test_byte_by_byte(people):
    juliet, romeo = people
    with Socks(place_of(juliet)) as s:
        s.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for b in b"\x05\x02\x02\x00":
            s.send(bytes([b]))
        assert s.read(2) == b"\x05\x00"
        for b in b"\x05\x01\0\x03\x28" + hash_of("slow", juliet.jid, romeo.jid).encode() + b"\0\0":
            s.send(bytes([b]))
        assert s.read(47)[1] == 0


# --- time and limits -----------------------------------------------------------------------------------------------------


def test_nobody_may_wait_for_ever(flock, people):
    juliet, romeo = people
    place = place_of(juliet)
    configure(flock, {"timeouts": {"handshake": "2s", "activation": "5s", "idle": "2s"}})
    with Socks(place) as silent, Socks(place) as half, Socks(place).join("0" * 40) as waiting, stream(people, "idle", place) as (requester, target):
        half.send(b"\x05\x01\x00\x05\x01")
        assert half.read(2) == b"\x05\x00"
        for s in (silent, half, waiting, requester, target):
            assert s.ended()
    assert error_of(activate(juliet, "idle", romeo.jid))[0] == "item-not-found"


def test_streams_of_one_account(flock, people):
    juliet, romeo = people
    configure(flock, {"limits": {"user_streams": 2}})
    with contextlib.ExitStack() as stack:
        for sid in ("one", "two"):
            ends = stack.enter_context(stream(people, sid))
        name = hash_of("many", juliet.jid, romeo.jid)
        waiting = [stack.enter_context(Socks(place_of(juliet))).join(name) for _ in range(2)]
        assert error_of(activate(juliet, "many", romeo.jid)) == ("resource-constraint", "wait")
        # Others are not concerned, and one that ends makes room.
        with stream(people[::-1], "his"):
            pass
        for s in ends:
            s.close()
        until(lambda: activate(juliet, "many", romeo.jid).get("type") == "result")
        waiting[0].send(b"x")
        assert waiting[1].read(1) == b"x"


def until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_connections_of_one_address(flock, people):
    juliet, _ = people
    place = place_of(juliet)
    configure(flock, {"limits": {"connections_per_address": 2}})
    with Socks(place, source="127.0.0.21").greet() as first, Socks(place, source="127.0.0.21").greet():
        with contextlib.suppress(ConnectionError), Socks(place, source="127.0.0.21") as third:
            third.send(b"\x05\x01\x00")
            assert third.ended()
        Socks(place, source="127.0.0.22").greet().close()
        first.close()
        until(lambda: greeted(place, "127.0.0.21"))


def greeted(place, source):
    try:
        with Socks(place, source=source) as s:
            s.send(b"\x05\x01\x00")
            return s.read(2) == b"\x05\x00"
    except ConnectionError:
        return False


def test_connections_in_a_row(flock, people):
    place = place_of(people[0])
    configure(flock, {"limits": {"connect_rate": 1, "connect_burst": 3}})
    assert [greeted(place, "127.0.0.31") for _ in range(6)].count(True) in (3, 4)


def test_a_quota(flock, people):
    juliet, romeo = people
    configure(flock, {"quota": {"size": "1MiB"}})
    with stream(people[::-1], "quota") as (requester, target):  # romeo's
        thread = threading.Thread(target=send_all, args=(requester, bytes(1 << 21)))
        thread.start()
        assert len(read_all(target)) <= (1 << 20) + 1  # with the byte that was one too many
        thread.join(20)
    with Socks(place_of(juliet)) as a, Socks(place_of(juliet)) as b:
        name = hash_of("over", romeo.jid, juliet.jid)
        a.join(name), b.join(name)
        assert error_of(activate(romeo, "over", juliet.jid)) == ("resource-constraint", "wait")
    with stream(people, "mine") as (requester, target):
        requester.send(b"not concerned")
        assert target.read(13) == b"not concerned"


def send_all(s, data):
    with contextlib.suppress(OSError):
        s.send(data)
        s.sock.shutdown(socket.SHUT_WR)


def read_all(s):
    data = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while True:
            more = s.sock.recv(1 << 16)
            if not more:
                break
            data += more
    return bytes(data)


@pytest.mark.parametrize("limit", ["stream_rate", "user_rate"])
def test_a_rate(flock, people, limit):
    """A second's worth is free; after that no more than the rate."""
    configure(flock, {"limits": {limit: "256KiB"}})
    data = os.urandom(768 << 10)
    with stream(people, limit) as (requester, target):
        thread, began = threading.Thread(target=send_all, args=(requester, data)), time.monotonic()
        thread.start()
        assert read_all(target) == data
        assert time.monotonic() - began > 1.8
        thread.join(20)


# --- bytes ---------------------------------------------------------------------------------------------------------------


def test_a_big_file(people):
    data = os.urandom(1 << 20) * 48
    with stream(people, "big") as (requester, target):
        thread = threading.Thread(target=send_all, args=(requester, data))
        thread.start()
        got = hashlib.sha256()
        while True:
            more = target.sock.recv(1 << 18)
            if not more:
                break
            got.update(more)
        thread.join(20)
    assert got.hexdigest() == hashlib.sha256(data).hexdigest()


def test_both_at_once(people):
    here, there = os.urandom(8 << 20), os.urandom(8 << 20)
    with stream(people, "duplex") as (requester, target):
        threads = [threading.Thread(target=send_all, args=a) for a in ((requester, here), (target, there))]
        results = {}
        threads += [threading.Thread(target=lambda s=s, k=k: results.update({k: read_all(s)})) for k, s in (("there", target), ("here", requester))]
        for t in threads:
            t.start()
        for t in threads:
            t.join(60)
    assert results == {"there": here, "here": there}


def test_a_slow_reader_slows_its_writer(flock, people):
    """What the relay takes for somebody who does not read is bounded: buffers of the kernel, and a pipe."""
    with stream(people, "slow", buffer=4096) as (requester, target):
        requester.sock.settimeout(1)
        sent, block = 0, os.urandom(1 << 16)
        with contextlib.suppress(socket.timeout):
            while sent < 64 << 20:
                sent += requester.sock.send(block)
        assert sent < 32 << 20
        thread = threading.Thread(target=lambda: requester.sock.shutdown(socket.SHUT_WR))
        thread.start()
        assert len(read_all(target)) == sent
        thread.join(20)


def test_a_party_that_vanishes(people):
    with stream(people, "gone") as (requester, target):
        requester.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        requester.close()  # with a reset
        assert target.ended()


def test_figures(flock, people):
    before = figures(flock)
    with stream(people, "count") as (requester, target):
        requester.send(b"x" * 1000)
        target.read(1000)
        during = figures(flock)
    assert during["starling_proxy65_streams"] == before["starling_proxy65_streams"] + 1
    assert during["starling_proxy65_bytes_total"] == before["starling_proxy65_bytes_total"] + 1000
    key = 'starling_proxy65_ended_total{reason="done"}'
    until(lambda: figures(flock)[key] > before[key])


def figures(flock):
    url = re.findall(r"metrics=(http://\S+)", flock.log(flock.names("proxy65")[0]))[-1]
    with urllib.request.urlopen(url, timeout=20) as response:
        lines = response.read().decode().splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line.startswith("starling_proxy65")}


# --- configuration, several, and the end ---------------------------------------------------------------------------------


@pytest.mark.parametrize("settings, why", [
    ({"subdomain": "Pro xy"}, "subdomain:"), ({"announce": {"host": "[::1]"}}, "announce.host:"), ({"announce": {"host": "a/b"}}, "announce.host:"),
    ({"announce": {"host": "2001:DB8:0::1"}}, "is written 2001:db8::1"),
    ({"port": 65530}, "ports: they end"), ({"addresses": ["localhost"]}, "localhost"), ({"addresses": []}, "addresses:")])
def test_settings_that_are_refused(flock, settings, why):
    flock.changed = True
    flock.configure({"services": {"proxy65": {"port": 7777, "subdomain": "proxy", "addresses": ["127.0.0.1"], **settings}}})
    result = flock.run("--check-config", "--config", os.path.join(flock.state, "starling.yml"), binary="proxy65")
    flock.configure({"services": {"proxy65": {"port": 7777, "subdomain": "proxy", "addresses": ["0.0.0.0", "::"]}}})
    assert result.returncode == 78 and why in result.stderr, result.stderr


def test_two_relays():
    """Each has a port of its own; an activation finds the stream wherever it comes."""
    flock = start(2)
    try:
        people = [Client(flock).login(name, "secret").online() for name in ("juliet", "romeo")]
        places = set()
        until(lambda: places.add(place_of(people[0])) or len(places) == 2)
        assert all(host == "127.0.0.1" and 0 <= port - 7777 - flock.offset < 8 for host, port in places)
        for place in sorted(places):
            for i in range(4):  # instances are asked in turn
                with stream(people, "s%d-%d" % (i, place[1]), place) as (requester, target):
                    requester.send(b"found")
                    assert target.read(5) == b"found"
        juliet, romeo = people
        for i in range(4):
            assert error_of(activate(juliet, "none", romeo.jid))[0] == "item-not-found"
        with Socks(sorted(places)[0]).join(hash_of("half", juliet.jid, romeo.jid)):
            for i in range(4):
                assert error_of(activate(juliet, "half", romeo.jid))[0] == "not-allowed"
        for c in people:
            c.close()
    finally:
        flock.close()


def test_draining(flock, people):
    """What is active comes to its end, what waits is let go, nothing new begins; then the instance ends and another takes its place."""
    name = flock.names("proxy65")[0]
    pid, place = flock.pid(name), place_of(people[0])
    with flock.expect("%s ended" % name):
        with stream(people, "last") as (requester, target), Socks(place).join("1" * 40) as waiting:
            os.kill(pid, signal.SIGTERM)
            assert waiting.ended()
            with contextlib.suppress(ConnectionError), Socks(place) as late:
                assert late.ended()
            requester.send(b"to the end")
            assert target.read(10) == b"to the end"
        until(lambda: {i["name"]: i["pid"] for i in flock.status()}.get(name) not in (None, pid), 60)
        flock.wait_healthy()
    until(lambda: is_there(people[0]))
    with stream(people, "again") as (requester, target):
        requester.send(b"x")
        assert target.read(1) == b"x"


def is_there(client):
    answer = client.iq("get", "<query xmlns='%s'/>" % NS_BYTESTREAMS, to=relay_of(client))
    return answer.get("type") == "result"


# --- a client that people use --------------------------------------------------------------------------------------------


class Person(slixmpp.ClientXMPP):
    """slixmpp, which finds the relay by itself."""

    def __init__(self, flock, name):
        super().__init__("%s@%s" % (name, flock.host), "secret")
        self.ca_certs = flock.ca()
        self.flock, self.received = flock, b""
        self.started = asyncio.get_event_loop().create_future()
        self.register_plugin("xep_0030")
        self.register_plugin("xep_0065", {"auto_accept": True})
        self.add_event_handler("session_start", self.on_start)
        self.add_event_handler("socks5_data", self.on_data)

    async def on_start(self, _):
        await self.get_roster()
        self.send_presence()
        self.started.done() or self.started.set_result(True)

    def on_data(self, data):
        self.received += data

    async def enter(self):
        self.connect(("127.0.0.1", self.flock.port))
        await asyncio.wait_for(self.started, 20)
        return self


def test_slixmpp_sends_a_file(flock):
    data = os.urandom(300000)

    async def story():
        juliet, romeo = await Person(flock, "juliet").enter(), await Person(flock, "romeo").enter()
        ends = await asyncio.wait_for(juliet["xep_0065"].handshake(romeo.boundjid), 30)
        assert ends is not None, "no relay was found, or it was not used"
        await ends.write(data)
        deadline = time.monotonic() + 20
        while len(romeo.received) < len(data):
            assert time.monotonic() < deadline, "%d bytes came" % len(romeo.received)
            await asyncio.sleep(0.02)
        assert romeo.received == data
        juliet["xep_0065"].get_socket(next(iter(juliet["xep_0065"]._sessions))).transport.close()
        for person in (juliet, romeo):
            await person.disconnect()

    asyncio.get_event_loop().run_until_complete(story())
