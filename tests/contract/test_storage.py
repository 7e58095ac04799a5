# SPDX-License-Identifier: Apache-2.0
"""What any storage implementation must do (ipc/proto/storage.proto): each method's basic contract."""
import secrets
import time

import pytest

from starling_bus import CallFailed, storage_pb2 as s, types_pb2 as t


class Storage:
    def __init__(self, bus, host):
        self.bus, self.host, self.accounts = bus, host, []

    def __call__(self, method, request, payload=b""):
        return self.bus.call("storage", "storage." + method, request, payload=payload, timeout=15)

    def code(self, method, request, payload=b""):
        try:
            self(method, request, payload)
        except CallFailed as failure:
            return failure.name
        return "OK"

    def credentials(self, account, salt=b"0123456789abcdef"):
        c = s.Credentials(account=account)
        c.scram.add(hash="SHA-256", salt=salt, iterations=4096, stored_key=b"s" * 32, server_key=b"v" * 32)
        return c

    def account(self):
        account = "s%s@%s" % (secrets.token_hex(6), self.host)
        self("AccountCreate", self.credentials(account))
        self.accounts.append(account)
        return account


@pytest.fixture
def store(bus, host):
    st = Storage(bus, host)
    assert bus.pump_until(lambda: any(r.state == 1 for r in bus.instances("storage").values()), 10), "no storage instance is ready"
    yield st
    for account in st.accounts:
        st.code("AccountDelete", s.AccountKey(account=account))


# --- accounts ---------------------------------------------------------------------------------------------------------

def test_account_life(store):
    account = store.account()
    key = s.AccountKey(account=account)
    assert store("CredentialsGet", key) == store.credentials(account)
    assert store.code("AccountCreate", store.credentials(account)) == "EXISTS"
    fresh = store.credentials(account, b"another salt....")
    store("CredentialsSet", fresh)
    assert store("CredentialsGet", key) == fresh
    store("AccountDelete", key)
    assert store.code("CredentialsGet", key) == "NOT_FOUND"
    assert store.code("CredentialsSet", fresh) == "NOT_FOUND"
    assert store.code("AccountDelete", key) == "NOT_FOUND"


def test_account_list_pages(store):
    made = sorted(store.account() for _ in range(5))
    seen, after = [], ""
    for _ in range(100000):
        page = store("AccountList", s.AccountListRequest(host=store.host, after=after, limit=2))
        assert len(page.accounts) <= 2
        seen += page.accounts
        if page.complete:
            break
        after = page.accounts[-1]
    assert set(made) <= set(seen) and len(seen) == len(set(seen))
    assert list(store("AccountList", s.AccountListRequest(host="elsewhere.invalid", limit=10)).accounts) == []


def test_deleting_takes_everything_along(store):
    account = store.account()
    store("RosterPut", s.RosterPutRequest(account=account, item=s.RosterItem(jid="a@example.org")))
    store("VcardPut", s.VcardPutRequest(account=account, xml=b"<vCard xmlns='vcard-temp'/>"))
    append(store, account, b"gone with it")
    store("AccountDelete", s.AccountKey(account=account))
    store("AccountCreate", store.credentials(account))
    assert not store("RosterLoad", s.RosterLoadRequest(account=account)).items
    assert store("VcardGet", s.AccountKey(account=account)).xml == b""
    assert store("OfflineCount", s.AccountKey(account=account)).count == 0


# --- roster -----------------------------------------------------------------------------------------------------------

def test_roster(store):
    account = store.account()
    first = store("RosterPut", s.RosterPutRequest(account=account, item=s.RosterItem(
        jid="a@example.org", name="A", groups=["x", "y"], subscription=s.SUBSCRIPTION_BOTH, ask=True, pending_in=True, pending_stanza=b"<p/>",
        approved=True, hidden=True))).version
    second = store("RosterPut", s.RosterPutRequest(account=account, item=s.RosterItem(jid="b@example.org"))).version
    assert 0 < first < second
    roster = store("RosterLoad", s.RosterLoadRequest(account=account))
    assert roster.version == second and roster.complete and not roster.removed
    items = {i.jid: i for i in roster.items}
    a = items["a@example.org"]
    assert (a.name, sorted(a.groups), a.subscription, a.ask, a.pending_in, a.pending_stanza, a.approved, a.hidden, a.version) == (
        "A", ["x", "y"], s.SUBSCRIPTION_BOTH, True, True, b"<p/>", True, True, first)
    third = store("RosterPut", s.RosterPutRequest(account=account, item=s.RosterItem(jid="a@example.org", name="AA"))).version
    roster = store("RosterLoad", s.RosterLoadRequest(account=account))
    assert len(roster.items) == 2 and {i.jid: i.name for i in roster.items}["a@example.org"] == "AA"
    fourth = store("RosterRemove", s.RosterRemoveRequest(account=account, jid="b@example.org")).version
    assert third < fourth
    assert [i.jid for i in store("RosterLoad", s.RosterLoadRequest(account=account)).items] == ["a@example.org"]


def test_roster_since(store):
    account = store.account()
    for jid in ("a@example.org", "b@example.org"):
        version = store("RosterPut", s.RosterPutRequest(account=account, item=s.RosterItem(jid=jid))).version
    store("RosterPut", s.RosterPutRequest(account=account, item=s.RosterItem(jid="c@example.org")))
    now = store("RosterRemove", s.RosterRemoveRequest(account=account, jid="a@example.org")).version
    delta = store("RosterLoad", s.RosterLoadRequest(account=account, since=version))
    assert delta.version == now
    if not delta.complete:
        assert [i.jid for i in delta.items] == ["c@example.org"] and list(delta.removed) == ["a@example.org"]
    same = store("RosterLoad", s.RosterLoadRequest(account=account, since=now))
    assert same.version == now and (same.complete or not same.items and not same.removed)


def test_roster_of_nobody(store):
    nobody = "nobody%s@%s" % (secrets.token_hex(4), store.host)
    assert store.code("RosterPut", s.RosterPutRequest(account=nobody, item=s.RosterItem(jid="a@b"))) == "NOT_FOUND"
    assert not store("RosterLoad", s.RosterLoadRequest(account=nobody)).items


# --- offline ----------------------------------------------------------------------------------------------------------

def append(store, account, body, **fields):
    fields.setdefault("key", secrets.token_bytes(16))
    request = s.OfflineAppendRequest(account=account, time_us=int(time.time() * 1e6), meta=t.StanzaMeta(kind=t.STANZA_MESSAGE, id=body.decode()), **fields)
    return store("OfflineAppend", request, b"<message><body>" + body + b"</body></message>").id


def test_offline_order_and_pages(store):
    account = store.account()
    ids = [append(store, account, b"%d" % n) for n in range(7)]
    assert ids == sorted(set(ids))
    seen, after = [], 0
    for _ in range(10):
        page = store("OfflineFetch", s.OfflineFetchRequest(account=account, after=after, limit=3))
        assert len(page.messages) <= 3
        seen += page.messages
        if page.complete:
            break
        after = page.messages[-1].id
    assert [m.id for m in seen] == ids
    assert [m.stanza for m in seen] == [b"<message><body>%d</body></message>" % n for n in range(7)]
    assert seen[3].meta.id == "3" and seen[3].time_us > 0
    assert store("OfflineCount", s.AccountKey(account=account)).count == 7
    store("OfflineRemove", s.OfflineRemoveRequest(account=account, ids=ids[:3] + [1 << 60]))
    store("OfflineRemove", s.OfflineRemoveRequest(account=account, ids=ids[:3]))
    assert [m.id for m in store("OfflineFetch", s.OfflineFetchRequest(account=account, limit=100)).messages] == ids[3:]


def test_offline_append_twice_stores_once(store):
    account = store.account()
    first = append(store, account, b"once", key=b"the same key")
    assert append(store, account, b"once", key=b"the same key") == first
    assert store("OfflineCount", s.AccountKey(account=account)).count == 1


def test_offline_limit(store):
    account = store.account()
    for n in range(3):
        append(store, account, b"%d" % n, max=3)
    with pytest.raises(CallFailed) as failure:
        append(store, account, b"too many", max=3)
    assert failure.value.name == "LIMIT"
    append(store, account, b"no limit")


def test_offline_of_another_account_stays(store):
    mine, other = store.account(), store.account()
    number = append(store, other, b"x")
    store("OfflineRemove", s.OfflineRemoveRequest(account=mine, ids=[number]))
    assert store("OfflineCount", s.AccountKey(account=other)).count == 1


def test_offline_for_nobody(store):
    with pytest.raises(CallFailed) as failure:
        append(store, "nobody%s@%s" % (secrets.token_hex(4), store.host), b"x")
    assert failure.value.name == "NOT_FOUND"


# --- small things -----------------------------------------------------------------------------------------------------

def test_private(store):
    account = store.account()
    key = s.PrivateKey(account=account, name="storage", ns="storage:bookmarks")
    assert store("PrivateGet", key).xml == b""
    store("PrivatePut", s.PrivatePutRequest(key=key, xml=b"<storage/>"))
    store("PrivatePut", s.PrivatePutRequest(key=key, xml=b"<storage>2</storage>"))
    assert store("PrivateGet", key).xml == b"<storage>2</storage>"
    assert store("PrivateGet", s.PrivateKey(account=account, name="storage", ns="other")).xml == b""
    store("PrivatePut", s.PrivatePutRequest(key=key))
    assert store("PrivateGet", key).xml == b""


def test_vcard(store):
    account = store.account()
    assert store("VcardGet", s.AccountKey(account=account)).xml == b""
    xml = b"<vCard xmlns='vcard-temp'><FN>\xc3\xa4</FN></vCard>"
    store("VcardPut", s.VcardPutRequest(account=account, xml=xml))
    assert store("VcardGet", s.AccountKey(account=account)).xml == xml


def test_last(store):
    account = store.account()
    assert store("LastGet", s.AccountKey(account=account)).time_us == 0
    store("LastPut", s.LastPutRequest(account=account, time_us=1234567890, status="gone"))
    reply = store("LastGet", s.AccountKey(account=account))
    assert (reply.time_us, reply.status) == (1234567890, "gone")


# --- fences -----------------------------------------------------------------------------------------------------------

def test_lower_epoch_is_fenced(store):
    """By the epoch that a session-manager holds now, so that a live flock is not disturbed."""
    claims = [c for r in store.bus.instances("session-manager").values() for c in r.slots]
    if not claims:
        pytest.skip("nobody holds a slot")
    now = t.Fence(slot=claims[0].slot, epoch=claims[0].epoch)
    before = t.Fence(slot=claims[0].slot, epoch=claims[0].epoch - 1)
    account = store.account()
    item = s.RosterItem(jid="a@example.org")
    append(store, account, b"now", fence=now)
    version = store("RosterPut", s.RosterPutRequest(account=account, item=item, fence=now)).version
    assert store.code("RosterPut", s.RosterPutRequest(account=account, item=s.RosterItem(jid="b@example.org"), fence=before)) == "FENCED"
    assert store.code("RosterRemove", s.RosterRemoveRequest(account=account, jid="a@example.org", fence=before)) == "FENCED"
    with pytest.raises(CallFailed) as failure:
        append(store, account, b"before", fence=before)
    assert failure.value.name == "FENCED"
    assert store("RosterLoad", s.RosterLoadRequest(account=account)).version == version
    assert store("OfflineCount", s.AccountKey(account=account)).count == 1
