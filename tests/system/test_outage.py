# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL, Redis or a daemon goes away: clients wait or get errors, no daemon crashes, and everything goes on by itself."""
import os
import signal
import time

import pytest

from flock import Flock
from xmpp import Client, Closed, StreamError, error_of, local

LOST = (r"(?i)lost|ended|unavailable|refused|reconnect|closed|gone|timed? ?out|unhealthy|not reachable|down|no such file|exited|killed|died|restart|terminat",)


@pytest.fixture
def own(request):
    """A flock of its own: what is broken here must not disturb other tests."""
    flock = Flock().up()
    flock.count = 0
    try:
        yield flock
    finally:
        flock.close()


def user(flock):
    flock.count += 1
    name = "u%d" % flock.count
    flock.register(name, "secret")
    return name


def login(flock, name, **options):
    return Client(flock, **options).login(name, "secret").online()


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.1)


def stop(pid):
    os.kill(pid, signal.SIGSTOP)


def go_on(pid):
    os.kill(pid, signal.SIGCONT)


def process(flock, role):
    """Pid of a supervised process that is no daemon: postgres, redis."""
    return next(pid for name, pid in flock.children().items() if name.startswith(role))


def pids(flock):
    """Of the daemons; the databases are the ones that are killed."""
    return {i["name"]: i["pid"] for i in flock.status() if i["role"] not in ("postgres", "redis")}


def test_postgres_stops_and_comes_back(own):
    a_name, b_name, c_name = user(own), user(own), user(own)
    a, b = login(own, a_name), login(own, b_name)
    before = pids(own)
    with own.expect(*LOST):
        os.kill(process(own, "postgres"), signal.SIGKILL)
        # What users who are online say waits for the database, and comes as soon as it is back.
        a.message(b.jid, "still here")
        b.wait_message("still here")
        # A message to somebody away cannot be stored now. It is kept or refused, never lost in silence.
        stored = a.message("%s@%s" % (c_name, own.host), "for later")
        own.wait_healthy(90)
        c = login(own, c_name)
        try:
            c.wait_message("for later", timeout=30)
        except AssertionError:
            error_of(a.wait(lambda e: e.get("id") == stored))
        d = login(own, b_name)
    after = pids(own)
    assert before == after, "a daemon was restarted"
    for client in (a, b, c, d):
        client.close()


def test_login_while_postgres_hangs(own):
    name = user(own)
    pid = process(own, "postgres")
    with own.expect(*LOST):
        children = [int(p) for p in os.listdir("/proc") if p.isdigit() and parent(int(p)) == pid]
        for p in [pid] + children:
            stop(p)
        try:
            c = Client(own, timeout=40).secure()
            answer = c.sasl("SCRAM-SHA-256", name, "secret")
            assert local(answer) == "failure" and local(answer[0]) == "temporary-auth-failure"
            c.sock.close()
        finally:
            for p in children + [pid]:
                go_on(p)
        own.wait_healthy(60)
        login(own, name).close()


def parent(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return int(f.read().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0


def test_redis_is_killed_and_comes_back_empty(own):
    a_name, b_name = user(own), user(own)
    a, b = login(own, a_name), login(own, b_name)
    before = pids(own)
    with own.expect(*LOST, "redis is away"):  # "Connection reset by peer", when it was killed before it had read all
        os.kill(process(own, "redis"), signal.SIGKILL)
        own.wait_healthy(60)
        a.message(b.jid, "after redis")
        b.wait_message("after redis", timeout=40)
        c = login(own, a_name)
        c.message(b.jid, "new session")
        b.wait_message("new session", timeout=20)
    assert pids(own) == before
    for client in (a, b, c):
        client.close()


@pytest.mark.parametrize("role", ["router", "auth", "storage", "session-manager"])
def test_a_daemon_is_killed(own, role):
    """Clients stay connected; what they say goes through once the daemon is back."""
    a_name, b_name, c_name = user(own), user(own), user(own)
    a, b = login(own, a_name), login(own, b_name)
    a.timeout = b.timeout = 60
    with own.expect(*LOST):
        for victim in own.names(role):
            os.kill(own.pid(victim), signal.SIGKILL)
        for i in range(20):
            a.message(b.jid, "message %d" % i)
        for i in range(20):
            b.wait_message("message %d" % i, timeout=60)
        own.wait_healthy(60)
        a.message("%s@%s" % (c_name, own.host), "kept")
        a.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=own.host)
        c = Client(own, timeout=60).login(c_name, "secret").online()
        c.wait_message("kept", timeout=30)
    for client in (a, b, c):
        client.close()


def test_a_next_life_waits_for_no_lease():
    """The lease of a session-manager that was killed ends with the first sign of the next one of its name."""
    flock = Flock(settings={"services": {"session-manager": {"lease": "10m"}}}).up()
    flock.count = 0
    try:
        a_name, b_name = user(flock), user(flock)
        a, b = login(flock, a_name), login(flock, b_name)
        a.timeout = b.timeout = 60
        with flock.expect(*LOST):
            for victim in flock.names("session-manager"):
                os.kill(flock.pid(victim), signal.SIGKILL)
            a.message(b.jid, "after")
            b.wait_message("after")
            c = login(flock, a_name)
            c.message(b.jid, "new")
            b.wait_message("new")
            flock.wait_healthy(60)
        for client in (a, b, c):
            client.close()
    finally:
        flock.close()


def test_an_edge_is_killed(own):
    """Its clients are cut off and can log in again at once; their ghosts do not stay."""
    a_name, b_name = user(own), user(own)
    with own.expect(*LOST):
        a = login(own, a_name)
        for victim in own.names("c2s-edge"):
            os.kill(own.pid(victim), signal.SIGKILL)
        with pytest.raises((Closed, StreamError, ConnectionError)):
            while True:
                a.next()
        own.wait_healthy(60)
        b = login(own, b_name)
        b.message("%s@%s" % (a_name, own.host), "were you gone?")
        b.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=own.host)
        a = login(own, a_name)
        a.wait_message("were you gone?", timeout=40)
    a.close()
    b.close()


def test_session_manager_stops_for_a_while(own):
    """SIGSTOP: clients wait; nothing is lost, order holds."""
    a_name, b_name = user(own), user(own)
    a, b = login(own, a_name), login(own, b_name)
    with own.expect(*LOST):
        stopped = [own.pid(n) for n in own.names("session-manager")]
        for p in stopped:
            stop(p)
        try:
            for i in range(200):
                a.message(b.jid, "m%d" % i)
            time.sleep(1)  # the fault's length, not a wait for something
        finally:
            for p in stopped:
                go_on(p)
        for i in range(200):
            assert b.wait_message(timeout=60).findtext("{jabber:client}body") == "m%d" % i
    a.close()
    b.close()


def test_a_flood_from_one_address_leaves_others_served(own):
    name = user(own)
    a = login(own, name)
    import socket
    flood = []
    try:
        for _ in range(3000):
            s = socket.socket()
            s.settimeout(2)
            try:
                s.connect(("127.0.0.1", own.port))
            except OSError:
                s.close()
                break
            flood.append(s)
        start = time.monotonic()
        assert a.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=own.host).get("type") == "result"
        assert time.monotonic() - start < 10
    finally:
        for s in flood:
            s.close()
    a.close()
