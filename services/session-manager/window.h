/* SPDX-License-Identifier: Apache-2.0
 *
 * window: the numbers of one stream's stanzas between edge and owner (session.proto): which were taken, which are done, and up to where all
 * are. Acceptance is cumulative, completion may come in any order. Pure. */
#ifndef SESSION_MANAGER_WINDOW_H
#define SESSION_MANAGER_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#define WINDOW_SIZE 1024u /* stanzas of one stream in flight at most */

struct window {
	uint64_t accepted;      /* everything up to here is done */
	uint64_t taken;         /* highest number that was taken for processing */
	uint64_t *done;         /* bits for accepted+1.. by number modulo WINDOW_SIZE; NULL while completions come in order */
	bool synced;            /* false: a session of another owner's; the first number tells where the edge stands */
	uint64_t since_ms;      /* what is not accepted was not presented to any owner before this (clock_mono_ms()); 0: not known */
	uint64_t unsure;        /* up to this number an owner before us may have had some */
	uint64_t mark, mark_ms; /* and what is above this number, not before that */
};

enum window_verdict {
	WINDOW_TAKE,      /* process it */
	WINDOW_DUPLICATE, /* taken before: skip, say again how far acceptance is */
	WINDOW_GAP,       /* something is missing: let the edge attach and send again */
	WINDOW_FULL,      /* too many in flight: the same */
};

void window_fini(struct window *w);
/* Goes on from what another owner had accepted; what it had not, it had not before since_ms. */
void window_restore(struct window *w, uint64_t accepted, uint64_t since_ms, uint64_t now_ms);
/* first_ms: when it was first presented, to whatever owner. */
enum window_verdict window_take(struct window *w, uint64_t number, uint64_t first_ms);
/* A taken number is done; true when `accepted` moved. */
bool window_done(struct window *w, uint64_t number, uint64_t now_ms);
/* Since when what is not accepted by now may have been handled. */
uint64_t window_since(const struct window *w, uint64_t now_ms);

#endif
