/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/session_store.h"

#include <stdio.h>

#include "common/base/mem.h"
#include "common/xmpp/jid.h"
#include "services/session-manager/account.h"
#include "services/session-manager/edge.h"
#include "services/session-manager/later.h"
#include "services/session-manager/msglog.h"
#include "services/session-manager/ownership.h"
#include "services/session-manager/session.h"
#include "services/session-manager/session_codec.h"
#include "services/session-manager/sm.h"

/* Writes under way at a time: more wait in the list, where a newer state of the same session replaces an older one. */
#define SAVING_MAX 1024
#define LAZY_MS    1000

/* KEYS: slots, the account's hash, the slot's set. ARGV: slot, "<instance> <epoch>", resource, value or empty to delete, bare JID. */
static struct redis_script put_script = {
	.name = "session_put",
	.source = "if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end\n"
	          "if ARGV[4] == '' then redis.call('HDEL', KEYS[2], ARGV[3])\n"
	          "else redis.call('HSET', KEYS[2], ARGV[3], ARGV[4]) end\n"
	          "if redis.call('EXISTS', KEYS[2]) == 1 then redis.call('SADD', KEYS[3], ARGV[5])\n"
	          "else redis.call('SREM', KEYS[3], ARGV[5]) end\n"
	          "return 1\n",
};

/* A field to be deleted; outlives its session and perhaps its account. */
struct erasure {
	struct list_node node;
	uint32_t slot;
	struct str bare, resource; /* views into text */
	char text[];
};

struct write {
	struct sm *sm;
	uint64_t stream, accepted; /* 0: an erasure */
	uint32_t slot;
};

static void save(struct session *s);

void session_store_init(struct sm *sm)
{
	list_init(&sm->unsaved);
	list_init(&sm->lazy);
	list_init(&sm->erasures);
	redis_script_register(sm->redis, &put_script);
}

void session_store_fini(struct sm *sm)
{
	list_for_each_safe (n, &sm->erasures)
		mem_free(list_entry(n, struct erasure, node));
	list_init(&sm->erasures);
}

static void saved(const struct write *w)
{
	struct session *s = w->stream ? session_find(w->sm, w->stream) : NULL;

	if (!s || w->accepted <= s->told)
		return;
	s->told = w->accepted;
	edge_progress(s);
}

/* The connection broke: once more. */
static void not_saved(const struct write *w)
{
	struct session *s = w->stream ? session_find(w->sm, w->stream) : NULL;

	if (s)
		save(s);
}

static void on_put(const redisReply *reply, void *ctx)
{
	struct write *w = ctx;
	struct sm *sm = w->sm;
	uint32_t slot = w->slot;

	sm->saving--;
	if (!sm->stopping && reply && reply->type == REDIS_REPLY_INTEGER && reply->integer == 1)
		saved(w);
	else if (!sm->stopping && !reply)
		not_saved(w);
	mem_free(w);
	if (sm->stopping)
		return;
	if (reply && reply->type == REDIS_REPLY_INTEGER && reply->integer == 0)
		ownership_fenced(sm, slot);
	else if (reply && reply->type == REDIS_REPLY_ERROR)
		log_warn(&sm->log, "redis refused a session: %s", reply->str);
	if (!list_empty(&sm->unsaved) || !list_empty(&sm->erasures))
		sm_turn_soon(sm);
}

static bool put(struct sm *sm, uint32_t slot, struct str bare, struct str resource, struct str value, const struct session *s)
{
	char key[JID_TEXT_MAX + 16], set[48], number[16], owner[64];
	const char *argv[8] = { OWNERSHIP_SLOTS_KEY, key, set, number, owner, resource.p, value.n ? value.p : "", bare.p };
	size_t lens[8] = { strlen(OWNERSHIP_SLOTS_KEY), 0, 0, 0, 0, resource.n, value.n, bare.n };
	struct write *w = mem_new(struct write);

	lens[1] = (size_t)snprintf(key, sizeof(key), "starling:s:%.*s", STR_ARG(bare));
	lens[2] = (size_t)snprintf(set, sizeof(set), "starling:sm:online:%u", slot);
	lens[3] = (size_t)snprintf(number, sizeof(number), "%u", slot);
	lens[4] = ownership_stamp(sm, slot, owner, sizeof(owner));
	w->sm = sm;
	w->slot = slot;
	w->stream = s ? s->stream : 0;
	w->accepted = s ? s->window.accepted : 0;
	sm->saving++;
	if (redis_eval(sm->redis, &put_script, on_put, w, 3, 8, argv, lens))
		return true;
	sm->saving--;
	mem_free(w);
	return false;
}

static void encode(const struct session *s, struct buf *out)
{
	const struct account *a = s->account;
	uint64_t now = clock_mono_ms(), since = window_since(&s->window, now);
	struct session_record r = {
		.stream = s->stream,
		.edge = s->edge->instance,
		.epoch = ownership_epoch(a->sm, a->slot),
		.accepted = s->window.accepted,
		.since_us = s->since_us,
		.presence_flags = s->presence_flags,
		.priority = s->priority,
		.available = s->available,
		.interested = s->interested,
		.encrypted = s->encrypted,
		.carbons = s->carbons,
		.managed = s->managed,
		.cursor = s->cursor,
		.from = s->from,
		.check_origin = s->origin_to > s->window.accepted,
		.open_since_us = since ? clock_wall_us() - (int64_t)(now - since) * 1000 : 0,
		.base_in = s->base_in,
		.base_out = s->base_out,
		.resume_s = s->resume_s,
		.parked_until_us = s->parked_until_us,
		.address = str_from(s->address),
		.presence = str_make(s->presence, s->presence_n),
	};

	session_encode(out, &r);
}

static bool write_session(struct session *s)
{
	struct account *a = s->account;
	struct buf value = { 0 };
	bool ok;

	encode(s, &value);
	ok = put(a->sm, a->slot, a->bare, s->resource, buf_str(&value), s);
	buf_fini(&value);
	return ok;
}

static bool flush_erasures(struct sm *sm, uint32_t max)
{
	while (!list_empty(&sm->erasures) && sm->saving < max) {
		struct erasure *x = list_entry(sm->erasures.next, struct erasure, node);

		if (ownership_serving(sm, x->slot) && !put(sm, x->slot, x->bare, x->resource, STR(""), NULL))
			return false;
		list_remove(&x->node);
		mem_free(x);
	}
	return true;
}

void session_store_flush(struct sm *sm, bool all)
{
	uint32_t max = all ? UINT32_MAX : SAVING_MAX;

	if (!redis_up(sm->redis) || !flush_erasures(sm, max))
		return;
	while (!list_empty(&sm->unsaved) && sm->saving < max) {
		struct session *s = list_entry(sm->unsaved.next, struct session, unsaved);

		if (ownership_epoch(sm, s->account->slot) && !write_session(s))
			return;
		list_remove(&s->unsaved);
	}
}

static void save(struct session *s)
{
	struct sm *sm = s->account->sm;

	if (!list_unlinked(&s->lazy))
		list_remove(&s->lazy);
	if (list_unlinked(&s->unsaved))
		list_push_back(&sm->unsaved, &s->unsaved);
	sm_turn_soon(sm);
}

void session_save(struct session *s)
{
	struct buf record = { 0 };

	save(s);
	if (!session_live(s) || s->edge->lost)
		return;
	encode(s, &record);
	edge_remember(s, buf_str(&record));
	buf_fini(&record);
}

void session_progress(struct session *s)
{
	if (s->managed)
		save(s);
	else
		edge_progress(s);
}

static void save_lazy(void *ctx)
{
	struct sm *sm = ctx;

	sm->lazy_soon = false;
	while (!list_empty(&sm->lazy))
		save(list_entry(sm->lazy.next, struct session, lazy));
}

void session_save_later(struct session *s)
{
	struct sm *sm = s->account->sm;

	if (!list_unlinked(&s->unsaved) || !list_unlinked(&s->lazy))
		return;
	list_push_back(&sm->lazy, &s->lazy);
	if (sm->lazy_soon || sm->stopping)
		return;
	sm->lazy_soon = true;
	later_run(sm, LAZY_MS, save_lazy, sm);
}

void session_restore(struct session *s, const struct session_record *r)
{
	uint64_t now = clock_mono_ms(), ago = (uint64_t)(clock_wall_us() - r->open_since_us) / 1000;

	window_restore(&s->window, r->accepted, r->open_since_us ? ago < now ? now - ago : 1 : 0, now);
	s->told = r->accepted;
	s->since_us = r->since_us;
	s->interested = r->interested;
	s->encrypted = r->encrypted;
	s->carbons = r->carbons;
	s->managed = r->managed;
	s->origin_to = r->check_origin ? r->accepted + SESSION_ORIGIN_RUN : 0;
	s->cursor = s->given = r->cursor;
	s->from = r->from;
	s->base_in = r->base_in;
	s->base_out = r->base_out;
	s->resume_s = r->resume_s;
	if (!s->address)
		s->address = mem_strndup(r->address.p, r->address.n);
	if (r->available)
		session_set_presence(s, r->presence, r->priority, r->presence_flags);
}

void session_erase(struct account *a, struct str resource)
{
	struct erasure *x = mem_alloc(sizeof(*x) + a->bare.n + resource.n + 2);

	memcpy(x->text, a->bare.p, a->bare.n);
	memcpy(x->text + a->bare.n, resource.p, resource.n);
	x->bare = str_make(x->text, a->bare.n);
	x->resource = str_make(x->text + a->bare.n, resource.n);
	x->slot = a->slot;
	list_init(&x->node);
	list_push_back(&a->sm->erasures, &x->node);
	sm_turn_soon(a->sm);
}

static void save_one(struct table_node *n, void *ctx)
{
	(void)ctx;
	save(table_entry(n, struct session, by_stream));
}

void session_save_all(struct sm *sm)
{
	table_each(&sm->streams, save_one, NULL);
}
