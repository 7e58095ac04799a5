/* SPDX-License-Identifier: Apache-2.0
 *
 * session_codec: how a session stands in Redis, as the value of its resource in the hash of its bare JID. Little endian:
 *
 *   u8 version (1), u64 stream, u64 edge instance, u64 slot epoch of the writer, u64 accepted, i64 since (wall µs), u32 presence flags,
 *   i8 priority, u8 bits (1 available, 2 interested, 4 encrypted, 8 carbons, 16 managed, 64 its client may send again what it sent before),
 *   u16 n + address, NUL, u64 cursor, u64 from (session.h), u64 base_in, u64 base_out, u32 resume_s, i64 parked until (wall µs),
 *   i64 since when any owner has had what is not accepted (wall µs; 0: not known),
 *   presence (canonical bytes) up to the end
 *
 * Session-managers of the release before have nothing between address and presence; they take n bytes for an address that ends at the NUL. So both
 * read what the other wrote, for a slot may go to and fro while a flock is upgraded. A reader ignores values of other versions. The same bytes go to
 * the edge (edge.proto, Remember). Pure. */
#ifndef SESSION_MANAGER_SESSION_CODEC_H
#define SESSION_MANAGER_SESSION_CODEC_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/str.h"

struct session_record {
	uint64_t stream, edge, epoch, accepted;
	int64_t since_us;
	uint32_t presence_flags;
	int8_t priority;
	bool available, interested, encrypted, carbons, managed, check_origin;
	uint64_t cursor, from, base_in, base_out;
	uint32_t resume_s;
	int64_t parked_until_us;
	int64_t open_since_us;
	struct str address, presence;
};

void session_encode(struct buf *out, const struct session_record *r);
/* False: not a record of this version. Views point into the bytes. */
bool session_decode(struct str bytes, struct session_record *out);

#endif
