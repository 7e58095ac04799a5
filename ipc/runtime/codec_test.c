/* SPDX-License-Identifier: Apache-2.0
 *
 * codec_test: the hand-written envelope against protobuf-c, and numbers that must agree between the contract and common/xmpp. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/xmpp/stanza.h"
#include "ipc/proto/bus.pb-c.h"
#include "ipc/proto/envelope.pb-c.h"
#include "ipc/proto/types.pb-c.h"
#include "ipc/runtime/codec.h"

static uint64_t some(unsigned i)
{
	uint64_t v = random_u64();

	return v % 3 == 0 ? 0 : v >> (i * 7 + v % 29) % 64;
}

static void fill(Starling__Envelope *m, struct envelope *e, char text[16])
{
	starling__envelope__init(m);
	m->kind = e->kind = (int)(some(0) % 6);
	m->method = e->method = (uint32_t)some(1);
	m->source = e->source = some(0);
	m->destination = e->destination = some(0);
	m->call = e->call = some(2);
	m->deadline_ms = e->deadline_ms = (uint32_t)some(3);
	m->trace = e->trace = some(0);
	m->code = e->code = (int)(some(4) % 14);
	m->credit = e->credit = (uint32_t)some(5);
	random_token(text, random_u64() % 15);
	m->text = text;
	e->text = str_from(text);
}

static void test_like_protobuf(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		Starling__Envelope m;
		struct envelope e, back;
		uint8_t ours[ENVELOPE_FIXED_MAX + 16], theirs[ENVELOPE_FIXED_MAX + 64];
		char text[16];
		size_t n, k;

		fill(&m, &e, text);
		n = envelope_write(ours, &e);
		k = starling__envelope__pack(&m, theirs);
		assert_int_equal(n, k);
		assert_memory_equal(ours, theirs, n);
		assert_true(n <= ENVELOPE_FIXED_MAX + e.text.n);
		assert_true(envelope_read(str_make(theirs, k), &back));
		assert_true(str_eq(back.text, e.text));
		assert_int_equal(envelope_write(ours, &back), n);
		assert_memory_equal(ours, theirs, n);
	}
}

static void test_longest(void **state)
{
	struct envelope e = { 5, UINT32_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT32_MAX, UINT64_MAX, 13, { NULL, 0 }, UINT32_MAX };
	uint8_t out[ENVELOPE_FIXED_MAX];

	(void)state;
	assert_true(envelope_write(out, &e) + 6 <= ENVELOPE_FIXED_MAX);
}

static void test_unknown_fields(void **state)
{
	/* field 15 varint, 16 fixed32, 17 bytes, then kind = 4 */
	static const uint8_t bytes[] = { 0x78, 0x96, 0x01, 0x85, 0x01, 1, 2, 3, 4, 0x8a, 0x01, 2, 'h', 'i', 0x08, 4 };
	struct envelope e;

	(void)state;
	assert_true(envelope_read(str_make(bytes, sizeof(bytes)), &e));
	assert_int_equal(e.kind, 4);
}

static void test_broken(void **state)
{
	static const struct {
		uint8_t bytes[12];
		size_t n;
	} broken[] = {
		{ { 0x08 }, 1 },                                                                 /* no value */
		{ { 0x08, 0x80 }, 2 },                                                           /* varint without end */
		{ { 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1 }, 12 }, /* varint too long */
		{ { 0x19, 1, 2, 3 }, 4 },                                                        /* fixed64 cut */
		{ { 0x18, 1 }, 2 },                                                              /* source as varint */
		{ { 0x4a, 5, 'a' }, 3 },                                                         /* text beyond the end */
		{ { 0x00, 0 }, 2 },                                                              /* field 0 */
		{ { 0x0b }, 1 },                                                                 /* group */
	};
	struct envelope e;

	(void)state;
	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++)
		assert_false(envelope_read(str_make(broken[i].bytes, broken[i].n), &e));
}

static void test_record(void **state)
{
	struct buf frame = { 0 };
	struct arena *a = arena_new(0);
	struct envelope e = { .kind = 1, .method = 257, .source = 1 }, back;
	Starling__InterfaceVersion m;
	const Starling__InterfaceVersion *got;
	struct frame_reader r;
	struct frame_record rec;

	(void)state;
	starling__interface_version__init(&m);
	m.interface = 3;
	m.version = 7;
	assert_true(record_write(&frame, &e, &m.base, STR("payload")));
	assert_true(frame_open(&r, buf_str(&frame)) && frame_next(&r, &rec) && envelope_read(rec.envelope, &back));
	assert_int_equal(back.method, 257);
	got = (const Starling__InterfaceVersion *)codec_unpack(a, &starling__interface_version__descriptor, rec.body);
	assert_int_equal(got->version, 7);
	assert_true(str_is(rec.payload, "payload"));
	assert_null(codec_unpack(a, &starling__interface_version__descriptor, STR("\x0a")));
	/* Too large: refused, and the frame is as before. */
	char *large = mem_zalloc(FRAME_RECORD_MAX);
	size_t before = frame.n;
	assert_false(record_write(&frame, &e, NULL, str_make(large, FRAME_RECORD_MAX)));
	assert_int_equal(frame.n, before);
	mem_free(large);
	buf_fini(&frame);
	arena_free(&a);
}

/* common/xmpp/stanza.h may not include ipc/, so the numbers are written twice. */
static void test_stanza_numbers(void **state)
{
#define SAME(a, b) assert_int_equal((int)STANZA_##a, (int)STARLING__STANZA_##b)
	(void)state;
	SAME(NONE, KIND__STANZA_NONE);
	SAME(MESSAGE, KIND__STANZA_MESSAGE);
	SAME(PRESENCE, KIND__STANZA_PRESENCE);
	SAME(IQ, KIND__STANZA_IQ);
	SAME(TYPE_NONE, TYPE__TYPE_NONE);
	SAME(TYPE_ERROR, TYPE__TYPE_ERROR);
	SAME(TYPE_NORMAL, TYPE__TYPE_NORMAL);
	SAME(TYPE_CHAT, TYPE__TYPE_CHAT);
	SAME(TYPE_GROUPCHAT, TYPE__TYPE_GROUPCHAT);
	SAME(TYPE_HEADLINE, TYPE__TYPE_HEADLINE);
	SAME(TYPE_UNAVAILABLE, TYPE__TYPE_UNAVAILABLE);
	SAME(TYPE_SUBSCRIBE, TYPE__TYPE_SUBSCRIBE);
	SAME(TYPE_SUBSCRIBED, TYPE__TYPE_SUBSCRIBED);
	SAME(TYPE_UNSUBSCRIBE, TYPE__TYPE_UNSUBSCRIBE);
	SAME(TYPE_UNSUBSCRIBED, TYPE__TYPE_UNSUBSCRIBED);
	SAME(TYPE_PROBE, TYPE__TYPE_PROBE);
	SAME(TYPE_GET, TYPE__TYPE_GET);
	SAME(TYPE_SET, TYPE__TYPE_SET);
	SAME(TYPE_RESULT, TYPE__TYPE_RESULT);
	SAME(BODY, FLAG__FLAG_BODY);
	SAME(SUBJECT, FLAG__FLAG_SUBJECT);
	SAME(THREAD, FLAG__FLAG_THREAD);
	SAME(CHAT_STATE, FLAG__FLAG_CHAT_STATE);
	SAME(RECEIPT, FLAG__FLAG_RECEIPT);
	SAME(RECEIPT_REQUEST, FLAG__FLAG_RECEIPT_REQUEST);
	SAME(MARKER, FLAG__FLAG_MARKER);
	SAME(ENCRYPTED, FLAG__FLAG_ENCRYPTED);
	SAME(NO_STORE, FLAG__FLAG_NO_STORE);
	SAME(NO_PERMANENT_STORE, FLAG__FLAG_NO_PERMANENT_STORE);
	SAME(NO_COPY, FLAG__FLAG_NO_COPY);
	SAME(STORE, FLAG__FLAG_STORE);
	SAME(PRIVATE, FLAG__FLAG_PRIVATE);
	SAME(DELAY, FLAG__FLAG_DELAY);
	SAME(MUC_USER, FLAG__FLAG_MUC_USER);
	SAME(CARBON, FLAG__FLAG_CARBON);
	SAME(RETRACT, FLAG__FLAG_RETRACT);
	SAME(EMPTY, FLAG__FLAG_EMPTY);
	SAME(OTHER_PAYLOAD, FLAG__FLAG_OTHER_PAYLOAD);
	SAME(INVITE, FLAG__FLAG_INVITE);
#undef SAME
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_like_protobuf), cmocka_unit_test(test_longest), cmocka_unit_test(test_unknown_fields),
		cmocka_unit_test(test_broken),        cmocka_unit_test(test_record),  cmocka_unit_test(test_stanza_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
