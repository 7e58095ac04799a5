/* SPDX-License-Identifier: Apache-2.0
 *
 * span: one bridge in operation: a connection to the remote broker and one to ours, which stand and fall together. As long as not both are there, neither reads: what comes
 * meanwhile waits in the lasting session of the broker that it comes from. */
#ifndef MQTT_BRIDGE_SPAN_H
#define MQTT_BRIDGE_SPAN_H

#include "common/mqtt_link/mqtt_link.h"
#include "services/mqtt-bridge/bridges.h"
#include "services/mqtt-bridge/relay.h"

/* waiting -> remote -> ours -> up -> closing -> waiting; closing -> stopped */
enum span_state { SPAN_WAITING, SPAN_REMOTE, SPAN_OURS, SPAN_UP, SPAN_CLOSING, SPAN_STOPPED };

struct span;

/* What all links share; outlives them. */
struct span_env {
	struct mqtt_link_env link;
	const struct bridge_config *config;
	const struct log_ctx *log;
	struct relay_counts *counts;
	void (*on_stopped)(struct span *l, void *ctx); /* it may be freed from here */
	void *ctx;
};

/* One of the two connections. */
struct end {
	struct mqtt_link link;
	struct span *span;
	unsigned side; /* as relay has them */
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

#endif
