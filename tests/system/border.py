# SPDX-License-Identifier: Apache-2.0
"""Users of other servers, without one: joins the bus in the place of an s2s, sends stanzas in their name to a session-manager, and takes what is for them."""
import os
import sys
import time
import xml.etree.ElementTree as ET

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.append(os.path.join(ROOT, "tests/contract"))

from starling_bus import METHODS, Bus, E, bus_pb2, stanza_pb2, types_pb2  # noqa: E402

SECONDS = 20


def run_until(bus, condition, what):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        bus.run_once(0.05)


def join(flock, role, key=None, **changes):
    """A ready instance of a role; changes: of its registration."""
    bus = Bus(flock.state, role, name=role + "-py", key=key)
    bus.join()
    bus.announce(state=bus_pb2.INSTANCE_READY, **changes)
    run_until(bus, lambda: bus.instances("session-manager"), "no session-manager")
    return bus


class Border:
    def __init__(self, flock):
        self.bus, self.taken, self.count = join(flock, "s2s"), [], 0
        for method, reply in (("stanza.Route", types_pb2.Empty), ("stanza.Take", stanza_pb2.TakeReply)):
            self.bus.serve(method, lambda request, call, reply=reply: self.taken.append((request.meta, call.payload)) or reply())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.bus.close()

    def iq(self, kind, child, sender, to):
        """The answer to an IQ of somebody else's user, as an element, with from and to as the envelope has them."""
        self.count += 1
        child_element, stanza_id = ET.fromstring(child), "border-%d" % self.count
        ns, _, name = child_element.tag[1:].partition("}")
        meta = types_pb2.StanzaMeta(kind=types_pb2.STANZA_IQ, type=getattr(types_pb2, "TYPE_" + kind.upper()), id=stanza_id, to=to, child_name=name,
                                    child_ns=ns, **{"from": sender})
        number, self.bus.next_call = self.bus.next_call, self.bus.next_call + 1
        target = self.bus.resolve("session-manager")
        self.bus.open[number] = target
        self.bus.post(target, E.Envelope(kind=E.KIND_CALL, method=METHODS["stanza.Route"].number, call=number, deadline_ms=SECONDS * 1000),
                      stanza_pb2.RouteRequest(meta=meta, hops=1), ("<iq id='%s' type='%s'>%s</iq>" % (stanza_id, kind, child)).encode())
        # The call is answered when the answer to the IQ has been taken: both are looked for.
        run_until(self.bus, lambda: number in self.bus.answers or any(m.id == stanza_id for m, _ in self.taken), "no answer to " + child)
        answer = self.bus.answers.get(number)
        if isinstance(answer, Exception):
            raise answer
        run_until(self.bus, lambda: any(m.id == stanza_id for m, _ in self.taken), "no answer to " + child)
        meta, payload = next(t for t in self.taken if t[0].id == stanza_id)
        element = ET.fromstring(payload.decode().replace("<iq ", "<iq xmlns='jabber:client' ", 1))
        element.set("from", getattr(meta, "from"))
        element.set("to", meta.to)
        return element
