# SPDX-License-Identifier: Apache-2.0
"""What any storage implementation must do with the message log (ipc/proto/storage.proto)."""
import secrets
import struct
import time

import pytest

from starling_bus import CallFailed, storage_pb2 as s, types_pb2 as t
from test_storage import append as offline_append, store  # noqa: F401

FAR = "far@elsewhere.invalid"


def meta(sender, recipient, name=None, origin="", resource="/phone"):
    return t.StanzaMeta(kind=t.STANZA_MESSAGE, type=t.TYPE_CHAT, **{"from": sender + resource}, to=recipient, id=name or secrets.token_hex(6),
                        origin_id=origin)


def log(store, sender, recipient, body=b"x", local="both", archived=True, m=None, **fields):
    """Appends a message; `local` says who of the two has an account here."""
    request = s.LogAppendRequest(sender=sender if local in ("both", "sender") else "", archived=archived, meta=m or meta(sender, recipient),
                                 recipient=recipient.split("/")[0] if local in ("both", "recipient") else "", **fields)
    return store("LogAppend", request, b"<message><body>" + body + b"</body></message>")


def fetch(store, account, after=0, limit=500, **fields):
    return store("LogFetch", s.LogFetchRequest(account=account, after=after, limit=limit, **fields))


def query(store, account, limit=100, **fields):
    return store("LogQuery", s.LogQueryRequest(account=account, limit=limit, **fields))


def ids(reply):
    return [e.id for e in reply.entries]


def delivered(store, account, position, holes=(), **fields):
    store("LogDelivered", s.LogDeliveredRequest(account=account, delivered=position, holes=holes, **fields))


def state(store, account):
    return store("LogOpen", s.AccountKey(account=account))


@pytest.fixture
def pair(store):
    return store.account(), store.account()


def failure(function, *args, **kwargs):
    with pytest.raises(CallFailed) as caught:
        function(*args, **kwargs)
    return caught.value.name


# --- append -----------------------------------------------------------------------------------------------------------

def test_position_is_the_time_of_commit(store, pair):
    a, b = pair
    before = int(time.time() * 1e6)
    first = log(store, a, b, b"1").id
    second = log(store, b, a, b"2").id
    assert before <= first < second <= int(time.time() * 1e6) + 1000
    for account in pair:
        assert ids(fetch(store, account)) == [first, second]
    entry = fetch(store, a).entries[0]
    assert (entry.sent, entry.received, entry.archived) == (True, False, True)
    assert entry.stanza == b"<message><body>1</body></message>" and entry.meta.to == b
    entry = fetch(store, b).entries[0]
    assert (entry.sent, entry.received, entry.archived) == (False, True, True)


def test_message_to_oneself_is_one_entry(store):
    me = store.account()
    log(store, me, me)
    entry, = fetch(store, me).entries
    assert entry.sent and entry.received and entry.archived
    assert len(query(store, me).entries) == 1 and state(store, me).waiting == 1


def test_only_accounts_can_receive(store, pair):
    a, nobody = pair[0], "nobody%s@%s" % (secrets.token_hex(4), store.host)
    assert failure(log, store, a, nobody) == "NOT_FOUND"
    assert failure(log, store, FAR, nobody, local="recipient") == "NOT_FOUND"
    assert not fetch(store, a).entries
    log(store, nobody, a)
    assert len(fetch(store, a).entries) == 1
    log(store, nobody, FAR, local="sender")


def test_key_is_looked_up_when_asked(store, pair):
    a, b = pair
    key = {"key_stream": secrets.randbits(63), "key_number": 1}
    first = log(store, a, b, **key)
    assert not first.duplicate
    again = log(store, a, b, check=True, **key)
    assert again.duplicate and again.id == first.id
    assert not log(store, a, b, check=True, key_stream=key["key_stream"], key_number=2).duplicate
    assert len(fetch(store, b).entries) == 2
    assert not log(store, a, b, **key).duplicate
    out = log(store, a, FAR, local="sender", key_stream=5, key_number=5, check=True)
    assert log(store, a, FAR, local="sender", key_stream=5, key_number=5, check=True).id == out.id


def test_origin_is_looked_up_when_asked(store, pair):
    a, b = pair
    first = log(store, a, b, m=meta(a, b, origin="o1"), key_stream=1, key_number=1)
    again = log(store, a, b, m=meta(a, b, origin="o1", resource="/tablet"), key_stream=2, key_number=1, check=True, check_origin=True)
    assert again.duplicate and again.id == first.id
    assert not log(store, a, b, m=meta(a, b, origin="o2"), check_origin=True).duplicate
    assert not log(store, b, a, m=meta(b, a, origin="o1"), check_origin=True).duplicate
    assert not log(store, a, b, m=meta(a, b), check_origin=True).duplicate


def test_repetition_is_known_after_delivery(store):
    me = store.account()
    first = log(store, FAR, me, local="recipient", archived=False, key_stream=9, key_number=9)
    delivered(store, me, first.id)
    assert not fetch(store, me).entries
    assert log(store, FAR, me, local="recipient", archived=False, key_stream=9, key_number=9, check=True).duplicate
    assert not fetch(store, me).entries


def test_limit_counts_what_waits(store):
    me = store.account()
    last = [log(store, FAR, me, local="recipient", archived=bool(n % 2), max_waiting=3).id for n in range(3)][-1]
    assert failure(log, store, FAR, me, local="recipient", max_waiting=3) == "LIMIT"
    log(store, FAR, me, local="recipient")
    delivered(store, me, last)
    log(store, FAR, me, local="recipient", max_waiting=3)


def test_fences(store):
    me = store.account()
    slot = secrets.randbelow(1024)
    new, old = t.Fence(slot=slot, epoch=1 << 50), t.Fence(slot=slot, epoch=(1 << 50) - 1)
    log(store, FAR, me, local="recipient", fence=new)
    assert failure(log, store, FAR, me, local="recipient", fence=old) == "FENCED"
    assert failure(delivered, store, me, 5, fence=old) == "FENCED"
    delivered(store, me, 5, fence=new)
    assert len(fetch(store, me).entries) == 1 and state(store, me).delivered == 5


@pytest.mark.parametrize("request_", [
    s.LogAppendRequest(meta=t.StanzaMeta()),
    s.LogAppendRequest(recipient="no jid", meta=t.StanzaMeta()),
    s.LogAppendRequest(recipient="a@example.org/resource", meta=t.StanzaMeta()),
    s.LogAppendRequest(recipient="a@example.org"),
    s.LogAppendRequest(recipient="a@example.org", meta=t.StanzaMeta(), fence=t.Fence(slot=1024)),
])
def test_append_refusals(store, request_):
    assert store.code("LogAppend", request_, b"<message/>") == "INVALID"


# --- fetch, cursor ----------------------------------------------------------------------------------------------------

def test_fetch_in_pages(store, pair):
    a, b = pair
    made = [log(store, a if n % 3 else b, b if n % 3 else a, b"%d" % n).id for n in range(7)]
    seen, after = [], 0
    while True:
        page = fetch(store, a, after, 3)
        assert len(page.entries) <= 3
        seen += ids(page)
        if page.complete:
            break
        after = seen[-1]
    assert seen == made
    assert ids(fetch(store, a, received_only=True)) == [made[n] for n in (0, 3, 6)]
    assert ids(fetch(store, a, ids=[made[5], 17, made[1]])) == [made[1], made[5]]
    for limit in (0, 501):
        assert store.code("LogFetch", s.LogFetchRequest(account=a, limit=limit)) == "INVALID"


def test_large_reply_ends_early(store):
    me = store.account()
    made = [log(store, FAR, me, b"x" * 200000, local="recipient").id for _ in range(12)]
    page = fetch(store, me)
    assert 1 <= len(page.entries) < 12 and not page.complete
    assert ids(page) == made[:len(page.entries)]
    page = query(store, me, backward=True)
    assert 1 <= len(page.entries) < 12 and not page.complete
    assert ids(page) == made[-len(page.entries):]


def test_cursor_and_holes(store):
    me = store.account()
    assert state(store, me) == s.LogState(prefs=s.ArchivePrefs())
    made = [log(store, FAR, me, local="recipient", archived=n == 0).id for n in range(5)]
    assert state(store, me).waiting == 5
    delivered(store, me, made[3], holes=[made[1]])
    now = state(store, me)
    assert (now.last, now.delivered, list(now.holes), now.waiting) == (made[4], made[3], [made[1]], 1)
    assert ids(fetch(store, me)) == [made[0], made[1], made[4]]
    delivered(store, me, made[4])
    assert ids(fetch(store, me)) == [made[0]] == ids(query(store, me))
    many = s.LogDeliveredRequest(account=me, delivered=1, holes=range(1, 1002))
    assert store.code("LogDelivered", many) == "INVALID"


def test_of_nobody(store):
    nobody = "nobody%s@%s" % (secrets.token_hex(4), store.host)
    assert store.code("LogOpen", s.AccountKey(account=nobody)) == "NOT_FOUND"
    assert store.code("LogDelivered", s.LogDeliveredRequest(account=nobody, delivered=1)) == "NOT_FOUND"
    assert store.code("ArchivePrefsSet", s.ArchivePrefsSetRequest(account=nobody, prefs=s.ArchivePrefs())) == "NOT_FOUND"
    assert not fetch(store, nobody).entries and not query(store, nobody).entries


def test_preferences(store):
    me = store.account()
    prefs = s.ArchivePrefs(default=s.ArchivePrefs.ROSTER, always=["a@example.org", "b@example.org"], never=["c@example.org/x"])
    store("ArchivePrefsSet", s.ArchivePrefsSetRequest(account=me, prefs=prefs))
    assert state(store, me).prefs == prefs
    assert store.code("ArchivePrefsSet", s.ArchivePrefsSetRequest(account=me, prefs=s.ArchivePrefs(always=["a@b"] * 1001))) == "LIMIT"
    assert state(store, me).prefs == prefs


def test_offline_messages_move_into_the_log(store):
    me = store.account()
    for n in range(3):
        offline_append(store, me, b"%d" % n)
    old = s.OfflineAppendRequest(account=me, time_us=1234567890123456, meta=t.StanzaMeta(kind=t.STANZA_MESSAGE, id="old"))
    store("OfflineAppend", old, b"<message id='old'/>")
    assert state(store, me).waiting == 4
    entries = fetch(store, me).entries
    assert [e.meta.id for e in entries] == ["0", "1", "2", "old"] and not any(e.archived for e in entries)
    assert entries[0].stanza == b"<message><body>0</body></message>"
    assert b"<delay xmlns='urn:xmpp:delay'" in entries[3].stanza and b"2009-02-13T23:31:30.123456Z" in entries[3].stanza
    assert entries[3].meta.flags & t.FLAG_DELAY
    assert store("OfflineCount", s.AccountKey(account=me)).count == 0


def test_their_keys_move_along(store, pair):
    """Stored by a session-manager of the release before, presented again to one that has the log."""
    a, b = pair
    m = meta(a, b)
    store("OfflineAppend", s.OfflineAppendRequest(account=b, time_us=1234567890123456, meta=m, key=struct.pack("<QQ", 7, 9)), b"<message><body>x</body></message>")
    assert state(store, b).waiting == 1
    again = log(store, a, b, m=m, key_stream=7, key_number=9, check=True)
    assert again.duplicate and again.id == ids(fetch(store, b))[0]
    assert not log(store, a, b, m=m, key_stream=7, key_number=10, check=True).duplicate
    assert state(store, b).waiting == 2


# --- archive ----------------------------------------------------------------------------------------------------------

@pytest.fixture
def archive(store, pair):
    """Nine messages of the first account: with the second, with FAR; one that is not archived."""
    a, b = pair
    made = []
    for n in range(9):
        if n == 4:
            made.append(log(store, b, a, archived=False, local="recipient").id)
        elif n % 3 == 2:
            made.append(log(store, FAR, a, local="recipient").id)
        elif n % 2:
            made.append(log(store, a, b + "/phone").id)
        else:
            made.append(log(store, b, a).id)
    del made[4]
    return made


def test_pages_of_the_archive(store, pair, archive):
    a = pair[0]
    whole = query(store, a)
    assert ids(whole) == archive and whole.complete and all(e.archived for e in whole.entries)
    first = query(store, a, 3)
    assert ids(first) == archive[:3] and not first.complete
    last = query(store, a, 3, backward=True)
    assert ids(last) == archive[-3:] and not last.complete
    assert ids(query(store, a, 3, after=archive[2])) == archive[3:6]
    assert ids(query(store, a, 3, backward=True, before=archive[5])) == archive[2:5]
    assert query(store, a, 8, after=archive[0]).complete
    assert ids(query(store, a, from_id=archive[2], to_id=archive[4])) == archive[2:5]
    assert ids(query(store, a, after=archive[1], before=archive[4])) == archive[2:4]
    assert store.code("LogQuery", s.LogQueryRequest(account=a, limit=501)) == "INVALID"


def test_counts(store, pair, archive):
    a = pair[0]
    page = query(store, a, 3, count=True, after=archive[2])
    assert (page.count, page.index, len(page.entries)) == (8, 3, 3)
    page = query(store, a, 3, count=True, backward=True)
    assert (page.count, page.index) == (8, 5)
    page = query(store, a, 0, from_id=archive[2])
    assert (page.count, len(page.entries)) == (6, 0)
    assert query(store, a, 0, count=True, **{"with": FAR}).count == 3


def test_with(store, pair, archive):
    a, b = pair
    assert ids(query(store, a, **{"with": FAR})) == [archive[n] for n in (2, 4, 7)]
    assert ids(query(store, a, **{"with": b})) == [archive[n] for n in (0, 1, 3, 5, 6)]
    assert ids(query(store, a, **{"with": b + "/phone"})) == [archive[n] for n in (0, 1, 3, 5, 6)]
    assert not query(store, a, **{"with": b + "/tablet"}).entries
    assert ids(query(store, b, **{"with": a + "/phone"})) == [archive[n] for n in (1, 3, 6)]
    assert not query(store, a, **{"with": "stranger@elsewhere.invalid"}).entries


def test_references_must_be_there(store, pair, archive):
    a = pair[0]
    assert ids(query(store, a, ids=[archive[4], archive[1]])) == [archive[1], archive[4]]
    for fields in ({"ids": [archive[1], 5]}, {"after": 5, "require_after": True}, {"before": 5, "require_after": True}):
        assert store.code("LogQuery", s.LogQueryRequest(account=a, limit=9, **fields)) == "NOT_FOUND"
    assert ids(query(store, a, after=archive[5], require_after=True)) == archive[6:]
    assert query(store, a, after=5).entries


def test_metadata(store, pair, archive):
    bounds = store("LogMetadata", s.AccountKey(account=pair[0]))
    assert (bounds.first, bounds.last) == (archive[0], archive[-1])
    assert store("LogMetadata", s.AccountKey(account=store.account())) == s.LogMetadataReply()


def test_retract(store, pair):
    a, b = pair
    log(store, a, b, m=meta(a, b, "id1", "origin1"))
    log(store, b, a, m=meta(b, a, "id1"))

    def retract(sender, recipient, target):
        store("LogRetract", s.LogRetractRequest(sender=sender, recipient=recipient, target=target, tombstone=b"<message><retracted/></message>"))
        return [b"retracted" in e.stanza for e in fetch(store, a).entries], [b"retracted" in e.stanza for e in query(store, b).entries]

    assert retract(a, b, "unknown") == ([False, False], [False, False])
    assert retract(FAR, b, "id1") == ([False, False], [False, False])
    assert retract(a, b, "origin1") == ([True, False], [True, False])
    assert retract(b, a, "id1") == ([True, True], [True, True])
    assert store.code("LogRetract", s.LogRetractRequest(sender=a, recipient=b, target="id1")) == "INVALID"


def test_erase(store, pair, archive):
    a, b = pair
    delivered(store, a, archive[5])
    for until, left in ((archive[2], archive[2:]), (0, archive[7:])):
        while store("LogErase", s.LogEraseRequest(account=a, until=until)).erased:
            pass
        assert ids(query(store, a)) == left
    assert len(query(store, b).entries) == 5
    assert store.code("LogErase", s.LogEraseRequest()) == "INVALID"


def test_deleted_account_has_no_log(store, pair, archive):
    a, b = pair
    store("AccountDelete", s.AccountKey(account=a))
    store("AccountCreate", store.credentials(a))
    assert not fetch(store, a).entries and not query(store, a).entries
    assert state(store, a).delivered == 0
    assert len(query(store, b).entries) == 5
