/* SPDX-License-Identifier: Apache-2.0
 *
 * store_calls: for the tests of the store's methods: the calls that several of them make. */
#ifndef STORAGE_STORE_CALLS_H
#define STORAGE_STORE_CALLS_H

#include "services/storage/store_fixture.h"

#define OK        STARLING__CODE__CODE_OK
#define NOT_FOUND STARLING__CODE__CODE_NOT_FOUND
#define EXISTS    STARLING__CODE__CODE_EXISTS
#define INVALID   STARLING__CODE__CODE_INVALID
#define FENCED    STARLING__CODE__CODE_FENCED
#define LIMIT     STARLING__CODE__CODE_LIMIT

static inline int setup(void **state)
{
	struct fixture *f = fixture_new();
	struct store_config config = fixture_config(f);

	fixture_open(f, &config);
	fixture_wait_connections(f, config.connections);
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

static inline ProtobufCBinaryData data(const char *text)
{
	return (ProtobufCBinaryData){ strlen(text), (uint8_t *)text };
}

static inline bool data_is(ProtobufCBinaryData d, const char *text)
{
	return str_is(str_make(d.data, d.len), text);
}

static inline int with_key(struct fixture *f, uint32_t method, const char *jid)
{
	Starling__AccountKey r = STARLING__ACCOUNT_KEY__INIT;

	r.account = (char *)jid;
	return fixture_code(f, method, &r);
}

static inline Starling__RosterItem item(const char *jid, const char *name)
{
	Starling__RosterItem i = STARLING__ROSTER_ITEM__INIT;

	i.jid = (char *)jid;
	i.name = (char *)name;
	return i;
}

static inline struct answer put(struct fixture *f, const char *account, Starling__RosterItem *i, Starling__Fence *fence)
{
	Starling__RosterPutRequest r = STARLING__ROSTER_PUT_REQUEST__INIT;

	r.account = (char *)account;
	r.item = i;
	r.fence = fence;
	return fixture_call(f, METHOD_STORAGE_ROSTER_PUT, &r, STR(""));
}

static inline uint64_t version_of(struct answer a)
{
	uint64_t version;

	assert_int_equal(a.code, OK);
	version = ((Starling__RosterVersionReply *)a.reply)->version;
	answer_free(&a);
	return version;
}

static inline uint64_t put_ok(struct fixture *f, const char *account, const char *jid, const char *name)
{
	Starling__RosterItem i = item(jid, name);

	return version_of(put(f, account, &i, NULL));
}

static inline struct answer roster_remove_call(struct fixture *f, const char *account, const char *jid, Starling__Fence *fence)
{
	Starling__RosterRemoveRequest r = STARLING__ROSTER_REMOVE_REQUEST__INIT;

	r.account = (char *)account;
	r.jid = (char *)jid;
	r.fence = fence;
	return fixture_call(f, METHOD_STORAGE_ROSTER_REMOVE, &r, STR(""));
}

struct append {
	const char *account, *key, *body;
	uint32_t max;
	Starling__Fence *fence;
};

static inline void append_send(struct fixture *f, const struct append *what, struct answer *a)
{
	Starling__OfflineAppendRequest r = STARLING__OFFLINE_APPEND_REQUEST__INIT;
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;

	meta.kind = STARLING__STANZA_KIND__STANZA_MESSAGE;
	meta.type = STARLING__STANZA_TYPE__TYPE_CHAT;
	meta.from = (char *)"romeo@example.net/orchard";
	meta.to = (char *)what->account;
	meta.id = (char *)what->body;
	meta.flags = STARLING__STANZA_FLAG__FLAG_BODY;
	r.account = (char *)what->account;
	r.meta = &meta;
	r.time_us = 1234567890123456;
	r.max = what->max;
	r.fence = what->fence;
	if (what->key)
		r.key = data(what->key);
	fixture_send(f, METHOD_STORAGE_OFFLINE_APPEND, &r, str_from(what->body), a);
}

static inline int append(struct fixture *f, const struct append *what, uint64_t *out_id)
{
	struct answer a;
	int code;

	append_send(f, what, &a);
	assert_true(fixture_until(f, &a.done));
	code = a.code;
	if (out_id)
		*out_id = a.reply ? ((Starling__OfflineAppendReply *)a.reply)->id : 0;
	answer_free(&a);
	return code;
}

static inline uint64_t count(struct fixture *f, const char *account)
{
	Starling__AccountKey r = STARLING__ACCOUNT_KEY__INIT;
	struct answer a;
	uint64_t n;

	r.account = (char *)account;
	a = fixture_call(f, METHOD_STORAGE_OFFLINE_COUNT, &r, STR(""));
	assert_int_equal(a.code, OK);
	n = ((Starling__OfflineCountReply *)a.reply)->count;
	answer_free(&a);
	return n;
}

#endif
