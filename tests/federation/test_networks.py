# SPDX-License-Identifier: Apache-2.0
"""A domain's owner says where its server is: that must not have us connect into the network we are in, unless our operator says so."""
import contextlib
import socket

import pytest

from peers import announce
from raw import db_error
from xmpp import error_of, local

SETTINGS = {"private_networks": ["127.0.0.2/32"]}
REFUSED = ("remote-server-not-found", "cancel")


@pytest.fixture
def user(wild, users):
    return users.login(wild.starling)


def refused(wild, user, domain):
    """What is sent there comes back at once, and says why; the log says where we did not connect to."""
    assert error_of(user.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=domain, timeout=10)) == REFUSED
    user.message("a@" + domain, "nowhere")
    error = user.wait(lambda e: local(e) == "message", timeout=10)
    assert error_of(error) == REFUSED
    assert "the domain's addresses are not public" in "".join(error.itertext())
    log = wild.starling.flock.log(wild.starling.flock.names("s2s")[0])
    line = next(line for line in log.splitlines() if "not connecting to" in line and "remote=%s" % domain in line)
    assert "neither public nor in private_networks" in line and " info " in line
    return line


@contextlib.contextmanager
def setting(wild, **s2s):
    before = {key: wild.starling.flock.setting("s2s", key) or [] for key in s2s}
    wild.starling.reload(**s2s)
    try:
        yield
    finally:
        wild.starling.reload(**before)


# RFC 1122, 1918, 3927, 4193, 4291, 6598; the same within IPv6: mapped, NAT64 (RFC 6052), 6to4 (RFC 3056).
@pytest.mark.parametrize("kind,address", [("A", "127.0.0.1"), ("A", "0.0.0.0"), ("A", "10.0.0.1"), ("A", "172.16.0.1"), ("A", "192.168.0.1"),
                                          ("A", "169.254.169.254"), ("A", "100.64.0.1"), ("AAAA", "::1"), ("AAAA", "::"), ("AAAA", "fe80::1"),
                                          ("AAAA", "fd00::1"), ("AAAA", "::ffff:127.0.0.1"), ("AAAA", "64:ff9b::7f00:1"), ("AAAA", "2002:7f00:1::1")])
def test_not_public(wild, user, kind, address):
    server = wild.server()
    announce(wild.dns, server.domain, server.port, kind, address)
    line = refused(wild, user, server.domain)
    assert "port %d" % server.port in line
    assert server.connections == 0


def test_domain_that_is_an_address(wild, user):
    refused(wild, user, "127.0.0.1")


def test_without_service_records(wild, user):
    name = wild.fresh()
    wild.dns.records[(name, "A")] = ["127.0.0.1"]
    refused(wild, user, name)


def test_verifying_a_key(wild):
    """A stranger's dialback has us connect nowhere (XEP-0220 section 2.5)."""
    server = wild.server()
    assert db_error(wild.origin(server.domain).secure().dialback()) == "remote-server-not-found"
    assert server.connections == 0


def test_one_of_several(wild, user):
    """Only those that are not public are left out."""
    server = wild.server()
    with socket.socket() as other:
        other.bind(("127.0.0.2", server.port))
        other.listen(1)
        other.settimeout(20)
        wild.dns.records[("host." + server.domain, "A")] = ["127.0.0.1", "127.0.0.2"]
        user.message("a@" + server.domain, "there")
        other.accept()[0].close()
    assert server.connections == 0


def test_allowed_networks(wild, user):
    server = wild.server()
    refused(wild, user, server.domain)
    with setting(wild, private_networks=["127.0.0.0/8"]):
        user.message("a@" + server.domain, "allowed")
        server.wait_message("allowed")


def test_override(wild, user):
    """Where the operator points is connected to."""
    server = wild.server()
    refused(wild, user, server.domain)
    with setting(wild, overrides=["%s=127.0.0.1:%d" % (server.domain, server.port)]):
        user.message("a@" + server.domain, "pointed")
        server.wait_message("pointed")
