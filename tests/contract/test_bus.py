# SPDX-License-Identifier: Apache-2.0
"""What any router must do (ipc/proto/bus.proto, ipc/proto/envelope.proto)."""
import contextlib
import secrets
import struct
import time

import pytest
import zmq

from starling_bus import (METHODS, Bus, CallFailed, E, Record, admin_pb2, auth_pb2, bus_pb2, edge_pb2, pack_frame, read_key, types_pb2,
                          unpack_frame)

ROLE = "starlingctl"  # nobody sends work to it by itself


@pytest.fixture
def pair(router_dir):
    with Bus(router_dir, ROLE, name="one") as a, Bus(router_dir, ROLE, name="two") as b:
        assert a.pump_until(lambda: b.instance in a.instances(), 5)
        assert b.pump_until(lambda: a.instance in b.instances(), 5)
        yield a, b


def quiet(bus, seconds=0.4):
    """What arrived at a bus within a while."""
    bus.pump_until(lambda: False, seconds)
    return list(bus.inbox)


def event(number, **fields):
    return Record(E.Envelope(kind=E.KIND_EVENT, method=METHODS["edge.Deliver"].number, **fields),
                  edge_pb2.DeliverEvent(delivery=number).SerializeToString(), b"")


# --- who may join -----------------------------------------------------------------------------------------------------

def test_key_that_is_not_listed_is_refused(router_dir):
    bus = Bus(router_dir, "auth", key=zmq.curve_keypair())
    with pytest.raises(CallFailed) as failure:
        bus.join(1.5)
    assert failure.value.name == "TIMEOUT"
    bus.close()


def test_wrong_server_key_is_not_spoken_to(router_dir):
    bus = Bus(router_dir, ROLE)
    bus.links[0].socket.close()
    socket = bus.zmq.socket(zmq.DEALER)
    socket.curve_publickey, socket.curve_secretkey = read_key(router_dir + "/keys/%s.key" % ROLE)
    socket.curve_serverkey = zmq.curve_keypair()[0]
    from starling_bus import endpoints
    socket.connect(endpoints(["ipc://%s/run/router.*.ipc" % router_dir])[0])
    bus.links = bus.links[:1]
    bus.links[0].socket = socket
    bus.poller = zmq.Poller()
    bus.poller.register(socket, zmq.POLLIN)
    socket.linger = 0
    with pytest.raises(CallFailed) as failure:
        bus.join(1)
    assert failure.value.name == "TIMEOUT"
    bus.close()


def test_without_curve_nobody_is_spoken_to(router_dir):
    from starling_bus import endpoints
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.linger = 0
    socket.connect(endpoints(["ipc://%s/run/router.*.ipc" % router_dir])[0])
    r = bus_pb2.Registration(instance=77, role=ROLE, revision=1)
    with contextlib.suppress(zmq.Again):  # refused already: there is nobody to send to, for good
        socket.send(pack_frame([Record(E.Envelope(kind=E.KIND_CALL, method=METHODS["bus.Join"].number, source=77, call=1), r.SerializeToString(), b"")]), zmq.DONTWAIT)
    assert not socket.poll(1000)
    socket.close()
    context.term()


def test_role_that_the_key_is_not_listed_for_is_refused(router_dir):
    bus = Bus(router_dir, "storage", key=read_key(router_dir + "/keys/%s.key" % ROLE))
    with pytest.raises(CallFailed) as failure:
        bus.join(3)
    assert failure.value.name == "DENIED"
    bus.close()


def test_role_cannot_be_changed_later(pair):
    a, b = pair
    a.announce(role="storage")
    assert a.pump_until(lambda: a.failures, 3)
    assert a.failures[0].name == "DENIED"
    b.pump(0.3)
    assert b.instances()[a.instance].role == ROLE


@pytest.mark.parametrize("role", ["", "Auth", "auth,storage", "auth ", "a" * 100])
def test_odd_role_names_are_refused(router_dir, role):
    bus = Bus(router_dir, ROLE)
    bus.registration.role = role
    with pytest.raises(CallFailed) as failure:
        bus.join(3)
    assert failure.value.name == "DENIED"
    bus.close()


def test_instance_number_of_another_role_is_refused(router_dir, pair):
    thief = Bus(router_dir, "auth", instance=pair[0].instance)
    with pytest.raises(CallFailed) as failure:
        thief.join(3)
    assert failure.value.name == "DENIED"
    thief.close()
    assert quiet(pair[1], 0.2) == [] and pair[1].instances()[pair[0].instance].role == ROLE


def test_instance_number_zero_is_refused(router_dir):
    bus = Bus(router_dir, ROLE)
    bus.registration.instance = bus.instance = 0
    with pytest.raises(CallFailed) as failure:
        bus.join(3)
    assert failure.value.name == "DENIED"
    bus.close()


def test_registration_for_another_instance_is_refused(router_dir):
    bus = Bus(router_dir, ROLE)
    bus.registration.instance = 4711
    with pytest.raises(CallFailed) as failure:
        bus.join(3)
    assert failure.value.name == "DENIED"
    bus.close()


# --- directory --------------------------------------------------------------------------------------------------------

def test_routers_list_themselves(pair):
    routers = pair[0].instances("router")
    assert routers and all(link.router in routers for link in pair[0].links)


def test_registration_reaches_everyone(pair):
    a, b = pair
    a.registration.slots.add(slot=3, epoch=9)
    a.announce(state=bus_pb2.INSTANCE_DRAINING, metrics_url="http://127.0.0.1:1/metrics")
    assert b.pump_until(lambda: b.instances()[a.instance].revision == a.registration.revision, 3)
    seen = b.instances()[a.instance]
    assert seen.state == bus_pb2.INSTANCE_DRAINING and seen.metrics_url and seen.slots[0].epoch == 9
    assert (seen.role, seen.name, seen.pid) == (ROLE, "one", a.registration.pid)


def test_older_revision_is_ignored(pair):
    a, b = pair
    a.announce(name="newer")
    assert b.pump_until(lambda: b.instances()[a.instance].name == "newer", 3)
    a.registration.revision -= 2
    a.announce(name="older")
    b.pump_until(lambda: False, 0.4)
    assert b.instances()[a.instance].name == "newer"


def test_leaving_is_seen_at_once(router_dir, pair):
    c = Bus(router_dir, ROLE)
    c.join()
    assert pair[0].pump_until(lambda: c.instance in pair[0].instances(), 3)
    c.close()
    assert pair[0].pump_until(lambda: c.instance not in pair[0].instances(), 1)


def test_broken_connection_is_seen_soon(router_dir, pair):
    c = Bus(router_dir, ROLE)
    c.join()
    assert pair[0].pump_until(lambda: c.instance in pair[0].instances(), 3)
    for link in c.links:
        link.router = 0  # close() says nothing then
    c.close()
    assert pair[0].pump_until(lambda: c.instance not in pair[0].instances(), 3)


def test_silent_instance_is_lost_and_may_join_again(router_dir, pair):
    c = Bus(router_dir, ROLE)
    c.join()
    assert pair[0].pump_until(lambda: c.instance in pair[0].instances(), 3)
    assert pair[0].pump_until(lambda: c.instance not in pair[0].instances(), 8)  # c is not pumped: it says nothing
    c.inbox.clear()
    assert c.pump_until(lambda: any(f.name == "NOT_FOUND" for f in c.failures), 5)
    assert pair[0].pump_until(lambda: (c.pump(0.05), c.instance in pair[0].instances())[1], 5)
    c.close()


def test_same_instance_over_a_new_connection_changes_its_connection_number(router_dir, pair):
    a, b = pair
    before = b.instances()[a.instance].connection
    again = Bus(router_dir, ROLE, name="one", instance=a.instance)
    again.registration.revision = a.registration.revision
    again.join()
    assert b.pump_until(lambda: a.instance in b.instances() and b.instances()[a.instance].connection != before, 3)
    again.close()


# --- forwarding -------------------------------------------------------------------------------------------------------

def test_call_and_reply_with_payload_and_trace(pair):
    a, b = pair

    def answer(request, call):
        assert call.payload == b"\0bytes" * 1000 and call.trace == 0xfeed and call.envelope.deadline_ms > 0
        call.reply_payload = b"back"
        return auth_pb2.MechanismsReply(mechanisms=[request.host])

    b.serve("auth.Mechanisms", answer)
    record = Record(E.Envelope(kind=E.KIND_CALL, method=METHODS["auth.Mechanisms"].number, source=a.instance, destination=b.instance, call=5,
                               deadline_ms=3000, trace=0xfeed), auth_pb2.MechanismsRequest(host="h").SerializeToString(), b"\0bytes" * 1000)
    a.open[5] = b.instance
    a.raw(a.links[0], pack_frame([record]))
    b.pump_until(lambda: b.inbox, 3)
    b.run_once()
    assert a.pump_until(lambda: 5 in a.answers, 3)
    reply = a.answers[5]
    assert reply.payload == b"back" and reply.envelope.trace == 0xfeed and reply.envelope.source == b.instance
    assert auth_pb2.MechanismsReply.FromString(reply.body).mechanisms == ["h"]


def test_events_arrive_in_order_and_once(pair):
    a, b = pair
    for start in range(0, 5000, 100):
        a.raw(a.links[0], pack_frame([event(n, source=a.instance, destination=b.instance) for n in range(start, start + 100)]))
    assert b.pump_until(lambda: len(b.inbox) >= 5000, 20)
    b.pump(0.1)
    assert [edge_pb2.DeliverEvent.FromString(r.body).delivery for r in b.inbox] == list(range(5000))


def test_large_record(pair):
    a, b = pair
    payload = secrets.token_bytes(8 << 20)
    a.send(b.instance, "edge.Deliver", edge_pb2.DeliverEvent(), payload=payload)
    assert b.pump_until(lambda: b.inbox, 20)
    assert b.inbox[0].payload == payload


def test_unknown_envelope_fields_travel(pair):
    a, b = pair
    envelope = E.Envelope(kind=E.KIND_EVENT, method=METHODS["edge.Deliver"].number, source=a.instance, destination=b.instance)
    a.raw(a.links[0], pack_frame([Record(envelope.SerializeToString() + b"\xa2\x06\x03new", b"", b"")]))
    assert b.pump_until(lambda: b.inbox, 3)
    assert b"new" in b.inbox[0].envelope.SerializeToString()


def test_call_to_nobody_comes_back(pair):
    a = pair[0]
    with pytest.raises(CallFailed) as failure:
        a.call(123456789, "auth.Mechanisms", auth_pb2.MechanismsRequest(), timeout=3)
    assert failure.value.name == "PEER_LOST"
    assert (a.undeliverable[-1].destination, a.undeliverable[-1].method) == (123456789, METHODS["auth.Mechanisms"].number)


def test_event_to_nobody_comes_back_and_a_reply_does_not(pair):
    a = pair[0]
    a.raw(a.links[0], pack_frame([event(1, source=a.instance, destination=99),
                                  Record(E.Envelope(kind=E.KIND_REPLY, method=1, source=a.instance, destination=98, call=1), b"", b""),
                                  Record(E.Envelope(kind=E.KIND_CREDIT, credit=1, source=a.instance, destination=97), b"", b"")]))
    assert a.pump_until(lambda: a.undeliverable, 3)
    a.pump_until(lambda: False, 0.3)
    assert [(u.destination, u.call) for u in a.undeliverable] == [(99, 0)]


def test_call_to_a_router_is_answered(pair):
    router = next(iter(pair[0].instances("router")))
    reply = pair[0].call(router, "admin.Status", types_pb2.Empty())
    assert reply.role == "router" and reply.healthy
    with pytest.raises(CallFailed) as failure:
        pair[0].call(router, "admin.Kick", admin_pb2.KickRequest(account="a@b"))
    assert failure.value.name == "UNSUPPORTED"


def test_router_gives_credit_back(pair):
    a = pair[0]
    router = next(iter(a.instances("router")))
    window = a.instances("router")[router].window or 1024
    for _ in range(window + 20):
        a.call(router, "admin.Status", types_pb2.Empty(), timeout=10)


# --- what is refused --------------------------------------------------------------------------------------------------

def test_before_joining_nothing_is_forwarded(router_dir, pair):
    stranger = Bus(router_dir, ROLE)
    stranger.raw(stranger.links[0], pack_frame([event(1, source=stranger.instance, destination=pair[0].instance)]))
    assert quiet(pair[0]) == []
    stranger.close()


def test_forged_source_is_refused(pair, router_dir):
    a, b = pair
    with Bus(router_dir, ROLE) as c:
        a.raw(a.links[0], pack_frame([event(1, source=c.instance, destination=b.instance), event(2, source=0, destination=b.instance),
                                      event(3, source=b.instance, destination=b.instance), event(4, source=a.instance, destination=b.instance)]))
        assert b.pump_until(lambda: b.inbox, 3)
        assert [edge_pb2.DeliverEvent.FromString(r.body).delivery for r in quiet(b, 0.2)] == [4]


def test_nobody_speaks_for_the_router(pair):
    """A Directory or Undeliverable that a service sends to another is not forwarded."""
    a, b = pair
    before = set(b.instances())
    for name in ("bus.Directory", "bus.Undeliverable", "bus.Leave"):
        envelope = E.Envelope(kind=E.KIND_EVENT, method=METHODS[name].number, source=a.instance, destination=b.instance)
        a.raw(a.links[0], pack_frame([Record(envelope, b"", b"")]))
    b.pump_until(lambda: False, 0.4)
    assert set(b.instances()) == before and not b.undeliverable


@pytest.mark.parametrize("frame", [
    b"", b"S", b"X\x01", b"S\x02", b"S\x01\x00", b"GET / HTTP/1.1\r\n",
    b"S\x01" + struct.pack("<III", 0, 1, 0) + b"x",
    b"S\x01" + struct.pack("<III", 10, 0, 0) + b"short",
    b"S\x01" + struct.pack("<III", 0xffffffff, 0xffffffff, 2) + b"x",
    b"S\x01" + struct.pack("<III", 70000, 0, 0) + b"x" * 70000,
    b"S\x01" + struct.pack("<III", 4, 0, 0) + b"\xff\xff\xff\xff",
    b"S\x01" + struct.pack("<III", 2, 0, 0) + b"\x08\x09",
])
def test_broken_frames_are_dropped(pair, frame):
    a, b = pair
    a.raw(a.links[0], frame)
    a.send(b.instance, "edge.Deliver", edge_pb2.DeliverEvent(delivery=7))
    assert b.pump_until(lambda: b.inbox, 3)
    assert len(b.inbox) == 1


def test_a_frame_is_dropped_as_a_whole(pair):
    a, b = pair
    good = pack_frame([event(1, source=a.instance, destination=b.instance)])
    a.raw(a.links[0], good + b"\x01")
    assert quiet(b, 0.3) == []


def test_registration_that_does_not_decode_is_invalid(pair):
    a = pair[0]
    envelope = E.Envelope(kind=E.KIND_CALL, method=METHODS["bus.Join"].number, source=a.instance, call=9)
    a.raw(a.links[0], pack_frame([Record(envelope, b"\xff\xff\xff", b"")]))
    assert a.pump_until(lambda: a.failures, 3)
    assert a.failures[0].name == "INVALID"


def test_frame_helpers_agree():
    records = [Record(E.Envelope(kind=1, call=n), b"b" * n, b"p") for n in range(5)]
    assert unpack_frame(pack_frame(records)) == records
    with pytest.raises(ValueError):
        unpack_frame(pack_frame(records)[:-1])


# --- credit -----------------------------------------------------------------------------------------------------------

def test_a_sender_waits_for_credit(router_dir, pair):
    with Bus(router_dir, ROLE, window=8) as server:
        a = pair[0]
        assert a.pump_until(lambda: server.instance in a.instances(), 3)
        for n in range(8):
            a.send(server.instance, "edge.Deliver", edge_pb2.DeliverEvent(delivery=n))
        start = time.monotonic()
        assert not a.pump_until(lambda: a.outstanding[server.instance] < 8, 0.5)
        assert time.monotonic() - start >= 0.5
        server.pump_until(lambda: len(server.inbox) == 8, 3)
        server.run_once()
        assert a.pump_until(lambda: a.outstanding[server.instance] == 0, 3)
