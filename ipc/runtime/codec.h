/* SPDX-License-Identifier: Apache-2.0
 *
 * codec: envelopes and bodies to bytes and back, without a heap allocation a record. */
#ifndef IPC_RUNTIME_CODEC_H
#define IPC_RUNTIME_CODEC_H

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/str.h"
#include "ipc/proto/envelope.pb-c.h"
#include "ipc/runtime/frame.h"

#define CODEC_TEXT_MAX 1024u /* a failure's text is cut here */

/* The plain form of Starling__Envelope. */
struct envelope {
	int kind;
	uint32_t method;
	uint64_t source, destination;
	uint64_t call;
	uint32_t deadline_ms;
	uint64_t trace;
	int code;
	struct str text; /* read: a view into the record */
	uint32_t credit;
};

/* Calls and events do; answers and grants go without. */
static inline bool envelope_needs_credit(const struct envelope *e)
{
	return e->kind == STARLING__KIND__KIND_CALL || e->kind == STARLING__KIND__KIND_EVENT;
}

/* Strict: false on a field that is cut short or has a wrong wire type. Unknown fields are skipped (evolution). */
bool envelope_read(struct str bytes, struct envelope *out);
/* Writes at most ENVELOPE_FIXED_MAX + text.n bytes; returns how many. */
#define ENVELOPE_FIXED_MAX 80u
size_t envelope_write(uint8_t *out, const struct envelope *e);

/* Adds a record to a frame under construction. `message` may be NULL (no body). False when it is larger than a record may be. */
bool record_write(struct buf *frame, const struct envelope *e, const ProtobufCMessage *message, struct str payload);
/* The same with a body that is packed already. */
bool record_write_raw(struct buf *frame, const struct envelope *e, struct str body, struct str payload);

/* The message and all it points to live in the arena. NULL when the bytes do not decode. */
ProtobufCMessage *codec_unpack(struct arena *a, const ProtobufCMessageDescriptor *descriptor, struct str body);
/* A copy of a message on the heap; free with protobuf_c_message_free_unpacked(m, NULL). */
ProtobufCMessage *codec_copy(const ProtobufCMessage *message);

#endif
