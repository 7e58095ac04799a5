/* SPDX-License-Identifier: Apache-2.0
 *
 * store_mqtt_calls: for the tests of what the store keeps for mqtt-brokers: their calls. */
#ifndef STORAGE_STORE_MQTT_CALLS_H
#define STORAGE_STORE_MQTT_CALLS_H

#include "services/storage/store_calls.h"

#define DENIED STARLING__CODE__CODE_DENIED

#define A 0xfedcba9876543210u /* brokers: numbers above INT64_MAX, too */
#define B 2u

static inline Starling__MqttMessage mqtt_message(const char *topic, uint32_t qos)
{
	Starling__MqttMessage m = STARLING__MQTT_MESSAGE__INIT;

	m.topic = (char *)topic;
	m.qos = qos;
	return m;
}

static inline Starling__MqttFence mqtt_fence(uint64_t session, uint64_t epoch)
{
	Starling__MqttFence fence = STARLING__MQTT_FENCE__INIT;

	fence.session = session;
	fence.epoch = epoch;
	return fence;
}

/* --- sessions ------------------------------------------------------------------------------------------------------ */

struct opening {
	const char *name, *user, *will; /* will: its topic */
	uint32_t expiry_s, will_delay_s;
	bool clean;
	uint64_t instance; /* 0: A */
	uint64_t alive[2];
};

/* The reply is freed by answer_free. */
static inline struct answer open_call(struct fixture *f, const struct opening *o)
{
	Starling__MqttOpenRequest r = STARLING__MQTT_OPEN_REQUEST__INIT;
	Starling__MqttSession session = STARLING__MQTT_SESSION__INIT;
	Starling__MqttMessage will = mqtt_message(o->will, 1);
	uint64_t alive[2];

	session.name = (char *)o->name;
	session.user = (char *)(o->user ? o->user : "");
	session.version = 5;
	session.expiry_s = o->expiry_s ? o->expiry_s : UINT32_MAX;
	session.will_delay_s = o->will_delay_s;
	will.payload = data("gone");
	session.will = o->will ? &will : NULL;
	r.session = &session;
	r.clean = o->clean;
	r.instance = o->instance ? o->instance : A;
	for (size_t i = 0; i < 2; i++)
		if (o->alive[i])
			alive[r.n_alive++] = o->alive[i];
	r.alive = alive;
	return fixture_call(f, METHOD_STORAGE_MQTT_OPEN, &r, STR(""));
}

/* Opened: its fence. */
static inline Starling__MqttFence open_ok(struct fixture *f, const struct opening *o, bool present)
{
	struct answer a = open_call(f, o);
	const Starling__MqttOpenReply *r = (const Starling__MqttOpenReply *)a.reply;
	Starling__MqttFence fence;

	assert_int_equal(a.code, OK);
	assert_int_equal(r->present, present);
	assert_string_equal(r->session->name, o->name);
	fence = mqtt_fence(r->session->fence->session, r->session->fence->epoch);
	answer_free(&a);
	return fence;
}

static inline Starling__MqttFence open_new(struct fixture *f, const char *name)
{
	return open_ok(f, &(struct opening){ .name = name }, false);
}

static inline int open_code(struct fixture *f, const struct opening *o)
{
	struct answer a = open_call(f, o);
	int code = a.code;

	answer_free(&a);
	return code;
}

static inline int close_call(struct fixture *f, Starling__MqttFence fence, bool remove)
{
	Starling__MqttCloseRequest r = STARLING__MQTT_CLOSE_REQUEST__INIT;

	r.fence = &fence;
	r.remove = remove;
	return fixture_code(f, METHOD_STORAGE_MQTT_CLOSE, &r);
}

/* Without a client since a time, to expire after so many seconds. */
static inline int set_call(struct fixture *f, Starling__MqttFence fence, uint32_t expiry_s, int64_t disconnected_us)
{
	Starling__MqttSessionSetRequest r = STARLING__MQTT_SESSION_SET_REQUEST__INIT;

	r.fence = &fence;
	r.expiry_s = expiry_s;
	r.disconnected_us = disconnected_us;
	return fixture_code(f, METHOD_STORAGE_MQTT_SESSION_SET, &r);
}

static inline int subscribe_call(struct fixture *f, Starling__MqttFence fence, const char *add, uint32_t options, uint32_t identifier,
                                 const char *remove)
{
	Starling__MqttSubscribeRequest r = STARLING__MQTT_SUBSCRIBE_REQUEST__INIT;
	Starling__MqttSubscription s = STARLING__MQTT_SUBSCRIPTION__INIT, *list = &s;
	char *removed = (char *)remove;

	s.filter = (char *)add;
	s.options = options;
	s.identifier = identifier;
	r.fence = &fence;
	r.add = &list;
	r.n_add = add != NULL;
	r.remove = &removed;
	r.n_remove = remove != NULL;
	return fixture_code(f, METHOD_STORAGE_MQTT_SUBSCRIBE, &r);
}

/* --- queues -------------------------------------------------------------------------------------------------------- */

struct queued {
	Starling__MqttFence fence;
	uint64_t seq;
	uint32_t qos; /* 0: 1 */
	const char *body;
	uint64_t origin, number;
	bool again;
	uint64_t behind;
};

static inline void queue_send(struct fixture *f, const struct queued *q, struct answer *a)
{
	Starling__MqttQueueRequest r = STARLING__MQTT_QUEUE_REQUEST__INIT;
	Starling__MqttMessage message = mqtt_message("h/t", q->qos ? q->qos : 1);
	Starling__MqttQueued to = STARLING__MQTT_QUEUED__INIT, *list = &to;
	Starling__MqttFence fence = q->fence;

	to.fence = &fence;
	to.seq = q->seq;
	to.behind = q->behind;
	to.qos = message.qos;
	r.message = &message;
	r.to = &list;
	r.n_to = 1;
	r.key_origin = q->origin;
	r.key_number = q->number;
	r.again = q->again;
	fixture_send(f, METHOD_STORAGE_MQTT_QUEUE, &r, str_from(q->body ? q->body : "x"), a);
}

enum stored { STORED, DUPLICATE, FENCED_OUT, EARLY };

/* What became of it. */
static inline enum stored queue_end(struct fixture *f, struct answer *a)
{
	const Starling__MqttQueueReply *r;
	enum stored what;

	assert_true(fixture_until(f, &a->done));
	assert_int_equal(a->code, OK);
	r = (const Starling__MqttQueueReply *)a->reply;
	assert_true(r->n_duplicates + r->n_fenced + r->n_early <= 1);
	what = r->n_duplicates ? DUPLICATE : r->n_fenced ? FENCED_OUT : r->n_early ? EARLY : STORED;
	answer_free(a);
	return what;
}

static inline enum stored queue_call(struct fixture *f, const struct queued *q)
{
	struct answer a;

	queue_send(f, q, &a);
	return queue_end(f, &a);
}

/* The reply is freed by answer_free. */
static inline const Starling__MqttFetchReply *fetch_call(struct fixture *f, uint64_t session, uint64_t after, uint32_t limit,
                                                         struct answer *out)
{
	Starling__MqttFetchRequest r = STARLING__MQTT_FETCH_REQUEST__INIT;

	r.session = session;
	r.after = after;
	r.limit = limit;
	*out = fixture_call(f, METHOD_STORAGE_MQTT_FETCH, &r, STR(""));
	assert_int_equal(out->code, OK);
	return (const Starling__MqttFetchReply *)out->reply;
}

static inline size_t waiting(struct fixture *f, uint64_t session)
{
	struct answer a;
	size_t n = fetch_call(f, session, 0, 500, &a)->n_entries;

	answer_free(&a);
	return n;
}

static inline int done_call(struct fixture *f, Starling__MqttFence fence, uint64_t *done, size_t n, uint64_t *received, size_t n_received)
{
	Starling__MqttDoneRequest r = STARLING__MQTT_DONE_REQUEST__INIT;

	r.fence = &fence;
	r.done = done;
	r.n_done = n;
	r.received = received;
	r.n_received = n_received;
	return fixture_code(f, METHOD_STORAGE_MQTT_DONE, &r);
}

/* --- incoming QoS 2 ------------------------------------------------------------------------------------------------ */

struct name {
	uint64_t origin, number;
	bool again;
};

static inline void receive_send(struct fixture *f, Starling__MqttFence fence, uint32_t packet, struct answer *a)
{
	Starling__MqttReceiveRequest r = STARLING__MQTT_RECEIVE_REQUEST__INIT;

	r.fence = &fence;
	r.packet = packet;
	fixture_send(f, METHOD_STORAGE_MQTT_RECEIVE, &r, STR(""), a);
}

static inline int receive_end(struct fixture *f, struct answer *a, struct name *out)
{
	const Starling__MqttReceiveReply *r;
	int code;

	assert_true(fixture_until(f, &a->done));
	r = (const Starling__MqttReceiveReply *)a->reply;
	if (r && out)
		*out = (struct name){ r->key_origin, r->key_number, r->again };
	code = a->code;
	answer_free(a);
	return code;
}

static inline int receive_call(struct fixture *f, Starling__MqttFence fence, uint32_t packet, struct name *out)
{
	struct answer a;

	receive_send(f, fence, packet, &a);
	return receive_end(f, &a, out);
}

static inline int released_call(struct fixture *f, Starling__MqttFence fence, uint32_t *packets, size_t n)
{
	Starling__MqttReleasedRequest r = STARLING__MQTT_RELEASED_REQUEST__INIT;

	r.fence = &fence;
	r.packets = packets;
	r.n_packets = n;
	return fixture_code(f, METHOD_STORAGE_MQTT_RELEASED, &r);
}

/* --- retained ------------------------------------------------------------------------------------------------------ */

/* version: where it succeeds; may be NULL. body "": none any more. */
static inline int retain_call(struct fixture *f, const char *topic, const char *body, int64_t expires_us, uint64_t *version)
{
	Starling__MqttRetainRequest r = STARLING__MQTT_RETAIN_REQUEST__INIT;
	Starling__MqttMessage m = mqtt_message(topic, 1);
	struct answer a;
	int code;

	m.retain = true;
	m.expires_us = expires_us;
	r.message = &m;
	a = fixture_call(f, METHOD_STORAGE_MQTT_RETAIN, &r, str_from(body));
	code = a.code;
	if (a.reply && version)
		*version = ((const Starling__MqttRetainReply *)a.reply)->version;
	answer_free(&a);
	return code;
}

/* The reply is freed by answer_free. */
static inline const Starling__MqttRetainedReply *retained_call(struct fixture *f, const char *after, uint32_t limit, struct answer *out)
{
	Starling__MqttRetainedRequest r = STARLING__MQTT_RETAINED_REQUEST__INIT;

	r.after = (char *)after;
	r.limit = limit;
	*out = fixture_call(f, METHOD_STORAGE_MQTT_RETAINED_LIST, &r, STR(""));
	assert_int_equal(out->code, OK);
	return (const Starling__MqttRetainedReply *)out->reply;
}

#endif
