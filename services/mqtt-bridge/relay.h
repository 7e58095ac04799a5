/* SPDX-License-Identifier: Apache-2.0
 *
 * relay: two clients bound together, of our broker and of the remote one: what one is sent the other publishes, and what the other's broker acknowledges is acknowledged to the
 * first. It keeps nothing that has to outlive it: a message has the same packet identifier at both sides. Those that a broker gives to messages for us, and those
 * that we give to messages for a broker, are spaces of their own (MQTT 5.0 section 2.2.1), so what is unfinished in one broker's session says under which
 * identifier it is unfinished in the other's. See docs/decisions/0041-mqtt-bridge.md. No I/O.
 *
 * Sides are numbered by the way that begins there: WAY_OUT ours, WAY_IN the remote one. */
#ifndef MQTT_BRIDGE_RELAY_H
#define MQTT_BRIDGE_RELAY_H

#include "common/base/list.h"
#include "common/mqtt/mqtt_client.h"
#include "services/mqtt-bridge/rules.h"

/* Bytes of messages that one side has sent and the other has no window for. Who is told Receive Maximum stays below; before 5.0 there is none. */
#define RELAY_HELD_MAX ((size_t)64 << 20)

struct relay_counts {
	uint64_t passed[WAYS];
	uint64_t no_rule, too_large, slow, refused; /* messages that do not arrive */
};

struct relay_events {
	void (*on_failed)(unsigned side, const char *why, void *ctx); /* it cannot go on with that side */
	void (*on_filter_refused)(unsigned side, const char *filter, unsigned reason, void *ctx);
	void (*on_subscribed)(unsigned side, void *ctx);
};

struct relay_way {
	uint8_t *states;       /* of packet identifiers: enum in relay.c */
	uint32_t inflight;     /* at the side that it goes to, against its Receive Maximum */
	struct list_node held; /* messages that wait for that, or for `subscribing`; in order */
	size_t held_bytes;
	uint32_t held_count;
};

struct relay {
	const struct rules *rules;
	const struct relay_events *events;
	void *ctx;
	struct relay_counts *counts;
	size_t output_max; /* bytes that may wait for a slow broker before QoS 0 is dropped, and the rest held */
	struct mqtt_client *clients[WAYS];
	bool subscribing[WAYS];
	struct relay_way ways[WAYS];
	struct buf topic, answer, packet;
};

/* Both clients are live and outlast it. counts are added to. */
void relay_init(struct relay *r, const struct rules *rules, struct mqtt_client *ours, struct mqtt_client *remote,
                const struct relay_events *events, void *ctx, struct relay_counts *counts, size_t output_max);
void relay_fini(struct relay *r);
/* Subscribes at both. */
void relay_start(struct relay *r);
/* What a client's events say. */
void relay_publish(struct relay *r, unsigned side, const struct mqtt_publish *p);
void relay_ack(struct relay *r, unsigned side, enum mqtt_type type, const struct mqtt_ack *a);
void relay_suback(struct relay *r, unsigned side, const struct mqtt_suback *a);
/* Messages with QoS 1 and 2 that are not acknowledged. */
uint32_t relay_unacknowledged(const struct relay *r);

#endif
