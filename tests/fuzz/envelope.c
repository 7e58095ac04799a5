/* SPDX-License-Identifier: Apache-2.0
 *
 * envelope: what a daemon reads from the bus: a frame, the envelope of each record (held to what protobuf-c makes of it), and the body as the request or
 * reply that the method's number says. */
#include <stdlib.h>

#include "common/base/arena.h"
#include "ipc/proto/envelope.pb-c.h"
#include "ipc/runtime/bus.h"
#include "ipc/runtime/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool good)
{
	if (!good)
		abort();
}

static void check_same(const struct envelope *e, const Starling__Envelope *m)
{
	expect(e->kind == (int)m->kind && e->method == m->method && e->source == m->source && e->destination == m->destination);
	expect(e->call == m->call && e->deadline_ms == m->deadline_ms && e->trace == m->trace && e->code == (int)m->code);
	expect(e->credit == m->credit);
}

static void check_envelope(struct arena *a, struct str bytes, struct envelope *out)
{
	const Starling__Envelope *m = (const Starling__Envelope *)codec_unpack(a, &starling__envelope__descriptor, bytes);
	uint8_t again[ENVELOPE_FIXED_MAX + FRAME_ENVELOPE_MAX];
	struct envelope back;
	size_t n;

	if (!envelope_read(bytes, out))
		return;
	/* What we accept protobuf-c accepts too, and reads alike; it accepts a little more (wrong wire types of numbers). */
	if (m)
		check_same(out, m);
	if (out->text.n > CODEC_TEXT_MAX)
		return;
	n = envelope_write(again, out);
	expect(n <= ENVELOPE_FIXED_MAX + out->text.n && envelope_read(str_make(again, n), &back) && str_eq(back.text, out->text));
}

static void check_body(struct arena *a, const struct frame_record *r, const ProtobufCMessageDescriptor *d)
{
	ProtobufCMessage *m = codec_unpack(a, d, r->body);
	struct buf frame = { 0 };
	struct envelope e = { .kind = 1, .method = 257 };

	if (!m)
		return;
	expect(protobuf_c_message_check(m));
	expect(record_write(&frame, &e, m, r->payload));
	buf_fini(&frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(0);
	struct frame_reader reader;
	struct frame_record r;

	if (frame_open(&reader, str_make(data, size))) {
		while (frame_next(&reader, &r)) {
			struct envelope e = { 0 };
			const struct ipc_method *method;

			check_envelope(a, r.envelope, &e);
			method = ipc_method_find(e.method);
			if (method) {
				check_body(a, &r, method->request);
				check_body(a, &r, method->reply);
			}
			arena_reset(a);
		}
	}
	arena_free(&a);
	return 0;
}
