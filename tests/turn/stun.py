# SPDX-License-Identifier: Apache-2.0
"""STUN and TURN messages made by hand, right and wrong ones, and a client that speaks them over UDP, TCP or TLS."""
import base64
import contextlib
import hashlib
import hmac
import ipaddress
import os
import socket
import ssl
import struct
import time
import zlib

COOKIE = 0x2112A442
BINDING, ALLOCATE, REFRESH, SEND, DATA, CREATE_PERMISSION, CHANNEL_BIND = 1, 3, 4, 6, 7, 8, 9
REQUEST, INDICATION, SUCCESS, ERROR = 0x000, 0x010, 0x100, 0x110

MAPPED_ADDRESS, CHANGE_REQUEST, USERNAME, MESSAGE_INTEGRITY, ERROR_CODE, UNKNOWN_ATTRIBUTES = 1, 3, 6, 8, 9, 0xA
CHANNEL_NUMBER, LIFETIME, XOR_PEER_ADDRESS, DATA_ATTR, REALM, NONCE, XOR_RELAYED_ADDRESS = 0xC, 0xD, 0x12, 0x13, 0x14, 0x15, 0x16
REQUESTED_FAMILY, EVEN_PORT, REQUESTED_TRANSPORT, DONT_FRAGMENT = 0x17, 0x18, 0x19, 0x1A
INTEGRITY_SHA256, PASSWORD_ALGORITHM, USERHASH, XOR_MAPPED_ADDRESS, RESERVATION_TOKEN = 0x1C, 0x1D, 0x1E, 0x20, 0x22
PADDING, RESPONSE_PORT, ADDITIONAL_FAMILY, ADDRESS_ERROR_CODE, PASSWORD_ALGORITHMS, ICMP = 0x26, 0x27, 0x8000, 0x8001, 0x8002, 0x8004
ALTERNATE_SERVER, FINGERPRINT, RESPONSE_ORIGIN, OTHER_ADDRESS = 0x8023, 0x8028, 0x802B, 0x802C
UDP = b"\x11\0\0\0"
OFFERED = bytes.fromhex("0002000000010000")


def attr(kind, value=b""):
    return struct.pack(">HH", kind, len(value)) + value + b"\0" * (-len(value) % 4)


def u32(kind, value):
    return attr(kind, struct.pack(">I", value))


def header(kind, length, tid):
    return struct.pack(">HHI", kind, length, COOKIE) + tid


def message(kind, body, tid):
    return header(kind, len(body), tid) + body


def xor_address(address, port, tid):
    ip = ipaddress.ip_address(address).packed
    mask = struct.pack(">I", COOKIE) + tid
    return struct.pack(">BBH", 0, 1 if len(ip) == 4 else 2, port ^ COOKIE >> 16) + bytes(a ^ b for a, b in zip(ip, mask))


def read_address(value, tid=None):
    """(address, port); tid: of the message, where the value is XORed."""
    mask = struct.pack(">I", COOKIE) + tid if tid else b"\0" * 16
    port = struct.unpack(">H", value[2:4])[0] ^ struct.unpack(">H", mask[:2])[0]
    return str(ipaddress.ip_address(bytes(a ^ b for a, b in zip(value[4:], mask)))), port


def sign(data, key, sha256=False):
    """The message with its integrity behind it."""
    size = 32 if sha256 else 20
    data = data[:2] + struct.pack(">H", len(data) - 20 + 4 + size) + data[4:]
    mac = hmac.new(key, data, hashlib.sha256 if sha256 else hashlib.sha1).digest()
    return data + struct.pack(">HH", INTEGRITY_SHA256 if sha256 else MESSAGE_INTEGRITY, size) + mac


def fingerprint(data):
    data = data[:2] + struct.pack(">H", len(data) - 20 + 8) + data[4:]
    return data + struct.pack(">HHI", FINGERPRINT, 4, zlib.crc32(data) ^ 0x5354554E)


class Message:
    def __init__(self, data):
        self.data = data
        self.kind, length, cookie = struct.unpack(">HHI", data[:8])
        assert cookie == COOKIE and length == len(data) - 20 and length % 4 == 0
        self.tid = data[8:20]
        self.method, self.cls = self.kind & ~0x110, self.kind & 0x110
        self.attrs, self.places, at = [], {}, 20
        while at < len(data):
            kind, n = struct.unpack(">HH", data[at:at + 4])
            self.places.setdefault(kind, at)
            self.attrs.append((kind, data[at + 4:at + 4 + n]))
            at += 4 + n + -n % 4
        assert at == len(data)

    def __contains__(self, kind):
        return kind in self.places

    def get(self, kind):
        return next((v for k, v in self.attrs if k == kind), None)

    def all(self, kind):
        return [v for k, v in self.attrs if k == kind]

    @property
    def code(self):
        value = self.get(ERROR_CODE)
        return value[2] * 100 + value[3] if value else 0

    def address(self, kind):
        return read_address(self.get(kind), self.tid)

    def plain_address(self, kind):
        return read_address(self.get(kind))

    @property
    def lifetime(self):
        return struct.unpack(">I", self.get(LIFETIME))[0]

    def signed_by(self, key, sha256=False):
        place = self.places.get(INTEGRITY_SHA256 if sha256 else MESSAGE_INTEGRITY)
        return place is not None and sign(self.data[:place], key, sha256)[:place + (36 if sha256 else 24)][4:] == self.data[4:place + (36 if sha256 else 24)] \
            if place is not None and len(self.data) == place + (36 if sha256 else 24) else False


def rest_credentials(secret, name, life=3600):
    user = "%d:%s" % (time.time() + life, name)
    return user, base64.b64encode(hmac.new(secret.encode(), user.encode(), hashlib.sha1).digest()).decode()


class Transport:
    """Messages and ChannelData over one socket."""

    def __init__(self, server, port, kind="udp", local=None, timeout=5):
        family = socket.AF_INET6 if ":" in server else socket.AF_INET
        self.kind, self.buffer = kind, b""
        if kind == "udp":
            self.sock = socket.socket(family, socket.SOCK_DGRAM)
            if local:
                self.sock.bind((local, 0))
            self.sock.connect((server, port))
        else:
            self.sock = socket.create_connection((server, port), timeout, (local, 0) if local else None)
            if kind == "tls":
                context = ssl.create_default_context()
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                context.set_alpn_protocols(["stun.turn"])
                self.sock = context.wrap_socket(self.sock)
        self.sock.settimeout(timeout)
        self.name = self.sock.getsockname()[:2]

    def close(self):
        self.sock.close()

    def send(self, data):
        if self.kind == "udp":
            self.sock.send(data)
        else:
            self.sock.sendall(data + b"\0" * (-len(data) % 4))

    def receive(self, timeout=None):
        """One message, or ChannelData without padding. None: the other side closed. TimeoutError: nothing came."""
        if timeout is not None:
            self.sock.settimeout(timeout)
        if self.kind == "udp":
            data = self.sock.recv(65536)
            return data
        while True:
            if len(self.buffer) >= 4:
                kind, n = struct.unpack(">HH", self.buffer[:4])
                size = 20 + n if kind < 0x4000 else 4 + n + -n % 4
                if len(self.buffer) >= size:
                    frame, self.buffer = self.buffer[:size], self.buffer[size:]
                    return frame if kind < 0x4000 else frame[:4 + n]
            more = self.sock.recv(65536)
            if not more:
                return None
            self.buffer += more

    def silent(self, seconds=0.3):
        """Does nothing come? (The answer to a Binding request that follows shows that what was sent has been looked at.)"""
        tid = os.urandom(12)
        self.send(message(BINDING, b"", tid))
        while True:
            got = self.receive()
            if got[8:20] == tid:
                return True
            return False


class Client:
    """A TURN client. secret: of the shared-secret scheme; or user and password."""

    def __init__(self, relay, kind="udp", name="romeo@turn.test", user=None, password=None, sha256=False, local=None, server=None):
        self.relay, self.sha256 = relay, sha256
        port = relay.tls_port if kind == "tls" else relay.port
        self.t = Transport(server or relay.address, port, kind, local)
        self.user, self.password = (user, password) if user else rest_credentials(relay.secret, name)
        self.realm = self.nonce = None
        self.relayed = []

    def close(self):
        """Ends the allocation, if the relay still answers."""
        if self.relayed and self.t.kind == "udp":
            with contextlib.suppress(OSError, AssertionError):
                self.t.sock.settimeout(1)
                self.refresh(0)
        self.t.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def key(self):
        text = ("%s:%s:%s" % (self.user, self.realm, self.password)).encode()
        return hashlib.sha256(text).digest() if self.sha256 else hashlib.md5(text).digest()

    def credentials(self):
        body = attr(USERNAME, self.user.encode()) + attr(REALM, self.realm.encode()) + attr(NONCE, self.nonce)
        if self.sha256:
            body += attr(PASSWORD_ALGORITHMS, OFFERED) + attr(PASSWORD_ALGORITHM, b"\0\x02\0\0")
        return body

    def exchange(self, data, timeout=5):
        """Sends a request; the answer to it, whatever else comes meanwhile being left out."""
        self.t.send(data)
        while True:
            got = self.t.receive(timeout)
            assert got is not None, "closed"
            if got[8:20] == data[8:20] and got[0] < 4:
                return Message(got)

    def challenge(self):
        """What a bare Allocate is answered with."""
        answer = self.exchange(message(ALLOCATE, attr(REQUESTED_TRANSPORT, UDP), os.urandom(12)))
        assert answer.code == 401
        self.realm, self.nonce = answer.get(REALM).decode(), answer.get(NONCE)
        return answer

    def signed(self, method, body=b"", tid=None):
        tid = tid or os.urandom(12)
        return sign(message(method, body + self.credentials(), tid), self.key, self.sha256)

    def ask(self, method, body=b"", tid=None):
        if not self.nonce:
            self.challenge()
        answer = self.exchange(self.signed(method, body, tid))
        if answer.code == 438:
            self.nonce = answer.get(NONCE)
            answer = self.exchange(self.signed(method, body))
        return answer

    def allocate(self, *attrs, transport=UDP):
        answer = self.ask(ALLOCATE, attr(REQUESTED_TRANSPORT, transport) + b"".join(attrs))
        if answer.cls == SUCCESS:
            self.relayed = [read_address(v, answer.tid) for v in answer.all(XOR_RELAYED_ADDRESS)]
        return answer

    def refresh(self, lifetime=None, *attrs):
        return self.ask(REFRESH, (u32(LIFETIME, lifetime) if lifetime is not None else b"") + b"".join(attrs))

    def permit(self, *peers):
        tid = os.urandom(12)
        return self.ask_with(CREATE_PERMISSION, lambda t: b"".join(attr(XOR_PEER_ADDRESS, xor_address(a, p, t)) for a, p in peers), tid)

    def ask_with(self, method, make, tid=None):
        tid = tid or os.urandom(12)
        if not self.nonce:
            self.challenge()
        return self.exchange(self.signed(method, make(tid), tid))

    def bind(self, number, peer):
        return self.ask_with(CHANNEL_BIND, lambda t: attr(CHANNEL_NUMBER, struct.pack(">HH", number, 0)) + attr(XOR_PEER_ADDRESS, xor_address(*peer, t)))

    def send_to(self, peer, data, *attrs):
        tid = os.urandom(12)
        self.t.send(message(SEND | INDICATION, attr(XOR_PEER_ADDRESS, xor_address(*peer, tid)) + b"".join(attrs) + attr(DATA_ATTR, data), tid))

    def channel(self, number, data):
        self.t.send(struct.pack(">HH", number, len(data)) + data)

    def receive_data(self, timeout=5):
        """(peer or channel number, data) of the next ChannelData or Data indication; the Message of one with ICMP."""
        got = self.t.receive(timeout)
        if got[0] >= 0x40:
            channel, n = struct.unpack(">HH", got[:4])
            assert n == len(got) - 4
            return channel, got[4:]
        m = Message(got)
        assert m.kind == DATA | INDICATION
        return (m.address(XOR_PEER_ADDRESS), m.get(DATA_ATTR)) if DATA_ATTR in m else m


class Peer:
    """A UDP socket as a peer has one."""

    def __init__(self, address="127.0.0.1", timeout=5):
        self.sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((address, 0))
        self.sock.settimeout(timeout)
        self.name = self.sock.getsockname()[:2]

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def receive(self, timeout=5):
        self.sock.settimeout(timeout)
        data, where = self.sock.recvfrom(65536)
        return data, where[:2]

    def send(self, data, to):
        self.sock.sendto(data, to)

    def silent(self):
        """Nothing has come, and nothing is on the way: loopback delivers at once."""
        try:
            self.receive(0.05)
        except (TimeoutError, socket.timeout):
            return True
        return False
