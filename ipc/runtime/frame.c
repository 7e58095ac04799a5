/* SPDX-License-Identifier: Apache-2.0
 *
 * frame: reads and writes batches of records. Strict: lengths are checked for the whole frame before the first record is looked at, so
 * that a broken frame has no effect at all. */
#include "ipc/runtime/frame.h"

#define FRAME_MAGIC   'S'
#define FRAME_VERSION 1

static uint32_t u32le(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put_u32le(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)(v >> 16);
	p[3] = (uint8_t)(v >> 24);
}

/* Bytes of the record at p with its head, 0 when it is broken or does not end within `left`. */
static size_t record_size(const uint8_t *p, size_t left)
{
	uint64_t envelope, size;

	if (left < FRAME_RECORD_HEAD)
		return 0;
	envelope = u32le(p);
	size = envelope + u32le(p + 4) + u32le(p + 8);
	if (envelope == 0 || envelope > FRAME_ENVELOPE_MAX || size > FRAME_RECORD_MAX || size > left - FRAME_RECORD_HEAD)
		return 0;
	return FRAME_RECORD_HEAD + (size_t)size;
}

bool frame_open(struct frame_reader *r, struct str frame)
{
	const uint8_t *p = (const uint8_t *)frame.p;
	size_t left = frame.n;

	if (left < FRAME_HEAD || left > FRAME_MAX || p[0] != FRAME_MAGIC || p[1] != FRAME_VERSION)
		return false;
	p += FRAME_HEAD;
	left -= FRAME_HEAD;
	r->p = p;
	r->left = left;
	while (left > 0) {
		size_t size = record_size(p, left);

		if (size == 0)
			return false;
		p += size;
		left -= size;
	}
	return true;
}

bool frame_next(struct frame_reader *r, struct frame_record *out)
{
	const uint8_t *p = r->p;
	uint32_t envelope, body, payload;
	size_t size;

	if (r->left < FRAME_RECORD_HEAD)
		return false;
	envelope = u32le(p);
	body = u32le(p + 4);
	payload = u32le(p + 8);
	size = FRAME_RECORD_HEAD + (size_t)envelope + body + payload;
	out->whole = str_make(p, size);
	p += FRAME_RECORD_HEAD;
	out->envelope = str_make(p, envelope);
	out->body = str_make(p + envelope, body);
	out->payload = str_make(p + envelope + body, payload);
	r->p += size;
	r->left -= size;
	return true;
}

static void frame_begin(struct buf *b)
{
	const char head[FRAME_HEAD] = { FRAME_MAGIC, FRAME_VERSION };

	if (b->n == b->start)
		buf_append(b, head, sizeof(head));
}

void frame_append(struct buf *b, struct str whole)
{
	frame_begin(b);
	buf_append_str(b, whole);
}

uint8_t *frame_reserve(struct buf *b, size_t most)
{
	uint8_t *p;

	frame_begin(b);
	p = (uint8_t *)buf_reserve(b, FRAME_RECORD_HEAD + most);
	return p ? p + FRAME_RECORD_HEAD : NULL;
}

void frame_commit(struct buf *b, size_t envelope, size_t body, size_t payload)
{
	uint8_t *p = (uint8_t *)b->p + b->n;

	put_u32le(p, (uint32_t)envelope);
	put_u32le(p + 4, (uint32_t)body);
	put_u32le(p + 8, (uint32_t)payload);
	buf_commit(b, FRAME_RECORD_HEAD + envelope + body + payload);
}
