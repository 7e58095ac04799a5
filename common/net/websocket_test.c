/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/net/websocket_for_test.h"

#define FIN 0x80u

static struct buf in, log_of; /* what happened, as text */
static struct websocket ws;

static int setup(void **state)
{
	(void)state;
	websocket_init(&ws, WEBSOCKET_TEXT, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	buf_fini(&in);
	buf_fini(&log_of);
	return 0;
}

/* Pieces of one message are joined, so that it does not matter how the bytes were cut. */
static void note(enum websocket_event event, const struct websocket_read *r)
{
	static const char *const names[] = { "", "", "ping ", "pong " };

	if (event == WEBSOCKET_EV_DATA)
		buf_append_str(&log_of, r->data);
	else if (event == WEBSOCKET_EV_CLOSE || event == WEBSOCKET_EV_BAD)
		buf_printf(&log_of, "%s %u", event == WEBSOCKET_EV_BAD ? "bad" : "close", r->code);
	else
		buf_printf(&log_of, "%s%.*s", names[event], STR_ARG(r->data));
	if (event != WEBSOCKET_EV_DATA || r->end)
		buf_append_char(&log_of, ';');
}

static void feed(size_t piece)
{
	struct str all = buf_str(&in);

	for (size_t at = 0; at < all.n; at += piece) {
		size_t n = piece < all.n - at ? piece : all.n - at, left = n;
		char *copy = mem_memdup(all.p + at, n), *p = copy;
		enum websocket_event event;
		struct websocket_read r;

		while ((event = websocket_next(&ws, &p, &left, &r)) != WEBSOCKET_EV_NONE)
			note(event, &r);
		assert_true(left == 0 || ws.over);
		mem_free(copy);
	}
}

/* What comes of `in` cut in every way; type and message_max: of the websocket. */
static void expect(const char *want, enum websocket_opcode type, uint64_t message_max)
{
	static const size_t pieces[] = { SIZE_MAX, 1, 2, 3, 5, 7, 13 };

	for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
		websocket_init(&ws, type, message_max);
		buf_clear(&log_of);
		feed(pieces[i]);
		buf_append_char(&log_of, '\0');
		if (strcmp(log_of.p, want) != 0)
			fail_msg("pieces of %zu: '%s' instead of '%s'", pieces[i], log_of.p, want);
	}
	buf_clear(&in);
}

static void raw(struct str bytes)
{
	buf_append_str(&in, bytes);
}

/* Section 5.7. What is unmasked there is what we write. */
static void the_examples_of_the_rfc(void **state)
{
	char block[65536];
	struct buf out = { 0 };

	(void)state;
	raw(STR("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"));
	expect("Hello;", WEBSOCKET_TEXT, 0);
	raw(STR("\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"));
	expect("pong Hello;", WEBSOCKET_TEXT, 0);
	test_frame(&in, 0x01, STR("Hel"));
	test_frame(&in, 0x80, STR("lo"));
	expect("Hello;", WEBSOCKET_TEXT, 0);

	websocket_frame(&out, WEBSOCKET_TEXT, STR("Hello"));
	assert_int_equal(out.n, 7);
	assert_memory_equal(out.p, "\x81\x05\x48\x65\x6c\x6c\x6f", 7);
	buf_clear(&out);
	websocket_frame(&out, WEBSOCKET_PING, STR("Hello"));
	assert_memory_equal(out.p, "\x89\x05\x48\x65\x6c\x6c\x6f", 7);
	buf_clear(&out);
	memset(block, 'x', sizeof(block));
	websocket_frame(&out, WEBSOCKET_BINARY, str_make(block, 256));
	assert_int_equal(out.n, 4 + 256);
	assert_memory_equal(out.p, "\x82\x7e\x01\x00x", 5);
	buf_clear(&out);
	websocket_frame(&out, WEBSOCKET_BINARY, str_make(block, 65536));
	assert_int_equal(out.n, 10 + 65536);
	assert_memory_equal(out.p, "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00x", 11);
	buf_fini(&out);
}

static void lengths_at_their_borders(void **state)
{
	static const size_t sizes[] = { 0, 1, 125, 126, 127, 65535, 65536, 100000 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		char *block = mem_alloc(sizes[i] + 2);

		memset(block, 'x', sizes[i]);
		test_frame(&in, FIN | WEBSOCKET_BINARY, str_make(block, sizes[i]));
		block[sizes[i]] = ';';
		block[sizes[i] + 1] = '\0';
		expect(block, WEBSOCKET_BINARY, 0);
		mem_free(block);
	}
}

/* Section 5.4. */
static void control_frames_come_between_fragments(void **state)
{
	(void)state;
	test_frame(&in, WEBSOCKET_TEXT, STR("a"));
	test_frame(&in, FIN | WEBSOCKET_PING, STR("p"));
	test_frame(&in, WEBSOCKET_CONTINUATION, STR(""));
	test_frame(&in, WEBSOCKET_CONTINUATION, STR("b"));
	test_frame(&in, FIN | WEBSOCKET_PONG, STR(""));
	test_frame(&in, FIN | WEBSOCKET_CONTINUATION, STR("c"));
	test_frame(&in, FIN | WEBSOCKET_TEXT, STR(""));
	test_frame(&in, FIN | WEBSOCKET_TEXT, STR("d"));
	/* The log joins: a, the ping, then the rest. */
	expect("aping p;bpong ;c;;d;", WEBSOCKET_TEXT, 0);
}

static void the_close_handshake(void **state)
{
	(void)state;
	test_frame(&in, FIN | WEBSOCKET_CLOSE, STR(""));
	raw(STR("what follows is not looked at"));
	expect("close 1005;", WEBSOCKET_TEXT, 0);
	test_frame(&in, FIN | WEBSOCKET_CLOSE, STR("\x03\xe8"));
	expect("close 1000;", WEBSOCKET_TEXT, 0);
	test_frame(&in, FIN | WEBSOCKET_CLOSE, STR("\x03\xe9going \xe2\x82\xac"));
	test_frame(&in, FIN | WEBSOCKET_TEXT, STR("late"));
	expect("close 1001;", WEBSOCKET_TEXT, 0);
}

static void close_codes(void **state)
{
	static const uint16_t good[] = { 1000, 1001, 1002, 1003, 1007, 1011, 1014, 3000, 3999, 4000, 4999 };
	static const uint16_t wrong[] = { 0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535 };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good) + sizeof(wrong) / sizeof(*wrong); i++) {
		bool is_good = i < sizeof(good) / sizeof(*good);
		uint16_t code = is_good ? good[i] : wrong[i - sizeof(good) / sizeof(*good)];
		char payload[2] = { (char)(code >> 8), (char)code }, want[32];

		snprintf(want, sizeof(want), is_good ? "close %u;" : "bad 1002;", code);
		test_frame(&in, FIN | WEBSOCKET_CLOSE, str_make(payload, 2));
		expect(want, WEBSOCKET_TEXT, 0);
	}
}

/* A rule broken, and the code that says so. */
static void what_breaks_the_rules(void **state)
{
	static const struct {
		const char *what;
		struct str bytes;
		const char *want;
	} rows[] = {
		{ "not masked", { "\x81\x05Hello", 7 }, "bad 1002;" },
		{ "not masked, empty", { "\x81\x00", 2 }, "bad 1002;" },
		{ "RSV1: nothing was agreed upon", { "\xc1\x80\0\0\0\0", 6 }, "bad 1002;" },
		{ "RSV2", { "\xa1\x80\0\0\0\0", 6 }, "bad 1002;" },
		{ "RSV3 of a control frame", { "\x99\x80\0\0\0\0", 6 }, "bad 1002;" },
		{ "opcode 3", { "\x83\x80\0\0\0\0", 6 }, "bad 1002;" },
		{ "opcode 7", { "\x87\x80\0\0\0\0", 6 }, "bad 1002;" },
		{ "opcode 11", { "\x8b\x80\0\0\0\0", 6 }, "bad 1002;" },
		{ "opcode 15", { "\x8f\x80\0\0\0\0", 6 }, "bad 1002;" },
		{ "a ping in pieces", { "\x09\x80\0\0\0\0", 6 }, "bad 1002;" },
		{ "a close in pieces", { "\x08\x80\0\0\0\0", 6 }, "bad 1002;" },
		{ "a ping of 126 bytes", { "\x89\xfe\0\x7e\0\0\0\0", 8 }, "bad 1002;" },
		{ "a close of 64 bits", { "\x88\xff\0\0\0\0\0\0\0\1\0\0\0\0", 14 }, "bad 1002;" },
		{ "continuation of nothing", { "\x80\x80\0\0\0\0", 6 }, "bad 1002;" },
		{ "a message within another", { "\x01\x80\0\0\0\0\x81\x80\0\0\0\0", 12 }, "bad 1002;" },
		{ "continuation after the end", { "\x81\x80\0\0\0\0\x80\x80\0\0\0\0", 12 }, ";bad 1002;" },
		{ "125 in 16 bits", { "\x81\xfe\0\x7d\0\0\0\0", 8 }, "bad 1002;" },
		{ "65535 in 64 bits", { "\x81\xff\0\0\0\0\0\0\xff\xff\0\0\0\0", 14 }, "bad 1002;" },
		{ "64 bits with the first set", { "\x81\xff\x80\0\0\0\0\1\0\0\0\0\0\0", 14 }, "bad 1002;" },
		{ "half a close code", { "\x88\x81\0\0\0\0\x03", 7 }, "bad 1002;" },
		{ "a reason that is not UTF-8", { "\x88\x83\0\0\0\0\x03\xe8\xff", 9 }, "bad 1007;" },
		{ "binary where text is spoken", { "\x82\x80\0\0\0\0", 6 }, "bad 1003;" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		raw(rows[i].bytes);
		/* And nothing behind it is heard. */
		test_frame(&in, FIN | WEBSOCKET_TEXT, STR("late"));
		print_message("%s\n", rows[i].what);
		expect(rows[i].want, WEBSOCKET_TEXT, 0);
	}
	test_frame(&in, FIN | WEBSOCKET_TEXT, STR("")); /* MQTT-6.0.0-1 */
	expect("bad 1003;", WEBSOCKET_BINARY, 0);
}

static void text_is_utf8(void **state)
{
	(void)state;
	/* A character over two fragments, with a ping in between. */
	test_frame(&in, WEBSOCKET_TEXT, STR("\xe2\x82"));
	test_frame(&in, FIN | WEBSOCKET_PING, STR(""));
	test_frame(&in, FIN | WEBSOCKET_CONTINUATION, STR("\xac"));
	expect("\xe2\x82ping ;\xac;", WEBSOCKET_TEXT, 0);
	/* One that does not end with its message. */
	test_frame(&in, FIN | WEBSOCKET_TEXT, STR("\xe2\x82"));
	test_frame(&in, FIN | WEBSOCKET_TEXT, STR("\xac"));
	websocket_init(&ws, WEBSOCKET_TEXT, 0);
	buf_clear(&log_of);
	feed(SIZE_MAX);
	assert_int_equal(log_of.n, strlen("bad 1007;"));
	assert_memory_equal(log_of.p, "bad 1007;", log_of.n);
	buf_clear(&in);
	test_frame(&in, FIN | WEBSOCKET_TEXT, STR("\xff"));
	expect("bad 1007;", WEBSOCKET_TEXT, 0);
	/* Whatever bytes a binary message has. */
	test_frame(&in, FIN | WEBSOCKET_BINARY, STR("\xff\xe2"));
	expect("\xff\xe2;", WEBSOCKET_BINARY, 0);
}

static void messages_have_a_limit(void **state)
{
	(void)state;
	test_frame(&in, FIN | WEBSOCKET_TEXT, STR("12345678"));
	test_frame(&in, FIN | WEBSOCKET_TEXT, STR("12345678"));
	expect("12345678;12345678;", WEBSOCKET_TEXT, 8);
	/* Known by the header, before any of it has come. */
	raw(STR("\x81\x89\0\0\0\0"));
	expect("bad 1009;", WEBSOCKET_TEXT, 8);
	raw(STR("\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0"));
	expect("bad 1009;", WEBSOCKET_TEXT, 8);
	/* The sum of fragments; what is said between them does not count. */
	test_frame(&in, WEBSOCKET_TEXT, STR("12345"));
	test_frame(&in, FIN | WEBSOCKET_PING, STR("a long question"));
	test_frame(&in, WEBSOCKET_CONTINUATION, STR("678"));
	raw(STR("\x00\x81\0\0\0\0"));
	expect("12345ping a long question;678bad 1009;", WEBSOCKET_TEXT, 8);
	/* Without a limit sums may grow for ever. */
	test_frame(&in, WEBSOCKET_BINARY, STR("x"));
	raw(STR("\x00\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0y"));
	expect("xy", WEBSOCKET_BINARY, 0);
	raw(STR("\x02\x82\0\0\0\0xy\x00\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0"));
	expect("xybad 1009;", WEBSOCKET_BINARY, UINT64_MAX / 2);
}

static void masks_start_anywhere(void **state)
{
	char block[64], byte[64];

	(void)state;
	for (size_t n = 0; n < 40; n++) {
		for (uint8_t phase = 0; phase < 4; phase++) {
			for (size_t i = 0; i < n; i++) {
				block[i + n % 7] = (char)i;
				byte[i] = (char)((uint8_t)i ^ test_mask[(i + phase) % 4]);
			}
			assert_int_equal(websocket_mask(block + n % 7, n, test_mask, phase), (n + phase) % 4);
			assert_memory_equal(block + n % 7, byte, n);
		}
	}
}

static void close_frames(void **state)
{
	struct buf out = { 0 };
	char reason[200];

	(void)state;
	websocket_close_frame(&out, WEBSOCKET_NO_CODE, "ignored");
	assert_int_equal(out.n, 2);
	assert_memory_equal(out.p, "\x88\x00", 2);
	buf_clear(&out);
	websocket_close_frame(&out, WEBSOCKET_TOO_BIG, "too long");
	assert_int_equal(out.n, 12);
	assert_memory_equal(out.p, "\x88\x0a\x03\xf1too long", 12);
	buf_clear(&out);
	/* 122 bytes and one character of three: it would be cut in the middle. */
	memset(reason, 'r', sizeof(reason));
	memcpy(reason + 122, "\xe2\x82\xac", 4);
	websocket_close_frame(&out, WEBSOCKET_NORMAL, reason);
	assert_int_equal(out.n, 2 + 2 + 122);
	assert_int_equal(out.p[1], 124);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_examples_of_the_rfc, setup, teardown),
		cmocka_unit_test_setup_teardown(lengths_at_their_borders, setup, teardown),
		cmocka_unit_test_setup_teardown(control_frames_come_between_fragments, setup, teardown),
		cmocka_unit_test_setup_teardown(the_close_handshake, setup, teardown),
		cmocka_unit_test_setup_teardown(close_codes, setup, teardown),
		cmocka_unit_test_setup_teardown(what_breaks_the_rules, setup, teardown),
		cmocka_unit_test_setup_teardown(text_is_utf8, setup, teardown),
		cmocka_unit_test_setup_teardown(messages_have_a_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(masks_start_anywhere, setup, teardown),
		cmocka_unit_test_setup_teardown(close_frames, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
