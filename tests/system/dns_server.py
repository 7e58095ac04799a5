# SPDX-License-Identifier: Apache-2.0
"""A small authoritative DNS server, UDP and TCP on one port of 127.0.0.1, that misbehaves on demand.

    with DnsServer({("_xmpp-server._tcp.example.org", "SRV"): [(10, 5, 5269, "xmpp.example.org")],
                    ("xmpp.example.org", "A"): ["127.0.0.2"],
                    ("www.example.org", "CNAME"): ["xmpp.example.org"]}) as dns:
        dns.manners["xmpp.example.org"] = "silent"
        ... dns.address ...        # "127.0.0.1:PORT", what daemons take as a DNS server

Records may be changed at any time; dns.asked lists (name, type, "udp" or "tcp") of each question. Every record has the same TTL. A name without
records is NXDOMAIN, one with other types only gets an empty answer, both with an SOA.

Manners, by name or, under "*", for all others:
    silent      no answer                         servfail, refused    that code
    truncated   TC by UDP, whole by TCP           wrong-id             an answer to nobody's question
    malformed   an answer of rubbish              huge                 as many SRV records as 64 KiB hold, by TCP
"""
import selectors
import socket
import struct
import threading

TYPES = {"A": 1, "CNAME": 5, "SOA": 6, "AAAA": 28, "SRV": 33}
NAMES = {number: name for name, number in TYPES.items()}
MANNERS = ("silent", "servfail", "refused", "truncated", "wrong-id", "malformed", "huge")
NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5
AUTHORITATIVE = 0x8580  # an answer, AA, RD, RA
TRUNCATED = 0x0200
ALIASES_MAX = 16


def encode_name(name):
    return b"".join(bytes([len(label)]) + label.encode("ascii") for label in name.split(".") if label) + b"\0"


def encode_data(kind, data):
    if kind == "A":
        return socket.inet_pton(socket.AF_INET, data)
    if kind == "AAAA":
        return socket.inet_pton(socket.AF_INET6, data)
    if kind == "SRV":
        return struct.pack("!3H", *data[:3]) + encode_name(data[3])
    if kind == "SOA":
        return encode_name("ns.invalid") + encode_name("admin.invalid") + struct.pack("!5I", 1, 60, 60, 60, data)
    return encode_name(data)


def encode_record(owner, kind, ttl, data):
    body = encode_data(kind, data)
    return encode_name(owner) + struct.pack("!HHIH", TYPES[kind], 1, ttl, len(body)) + body


def decode_question(query):
    """(name, type, the question's bytes); names in questions are not compressed."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode("ascii").lower())
        at += 1 + query[at]
    return ".".join(labels), struct.unpack_from("!H", query, at + 1)[0], query[12:at + 5]


class DnsServer:
    def __init__(self, records=None, ttl=60, port=0):
        self.records = {} if records is None else records
        self.ttl = ttl
        self.manners = {}
        self.asked = []
        self.tcp, self.udp = self._bind(port)
        self.port = self.udp.getsockname()[1]
        self.address = "127.0.0.1:%d" % self.port
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="dns", daemon=True)
        self._thread.start()

    @staticmethod
    def _bind(port):
        """A port that is free for both."""
        for attempt in range(20):
            tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", tcp.getsockname()[1]))
                tcp.listen(16)
                return tcp, udp
            except OSError:
                tcp.close()
                udp.close()
                if port or attempt == 19:
                    raise
        raise AssertionError("not reached")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._wake.close()
        self._thread.join()

    # --- answers -------------------------------------------------------------------------------------------------------

    def _message(self, query, question, code=NOERROR, answers=(), authorities=(), flags=0):
        header = query[:2] + struct.pack("!5H", AUTHORITATIVE | flags | code, 1, len(answers), len(authorities), 0)
        return header + question + b"".join(answers) + b"".join(authorities)

    def _well(self, query, question, name, kind):
        answers, owner, found = [], name, False
        for _ in range(ALIASES_MAX):
            data = self.records.get((owner, kind), [])
            answers += [encode_record(owner, kind, self.ttl, one) for one in data]
            alias = self.records.get((owner, "CNAME"), [])
            found = bool(data)
            if data or not alias:
                break
            answers.append(encode_record(owner, "CNAME", self.ttl, alias[0]))
            owner = alias[0]
        exists = any(record[0] == owner for record in self.records)
        soa = [] if found else [encode_record(".", "SOA", self.ttl, self.ttl)]
        return self._message(query, question, NOERROR if exists else NXDOMAIN, answers, soa)

    def _huge(self, query, question, name):
        one = [encode_record(name, "SRV", self.ttl, (i, 0, 5269, "h%d.invalid" % i)) for i in range(3000)]
        size, n = 600, 0
        while n < len(one) and size + len(one[n]) < 65535:
            size += len(one[n])
            n += 1
        return self._message(query, question, NOERROR, one[:n])

    def answer(self, query, transport):
        """Bytes, or None for silence."""
        name, number, question = decode_question(query)
        kind = NAMES.get(number, str(number))
        self.asked.append((name, kind, transport))
        manner = self.manners.get(name, self.manners.get("*"))
        assert manner is None or manner in MANNERS, manner
        if manner == "silent":
            return None
        if manner in ("servfail", "refused"):
            return self._message(query, question, SERVFAIL if manner == "servfail" else REFUSED)
        if manner in ("truncated", "huge") and transport == "udp":
            return self._message(query, question, flags=TRUNCATED)
        if manner == "huge":
            return self._huge(query, question, name)
        if manner == "malformed":
            return self._message(query, question, answers=[b"\xff" * 9])
        well = self._well(query, question, name, kind)
        return bytes([well[0] ^ 1]) + well[1:] if manner == "wrong-id" else well

    # --- sockets -------------------------------------------------------------------------------------------------------

    def _on_udp(self):
        query, peer = self.udp.recvfrom(4096)
        reply = self.answer(query, "udp") if len(query) > 16 else None
        if reply is not None:
            self.udp.sendto(reply, peer)

    def _on_tcp(self, connection, pending):
        """False: the connection is over."""
        try:
            data = connection.recv(4096)
            pending += data
            while len(pending) >= 2 and len(pending) >= 2 + struct.unpack_from("!H", pending)[0]:
                size = 2 + struct.unpack_from("!H", pending)[0]
                reply = self.answer(bytes(pending[2:size]), "tcp")
                del pending[:size]
                if reply is not None:
                    connection.sendall(struct.pack("!H", len(reply)) + reply)
        except OSError:
            return False
        return bool(data)

    def _run(self):
        with selectors.DefaultSelector() as selector:
            for s in (self.udp, self.tcp, self._woken):
                selector.register(s, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self._woken:
                        for open_socket in [k.fileobj for k in selector.get_map().values()]:
                            open_socket.close()
                        return
                    if key.fileobj is self.udp:
                        self._on_udp()
                    elif key.fileobj is self.tcp:
                        selector.register(self.tcp.accept()[0], selectors.EVENT_READ, bytearray())
                    elif not self._on_tcp(key.fileobj, key.data):
                        selector.unregister(key.fileobj)
                        key.fileobj.close()
