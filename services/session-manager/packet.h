/* SPDX-License-Identifier: Apache-2.0
 *
 * packet: a stanza on its way through this daemon, as views (the fast path); parcel: its copy on the heap for when it must wait. */
#ifndef SESSION_MANAGER_PACKET_H
#define SESSION_MANAGER_PACKET_H

#include "common/base/clock.h"
#include "common/base/list.h"
#include "common/base/str.h"
#include "ipc/proto/edge.pb-c.h"
#include "ipc/proto/types.pb-c.h"
#include "services/session-manager/receipt.h"

struct sm;

/* Names a client's stanza across resends: its stream and its number there. 0: a stanza of the server's own. */
struct packet_key {
	uint64_t stream, number;
};

struct packet {
	const Starling__StanzaMeta *meta;
	struct str bytes; /* canonical */
	struct str extra; /* children to add when written out */
	uint64_t trace;
	uint64_t first_ms; /* clock_mono_ms() of the first try to handle it, or before; 0: not known */
	uint64_t taken_ms; /* clock_mono_ms() when it was taken from an edge; 0: it comes from elsewhere */
	struct packet_key key;
	uint32_t hops;
	bool archive_sender;     /* a message: its local sender's archive wants it */
	bool again;              /* may have been handled before: to be looked for in the log */
	bool check_origin;       /* and by its origin id, too */
	struct receipt *receipt; /* may be NULL */
};

struct parcel {
	struct list_node node; /* in whatever queue holds it */
	struct packet packet;  /* views into this same allocation */
	Starling__StanzaMeta meta;
	struct sm *sm;
	size_t size;
	uint32_t attempts; /* of whatever is being tried with it */
	uint64_t since_ms;
	int64_t time_us; /* when it was taken for the store */
};

/* For the receiver of one that was tried before; 0: not known, or not asked for. */
static inline uint64_t packet_age_ms(const struct packet *p, bool again)
{
	return again && p->first_ms ? clock_mono_ms() - p->first_ms + 1 : 0;
}

/* Bytes that the strings of a packet take in a copy, and the copying itself: `at` has room for them; meta, bytes and extra are set. */
size_t packet_text_size(const struct packet *p);
void packet_copy(const struct packet *p, char *at, Starling__StanzaMeta *meta, struct str *bytes, struct str *extra);

/* Copies and holds the receipt. */
struct parcel *parcel_new(struct sm *sm, const struct packet *p);
/* Frees and releases the receipt. */
void parcel_free(struct parcel **p);

/* Short names for the contract's enums. */
#define KIND_MESSAGE      STARLING__STANZA_KIND__STANZA_MESSAGE
#define KIND_PRESENCE     STARLING__STANZA_KIND__STANZA_PRESENCE
#define KIND_IQ           STARLING__STANZA_KIND__STANZA_IQ
#define TYPE_NONE         STARLING__STANZA_TYPE__TYPE_NONE
#define TYPE_ERROR        STARLING__STANZA_TYPE__TYPE_ERROR
#define TYPE_NORMAL       STARLING__STANZA_TYPE__TYPE_NORMAL
#define TYPE_CHAT         STARLING__STANZA_TYPE__TYPE_CHAT
#define TYPE_GROUPCHAT    STARLING__STANZA_TYPE__TYPE_GROUPCHAT
#define TYPE_HEADLINE     STARLING__STANZA_TYPE__TYPE_HEADLINE
#define TYPE_UNAVAILABLE  STARLING__STANZA_TYPE__TYPE_UNAVAILABLE
#define TYPE_SUBSCRIBE    STARLING__STANZA_TYPE__TYPE_SUBSCRIBE
#define TYPE_SUBSCRIBED   STARLING__STANZA_TYPE__TYPE_SUBSCRIBED
#define TYPE_UNSUBSCRIBE  STARLING__STANZA_TYPE__TYPE_UNSUBSCRIBE
#define TYPE_UNSUBSCRIBED STARLING__STANZA_TYPE__TYPE_UNSUBSCRIBED
#define TYPE_PROBE        STARLING__STANZA_TYPE__TYPE_PROBE
#define TYPE_GET          STARLING__STANZA_TYPE__TYPE_GET
#define TYPE_SET          STARLING__STANZA_TYPE__TYPE_SET
#define TYPE_RESULT       STARLING__STANZA_TYPE__TYPE_RESULT
#define CODE(name)        STARLING__CODE__CODE_##name
#define FORM(name)        STARLING__DELIVER_FORM__FORM_##name

#endif
