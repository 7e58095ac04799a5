/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "services/session-manager/session_codec.h"

static const struct session_record record = {
	.stream = 0x1122334455667788,
	.edge = 0xffffffffffffffff,
	.epoch = 1800000000000,
	.accepted = 42,
	.since_us = -5,
	.presence_flags = 0x20000,
	.priority = -128,
	.available = true,
	.encrypted = true,
	.managed = true,
	.cursor = 1800000000000001,
	.from = 7,
	.base_in = 8,
	.base_out = 9,
	.resume_s = 600,
	.parked_until_us = -6,
	.open_since_us = 10,
	.address = { "[::1]:5", 7 },
	.presence = { "<presence/>", 11 },
};

static void goes_both_ways(void **state)
{
	struct buf b = { 0 };
	struct session_record r = { 0 };

	(void)state;
	session_encode(&b, &record);
	assert_true(session_decode(buf_str(&b), &r));
	assert_int_equal(r.stream, record.stream);
	assert_int_equal(r.edge, record.edge);
	assert_int_equal(r.epoch, record.epoch);
	assert_int_equal(r.accepted, 42);
	assert_int_equal(r.since_us, -5);
	assert_int_equal(r.presence_flags, 0x20000);
	assert_int_equal(r.priority, -128);
	assert_true(r.available && r.encrypted && !r.interested);
	assert_true(str_eq(r.address, record.address));
	assert_true(str_eq(r.presence, record.presence));
	assert_true(r.managed);
	assert_int_equal(r.cursor, record.cursor);
	assert_int_equal(r.from, 7);
	assert_int_equal(r.base_in, 8);
	assert_int_equal(r.base_out, 9);
	assert_int_equal(r.resume_s, 600);
	assert_int_equal(r.parked_until_us, -6);
	assert_int_equal(r.open_since_us, 10);
	buf_fini(&b);
}

/* 47 bytes of numbers come first. The release before takes n bytes, as a C string, for the address, and the rest for the presence. */
static void the_release_before_reads_it(void **state)
{
	struct buf b = { 0 };
	struct str s;
	size_t n;

	(void)state;
	session_encode(&b, &record);
	s = buf_str(&b);
	assert_int_equal(s.p[0], 1);
	n = (size_t)(uint8_t)s.p[47] | (size_t)(uint8_t)s.p[48] << 8;
	assert_string_equal(s.p + 49, "[::1]:5");
	assert_true(str_eq(str_make(s.p + 49 + n, s.n - 49 - n), record.presence));
	buf_fini(&b);
}

static void what_the_release_before_wrote_is_read(void **state)
{
	static const char bytes[] = "\1"
	                            "stream..edge....epoch...accepteds_since_flag"
	                            "\5\3"
	                            "\7\0[::1]:5<presence/>";
	struct session_record r;

	(void)state;
	assert_true(session_decode(str_make(bytes, sizeof(bytes) - 1), &r));
	assert_int_equal(r.priority, 5);
	assert_true(r.available && r.interested && !r.managed);
	assert_int_equal(r.cursor, 0);
	assert_true(str_eq(r.address, record.address));
	assert_true(str_eq(r.presence, record.presence));
}

static void truncated_and_foreign_values_are_refused(void **state)
{
	struct buf b = { 0 };
	struct session_record r;
	char other[64] = { 2 };

	(void)state;
	session_encode(&b, &record);
	for (size_t n = 0; n < buf_str(&b).n - record.presence.n; n++)
		assert_false(session_decode(str_make(buf_str(&b).p, n), &r));
	assert_false(session_decode(str_make(other, sizeof(other)), &r));
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_both_ways),
		cmocka_unit_test(the_release_before_reads_it),
		cmocka_unit_test(what_the_release_before_wrote_is_read),
		cmocka_unit_test(truncated_and_foreign_values_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
