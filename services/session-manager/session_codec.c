/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/session_codec.h"

#include <string.h>

#define VERSION 1
#define MORE    (4 * 8 + 4 + 2 * 8) /* bytes that stand behind the address's NUL */

static void put(struct buf *out, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		buf_append_char(out, (char)(v >> 8 * i));
}

void session_encode(struct buf *out, const struct session_record *r)
{
	struct str address = str_make(r->address.p, r->address.n < UINT16_MAX - 1 - MORE ? r->address.n : 0);

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
	put(out, address.n + 1 + MORE, 2);
	buf_append_str(out, address);
	put(out, 0, 1);
	put(out, r->cursor, 8);
	put(out, r->from, 8);
	put(out, r->base_in, 8);
	put(out, r->base_out, 8);
	put(out, r->resume_s, 4);
	put(out, (uint64_t)r->parked_until_us, 8);
	put(out, (uint64_t)r->open_since_us, 8);
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

/* Splits what stands in the address's place. */
static void read_more(struct str address, struct session_record *out)
{
	const char *end = address.n ? memchr(address.p, '\0', address.n) : NULL;
	struct reader in;

	out->address = address;
	if (!end)
		return;
	out->address.n = (size_t)(end - address.p);
	in = (struct reader){ .left = { end + 1, address.n - out->address.n - 1 } };
	if (in.left.n < MORE)
		return;
	out->cursor = get(&in, 8);
	out->from = get(&in, 8);
	out->base_in = get(&in, 8);
	out->base_out = get(&in, 8);
	out->resume_s = (uint32_t)get(&in, 4);
	out->parked_until_us = (int64_t)get(&in, 8);
	out->open_since_us = (int64_t)get(&in, 8);
}

bool session_decode(struct str bytes, struct session_record *out)
{
	struct reader in = { .left = bytes };
	uint64_t version = get(&in, 1), bits, n;

	*out = (struct session_record){ 0 };
	if (version != VERSION)
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
	n = get(&in, 2);
	if (in.bad || n > in.left.n || out->stream == 0)
		return false;
	read_more(str_make(in.left.p, n), out);
	out->presence = str_make(in.left.p + n, in.left.n - n);
	return true;
}
