/* SPDX-License-Identifier: Apache-2.0
 *
 * store_log_calls: for the tests of the message log: its calls. */
#ifndef STORAGE_STORE_LOG_CALLS_H
#define STORAGE_STORE_LOG_CALLS_H

#include "services/storage/store_calls.h"

struct message {
	const char *sender, *recipient; /* NULL: none */
	bool archived;
	const char *from, *to; /* NULL: sender and recipient */
	const char *id, *origin, *body;
	uint64_t stream, number;
	bool check, check_origin;
	uint64_t age_ms;
	uint32_t max;
	Starling__Fence *fence;
};

static inline void log_send(struct fixture *f, const struct message *m, struct answer *a)
{
	Starling__LogAppendRequest r = STARLING__LOG_APPEND_REQUEST__INIT;
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;
	const char *from = m->from ? m->from : m->sender, *to = m->to ? m->to : m->recipient;

	meta.kind = STARLING__STANZA_KIND__STANZA_MESSAGE;
	meta.type = STARLING__STANZA_TYPE__TYPE_CHAT;
	meta.from = (char *)(from ? from : "");
	meta.to = (char *)(to ? to : "");
	meta.id = (char *)(m->id ? m->id : "");
	meta.origin_id = (char *)(m->origin ? m->origin : "");
	r.sender = (char *)(m->sender ? m->sender : "");
	r.recipient = (char *)(m->recipient ? m->recipient : "");
	r.archived = m->archived;
	r.meta = &meta;
	r.fence = m->fence;
	r.key_stream = m->stream;
	r.key_number = m->number;
	r.check = m->check;
	r.check_origin = m->check_origin;
	r.check_age_ms = m->age_ms;
	r.max_waiting = m->max;
	fixture_send(f, METHOD_STORAGE_LOG_APPEND, &r, str_from(m->body ? m->body : "<message/>"), a);
}

static inline int log_code(struct fixture *f, const struct message *m)
{
	struct answer a;
	int code;

	log_send(f, m, &a);
	assert_true(fixture_until(f, &a.done));
	code = a.code;
	answer_free(&a);
	return code;
}

static inline uint64_t log_id(const struct answer *a)
{
	assert_int_equal(a->code, OK);
	return ((Starling__LogAppendReply *)a->reply)->id;
}

static inline uint64_t log_append_ok(struct fixture *f, const struct message *m, bool *out_duplicate)
{
	struct answer a;
	uint64_t id;

	log_send(f, m, &a);
	assert_true(fixture_until(f, &a.done));
	id = log_id(&a);
	if (out_duplicate)
		*out_duplicate = ((Starling__LogAppendReply *)a.reply)->duplicate;
	answer_free(&a);
	return id;
}

static inline struct answer log_fetch_call(struct fixture *f, const char *account, uint64_t after, uint32_t limit, bool received_only)
{
	Starling__LogFetchRequest r = STARLING__LOG_FETCH_REQUEST__INIT;

	r.account = (char *)account;
	r.after = after;
	r.limit = limit;
	r.received_only = received_only;
	return fixture_call(f, METHOD_STORAGE_LOG_FETCH, &r, STR(""));
}

/* How many the account sees. */
static inline size_t log_count(struct fixture *f, const char *account)
{
	struct answer a = log_fetch_call(f, account, 0, 500, false);
	size_t n;

	assert_int_equal(a.code, OK);
	n = ((Starling__LogFetchReply *)a.reply)->n_entries;
	answer_free(&a);
	return n;
}

static inline int log_delivered_call(struct fixture *f, const char *account, uint64_t delivered, uint64_t *holes, size_t n,
                                     Starling__Fence *fence)
{
	Starling__LogDeliveredRequest r = STARLING__LOG_DELIVERED_REQUEST__INIT;

	r.account = (char *)account;
	r.delivered = delivered;
	r.holes = holes;
	r.n_holes = n;
	r.fence = fence;
	return fixture_code(f, METHOD_STORAGE_LOG_DELIVERED, &r);
}

/* The state is freed by answer_free. */
static inline const Starling__LogState *log_open_call(struct fixture *f, const char *account, struct answer *out)
{
	Starling__AccountKey r = STARLING__ACCOUNT_KEY__INIT;

	r.account = (char *)account;
	*out = fixture_call(f, METHOD_STORAGE_LOG_OPEN, &r, STR(""));
	assert_int_equal(out->code, OK);
	return (const Starling__LogState *)out->reply;
}

static inline uint32_t log_waiting(struct fixture *f, const char *account)
{
	struct answer a;
	uint32_t n = log_open_call(f, account, &a)->waiting;

	answer_free(&a);
	return n;
}

#endif
