# SPDX-License-Identifier: Apache-2.0
"""Packets as bytes, and a client that says and hears nothing else: what well-behaved libraries do not let a test do."""
import socket
import struct

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT, AUTH = range(1, 16)
TIMEOUT = 20


def varint(n):
    out = bytearray()
    while True:
        n, digit = n >> 7, n & 127
        out.append(digit | (128 if n else 0))
        if not n:
            return bytes(out)


def text(s):
    data = s.encode() if isinstance(s, str) else s
    return struct.pack(">H", len(data)) + data


def packet(kind, body=b"", flags=0):
    return bytes([kind << 4 | flags]) + varint(len(body)) + body


def props(data=b""):
    return varint(len(data)) + data


def connect(version=5, client="", user="romeo", password="secret", clean=True, keep_alive=0, properties=b"", will=None):
    """will: (topic, payload, qos, retain, properties)."""
    flags = (2 if clean else 0) | (0x80 if user is not None else 0) | (0x40 if password is not None else 0)
    if will:
        flags |= 4 | will[2] << 3 | (0x20 if will[3] else 0)
    body = text("MQIsdp" if version == 3 else "MQTT") + bytes([version, flags]) + struct.pack(">H", keep_alive)
    body += props(properties) if version == 5 else b""
    body += text(client)
    if will:
        body += (props(will[4]) if version == 5 else b"") + text(will[0]) + text(will[1])
    return packet(CONNECT, body + b"".join(text(s) for s in (user, password) if s is not None))


def publish(topic, payload=b"", qos=0, retain=False, dup=False, ident=1, version=5, properties=b""):
    body = text(topic) + (struct.pack(">H", ident) if qos else b"") + (props(properties) if version == 5 else b"") + payload
    return packet(PUBLISH, body, (8 if dup else 0) | qos << 1 | retain)


def subscribe(*filters, ident=1, version=5, properties=b""):
    """filters: (filter, options)."""
    body = struct.pack(">H", ident) + (props(properties) if version == 5 else b"")
    return packet(SUBSCRIBE, body + b"".join(text(f) + bytes([o]) for f, o in filters), 2)


def unsubscribe(*filters, ident=1, version=5):
    return packet(UNSUBSCRIBE, struct.pack(">H", ident) + (props() if version == 5 else b"") + b"".join(map(text, filters)), 2)


def ack(kind, ident, reason=None):
    return packet(kind, struct.pack(">H", ident) + (b"" if reason is None else bytes([reason])), 2 if kind == PUBREL else 0)


class Packet:
    """One that came. Of PUBLISH the parts are taken out."""

    def __init__(self, first, body, version):
        self.kind, self.flags, self.body = first >> 4, first & 15, body
        if self.kind == PUBLISH:
            self.qos, self.retain, self.dup = self.flags >> 1 & 3, bool(self.flags & 1), bool(self.flags & 8)
            n = struct.unpack(">H", body[:2])[0]
            self.topic, rest = body[2:2 + n].decode(), body[2 + n:]
            self.ident = struct.unpack(">H", rest[:2])[0] if self.qos else 0
            rest = rest[2:] if self.qos else rest
            if version == 5:
                size, shift, at = 0, 0, 0
                while True:
                    size |= (rest[at] & 127) << shift
                    at, shift = at + 1, shift + 7
                    if rest[at - 1] < 128:
                        break
                self.properties, rest = rest[at:at + size], rest[at + size:]
            self.payload = rest

    def __repr__(self):
        return "packet %d flags %d %r" % (self.kind, self.flags, self.body)


class Raw:
    def __init__(self, address, port):
        self.socket = socket.create_connection((address, port), timeout=TIMEOUT)
        self.version = 5
        self.buffer = b""

    def send(self, *packets):
        self.socket.sendall(b"".join(packets))

    def read(self, n):
        while len(self.buffer) < n:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError(self.buffer)
            self.buffer += data
        out, self.buffer = self.buffer[:n], self.buffer[n:]
        return out

    def next(self):
        first, size, shift = self.read(1)[0], 0, 0
        while True:
            digit = self.read(1)[0]
            size |= (digit & 127) << shift
            shift += 7
            if digit < 128:
                break
        return Packet(first, self.read(size), self.version)

    def expect(self, kind):
        p = self.next()
        assert p.kind == kind, p
        return p

    def connect(self, version=5, **options):
        """CONNACK's reason code."""
        self.version = version
        self.send(connect(version, **options))
        body = self.expect(CONNACK).body
        self.present = bool(body[0] & 1)
        return body[1]

    def live(self, version=5, **options):
        assert self.connect(version, **options) == 0
        return self

    def lasting(self, client, version=5, expiry=3600, properties=b"", **options):
        """With a session that is kept; .present says whether it was there."""
        if version == 5:
            properties += b"\x11" + struct.pack(">I", expiry)
        return self.live(version, client=client, clean=False, properties=properties, **options)

    def subscribed(self, *filters, **options):
        self.send(subscribe(*filters, version=self.version, **options))
        p = self.expect(SUBACK)
        return list(p.body[-len(filters):])

    def nothing_more(self):
        """All that was for it before has come: a ping is answered next."""
        self.send(packet(PINGREQ))
        self.expect(PINGRESP)

    def disconnected(self):
        """The reason code of DISCONNECT, which is the last thing that comes; None: the connection was closed without."""
        try:
            p = self.expect(DISCONNECT)
        except EOFError:
            return None
        try:
            p2 = self.next()
        except (EOFError, ConnectionResetError):
            return p.body[0] if p.body else 0
        raise AssertionError("behind DISCONNECT: %r" % p2)

    def close(self):
        """As a client that has gone away; its broker has noticed."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
            while self.socket.recv(65536):
                pass
        except OSError:
            pass
        self.socket.close()
