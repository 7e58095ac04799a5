/* SPDX-License-Identifier: Apache-2.0
 *
 * flow: the credit account between us and one other instance, and the queue of records that wait for it (ipc/proto/envelope.proto, `credit`).
 * Arithmetic and bytes only. */
#ifndef IPC_RUNTIME_FLOW_H
#define IPC_RUNTIME_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"

#define FLOW_WINDOW      1024u
#define FLOW_QUEUE       65536u
#define FLOW_QUEUE_BYTES (128u << 20) /* the queue is full at this size too, however few the records */

struct flow {
	/* sending */
	uint32_t window;      /* what the receiver allows */
	uint32_t outstanding; /* on the way, not yet consumed */
	uint32_t limit;       /* of the queue */
	uint32_t queued;
	struct buf queue;
	bool pressed; /* on_pressure(true) was said */
	/* receiving */
	uint32_t owed; /* consumed since our last grant */
};

/* A record that waits; its bytes (envelope, body, payload behind a record head) follow it in the queue. */
struct flow_waiting {
	uint64_t call; /* 0: an event */
	uint64_t deadline_ms;
	size_t size;
	bool in_line; /* sent also when its call has ended */
};

enum flow_pressure { FLOW_SAME, FLOW_HIGH, FLOW_LOW };

void flow_init(struct flow *f, uint32_t window, uint32_t limit);
void flow_fini(struct flow *f);
static inline bool flow_open(const struct flow *f)
{
	return f->outstanding < f->window;
}
bool flow_full(const struct flow *f);
enum flow_pressure flow_push(struct flow *f, const struct flow_waiting *w, struct str record);
/* The first waiting record; a view until the queue changes. False when none waits. */
bool flow_peek(const struct flow *f, struct flow_waiting *out, struct str *out_record);
enum flow_pressure flow_pop(struct flow *f);
void flow_credit(struct flow *f, uint32_t records);
/* What was on the way may be lost, so what is outstanding is unknown: begin with a full window. A grant for a record that did arrive then
 * counts too much for a moment, which costs the receiver at most one more window of memory; the reverse would stop the flow for ever. */
void flow_reset(struct flow *f);
/* Forgets the queue too. */
void flow_drop(struct flow *f);

/* Receiving: one more record was consumed; true when a grant is worth a record of its own. */
bool flow_consumed(struct flow *f, uint32_t our_window);

#endif
