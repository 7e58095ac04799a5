/* SPDX-License-Identifier: Apache-2.0
 *
 * sys: what the broker says of itself below $SYS, under mosquitto's names: retained messages, the same in each host, sent again when they have changed. */
#include <inttypes.h>
#include <stdio.h>

#include "common/base/mem.h"
#include "services/mqtt-broker/lasting.h"
#include "services/mqtt-broker/metrics.h"

struct row {
	const char *topic;
	uint64_t (*read)(const struct mq_broker *b);
};

/* Sessions, of those here and those away. */
static uint64_t total(const struct mq_broker *b)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < b->tenant_count; i++)
		n += b->tenants[i].sessions.count;
	return n;
}

static uint64_t away(const struct mq_broker *b)
{
	uint64_t n = 0;

	list_for_each (node, &b->lasting)
		n += !list_entry(node, struct mq_lasting, node)->session->client;
	return n;
}

static uint64_t clients(const struct mq_broker *b)
{
	return total(b) - away(b);
}

static uint64_t clients_max(const struct mq_broker *b)
{
	return b->client_max;
}

static uint64_t expired(const struct mq_broker *b)
{
	(void)b;
	return (uint64_t)mq_metrics.expired.value;
}

static uint64_t messages_in(const struct mq_broker *b)
{
	(void)b;
	return (uint64_t)mq_metrics.packets_in.value;
}

static uint64_t publish_in(const struct mq_broker *b)
{
	(void)b;
	return (uint64_t)mq_metrics.publish_in.value;
}

static uint64_t publish_out(const struct mq_broker *b)
{
	(void)b;
	return (uint64_t)mq_metrics.publish_out.value;
}

static uint64_t dropped(const struct mq_broker *b)
{
	(void)b;
	return (uint64_t)(mq_metrics.dropped_slow.value + mq_metrics.dropped_queue.value + mq_metrics.dropped_large.value);
}

static uint64_t subscriptions(const struct mq_broker *b)
{
	return (uint64_t)mq_metrics.subscriptions.read((void *)(uintptr_t)b);
}

static uint64_t retained(const struct mq_broker *b)
{
	return (uint64_t)mq_metrics.retained.read((void *)(uintptr_t)b);
}

static uint64_t retained_bytes(const struct mq_broker *b)
{
	return (uint64_t)mq_metrics.retained_bytes.read((void *)(uintptr_t)b);
}

static const struct row rows[] = {
	{ "$SYS/broker/clients/total", total },
	{ "$SYS/broker/clients/connected", clients },
	{ "$SYS/broker/clients/active", clients },
	{ "$SYS/broker/clients/maximum", clients_max },
	{ "$SYS/broker/clients/disconnected", away },
	{ "$SYS/broker/clients/inactive", away },
	{ "$SYS/broker/clients/expired", expired },
	{ "$SYS/broker/messages/received", messages_in },
	{ "$SYS/broker/publish/messages/received", publish_in },
	{ "$SYS/broker/publish/messages/sent", publish_out },
	{ "$SYS/broker/publish/messages/dropped", dropped },
	{ "$SYS/broker/subscriptions/count", subscriptions },
	{ "$SYS/broker/retained messages/count", retained },
	{ "$SYS/broker/store/messages/count", retained },
	{ "$SYS/broker/store/messages/bytes", retained_bytes },
};
#define ROWS (sizeof(rows) / sizeof(*rows))

struct mq_sys {
	struct mq_broker *broker;
	struct wheel_timer timer;
	uint64_t started_ms, last[ROWS];
	bool said; /* once at least */
};

static void say(struct mq_broker *b, const char *topic, const char *text)
{
	for (uint32_t i = 0; i < b->tenant_count; i++) {
		struct mq_publication p = { .m = { .topic = str_from(topic), .props_and_payload = str_from(text) }, .retain = true };

		if (mq_retained_set(&b->tenants[i], &p))
			mq_publish(&b->tenants[i], &p, NULL);
		mq_publication_end(&p);
	}
}

static void on_timer(struct wheel_timer *t)
{
	struct mq_sys *sys = list_entry(t, struct mq_sys, timer);
	struct mq_broker *b = sys->broker;
	uint64_t now = net_now(b->net), n = clients(b);
	char text[64];

	if (n > b->client_max)
		b->client_max = (uint32_t)n;
	if (!sys->said) {
		snprintf(text, sizeof(text), "starling version %s", daemon_version());
		say(b, "$SYS/broker/version", text);
	}
	snprintf(text, sizeof(text), "%" PRIu64 " seconds", (now - sys->started_ms) / 1000);
	say(b, "$SYS/broker/uptime", text);
	for (size_t i = 0; i < ROWS; i++) {
		uint64_t value = rows[i].read(b);

		if (sys->said && value == sys->last[i])
			continue;
		sys->last[i] = value;
		snprintf(text, sizeof(text), "%" PRIu64, value);
		say(b, rows[i].topic, text);
	}
	sys->said = true;
	net_timer_set(b->net, t, (uint64_t)b->config->sys_ms);
}

void mq_sys_start(struct mq_broker *b)
{
	b->sys = mem_new(struct mq_sys);
	b->sys->broker = b;
	b->sys->started_ms = net_now(b->net);
	wheel_timer_init(&b->sys->timer, on_timer);
	mq_sys_reload(b);
}

void mq_sys_stop(struct mq_broker *b)
{
	net_timer_cancel(b->net, &b->sys->timer);
	mem_free(b->sys);
	b->sys = NULL;
}

void mq_sys_reload(struct mq_broker *b)
{
	if (b->config->sys_ms)
		net_timer_set(b->net, &b->sys->timer, b->sys->said ? (uint64_t)b->config->sys_ms : 0);
	else
		net_timer_cancel(b->net, &b->sys->timer);
}
