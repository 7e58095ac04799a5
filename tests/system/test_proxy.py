# SPDX-License-Identifier: Apache-2.0
"""An edge behind a proxy that announces its clients (PROXY protocol, versions 1 and 2): 127.0.0.9 is the proxy, the rest of 127.0.0.0/8 is not."""
import os
import re
import socket
import struct
import time

import pytest

from flock import Flock
from xmpp import Client

pytestmark = pytest.mark.single  # makes its own, of one edge

PROXY = "127.0.0.9"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v1(address, destination="198.51.100.1", port=40000):
    return ("PROXY TCP%d %s %s %d 5222\r\n" % (6 if ":" in address else 4, address, destination, port)).encode()


def v2(address=None, port=40000, tlvs=b""):
    """None: LOCAL, the proxy's own check."""
    if address is None:
        return SIGNATURE + b"\x20\x00" + struct.pack("!H", 0)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    ip = socket.inet_pton(family, address)
    block = ip + ip + struct.pack("!HH", port, 5222) + tlvs
    return SIGNATURE + (b"\x21\x21" if family == socket.AF_INET6 else b"\x21\x11") + struct.pack("!H", len(block)) + block


@pytest.fixture(scope="module")
def proxied_session():
    settings = {"services": {"auth": {"iterations": 4096},
                             "c2s-edge": {"proxy": {"trusted": [PROXY, "203.0.113.0/24"], "timeout": "3s"}, "limits": {"connections_per_address": 2}}}}
    flock = Flock(settings=settings).up(scale="")  # of one edge, whose limits can be counted
    try:
        flock.register("juliet", "secret")
        yield flock
    finally:
        flock.close()


@pytest.fixture
def proxied(proxied_session):
    yield proxied_session
    proxied_session.check()


def behind(flock, header, **options):
    return Client(flock, source=PROXY, before=header, **options)


def address_of(flock, client):
    return {s["jid"]: s["address"] for s in flock.ctl_json("connected-users", flock.host)["sessions"]}[client.jid]


def refused(flock, sock, timeout=15):
    """Closed without a byte."""
    sock.settimeout(timeout)
    try:
        return sock.recv(100) == b""
    except ConnectionResetError:
        return True
    finally:
        sock.close()


def logged(flock, pattern):
    """The edge's log says so, soon."""
    name = flock.names("c2s-edge")[0]
    deadline = time.monotonic() + 10
    while not re.search(pattern, flock.log(name)):
        assert time.monotonic() < deadline, flock.log(name)[-2000:]
        time.sleep(0.05)


@pytest.mark.parametrize("header,address,direct_tls", [
    (v1("192.0.2.7"), "192.0.2.7", False),
    (v1("2001:db8::7", "2001:db8::1"), "2001:db8::7", True),
    (v2("192.0.2.8"), "192.0.2.8", True),
    (v2("2001:db8::8", tlvs=b"\x02\0\x0bexample.org\x04\0\x03pad"), "2001:db8::8", False),
    (v2(), PROXY, False),
    (b"PROXY UNKNOWN\r\n", PROXY, True),
], ids=["v1", "v1-ipv6-tls", "v2-tls", "v2-ipv6", "local", "unknown"])
def test_the_told_address_is_the_clients(proxied, header, address, direct_tls):
    c = behind(proxied, header, direct_tls=direct_tls).login("juliet", "secret").online()
    assert address_of(proxied, c) == address
    c.close()


def test_a_header_in_pieces(proxied):
    header = v1("192.0.2.9")
    c = behind(proxied, header[:7])
    c.sock.sendall(header[7:-1])
    c.sock.sendall(header[-1:])
    c.login("juliet", "secret").close()


def test_nobody_else_may_connect(proxied):
    """Not even with a header: else anybody could be anybody."""
    for header in (b"", v1("192.0.2.7"), v2("192.0.2.7")):
        sock = socket.create_connection(("127.0.0.1", proxied.port), 15, source_address=("127.0.0.8", 0))
        try:
            sock.sendall(header)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert refused(proxied, sock)
    logged(proxied, r"connection refused: it is no trusted proxy.*address=127\.0\.0\.8")


@pytest.mark.parametrize("first", [b"<stream:stream xmlns='jabber:client'>", b"\x16\x03\x01\x00\xa5", b"PROXY TCP4 192.0.2.7\r\n", b"PROXY TCP4 192.0.2.7 192.0.2.1 1 2\n", b"\n",
                                   SIGNATURE + b"\x21\x11\x00\x04abcd", SIGNATURE + b"\x21\x11\xff\xff"], ids=["xmpp", "tls", "v1-short", "v1-lf", "other", "v2-short", "v2-long"])
def test_what_is_no_header_ends_it(proxied, first):
    assert refused(proxied, behind(proxied, first).sock)
    logged(proxied, r"connection refused: .* address=127\.0\.0\.9")


def test_a_header_must_come_in_time(proxied):
    start = time.monotonic()
    assert refused(proxied, behind(proxied, b"PROXY TCP4").sock)
    assert time.monotonic() - start >= 2.5
    logged(proxied, r"connection refused: no PROXY header in time.*address=127\.0\.0\.9")


def test_limits_are_for_the_told_address(proxied):
    """Two connections of one address, through a proxy that has many more."""
    held = []
    try:
        for address in ("192.0.2.20", "192.0.2.21", "192.0.2.20", "192.0.2.21", "192.0.2.22"):
            held.append(behind(proxied, v1(address)))
            held[-1].open()
        assert refused(proxied, behind(proxied, v1("192.0.2.20")).sock)
        assert refused(proxied, behind(proxied, v2("192.0.2.21")).sock)
        held.append(behind(proxied, v2("192.0.2.22")))
        held[-1].open()
    finally:
        for c in held:
            c.abort()


@pytest.mark.parametrize("trusted", ["proxy.example.org", "10.0.0.1/8", "10.0.0.0/33", ""])
def test_what_is_no_network_is_no_configuration(proxied, trusted):
    path = os.path.join(proxied.state, "proxy-test.yml")
    with open(os.path.join(proxied.state, "starling.yml")) as f:
        good = f.read()
    assert "203.0.113.0/24" in good
    with open(path, "w") as f:
        f.write(good.replace("203.0.113.0/24", "'%s'" % trusted))
    result = proxied.run("--config", path, "--check-config", binary="c2s-edge")
    assert result.returncode != 0 and "proxy.trusted" in result.stderr
    with open(path, "w") as f:
        f.write(good)
    assert proxied.run("--config", path, "--check-config", binary="c2s-edge").returncode == 0
