/* SPDX-License-Identifier: Apache-2.0
 *
 * route: from a message that is taken to the answer that its publisher gets: it is retained, handed to who is here, and written to the store for sessions
 * that last; the answer is known when the store has it (docs/decisions/0035-mqtt-broker.md). */
#ifndef MQTT_BROKER_ROUTE_H
#define MQTT_BROKER_ROUTE_H

#include "common/mqtt/mqtt.h"

struct mq_broker;
struct mq_client;
struct mq_publication;
struct mq_tenant;

/* What one message waits for. It frees itself when all of it is there. */
struct mq_wait {
	void (*fn)(void *ctx, enum mqtt_reason reason);
	void *ctx;
	uint32_t open;
	uint8_t reason; /* enum mqtt_reason; the worst */
	bool moved;     /* not all of it went where it should: it is to be matched anew (several.h) */
};

/* wait, unless NULL: for the store; the caller has it open. The caller ends p. */
enum mqtt_reason mq_route(struct mq_tenant *t, struct mq_publication *p, struct mq_wait *wait);
/* NULL: *out is the answer. Otherwise it is not known yet: the caller sets fn and ctx of what is returned, and fn runs once, later. */
struct mq_wait *mq_route_wait(struct mq_tenant *t, struct mq_publication *p, enum mqtt_reason *out);

/* Already open once, for who makes it. */
struct mq_wait *mq_wait_new(void (*fn)(void *ctx, enum mqtt_reason reason), void *ctx);
/* One more part of what is waited for, and its end. w may be NULL. */
void mq_wait_open(struct mq_wait *w);
void mq_wait_close(struct mq_wait *w, enum mqtt_reason reason);

/* w may be NULL. */
void mq_wait_moved(struct mq_wait *w);

/* Those that wait for one session. */
struct mq_waits {
	struct mq_wait **list;
	uint32_t n, cap;
};

void mq_waits_add(struct mq_waits *all, struct mq_wait *w);
/* All are told, as moved. */
void mq_waits_moved(struct mq_waits *all);

/* So much more is on its way to the store, or less. */
void mq_storing(struct mq_broker *b, int64_t bytes);
/* The client has published: it is read no further while too much is on its way. */
void mq_storing_gate(struct mq_client *c);

#endif
