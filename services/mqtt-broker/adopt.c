/* SPDX-License-Identifier: Apache-2.0
 *
 * adopt: sessions in the store that nobody alive owns: at start, and when another broker has died. Who lives divides them by slot: rendezvous over (slot,
 * instance), which all who see the same brokers compute alike. */
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "services/mqtt-broker/lasting.h"
#include "services/mqtt-broker/metrics.h"
#include "services/mqtt-broker/several.h"
#include "services/mqtt-broker/wire.h"

#define PAGE     500u
#define RETRY_MS 512u

static void ask(struct mq_broker *b);

/* Whoever was connected is not any more: since now, as far as anybody knows. */
void mq_adopt_load(struct mq_broker *b, const Starling__MqttSession *row)
{
	struct str id;
	struct mq_tenant *t = mq_wire_tenant(b, str_from(row->name), &id);
	struct mq_session *s;

	if (!t || id.n == 0 || !row->fence || mq_names_get(&t->sessions, id))
		return; /* of a host that is ours no more: it stays in the store */
	s = mq_session_new(t, id, row->user[0] ? row->user : NULL);
	mq_lasting_new(s);
	mq_lasting_load(s, row);
	s->lasts = true;
	mq_outbox_rewind(&s->lasting->box);
	b->several->epoch++;
	if (row->disconnected_us)
		mq_lasting_wait(s);
	else
		mq_lasting_leave(s);
}

static bool mine(const struct mq_broker *b, uint32_t slot)
{
	uint64_t pair[2] = { slot, ipc_bus_instance(b->bus) }, own = hash_fnv1a64(str_make((const char *)pair, sizeof(pair)));

	list_for_each (n, &b->several->peers) {
		uint64_t its;

		pair[1] = list_entry(n, struct mq_peer, node)->instance;
		its = hash_fnv1a64(str_make((const char *)pair, sizeof(pair)));
		if (its > own || (its == own && pair[1] > ipc_bus_instance(b->bus)))
			return false;
	}
	return true;
}

/* --- the end of it ------------------------------------------------------------------------------------------------ */

static void restart(struct mq_broker *b)
{
	struct mq_several *s = b->several;

	s->adopting.waits = false;
	mem_free(s->adopting.after);
	s->adopting.after = mem_strdup("");
	s->adopting.again = false;
	s->adopting.sessions = 0;
	s->adopting.view = s->view;
	ask(b);
}

static void on_all_told(void *ctx, enum mqtt_reason reason)
{
	struct mq_broker *b = ctx;
	struct mq_several *s = b->several;

	(void)reason;
	if (b->stopped)
		return;
	if (s->adopting.again || s->adopting.view != s->view) {
		restart(b);
		return;
	}
	if (s->adopting.sessions)
		log_info(b->log, "taken from the store sessions=%u", s->adopting.sessions);
	mem_free(s->adopting.after);
	s->adopting.after = NULL;
	memset(s->adopting.slots, 0, sizeof(s->adopting.slots));
	s->settled = s->view;
	net_defer(b->net, &s->tell_task);
	mq_several_look(b);
}

/* What a client of ours has had taken from the store, and nobody else will find there, is told with the rest: else a message could pass it by. */
static void complete(struct mq_broker *b)
{
	struct mq_several *s = b->several;
	struct mq_wait *wait;

	s->adopting.waits = s->unsettled && (s->opening > 0 || !list_empty(&s->singles));
	if (s->adopting.waits)
		return;
	wait = mq_wait_new(on_all_told, b);
	mq_told(b, wait);
	mq_wait_close(wait, MQTT_SUCCESS);
}

void mq_adopt_look(struct mq_broker *b)
{
	if (!b->stopped && b->several->adopting.waits)
		complete(b);
}

/* --- pages -------------------------------------------------------------------------------------------------------- */

static bool among(const uint64_t *list, uint32_t n, uint64_t instance)
{
	for (uint32_t i = 0; i < n; i++) {
		if (list[i] == instance)
			return true;
	}
	return false;
}

/* The store may have given us what they had: should they come back, they are told. */
static void give_up(struct mq_broker *b)
{
	struct mq_several *s = b->several;

	for (uint32_t i = 0; i < MQ_GIVEN_UP; i++) {
		struct mq_peer *back;

		if (!s->lost[i] || among(s->adopting.alive, s->adopting.alive_n, s->lost[i]))
			continue;
		back = mq_peer_find(b, s->lost[i]);
		s->given_up[s->given_up_n++ % MQ_GIVEN_UP] = s->lost[i];
		s->lost[i] = 0;
		if (back) {
			back->given_up = true;
			mq_exchange_begin(back);
		}
	}
}

static void on_adopted(const struct ipc_result *result, const Starling__MqttAdoptReply *reply, void *ctx)
{
	struct mq_broker *b = ctx;
	struct mq_several *s = b->several;

	if (b->stopped)
		return;
	if (ipc_ok(result) || mq_wire_doubtful(result->code))
		give_up(b);
	if (!ipc_ok(result)) {
		metric_inc(&mq_metrics.store_failed);
		net_timer_set(b->net, &s->adopting.timer, RETRY_MS);
		return;
	}
	for (size_t i = 0; i < reply->n_sessions; i++)
		mq_adopt_load(b, reply->sessions[i]);
	s->adopting.sessions += (uint32_t)reply->n_sessions;
	if (s->adopting.again) {
		restart(b);
	} else if (reply->complete || reply->n_sessions == 0) {
		complete(b);
	} else {
		mem_free(s->adopting.after);
		s->adopting.after = mem_strdup(reply->sessions[reply->n_sessions - 1]->name);
		ask(b);
	}
}

static void ask(struct mq_broker *b)
{
	struct mq_several *s = b->several;
	Starling__MqttAdoptRequest request = STARLING__MQTT_ADOPT_REQUEST__INIT;
	struct ipc_opts opts = mq_wire_opts(b);
	uint32_t slots[SLOT_COUNT];

	request.slots = slots;
	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		s->adopting.slots[i] |= mine(b, i);
		if (s->adopting.slots[i])
			slots[request.n_slots++] = i;
	}
	s->adopting.alive_n = mq_alive(b, s->adopting.alive, MQ_BROKERS_MAX);
	if (request.n_slots == 0) {
		complete(b);
		return;
	}
	request.instance = ipc_bus_instance(b->bus);
	request.alive = s->adopting.alive;
	request.n_alive = s->adopting.alive_n;
	request.after = s->adopting.after;
	request.limit = PAGE;
	call_storage_mqtt_adopt(b->bus, ipc_any("storage"), &opts, &request, on_adopted, b);
}

static void on_timer(struct wheel_timer *t)
{
	struct mq_broker *b = list_entry(t, struct mq_several, adopting.timer)->broker;

	if (b->several->adopting.again)
		restart(b);
	else
		ask(b);
}

void mq_adopt_begin(struct mq_broker *b)
{
	struct mq_several *s = b->several;

	s->adopts = true;
	if (s->adopting.after && !s->adopting.waits) {
		s->adopting.again = true;
		return;
	}
	wheel_timer_init(&s->adopting.timer, on_timer);
	restart(b);
}

void mq_adopt_end(struct mq_broker *b)
{
	struct mq_several *s = b->several;

	if (s->adopting.after)
		net_timer_cancel(b->net, &s->adopting.timer);
	mem_free(s->adopting.after);
	s->adopting.after = NULL;
	mq_adopt_names_end(b);
}
