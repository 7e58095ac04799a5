# SPDX-License-Identifier: Apache-2.0
"""Calls of a real stack (aiortc) between two networks that have no way to each other but the relay, with credentials as clients get them (XEP-0215)."""
import contextlib
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import time

import pytest
import yaml

from flock import merge
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


class Second:
    """Another relay of the flock, on the same addresses and other ports."""

    def __init__(self, relay):
        flock, own = relay.flock, os.path.join(relay.flock.state, "second.yml")
        with contextlib.closing(socket.socket()) as s:
            s.bind((NETS[0] + ".1", 0))
            self.port = s.getsockname()[1]
        with open(os.path.join(flock.state, "starling.yml")) as f:
            config = yaml.safe_load(f)
        merge(config, {"services": {"turn-relay": {"port": self.port, "tls": {"port": 0}, "public_address": "%s.1:%d" % (NETS[0], self.port)}}})
        with open(own, "w") as f:
            yaml.safe_dump(config, f)
        ready, end = os.pipe()
        env = {k: v for k, v in os.environ.items() if k != "STARLING_PORT_OFFSET"}
        with open(os.path.join(flock.state, "log", "turn-relay-second.log"), "w") as log:
            self.process = subprocess.Popen([os.path.join(flock.binaries, "turn-relay"), "--config", own, "--instance", "turn-relay-second", "--ready-fd", str(end)],
                                            pass_fds=[end], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, cwd=flock.directory)
        os.close(end)
        try:
            assert select.select([ready], [], [], 30)[0] and os.read(ready, 1), "the second relay does not come up"
        finally:
            os.close(ready)

    def close(self):
        self.process.terminate()
        assert self.process.wait(30) == 0


def ask_for_relays(client, ports):
    """{port: (user name, password)} of the relays over UDP, when all those are told of."""
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        answer = client.iq("get", "<services xmlns='%s' type='turn'/>" % EXTDISCO, to=client.host)
        found = {int(s.get("port")): (s.get("username"), s.get("password")) for s in answer.find(q(EXTDISCO, "services")) if s.get("transport") == "udp"}
        if ports <= set(found):
            return found
        time.sleep(0.1)  # the directory has not heard of it yet
    raise AssertionError("%s are told of" % found)


def call(relay, parties, port, told, during, lost=False):
    """Over the relay with that port, of those that clients are told of."""
    for party, name, calls in zip(parties, USERS, (True, False)):
        client = Client(relay.flock).login(name, "secret").online()
        user, password = ask_for_relays(client, told)[port]
        client.close()
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
    def is_relayed_by(instance):
        packets = {}
        for a in [a for user in USERS for a in relay.list(user + "@turn.test")]:
            packets[a["instance"]] = max(packets.get(a["instance"], 0), a["packets_to_peer"])
        assert set(packets) == {instance} and packets[instance] > 50, packets

    def relay_dies():
        is_relayed_by("turn-relay-1")
        os.kill(pid, 9)

    pid = relay.flock.pid("turn-relay-1")
    second = Second(relay)
    try:
        with relay.flock.expect("turn-relay-1"):
            # Nobody is told that it has died; the next call makes allocations anew, at the other one.
            call(relay, parties, relay.port, {relay.port, second.port}, relay_dies, lost=True)
            call(relay, parties, second.port, {second.port}, lambda: is_relayed_by("turn-relay-second"))
            relay.flock.wait_healthy()
    finally:
        second.close()
