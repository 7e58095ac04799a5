/* SPDX-License-Identifier: Apache-2.0
 *
 * stanza: from the element that the stream parser delivers to what travels: a StanzaMeta-like head and canonical bytes
 * (ipc/proto/types.proto says what canonical means). No I/O; no ipc/ include: the head is plain C and ipc maps it. */
#ifndef COMMON_XMPP_STANZA_H
#define COMMON_XMPP_STANZA_H

#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/str.h"

/* Numbers equal those of StanzaKind, StanzaType and StanzaFlag in ipc/proto/types.proto (a unit test of ipc/ compares them). */
enum stanza_kind { STANZA_NONE, STANZA_MESSAGE, STANZA_PRESENCE, STANZA_IQ };
enum stanza_type {
	STANZA_TYPE_NONE,
	STANZA_TYPE_ERROR,
	STANZA_TYPE_NORMAL,
	STANZA_TYPE_CHAT,
	STANZA_TYPE_GROUPCHAT,
	STANZA_TYPE_HEADLINE,
	STANZA_TYPE_UNAVAILABLE,
	STANZA_TYPE_SUBSCRIBE,
	STANZA_TYPE_SUBSCRIBED,
	STANZA_TYPE_UNSUBSCRIBE,
	STANZA_TYPE_UNSUBSCRIBED,
	STANZA_TYPE_PROBE,
	STANZA_TYPE_GET,
	STANZA_TYPE_SET,
	STANZA_TYPE_RESULT
};
enum stanza_flag {
	STANZA_BODY = 1,
	STANZA_SUBJECT = 2,
	STANZA_THREAD = 4,
	STANZA_CHAT_STATE = 8,
	STANZA_RECEIPT = 16,
	STANZA_RECEIPT_REQUEST = 32,
	STANZA_MARKER = 64,
	STANZA_ENCRYPTED = 128,
	STANZA_NO_STORE = 256,
	STANZA_NO_PERMANENT_STORE = 512,
	STANZA_NO_COPY = 1024,
	STANZA_STORE = 2048,
	STANZA_PRIVATE = 4096,
	STANZA_DELAY = 8192,
	STANZA_MUC_USER = 16384,
	STANZA_CARBON = 32768,
	STANZA_RETRACT = 65536,
	STANZA_EMPTY = 131072,
	STANZA_OTHER_PAYLOAD = 262144,
	STANZA_INVITE = 524288
};

/* All views point into the parser's memory or into `bytes` and live as long as these. */
struct stanza {
	enum stanza_kind kind;
	enum stanza_type type;
	struct str id;
	struct str to_raw; /* as the client wrote it; not normalised */
	struct str from_raw;
	bool has_to, has_from, has_id;
	uint32_t flags;
	struct str child_name, child_ns; /* iq: the only child */
	uint32_t children;
	int priority;      /* 0 where none or an invalid one was given */
	const char *fault; /* NULL, or why the stanza is to be answered with bad-request (unknown type, bad priority, iq without id ...) */
	struct str origin_id;
	struct str bytes; /* canonical, without from and to on the root */
};

/* RFC 6120 section 8.3: condition "service-unavailable", type is chosen by table ("cancel"). */
const char *stanza_error_type(const char *condition);
const char *stanza_type_name(enum stanza_type t); /* "chat"; NULL for NONE */
enum stanza_type stanza_type_parse(enum stanza_kind kind, struct str text, bool *out_valid);

/* Canonical bytes of an error that answers `original` (canonical): same name, id and, for message and iq, its children, type error and the
 * error child. by, text and app (a canonical element) may be empty. The caller swaps the addresses in the envelope. */
void stanza_error_bytes(struct buf *out, enum stanza_kind kind, struct str id, struct str original, const char *condition, struct str text,
                        struct str by, struct str app);
/* Canonical bytes of an iq result with this id and this canonical child ("" for none). */
void stanza_result_bytes(struct buf *out, struct str id, struct str child);
/* What goes on the wire: from and to written into the start tag, extra before the end tag. Handles self-closed roots. xmlns: "" on a stream
 * whose default namespace is the stanza's own. */
void stanza_write(struct buf *out, struct str canonical, struct str from, struct str to, struct str extra);
/* <forwarded/> (XEP-0297) with that stanza in it, as stanza_write writes it; before it a delay where stamp_us is not 0. */
void stanza_forward(struct buf *out, int64_t stamp_us, struct str canonical, struct str from, struct str to, struct str extra);
/* <delay xmlns='urn:xmpp:delay' .../> (XEP-0203), canonical. */
void stanza_delay(struct buf *out, int64_t wall_us, struct str from, struct str text);

#endif
