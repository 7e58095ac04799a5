/* SPDX-License-Identifier: Apache-2.0
 *
 * told: what waits until all other brokers have this one's filters: SUBACK, and that a session that has moved is said to be here. */
#include "common/base/mem.h"
#include "services/mqtt-broker/lasting.h"
#include "services/mqtt-broker/route.h"
#include "services/mqtt-broker/several.h"
#include "services/mqtt-broker/wire.h"

struct told_wait {
	struct list_node node;
	uint64_t version;
	struct mq_wait *wait;
};

void mq_told(struct mq_broker *b, struct mq_wait *wait)
{
	struct mq_several *s = b->several;
	struct told_wait *w;

	if (s->peer_n == 0)
		return;
	w = mem_new(struct told_wait);
	w->version = s->version;
	w->wait = wait;
	mq_wait_open(wait);
	list_push_back(&s->told_waits, &w->node);
	mq_several_look(b);
}

void mq_told_end(struct mq_broker *b, uint64_t told, enum mqtt_reason reason)
{
	struct mq_several *s = b->several;

	while (!list_empty(&s->told_waits)) {
		struct told_wait *w = list_entry(s->told_waits.next, struct told_wait, node);
		struct mq_wait *wait = w->wait;

		if (w->version > told)
			return;
		list_remove(&w->node);
		mem_free(w);
		mq_wait_close(wait, reason);
	}
}

/* --- who has a session now ---------------------------------------------------------------------------------------- */

struct naming {
	struct mq_broker *broker;
	struct mq_settled one;
};

bool mq_settled_holds(const struct mq_settled *one)
{
	return !one->session->ended || !one->session->elsewhere;
}

void mq_settled_fini(struct mq_settled *one)
{
	mem_free(one->name);
	mq_session_unref(&one->session);
}

static void on_name_told(void *ctx, enum mqtt_reason reason)
{
	struct naming *o = ctx;

	(void)reason;
	if (!o->broker->stopped && mq_settled_holds(&o->one)) {
		list_for_each (n, &o->broker->several->peers)
			mq_exchange_names(list_entry(n, struct mq_peer, node), &o->one);
		mq_settle_names(o->broker, &o->one.name, 1);
	}
	mq_settled_fini(&o->one);
	mem_free(o);
}

void mq_settle_name(struct mq_session *s)
{
	struct mq_broker *b = s->tenant->broker;
	struct naming *o;
	struct mq_wait *wait;

	if (!b->others)
		return;
	o = mem_new(struct naming);
	o->broker = b;
	o->one = (struct mq_settled){ mq_wire_name(s->tenant, s->id), mq_session_ref(s) };
	wait = mq_wait_new(on_name_told, o);
	mq_told(b, wait);
	mq_wait_close(wait, MQTT_SUCCESS);
}
