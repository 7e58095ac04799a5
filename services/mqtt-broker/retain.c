/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-broker/retain.h"

#include "common/base/mem.h"
#include "services/mqtt-broker/metrics.h"
#include "services/mqtt-broker/mq.h"
#include "services/mqtt-broker/route.h"
#include "services/mqtt-broker/several.h"
#include "services/mqtt-broker/wire.h"

#define RETRY_MS 512u

/* A version of the topic's message, and who waits for it. */
struct version {
	struct mq_message *message; /* NULL: none */
	struct mq_wait **waits;
	uint32_t wait_n, wait_cap;
	uint8_t qos;
};

struct mq_retaining {
	struct str topic;      /* owned */
	struct list_node node; /* of the broker's */
	struct mq_tenant *tenant;
	struct wheel_timer retry;
	struct version now, next;
	struct mq_message *other; /* another broker's, which may be later: that is known when the store has said our version; NULL: none */
	uint64_t other_version;
	uint8_t other_qos;
};

static void call(struct mq_retaining *r);

static int64_t bytes(const struct version *v)
{
	return (int64_t)(sizeof(struct mq_retaining) + mq_message_bytes(v->message));
}

/* With all who waited for the one before it. */
static void set(struct mq_retaining *r, struct version *v, struct mq_publication *p, struct mq_wait *wait)
{
	struct mq_broker *b = r->tenant->broker;

	if (v->message)
		mq_storing(b, -bytes(v));
	mq_message_unref(&v->message);
	v->message = mq_publication_keep(p);
	v->qos = p->qos;
	mq_storing(b, bytes(v));
	if (!wait)
		return;
	if (v->wait_n == v->wait_cap) {
		v->wait_cap = v->wait_cap ? v->wait_cap * 2 : 2;
		v->waits = mem_realloc(v->waits, v->wait_cap * sizeof(*v->waits));
	}
	v->waits[v->wait_n++] = wait;
	mq_wait_open(wait);
}

static void settle(struct mq_retaining *r, struct version *v, enum mqtt_reason reason)
{
	struct version old = *v;

	*v = (struct version){ 0 };
	if (old.message)
		mq_storing(r->tenant->broker, -bytes(&old));
	mq_message_unref(&old.message);
	for (uint32_t i = 0; i < old.wait_n; i++)
		mq_wait_close(old.waits[i], reason);
	mem_free(old.waits);
}

/* The other brokers have it. */
static void on_told(void *ctx, enum mqtt_reason reason)
{
	struct version *v = ctx;

	for (uint32_t i = 0; i < v->wait_n; i++)
		mq_wait_close(v->waits[i], reason);
	mem_free(v->waits);
	mem_free(v);
}

static void retaining_free(struct mq_retaining *r)
{
	struct mq_message *other = r->other;

	list_remove(&r->node);
	mq_names_remove(&r->tenant->retaining, r->topic);
	if (other)
		mq_retained_load(r->tenant, other, r->other_qos, r->other_version);
	net_timer_cancel(r->tenant->broker->net, &r->retry);
	mem_free((char *)(uintptr_t)r->topic.p);
	mem_free(r);
}

void mq_retain_end(struct mq_broker *b)
{
	list_for_each_safe (n, &b->retainings) {
		struct mq_retaining *r = list_entry(n, struct mq_retaining, node);

		settle(r, &r->now, MQTT_SERVER_SHUTTING_DOWN);
		settle(r, &r->next, MQTT_SERVER_SHUTTING_DOWN);
		retaining_free(r);
	}
}

bool mq_retain_other(struct mq_tenant *t, struct mq_message *m, unsigned qos, uint64_t version)
{
	struct mq_retaining *r = mq_names_get(&t->retaining, m->m.topic);

	if (!r)
		return false;
	if (r->other && r->other_version >= version) {
		mq_message_unref(&m);
		return true;
	}
	mq_message_unref(&r->other);
	r->other = m;
	r->other_qos = (uint8_t)qos;
	r->other_version = version;
	return true;
}

static void on_retry(struct wheel_timer *t)
{
	call(list_entry(t, struct mq_retaining, retry));
}

static enum mqtt_reason reason_of(struct mq_broker *b, const struct ipc_result *result)
{
	if (ipc_ok(result))
		return MQTT_SUCCESS;
	if (result->code == STARLING__CODE__CODE_LIMIT) {
		metric_inc(&mq_metrics.dropped_retained);
		return MQTT_QUOTA_EXCEEDED;
	}
	log_error(b->log, "the store refuses a retained message: %s %s", ipc_code_name(result->code), result->text);
	return MQTT_IMPLEMENTATION_SPECIFIC;
}

/* All who wait for it wait for the other brokers as well. */
static void stored(struct mq_retaining *r, uint64_t version)
{
	const struct mqtt_message *m = &r->now.message->m;
	struct mq_wait *wait = NULL;

	if (!r->next.message)
		mq_retained_version(r->tenant, r->topic, version, m->props_and_payload.n == m->props_size);
	if (r->tenant->broker->several->peer_n == 0)
		return;
	if (r->now.wait_n) {
		wait = mq_wait_new(on_told, mem_memdup(&r->now, sizeof(r->now)));
		r->now.waits = NULL;
		r->now.wait_n = r->now.wait_cap = 0;
	}
	mq_retained_tell(r->tenant, r->now.message, r->now.qos, version, wait);
	mq_wait_close(wait, MQTT_SUCCESS);
}

static void on_retained(const struct ipc_result *result, const Starling__MqttRetainReply *reply, void *ctx)
{
	struct mq_retaining *r = ctx;

	if (!ipc_ok(result) && mq_wire_passing(result->code)) {
		metric_inc(&mq_metrics.store_failed);
		net_timer_set(r->tenant->broker->net, &r->retry, RETRY_MS);
		return;
	}
	/* Nobody is shown what a restart would take away. */
	if (!ipc_ok(result) && !r->next.message)
		mq_retained_drop(r->tenant, r->topic);
	if (ipc_ok(result))
		stored(r, reply->version);
	settle(r, &r->now, reason_of(r->tenant->broker, result));
	if (!r->next.message) {
		retaining_free(r);
		return;
	}
	r->now = r->next;
	r->next = (struct version){ 0 };
	call(r);
}

static void call(struct mq_retaining *r)
{
	Starling__MqttRetainRequest request = STARLING__MQTT_RETAIN_REQUEST__INIT;
	struct mq_broker *b = r->tenant->broker;
	struct ipc_opts opts = mq_wire_opts(b);
	struct mq_wire wire;

	mq_wire_init(&wire, r->tenant, r->now.message, r->now.qos, true, false);
	opts.payload = wire.payload;
	request.message = &wire.message;
	call_storage_mqtt_retain(b->bus, ipc_any("storage"), &opts, &request, on_retained, r);
	mq_wire_fini(&wire);
}

void mq_retain_store(struct mq_tenant *t, struct mq_publication *p, struct mq_wait *wait)
{
	struct mq_retaining *r = mq_names_get(&t->retaining, p->m.topic);

	if (r) {
		set(r, &r->next, p, wait);
		return;
	}
	r = mem_new(struct mq_retaining);
	r->tenant = t;
	r->topic = str_make(mem_strndup(p->m.topic.p, p->m.topic.n), p->m.topic.n);
	wheel_timer_init(&r->retry, on_retry);
	list_push_back(&t->broker->retainings, &r->node);
	mq_names_put(&t->retaining, r);
	set(r, &r->now, p, wait);
	call(r);
}
