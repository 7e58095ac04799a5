# SPDX-License-Identifier: Apache-2.0
"""Servers of a few lines that do what real ones should not: Origin connects to the flock and says whatever a test wants; FakeServer is what the flock finds
in the DNS, as receiving and as authoritative server (XEP-0220)."""
import base64
import contextlib
import os
import queue
import select
import socket
import ssl
import sys
import threading
import xml.etree.ElementTree as ET
from xml.sax.saxutils import quoteattr

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))

from peers import announce  # noqa: E402
from xmpp import NS_SASL, NS_STREAM, NS_TLS, Client, Closed, Reader, StreamError, local, q  # noqa: E402

NS_SERVER = "jabber:server"
NS_DIALBACK = "jabber:server:dialback"
NS_DB_OFFER = "urn:xmpp:features:dialback"
NS_SM = "urn:xmpp:sm:3"
NS_STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"
DIALBACK_OFFER = "<dialback xmlns='%s'><errors/></dialback>" % NS_DB_OFFER
EXTERNAL_OFFER = "<mechanisms xmlns='%s'><mechanism>EXTERNAL</mechanism></mechanisms>" % NS_SASL
SM_OFFER = "<sm xmlns='%s'/>" % NS_SM
STARTTLS_OFFER = "<starttls xmlns='%s'><required/></starttls>" % NS_TLS


def message(sender, to, body):
    return "<message from=%s to=%s type='chat' id='m1'><body>%s</body></message>" % (quoteattr(sender), quoteattr(to), body)


def element(kind, sender, to, content="", **attributes):
    """db:result or db:verify."""
    more = "".join(" %s=%s" % (k, quoteattr(v)) for k, v in attributes.items())
    return "<db:%s from=%s to=%s%s>%s</db:%s>" % (kind, quoteattr(sender), quoteattr(to), more, content, kind)


def db_error(e):
    """The condition in a db:result of type error."""
    assert e.get("type") == "error", ET.tostring(e)
    return next(local(c) for c in e.iter() if c.tag.startswith("{%s}" % NS_STANZAS))


class Stream(Client):
    """One end of a stream between servers, on a socket that is connected."""

    def __init__(self, sock, name, other, timeout=20):
        self.sock, self.name, self.host, self.timeout = sock, name, other, timeout
        self.inflate = self.deflate = self.features = None
        self.tls, self.count, self.reader, self.lock = False, 0, Reader(), threading.Lock()

    def send(self, data):
        with self.lock:
            self.sock.settimeout(self.timeout)
            super().send(data)

    def receive(self, timeout):
        """Never within OpenSSL for long: a test may send while the server's thread reads, and a TLS connection is not made for two at a time."""
        if not (self.tls and self.sock.pending()) and not select.select([self.sock], [], [], max(timeout, 0))[0]:
            raise socket.timeout
        with self.lock:
            try:
                super().receive(0.001)
            except ssl.SSLWantReadError:
                raise socket.timeout from None
            finally:
                self.sock.settimeout(self.timeout)

    def header(self, to=None, **attributes):
        attributes = {"from": self.name, "to": self.host if to is None else to, "version": "1.0", **attributes}
        return "<?xml version='1.0'?><stream:stream xmlns='%s' xmlns:db='%s' xmlns:stream='%s' %s>" % (
            NS_SERVER, NS_DIALBACK, NS_STREAM, " ".join("%s=%s" % (k, quoteattr(v)) for k, v in attributes.items() if v))

    def cut(self):
        """The connection ends, without a word. Not SSLSocket.shutdown: it would have the server's thread read what is left as if it were plain text."""
        socket.socket.shutdown(self.sock, socket.SHUT_RDWR)

    id = property(lambda self: self.reader.header.get("id"))

    def offers(self):
        return sorted(local(f) for f in self.features)

    def wait_named(self, name, timeout=None):
        return self.wait(lambda e: local(e) == name, timeout)

    def closed(self):
        """The other end closes without a stream error."""
        with contextlib.suppress(Closed):
            while True:
                self.next()
        self.sock.close()


class Origin(Stream):
    """Connects to a Starling as the server of `name`."""

    def __init__(self, starling, name, to=None):
        super().__init__(socket.create_connection(("127.0.0.1", starling.s2s_port), 20), name, to or starling.domain)

    def secure(self, certificate=None):
        """Opened, TLS with that certificate or none, opened again."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if certificate:
            context.load_cert_chain(*certificate)
        self.open()
        self.starttls(context)
        self.open()
        return self

    def external(self, authzid=None):
        """The last element of the exchange."""
        text = base64.b64encode(authzid.encode()).decode() if authzid else "="
        self.send("<auth xmlns='%s' mechanism='EXTERNAL'>%s</auth>" % (NS_SASL, text))
        return self.next()

    def proved(self, certificate):
        """By certificate, and ready for stanzas."""
        self.secure(certificate)
        answer = self.external()
        assert local(answer) == "success", ET.tostring(answer)
        self.open()
        return self

    def dialback(self, key="key", sender=None, to=None):
        """The answer to a key."""
        self.send(element("result", sender or self.name, to or self.host, key))
        return self.wait_named("result")


class FakeServer:
    """The server of `domain`. What it does on an element is in `on`: {name: function(stream, element)}; these here are polite.

    early: features before TLS; offer: after it. got: all stanzas; errors: stream errors that the flock sent."""

    def __init__(self, domain, dns, certificate, early=STARTTLS_OFFER, offer=EXTERNAL_OFFER + DIALBACK_OFFER + SM_OFFER, verdict="valid", on=None):
        self.domain, self.dns, self.certificate, self.early, self.offer, self.verdict = domain, dns, certificate, early, offer, verdict
        self.polite = {"header": self.headed, "starttls": self.starttls, "auth": self.auth, "result": self.result, "verify": self.verify, "enable": self.enable,
                   "r": self.request, "message": self.stanza, "presence": self.stanza, "iq": self.stanza}
        self.on = {**self.polite, **(on or {})}
        self.got, self.errors, self.verified = queue.Queue(), queue.Queue(), queue.Queue()
        self.connections, self.failed, self.streams, self.threads = 0, [], [], []
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(16)
        self.port = self.listener.getsockname()[1]
        announce(dns, domain, self.port)
        self.start(self.accept)

    def start(self, what, *args):
        thread = threading.Thread(target=what, args=args, daemon=True)
        self.threads.append(thread)
        thread.start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock = self.listener.accept()[0]
                self.connections += 1
                stream = Stream(sock, self.domain, None, timeout=60)
                stream.handled = 0
                self.streams.append(stream)
                self.start(self.serve, stream, self.on)

    def serve(self, stream, on):
        try:
            while True:
                while stream.reader.header is None:
                    stream.receive(60)
                on["header"](stream, stream.reader.header)
                reader = stream.reader
                while stream.reader is reader:
                    e = stream.next()
                    if local(e) in on:
                        on[local(e)](stream, e)
        except StreamError as error:
            self.errors.put(error.condition)
        except (Closed, OSError, AssertionError):
            pass
        except Exception as error:  # pylint: disable=broad-except
            self.failed.append(repr(error))
        with contextlib.suppress(OSError):
            stream.sock.close()

    # --- manners -------------------------------------------------------------------------------------------------------

    def headed(self, stream, header):
        stream.host = header.get("from")
        stream.own_id = base64.b16encode(os.urandom(8)).decode()
        stream.send(stream.header(id=stream.own_id))
        stream.send("<stream:features>%s</stream:features>" % (self.offer if stream.tls or not self.early else self.early))

    def starttls(self, stream, _):
        stream.send("<proceed xmlns='%s'/>" % NS_TLS)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.certificate)
        stream.sock.settimeout(20)
        stream.sock = context.wrap_socket(stream.sock, server_side=True)
        stream.tls, stream.reader = True, Reader()

    @staticmethod
    def auth(stream, _):
        stream.send("<success xmlns='%s'/>" % NS_SASL)
        stream.reader = Reader()

    @staticmethod
    def result(stream, e):
        stream.send(element("result", e.get("to"), e.get("from"), type="valid"))

    def verify(self, stream, e):
        self.verified.put(e)
        stream.send(element("verify", e.get("to"), e.get("from"), id=e.get("id"), type=self.verdict))

    @staticmethod
    def enable(stream, _):
        stream.send("<enabled xmlns='%s'/>" % NS_SM)

    @staticmethod
    def request(stream, _):
        stream.send("<a xmlns='%s' h='%d'/>" % (NS_SM, stream.handled))

    def stanza(self, stream, e):
        stream.handled += 1
        self.got.put(e)

    # --- for tests -----------------------------------------------------------------------------------------------------

    def mend(self):
        """To those who connect from now on it is polite; a stream that is open goes on as it began."""
        self.early, self.offer, self.on = STARTTLS_OFFER, EXTERNAL_OFFER + DIALBACK_OFFER + SM_OFFER, self.polite

    def move(self, port):
        announce(self.dns, self.domain, port)

    def wait_message(self, body, seconds=20):
        while True:
            e = self.got.get(timeout=seconds)
            if local(e) == "message" and e.findtext(q(NS_SERVER, "body")) == body:
                return e

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for stream in self.streams:
            with contextlib.suppress(OSError):
                stream.cut()
        assert not self.failed, self.failed
