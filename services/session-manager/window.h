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
	uint64_t accepted; /* everything up to here is done */
	uint64_t taken;    /* highest number that was taken for processing */
	uint64_t *done;    /* bits for accepted+1.. by number modulo WINDOW_SIZE; NULL while completions come in order */
	bool synced;       /* false: a session of another owner's; the first number tells where the edge stands */
};

enum window_verdict {
	WINDOW_TAKE,      /* process it */
	WINDOW_DUPLICATE, /* taken before: skip, say again how far acceptance is */
	WINDOW_GAP,       /* something is missing: let the edge attach and send again */
	WINDOW_FULL,      /* too many in flight: the same */
};

void window_fini(struct window *w);
enum window_verdict window_take(struct window *w, uint64_t number);
/* A taken number is done; true when `accepted` moved. */
bool window_done(struct window *w, uint64_t number);

#endif
