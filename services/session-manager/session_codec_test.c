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
	buf_fini(&b);
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
		cmocka_unit_test(truncated_and_foreign_values_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
