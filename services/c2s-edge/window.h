/* SPDX-License-Identifier: Apache-2.0
 *
 * window: a client's stanzas that the owner of its account has not accepted yet, in order and numbered from 1 (session.proto). They are
 * kept so that a new owner, after a failover, can be sent them again. No I/O. */
#ifndef C2S_EDGE_WINDOW_H
#define C2S_EDGE_WINDOW_H

#include "common/base/list.h"
#include "common/base/str.h"
#include "ipc/proto/types.pb-c.h"

/* One stanza, in one piece of memory. */
struct c2s_pending {
	struct list_node node;
	uint64_t number;
	uint64_t trace;
	uint64_t since_ms;              /* when it came, to us or at the earliest to another edge; 0: not known */
	size_t bytes;                   /* charged to the window */
	const char *fault, *fault_text; /* static; NULL: none */
	Starling__StanzaMeta meta;      /* without from, which is the session's to add when it sends */
	struct str payload;
	char text[]; /* what meta and payload point to */
};

struct c2s_window {
	struct list_node pending;
	uint64_t assigned; /* last number given out */
	uint64_t sent;     /* last number sent to the present owner */
	uint64_t accepted;
	uint64_t tried;          /* highest number that some owner may have seen */
	uint64_t tried_since_ms; /* what another edge sent of these, it sent no earlier; 0: not known */
	uint32_t count;
	size_t bytes;
};

void c2s_window_init(struct c2s_window *w);
/* Goes on behind `accepted`, where another edge may have sent `tried` more to the owner, since then. */
void c2s_window_start(struct c2s_window *w, uint64_t accepted, uint32_t tried, uint64_t since_ms);
void c2s_window_fini(struct c2s_window *w);
/* Copies everything; gives the next number. */
struct c2s_pending *c2s_window_add(struct c2s_window *w, const Starling__StanzaMeta *meta, struct str payload, uint64_t trace);
/* The first that has not been sent, or NULL. */
struct c2s_pending *c2s_window_next(const struct c2s_window *w);
void c2s_window_sent(struct c2s_window *w, const struct c2s_pending *p);
/* All up to this number are done. Numbers from the past or never given out change nothing. True when something went. */
bool c2s_window_accept(struct c2s_window *w, uint64_t number);
/* A new owner: whatever is left goes out again. */
void c2s_window_rewind(struct c2s_window *w);

#endif
