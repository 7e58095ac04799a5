/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-broker/start.h"

#include "common/base/mem.h"
#include "services/mqtt-broker/lasting.h"
#include "services/mqtt-broker/metrics.h"
#include "services/mqtt-broker/ports.h"
#include "services/mqtt-broker/several.h"
#include "services/mqtt-broker/wire.h"

#define PAGE        500u
#define RETRY_MS    512u
#define BROKERS_MAX 256u

enum step { STEP_OTHERS, STEP_PEERS, STEP_SESSIONS, STEP_RETAINED };

struct mq_start {
	struct mq_broker *broker;
	struct wheel_timer timer;
	char *after; /* the last name or topic that was read; "" at first */
	enum step step;
	uint32_t retained;
	bool said;
};

static void go_on(struct mq_start *st);

static void next_step(struct mq_start *st)
{
	mem_free(st->after);
	st->after = mem_strdup("");
	st->step++;
	go_on(st);
}

static void next_page(struct mq_start *st, const char *after)
{
	mem_free(st->after);
	st->after = mem_strdup(after);
	go_on(st);
}

static void retry(struct mq_start *st, const struct ipc_result *result)
{
	metric_inc(&mq_metrics.store_failed);
	if (!st->said)
		log_info(st->broker->log, "waiting for the store: %s %s", ipc_code_name(result->code), result->text);
	st->said = true;
	net_timer_set(st->broker->net, &st->timer, RETRY_MS);
}

/* --- retained messages -------------------------------------------------------------------------------------------- */

static void load(struct mq_broker *b, const Starling__MqttRetained *row)
{
	struct mq_tenant *t;
	struct mq_message *m = row->message ? mq_wire_message(b, row->message, (struct str){ 0 }, &t) : NULL;

	if (m)
		mq_retained_load(t, m, row->message->qos & 3, row->version);
}

static void on_retained(const struct ipc_result *result, const Starling__MqttRetainedReply *reply, void *ctx)
{
	struct mq_start *st = ctx;

	if (!ipc_ok(result)) {
		retry(st, result);
		return;
	}
	for (size_t i = 0; i < reply->n_retained; i++)
		load(st->broker, reply->retained[i]);
	st->retained += (uint32_t)reply->n_retained;
	if (reply->complete || reply->n_retained == 0)
		next_step(st);
	else
		next_page(st, reply->retained[reply->n_retained - 1]->message->topic);
}

static void ask_retained(struct mq_start *st)
{
	Starling__MqttRetainedRequest request = STARLING__MQTT_RETAINED_REQUEST__INIT;
	struct ipc_opts opts = mq_wire_opts(st->broker);

	request.after = st->after;
	request.limit = PAGE;
	call_storage_mqtt_retained_list(st->broker->bus, ipc_any("storage"), &opts, &request, on_retained, st);
}

/* --- steps -------------------------------------------------------------------------------------------------------- */

/* A broker of an earlier release serves alone, and says nothing of its filters: it is waited for, unless it is waiting itself. 0: nobody. */
static uint64_t before_us(struct mq_broker *b)
{
	const Starling__Registration *all[BROKERS_MAX];
	uint32_t n = ipc_bus_instances(b->bus, "mqtt-broker", all, BROKERS_MAX);

	for (uint32_t i = 0; i < n && i < BROKERS_MAX; i++) {
		if (all[i]->instance != ipc_bus_instance(b->bus) && all[i]->state != STARLING__INSTANCE_STATE__INSTANCE_STARTING &&
		    !mq_peer_find(b, all[i]->instance))
			return all[i]->instance;
	}
	return 0;
}

static void wait_for_others(struct mq_start *st)
{
	uint64_t other = before_us(st->broker);

	if (other == 0) {
		next_step(st);
		return;
	}
	if (!st->said)
		log_info(st->broker->log, "waiting for the broker before this one to end instance=%016llx", (unsigned long long)other);
	st->said = true;
	net_timer_set(st->broker->net, &st->timer, RETRY_MS);
}

static void finish(struct mq_start *st)
{
	struct mq_broker *b = st->broker;

	if (st->retained)
		log_info(b->log, "taken from the store retained=%u", st->retained);
	mq_start_end(b);
	if (b->several->settled != b->several->view)
		mq_adopt_begin(b); /* one has died, or come, meanwhile */
	mq_started(b);
}

static void go_on(struct mq_start *st)
{
	switch (st->step) {
	case STEP_OTHERS:
		wait_for_others(st);
		break;
	case STEP_PEERS:
		mq_start_look(st->broker);
		break;
	case STEP_SESSIONS:
		mq_adopt_begin(st->broker);
		break;
	case STEP_RETAINED:
		ask_retained(st);
		break;
	default:
		finish(st);
		break;
	}
}

/* With the other brokers' filters here and ours there, sessions; with those settled, what is retained. */
void mq_start_look(struct mq_broker *b)
{
	struct mq_start *st = b->start;

	if (st && st->step == STEP_PEERS && mq_peers_joined(b))
		next_step(st);
	else if (st && st->step == STEP_SESSIONS && b->several->settled == b->several->view)
		next_step(st);
}

static void on_timer(struct wheel_timer *t)
{
	go_on(list_entry(t, struct mq_start, timer));
}

void mq_start_begin(struct mq_broker *b)
{
	struct mq_start *st = mem_new(struct mq_start);
	struct err e;

	b->start = st;
	st->broker = b;
	st->after = mem_strdup("");
	wheel_timer_init(&st->timer, on_timer);
	mq_peers_update(b);
	/* On one machine all have the same ports, and who does not serve yet would keep clients from those that do. Where there is no other they wait. */
	if (b->several->peer_n == 0 && before_us(b) == 0)
		(void)mq_ports_listen(b, &e); /* else mq_started finds out why not */
	go_on(st);
}

void mq_start_end(struct mq_broker *b)
{
	if (!b->start)
		return;
	net_timer_cancel(b->net, &b->start->timer);
	mem_free(b->start->after);
	mem_free(b->start);
	b->start = NULL;
}

void mq_start_lost(struct mq_broker *b)
{
	if (b->start && b->start->step == STEP_OTHERS)
		net_timer_set(b->net, &b->start->timer, 0);
}
