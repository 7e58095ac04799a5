/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-broker/route.h"

#include "common/base/mem.h"
#include "services/mqtt-broker/mq.h"
#include "services/mqtt-broker/retain.h"
#include "services/mqtt-broker/several.h"

/* --- what is waited for ------------------------------------------------------------------------------------------- */

struct mq_wait *mq_wait_new(void (*fn)(void *ctx, enum mqtt_reason reason), void *ctx)
{
	struct mq_wait *w = mem_new(struct mq_wait);

	w->fn = fn;
	w->ctx = ctx;
	w->open = 1;
	return w;
}

void mq_wait_open(struct mq_wait *w)
{
	if (w)
		w->open++;
}

void mq_wait_moved(struct mq_wait *w)
{
	if (w)
		w->moved = true;
}

static bool worse(unsigned a, unsigned b)
{
	return a >= MQTT_UNSPECIFIED_ERROR && b < MQTT_UNSPECIFIED_ERROR;
}

void mq_wait_close(struct mq_wait *w, enum mqtt_reason reason)
{
	if (!w)
		return;
	if (worse(reason, w->reason))
		w->reason = (uint8_t)reason;
	if (--w->open > 0)
		return;
	if (w->fn)
		w->fn(w->ctx, (enum mqtt_reason)w->reason);
	mem_free(w);
}

void mq_waits_add(struct mq_waits *all, struct mq_wait *w)
{
	if (all->n == all->cap) {
		all->cap = all->cap ? all->cap * 2 : 8;
		all->list = mem_realloc(all->list, all->cap * sizeof(struct mq_wait *));
	}
	all->list[all->n++] = w;
	mq_wait_open(w);
}

void mq_waits_moved(struct mq_waits *all)
{
	for (uint32_t i = 0; i < all->n; i++) {
		mq_wait_moved(all->list[i]);
		mq_wait_close(all->list[i], MQTT_SUCCESS);
	}
	mem_free(all->list);
	*all = (struct mq_waits){ 0 };
}

/* --- the way ------------------------------------------------------------------------------------------------------ */

enum mqtt_reason mq_route(struct mq_tenant *t, struct mq_publication *p, struct mq_wait *wait)
{
	if (p->retain) {
		if (!mq_retained_set(t, p))
			return MQTT_QUOTA_EXCEEDED;
		mq_retain_store(t, p, p->qos > 0 ? wait : NULL);
	}
	if (p->qos > 0 && !p->key_origin) {
		p->key_origin = ipc_bus_instance(t->broker->bus);
		p->key_number = ++t->broker->key;
	}
	if (t->broker->others)
		return mq_spread(t, p, wait) ? MQTT_SUCCESS : MQTT_NO_MATCHING_SUBSCRIBERS;
	return mq_publish(t, p, wait) ? MQTT_SUCCESS : MQTT_NO_MATCHING_SUBSCRIBERS;
}

struct mq_wait *mq_route_wait(struct mq_tenant *t, struct mq_publication *p, enum mqtt_reason *out)
{
	struct mq_wait *w = mq_wait_new(NULL, NULL); /* open until all parts are known */

	*out = mq_route(t, p, w);
	w->reason = (uint8_t)*out;
	if (--w->open > 0)
		return w;
	mem_free(w);
	return NULL;
}

/* --- how much is on its way --------------------------------------------------------------------------------------- */

static bool too_much(const struct mq_broker *b)
{
	return b->storing_bytes > (uint64_t)b->config->storing_bytes;
}

void mq_storing(struct mq_broker *b, int64_t bytes)
{
	b->storing_bytes += (uint64_t)bytes;
	while (!list_empty(&b->held) && b->storing_bytes <= (uint64_t)b->config->storing_bytes / 2 && !b->stopped) {
		struct mq_client_more *more = list_entry(b->held.next, struct mq_client_more, held);

		list_remove(&more->held);
		mq_client_hold(more->client, MQ_HOLD_STORE, false);
	}
}

void mq_storing_gate(struct mq_client *c)
{
	if (c->state != MQ_LIVE || !too_much(c->broker) || !list_unlinked(&mq_client_more(c)->held))
		return;
	list_push_back(&c->broker->held, &c->more->held);
	mq_client_hold(c, MQ_HOLD_STORE, true);
}
