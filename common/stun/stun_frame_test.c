/* SPDX-License-Identifier: Apache-2.0 */
#include "common/stun/stun_frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/stun/vectors_for_test.h"

#define MAX 65556u

static void test_message(void **state)
{
	struct str whole = STR(VECTOR_REQUEST "next");
	struct stun_frame f;

	(void)state;
	for (size_t n = 0; n < whole.n - 4; n++) {
		assert_int_equal(stun_frame_next(whole.p, n, MAX, &f), STUN_FRAME_MORE);
		assert_int_equal(f.size, n < 4 ? 0 : whole.n - 4);
	}
	assert_int_equal(stun_frame_next(whole.p, whole.n, MAX, &f), STUN_FRAME_WHOLE);
	assert_int_equal(f.kind, STUN_KIND_MESSAGE);
	assert_int_equal(f.body.n, whole.n - 4);
	assert_int_equal(stun_frame_next(whole.p, whole.n, whole.n - 5, &f), STUN_FRAME_BAD);
	assert_int_equal(stun_frame_next("\x00\x01\x00\x05", 4, MAX, &f), STUN_FRAME_BAD); /* no multiple of four */
	assert_int_equal(stun_frame_next("GET / HTTP/1.1", 14, MAX, &f),
	                 STUN_FRAME_MORE); /* 'G' is among the channels; the length decides */
	assert_int_equal(stun_frame_next("\x16\x03\x01", 3, MAX, &f), STUN_FRAME_BAD);
}

static void test_channel_in_stream(void **state)
{
	struct stun_frame f;

	(void)state;
	assert_int_equal(stun_frame_next("\x40\x01\x00\x05hello\0\0\0\x40", 13, MAX, &f), STUN_FRAME_WHOLE);
	assert_int_equal(f.kind, STUN_KIND_CHANNEL);
	assert_int_equal(f.size, 12);
	assert_int_equal(f.channel, 0x4001);
	assert_true(str_is(f.body, "hello"));
	assert_int_equal(stun_frame_next("\x40\x01\x00\x05hello\0\0", 11, MAX, &f), STUN_FRAME_MORE);
	assert_int_equal(stun_frame_next("\x40\x01\x00\x00", 4, MAX, &f), STUN_FRAME_WHOLE);
	assert_int_equal(f.size, 4);
	assert_int_equal(f.body.n, 0);
	assert_int_equal(stun_frame_next("\x50\x01\x00\x00", 4, MAX, &f), STUN_FRAME_WHOLE); /* of RFC 5766 */
	assert_int_equal(stun_frame_next("\x80\x01\x00\x00", 4, MAX, &f), STUN_FRAME_BAD);
}

static void test_channel_in_datagram(void **state)
{
	uint16_t channel;
	struct str data;

	(void)state;
	assert_true(stun_channel_read(STR("\x4f\xff\x00\x02hi"), &channel, &data));
	assert_int_equal(channel, 0x4fff);
	assert_true(str_is(data, "hi"));
	assert_true(stun_channel_read(STR("\x40\x00\x00\x02hi\0\0"), &channel, &data)); /* padded all the same */
	assert_int_equal(data.n, 2);
	assert_true(stun_channel_read(STR("\x40\x00\x00\x00"), &channel, &data));
	assert_false(stun_channel_read(STR("\x40\x00\x00\x03hi"), &channel, &data));
	assert_false(stun_channel_read(STR("\x40\x00\x00"), &channel, &data));
	assert_false(stun_channel_read(STR("\x80\x00\x00\x02hi"), &channel, &data));
	assert_false(stun_channel_read(STR("\x00\x00\x00\x02hi"), &channel, &data));
}

static void test_in_place(void **state)
{
	uint8_t bytes[] = "....data";

	(void)state;
	assert_true(stun_channel_in_place(bytes + 4, 4, 0x4123) == bytes);
	assert_memory_equal(bytes,
	                    "\x41\x23\x00\x04"
	                    "data",
	                    8);
}

static void test_kinds(void **state)
{
	(void)state;
	for (unsigned first = 0; first < 256; first++)
		assert_int_equal(stun_kind((uint8_t)first), first < 4                    ? STUN_KIND_MESSAGE
		                                            : first >= 64 && first < 128 ? STUN_KIND_CHANNEL
		                                                                         : STUN_KIND_OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_message),
		cmocka_unit_test(test_channel_in_stream),
		cmocka_unit_test(test_channel_in_datagram),
		cmocka_unit_test(test_in_place),
		cmocka_unit_test(test_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
