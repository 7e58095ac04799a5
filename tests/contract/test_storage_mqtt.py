# SPDX-License-Identifier: Apache-2.0
"""What any storage implementation must do for mqtt-brokers (ipc/proto/mqtt_store.proto): sessions and who may write under them, queues, retained messages."""
import secrets
import time

import pytest

from starling_bus import storage_pb2 as s
from test_storage import store  # noqa: F401
from test_storage_spool import failure
from ipc.proto import mqtt_store_pb2 as q

A, B = (1 << 64) - 5, 7  # brokers


def slot_of(name):
    """The whole name: what stands behind the slash counts."""
    h = 0xcbf29ce484222325
    for byte in name.encode():
        h = (h ^ byte) * 0x100000001b3 % (1 << 64)
    return (h ^ h >> 32) % 1024


class Session:
    """Opened by broker A."""

    def __init__(self, store, name=None, **fields):
        self.store, self.name, self.seq = store, name or "%s/%s" % (store.host, secrets.token_hex(8)), 0
        self.state = self.open(**fields)

    def open(self, instance=A, alive=(), clean=False, **fields):
        reply = self.store("MqttOpen", q.MqttOpenRequest(session=q.MqttSession(name=self.name, version=5, **{"expiry_s": 3600, **fields}), clean=clean,
                                                         instance=instance, alive=alive))
        self.fence, self.present = q.MqttFence(session=reply.session.fence.session, epoch=reply.session.fence.epoch), reply.present
        return reply.session

    def former(self):
        return q.MqttFence(session=self.fence.session, epoch=self.fence.epoch - 1)

    def queue(self, payload=b"x", qos=1, fence=None, origin=0, number=0, again=False, **fields):
        self.seq += 1
        to = q.MqttQueued(fence=fence or self.fence, seq=self.seq, qos=qos, **fields)
        reply = self.store("MqttQueue", q.MqttQueueRequest(message=q.MqttMessage(topic=self.store.host + "/t", qos=qos), to=[to], key_origin=origin,
                                                           key_number=number, again=again), payload)
        return "duplicate" if reply.duplicates else "fenced" if reply.fenced else "stored"

    def fetch(self, after=0, limit=500):
        return self.store("MqttFetch", q.MqttFetchRequest(session=self.fence.session, after=after, limit=limit))

    def waiting(self):
        return [e.seq for e in self.fetch().entries]

    def done(self, *seqs, received=(), fence=None):
        self.store("MqttDone", q.MqttDoneRequest(fence=fence or self.fence, done=seqs, received=received))

    def close(self, remove=True, fence=None):
        self.store("MqttClose", q.MqttCloseRequest(fence=fence or self.fence, remove=remove))

    def receive(self, packet, fence=None):
        return self.store("MqttReceive", q.MqttReceiveRequest(fence=fence or self.fence, packet=packet))


@pytest.fixture
def session(store):
    made = Session(store)
    yield made
    made.open(clean=True)
    made.close()


def test_open(session):
    assert not session.present and session.state.next_seq == 1 and not session.state.subscriptions
    first = session.fence
    will = q.MqttMessage(topic=session.store.host + "/will", payload=b"gone", retain=True)
    session.open(will=will, will_delay_s=9)
    assert session.present and session.fence.session == first.session and session.fence.epoch > first.epoch
    assert not session.open(will=will, will_delay_s=9).HasField("will")  # it may be a repetition
    state = session.open(instance=B)
    assert state.will == will and state.will_delay_s == 9  # what was there before
    assert not session.open().HasField("will")


def test_owner(session):
    assert failure(session.open, instance=B, alive=[A, B]) == "EXISTS"
    assert failure(session.open, instance=B, alive=[A, B], clean=True) == "EXISTS"
    assert failure(session.open, user="somebody@else.invalid") == "DENIED"
    session.queue()
    session.open(instance=B, alive=[B])
    assert session.present
    assert session.queue(fence=session.former()) == "fenced" and session.queue() == "stored"
    session.close(remove=False)
    session.open(alive=[B])
    assert session.present and len(session.waiting()) == 2


def test_every_write_needs_the_epoch(session):
    session.queue()
    session.open()
    old = session.former()
    set_request = q.MqttSessionSetRequest(fence=old, expiry_s=1)
    call = session.store.code
    assert call("MqttSessionSet", set_request) == "FENCED"
    assert call("MqttClose", q.MqttCloseRequest(fence=old)) == "FENCED"
    assert call("MqttSubscribe", q.MqttSubscribeRequest(fence=old, add=[q.MqttSubscription(filter="a")])) == "FENCED"
    assert call("MqttDone", q.MqttDoneRequest(fence=old, done=[1])) == "FENCED"
    assert call("MqttReceive", q.MqttReceiveRequest(fence=old, packet=1)) == "FENCED"
    assert call("MqttReleased", q.MqttReleasedRequest(fence=old, packets=[1])) == "FENCED"
    assert len(session.waiting()) == 1 and not session.open().subscriptions


def test_clean(session):
    session.queue()
    session.receive(3)
    first = session.fence
    state = session.open()
    assert session.present and state.queued == 1 and state.next_seq == 2 and list(state.received) == [3]
    state = session.open(clean=True)
    assert not session.present and session.fence.session != first.session
    assert not state.queued and not state.received and not session.waiting()
    session.close()
    assert failure(session.close) == "FENCED"
    session.open()
    assert not session.present


def test_expired(session):
    now = int(time.time() * 1e6)
    session.store("MqttSessionSet", q.MqttSessionSetRequest(fence=session.fence, expiry_s=100, disconnected_us=now - 50000000))
    state = session.open(instance=B)
    assert session.present and state.disconnected_us == now - 50000000
    session.store("MqttSessionSet", q.MqttSessionSetRequest(fence=session.fence, expiry_s=100, disconnected_us=now - 150000000))
    session.open(instance=B, user="anybody@else.invalid")
    assert not session.present
    session.open(clean=True, user="anybody@else.invalid")
    session.close()


def test_subscriptions(session):
    def subscribe(*add, remove=()):
        session.store("MqttSubscribe", q.MqttSubscribeRequest(fence=session.fence, add=add, remove=remove))

    one, two = q.MqttSubscription(filter="a/+", options=1, identifier=5), q.MqttSubscription(filter="$share/g/b", options=0x2e)
    subscribe(one, two)
    assert sorted(session.open().subscriptions, key=lambda x: x.filter) == [two, one]
    one.options = 2
    subscribe(one, remove=["$share/g/b", "c"])
    assert list(session.open().subscriptions) == [one]
    subscribe(q.MqttSubscription(filter="d", options=1), q.MqttSubscription(filter="d", options=2), remove=["a/+"])
    assert list(session.open().subscriptions) == [q.MqttSubscription(filter="d", options=2)]


def test_queue(store, session):
    other = Session(store)
    message = q.MqttMessage(topic=store.host + "/x", qos=2, retain=True, properties=b"\x01\x01", expires_us=5, time_us=6, publisher="p")
    to = [q.MqttQueued(fence=session.fence, seq=9, qos=2, retain=True), q.MqttQueued(fence=other.fence, seq=1, qos=1, identifiers=[3, 4]),
          q.MqttQueued(fence=q.MqttFence(session=other.fence.session, epoch=99), seq=2, qos=1)]
    reply = store("MqttQueue", q.MqttQueueRequest(message=message, to=to), b"payload")
    assert list(reply.fenced) == [other.fence.session] and not reply.duplicates
    message.payload = b"payload"
    entry, = session.fetch().entries
    assert entry == q.MqttEntry(seq=9, qos=2, retain=True, message=message)
    entry, = other.fetch().entries
    assert entry == q.MqttEntry(seq=1, qos=1, identifiers=[3, 4], message=message)
    other.close()


def test_pages(session):
    for _ in range(7):
        session.queue(b"y" * 10)
    assert len(session.fetch(0, 3).entries) == 3 and not session.fetch(0, 3).complete
    assert [e.seq for e in session.fetch(3, 4).entries] == [4, 5, 6, 7] and session.fetch(3, 4).complete
    for _ in range(12):
        session.queue(b"x" * 200000)
    page = session.fetch(7)
    assert 1 <= len(page.entries) < 12 and not page.complete
    for limit in (0, 501):
        assert failure(session.fetch, 0, limit) == "INVALID"


def test_done(session):
    for qos in (1, 1, 2, 2):
        session.queue(qos=qos, origin=77, number=session.seq)
    session.done(1, 1, 99)
    session.done(1, received=[3])
    assert session.waiting() == [2, 3, 4]
    _, received, waits = session.fetch().entries
    assert received.received and not received.HasField("message") and not waits.received
    session.done(2, 3, 4)
    assert not session.waiting()


def test_again(session):
    key = {"origin": secrets.randbits(64) | 1, "number": 1}
    for qos in (1, 2):
        key["number"] += 1
        assert session.queue(qos=qos, **key) == "stored"
        assert session.queue(qos=qos, again=True, **key) == "duplicate"
        assert session.queue(qos=qos, **key) == "stored"
    session.done(*session.waiting())
    # Of QoS 2 the name stays, of QoS 1 it does not.
    assert session.queue(qos=2, again=True, **key) == "duplicate"
    assert session.queue(qos=1, again=True, origin=key["origin"], number=2) == "stored"
    assert session.queue(again=True) == session.queue(again=True) == "stored"


def test_receive(session):
    first = session.receive(1)
    assert first.key_origin and not first.again
    again = session.receive(1)
    assert again.again and (again.key_origin, again.key_number) == (first.key_origin, first.key_number)
    session.open()
    assert session.receive(1).key_number == first.key_number
    session.store("MqttReleased", q.MqttReleasedRequest(fence=session.fence, packets=[1, 2]))
    fresh = session.receive(1)
    assert not fresh.again and (fresh.key_origin, fresh.key_number) != (first.key_origin, first.key_number)


def test_adopt(store):
    """Many of a dead broker, in pages by name; each comes once."""
    dead, heir = secrets.randbits(62) | 1, secrets.randbits(62) | 1
    made = [Session(store) for _ in range(9)]
    for one in made:
        one.open(instance=dead)
    slots = sorted({slot_of(one.name) for one in made})
    others = list(store.bus.instances("mqtt-broker"))  # of a live flock
    got, after = [], ""
    while True:
        reply = store("MqttAdopt", q.MqttAdoptRequest(slots=slots, instance=heir, alive=[A, B, heir, *others], after=after, limit=2))
        got += reply.sessions
        assert len(reply.sessions) <= 2
        if reply.complete:
            break
        after = reply.sessions[-1].name
    mine = {one.name: one for one in made}
    found = [one for one in got if one.name in mine]
    assert [one.name for one in found] == sorted(mine)
    for one in found:
        assert one.fence.session == mine[one.name].fence.session and one.fence.epoch > mine[one.name].fence.epoch
        assert mine[one.name].queue() == "fenced"
        mine[one.name].open(instance=heir)
        mine[one.name].close()
    assert store.code("MqttAdopt", q.MqttAdoptRequest(slots=[1024], instance=heir, limit=1)) == "INVALID"
    assert store.code("MqttAdopt", q.MqttAdoptRequest(slots=[1], instance=heir, limit=501)) == "INVALID"
    assert store.code("MqttAdopt", q.MqttAdoptRequest(slots=[1], limit=1)) == "INVALID"


def test_account_takes_its_sessions_along(store):
    account = store.account()
    session = Session(store, user=account)
    session.queue()
    store("AccountDelete", s.AccountKey(account=account))
    assert session.queue() == "fenced" and not session.waiting()
    session.open()
    assert not session.present
    session.close()


# --- retained ---------------------------------------------------------------------------------------------------------

class Topics:
    def __init__(self, store):
        self.store, self.prefix = store, "%s/%s/" % (store.host, secrets.token_hex(6))

    def put(self, topic, payload, **fields):
        message = q.MqttMessage(topic=self.prefix + topic, retain=True, **fields)
        return self.store("MqttRetain", q.MqttRetainRequest(message=message), payload).version

    def page(self, after="", limit=500):
        reply = self.store("MqttRetainedList", q.MqttRetainedRequest(after=self.prefix + after, limit=limit))
        mine = [r for r in reply.retained if r.message.topic.startswith(self.prefix)]
        return [(r.message.topic[len(self.prefix):], r.message.payload) for r in mine], reply.complete

    def versions(self):
        reply = self.store("MqttRetainedList", q.MqttRetainedRequest(after=self.prefix, limit=500))
        return {r.message.topic[len(self.prefix):]: r.version for r in reply.retained if r.message.topic.startswith(self.prefix)}


@pytest.fixture
def topics(store):
    made = Topics(store)
    yield made
    for topic in made.versions():
        made.put(topic, b"")


def test_retain(topics):
    versions = [topics.put("b", b"1"), topics.put("a", b"2"), topics.put("b", b"3"), topics.put("c", b"4"), topics.put("c", b"")]
    assert versions == sorted(set(versions)) and versions[0] > 0
    assert topics.page()[0] == [("a", b"2"), ("b", b"3")]
    assert topics.versions() == {"a": versions[1], "b": versions[2]}
    assert topics.put("c", b"") > versions[-1]


def test_retained_pages(topics):
    for n in (3, 1, 2):
        topics.put(str(n), b"%d" % n)
    assert topics.page("", 2) == ([("1", b"1"), ("2", b"2")], False)
    assert topics.page("2", 500)[0] == [("3", b"3")]
    for limit in (0, 501):
        assert failure(topics.page, "", limit) == "INVALID"


def test_retained_expire(topics):
    now = int(time.time() * 1e6)
    topics.put("gone", b"x", expires_us=now - 1000000)
    topics.put("here", b"x", expires_us=now + 3600000000)
    assert topics.page()[0] == [("here", b"x")]


def test_refusals(store, session):
    call, f = store.code, session.fence
    good = q.MqttSession(name=session.name)
    assert call("MqttOpen", q.MqttOpenRequest(session=good)) == "INVALID"
    assert call("MqttOpen", q.MqttOpenRequest(instance=1)) == "INVALID"
    assert call("MqttOpen", q.MqttOpenRequest(instance=1, session=q.MqttSession())) == "INVALID"
    assert call("MqttOpen", q.MqttOpenRequest(instance=1, session=q.MqttSession(name="x" * 65801))) == "INVALID"
    assert call("MqttSessionSet", q.MqttSessionSetRequest()) == "INVALID"
    assert call("MqttClose", q.MqttCloseRequest(fence=q.MqttFence(session=1))) == "INVALID"
    assert call("MqttSubscribe", q.MqttSubscribeRequest(fence=f, add=[q.MqttSubscription()])) == "INVALID"
    assert call("MqttSubscribe", q.MqttSubscribeRequest(fence=f, add=[q.MqttSubscription(filter="a", options=256)])) == "INVALID"
    assert call("MqttSubscribe", q.MqttSubscribeRequest(fence=f, remove=["a"] * 1001)) == "INVALID"
    assert call("MqttDone", q.MqttDoneRequest(fence=f, done=range(1, 1002))) == "INVALID"
    assert call("MqttReceive", q.MqttReceiveRequest(fence=f)) == "INVALID"
    assert call("MqttReceive", q.MqttReceiveRequest(fence=f, packet=65536)) == "INVALID"
    assert call("MqttReleased", q.MqttReleasedRequest(fence=f, packets=[0])) == "INVALID"
    m, to = q.MqttMessage(topic="t"), q.MqttQueued(fence=f, seq=1, qos=1)
    assert call("MqttQueue", q.MqttQueueRequest(message=m)) == "INVALID"
    assert call("MqttQueue", q.MqttQueueRequest(message=m, to=[to] * 1001)) == "INVALID"
    assert call("MqttQueue", q.MqttQueueRequest(to=[to])) == "INVALID"
    assert call("MqttQueue", q.MqttQueueRequest(message=m, to=[q.MqttQueued(fence=f, qos=1)])) == "INVALID"
    assert call("MqttQueue", q.MqttQueueRequest(message=m, to=[q.MqttQueued(fence=f, seq=1)])) == "INVALID"
    assert call("MqttRetain", q.MqttRetainRequest(), b"x") == "INVALID"
    assert call("MqttRetain", q.MqttRetainRequest(message=q.MqttMessage()), b"x") == "INVALID"
    assert not session.waiting()
