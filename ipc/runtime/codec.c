/* SPDX-License-Identifier: Apache-2.0
 *
 * codec: the envelope is read and written by hand, since every record has one at every hop and the general decoder costs several
 * times as much; codec_test.c holds it to what protobuf-c says. Bodies go through protobuf-c with an allocator over an arena. */
#include "ipc/runtime/codec.h"

#include "common/base/mem.h"

enum wire { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

/* Field numbers of Envelope. */
enum field {
	FIELD_KIND = 1,
	FIELD_METHOD = 2,
	FIELD_SOURCE = 3,
	FIELD_DESTINATION = 4,
	FIELD_CALL = 5,
	FIELD_DEADLINE = 6,
	FIELD_TRACE = 7,
	FIELD_CODE = 8,
	FIELD_TEXT = 9,
	FIELD_CREDIT = 10,
};

struct cursor {
	const uint8_t *p, *end;
};

static bool read_varint(struct cursor *c, uint64_t *out)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 70 && c->p < c->end; shift += 7) {
		uint8_t byte = *c->p++;

		if (shift < 64)
			v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*out = v;
			return true;
		}
	}
	return false;
}

static bool read_fixed(struct cursor *c, size_t n, uint64_t *out)
{
	uint64_t v = 0;

	if ((size_t)(c->end - c->p) < n)
		return false;
	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)c->p[i] << (8 * i);
	c->p += n;
	*out = v;
	return true;
}

/* A value of any type that occurs: numbers in *number, bytes in *bytes. */
static bool read_value(struct cursor *c, unsigned wire, uint64_t *number, struct str *bytes)
{
	switch (wire) {
	case WIRE_VARINT:
		return read_varint(c, number);
	case WIRE_FIXED64:
		return read_fixed(c, 8, number);
	case WIRE_FIXED32:
		return read_fixed(c, 4, number);
	case WIRE_BYTES:
		if (!read_varint(c, number) || *number > (uint64_t)(c->end - c->p))
			return false;
		*bytes = str_make(c->p, (size_t)*number);
		c->p += *number;
		return true;
	default:
		return false;
	}
}

static bool set_field(struct envelope *e, uint64_t field, unsigned wire, uint64_t number, struct str bytes)
{
	static const uint8_t wires[] = { [FIELD_KIND] = WIRE_VARINT,         [FIELD_METHOD] = WIRE_VARINT, [FIELD_SOURCE] = WIRE_FIXED64,
		                         [FIELD_DESTINATION] = WIRE_FIXED64, [FIELD_CALL] = WIRE_VARINT,   [FIELD_DEADLINE] = WIRE_VARINT,
		                         [FIELD_TRACE] = WIRE_FIXED64,       [FIELD_CODE] = WIRE_VARINT,   [FIELD_TEXT] = WIRE_BYTES,
		                         [FIELD_CREDIT] = WIRE_VARINT };

	if (field == 0)
		return false;
	if (field >= sizeof(wires))
		return true;
	if (wires[field] != wire)
		return false;
	switch ((enum field)field) {
	case FIELD_KIND:
		e->kind = (int)number;
		break;
	case FIELD_METHOD:
		e->method = (uint32_t)number;
		break;
	case FIELD_SOURCE:
		e->source = number;
		break;
	case FIELD_DESTINATION:
		e->destination = number;
		break;
	case FIELD_CALL:
		e->call = number;
		break;
	case FIELD_DEADLINE:
		e->deadline_ms = (uint32_t)number;
		break;
	case FIELD_TRACE:
		e->trace = number;
		break;
	case FIELD_CODE:
		e->code = (int)number;
		break;
	case FIELD_TEXT:
		e->text = bytes;
		break;
	case FIELD_CREDIT:
		e->credit = (uint32_t)number;
		break;
	}
	return true;
}

bool envelope_read(struct str bytes, struct envelope *out)
{
	struct cursor c = { (const uint8_t *)bytes.p, (const uint8_t *)bytes.p + bytes.n };

	*out = (struct envelope){ 0 };
	while (c.p < c.end) {
		uint64_t tag, number = 0;
		struct str value = { NULL, 0 };

		if (!read_varint(&c, &tag) || tag >> 3 > 0x1fffffff || !read_value(&c, tag & 7, &number, &value) ||
		    !set_field(out, tag >> 3, tag & 7, number, value))
			return false;
	}
	return true;
}

static uint8_t *put_varint(uint8_t *p, uint64_t v)
{
	while (v >= 0x80) {
		*p++ = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	*p++ = (uint8_t)v;
	return p;
}

static uint8_t *put_number(uint8_t *p, enum field field, uint64_t v)
{
	if (v == 0)
		return p;
	*p++ = (uint8_t)(field << 3 | WIRE_VARINT);
	return put_varint(p, v);
}

static uint8_t *put_fixed64(uint8_t *p, enum field field, uint64_t v)
{
	if (v == 0)
		return p;
	*p++ = (uint8_t)(field << 3 | WIRE_FIXED64);
	for (size_t i = 0; i < 8; i++)
		*p++ = (uint8_t)(v >> (8 * i));
	return p;
}

size_t envelope_write(uint8_t *out, const struct envelope *e)
{
	uint8_t *p = out;

	p = put_number(p, FIELD_KIND, (uint64_t)e->kind);
	p = put_number(p, FIELD_METHOD, e->method);
	p = put_fixed64(p, FIELD_SOURCE, e->source);
	p = put_fixed64(p, FIELD_DESTINATION, e->destination);
	p = put_number(p, FIELD_CALL, e->call);
	p = put_number(p, FIELD_DEADLINE, e->deadline_ms);
	p = put_fixed64(p, FIELD_TRACE, e->trace);
	p = put_number(p, FIELD_CODE, (uint64_t)e->code);
	if (e->text.n > 0) {
		*p++ = (uint8_t)(FIELD_TEXT << 3 | WIRE_BYTES);
		p = put_varint(p, e->text.n);
		memcpy(p, e->text.p, e->text.n);
		p += e->text.n;
	}
	p = put_number(p, FIELD_CREDIT, e->credit);
	return (size_t)(p - out);
}

static uint8_t *reserve(struct buf *frame, const struct envelope *e, size_t body, size_t payload)
{
	if (e->text.n > FRAME_ENVELOPE_MAX - ENVELOPE_FIXED_MAX || body > FRAME_RECORD_MAX || payload > FRAME_RECORD_MAX ||
	    ENVELOPE_FIXED_MAX + e->text.n + body + payload > FRAME_RECORD_MAX)
		return NULL;
	return frame_reserve(frame, ENVELOPE_FIXED_MAX + e->text.n + body + payload);
}

static void finish(struct buf *frame, uint8_t *p, size_t envelope, size_t body, struct str payload)
{
	if (payload.n > 0)
		memcpy(p + envelope + body, payload.p, payload.n);
	frame_commit(frame, envelope, body, payload.n);
}

bool record_write(struct buf *frame, const struct envelope *e, const ProtobufCMessage *message, struct str payload)
{
	size_t body = message ? protobuf_c_message_get_packed_size(message) : 0, envelope;
	uint8_t *p = reserve(frame, e, body, payload.n);

	if (!p)
		return false;
	envelope = envelope_write(p, e);
	if (body > 0)
		protobuf_c_message_pack(message, p + envelope);
	finish(frame, p, envelope, body, payload);
	return true;
}

bool record_write_raw(struct buf *frame, const struct envelope *e, struct str body, struct str payload)
{
	uint8_t *p = reserve(frame, e, body.n, payload.n);
	size_t envelope;

	if (!p)
		return false;
	envelope = envelope_write(p, e);
	if (body.n > 0)
		memcpy(p + envelope, body.p, body.n);
	finish(frame, p, envelope, body.n, payload);
	return true;
}

static void *arena_allocate(void *arena, size_t n)
{
	return arena_alloc(arena, n);
}

static void arena_release(void *arena, void *p)
{
	(void)arena;
	(void)p;
}

ProtobufCMessage *codec_unpack(struct arena *a, const ProtobufCMessageDescriptor *descriptor, struct str body)
{
	ProtobufCAllocator allocator = { arena_allocate, arena_release, a };

	return protobuf_c_message_unpack(descriptor, &allocator, body.n, (const uint8_t *)body.p);
}

ProtobufCMessage *codec_copy(const ProtobufCMessage *message)
{
	size_t n = protobuf_c_message_get_packed_size(message);
	uint8_t *packed = mem_alloc(n);
	ProtobufCMessage *copy;

	protobuf_c_message_pack(message, packed);
	copy = protobuf_c_message_unpack(message->descriptor, NULL, n, packed);
	mem_free(packed);
	return copy;
}
