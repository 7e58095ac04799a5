# SPDX-License-Identifier: Apache-2.0
"""A blocking XMPP client on a raw socket: it sends whatever a test wants, well-behaved or not, and reads what comes back.

Client does the polite steps (TLS, SASL, bind); send() takes any bytes. Everything read is an ElementTree element; waiting has a deadline
and fails loudly with what came instead.
"""
import base64
import hashlib
import hmac
import os
import socket
import ssl
import time
import xml.etree.ElementTree as ET
import zlib
from xml.sax.saxutils import escape, quoteattr

NS_CLIENT = "jabber:client"
NS_STREAM = "http://etherx.jabber.org/streams"
NS_STREAM_ERROR = "urn:ietf:params:xml:ns:xmpp-streams"
NS_STANZA_ERROR = "urn:ietf:params:xml:ns:xmpp-stanzas"
NS_TLS = "urn:ietf:params:xml:ns:xmpp-tls"
NS_SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
NS_BIND = "urn:ietf:params:xml:ns:xmpp-bind"
NS_ROSTER = "jabber:iq:roster"
NS_DELAY = "urn:xmpp:delay"
XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
TIMEOUT = float(os.environ.get("STARLING_TEST_TIMEOUT", "15"))


def q(ns, name):
    return "{%s}%s" % (ns, name)


def local(element):
    return element.tag.rsplit("}", 1)[-1]


class Closed(Exception):
    """The server closed the TCP connection."""


class StreamError(Exception):
    def __init__(self, element):
        self.element = element
        self.condition = local(next(c for c in element if c.tag.startswith("{%s}" % NS_STREAM_ERROR) and local(c) != "text"))
        super().__init__(ET.tostring(element, encoding="unicode"))


class Reader:
    """First-level elements of a stream, from bytes in pieces."""

    def __init__(self):
        self.parser = ET.XMLPullParser(["start", "end"])
        self.depth = 0
        self.header = None
        self.ended = False
        self.elements = []

    def feed(self, data):
        self.parser.feed(data)
        for event, element in self.parser.read_events():
            if event == "start":
                self.depth += 1
                if self.depth == 1:
                    self.header = element
            else:
                self.depth -= 1
                if self.depth == 1:
                    self.elements.append(element)
                    self.header.remove(element)
                elif self.depth == 0:
                    self.ended = True


def scram_client(mechanism, user, password, binding=None, gs2=None, nonce=None):
    """A generator: yields client messages, takes server messages. The last takes the server's signature and checks it."""
    name = mechanism.removesuffix("-PLUS").removeprefix("SCRAM-").replace("SHA-", "sha")
    if gs2 is None:
        gs2 = "p=%s,," % binding[0] if mechanism.endswith("-PLUS") else "n,,"
    nonce = nonce or base64.b64encode(os.urandom(18)).decode()
    first_bare = "n=%s,r=%s" % (user.replace("=", "=3D").replace(",", "=2C"), nonce)
    server_first = yield (gs2 + first_bare).encode()
    fields = dict(p.split("=", 1) for p in server_first.decode().split(","))
    assert fields["r"].startswith(nonce) and len(fields["r"]) > len(nonce), "server nonce does not extend ours"
    assert int(fields["i"]) >= 4096
    salted = hashlib.pbkdf2_hmac(name, password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))

    def mac(key, text):
        return hmac.new(key, text, name).digest()

    client_key = mac(salted, b"Client Key")
    cb = gs2.encode() + (binding[1] if mechanism.endswith("-PLUS") else b"")
    without_proof = "c=%s,r=%s" % (base64.b64encode(cb).decode(), fields["r"])
    auth_message = ",".join([first_bare, server_first.decode(), without_proof]).encode()
    signature = mac(hashlib.new(name, client_key).digest(), auth_message)
    proof = bytes(a ^ b for a, b in zip(client_key, signature))
    final = yield ("%s,p=%s" % (without_proof, base64.b64encode(proof).decode())).encode()
    expected = base64.b64encode(mac(mac(salted, b"Server Key"), auth_message)).decode()
    assert final.decode() == "v=" + expected, "the server did not prove that it knows the password"
    yield b""


class Client:
    """source: address to connect from. before: bytes that a proxy would put before the stream."""

    def __init__(self, flock, host=None, direct_tls=False, port=None, address="127.0.0.1", timeout=TIMEOUT, source=None, before=b""):
        self.flock = flock
        self.host = host or flock.host
        self.timeout = timeout
        self.jid = None
        self.features = None
        self.tls = False
        self.inflate = self.deflate = None
        self.count = 0
        self.sock = socket.create_connection((address, port or (flock.tls_port if direct_tls else flock.port)), timeout,
                                             source_address=(source, 0) if source else None)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if before:
            self.sock.sendall(before)
        self.reader = Reader()
        if direct_tls:
            self.wrap_tls(alpn=["xmpp-client"])

    # --- bytes ---------------------------------------------------------------------------------------------------------

    def send(self, data):
        if isinstance(data, str):
            data = data.encode()
        if self.deflate:
            data = self.deflate.compress(data) + self.deflate.flush(zlib.Z_SYNC_FLUSH)
        self.sock.sendall(data)

    def receive(self, timeout):
        self.sock.settimeout(max(timeout, 0.001))
        try:
            data = self.sock.recv(65536)
        except (ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError, BrokenPipeError):
            data = b""
        if not data:
            raise Closed()
        self.reader.feed(self.inflate.decompress(data) if self.inflate else data)

    def next(self, timeout=None):
        """The next first-level element; raises StreamError for a stream error, Closed, or AssertionError when none comes."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while not self.reader.elements:
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError("nothing came in time")
            if self.reader.ended:
                raise Closed()
            try:
                self.receive(left)
            except socket.timeout:
                continue
        element = self.reader.elements.pop(0)
        if element.tag == q(NS_STREAM, "error"):
            raise StreamError(element)
        return element

    def wait(self, match, timeout=None):
        """The next element for which match is true. Others before it stay for later waits, in order."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        kept = []
        try:
            while True:
                try:
                    element = self.next(deadline - time.monotonic())
                except AssertionError:
                    raise AssertionError("expected element did not come; instead: " + repr([ET.tostring(k, encoding="unicode") for k in kept])) from None
                if match(element):
                    return element
                kept.append(element)
        finally:
            self.reader.elements[:0] = kept

    def nothing(self, match=lambda e: True):
        """Nothing that matches has come, nor comes before the answer to a ping sent now: order makes this exact, no sleeping."""
        ping = self.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=self.host)
        kept = [e for e in ping.skipped if match(e)]
        assert not kept, [ET.tostring(k, encoding="unicode") for k in kept]

    # --- stream ---------------------------------------------------------------------------------------------------------

    def header(self, to=None, **attributes):
        attributes = {"to": self.host if to is None else to, "version": "1.0", **attributes}
        return "<stream:stream xmlns='jabber:client' xmlns:stream='%s' %s>" % (
            NS_STREAM, " ".join("%s=%s" % (k.replace("_", ":"), quoteattr(v)) for k, v in attributes.items() if v))

    def open(self, **attributes):
        self.reader = Reader()
        self.send(self.header(**attributes))
        self.features = self.next()
        assert self.features.tag == q(NS_STREAM, "features"), self.features.tag
        return self.features

    def wait_archived(self, count):
        """Until so many messages are in the user's archive: nothing else tells a client without stream management that they are stored."""
        deadline = time.monotonic() + self.timeout
        while True:
            fin = self.iq("set", "<query xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'><max>0</max></set></query>")
            if int(next(fin.iter("{http://jabber.org/protocol/rsm}count")).text) >= count:
                return
            assert time.monotonic() < deadline, "not stored"

    def close(self):
        """A polite goodbye: </stream:stream> both ways."""
        try:
            self.send("</stream:stream>")
            while not self.reader.ended:
                self.receive(self.timeout)
        except (Closed, OSError):
            pass
        finally:
            self.sock.close()

    def abort(self):
        """Vanish without a word."""
        self.sock.close()

    def ended_by(self, condition):
        """The stream ends with this stream error and the connection closes."""
        try:
            while True:
                self.next()
        except StreamError as error:
            assert error.condition == condition, str(error)
        try:
            while True:
                self.next()
        except Closed:
            self.sock.close()

    def wrap_tls(self, alpn=None, context=None):
        if context is None:
            context = ssl.create_default_context(cafile=self.flock.ca(self.host))
        if alpn:
            context.set_alpn_protocols(alpn)
        self.sock = context.wrap_socket(self.sock, server_hostname=self.host)
        self.tls = True

    def starttls(self, context=None):
        self.send("<starttls xmlns='%s'/>" % NS_TLS)
        answer = self.next()
        assert answer.tag == q(NS_TLS, "proceed"), answer.tag
        self.wrap_tls(context=context)

    def mechanisms(self):
        return [m.text for m in self.features.iter(q(NS_SASL, "mechanism"))]

    def end_point(self):
        return hashlib.sha256(self.sock.getpeercert(binary_form=True)).digest()

    def sasl(self, mechanism, user, password, **options):
        """The whole exchange. Returns the last element: success or failure."""
        if mechanism == "PLAIN":
            messages = iter([("\0%s\0%s" % (user, password)).encode()])
        else:
            messages = scram_client(mechanism, user, password, **options)
        first = base64.b64encode(next(messages)).decode() or "="
        self.send("<auth xmlns='%s' mechanism='%s'>%s</auth>" % (NS_SASL, mechanism, first))
        answer = self.next()
        while local(answer) == "challenge":
            reply = messages.send(base64.b64decode(answer.text or ""))
            self.send("<response xmlns='%s'>%s</response>" % (NS_SASL, base64.b64encode(reply).decode()))
            answer = self.next()
        if local(answer) == "success" and mechanism != "PLAIN":
            messages.send(base64.b64decode(answer.text or ""))
        return answer

    def bind(self, resource=None):
        child = "<resource>%s</resource>" % escape(resource) if resource else ""
        answer = self.iq("set", "<bind xmlns='%s'>%s</bind>" % (NS_BIND, child))
        assert answer.get("type") == "result", ET.tostring(answer)
        self.jid = answer.find("%s/%s" % (q(NS_BIND, "bind"), q(NS_BIND, "jid"))).text
        return self.jid

    def secure(self):
        self.open()
        if not self.tls:
            self.starttls()
            self.open()
        return self

    def login(self, user, password, resource=None, mechanism="SCRAM-SHA-256"):
        self.secure()
        answer = self.sasl(mechanism, user, password)
        assert local(answer) == "success", ET.tostring(answer)
        self.open()
        self.bind(resource)
        return self

    @property
    def bare(self):
        return self.jid.split("/")[0]

    # --- stanzas ------------------------------------------------------------------------------------------------------

    def new_id(self):
        self.count += 1
        return "t%d" % self.count

    def iq(self, kind, child, to=None, timeout=None):
        """Sends an IQ and returns its answer. What came before the answer is in its attribute `skipped` and stays to be read."""
        stanza_id = self.new_id()
        self.send("<iq type='%s' id='%s'%s>%s</iq>" % (kind, stanza_id, " to=%s" % quoteattr(to) if to else "", child))
        answer = self.wait(lambda e: local(e) == "iq" and e.get("id") == stanza_id and e.get("type") in ("result", "error"), timeout)
        return Answer(answer, list(self.reader.elements))

    def presence(self, content="", **attributes):
        self.send("<presence%s>%s</presence>" % ("".join(" %s=%s" % (k, quoteattr(v)) for k, v in attributes.items()), content))

    def online(self, priority=None):
        """Initial presence, and its own copy back."""
        self.presence("<priority>%d</priority>" % priority if priority is not None else "")
        self.wait(lambda e: local(e) == "presence" and e.get("from") == self.jid)
        return self

    def message(self, to, body, kind="chat", extra="", **attributes):
        attributes = {"to": to, "type": kind, "id": self.new_id(), **attributes}
        self.send("<message%s><body>%s</body>%s</message>" % (
            "".join(" %s=%s" % (k, quoteattr(v)) for k, v in attributes.items() if v), escape(body), extra))
        return attributes["id"]

    def wait_message(self, body=None, timeout=None):
        return self.wait(lambda e: local(e) == "message" and (body is None or e.findtext(q(NS_CLIENT, "body")) == body), timeout)

    def wait_presence(self, sender=None, kind=None, timeout=None):
        """kind None: available. sender: full or bare JID."""
        return self.wait(lambda e: local(e) == "presence" and e.get("type") == kind and (
            sender is None or e.get("from") == sender or e.get("from", "").split("/")[0] == sender), timeout)

    def wait_push(self, jid=None, timeout=None):
        """A roster push; answers it and returns its item."""
        push = self.wait(lambda e: local(e) == "iq" and e.get("type") == "set" and e.find(q(NS_ROSTER, "query")) is not None and (
            jid is None or e.find("%s/%s" % (q(NS_ROSTER, "query"), q(NS_ROSTER, "item"))).get("jid") == jid), timeout)
        self.send("<iq type='result' id=%s/>" % quoteattr(push.get("id")))
        return push.find("%s/%s" % (q(NS_ROSTER, "query"), q(NS_ROSTER, "item")))

    def roster(self, ver=None):
        """The answer to a roster get as {jid: item}; None when the server says that nothing changed."""
        answer = self.iq("get", "<query xmlns='%s'%s/>" % (NS_ROSTER, "" if ver is None else " ver=%s" % quoteattr(ver)))
        assert answer.get("type") == "result", answer
        query = answer.find(q(NS_ROSTER, "query"))
        return None if query is None else {i.get("jid"): i for i in query}


class Answer:
    """An element with what came before it."""

    def __init__(self, element, skipped):
        self.element, self.skipped = element, skipped

    def __getattr__(self, name):
        return getattr(self.element, name)

    def __iter__(self):
        return iter(self.element)

    def __repr__(self):
        return ET.tostring(self.element, encoding="unicode")


def error_of(stanza):
    """(condition, type) of an error stanza."""
    assert stanza.get("type") == "error", ET.tostring(getattr(stanza, "element", stanza), encoding="unicode")
    error = stanza.find(q(NS_CLIENT, "error"))
    return local(next(c for c in error if c.tag.startswith("{%s}" % NS_STANZA_ERROR) and local(c) != "text")), error.get("type")


def befriend(a, b):
    """Mutual subscription of two online clients."""
    a.presence(to=b.bare, type="subscribe")
    b.wait_presence(a.bare, "subscribe")
    b.presence(to=a.bare, type="subscribed")
    b.presence(to=a.bare, type="subscribe")
    a.wait_presence(b.bare, "subscribe")
    a.presence(to=b.bare, type="subscribed")
    a.wait(lambda e: local(e) == "presence" and e.get("from") == b.jid and e.get("type") is None)
    b.wait(lambda e: local(e) == "presence" and e.get("from") == a.jid and e.get("type") is None)
