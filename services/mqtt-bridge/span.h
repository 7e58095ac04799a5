/* SPDX-License-Identifier: Apache-2.0
 *
 * span: one bridge in operation: a connection to the remote broker and one to ours, which stand and fall together. As long as not both are there, neither reads: what comes
 * meanwhile waits in the lasting session of the broker that it comes from. */
#ifndef MQTT_BRIDGE_SPAN_H
#define MQTT_BRIDGE_SPAN_H

#include "common/base/log.h"
#include "common/net/conn.h"
#include "services/mqtt-bridge/bridges.h"
#include "services/mqtt-bridge/dial.h"
#include "services/mqtt-bridge/relay.h"

/* waiting -> remote -> ours -> up -> closing -> waiting; closing -> stopped */
enum span_state { SPAN_WAITING, SPAN_REMOTE, SPAN_OURS, SPAN_UP, SPAN_CLOSING, SPAN_STOPPED };

struct span;

/* What all links share; outlives them. */
struct span_env {
	struct net_loop *net;
	struct dns *dns;
	const struct bridge_config *config;
	const struct log_ctx *log;
	struct relay_counts *counts;
	void (*on_stopped)(struct span *l, void *ctx); /* it may be freed from here */
	void *ctx;
};

/* One of the two connections. */
struct end {
	struct span *span;
	unsigned side; /* as relay has them */
	const struct party *party;
	const struct party_address *address; /* the one in use */
	struct client client;
	struct dial *dial;
	struct conn *conn;
	bool bridge_bit; /* asked for with it */
	char where[NET_ADDR_TEXT_MAX];
	struct wheel_timer timer; /* until CONNACK; then the next ping */
};

struct span {
	const struct span_env *env;
	const struct bridge *bridge;
	struct log_ctx log;
	enum span_state state;
	struct end ends[WAYS];
	struct relay relay;
	bool relaying, stopping;
	bool no_bit;       /* the remote broker refuses mosquitto's bit */
	size_t next;       /* of the remote addresses */
	uint32_t failures; /* since it was last up for a while */
	uint64_t up_ms;
	char why[400]; /* of the last failure, so that it is logged once */
	struct wheel_timer retry;
	struct net_task settle;
};

/* bridge and env outlive it. It begins at once. */
struct span *span_new(const struct span_env *env, const struct bridge *bridge);
/* Says goodbye; env->on_stopped follows, from the loop. */
void span_stop(struct span *l);
/* Gone at once. */
void span_free(struct span **l);

/* --- between span.c and end.c ------------------------------------------------------------------------------------- */

void end_init(struct end *e, struct span *l, unsigned side, const struct party *party);
void end_open(struct end *e, const struct party_address *to, uint16_t receive_max, bool bridge_bit);
/* Goodbye, or away at once where there is nobody to say it to; conn becomes NULL, and span_end_closed follows when there was one. */
void end_close(struct end *e);
void end_drop(struct end *e);
/* 1 or 0, retained, if it is wanted. */
void end_say_state(struct end *e, const char *state);

extern const struct client_events end_client_events;

void span_end_up(struct end *e);
void span_end_failed(struct end *e, enum log_level level, const char *why);
/* The broker takes none of what was asked for: reason is MQTT_SUCCESS where it closed without a word. */
void span_end_refused(struct end *e, enum mqtt_reason reason, const char *why);
void span_end_closed(struct end *e);

#endif
