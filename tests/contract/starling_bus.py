# SPDX-License-Identifier: Apache-2.0
"""A client of the flock's bus in Python: join, call, serve, send events, credit. See ipc/README.md for the wire.

    with Bus("state folder", role="auth", name="auth-py") as bus:
        bus.serve("auth.Mechanisms", lambda request, call: auth_pb2.MechanismsReply(mechanisms=["PLAIN"]))
        bus.ready()
        bus.run()

One thread, one socket a router. `call` waits for its answer and keeps the flock alive meanwhile; calls that arrive during that time
are handled later, by `run`. Not made for speed.
"""
import collections
import glob
import os
import secrets
import socket as sockets
import struct
import subprocess
import sys
import time

import zmq
import zmq.utils.z85

REPO = os.environ.get("STARLING_REPO") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def generate():
    """Makes the Python stubs with protoc where they are missing or older than the contract."""
    out = os.environ.get("STARLING_PYTHON_STUBS") or os.path.join(os.environ.get("STARLING_BUILD") or os.path.join(REPO, "build"), "gen", "python")
    protos = sorted(glob.glob(os.path.join(REPO, "ipc/proto/*.proto")))
    stamp = os.path.join(out, "stamp")
    newest = max(os.path.getmtime(p) for p in protos)
    if not os.path.exists(stamp) or os.path.getmtime(stamp) < newest:
        os.makedirs(out, exist_ok=True)
        subprocess.run(["protoc", "-I" + REPO, "--python_out=" + out] + protos, check=True)
        with open(stamp, "w", encoding="ascii"):
            pass
    sys.path.insert(0, out)


generate()
from ipc.proto import (admin_pb2, auth_pb2, bus_pb2, edge_pb2, envelope_pb2, link_pb2, session_pb2, stanza_pb2,  # noqa: E402
                       storage_pb2, turn_pb2, types_pb2)
from google.protobuf.message_factory import MessageFactory  # noqa: E402

E = envelope_pb2
MODULES = (bus_pb2, admin_pb2, auth_pb2, storage_pb2, session_pb2, edge_pb2, stanza_pb2, link_pb2, turn_pb2)
WINDOW = 1024
Method = collections.namedtuple("Method", "number name request reply event")
Record = collections.namedtuple("Record", "envelope body payload")


def methods():
    """Every method of the contract, by name ("auth.Sasl") and by number."""
    table, factory = {}, MessageFactory()
    for module in MODULES:
        for service in module.DESCRIPTOR.services_by_name.values():
            interface = E.Interface.Value("INTERFACE_" + service.name.upper())
            for place, m in enumerate(service.methods, 1):
                method = Method(interface * 256 + place, service.name.lower() + "." + m.name, factory.GetPrototype(m.input_type),
                                factory.GetPrototype(m.output_type), m.output_type.full_name == "starling.Nothing")
                table[method.name] = table[method.number] = method
    return table


METHODS = methods()


class CallFailed(Exception):
    """A call that did not end with a reply."""

    def __init__(self, code, text=""):
        super().__init__(E.Code.Name(code)[5:] + (": " + text if text else ""))
        self.code, self.text, self.name = code, text, E.Code.Name(code)[5:]


# --- the wire ---------------------------------------------------------------------------------------------------------

def pack_frame(records):
    out = [b"S\x01"]
    for r in records:
        envelope = r.envelope if isinstance(r.envelope, bytes) else r.envelope.SerializeToString()
        out += [struct.pack("<III", len(envelope), len(r.body), len(r.payload)), envelope, r.body, r.payload]
    return b"".join(out)


def unpack_frame(frame):
    if frame[:2] != b"S\x01":
        raise ValueError("not a frame")
    at, records = 2, []
    while at < len(frame):
        e, b, p = struct.unpack_from("<III", frame, at)
        at += 12
        if at + e + b + p > len(frame):
            raise ValueError("record beyond the end")
        records.append(Record(E.Envelope.FromString(frame[at:at + e]), frame[at + e:at + e + b], frame[at + e + b:at + e + b + p]))
        at += e + b + p
    return records


def read_key(path):
    with open(path, encoding="ascii") as f:
        lines = dict(line.split() for line in f if line.strip() and not line.startswith("#"))
    return lines["public"].encode(), lines["secret"].encode()


def read_allow(path):
    with open(path, encoding="ascii") as f:
        return [tuple(line.split()[:2]) for line in f if line.strip() and not line.startswith("#")]


def endpoints(patterns):
    """tcp://NAME:PORT: every address of NAME; ipc://DIR/GLOB: every match."""
    found = []
    for pattern in patterns:
        if pattern.startswith("ipc://"):
            found += ["ipc://" + p for p in sorted(glob.glob(pattern[6:]))]
        else:
            host, port = pattern[6:].rsplit(":", 1)
            found += ["tcp://%s:%s" % (a[4][0], port) for a in sockets.getaddrinfo(host, port, sockets.AF_INET, sockets.SOCK_STREAM)]
    return found


# --- the bus ----------------------------------------------------------------------------------------------------------

class Link:
    def __init__(self, socket):
        self.socket, self.router, self.instances = socket, 0, {}


class Call:
    """What a handler learns beside the request."""

    def __init__(self, envelope, payload):
        self.envelope, self.payload, self.source, self.trace = envelope, payload, envelope.source, envelope.trace
        self.reply_payload = b""


class Bus:
    def __init__(self, state_dir, role, name=None, key=None, routers=None, instance=None, window=WINDOW, domains=()):
        self.registration = bus_pb2.Registration(instance=instance or secrets.randbits(63) + 1, role=role, name=name or role + "-py",
                                                 version="python", pid=os.getpid(), host=sockets.gethostname(), window=window, revision=1,
                                                 domains=domains)
        self.instance = self.registration.instance
        keys = os.path.join(state_dir, "keys")
        public, secret = self.key = key or read_key(os.path.join(keys, role + ".key"))
        server = next(k for r, k in read_allow(os.path.join(keys, "allow")) if r == "router").encode()
        self.zmq = zmq.Context()
        self.poller, self.links = zmq.Poller(), []
        self.handlers, self.inbox = {}, collections.deque()
        self.open, self.answers, self.next_call = {}, {}, 1
        self.outstanding, self.owed = collections.Counter(), collections.Counter()
        self.undeliverable, self.failures, self.turn, self.beat = [], [], 0, 0.0
        for endpoint in endpoints(routers or ["ipc://%s/run/router.*.ipc" % os.path.abspath(state_dir)]):
            s = self.zmq.socket(zmq.DEALER)
            s.routing_id = b"P" + secrets.token_bytes(12)
            s.linger, s.sndhwm, s.rcvhwm = 500, 0, 0
            s.curve_publickey, s.curve_secretkey, s.curve_serverkey = public, secret, server
            s.connect(endpoint)
            self.links.append(Link(s))
            self.poller.register(s, zmq.POLLIN)

    def __enter__(self):
        self.join()
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for link in self.links:
            if link.router:
                self.to_router(link, "bus.Leave", types_pb2.Empty())
            link.socket.close()
        self.zmq.term()

    # joining

    def join(self, timeout=5.0):
        """Joins every router; raises CallFailed(TIMEOUT) when none answers, or what a router says against it."""
        for link in self.links:
            self.to_router(link, "bus.Join", self.registration, E.KIND_CALL, 1)
        if not self.pump_until(lambda: self.failures or any(x.router and x.instances for x in self.links), timeout):
            raise CallFailed(E.CODE_TIMEOUT, "no router answers")
        if self.failures:
            raise self.failures.pop()

    def announce(self, **changes):
        """Changes the registration at every router."""
        for field, value in changes.items():
            setattr(self.registration, field, value)
        self.registration.revision += 1
        for link in self.links:
            self.to_router(link, "bus.Join", self.registration, E.KIND_CALL, 1)

    def ready(self):
        self.announce(state=bus_pb2.INSTANCE_READY)

    def instances(self, role=None):
        """Registrations by instance number, over all routers."""
        merged = {}
        for link in self.links:
            for i, r in link.instances.items():
                if (role is None or r.role == role) and (i not in merged or merged[i].revision < r.revision):
                    merged[i] = r
        return merged

    # sending

    def call(self, to, method, request, payload=b"", timeout=5.0, trace=0):
        """The reply; its payload is in self.payload. `to` is an instance number or a role. Raises CallFailed."""
        m, destination = METHODS[method], self.resolve(to)
        number, self.next_call = self.next_call, self.next_call + 1
        end = time.monotonic() + timeout
        self.open[number] = destination
        self.wait_credit(destination, end)
        self.post(destination, E.Envelope(kind=E.KIND_CALL, method=m.number, call=number, deadline_ms=max(1, int(timeout * 1000)), trace=trace),
                  request, payload)
        self.pump_until(lambda: number in self.answers, end - time.monotonic())
        del self.open[number]
        if number not in self.answers:
            raise CallFailed(E.CODE_TIMEOUT)
        answer = self.answers.pop(number)
        if isinstance(answer, CallFailed):
            raise answer
        self.payload = answer.payload
        return m.reply.FromString(answer.body)

    def send(self, to, method, event, payload=b"", trace=0):
        destination = self.resolve(to)
        self.wait_credit(destination, time.monotonic() + 10)
        self.post(destination, E.Envelope(kind=E.KIND_EVENT, method=METHODS[method].number, trace=trace), event, payload)

    def resolve(self, to):
        if isinstance(to, int):
            return to
        ready = sorted(i for i, r in self.instances(to).items() if r.state == bus_pb2.INSTANCE_READY)
        if not ready:
            raise CallFailed(E.CODE_UNAVAILABLE, "no ready " + to)
        self.turn += 1
        return ready[self.turn % len(ready)]

    def wait_credit(self, destination, end):
        r = self.instances().get(destination)
        window = (r.window if r else 0) or WINDOW
        if not self.pump_until(lambda: self.outstanding[destination] < window, end - time.monotonic()):
            raise CallFailed(E.CODE_OVERLOAD, "no credit")
        self.outstanding[destination] += 1

    def post(self, destination, envelope, message=None, payload=b""):
        envelope.source, envelope.destination = self.instance, destination
        link = next((x for x in self.links if destination in x.instances), self.links[0])
        self.raw(link, pack_frame([Record(envelope, message.SerializeToString() if message else b"", payload)]))

    def to_router(self, link, method, message, kind=E.KIND_EVENT, call=0):
        envelope = E.Envelope(kind=kind, method=METHODS[method].number, source=self.instance, call=call)
        self.raw(link, pack_frame([Record(envelope, message.SerializeToString(), b"")]))

    @staticmethod
    def raw(link, frame):
        try:
            link.socket.send(frame, zmq.DONTWAIT)
        except zmq.Again:
            pass  # no connection, or one that was refused: whoever waits for an answer will time out

    # receiving

    def pump_until(self, condition, seconds):
        end = time.monotonic() + max(0.0, seconds)
        while not condition():
            left = end - time.monotonic()
            if left <= 0:
                return False
            self.pump(min(left, 0.2))
        return True

    def pump(self, seconds):
        """Waits for frames at most so long and sorts them; heartbeats and credit go out from here."""
        if time.monotonic() - self.beat >= 1:
            self.beat = time.monotonic()
            for link in self.links:
                if link.router:
                    self.to_router(link, "bus.Heartbeat", bus_pb2.HeartbeatEvent(revision=self.registration.revision))
        readable = dict(self.poller.poll(seconds * 1000))
        for link in self.links:
            while link.socket in readable:
                try:
                    frame = link.socket.recv(zmq.DONTWAIT)
                except zmq.Again:
                    break
                for record in unpack_frame(frame):
                    self.receive(link, record)

    def receive(self, link, record):
        e = record.envelope
        if e.method >> 8 == E.INTERFACE_BUS:
            self.from_router(link, record)
        elif e.kind in (E.KIND_CALL, E.KIND_EVENT):
            self.inbox.append(record)
        elif e.kind == E.KIND_CREDIT:
            self.outstanding[e.source] = max(0, self.outstanding[e.source] - e.credit)
        elif self.open.get(e.call) == e.source:
            self.answers[e.call] = record if e.kind == E.KIND_REPLY else CallFailed(e.code, e.text)

    def from_router(self, link, record):
        e = record.envelope
        name = METHODS[e.method].name
        if e.kind == E.KIND_FAILURE:
            if e.code == E.CODE_NOT_FOUND and link.router:  # it had lost us
                link.router = 0
                self.outstanding.clear()
                self.to_router(link, "bus.Join", self.registration, E.KIND_CALL, 1)
            self.failures.append(CallFailed(e.code, e.text))
        elif name == "bus.Join":
            link.router = bus_pb2.JoinReply.FromString(record.body).router
        elif name == "bus.Directory":
            self.directory(link, bus_pb2.DirectoryEvent.FromString(record.body))
        elif name == "bus.Undeliverable":
            u = bus_pb2.UndeliverableEvent.FromString(record.body)
            self.undeliverable.append(u)
            self.outstanding[u.destination] = max(0, self.outstanding[u.destination] - 1)
            if u.call in self.open:
                self.answers[u.call] = CallFailed(E.CODE_PEER_LOST, "undeliverable")

    def directory(self, link, event):
        before = self.instances()
        link.instances = {r.instance: r for r in event.instances}
        gone = before.keys() - self.instances().keys()
        for number, destination in self.open.items():
            if destination in gone:
                self.answers[number] = CallFailed(E.CODE_PEER_LOST, "gone")
        for instance in gone:
            del self.outstanding[instance]

    # serving

    def serve(self, method, handler):
        """handler(request, call) returns the reply, or raises CallFailed; an event's returns nothing."""
        self.handlers[METHODS[method].number] = handler

    def run_once(self, seconds=0.2):
        if not self.inbox:
            self.pump(seconds)
        while self.inbox:
            self.handle(self.inbox.popleft())

    def run(self, stop=lambda: False):
        while not stop():
            self.run_once()

    def handle(self, record):
        e, answer = record.envelope, E.Envelope(kind=E.KIND_REPLY)
        call, reply = Call(e, record.payload), None
        try:
            if e.method not in self.handlers:
                raise CallFailed(E.CODE_UNSUPPORTED, "no such method here")
            try:
                request = METHODS[e.method].request.FromString(record.body)
            except Exception:
                raise CallFailed(E.CODE_INVALID, "the request does not decode") from None
            reply = self.handlers[e.method](request, call)
        except CallFailed as failure:
            answer = E.Envelope(kind=E.KIND_FAILURE, code=failure.code, text=failure.text)
        if e.kind == E.KIND_CALL:
            answer.method, answer.call, answer.trace = e.method, e.call, e.trace
            self.post(e.source, answer, reply, call.reply_payload)
        self.owed[e.source] += 1
        if self.owed[e.source] >= (self.registration.window or WINDOW) // 4 or not self.inbox:
            self.post(e.source, E.Envelope(kind=E.KIND_CREDIT, credit=self.owed.pop(e.source)))


class Direct:
    """A direct connection to an instance that announces a link (ipc/proto/link.proto), beside a bus whose instance number is lower. `Bus` itself has none
    and is reached through routers."""

    def __init__(self, bus, to, key=None, source=None):
        registration = bus.instances()[to]
        self.bus, self.to, self.source, self.number = bus, to, source or bus.instance, secrets.randbits(63) + 1
        self.records = []
        self.socket = s = bus.zmq.socket(zmq.DEALER)
        s.linger, s.sndhwm, s.rcvhwm = 0, 0, 0
        s.curve_publickey, s.curve_secretkey = key or bus.key
        s.curve_serverkey = zmq.utils.z85.encode(registration.link_key)
        s.connect(registration.link)

    def close(self):
        self.socket.close()

    def open(self, timeout=3.0, to=None):
        """Raises what the other end says against it; TIMEOUT when it says nothing."""
        self.post("link.Open", link_pb2.LinkOpenRequest(connection=self.number), E.KIND_CALL, call=1, to=to)
        answer = self.wait(lambda e: e.method == METHODS["link.Open"].number, timeout)
        if not answer:
            raise CallFailed(E.CODE_TIMEOUT)
        if answer.envelope.kind == E.KIND_FAILURE:
            raise CallFailed(answer.envelope.code, answer.envelope.text)

    def post(self, method, message, kind=E.KIND_EVENT, call=0, source=None, to=None):
        envelope = E.Envelope(kind=kind, method=METHODS[method].number, source=source or self.source, destination=to or self.to, call=call,
                              deadline_ms=5000 if kind == E.KIND_CALL else 0)
        Bus.raw(self, pack_frame([Record(envelope, message.SerializeToString(), b"")]))

    def marker(self, timeout=3.0):
        """Waits for the other end's marker, which comes through a router; True when it names this connection."""
        number = METHODS["link.Marker"].number
        self.bus.pump_until(lambda: any(r.envelope.method == number for r in self.bus.inbox), timeout)
        found = [r for r in self.bus.inbox if r.envelope.method == number]
        self.bus.inbox = collections.deque(r for r in self.bus.inbox if r.envelope.method != number)
        return bool(found) and link_pb2.LinkMarkerEvent.FromString(found[-1].body).connection == self.number

    def passed(self):
        self.post("link.Passed", link_pb2.LinkMarkerEvent(connection=self.number))

    def wait(self, wanted, timeout=3.0):
        """The first record by this connection whose envelope is wanted, or None. The bus is kept alive meanwhile."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            while self.socket.poll(10):
                self.records += unpack_frame(self.socket.recv())
            for record in self.records:
                if wanted(record.envelope):
                    self.records.remove(record)
                    return record
            self.bus.pump(0.01)
        return None
