# SPDX-License-Identifier: Apache-2.0
"""One flock with a broker (STARLING_SCALE: several, as mqtt-broker=3) for the whole run, and accounts; after every test its logs are checked."""
import os
import signal
import sys
import time

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))

from flock import Flock  # noqa: E402
from raw import Raw  # noqa: E402

SCALE = ",".join(s for s in ("mqtt-broker=1", os.environ.get("STARLING_SCALE")) if s)  # of two counts the last one holds
# Rules that a test may rely on: everything but what begins with "closed".
RULES = "deny publish $SYS/#\ndeny all closed/#\nallow all only/%u/%c\ndeny all only/#\nallow all #\n"


def settings(**broker):
    base = {"websocket": {"port": 8083, "tls_port": 8084, "origins": ["*"]}, "tls": {"required": False}, "sys": {"interval": "500ms"}, "access": "access.rules",
            "limits": {"inflight": 10, "queue": 20, "connect_rate": 0}}
    base.update(broker)
    return {"services": {"auth": {"iterations": 4096, "throttle": {"failures_per_minute": 100000, "burst": 100000}}, "mqtt-broker": base}}


@pytest.fixture(scope="session")
def flock_session():
    flock = Flock(settings=settings())
    with open(os.path.join(flock.state, "access.rules"), "w") as f:
        f.write(RULES)
    flock.up(SCALE)
    for name in ("romeo", "juliet"):
        for host in flock.hosts:
            flock.register(name, "secret", host)
    flock.mqtt = {kind: port + flock.offset for kind, port in (("tcp", 1883), ("tls", 8883), ("ws", 8083), ("wss", 8084))}
    try:
        yield flock
    finally:
        flock.close()


@pytest.fixture
def flock(flock_session):
    yield flock_session
    flock_session.check()


@pytest.fixture
def raw(flock):
    """A function that connects a client of raw packets; all are closed in the end."""
    clients = []

    def make():
        clients.append(Raw(flock.address, flock.mqtt["tcp"]))
        return clients[-1]
    yield make
    for client in clients:
        client.close()


# What the others may say about a daemon that was killed.
LOST = r"(?i)lost|ended|unavailable|refused|gone|timed? ?out|unhealthy|killed|died|restart|terminat|not reachable|closed"


def brokers(flock):
    """Names of those that it supervises."""
    return sorted(name for name in flock.children() if name.startswith("mqtt-broker"))


def restart(flock, *names, then=lambda: None):
    """Kills these daemons, or else all brokers, and returns when their successors are there. then: called when all have been killed."""
    names = names or brokers(flock)
    before = {name: flock.pid(name) for name in names}
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    then()
    deadline = time.monotonic() + 60
    while any(flock.pid(name) == pid for name, pid in before.items()):
        assert time.monotonic() < deadline, flock.tails()
        time.sleep(0.1)
    flock.wait_healthy()


@pytest.fixture
def kill(flock):
    with flock.expect(LOST):
        yield lambda *names, **options: restart(flock, *names, **options)


@pytest.fixture
def roomy(flock):
    """No queue is full."""
    def limit(messages):
        flock.configure({"services": {"mqtt-broker": {"limits": {"queue": messages}}}})
        flock.ctl("reload", "mqtt-broker")
    limit(100000)
    yield
    limit(20)


@pytest.fixture
def name(request):
    """A client identifier, or the beginning of a topic, of this test alone."""
    return "".join(c if c.isalnum() else "-" for c in request.node.name)
