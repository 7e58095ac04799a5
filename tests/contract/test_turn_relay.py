# SPDX-License-Identifier: Apache-2.0
"""What any relay of media must do for operators (ipc/proto/turn.proto). With STARLING_DIR: at a relay of that flock, whose clients are not needed; else at one of a flock of its own, with
clients of it as well."""
import os
import sys

import pytest

from starling_bus import Bus, CallFailed, E, turn_pb2

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "turn"))


class Turn:
    def __init__(self, bus, relay):
        self.bus, self.relay = bus, relay
        ready = [i for i, r in bus.instances("turn-relay").items() if r.state == 1]
        if not ready:
            pytest.skip("no turn-relay is there")
        self.instance = ready[0]

    def call(self, method, request):
        return self.bus.call(self.instance, "turn." + method, request, timeout=15)

    def fails(self, method, request):
        with pytest.raises(CallFailed) as failed:
            self.call(method, request)
        return failed.value.code

    def list(self, user="", limit=0):
        return self.call("List", turn_pb2.TurnListRequest(user=user, limit=limit)).allocations

    def quota(self, user, **changes):
        return self.call("Quota", turn_pb2.TurnQuotaRequest(user=user, **changes))


@pytest.fixture(scope="module")
def relay():
    if os.environ.get("STARLING_DIR"):
        yield None
        return
    from relay import Relay
    made = Relay().up()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def turn(relay):
    with Bus(relay.flock.state if relay else os.environ["STARLING_DIR"], "starlingctl") as bus:
        yield Turn(bus, relay)
    if relay:
        relay.flock.check()


def test_nobody(turn):
    user = "contract-nobody@turn.test"
    assert not turn.list(user)
    assert turn.call("Kick", turn_pb2.TurnKickRequest(user=user)).kicked == 0


def test_a_user_is_wanted(turn):
    assert turn.fails("Kick", turn_pb2.TurnKickRequest()) == E.CODE_INVALID
    assert turn.fails("Quota", turn_pb2.TurnQuotaRequest()) == E.CODE_INVALID


def test_quota(turn):
    user = "contract-quota@turn.test"
    usual = turn.quota(user)
    assert usual.allocations > 0 and not usual.set and usual.used == 0 and usual.blocked_ms == 0
    for number in (0, 7):
        got = turn.quota(user, set=True, allocations=number)
        assert got.set and got.allocations == number and turn.quota(user) == got
    assert turn.quota("contract-other@turn.test") == usual
    assert turn.fails("Quota", turn_pb2.TurnQuotaRequest(user=user, set=True, reset=True, allocations=1)) == E.CODE_INVALID
    assert turn.quota(user).allocations == 7
    assert turn.quota(user, reset=True) == usual


def test_allocations(turn):
    if not turn.relay:
        pytest.skip("needs clients of the relay")
    user = "contract@turn.test"
    with turn.relay.client(name=user) as a, turn.relay.client("tcp", name=user) as b, turn.relay.client(name="contract-other@turn.test") as other:
        for c in (a, b, other):
            c.allocate()
        both = turn.list(user)
        assert sorted(x.transport for x in both) == ["tcp", "udp"] and {x.user for x in both} == {user}
        assert {"%s:%d" % c.relayed[0] for c in (a, b)} == {x.relayed[0] for x in both} and all(0 < x.expires_ms <= 600000 for x in both)
        assert len(turn.list(limit=1)) == 1 and len(turn.list()) >= 3
        turn.quota(user, set=True, allocations=1)
        assert turn.quota(user).used == 2  # what he has stays
        assert turn.call("Kick", turn_pb2.TurnKickRequest(user=user, block_ms=60000)).kicked == 2
        state = turn.quota(user)
        assert state.used == 0 and 0 < state.blocked_ms <= 60000
        assert a.allocate().code == 403 and other.refresh(None).code == 0
        turn.quota(user, reset=True)
