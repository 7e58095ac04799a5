/* SPDX-License-Identifier: Apache-2.0
 *
 * frame: the batch that one ZeroMQ message carries (ipc/proto/envelope.proto, head comment). Bytes only; what an envelope says is codec.h. */
#ifndef IPC_RUNTIME_FRAME_H
#define IPC_RUNTIME_FRAME_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/str.h"

#define FRAME_HEAD         2u
#define FRAME_RECORD_HEAD  12u
#define FRAME_MAX          (32u << 20)
#define FRAME_RECORD_MAX   (16u << 20) /* envelope, body and payload together */
#define FRAME_ENVELOPE_MAX (64u << 10)
#define FRAME_FLUSH        (256u << 10) /* a batch of this size goes out at once */

struct frame_record {
	struct str whole; /* with its head: what a router forwards */
	struct str envelope, body, payload;
};

struct frame_reader {
	const uint8_t *p;
	size_t left;
};

/* False when the frame breaks a rule anywhere: none of its records may be used then. */
bool frame_open(struct frame_reader *r, struct str frame);
/* The next record of a frame that frame_open() accepted; false at its end. */
bool frame_next(struct frame_reader *r, struct frame_record *out);

/* Both begin the frame when the buffer is empty. */
void frame_append(struct buf *b, struct str whole);
/* Room for a record of at most these sizes; the caller writes behind the head and calls frame_commit with what it used. */
uint8_t *frame_reserve(struct buf *b, size_t most);
void frame_commit(struct buf *b, size_t envelope, size_t body, size_t payload);

#endif
