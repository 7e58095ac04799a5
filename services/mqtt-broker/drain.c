/* SPDX-License-Identifier: Apache-2.0
 *
 * drain: the end of this instance (SIGTERM): no new connections, clients sent off with 0x9C and where to go, or 0x8B, spread over the time there is so
 * that they do not all come to the others at once. */
#include "services/mqtt-broker/lasting.h"
#include "services/mqtt-broker/ports.h"
#include "services/mqtt-broker/several.h"

#define TICK_MS   WHEEL_TICK_MS
#define BATCH_MIN 50u /* a small broker is done quickly */

static void end_some(struct mq_broker *b, uint32_t count)
{
	list_for_each_safe (n, &b->clients) {
		struct mq_client *c = list_entry(n, struct mq_client, node);

		if (c->state == MQ_CLOSING)
			continue;
		if (count-- == 0)
			return;
		mq_client_end(c, MQTT_SERVER_SHUTTING_DOWN, "");
	}
}

static void on_tick(struct wheel_timer *t)
{
	struct mq_broker *b = list_entry(t, struct mq_broker, drain_timer);
	uint64_t now = net_now(b->net);
	uint64_t ticks = b->drain_until_ms > now ? (b->drain_until_ms - now) / TICK_MS : 0;
	uint32_t share = ticks ? (uint32_t)(b->client_count / ticks) : b->client_count;

	net_timer_set(b->net, t, TICK_MS);
	end_some(b, share > BATCH_MIN ? share : BATCH_MIN);
	mq_drain_check(b);
}

void mq_drain(struct mq_broker *b)
{
	if (b->draining)
		return;
	b->draining = true;
	mq_ports_close(b);
	b->drain_until_ms = net_now(b->net) + (uint64_t)daemon_shared(b->daemon)->drain_ms / 2;
	log_info(b->log, "draining connections=%u", b->client_count);
	wheel_timer_init(&b->drain_timer, on_tick);
	net_timer_set(b->net, &b->drain_timer, 0);
	mq_drain_check(b);
}

/* What was acknowledged to somebody is in the store; this is what nobody need do again if it gets there too. */
static bool writing(const struct mq_broker *b)
{
	if (!list_empty(&b->queueings) || !list_empty(&b->retainings) || b->several->spread_n > 0)
		return true;
	list_for_each (n, &b->lasting) {
		const struct mq_lasting *l = list_entry(n, struct mq_lasting, node);

		if (l->saving || l->unsaved || l->telling || l->done.n > 0 || l->got.n > 0 || l->state == MQ_LASTING_CLOSING)
			return true;
	}
	return false;
}

void mq_drain_check(struct mq_broker *b)
{
	if (!b->draining || b->stopped || b->client_count > 0 || writing(b))
		return;
	net_timer_cancel(b->net, &b->drain_timer);
	daemon_drained(b->daemon);
}
