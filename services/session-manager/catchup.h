/* SPDX-License-Identifier: Apache-2.0
 *
 * catchup: reading the message log for one session, page by page: what waited while nobody was there (XEP-0160), or all that came since its
 * cursor when an owner without a memory takes it over. While it runs, new messages are left to it: they are in the log. */
#ifndef SESSION_MANAGER_CATCHUP_H
#define SESSION_MANAGER_CATCHUP_H

#include <stdbool.h>
#include <stdint.h>

struct account;
struct session;

enum catchup_mode {
	CATCHUP_NONE,
	CATCHUP_OFFLINE, /* received messages behind the account's tail, to one reader; and what was sent since it began */
	CATCHUP_REBUILD, /* everything behind the session's cursor that it would have been given */
};

struct catchup {
	enum catchup_mode mode;
	uint64_t start; /* read from here on */
	uint64_t after; /* read up to here */
	uint64_t began; /* what came later is given as new; REBUILD: start */
	uint32_t turn;  /* tells answers for a former one */
	uint32_t attempts;
	bool fetching;
	bool reader; /* it has taken messages ever since it began: what it has read, a reader has been given */
	bool again;  /* something was appended since the page was asked for */
};

/* A reader is about to come: notes from where on it will have been given all, before its record is written. */
void catchup_expect(struct session *s);
/* A reader has come, or can go on: what waits goes to it, unless somebody else is getting it. */
void catchup_offline(struct session *s);
void catchup_rebuild(struct session *s, uint64_t after);
/* The next page, if the session can take one: after acknowledgements, after it is live again. */
void catchup_go_on(struct session *s);
/* It is going to read this position, or has: whoever learns of it otherwise leaves it to that. */
bool catchup_reads(const struct session *s, uint64_t log_id);
/* Something was committed for the account: those that read look once more. */
void catchup_committed(struct account *a);
/* What sessions left behind when they ended, to a reader if one is there. */
void catchup_left(struct account *a);
/* Its client is away: a reader who can go on takes over. */
void catchup_park(struct session *s);
/* The session ends: a reader who can go on takes over. was_reader: catchup.reader, before its presence went. */
void catchup_stop(struct session *s, bool was_reader);

#endif
