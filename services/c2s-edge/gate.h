/* SPDX-License-Identifier: Apache-2.0
 *
 * gate: how many logins are at one step at a time, and how many a second pass it. The others wait in line, however many come at once: what they
 * wait for here is not counted as theirs. A gate of turns lets so many pass in each turn of the loop instead, as fast as the machine can. */
#ifndef C2S_EDGE_GATE_H
#define C2S_EDGE_GATE_H

#include "common/base/list.h"
#include "common/net/loop.h"

struct c2s_edge;
struct c2s_stream;

struct c2s_gate {
	struct c2s_edge *edge;
	struct list_node waiting; /* c2s_login.waiting */
	struct wheel_timer timer; /* when only the rate keeps them */
	uint32_t inside, max;
	uint32_t rate; /* a second; 0: unlimited */
	struct net_task turn;
	bool by_turns;
	double tokens;
	uint64_t filled_ms;
	bool busy;
};

void c2s_gate_init(struct c2s_gate *g, struct c2s_edge *edge, uint32_t max);
void c2s_gate_init_turns(struct c2s_gate *g, struct c2s_edge *edge, uint32_t max); /* needs no c2s_gate_leave */
void c2s_gate_fini(struct c2s_gate *g);
void c2s_gate_set_rate(struct c2s_gate *g, uint32_t rate);
/* Runs go(s) at once or later, once; not when the stream ends before. */
void c2s_gate_enter(struct c2s_gate *g, struct c2s_stream *s, void (*go)(struct c2s_stream *s));
/* The stream ends. */
void c2s_gate_abandon(struct c2s_stream *s);
/* For each go that ran: the step is done. */
void c2s_gate_leave(struct c2s_gate *g);

#endif
