# SPDX-License-Identifier: Apache-2.0
"""What any instance that announces a link must do (ipc/proto/link.proto). Skipped where none does."""
import secrets

import pytest
import zmq

from starling_bus import METHODS, Bus, CallFailed, Direct, E, bus_pb2, read_key, types_pb2

ROLE = "starlingctl"
STATUS = METHODS["admin.Status"].number


@pytest.fixture
def low(state_dir):
    """A bus with a number lower than any daemon's is likely to be."""
    with Bus(state_dir, ROLE, instance=secrets.randbits(40) + 1) as b:
        yield b


@pytest.fixture
def to(low):
    linked = [i for i, r in low.instances("auth").items() if r.link and i > low.instance]
    if not linked:
        pytest.skip("no auth instance announces a link")
    return linked[0]


@pytest.fixture
def direct(low, to):
    d = Direct(low, to)
    yield d
    d.close()


def by_router(bus, to, call):
    """A call through the routers; its answer is awaited by who made it."""
    bus.open[call] = to
    bus.post(to, E.Envelope(kind=E.KIND_CALL, method=STATUS, call=call, deadline_ms=5000), types_pb2.Empty())


def refused(d, name, **where):
    with pytest.raises(CallFailed) as failure:
        d.open(2, **where)
    assert failure.value.name == name
    d.close()


def opened(d):
    """That we have joined may reach the instance a moment after it reached us."""
    for _ in range(100):
        try:
            d.open()
            return
        except CallFailed as failure:
            if failure.name != "NOT_FOUND":
                raise
        d.wait(lambda e: False, 0.05)
    d.open()


# --- opening ----------------------------------------------------------------------------------------------------------

def test_announced_key_is_whole(low, to):
    r = low.instances()[to]
    assert len(r.link_key) == 32 and r.link.split("://")[0] in ("ipc", "tcp")


def test_key_that_is_not_listed_is_refused(low, to):
    refused(Direct(low, to, key=zmq.curve_keypair()), "TIMEOUT")


def test_key_of_another_role_is_refused(low, to, state_dir):
    refused(Direct(low, to, key=read_key(state_dir + "/keys/storage.key")), "DENIED")


def test_instance_that_nobody_knows_is_refused(low, to):
    refused(Direct(low, to, source=1), "NOT_FOUND")


def test_another_destination_is_refused(low, to):
    refused(Direct(low, to), "INVALID", to=to ^ 1)


def test_higher_number_does_not_connect(state_dir):
    with Bus(state_dir, ROLE, instance=(1 << 64) - 1 - secrets.randbits(20)) as high:
        linked = [i for i, r in high.instances("auth").items() if r.link]
        if not linked:
            pytest.skip("no auth instance announces a link")
        refused(Direct(high, linked[0]), "INVALID")


def test_nothing_is_taken_before_open(direct):
    direct.post("admin.Status", types_pb2.Empty(), E.KIND_CALL, call=7)
    answer = direct.wait(lambda e: True)
    assert answer.envelope.method == METHODS["link.Open"].number and answer.envelope.code == E.CODE_NOT_FOUND


# --- the way of records -----------------------------------------------------------------------------------------------

def test_answers_are_held_until_the_marker_passed(low, to, direct):
    opened(direct)
    assert direct.marker()
    by_router(low, to, 5)
    assert not low.pump_until(lambda: 5 in low.answers, 0.5)  # it would overtake nothing, but who knows
    direct.passed()
    reply = direct.wait(lambda e: e.call == 5)
    assert reply and reply.envelope.kind == E.KIND_REPLY and reply.envelope.source == to


def test_marker_is_sent_again(direct):
    opened(direct)
    assert direct.marker() and direct.marker(5)


def test_calls_both_ways_directly(low, to, direct):
    opened(direct)
    assert direct.marker()
    direct.passed()
    for call in range(1, 200):
        direct.post("admin.Status", types_pb2.Empty(), E.KIND_CALL, call=call)
        assert direct.wait(lambda e: e.call == call and e.kind == E.KIND_REPLY)
    assert not low.answers


def test_our_marker_is_answered(low, to, direct):
    opened(direct)
    for _ in range(2):
        low.post(to, E.Envelope(kind=E.KIND_EVENT, method=METHODS["link.Marker"].number),
                 METHODS["link.Marker"].request(connection=direct.number))
        assert direct.wait(lambda e: e.method == METHODS["link.Passed"].number)
    low.post(to, E.Envelope(kind=E.KIND_EVENT, method=METHODS["link.Marker"].number), METHODS["link.Marker"].request(connection=direct.number ^ 1))
    assert not direct.wait(lambda e: e.method == METHODS["link.Passed"].number, 0.5)


def test_record_through_a_router_gives_the_connection_up(low, to, direct):
    opened(direct)
    assert direct.marker()
    direct.passed()
    direct.post("admin.Status", types_pb2.Empty(), E.KIND_CALL, call=1)
    assert direct.wait(lambda e: e.call == 1)
    by_router(low, to, 9)
    assert low.pump_until(lambda: 9 in low.answers, 3)
    over = direct.wait(lambda e: e.kind == E.KIND_FAILURE)
    assert over.envelope.method == METHODS["link.Open"].number and over.envelope.code == E.CODE_NOT_FOUND


def test_connection_that_breaks_falls_back_to_routers(low, to, direct):
    opened(direct)
    assert direct.marker()
    direct.passed()
    direct.post("admin.Status", types_pb2.Empty(), E.KIND_CALL, call=1)
    assert direct.wait(lambda e: e.call == 1)
    direct.close()
    low.pump_until(lambda: False, 0.3)
    assert low.call(to, "admin.Status", types_pb2.Empty()).role == "auth"


# --- lies -------------------------------------------------------------------------------------------------------------

def test_records_in_another_name_are_refused(low, to, direct, state_dir):
    opened(direct)
    assert direct.marker()
    direct.passed()
    with Bus(state_dir, ROLE) as other:
        assert other.pump_until(lambda: to in other.instances(), 3)
        direct.post("admin.Drain", types_pb2.Empty(), E.KIND_CALL, call=3, source=other.instance)
        direct.post("admin.Status", types_pb2.Empty(), E.KIND_CALL, call=4)
        assert direct.wait(lambda e: e.call == 4)
        assert not other.pump_until(lambda: other.inbox or other.answers, 0.3)
    assert low.instances()[to].state == bus_pb2.INSTANCE_READY


def test_nobody_speaks_for_a_router(low, to, direct):
    opened(direct)
    assert direct.marker()
    direct.passed()
    direct.post("bus.Directory", bus_pb2.DirectoryEvent(revision=1 << 60))
    direct.post("admin.Status", types_pb2.Empty(), E.KIND_CALL, call=4)
    assert direct.wait(lambda e: e.call == 4)
