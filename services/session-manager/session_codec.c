/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/session_codec.h"

#define VERSION 2

static void put(struct buf *out, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		buf_append_char(out, (char)(v >> 8 * i));
}

void session_encode(struct buf *out, const struct session_record *r)
{
	put(out, VERSION, 1);
	put(out, r->stream, 8);
	put(out, r->edge, 8);
	put(out, r->epoch, 8);
	put(out, r->accepted, 8);
	put(out, (uint64_t)r->since_us, 8);
	put(out, r->presence_flags, 4);
	put(out, (uint8_t)r->priority, 1);
	put(out,
	    (r->available ? 1u : 0) | (r->interested ? 2u : 0) | (r->encrypted ? 4u : 0) | (r->carbons ? 8u : 0) | (r->managed ? 16u : 0) |
	            (r->check_origin ? 64u : 0),
	    1);
	put(out, r->cursor, 8);
	put(out, r->from, 8);
	put(out, r->base_in, 8);
	put(out, r->base_out, 8);
	put(out, r->resume_s, 4);
	put(out, (uint64_t)r->parked_until_us, 8);
	put(out, r->address.n & 0xffff, 2);
	buf_append(out, r->address.p, r->address.n & 0xffff);
	buf_append_str(out, r->presence);
}

struct reader {
	struct str left;
	bool bad;
};

static uint64_t get(struct reader *in, unsigned bytes)
{
	uint64_t v = 0;

	if (in->left.n < bytes) {
		in->bad = true;
		return 0;
	}
	for (unsigned i = 0; i < bytes; i++)
		v |= (uint64_t)(uint8_t)in->left.p[i] << 8 * i;
	in->left.p += bytes;
	in->left.n -= bytes;
	return v;
}

bool session_decode(struct str bytes, struct session_record *out)
{
	struct reader in = { .left = bytes };
	uint64_t version = get(&in, 1), bits, n;

	*out = (struct session_record){ 0 };
	if (version != 1 && version != VERSION)
		return false;
	out->stream = get(&in, 8);
	out->edge = get(&in, 8);
	out->epoch = get(&in, 8);
	out->accepted = get(&in, 8);
	out->since_us = (int64_t)get(&in, 8);
	out->presence_flags = (uint32_t)get(&in, 4);
	out->priority = (int8_t)get(&in, 1);
	bits = get(&in, 1);
	out->available = bits & 1;
	out->interested = bits & 2;
	out->encrypted = bits & 4;
	out->carbons = bits & 8;
	out->managed = bits & 16;
	out->check_origin = bits & 64;
	if (version > 1) {
		out->cursor = get(&in, 8);
		out->from = get(&in, 8);
		out->base_in = get(&in, 8);
		out->base_out = get(&in, 8);
		out->resume_s = (uint32_t)get(&in, 4);
		out->parked_until_us = (int64_t)get(&in, 8);
	}
	n = get(&in, 2);
	if (in.bad || n > in.left.n || out->stream == 0)
		return false;
	out->address = str_make(in.left.p, n);
	out->presence = str_make(in.left.p + n, in.left.n - n);
	return true;
}
