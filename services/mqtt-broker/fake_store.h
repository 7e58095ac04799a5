/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_store: for unit tests, the store's methods over arrays. What is asked for is done when it is asked for, and answered in the next turn, or later, or never:
 * so a broker can be killed between the two. Included by fake_flock.h. */
#ifndef MQTT_BROKER_FAKE_STORE_H
#define MQTT_BROKER_FAKE_STORE_H

#include <cmocka.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "ipc/gen/storage.client.h"
#include "ipc/runtime/ipc_for_test.h"

#define ROWS 8
#ifndef ENTRIES
#define ENTRIES 64
#endif
#ifndef ANSWERS
#define ANSWERS 64
#endif

enum store_mode {
	STORE_ANSWERS,
	STORE_HOLDS, /* does it, and says nothing yet */
	STORE_AWAY,  /* UNAVAILABLE */
	STORE_LOSES, /* does it, and the answer is lost: TIMEOUT */
};

struct store_row {
	uint64_t session, epoch, instance;
	Starling__MqttSession *row; /* name, user, version, expiry, times, will */
	char filters[8][100];
	uint32_t options[8], identifiers[8], filter_n;
	uint32_t packets[8], packet_n;
	uint64_t numbers[8];
};

struct store_entry {
	uint64_t session, key_origin, key_number, seq;
	uint32_t qos, ids[4], id_n;
	bool retain, received, done;
	Starling__MqttMessage *message;
};

struct store {
	enum store_mode mode;
	int refuses; /* a code: nothing is done, and this answered */
	bool ended;  /* the bus is: nothing is done, and nothing answered */
	struct store_row rows[ROWS];
	struct store_entry entries[ENTRIES];
	Starling__MqttMessage *retained[ROWS];
	uint64_t last_session, last_number, version;
	uint32_t entry_n, queue_calls, open_calls;
	struct {
		ipc_done_fn done;
		void *ctx;
		int code;
		ProtobufCMessage *reply;
	} answers[ANSWERS];
	uint32_t answer_n;
	size_t adopt_slots; /* so many the last adoption was about */
};

static struct store store;

static inline void store_drop(void *m)
{
	if (m)
		protobuf_c_message_free_unpacked(m, NULL);
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

/* True: do it. */
static inline bool store_asked(void (*done)(void), void *ctx)
{
	struct ipc_result away = { .code = STARLING__CODE__CODE_UNAVAILABLE, .text = "" };

	if (store.mode != STORE_AWAY && !store.ended && !store.refuses)
		return true;
	if (store.ended) {
		((ipc_done_fn)done)(&away, NULL, ctx);
		return false;
	}
	assert_true(store.answer_n < ANSWERS);
	store.answers[store.answer_n].done = (ipc_done_fn)done;
	store.answers[store.answer_n].ctx = ctx;
	store.answers[store.answer_n].code = store.refuses ? store.refuses : STARLING__CODE__CODE_UNAVAILABLE;
	store.answers[store.answer_n++].reply = NULL;
	return false;
}

static inline int store_says(void (*done)(void), void *ctx, int code, const void *reply)
{
	assert_true(store.answer_n < ANSWERS);
	store.answers[store.answer_n].done = (ipc_done_fn)done;
	store.answers[store.answer_n].ctx = ctx;
	store.answers[store.answer_n].code = store.mode == STORE_LOSES ? STARLING__CODE__CODE_TIMEOUT : code;
	store.answers[store.answer_n++].reply = code == 0 && store.mode != STORE_LOSES ? (void *)ipc_copy_for_test(reply) : NULL;
	return 0;
}

/* The answer to one call, before those to earlier ones. */
static inline void store_answer_at(uint32_t i)
{
	__typeof__(store.answers[0]) a = store.answers[i];
	struct ipc_result result = { .code = a.code, .text = "" };

	assert_true(i < store.answer_n);
	memmove(&store.answers[i], &store.answers[i + 1], (--store.answer_n - i) * sizeof(a));
	a.done(&result, result.code ? NULL : a.reply, a.ctx);
	store_drop(a.reply);
}

static inline void store_answer(int code)
{
	uint32_t n = store.answer_n;

	for (uint32_t i = 0; i < n; i++) {
		__typeof__(store.answers[0]) a = store.answers[i];
		struct ipc_result result = { .code = code ? code : a.code, .text = "" };

		a.done(&result, result.code ? NULL : a.reply, a.ctx);
		store_drop(a.reply);
	}
	memmove(store.answers, store.answers + n, (store.answer_n - n) * sizeof(store.answers[0]));
	store.answer_n -= n;
}

/* --- rows --------------------------------------------------------------------------------------------------------- */

static inline struct store_row *store_find(uint64_t session)
{
	for (int i = 0; i < ROWS; i++) {
		if (session && store.rows[i].session == session)
			return &store.rows[i];
	}
	return NULL;
}

static inline struct store_row *store_named(const char *name)
{
	for (int i = 0; i < ROWS; i++) {
		if (store.rows[i].session && strcmp(store.rows[i].row->name, name) == 0)
			return &store.rows[i];
	}
	return NULL;
}

static inline struct store_row *store_fenced(const Starling__MqttFence *f)
{
	struct store_row *r = store_find(f->session);

	return r && r->epoch == f->epoch ? r : NULL;
}

static inline void store_remove(struct store_row *r)
{
	for (uint32_t i = 0; i < store.entry_n; i++) {
		if (store.entries[i].session == r->session)
			store.entries[i].done = true;
	}
	store_drop(r->row);
	*r = (struct store_row){ 0 };
}

static inline uint64_t store_queued(uint64_t session, uint64_t *next)
{
	uint64_t n = 0;

	*next = 1;
	for (uint32_t i = 0; i < store.entry_n; i++) {
		if (store.entries[i].session != session || store.entries[i].done)
			continue;
		n++;
		if (store.entries[i].seq >= *next)
			*next = store.entries[i].seq + 1;
	}
	return n;
}

/* A copy with all that hangs on it. */
static inline Starling__MqttSession *store_whole(const struct store_row *r)
{
	Starling__MqttSession *out = (void *)ipc_copy_for_test(&r->row->base);
	Starling__MqttFence fence = STARLING__MQTT_FENCE__INIT;

	fence.session = r->session;
	fence.epoch = r->epoch;
	store_drop(out->fence);
	out->fence = (void *)ipc_copy_for_test(&fence.base);
	out->queued = store_queued(r->session, &out->next_seq);
	out->subscriptions = calloc(r->filter_n + 1, sizeof(void *));
	for (uint32_t i = 0; i < r->filter_n; i++) {
		Starling__MqttSubscription sub = STARLING__MQTT_SUBSCRIPTION__INIT;

		sub.filter = (char *)(uintptr_t)r->filters[i];
		sub.options = r->options[i];
		sub.identifier = r->identifiers[i];
		out->subscriptions[out->n_subscriptions++] = (void *)ipc_copy_for_test(&sub.base);
	}
	out->received = calloc(r->packet_n + 1, sizeof(uint32_t));
	for (uint32_t i = 0; i < r->packet_n; i++)
		out->received[out->n_received++] = r->packets[i];
	return out;
}

static inline bool store_lists(const uint64_t *list, size_t n, uint64_t instance)
{
	for (size_t i = 0; i < n; i++) {
		if (list[i] == instance)
			return true;
	}
	return false;
}

int call_storage_mqtt_open(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts, const Starling__MqttOpenRequest *q,
                           storage_mqtt_open_fn done, void *ctx)
{
	Starling__MqttOpenReply reply = STARLING__MQTT_OPEN_REPLY__INIT;
	struct store_row *r = store_named(q->session->name);
	Starling__MqttMessage *will = NULL;

	(void)bus;
	(void)to;
	(void)opts;
	store.open_calls++;
	if (!store_asked((void (*)(void))done, ctx))
		return 0;
	if (r && store_lists(q->alive, q->n_alive, r->instance))
		return store_says((void (*)(void))done, ctx, STARLING__CODE__CODE_EXISTS, NULL);
	if (r && strcmp(r->row->user, q->session->user) != 0)
		return store_says((void (*)(void))done, ctx, STARLING__CODE__CODE_DENIED, NULL);
	reply.present = r && !q->clean;
	if (r && r->row->will && r->instance != q->instance) /* else it is this very client's */
		will = (void *)ipc_copy_for_test(&r->row->will->base);
	if (r && q->clean)
		store_remove(r);
	for (int i = 0; i < ROWS && !r; i++) {
		if (!store.rows[i].session)
			r = &store.rows[i];
	}
	assert_non_null(r);
	if (!r->session)
		r->session = ++store.last_session;
	r->epoch++;
	r->instance = q->instance;
	store_drop(r->row);
	r->row = (void *)ipc_copy_for_test(&q->session->base);
	reply.session = store_whole(r);
	store_drop(reply.session->will);
	reply.session->will = will; /* the former one's */
	store_says((void (*)(void))done, ctx, 0, &reply);
	store_drop(reply.session);
	return 0;
}

int call_storage_mqtt_session_set(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts,
                                  const Starling__MqttSessionSetRequest *q, storage_mqtt_session_set_fn done, void *ctx)
{
	Starling__Empty reply = STARLING__EMPTY__INIT;
	struct store_row *r = store_fenced(q->fence);

	(void)bus;
	(void)to;
	(void)opts;
	if (!store_asked((void (*)(void))done, ctx))
		return 0;
	if (!r)
		return store_says((void (*)(void))done, ctx, STARLING__CODE__CODE_FENCED, NULL);
	r->row->expiry_s = q->expiry_s;
	r->row->disconnected_us = q->disconnected_us;
	r->row->will_delay_s = q->will_delay_s;
	r->row->will_due_us = q->will_due_us;
	store_drop(r->row->will);
	r->row->will = q->will ? (void *)ipc_copy_for_test(&q->will->base) : NULL;
	return store_says((void (*)(void))done, ctx, 0, &reply);
}

int call_storage_mqtt_close(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts, const Starling__MqttCloseRequest *q,
                            storage_mqtt_close_fn done, void *ctx)
{
	Starling__Empty reply = STARLING__EMPTY__INIT;
	struct store_row *r = store_fenced(q->fence);

	(void)bus;
	(void)to;
	(void)opts;
	if (!store_asked((void (*)(void))done, ctx))
		return 0;
	if (r && q->remove)
		store_remove(r);
	else if (r)
		r->instance = 0;
	return store_says((void (*)(void))done, ctx, r ? 0 : STARLING__CODE__CODE_FENCED, &reply);
}

int call_storage_mqtt_adopt(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts, const Starling__MqttAdoptRequest *q,
                            storage_mqtt_adopt_fn done, void *ctx)
{
	Starling__MqttAdoptReply reply = STARLING__MQTT_ADOPT_REPLY__INIT;
	Starling__MqttSession *list[ROWS];

	(void)bus;
	(void)to;
	(void)opts;
	store.adopt_slots = q->n_slots;
	if (!store_asked((void (*)(void))done, ctx))
		return 0;
	reply.sessions = list;
	reply.complete = true;
	for (int i = 0; i < ROWS; i++) {
		struct store_row *r = &store.rows[i];

		if (!r->session || store_lists(q->alive, q->n_alive, r->instance))
			continue;
		r->epoch += r->instance != q->instance;
		r->instance = q->instance;
		list[reply.n_sessions++] = store_whole(r);
	}
	store_says((void (*)(void))done, ctx, 0, &reply);
	for (size_t i = 0; i < reply.n_sessions; i++)
		store_drop(list[i]);
	return 0;
}

/* --- subscriptions ------------------------------------------------------------------------------------------------ */

static inline void store_unsubscribe(struct store_row *r, const char *filter)
{
	for (uint32_t i = 0; i < r->filter_n; i++) {
		if (strcmp(r->filters[i], filter) != 0)
			continue;
		r->filter_n--;
		memmove(r->filters[i], r->filters[i + 1], (r->filter_n - i) * sizeof(r->filters[0]));
		memmove(&r->options[i], &r->options[i + 1], (r->filter_n - i) * sizeof(uint32_t));
		memmove(&r->identifiers[i], &r->identifiers[i + 1], (r->filter_n - i) * sizeof(uint32_t));
	}
}

int call_storage_mqtt_subscribe(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts,
                                const Starling__MqttSubscribeRequest *q, storage_mqtt_subscribe_fn done, void *ctx)
{
	Starling__Empty reply = STARLING__EMPTY__INIT;
	struct store_row *r = store_fenced(q->fence);

	(void)bus;
	(void)to;
	(void)opts;
	if (!store_asked((void (*)(void))done, ctx))
		return 0;
	if (!r)
		return store_says((void (*)(void))done, ctx, STARLING__CODE__CODE_FENCED, NULL);
	for (size_t i = 0; i < q->n_remove; i++)
		store_unsubscribe(r, q->remove[i]);
	for (size_t i = 0; i < q->n_add; i++) {
		store_unsubscribe(r, q->add[i]->filter);
		assert_true(r->filter_n < 8);
		snprintf(r->filters[r->filter_n], sizeof(r->filters[0]), "%s", q->add[i]->filter);
		r->options[r->filter_n] = q->add[i]->options;
		r->identifiers[r->filter_n++] = q->add[i]->identifier;
	}
	return store_says((void (*)(void))done, ctx, 0, &reply);
}

/* --- queues ------------------------------------------------------------------------------------------------------- */

static inline bool store_has(uint64_t session, uint64_t origin, uint64_t number)
{
	for (uint32_t i = 0; i < store.entry_n; i++) {
		const struct store_entry *e = &store.entries[i];

		if (e->session == session && e->key_origin == origin && e->key_number == number && (!e->done || e->qos == 2))
			return true;
	}
	return false;
}

/* The first behind `after`. */
static inline struct store_entry *store_next(uint64_t session, uint64_t after)
{
	struct store_entry *first = NULL;

	for (uint32_t i = 0; i < store.entry_n; i++) {
		struct store_entry *e = &store.entries[i];

		if (e->session == session && e->seq > after && !e->done && (!first || e->seq < first->seq))
			first = e;
	}
	return first;
}

int call_storage_mqtt_queue(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts, const Starling__MqttQueueRequest *q,
                            storage_mqtt_queue_fn done, void *ctx)
{
	Starling__MqttQueueReply reply = STARLING__MQTT_QUEUE_REPLY__INIT;
	uint64_t fenced[ROWS], duplicates[ROWS], early[ROWS];

	(void)bus;
	(void)to;
	store.queue_calls++;
	if (!store_asked((void (*)(void))done, ctx))
		return 0;
	reply.fenced = fenced;
	reply.duplicates = duplicates;
	reply.early = early;
	for (size_t i = 0; i < q->n_to; i++) {
		const Starling__MqttQueued *t = q->to[i];
		struct store_entry *e;

		if (!store_fenced(t->fence)) {
			fenced[reply.n_fenced++] = t->fence->session;
			continue;
		}
		if (q->again && store_has(t->fence->session, q->key_origin, q->key_number)) {
			duplicates[reply.n_duplicates++] = t->fence->session;
			continue;
		}
		e = t->behind ? store_next(t->fence->session, t->behind - 1) : NULL;
		if (t->behind && (!e || e->seq != t->behind)) {
			early[reply.n_early++] = t->fence->session;
			continue;
		}
		e = &store.entries[store.entry_n];
		assert_true(store.entry_n < ENTRIES && t->n_identifiers <= 4);
		*e = (struct store_entry){ .session = t->fence->session, .seq = t->seq, .qos = t->qos, .retain = t->retain };
		e->key_origin = q->key_origin;
		e->key_number = q->key_number;
		e->id_n = (uint32_t)t->n_identifiers;
		for (uint32_t k = 0; k < e->id_n; k++)
			e->ids[k] = t->identifiers[k];
		e->message = (void *)ipc_copy_for_test(&q->message->base);
		mem_free(e->message->payload.data);
		e->message->payload.data = mem_memdup(opts->payload.n ? opts->payload.p : "", opts->payload.n);
		e->message->payload.len = opts->payload.n;
		store.entry_n++;
	}
	return store_says((void (*)(void))done, ctx, 0, &reply);
}

int call_storage_mqtt_fetch(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts, const Starling__MqttFetchRequest *q,
                            storage_mqtt_fetch_fn done, void *ctx)
{
	Starling__MqttFetchReply reply = STARLING__MQTT_FETCH_REPLY__INIT;
	Starling__MqttEntry rows[ENTRIES], *list[ENTRIES];
	uint64_t after = q->after;

	(void)bus;
	(void)to;
	(void)opts;
	if (!store_asked((void (*)(void))done, ctx))
		return 0;
	reply.entries = list;
	reply.complete = true;
	for (struct store_entry *e; (e = store_next(q->session, after)); after = e->seq) {
		Starling__MqttEntry *row = &rows[reply.n_entries];

		if (reply.n_entries == q->limit) {
			reply.complete = false;
			break;
		}
		starling__mqtt_entry__init(row);
		row->seq = e->seq;
		row->qos = e->qos;
		row->retain = e->retain;
		row->received = e->received;
		row->identifiers = e->ids;
		row->n_identifiers = e->id_n;
		row->message = e->received ? NULL : e->message;
		list[reply.n_entries++] = row;
	}
	return store_says((void (*)(void))done, ctx, 0, &reply);
}

int call_storage_mqtt_done(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts, const Starling__MqttDoneRequest *q,
                           storage_mqtt_done_fn done, void *ctx)
{
	Starling__Empty reply = STARLING__EMPTY__INIT;

	(void)bus;
	(void)to;
	(void)opts;
	if (!store_asked((void (*)(void))done, ctx))
		return 0;
	if (!store_fenced(q->fence))
		return store_says((void (*)(void))done, ctx, STARLING__CODE__CODE_FENCED, NULL);
	for (uint32_t i = 0; i < store.entry_n; i++) {
		struct store_entry *e = &store.entries[i];

		for (size_t k = 0; k < q->n_done; k++)
			e->done |= e->session == q->fence->session && e->seq == q->done[k];
		for (size_t k = 0; k < q->n_received; k++)
			e->received |= e->session == q->fence->session && e->seq == q->received[k];
	}
	return store_says((void (*)(void))done, ctx, 0, &reply);
}

/* --- incoming QoS 2 ----------------------------------------------------------------------------------------------- */

int call_storage_mqtt_receive(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts, const Starling__MqttReceiveRequest *q,
                              storage_mqtt_receive_fn done, void *ctx)
{
	Starling__MqttReceiveReply reply = STARLING__MQTT_RECEIVE_REPLY__INIT;
	struct store_row *r = store_fenced(q->fence);

	(void)bus;
	(void)to;
	(void)opts;
	if (!store_asked((void (*)(void))done, ctx))
		return 0;
	if (!r)
		return store_says((void (*)(void))done, ctx, STARLING__CODE__CODE_FENCED, NULL);
	reply.key_origin = r->session;
	for (uint32_t i = 0; i < r->packet_n; i++) {
		if (r->packets[i] != q->packet)
			continue;
		reply.again = true;
		reply.key_number = r->numbers[i];
	}
	if (!reply.again) {
		assert_true(r->packet_n < 8);
		r->packets[r->packet_n] = q->packet;
		r->numbers[r->packet_n++] = reply.key_number = ++store.last_number;
	}
	return store_says((void (*)(void))done, ctx, 0, &reply);
}

int call_storage_mqtt_released(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts,
                               const Starling__MqttReleasedRequest *q, storage_mqtt_released_fn done, void *ctx)
{
	Starling__Empty reply = STARLING__EMPTY__INIT;
	struct store_row *r = store_fenced(q->fence);

	(void)bus;
	(void)to;
	(void)opts;
	if (!store_asked((void (*)(void))done, ctx))
		return 0;
	if (!r)
		return store_says((void (*)(void))done, ctx, STARLING__CODE__CODE_FENCED, NULL);
	for (size_t k = 0; k < q->n_packets; k++) {
		for (uint32_t i = 0; i < r->packet_n; i++) {
			if (r->packets[i] != q->packets[k])
				continue;
			r->packets[i] = r->packets[--r->packet_n];
			r->numbers[i] = r->numbers[r->packet_n];
			break;
		}
	}
	return store_says((void (*)(void))done, ctx, 0, &reply);
}

static inline void store_fini(void)
{
	for (int i = 0; i < ROWS; i++) {
		store_drop(store.rows[i].row);
		store_drop(store.retained[i]);
	}
	for (uint32_t i = 0; i < store.entry_n; i++)
		store_drop(store.entries[i].message);
	memset(&store, 0, sizeof(store));
}

#endif
