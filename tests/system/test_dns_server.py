# SPDX-License-Identifier: Apache-2.0
"""The DNS server that tests of federation stand on does what it says."""
import socket
import struct

import pytest

from dns_server import TYPES, DnsServer, encode_name

RECORDS = {("_xmpp-server._tcp.example.org", "SRV"): [(10, 5, 5269, "xmpp.example.org")],
           ("xmpp.example.org", "A"): ["127.0.0.2", "127.0.0.3"],
           ("www.example.org", "CNAME"): ["xmpp.example.org"]}


@pytest.fixture
def dns():
    with DnsServer(dict(RECORDS)) as server:
        yield server


def query(name, kind):
    return struct.pack("!6H", 0x1234, 0x0100, 1, 0, 0, 0) + encode_name(name) + struct.pack("!HH", TYPES[kind], 1)


def ask_udp(dns, name, kind, patience=10):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(patience)
        s.sendto(query(name, kind), ("127.0.0.1", dns.port))
        return s.recv(65535)


def ask_tcp(dns, name, kind):
    with socket.create_connection(("127.0.0.1", dns.port), timeout=10) as s, s.makefile("rb") as f:
        asked = query(name, kind)
        s.sendall(struct.pack("!H", len(asked)) + asked)
        return f.read(struct.unpack("!H", f.read(2))[0])


def header(message):
    """(id, rcode, truncated, number of answers)"""
    number, flags, _, answers = struct.unpack_from("!4H", message)
    return number, flags & 15, bool(flags & 0x0200), answers


def test_well(dns):
    assert header(ask_udp(dns, "XMPP.example.org", "A")) == (0x1234, 0, False, 2)
    assert header(ask_tcp(dns, "www.example.org", "A")) == (0x1234, 0, False, 3)
    srv = ask_udp(dns, "_xmpp-server._tcp.example.org", "SRV")
    assert header(srv) == (0x1234, 0, False, 1)
    assert srv.endswith(struct.pack("!3H", 10, 5, 5269) + encode_name("xmpp.example.org"))
    assert header(ask_udp(dns, "xmpp.example.org", "AAAA")) == (0x1234, 0, False, 0)
    assert header(ask_udp(dns, "nobody.example.org", "A")) == (0x1234, 3, False, 0)
    assert dns.asked[1] == ("www.example.org", "A", "tcp")


def test_misbehaving(dns):
    name = "xmpp.example.org"
    for manner, expected in (("servfail", (0x1234, 2, False, 0)), ("refused", (0x1234, 5, False, 0)), ("truncated", (0x1234, 0, True, 0)),
                             ("wrong-id", (0x1334, 0, False, 2)), ("malformed", (0x1234, 0, False, 1))):
        dns.manners[name] = manner
        assert header(ask_udp(dns, name, "A")) == expected, manner
    dns.manners[name] = "truncated"
    assert header(ask_tcp(dns, name, "A")) == (0x1234, 0, False, 2)
    dns.manners[name] = "huge"
    assert header(ask_udp(dns, name, "SRV"))[2]
    assert header(ask_tcp(dns, name, "SRV"))[3] > 1000
    dns.manners = {"*": "silent"}
    with pytest.raises(socket.timeout):
        ask_udp(dns, name, "A", patience=0.2)
