# SPDX-License-Identifier: Apache-2.0
"""Allocations that follow their clients to another address (RFC 8016), in one thread and between several: the kernel gives a new address to any of them."""
import contextlib
import itertools
import os

import pytest

import stun
from relay import Relay, needs_ipv6
from stun import REFRESH, SUCCESS, Client, Peer, attr
from test_dtls import dtls_client

MOBILITY_TICKET = 0x8030
TCP = b"\x06\0\0\0"
NUMBERS = itertools.count()
ADDRESS_MAX = 40


@pytest.fixture(scope="module", params=(1, 4), ids=lambda n: "threads-%d" % n)
def session(request):
    made = Relay({"workers": request.param, "relay": {"tcp": True}, "limits": {"address_allocations": ADDRESS_MAX}}).up()
    try:
        yield made
    finally:
        made.put_out()
        made.close()


@pytest.fixture
def relay(session):
    session.user = "user-%d@turn.test" % next(NUMBERS)  # of this test alone
    yield session
    session.flock.check()


def one(relay, *args, **kwargs):
    return relay.client(*args, name=relay.user, **kwargs)


def begin(c, *attrs):
    """An allocation that will follow."""
    answer = c.allocate(attr(MOBILITY_TICKET), *attrs)
    assert answer.cls == SUCCESS and answer.signed_by(c.key), answer.code
    c.ticket = answer.get(MOBILITY_TICKET)
    assert 0 < len(c.ticket) <= 32
    return c


def ask(relay, old, kind="udp", local=None, ticket=None, lifetime=None, name=None, extra=()):
    """A client of the same user somewhere else, and the answer to its Refresh with the ticket."""
    new = relay.client(kind, name=name, local=local) if name else Client(relay, kind, user=old.user, password=old.password, local=local)
    answer = new.refresh(lifetime, attr(MOBILITY_TICKET, old.ticket if ticket is None else ticket), *extra)
    new.relayed, new.ticket = old.relayed, answer.get(MOBILITY_TICKET)
    return new, answer


def move(relay, old, *args, **kwargs):
    new, answer = ask(relay, old, *args, **kwargs)
    assert answer.cls == SUCCESS and answer.signed_by(new.key), answer.code
    assert new.ticket and new.ticket != old.ticket and answer.lifetime == 600
    return new


def test_follows(relay):
    moves = relay.metrics()["starling_turn_moves_total"]
    with contextlib.ExitStack() as stack:
        peer, other = (stack.enter_context(Peer()) for _ in range(2))
        c = begin(stack.enter_context(one(relay)))
        assert c.bind(0x4001, peer.name).cls == SUCCESS and c.permit(other.name).cls == SUCCESS
        for i in range(10):
            old, c = c, stack.enter_context(move(relay, c, local="127.0.0.%d" % (2 + i % 5)))
            # The old path is served until there is something on the new one (section 3.2.2).
            peer.send(b"old %d" % i, c.relayed[0])
            assert old.receive_data() == (0x4001, b"old %d" % i)
            old.channel(0x4001, b"still %d" % i)
            assert peer.receive() == (b"still %d" % i, c.relayed[0])
            if i % 2:
                c.channel(0x4001, b"new %d" % i)
                assert peer.receive() == (b"new %d" % i, c.relayed[0])
            else:
                c.send_to(other.name, b"new %d" % i)
                assert other.receive() == (b"new %d" % i, c.relayed[0])
            peer.send(b"back %d" % i, c.relayed[0])
            assert c.receive_data() == (0x4001, b"back %d" % i)
            other.send(b"other %d" % i, c.relayed[0])
            assert c.receive_data() == (other.name, b"other %d" % i)
            old.channel(0x4001, b"late")
            assert old.refresh().code == 437 and peer.silent()
            old.relayed = []
        it, = relay.list(relay.user)
        assert it["client"] == "%s:%d" % c.t.name and it["channels"] == 1 and it["permissions"] == 1
        assert relay.metrics()["starling_turn_moves_total"] == moves + 10
        # An ordinary Refresh has a ticket, too; it is the same allocation's.
        again = c.refresh().get(MOBILITY_TICKET)
        assert move(relay, c, ticket=again).refresh(0).cls == SUCCESS
        assert c.refresh().code == 437 and not relay.list(relay.user)


def test_requests_on_the_new_path(relay):
    with Peer() as peer, begin(one(relay)) as old, move(relay, old) as c:
        assert c.permit(peer.name).cls == SUCCESS
        assert old.permit(peer.name).code == 437
        old.relayed = []
        peer.send(b"hello", c.relayed[0])
        assert c.receive_data() == (peer.name, b"hello")
        # There is one here.
        assert c.allocate().code == 437


def test_all_at_once(relay):
    """What comes before the answer does is kept, in order."""
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(Peer()) for _ in range(8)]
        clients = [begin(stack.enter_context(one(relay))) for _ in range(24)]
        for i, c in enumerate(clients):
            assert c.bind(0x4000, peers[i % 8].name).cls == SUCCESS
        for turn in range(3):
            fresh, asked = [], []
            for c in clients:
                n = stack.enter_context(Client(relay, user=c.user, password=c.password))
                n.challenge()
                n.relayed, c.relayed = c.relayed, []
                fresh.append(n)
            for c, n in zip(clients, fresh):
                asked.append(n.signed(REFRESH, attr(MOBILITY_TICKET, c.ticket)))
                n.t.send(asked[-1])
                for word in (b"one", b"two"):
                    n.channel(0x4000, word + b" %d" % turn)
            for n, data in zip(fresh, asked):
                answer = stun.Message(n.t.receive())
                assert answer.tid == data[8:20] and answer.cls == SUCCESS
                n.ticket = answer.get(MOBILITY_TICKET)
            got = {}
            for peer in peers:
                for _ in range(6):
                    data, where = peer.receive()
                    got.setdefault(where, []).append(data)
            assert got == {n.relayed[0]: [b"one %d" % turn, b"two %d" % turn] for n in fresh}
            clients = fresh


def test_repeated_requests(relay):
    with Peer() as peer, begin(one(relay)) as old, Client(relay, user=old.user, password=old.password) as c:
        assert old.bind(0x4000, peer.name).cls == SUCCESS
        c.challenge()
        data = c.signed(REFRESH, attr(MOBILITY_TICKET, old.ticket))
        first, again = c.exchange(data), c.exchange(data)
        assert first.cls == again.cls == SUCCESS and first.get(MOBILITY_TICKET) == again.get(MOBILITY_TICKET)
        c.channel(0x4000, b"here")
        assert peer.receive()[0] == b"here"
        late = c.exchange(data)
        assert late.cls == SUCCESS and late.get(MOBILITY_TICKET)
        # Another one with the ticket that it had, or has: it is here already.
        for ticket in (old.ticket, first.get(MOBILITY_TICKET)):
            assert c.refresh(None, attr(MOBILITY_TICKET, ticket)).code == 400
        c.relayed, old.relayed = old.relayed, []


def test_an_answer_that_is_lost(relay):
    """Until the client has shown himself with the new ticket the old one is good; then it is not."""
    with Peer() as peer, contextlib.ExitStack() as stack:
        old = begin(stack.enter_context(one(relay)))
        assert old.bind(0x4000, peer.name).cls == SUCCESS
        first = stack.enter_context(move(relay, old))
        second = stack.enter_context(move(relay, old, local="127.0.0.9"))
        third = stack.enter_context(move(relay, first))
        assert len({old.ticket, first.ticket, second.ticket, third.ticket}) == 4
        # The last one who asked is the one.
        assert first.refresh().code == second.refresh().code == 437
        third.channel(0x4000, b"third")
        assert peer.receive() == (b"third", old.relayed[0])
        for ticket in (old.ticket, first.ticket, second.ticket):
            assert ask(relay, old, ticket=ticket)[1].code == 437
        assert move(relay, third).permit(peer.name).cls == SUCCESS
        for c in (old, first, second, third):
            c.relayed = []


def test_refused(relay):
    with begin(one(relay)) as c, one(relay) as plain, one(relay) as stranger:
        assert stranger.allocate(attr(MOBILITY_TICKET, b"x")).code == 400
        assert ask(relay, c, ticket=b"")[1].code == 400
        for wrong in (os.urandom(32), c.ticket[:-1], c.ticket + b"A", b"A" * 32, os.urandom(500)):
            assert ask(relay, c, ticket=wrong)[1].code == 437
        for i in range(len(c.ticket)):
            assert ask(relay, c, ticket=c.ticket[:i] + bytes([c.ticket[i] ^ 1]) + c.ticket[i + 1:])[1].code == 437
        # Somebody else's; without credentials; from where it is.
        assert ask(relay, c, name="juliet@turn.test")[1].code == 441
        bare = stranger.exchange(stun.message(REFRESH, attr(MOBILITY_TICKET, c.ticket), os.urandom(12)))
        assert bare.code == 401
        assert c.refresh(None, attr(MOBILITY_TICKET, c.ticket)).code == 400
        # Who has not asked for one gets none.
        answer = plain.allocate()
        assert answer.cls == SUCCESS and MOBILITY_TICKET not in answer and MOBILITY_TICKET not in plain.refresh()
        assert plain.refresh(None, attr(MOBILITY_TICKET, c.ticket)).code == 400
        # All that made no difference.
        assert c.refresh().cls == SUCCESS
        assert ask(relay, c, lifetime=0)[1].lifetime == 0
        assert c.refresh().code == 437
        assert ask(relay, c)[1].code == 437


@needs_ipv6
def test_one_family_of_two(relay):
    with begin(one(relay), attr(stun.ADDITIONAL_FAMILY, b"\2\0\0\0")) as old, Peer("::1") as peer:
        assert len(old.relayed) == 2
        c, answer = ask(relay, old, lifetime=0, extra=(attr(stun.REQUESTED_FAMILY, b"\1\0\0\0"),))
        assert answer.cls == SUCCESS and c.ticket
        assert c.permit(peer.name).cls == SUCCESS and c.permit(("127.0.0.1", 9)).code == 443
        assert ask(relay, c, extra=(attr(stun.REQUESTED_FAMILY, b"\1\0\0\0"),))[1].code == 443
        old.relayed = []
        c.close()


@pytest.mark.parametrize("kind,to", (("tcp", "tls"), ("tls", "udp"), ("udp", "tcp"), ("dtls", "tcp")))
def test_connections(relay, kind, to):
    with contextlib.ExitStack() as stack:
        peer = stack.enter_context(Peer())
        old = begin(dtls_client(relay, relay.user) if kind == "dtls" else one(relay, kind))
        assert old.bind(0x4000, peer.name).cls == SUCCESS
        c = stack.enter_context(move(relay, old, to))
        peer.send(b"before", old.relayed[0])
        assert old.receive_data() == (0x4000, b"before")
        # Longer than what may come before there is an allocation.
        for data in (b"x" * 9000, b"two"):
            c.channel(0x4000, data)
        assert [peer.receive()[0] for _ in range(2)] == [b"x" * 9000, b"two"]
        peer.send(b"after", c.relayed[0])
        assert c.receive_data() == (0x4000, b"after")
        assert relay.list(relay.user)[0]["transport"] == to
        old.relayed = []
        old.close()
        assert c.refresh(0).cls == SUCCESS


def gone(relay, ready):
    """The list, when it shows that."""
    for _ in range(200):
        found = relay.list(relay.user)
        if ready(found):
            return found
    raise AssertionError(found)


def test_a_connection_that_ends(relay):
    with contextlib.ExitStack() as stack:
        peer = stack.enter_context(Peer())
        old = begin(one(relay, "tls"))
        assert old.bind(0x4000, peer.name).cls == SUCCESS
        old.t.close()
        it, = gone(relay, lambda found: found[0]["transport"] == "none")
        assert it["expires_ms"] <= 60000
        peer.send(b"into the void", old.relayed[0])
        c = stack.enter_context(move(relay, old))
        # There is no other path that could be served.
        gone(relay, lambda found: found[0]["transport"] == "udp")
        peer.send(b"hello", c.relayed[0])
        assert c.receive_data() == (0x4000, b"hello")
        # Had its answer been lost, the first ticket would be shown again, from here or from elsewhere.
        c.relayed, c = [], stack.enter_context(move(relay, old, ticket=old.ticket))
        c.channel(0x4000, b"again")
        assert peer.receive() == (b"again", c.relayed[0])
        assert ask(relay, old)[1].code == 437
        # The new one ends before it was used; and one whose client asks no more is ended by the old one's end.
        for _ in range(2):
            lost = move(relay, c, "tcp")
            lost.t.close()
        assert c.refresh().cls == SUCCESS
        second = stack.enter_context(move(relay, c, "tcp"))
        third = stack.enter_context(move(relay, second))
        third.channel(0x4000, b"hello")
        assert peer.receive() == (b"hello", c.relayed[0])
        assert third.refresh(0).cls == SUCCESS
        c.relayed = []
        # An ordinary one ends with its connection.
        plain = one(relay, "tcp")
        assert plain.allocate().cls == SUCCESS
        plain.t.close()
        gone(relay, lambda found: not found)


def test_put_out_on_the_way(relay):
    with begin(one(relay)) as old, move(relay, old) as c:
        relay.flock.ctl("turn", "kick", relay.user)
        assert old.refresh().code == c.refresh().code == 437
        assert ask(relay, c)[1].code == 437
        old.relayed = c.relayed = []


def test_tcp_to_peers_does_not_move(relay):
    with one(relay, "tcp") as c:
        assert c.allocate(attr(MOBILITY_TICKET), transport=TCP).code == 405
        assert c.allocate(transport=TCP).cls == SUCCESS


def test_quota_of_the_new_address(relay):
    full = "127.0.0.77"
    with contextlib.ExitStack() as stack:
        first, second, *_ = [begin(stack.enter_context(one(relay, local=full))) for _ in range(ADDRESS_MAX)]
        third = begin(stack.enter_context(one(relay, local="127.0.0.2")))
        assert ask(relay, third, local=full)[1].code == 486
        # Another port of the same address is nothing more.
        moved = stack.enter_context(move(relay, first, local=full))
        assert moved.permit(("127.0.0.1", 9)).cls == SUCCESS
        assert one(relay, local=full).allocate().code == 486
        away = stack.enter_context(move(relay, moved, local="127.0.0.3"))
        # Counted at both until it has gone.
        assert one(relay, local=full).allocate().code == 486
        assert away.permit(("127.0.0.1", 9)).cls == SUCCESS
        assert begin(stack.enter_context(one(relay, local=full))).ticket
        first.relayed = moved.relayed = []
        assert second.refresh().cls == SUCCESS


def test_off(special):
    relay = special({"mobility": False})
    relay.user = "romeo@turn.test"
    with one(relay) as c:
        assert c.allocate(attr(MOBILITY_TICKET)).code == 405
        assert c.allocate().cls == SUCCESS
        assert c.refresh(None, attr(MOBILITY_TICKET, b"A" * 32)).code == 405
        c.ticket = b"A" * 32
        assert ask(relay, c)[1].code == 405
