# SPDX-License-Identifier: Apache-2.0
"""Where servers are: IPv6, direct TLS (XEP-0368), and several addresses of which the better ones are dead, in both directions."""
import contextlib
import socket
import ssl
import time

import pytest

from peers import Starling, free_port
from raw import DIALBACK_OFFER, EXTERNAL_OFFER, SM_OFFER, FakeServer, Origin, Stream, message
from xmpp import Closed, StreamError, local

# A server that says nothing uses up all of timeouts.dial: what is behind it must not depend on what is left of it.
SETTINGS = {"direct_tls": {"port": 5270}, "timeouts": {"dial": "5s", "early": "5s"}}
SOON = 4
ALPN = "xmpp-server"


@pytest.fixture
def user(wild, users):
    return users.login(wild.starling)


def direct_port(starling):
    return 5270 + starling.flock.offset


class Elsewhere(Origin):
    """Connects to an address of the flock that a test chooses; with tls, it begins with TLS (XEP-0368)."""

    def __init__(self, starling, name, address="127.0.0.1", tls=False, alpn=(ALPN,), certificate=None):
        sock = socket.create_connection((address, direct_port(starling) if tls else starling.s2s_port), 20)
        Stream.__init__(self, sock, name, starling.domain)
        if tls:
            context = ssl.create_default_context(cafile=starling.ca(None))
            if alpn:
                context.set_alpn_protocols(list(alpn))
            if certificate:
                context.load_cert_chain(*certificate)
            self.sock = context.wrap_socket(sock, server_hostname=starling.domain)
            self.tls = True

    def identified(self):
        """Over TLS that is there already."""
        self.open()
        assert local(self.external()) == "success"
        self.open()
        return self


class Listener(FakeServer):
    """At an address, maybe with TLS from the first byte. Announces nothing: the test does."""

    def __init__(self, wild, domain, address="127.0.0.1", tls=False, **how):
        self.direct, self.seen = tls, []
        super().__init__(domain, wild.dns, wild.certificate(domain), offer=EXTERNAL_OFFER + DIALBACK_OFFER + SM_OFFER, **how)
        for kind in ("_xmpp-server._tcp.", "_xmpps-server._tcp."):
            wild.dns.records.pop((kind + domain, "SRV"), None)
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        self.listener.bind((address, 0))
        self.listener.listen(16)
        self.port = self.listener.getsockname()[1]
        self.start(self.accept)

    def serve(self, stream, on):
        try:
            if self.direct:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(*self.certificate)
                context.set_alpn_protocols([ALPN])
                context.sni_callback = lambda sock, name, _: self.seen.append(name)
                stream.sock.settimeout(20)
                stream.sock = context.wrap_socket(stream.sock, server_side=True)
                self.seen.append(stream.sock.selected_alpn_protocol())
                stream.tls = True
        except OSError:
            return
        super().serve(stream, on)


@contextlib.contextmanager
def black_hole(address):
    """A port that answers nothing: a queue of newcomers that is full, and nobody takes one out. Its number."""
    with contextlib.ExitStack() as stack:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listener = stack.enter_context(socket.socket(family))
        listener.bind((address, 0))
        listener.listen(0)
        for _ in range(3):
            s = stack.enter_context(socket.socket(family))
            s.setblocking(False)
            s.connect_ex(listener.getsockname()[:2])
        with socket.socket(family) as probe:
            probe.settimeout(0.3)
            with pytest.raises(socket.timeout):
                probe.connect(listener.getsockname()[:2])
        yield listener.getsockname()[1]


def srv(wild, domain, *records, direct=False):
    """(priority, port, host label); the hosts' addresses are the test's."""
    kind = "_xmpps-server._tcp." if direct else "_xmpp-server._tcp."
    wild.dns.records[(kind + domain, "SRV")] = [(priority, 10, port, "%s.%s" % (host, domain)) for priority, port, host in records]


def address(wild, domain, host, *addresses):
    for one in addresses:
        wild.dns.records.setdefault(("%s.%s" % (host, domain), "AAAA" if ":" in one else "A"), []).append(one)


@pytest.fixture
def listener(wild):
    """listener(domain, ...): ended with the test."""
    def make(domain, *args, **how):
        wild.servers.append(Listener(wild, domain, *args, **how))
        return wild.servers[-1]
    return make


def delivered(user, server, text="found"):
    """How long it took."""
    began = time.monotonic()
    user.message("a@" + server.domain, text)
    assert server.wait_message(text).get("from") == user.jid
    return time.monotonic() - began


# --- those who come to us ---------------------------------------------------------------------------------------------


@pytest.fixture
def come(wild):
    def make(*args, **how):
        name = wild.fresh()
        wild.origins.append(Elsewhere(wild.starling, name, *args, certificate=wild.certificate(name), **how))
        return wild.origins[-1]
    return make


def test_over_ipv6(wild, user):
    name = wild.fresh()
    o = Elsewhere(wild.starling, name, "::1")
    wild.origins.append(o)
    o.proved(wild.certificate(name))
    o.send(message("a@" + name, user.jid, "by six"))
    user.wait_message("by six")
    assert wild.starling.links(name)[0]["address"].startswith("::1")


@pytest.mark.parametrize("where", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("alpn", [(ALPN,), (), ("xmpp-client", ALPN)])
def test_direct_tls(user, come, where, alpn):
    o = come(where, tls=True, alpn=alpn).identified()
    assert o.sock.selected_alpn_protocol() == (ALPN if alpn else None)
    assert "starttls" not in o.offers()
    o.send(message("a@" + o.name, user.jid, "at once"))
    user.wait_message("at once")


def test_no_starttls_over_direct_tls(come):
    """XEP-0368 section 3."""
    o = come(tls=True)
    o.open()
    assert "starttls" not in o.offers()
    o.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    assert local(o.next()) == "failure"
    o.closed()


def test_another_protocol_by_alpn(come):
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        come(tls=True, alpn=("http/1.1", "xmpp-client"))


def test_in_clear_where_tls_is_expected(wild, user):
    o = Stream(socket.create_connection(("127.0.0.1", direct_port(wild.starling)), 20), wild.fresh(), wild.starling.domain)
    wild.origins.append(o)
    o.send(o.header())
    with pytest.raises((Closed, StreamError, OSError, SyntaxError)):  # an alert of TLS, which is no XML
        o.next()


# --- those we go to ---------------------------------------------------------------------------------------------------


def test_to_ipv6(wild, user, listener):
    server = listener(wild.fresh(), "::1")
    srv(wild, server.domain, (1, server.port, "six"))
    address(wild, server.domain, "six", "::1")
    delivered(user, server)
    assert wild.starling.links(server.domain)[0]["address"].startswith("::1")


@pytest.mark.parametrize("where", ["127.0.0.1", "::1"])
def test_to_direct_tls(wild, user, listener, where):
    """With SNI and ALPN, and no STARTTLS."""
    server = listener(wild.fresh(), where, tls=True, on={"starttls": lambda stream, e: server.failed.append("starttls")})
    srv(wild, server.domain, (1, server.port, "tls"), direct=True)
    address(wild, server.domain, "tls", where)
    delivered(user, server)
    assert server.seen == [server.domain, ALPN]
    assert wild.starling.links(server.domain)[0]["tls"].startswith("TLSv1.3 ")


def test_direct_tls_is_not_there(wild, user, listener):
    """A target of "." says so of one kind only (XEP-0368 section 3)."""
    server = listener(wild.fresh())
    wild.dns.records[("_xmpps-server._tcp." + server.domain, "SRV")] = [(0, 0, 0, "")]
    srv(wild, server.domain, (1, server.port, "clear"))
    address(wild, server.domain, "clear", "127.0.0.1")
    delivered(user, server)


@contextlib.contextmanager
def mute():
    """Accepts connections (the kernel does), and says nothing."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(16)
        yield s.getsockname()[1]


@contextlib.contextmanager
def refuses():
    yield free_port()


@pytest.mark.parametrize("dead", [refuses, mute])
@pytest.mark.parametrize("direct_first", [True, False])
def test_the_better_kind_is_dead(wild, user, listener, dead, direct_first):
    """Both kinds are one list (XEP-0368 section 3): what comes next is tried, even when the first one has used up all its time by saying nothing."""
    server = listener(wild.fresh(), tls=not direct_first)
    with dead() as port:
        srv(wild, server.domain, (1, port, "best"), direct=direct_first)
        srv(wild, server.domain, (2, server.port, "next"), direct=not direct_first)
        for host in ("best", "next"):
            address(wild, server.domain, host, "127.0.0.1")
        user.message("a@" + server.domain, "by the other way")
        server.wait_message("by the other way")
        assert server.connections == 1


def test_the_better_one_has_another_name(wild, user, listener, tmp_path):
    """A certificate that is not valid is no reason to send what was to go to another: where one is wanted, the next address is tried."""
    domain = wild.fresh("strict.example.net")
    wrong, right = listener(domain), listener(domain)
    wrong.certificate = wild.authority.issue(str(tmp_path), domain, names="DNS:other.example.net")
    srv(wild, domain, (1, wrong.port, "wrong"), (2, right.port, "right"))
    for host in ("wrong", "right"):
        address(wild, domain, host, "127.0.0.1")
    delivered(user, right)
    assert wrong.got.empty() and wrong.connections == 1


# --- happy eyeballs (RFC 8305) ----------------------------------------------------------------------------------------


def test_ipv6_is_a_black_hole(wild, user, listener):
    """The same host has IPv4: a quarter of a second later it is tried as well, long before the first one's time is over."""
    with black_hole("::1") as port:
        server = listener(wild.fresh())
        srv(wild, server.domain, (1, port, "host"), (2, server.port, "host"))
        address(wild, server.domain, "host", "::1", "127.0.0.1")
        assert delivered(user, server) < SOON
        assert delivered(user, server, "over the same stream") < SOON


def test_ipv4_is_a_black_hole(wild, user, listener):
    with black_hole("127.0.0.1") as port:
        server = listener(wild.fresh(), "::1")
        srv(wild, server.domain, (1, port, "four"), (2, server.port, "six"))
        address(wild, server.domain, "four", "127.0.0.1")
        address(wild, server.domain, "six", "::1")
        assert delivered(user, server) < SOON


def test_all_is_a_black_hole(wild, user, listener):
    """Told in time; and found as soon as there is somebody."""
    with black_hole("::1") as port:
        server = listener(wild.fresh(), "::1")
        domain = server.domain
        srv(wild, domain, (1, port, "six"))
        address(wild, domain, "six", "::1")
        user.message("a@" + domain, "patience")
        answer = user.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=domain, timeout=20)
        assert answer.get("type") == "error"
        assert "no answer within" in wild.starling.links(domain)[0]["error"]
        # What the name server said is remembered for a minute; the operator knows better.
        wild.starling.flock.configure({"services": {"s2s": {"overrides": ["%s=[::1]:%d" % (domain, server.port)]}}})
        wild.starling.flock.ctl("reload", "s2s")
        server.wait_message("patience")


# --- two flocks -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pair(authority, dns):
    """Known by direct TLS over IPv6, and by nothing else."""
    domains = ["six-a.example.net", "six-b.example.net"]
    flocks = []
    try:
        for domain in domains:
            flocks.append(Starling(domain, authority, dns, settings={"direct_tls": {"port": 5270}}))
            del dns.records[("_xmpp-server._tcp." + domain, "SRV")], dns.records[("host." + domain, "A")]
            dns.records[("_xmpps-server._tcp." + domain, "SRV")] = [(1, 1, direct_port(flocks[-1]), "six." + domain)]
            dns.records[("six." + domain, "AAAA")] = ["::1"]
        yield flocks
    finally:
        for flock in flocks:
            flock.close()


def test_two_flocks_by_direct_tls_over_ipv6(pair, users):
    a, b = users.login(pair[0]), users.login(pair[1])
    a.message(b.bare, "there")
    assert b.wait_message("there").get("from") == a.jid
    b.message(a.bare, "back")
    assert a.wait_message("back").get("from") == b.jid
    link = next(link for link in pair[0].links(pair[1].domain) if link["state"] == "open")
    assert link["address"].startswith("::1") and link["proof"] == "certificate" and link["tls"].startswith("TLSv1.3 ")
    for flock in pair:
        flock.flock.check()
