# SPDX-License-Identifier: Apache-2.0
"""Calls of a real stack (aiortc) between two networks that have no way to each other but the relay, with credentials as clients get them (XEP-0215)."""
import json
import os
import select
import shutil
import subprocess
import sys
import time

import pytest

from relay import Relay
from xmpp import Client, q

pytest.importorskip("aiortc")
HERE = os.path.dirname(os.path.abspath(__file__))
NETS = ("10.213.1", "10.213.2")
USERS = ("romeo", "juliet")
EXTDISCO = "urn:xmpp:extdisco:2"


def ip(*words, inside=None):
    subprocess.run([*(("nsenter", "-t", str(inside), "-n") if inside else ()), "ip", *words], check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


class Party:
    """A caller in a network namespace that has one link: to the relay's machine, and no route beyond."""

    def __init__(self, net):
        self.net = net
        self.process = subprocess.Popen(["unshare", "--net", sys.executable, os.path.join(HERE, "caller.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        universal_newlines=True, bufsize=1)

    def plug(self, number):
        net = self.net
        assert self.hear(30)["ready"]
        pid, name = self.process.pid, "sc%d-%d" % (os.getpid() % 100000, number)
        ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
        ip("addr", "add", net + ".1/24", "dev", name)
        ip("link", "set", name, "up")
        ip("addr", "add", net + ".2/24", "dev", "eth0", inside=pid)
        ip("link", "set", "eth0", "up", inside=pid)

    def tell(self, **what):
        self.process.stdin.write(json.dumps(what) + "\n")

    def hear(self, seconds=60):
        assert select.select([self.process.stdout], [], [], seconds)[0], "nothing came"
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        return json.loads(line)

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


@pytest.fixture
def parties():
    if os.geteuid() != 0 or not shutil.which("nsenter") or subprocess.run(["unshare", "--net", "true"], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("needs network namespaces")
    made = []
    try:
        for net in NETS:
            made.append(Party(net))
        for number, party in enumerate(made):
            party.plug(number)
        yield made
    finally:
        for party in made:
            party.end()


@pytest.fixture
def relay(parties):
    """In a whole flock; it is told of by one of its addresses."""
    made = Relay({"addresses": [net + ".1" for net in NETS], "peers": {"allow": ["10.213.0.0/16"]}})
    try:
        made.flock.configure({"services": {"turn-relay": {"public_address": "%s.1:%d" % (NETS[0], made.port)}, "auth": {"iterations": 4096},
                                           "session-manager": {"external": {"services": ["type=turn host=* transport=udp"]}},
                                           "starlingctl": {"postgres": "private", "redis": "private"}}})
        made.up("s2s=0,mqtt-broker=0,turn-relay=1")
        for user in USERS:
            made.flock.register(user, "secret")
        yield made
        made.flock.check()
    finally:
        made.close()


def ask_for_relay(client):
    """(user name, password, port) of the relay over UDP."""
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        answer = client.iq("get", "<services xmlns='%s' type='turn'/>" % EXTDISCO, to=client.host)
        for service in answer.find(q(EXTDISCO, "services")):
            if service.get("transport") == "udp":
                return service.get("username"), service.get("password"), int(service.get("port"))
        time.sleep(0.1)  # the directory has not heard of it yet
    raise AssertionError("no relay is told of")


def call(relay, parties, during, lost=False):
    for party, name, calls in zip(parties, USERS, (True, False)):
        client = Client(relay.flock).login(name, "secret").online()
        user, password, port = ask_for_relay(client)
        client.close()
        assert port == relay.port
        party.tell(url="turn:%s.1:%d?transport=udp" % (party.net, port), user=user, password=password, calls=calls)
    caller, called = parties
    called.tell(**caller.hear())
    caller.tell(**called.hear())
    for party in parties:
        assert party.hear()["done"]
    during()
    for party in parties:
        party.tell(lost=lost)
    for party in parties:
        assert party.hear()["closed"]


def test_call(parties, relay):
    def is_relayed():
        packets = [sum(a["packets_to_peer"] for a in relay.list(user + "@turn.test")) for user in USERS]
        assert max(packets) > 50, packets

    def relay_dies():
        is_relayed()
        os.kill(pid, 9)

    pid = relay.flock.pid("turn-relay-1")
    with relay.flock.expect("turn-relay-1"):
        # Nobody is told that it has died; the next call makes allocations anew.
        call(relay, parties, relay_dies, lost=True)
        deadline = time.monotonic() + 20
        while relay.flock.children().get("turn-relay-1") in (pid, None) and time.monotonic() < deadline:
            time.sleep(0.05)
        relay.flock.wait_healthy()
        call(relay, parties, is_relayed)
