# SPDX-License-Identifier: Apache-2.0
"""coturn's own client programs against this relay."""
import os
import re
import select
import shutil
import socket
import subprocess
import threading

import pytest

import stun
from relay import LOOPBACK, Relay, needs_ipv6

needs_tools = pytest.mark.skipif(not shutil.which("turnutils_uclient"), reason="coturn's tools are not installed")


class Echo(threading.Thread):
    """Sends back what comes, at a port and the next one, which is RTCP's."""

    def __init__(self, address="127.0.0.1"):
        super().__init__(daemon=True)
        self.sockets = self.pair(address)
        self.port = self.sockets[0].getsockname()[1]
        self.ended, self.end = os.pipe()
        self.start()

    @staticmethod
    def pair(address):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        for _ in range(100):
            first, second = socket.socket(family, socket.SOCK_DGRAM), socket.socket(family, socket.SOCK_DGRAM)
            try:
                first.bind((address, 0))
                second.bind((address, first.getsockname()[1] + 1))
                return first, second
            except (OSError, OverflowError):
                first.close()
                second.close()
        raise AssertionError("no two ports in a row")

    def run(self):
        while True:
            for ready in select.select([self.ended, *self.sockets], [], [])[0]:
                if ready == self.ended:
                    return
                data, where = ready.recvfrom(65536)
                ready.sendto(data, where)

    def close(self):
        os.close(self.end)
        self.join()
        os.close(self.ended)
        for s in self.sockets:
            s.close()


@pytest.fixture
def echo():
    peer = Echo()
    yield peer.port
    peer.close()


@pytest.fixture(scope="module")
def relay():
    """coturn's client chooses channels as RFC 5766 let it."""
    made = Relay({"legacy_channels": True}).up()
    try:
        yield made
    finally:
        made.put_out()
        made.close()


def uclient(relay, *args, port=None, server="127.0.0.1", share=1.0):
    """share: of the messages that must come back."""
    command = ["turnutils_uclient", "-p", str(port or relay.port), *args, server]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, timeout=60)
    assert result.returncode == 0, result.stdout
    sent = re.search(r"tot_send_msgs=(\d+), tot_recv_msgs=(\d+)", result.stdout[result.stdout.rindex("tot_send_msgs"):])
    assert int(sent[1]) > 0 and int(sent[1]) * share <= int(sent[2]) <= int(sent[1]), result.stdout
    lost = re.search(r"Total lost packets (\d+)", result.stdout)
    assert lost and int(lost[1]) == int(sent[1]) - int(sent[2]), result.stdout
    return result.stdout


@needs_tools
@pytest.mark.parametrize("flags", (
    ("-u", "juliet", "-w", "balcony"),
    ("-W", "the-secret-of-the-relay", "-u", "romeo@turn.test"),
    ("-s", "-u", "juliet", "-w", "balcony"),
    ("-D", "-u", "juliet", "-w", "balcony"),
    ("-g", "-u", "juliet", "-w", "balcony"),
    ("-G", "-u", "juliet", "-w", "balcony"),
    ("-c", "-u", "juliet", "-w", "balcony"),
    ("-t", "-u", "juliet", "-w", "balcony"),
    ("-t", "-s", "-u", "juliet", "-w", "balcony"),
    ("-M", "-u", "juliet", "-w", "balcony"),
), ids=lambda f: " ".join(f[:2]))
def test_uclient(relay, echo, flags):
    uclient(relay, "-e", "127.0.0.1", "-r", str(echo), "-n", "20", "-m", "4", "-z", "5", "-l", "170", *flags)


@needs_tools
def test_uclient_over_tls(relay, echo):
    """It takes what comes in one record of TLS for one message: where the relay gathers several, it counts the others as lost. test_burst (tests/turn/test_streams.py) counts all."""
    uclient(relay, "-t", "-S", "-e", "127.0.0.1", "-r", str(echo), "-n", "20", "-m", "4", "-z", "50", "-l", "170", "-u", "juliet", "-w", "balcony", port=relay.tls_port, share=0.5)


@needs_tools
@pytest.mark.parametrize("port", ("port", "tls_port"))
def test_uclient_over_dtls(relay, echo, port):
    """On the port that others use in clear, and on TLS's own."""
    uclient(relay, "-S", "-e", "127.0.0.1", "-r", str(echo), "-n", "20", "-m", "4", "-z", "5", "-l", "170", "-u", "juliet", "-w", "balcony", port=getattr(relay, port))


@needs_tools
def test_uclient_to_uclient(relay):
    """Both ends are relayed."""
    uclient(relay, "-y", "-n", "20", "-m", "4", "-z", "5", "-l", "170", "-u", "juliet", "-w", "balcony")


@needs_ipv6
@needs_tools
def test_uclient_ipv6(relay):
    peer = Echo("::1")
    try:
        uclient(relay, "-x", "-e", "::1", "-r", str(peer.port), "-n", "10", "-m", "2", "-z", "5", "-u", "juliet", "-w", "balcony")
        uclient(relay, "-x", "-e", "::1", "-r", str(peer.port), "-n", "10", "-m", "2", "-z", "5", "-u", "juliet", "-w", "balcony", server="::1")
    finally:
        peer.close()


@needs_tools
def test_stunclient(relay):
    result = subprocess.run(["turnutils_stunclient", "-p", str(relay.port), "127.0.0.1"], stdout=subprocess.PIPE, universal_newlines=True, timeout=20)
    assert "UDP reflexive addr: 127.0.0.1:" in result.stdout, result.stdout


# --- NAT discovery (RFC 5780) ----------------------------------------------------------------------------------------------


@pytest.fixture
def two_addresses(special):
    return special({"addresses": LOOPBACK, "discovery": {"address": "127.0.0.2", "port": 3479}})


def test_discovery(two_addresses):
    relay = two_addresses
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 0))
    s.settimeout(5)
    other = relay.port + 1
    for change, origin in ((0, ("127.0.0.1", relay.port)), (2, ("127.0.0.1", other)), (4, ("127.0.0.2", relay.port)), (6, ("127.0.0.2", other))):
        s.sendto(stun.message(stun.BINDING, stun.u32(stun.CHANGE_REQUEST, change), os.urandom(12)), ("127.0.0.1", relay.port))
        data, where = s.recvfrom(2048)
        answer = stun.Message(data)
        assert where == origin == answer.plain_address(stun.RESPONSE_ORIGIN)
        assert answer.plain_address(stun.OTHER_ADDRESS) == ("127.0.0.2", other)
        assert answer.address(stun.XOR_MAPPED_ADDRESS) == s.getsockname()
    # Asked at the other address, the first one is the other.
    s.sendto(stun.message(stun.BINDING, b"", os.urandom(12)), ("127.0.0.2", other))
    answer = stun.Message(s.recvfrom(2048)[0])
    assert answer.plain_address(stun.OTHER_ADDRESS) == ("127.0.0.1", relay.port)
    # The answer to another port of the same client; never a longer one than it must be.
    with stun.Peer() as second:
        s.sendto(stun.message(stun.BINDING, stun.attr(stun.RESPONSE_PORT, second.name[1].to_bytes(2, "big")), os.urandom(12)), ("127.0.0.1", relay.port))
        assert stun.Message(second.receive()[0]).address(stun.XOR_MAPPED_ADDRESS) == s.getsockname()
    s.sendto(stun.message(stun.BINDING, stun.attr(stun.PADDING, b"x" * 500), os.urandom(12)), ("127.0.0.1", relay.port))
    assert stun.Message(s.recvfrom(2048)[0]).code == 420
    s.close()


@needs_tools
def test_natdiscovery(two_addresses):
    relay = two_addresses
    result = subprocess.run(["turnutils_natdiscovery", "-m", "-f", "-L", "127.0.0.1", "-p", str(relay.port), "127.0.0.1"], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, universal_newlines=True, timeout=60)
    assert "NAT with Endpoint Independent Mapping" in result.stdout or "No NAT" in result.stdout, result.stdout
    assert "Endpoint Independent Filtering" in result.stdout, result.stdout
