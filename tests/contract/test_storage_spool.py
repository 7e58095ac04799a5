# SPDX-License-Identifier: Apache-2.0
"""What any storage implementation must do with the spool (ipc/proto/storage.proto): stanzas for other servers, and who owns a slot of domains."""
import secrets

import pytest

from starling_bus import CallFailed, storage_pb2 as s, types_pb2 as t
from test_storage import store  # noqa: F401


def slot_of(domain):
    h = 0xcbf29ce484222325
    for byte in domain.encode():
        h = (h ^ byte) * 0x100000001b3 % (1 << 64)
    return (h ^ h >> 32) % 1024


class Owner:
    """Owns the slot of a domain that nobody else uses."""

    def __init__(self, store, domain):
        self.store, self.domain, self.slot, self.instance = store, domain, slot_of(domain), secrets.randbits(64) | 1
        self.epoch = self.claim(self.instance).epoch

    def claim(self, instance, alive=(), renew=0):
        owner, = self.store("SpoolClaim", s.SpoolClaimRequest(slots=[self.slot], instance=instance, alive=alive, renew=renew)).owners
        assert owner.slot == self.slot
        return owner

    def release(self, owner):
        self.store("SpoolRelease", s.SpoolReleaseRequest(owners=[owner]))

    def fence(self, epoch=None):
        return t.Fence(slot=self.slot, epoch=self.epoch if epoch is None else epoch)

    def append(self, body=b"x", epoch=None, **fields):
        meta = t.StanzaMeta(kind=t.STANZA_MESSAGE, **{"from": "romeo@" + self.store.host}, to="juliet@" + self.domain)
        return self.store("SpoolAppend", s.SpoolAppendRequest(domain=self.domain, meta=meta, fence=self.fence(epoch), **fields), body).id

    def done(self, *ids, epoch=None):
        self.store("SpoolDone", s.SpoolDoneRequest(domain=self.domain, ids=ids, fence=self.fence(epoch)))

    def fetch(self, after=0, limit=500):
        return self.store("SpoolFetch", s.SpoolFetchRequest(domain=self.domain, after=after, limit=limit))

    def ids(self):
        return [e.id for e in self.fetch().entries]

    def listed(self):
        reply = self.store("SpoolDomains", s.SpoolDomainsRequest(slots=[self.slot]))
        return next((d for d in reply.domains if d.domain == self.domain), None)


def failure(function, *args, **fields):
    with pytest.raises(CallFailed) as failed:
        function(*args, **fields)
    return failed.value.name


@pytest.fixture
def owner(store):
    o = Owner(store, "s%s.spool.invalid" % secrets.token_hex(8))
    yield o
    store("SpoolDone", s.SpoolDoneRequest(domain=o.domain, ids=o.ids()))
    o.release(o.claim(o.instance))


def test_append_and_fetch(owner):
    assert not owner.ids() and owner.fetch().complete and owner.listed() is None
    first = owner.append(b"<message>1</message>", extra=b"<delay/>", time_us=1700000000000000, key_stream=(1 << 64) - 1, key_number=7)
    second = owner.append(time_us=1700000000000001)
    assert second > first
    one, two = owner.fetch().entries
    assert (one.id, one.stanza, one.extra, one.time_us) == (first, b"<message>1</message>", b"<delay/>", 1700000000000000)
    assert (one.key_stream, one.key_number) == ((1 << 64) - 1, 7)
    assert one.meta.to == "juliet@" + owner.domain
    assert (two.id, two.extra, two.key_stream) == (second, b"", 0)
    listed = owner.listed()
    assert (listed.slot, listed.count, listed.oldest_us) == (owner.slot, 2, 1700000000000000)
    assert listed.bytes >= 21


def test_pages(owner):
    made = [owner.append(b"%d" % n) for n in range(7)]
    assert made == sorted(made)
    seen, after = [], 0
    while True:
        page = owner.fetch(after, 3)
        assert len(page.entries) <= 3
        seen += [e.id for e in page.entries]
        if page.complete:
            break
        after = seen[-1]
    assert seen == made
    for limit in (0, 501):
        assert failure(owner.fetch, 0, limit) == "INVALID"


def test_large_reply_ends_early(owner):
    made = [owner.append(b"x" * 200000) for _ in range(12)]
    page = owner.fetch()
    assert 1 <= len(page.entries) < 12 and not page.complete
    assert [e.id for e in page.entries] == made[:len(page.entries)]


def test_done(owner):
    made = [owner.append(time_us=n + 1) for n in range(5)]
    owner.done(made[1], made[3], 12345678901234567, made[1])
    assert owner.ids() == [made[0], made[2], made[4]]
    owner.done(made[0])
    owner.done(made[0])
    assert (owner.listed().count, owner.listed().oldest_us) == (2, 3)
    owner.done(*made)
    assert owner.listed() is None and not owner.ids()
    # A repeated SpoolDone must not hit what came later.
    assert owner.append() not in made
    owner.done(*made)
    assert len(owner.ids()) == 1
    assert failure(owner.done, *range(1, 1002)) == "INVALID"


def test_again(owner):
    key = {"key_stream": secrets.randbits(63) + 1, "key_number": 1}
    first = owner.append(**key)
    assert owner.append(again=True, **key) == first
    assert owner.append(again=True, key_stream=key["key_stream"], key_number=2) != first
    assert owner.append(**key) != first
    assert len(owner.ids()) == 3
    assert owner.append(again=True, max_count=3, **key) in owner.ids()
    assert owner.append(again=True) != owner.append(again=True)
    assert len(owner.ids()) == 5


def test_limits(owner):
    made = [owner.append(b"0123456789", max_count=3) for _ in range(3)]
    assert failure(owner.append, max_count=3) == "LIMIT"
    owner.append(max_count=4)
    owner.done(*owner.ids()[1:])
    assert failure(owner.append, b"x" * 1000, max_bytes=1000) == "LIMIT"
    owner.append(b"x" * 1000, max_bytes=2000)
    owner.append(b"x" * 10000)
    owner.done(made[0])


def test_claims(owner):
    epoch, me = owner.epoch, owner.instance
    assert owner.claim(me).epoch == epoch
    taken = owner.claim(5, alive=[3, me, 5])
    assert (taken.epoch, taken.instance) == (epoch, me)
    taken = owner.claim(5, alive=[3, 5])
    assert taken.instance == 5 and taken.epoch > epoch
    back = owner.claim(me, alive=[me])
    assert back.instance == me and back.epoch > taken.epoch


def test_renew(owner):
    """A higher epoch for the same owner: what is still on its way under the former one is refused, what was done in time is found."""
    old, me = owner.epoch, owner.instance
    key = {"key_stream": secrets.randbits(63) + 1, "key_number": 1}
    first = owner.append(**key)
    renewed = owner.claim(me, alive=[me], renew=old)
    assert renewed.instance == me and renewed.epoch > old
    assert owner.claim(me, renew=old) == renewed  # once for each epoch
    assert owner.claim(5, alive=[me], renew=renewed.epoch) == renewed  # only one's own
    assert failure(owner.append, epoch=old, **key) == "FENCED"
    owner.epoch = renewed.epoch
    assert owner.append(again=True, **key) == first
    assert owner.ids() == [first]


def test_release(owner):
    mine = s.SpoolOwner(slot=owner.slot, epoch=owner.epoch, instance=owner.instance)
    owner.release(s.SpoolOwner(slot=owner.slot, epoch=owner.epoch + 1, instance=owner.instance))
    owner.release(s.SpoolOwner(slot=owner.slot, epoch=owner.epoch, instance=5))
    assert owner.claim(5, alive=[owner.instance]) == mine
    owner.release(mine)
    owner.release(mine)
    other = owner.claim(5, alive=[owner.instance])
    assert other.instance == 5 and other.epoch > owner.epoch
    owner.release(mine)
    assert owner.claim(owner.instance, alive=[5]) == other
    owner.release(other)
    owner.epoch = owner.claim(owner.instance, alive=[5]).epoch
    assert owner.epoch > other.epoch


def test_fences(owner):
    first = owner.append()
    old = owner.epoch
    owner.epoch = owner.claim(5).epoch
    for epoch in (old, owner.epoch + 1, 0):
        assert failure(owner.append, epoch=epoch) == "FENCED"
        assert failure(owner.done, first, epoch=epoch) == "FENCED"
    assert owner.ids() == [first]
    owner.append()
    owner.done(first)
    assert len(owner.ids()) == 1


@pytest.mark.parametrize("domain", ["", "a@spool.invalid", "spool.invalid/x/y", "spool.invalid/", "/x", "spool invalid", "spool\n", "x" * 1024])
def test_what_is_no_domain(store, domain):
    assert store.code("SpoolAppend", s.SpoolAppendRequest(domain=domain, meta=t.StanzaMeta()), b"<message/>") == "INVALID"
    assert store.code("SpoolFetch", s.SpoolFetchRequest(domain=domain, limit=1)) == "INVALID"
    assert store.code("SpoolDone", s.SpoolDoneRequest(domain=domain, ids=[1])) == "INVALID"


def test_long_domain(store):
    long = Owner(store, secrets.token_hex(8) + "x" * 1007)
    assert [long.append()] == long.ids()
    long.done(*long.ids())
    long.release(long.claim(long.instance))


def test_refusals(owner):
    call, domain = owner.store.code, owner.domain
    assert call("SpoolAppend", s.SpoolAppendRequest(domain=domain), b"x") == "INVALID"
    assert call("SpoolAppend", s.SpoolAppendRequest(domain=domain, meta=t.StanzaMeta())) == "INVALID"
    elsewhere = t.Fence(slot=(owner.slot + 1) % 1024, epoch=owner.epoch)
    assert call("SpoolAppend", s.SpoolAppendRequest(domain=domain, meta=t.StanzaMeta(), fence=elsewhere), b"x") == "INVALID"
    assert call("SpoolClaim", s.SpoolClaimRequest(slots=[1024], instance=1)) == "INVALID"
    assert call("SpoolClaim", s.SpoolClaimRequest(slots=[owner.slot])) == "INVALID"
    assert call("SpoolClaim", s.SpoolClaimRequest(slots=[owner.slot] * 1025, instance=1)) == "INVALID"
    assert call("SpoolRelease", s.SpoolReleaseRequest(owners=[s.SpoolOwner(slot=1024, epoch=1, instance=1)])) == "INVALID"
    assert call("SpoolDomains", s.SpoolDomainsRequest(slots=[1024])) == "INVALID"
    assert not owner.ids()
