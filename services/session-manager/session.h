/* SPDX-License-Identifier: Apache-2.0
 *
 * session: one bound resource. It lives in four places at once (its account, its edge, the table of streams, Redis); session_new and
 * session_free are the only ways in and out of the first three, session_store.c writes the fourth. */
#ifndef SESSION_MANAGER_SESSION_H
#define SESSION_MANAGER_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/list.h"
#include "common/base/str.h"
#include "services/session-manager/catchup.h"
#include "services/session-manager/table.h"
#include "services/session-manager/unacked.h"
#include "services/session-manager/window.h"

struct account;
struct archive_turn;
struct edge;
struct sm;

/* One address that directed presence went to (RFC 6121 section 4.6). */
struct directed {
	struct directed *next;
	char jid[];
};

struct session {
	struct table_node by_stream;
	uint64_t stream;
	struct account *account;
	struct list_node of_account, of_edge;
	struct list_node progress; /* in its edge's list: Accepted is to be sent */
	struct list_node unsaved;  /* in sm->unsaved: Redis does not know the newest */
	struct edge *edge;
	struct archive_turn *archive_line; /* features/archive_line.h; NULL: nothing is under way */
	char *full_text;
	struct str full, resource; /* resource is a view into full */
	char *address;
	struct window window;
	struct unacked list;     /* what its client has not acknowledged */
	struct list_node behind; /* in its edge's list: something waits for room */
	struct list_node lazy;   /* in sm->lazy: numbers that Redis is told of now and then */
	uint64_t told;           /* stanzas up to here are accepted as far as Redis knows; with stream management no more is said */
	uint64_t cursor;         /* highest position of the log that its client has acknowledged */
	uint64_t from, given;    /* all that was for it from `from` up to `given` it has been given, in this order; from 0: not known */
	struct catchup catchup;
	uint64_t base_in, base_out; /* stanza and delivery numbers at which XEP-0198 counts from 0 */
	uint64_t recheck_to;        /* stanzas up to this number may have been handled before: their client sends them again */
	uint64_t tried;             /* no owner before this one had any above this number */
	uint64_t tried_since_ms;    /* nor those up to it, as far as they are not accepted, before this (clock_mono_ms()); 0: not known */
	uint64_t origin_to;         /* up to this number they may be what an earlier session sent, and have the same origin id; 0: none */
	uint64_t archive_read;      /* what is archived up to here, the client gets from the archive by itself */
	int64_t parked_until_us;    /* wall clock; 0 while not parked */
	uint32_t resume_s;          /* how long it may be away; 0: no resumption */
	uint32_t turn;              /* rises with each park and resume: tells timers of before */
	uint32_t read_attempts;
	uint64_t read_to; /* highest position asked for */
	char *presence;   /* last available presence, canonical; NULL while unavailable */
	uint32_t presence_n;
	uint32_t presence_flags;
	struct directed *directed;
	uint32_t directed_count;
	int64_t since_us;
	struct list_node services_node; /* among those who are told of changes of services outside of XMPP (external_services.c) */
	uint8_t services_asked;         /* of which */
	int8_t priority;
	bool available;  /* has sent presence, and not unavailable since */
	bool interested; /* has asked for the roster (RFC 6121 section 2.2) */
	bool encrypted;
	bool carbons;  /* XEP-0280 */
	bool managed;  /* XEP-0198, and may be resumed */
	bool parked;   /* its client, or its edge, is away: things are listed, nothing is sent */
	bool known;    /* its list and numbers are this owner's own; false: from Redis, until the edge or the client tells */
	bool overfull; /* its list grew too long: it is about to end */
	bool reading;  /* what waits on its list is being read from the log */
};

/* How far acceptance may be told. */
static inline uint64_t session_accepted(const struct session *s)
{
	return s->managed && s->told < s->window.accepted ? s->told : s->window.accepted;
}

/* Of a client that could not resume: what it sends again it sends first, and some of that may not have been taken. So when this many in a row were new, all are. */
#define SESSION_ORIGIN_RUN 256u
/* Another owner had it before, and what that had in hand is presented again: sets tried and tried_since_ms. */
void session_expect_again(struct session *s);

/* Something given to it now goes to its edge now. */
static inline bool session_live(const struct session *s)
{
	return !s->parked && s->known;
}

struct session *session_find(struct sm *sm, uint64_t stream);
struct session *session_by_resource(struct account *a, struct str resource);
struct session *session_new(struct account *a, struct str resource, uint64_t stream, uint64_t edge_instance);
/* Its client is at that edge now. */
void session_move(struct session *s, uint64_t edge_instance);
/* Out of memory only: tells nobody. */
void session_free(struct session *s);
/* The one way in which presence changes; bytes empty: unavailable. */
void session_set_presence(struct session *s, struct str bytes, int priority, uint32_t flags);
/* Its client has this message from the archive by itself. */
static inline bool session_has_read(const struct session *s, uint64_t log_id, bool archived)
{
	return archived && log_id <= s->archive_read;
}
/* Reads messages sent to the bare JID (RFC 6121 section 8.5.2.1.1). */
static inline bool session_takes_messages(const struct session *s)
{
	return s->available && s->priority >= 0;
}
uint32_t session_count(const struct account *a);
bool session_add_directed(struct session *s, struct str jid);
void session_drop_directed(struct session *s, struct str jid);

#endif
