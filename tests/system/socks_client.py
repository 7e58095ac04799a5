# SPDX-License-Identifier: Apache-2.0
"""A client of a bytestreams relay (XEP-0065) on a raw socket, so that a test can break any rule."""
import hashlib
import socket

NS_BYTESTREAMS = "http://jabber.org/protocol/bytestreams"
TIMEOUT = 20


def hash_of(sid, requester, target):
    return hashlib.sha1((sid + requester + target).encode()).hexdigest()


def request_of(name, command=1, port=0):
    return bytes([5, command, 0, 3, len(name)]) + name.encode() + port.to_bytes(2, "big")


class Socks:
    def __init__(self, place, source=None, buffer=None):
        self.sock = socket.socket()
        if buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
        if source:
            self.sock.bind((source, 0))
        self.sock.settimeout(TIMEOUT)
        self.sock.connect(place)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def read(self, n):
        """Exactly so many bytes; fewer at the end."""
        data = b""
        while len(data) < n:
            more = self.sock.recv(n - len(data))
            if not more:
                break
            data += more
        return data

    def greet(self):
        self.send(b"\x05\x01\x00")
        assert self.read(2) == b"\x05\x00"
        return self

    def ask(self, name, **options):
        """The code of the reply; its rest must repeat the request."""
        request = request_of(name, **options)
        self.send(request)
        reply = self.read(len(request))
        assert len(reply) == len(request) and reply[0] == 5 and reply[2:] == request[2:], reply
        return reply[1]

    def join(self, name):
        assert self.greet().ask(name) == 0
        return self

    def ended(self):
        """Nothing more comes, and the connection closes."""
        try:
            return self.sock.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.sock.close()
