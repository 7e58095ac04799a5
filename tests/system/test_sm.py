# SPDX-License-Identifier: Apache-2.0
"""Stream management (XEP-0198): acknowledgements in both directions, resumption, and what of it survives which daemon's death."""
import os
import signal
import socket
import time

import pytest

from flock import Flock
from xmpp import NS_CLIENT, NS_STANZA_ERROR, Client, Closed, StreamError, befriend, error_of, local, q

NS_SM = "urn:xmpp:sm:3"
LOST = (r"(?i)lost|ended|unavailable|refused|reconnect|closed|gone|timed? ?out|unhealthy|not reachable|down|no such file|exited|killed|died|restart|terminat",)


class Managed(Client):
    """A client that counts and, when polite, answers <r/>. What it has handled when it vanishes is in h, what it sent in out."""

    polite = True

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.h = self.out = 0
        self.counting = False
        self.acked = 0
        self.previd = None

    def receive(self, timeout):
        before = len(self.reader.elements)
        super().receive(timeout)
        for element in self.reader.elements[before:]:
            self.arrived(element)

    def arrived(self, element):
        if element.tag in (q(NS_SM, "enabled"), q(NS_SM, "resumed")):
            self.counting = True
        elif element.tag == q(NS_SM, "a"):
            self.acked = int(element.get("h"))
        elif element.tag == q(NS_SM, "r") and self.polite:
            self.ack()
        elif self.counting and element.tag.startswith("{%s}" % NS_CLIENT):
            self.h += 1

    def send(self, data):
        if self.jid and isinstance(data, str) and data[:4] in ("<mes", "<pre", "<iq "):
            self.out += 1
        super().send(data)

    def ack(self, h=None):
        self.send("<a xmlns='%s' h='%d'/>" % (NS_SM, self.h if h is None else h))

    def enable(self, **attributes):
        attributes = {"resume": "true", **attributes}
        self.out = 0
        self.send("<enable xmlns='%s' %s/>" % (NS_SM, " ".join("%s='%s'" % i for i in attributes.items() if i[1] is not None)))
        answer = self.wait(lambda e: e.tag in (q(NS_SM, "enabled"), q(NS_SM, "failed")))
        self.previd = answer.get("id")
        return answer

    def request(self):
        """Asks until everything sent is acknowledged."""
        self.send("<r xmlns='%s'/>" % NS_SM)
        while self.acked < self.out:
            self.wait(lambda e: e.tag == q(NS_SM, "a"))
        return self.acked

    def again(self, user, password="secret", h=None, previd=None, resume=True):
        """A new connection, logged in and resumed as this one; the counts go over. h: it has handled no more than that."""
        c = Managed(self.flock, host=self.host)
        c.secure()
        assert local(c.sasl("PLAIN", user, password)) == "success"
        c.open()
        c.h, c.out = self.h if h is None else h, self.out
        if resume:
            answer = c.resume(self.previd if previd is None else previd, c.h)
            assert answer.tag == q(NS_SM, "resumed"), answer.tag
            c.jid, c.previd, c.acked = self.jid, self.previd, int(answer.get("h"))
            assert answer.get("previd") == self.previd
        return c

    def resume(self, previd, h):
        self.send("<resume xmlns='%s' previd='%s' h='%d'/>" % (NS_SM, previd, h))
        return self.next()

    def bodies(self, count):
        """The next messages' bodies, in order."""
        return [self.wait_message().findtext(q(NS_CLIENT, "body")) for _ in range(count)]


def condition(failed):
    assert failed.tag == q(NS_SM, "failed"), failed.tag
    return local(next(c for c in failed if c.tag.startswith("{%s}" % NS_STANZA_ERROR)))


def managed(flock, name, password="secret", **attributes):
    c = Managed(flock).login(name, password)
    assert c.enable(**attributes).tag == q(NS_SM, "enabled")
    return c.online()


@pytest.fixture
def pair(flock, account):
    a, b = account(), account()
    return a, b


# --- enabling ----------------------------------------------------------------------------------------------------------

def test_offered_after_login(flock, account):
    a = account()
    c = Client(flock).secure()
    assert c.features.find(q(NS_SM, "sm")) is None
    c.sasl("PLAIN", a.name, a.password)
    assert c.open().find(q(NS_SM, "sm")) is not None
    c.close()


def test_enabled_names_the_stream(flock, account):
    a = account()
    first, second = Managed(flock).login(a.name, a.password), Managed(flock).login(a.name, a.password)
    one, two = first.enable(max="60"), second.enable(max="99999999")
    assert one.get("resume") in ("true", "1") and one.get("max") == "60"
    assert one.get("id") and one.get("id") != two.get("id") and int(two.get("max")) < 99999999
    first.close()
    second.close()


def test_without_resumption(flock, account):
    a = account()
    c = Managed(flock).login(a.name, a.password)
    assert c.enable(resume=None).get("resume") in (None, "false", "0")
    c.online()
    assert c.request() == 1
    c.close()


@pytest.mark.parametrize("attributes", ["max='0'", "max='-5'", "max='x'", "resume='maybe'"])
def test_bad_attributes(flock, account, attributes):
    a = account()
    c = Managed(flock).login(a.name, a.password)
    c.send("<enable xmlns='%s' %s/>" % (NS_SM, attributes))
    assert condition(c.next()) == "bad-request"
    assert c.enable().tag == q(NS_SM, "enabled")
    c.close()


def test_order_is_enforced(flock, account):
    a = account()
    c = Managed(flock).secure()
    for element in ("enable", "resume previd='1' h='0'", "r", "a h='0'"):
        c.send("<%s xmlns='%s'/>" % (element, NS_SM))
        assert condition(c.next()) == "unexpected-request"
    assert local(c.sasl("PLAIN", a.name, a.password)) == "success"
    c.open()
    c.send("<enable xmlns='%s'/>" % NS_SM)
    assert condition(c.next()) == "unexpected-request"
    c.bind()
    for element in ("r", "a h='0'", "resume previd='0123456789abcdef' h='0'"):
        c.send("<%s xmlns='%s'/>" % (element, NS_SM))
        assert condition(c.next()) == "unexpected-request"
    assert c.enable().tag == q(NS_SM, "enabled")
    c.send("<enable xmlns='%s'/>" % NS_SM)
    assert condition(c.next()) == "unexpected-request"
    c.ended_by("policy-violation")


# --- acknowledgements --------------------------------------------------------------------------------------------------

def test_every_stanza_counts(flock, pair):
    a, b = pair
    c = managed(flock, a.name)
    c.request()
    c.send("<message to='@' id='bad1'><body>x</body></message>")
    assert error_of(c.wait(lambda e: e.get("id") == "bad1"))[0] == "jid-malformed"
    c.send("<iq type='get' id='bad2'/>")
    assert error_of(c.wait(lambda e: e.get("id") == "bad2"))[0] == "bad-request"
    c.send("<iq type='set' id='bad3'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
    assert error_of(c.wait(lambda e: e.get("id") == "bad3"))[0] == "not-allowed"
    c.send("<iq type='set' id='old'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>")
    assert c.wait(lambda e: e.get("id") == "old").get("type") == "result"
    c.message(b.jid, "kept")
    c.send("<message type='error' to='%s' id='e'/>" % b.jid)
    c.message(b.jid, "", extra="<composing xmlns='http://jabber.org/protocol/chatstates'/>")
    assert c.request() == c.out == 8
    # And so do the answers: what we have counted is what was sent.
    c.ack()
    c.nothing(lambda e: False)
    c.close()


def test_an_answer_says_that_it_is_stored(flock, pair):
    a, b = pair
    c = managed(flock, a.name)
    for i in range(50):
        c.message(b.jid, "m%d" % i)
    assert c.request() == c.out
    c.abort()
    other = Client(flock).login(b.name, b.password).online()
    assert [other.wait_message().findtext(q(NS_CLIENT, "body")) for _ in range(50)] == ["m%d" % i for i in range(50)]
    other.close()


def test_each_request_is_answered(flock, pair):
    a, b = pair
    c = managed(flock, a.name)
    c.request()
    before = c.acked
    for i in range(10):
        c.message(b.jid, "m%d" % i)
        c.send("<r xmlns='%s'/>" % NS_SM)
    values = [int(c.wait(lambda e: e.tag == q(NS_SM, "a")).get("h")) for _ in range(10)]
    assert values == sorted(values)
    assert c.request() == before + 10
    c.close()


def test_the_server_asks(flock, pair):
    a, b = pair
    c, d = managed(flock, a.name), Client(flock).login(b.name, b.password).online()
    for i in range(10):
        d.message(c.jid, "m%d" % i)
    c.wait(lambda e: e.tag == q(NS_SM, "r"))
    d.message(c.jid, "one more")
    c.wait_message("one more")
    c.wait(lambda e: e.tag == q(NS_SM, "r"))
    c.close()
    d.close()


def test_h_too_high(flock, account):
    a = account()
    c = managed(flock, a.name)
    c.ack(c.h + 1)
    with pytest.raises(StreamError) as caught:
        while True:
            c.next()
    assert caught.value.condition == "undefined-condition"
    element = caught.value.element.find(q(NS_SM, "handled-count-too-high"))
    assert element.get("h") == str(c.h + 1) and element.get("send-count") == str(c.h)
    c.sock.close()


# --- resumption --------------------------------------------------------------------------------------------------------

def test_what_comes_before_enabling_does_not_count(flock, pair):
    """A client that has bound its resource is there for whom writes to that (RFC 6121 section 8.5.3.1), before it enables anything."""
    a, b = pair
    c, d = Managed(flock).login(a.name, a.password), Client(flock).login(b.name, b.password).online()
    d.message(c.jid, "early")
    c.wait_message("early")
    assert c.enable().tag == q(NS_SM, "enabled")
    c.online()
    d.message(c.jid, "counted")
    c.wait_message("counted")
    h = c.h - 1
    c.abort()
    c = c.again(a.name, h=h)
    assert c.bodies(1) == ["counted"]
    c.nothing(lambda e: local(e) == "message")
    c.close()
    d.close()


def test_what_the_client_lacks_comes_once(flock, pair):
    a, b = pair
    c, d = managed(flock, a.name), Client(flock).login(b.name, b.password).online()
    c.polite = False
    d.message(c.jid, "acknowledged")
    c.wait_message("acknowledged")
    c.ack()
    d.message(c.jid, "got, not acknowledged")
    c.wait_message("got, not acknowledged")
    c.nothing(lambda e: False)
    h = c.h - 2  # that, and the answer to the ping
    c.abort()
    for i in range(20):
        d.message(c.jid, "away %d" % i)
    d.send("<message to='%s' id='n' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>" % c.jid)
    d.nothing()
    c = c.again(a.name, h=h)
    assert c.bodies(21) == ["got, not acknowledged"] + ["away %d" % i for i in range(20)]
    c.wait(lambda e: local(e) == "message" and e.get("id") == "n")
    d.message(c.jid, "after")
    assert c.bodies(1) == ["after"]
    c.nothing(lambda e: local(e) == "message")
    c.request()
    c.ack()
    c.close()
    # Nothing is left to be found at the next login.
    c = Client(flock).login(a.name, a.password).online()
    c.nothing(lambda e: local(e) == "message")
    c.close()
    d.close()


def test_contacts_notice_nothing(flock, pair):
    a, b = pair
    c, d = managed(flock, a.name), Client(flock).login(b.name, b.password).online()
    befriend(c, d)
    c.abort()
    d.message(c.jid, "are you there?")
    c = c.again(a.name)
    c.wait_message("are you there?")
    d.nothing(lambda e: local(e) == "presence" and e.get("type") == "unavailable")
    c.send("</stream:stream>")
    assert d.wait_presence(c.jid, "unavailable") is not None
    d.close()


def test_what_was_not_acknowledged_is_sent_again_and_done_once(flock, pair):
    a, b = pair
    c, d = managed(flock, a.name), Client(flock).login(b.name, b.password).online()
    c.request()
    base = c.out
    for i in range(40):
        c.message(d.jid, "m%d" % i)
    c.sock.shutdown(socket.SHUT_RDWR)
    c.sock.close()
    c = c.again(a.name)
    for i in range(c.acked - base, 40):
        c.message(d.jid, "m%d" % i)
    c.out = base + 40
    assert [d.wait_message().findtext(q(NS_CLIENT, "body")) for _ in range(40)] == ["m%d" % i for i in range(40)]
    assert c.request() == base + 40
    d.nothing(lambda e: local(e) == "message")
    c.close()
    d.close()


def test_the_old_connection_is_told(flock, account):
    a = account()
    old = managed(flock, a.name)
    new = old.again(a.name)
    old.ended_by("conflict")
    new.presence("<status>here</status>")
    new.wait(lambda e: local(e) == "presence" and e.findtext(q(NS_CLIENT, "status")) == "here")
    newest = new.again(a.name)
    new.ended_by("conflict")
    newest.nothing(lambda e: False)
    assert newest.request() == newest.out
    newest.close()


def test_a_clean_end_is_final(flock, account):
    a = account()
    c = managed(flock, a.name)
    c.close()
    c = c.again(a.name, resume=False)
    assert condition(c.resume(c.previd or "0123456789abcdef", 0)) == "item-not-found"
    c.bind()
    c.online()
    c.close()


def test_only_the_same_account(flock, pair):
    a, b = pair
    c = managed(flock, a.name)
    thief = c.again(b.name, resume=False)
    assert condition(thief.resume(c.previd, 0)) == "item-not-found"
    thief.bind()
    thief.close()
    c.nothing()
    c.close()


@pytest.mark.parametrize("attributes,expected", [
    ("h='0'", "bad-request"),
    ("previd='x'", "bad-request"),
    ("previd='x' h='x'", "bad-request"),
    ("previd='x' h='4294967296'", "bad-request"),
    ("previd='x' h='0'", "item-not-found"),
    ("previd='0123456789abcdef' h='0'", "item-not-found"),
])
def test_bad_resumptions_leave_the_way_to_bind(flock, account, attributes, expected):
    a = account()
    c = Managed(flock).secure()
    c.sasl("PLAIN", a.name, a.password)
    c.open()
    c.send("<resume xmlns='%s' %s/>" % (NS_SM, attributes))
    assert condition(c.next()) == expected
    c.bind()
    assert c.enable().tag == q(NS_SM, "enabled")
    c.online()
    c.close()


def test_h_too_high_at_resumption(flock, account):
    a = account()
    c = managed(flock, a.name)
    c.abort()
    n = c.again(a.name, resume=False)
    assert condition(n.resume(c.previd, c.h + 1000)) == "item-not-found"
    n.bind()
    n.close()


def test_too_late(flock, pair):
    a, b = pair
    c, d = managed(flock, a.name, max="1"), Client(flock).login(b.name, b.password).online()
    befriend(c, d)
    c.ack()
    c.nothing(lambda e: False)
    c.abort()
    d.message(c.jid, "for later")
    d.wait_presence(c.jid, "unavailable")
    n = c.again(a.name, resume=False)
    assert condition(n.resume(c.previd, c.h)) == "item-not-found"
    n.bind()
    n.online()
    n.wait_message("for later")
    n.nothing(lambda e: local(e) == "message")
    n.close()
    d.close()


def test_many_breaks(flock, pair):
    """A client that loses its connection again and again misses nothing and gets nothing twice, in both directions."""
    a, b = pair
    c, d = managed(flock, a.name), Client(flock).login(b.name, b.password).online()
    c.request()
    base, sent, got = c.out, 0, []
    for round_ in range(8):
        for i in range(25):
            d.message(c.jid, "in %d" % (round_ * 25 + i))
        while sent < (round_ + 1) * 10:
            c.message(d.jid, "out %d" % sent)
            sent += 1
        for _ in range(5 + round_ * 2):
            got.append(c.wait_message().findtext(q(NS_CLIENT, "body")))
        pending = [e for e in c.reader.elements if local(e) == "message"]
        got += [e.findtext(q(NS_CLIENT, "body")) for e in pending]
        c.abort()
        c = c.again(a.name)
        sent = c.acked - base
        c.out = c.acked
    while sent < 80:
        c.message(d.jid, "out %d" % sent)
        sent += 1
    got += c.bodies(200 - len(got))
    assert got == ["in %d" % i for i in range(200)]
    assert [d.wait_message().findtext(q(NS_CLIENT, "body")) for _ in range(80)] == ["out %d" % i for i in range(80)]
    c.request()
    c.nothing(lambda e: local(e) == "message")
    d.nothing(lambda e: local(e) == "message")
    c.close()
    d.close()


def test_a_client_that_does_not_answer_is_parked():
    with_settings = Flock(settings={"services": {"c2s-edge": {"timeouts": {"ack": "1s"}}}}).up()
    try:
        for name in ("u1", "u2"):
            with_settings.register(name, "secret")
        c, d = managed(with_settings, "u1"), Client(with_settings).login("u2", "secret").online()
        c.polite = False
        d.message(c.jid, "hello")
        c.wait_message("hello")
        h = c.h
        c.ended_by("connection-timeout")
        c = c.again("u1", h=h)
        d.message(c.jid, "again")
        assert c.bodies(1) == ["again"]
        c.close()
        d.close()
    finally:
        with_settings.close()


# --- daemons that die --------------------------------------------------------------------------------------------------

@pytest.fixture
def own():
    flock = Flock().up()
    for name in ("u1", "u2"):
        flock.register(name, "secret")
    try:
        yield flock
    finally:
        flock.close()


def again_when_up(c, name, seconds=60):
    """As again(), where the servers may be away for a while."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return c.again(name)
        except (OSError, Closed, StreamError, AssertionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)


def drained(c):
    """Everything that had come before the connection broke is counted."""
    try:
        while True:
            c.receive(0.5)
    except (Closed, OSError):
        c.sock.close()
    return [e.findtext(q(NS_CLIENT, "body")) for e in c.reader.elements if local(e) == "message"]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_edge_dies(own, how):
    c = managed(own, "u1")
    d = managed(own, "u2")
    for i in range(30):
        d.message(c.jid, "m%d" % i)
    with own.expect(*LOST):
        os.kill(own.pid("c2s-edge-1"), how)
        got = drained(c)
        drained(d)
        own.wait_healthy()
        d = again_when_up(d, "u2")
        sent = d.acked - 1  # behind its presence
        for i in range(sent, 30):
            d.message(c.jid, "m%d" % i)
        c = again_when_up(c, "u1")
        got += c.bodies(30 - len(got))
        assert got == ["m%d" % i for i in range(30)]
        c.nothing(lambda e: local(e) == "message")
        c.close()
        d.close()


def test_the_owner_dies(own):
    """The edge and the log know all that is needed: the same connections go on, with right counts."""
    c, d = managed(own, "u1"), managed(own, "u2")
    c.polite = False
    d.message(c.jid, "before")
    c.wait_message("before")
    with own.expect(*LOST):
        os.kill(own.pid("session-manager-1"), signal.SIGKILL)
        for i in range(20):
            d.message(c.jid, "m%d" % i)
        own.wait_healthy()
        assert d.request() == d.out
        assert c.bodies(20) == ["m%d" % i for i in range(20)]
        c.ack()
        c.nothing(lambda e: local(e) == "message")
        c.abort()
        d.message(c.jid, "after")
        c = again_when_up(c, "u1")
        assert c.bodies(1) == ["after"]
        c.nothing(lambda e: local(e) == "message")
        c.close()
        d.close()


def test_the_router_dies(own):
    c, d = managed(own, "u1"), managed(own, "u2")
    with own.expect(*LOST):
        for i in range(20):
            d.message(c.jid, "m%d" % i)
        os.kill(own.pid("router-1"), signal.SIGKILL)
        for i in range(20, 40):
            d.message(c.jid, "m%d" % i)
        own.wait_healthy()
        assert d.request() == d.out
        assert c.bodies(40) == ["m%d" % i for i in range(40)]
        c.ack()
        c.nothing(lambda e: local(e) == "message")
        c.close()
        d.close()


def test_a_draining_edge_sends_its_clients_on():
    flock = Flock()
    where = "127.0.0.1:%d" % flock.port
    flock.configure({"services": {"c2s-edge": {"public_address": where}}})
    flock.up("c2s-edge=2")
    try:
        flock.register("u1", "secret")
        c = Managed(flock).login("u1", "secret")
        assert c.enable().get("location") == where
        c.online()
        name = next(i["name"] for i in flock.status() if i["role"] == "c2s-edge" and i.get("connections"))
        with flock.expect(*LOST):
            os.kill(flock.pid(name), signal.SIGTERM)
            with pytest.raises(StreamError) as caught:
                while True:
                    c.next()
            assert caught.value.condition == "see-other-host"
            assert caught.value.element[0].text == where
            c.sock.close()
            c = again_when_up(c, "u1")
            c.presence("<status>back</status>")
            c.wait(lambda e: local(e) == "presence" and e.findtext(q(NS_CLIENT, "status")) == "back")
            c.close()
            flock.wait_healthy()
    finally:
        flock.close()
