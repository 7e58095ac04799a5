/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "ipc/runtime/frame.h"

static void add(struct buf *b, const char *envelope, const char *body, const char *payload)
{
	size_t e = strlen(envelope), n = strlen(body), p = strlen(payload);
	uint8_t *at = frame_reserve(b, e + n + p + 100);

	memcpy(at, envelope, e);
	memcpy(at + e, body, n);
	memcpy(at + e + n, payload, p);
	frame_commit(b, e, n, p);
}

static void test_round_trip(void **state)
{
	struct buf b = { 0 }, copy = { 0 };
	struct frame_reader r;
	struct frame_record rec;

	(void)state;
	add(&b, "env", "body", "payload");
	add(&b, "e2", "", "");
	assert_true(frame_open(&r, buf_str(&b)));
	assert_true(frame_next(&r, &rec));
	assert_true(str_is(rec.envelope, "env") && str_is(rec.body, "body") && str_is(rec.payload, "payload"));
	frame_append(&copy, rec.whole);
	assert_true(frame_next(&r, &rec));
	assert_true(str_is(rec.envelope, "e2") && rec.body.n == 0 && rec.payload.n == 0);
	frame_append(&copy, rec.whole);
	assert_false(frame_next(&r, &rec));
	assert_true(str_eq(buf_str(&b), buf_str(&copy)));
	buf_fini(&b);
	buf_fini(&copy);
}

/* Every cut of a good frame is refused, except where a record ends. */
static void test_truncated(void **state)
{
	struct buf b = { 0 };
	struct frame_reader r;
	size_t first;

	(void)state;
	add(&b, "env", "body", "payload");
	first = b.n;
	add(&b, "e2", "b", "");
	for (size_t n = 0; n < b.n; n++) {
		char *exact = mem_memdup(b.p, n ? n : 1);

		assert_int_equal(frame_open(&r, str_make(exact, n)), n == FRAME_HEAD || n == first);
		mem_free(exact);
	}
	buf_fini(&b);
}

static void test_malformed(void **state)
{
	static const char *const bad[] = {
		"X\1\1\0\0\0\0\0\0\0\0\0\0\0e",         /* magic */
		"S\2\1\0\0\0\0\0\0\0\0\0\0\0e",         /* version */
		"S\1\0\0\0\0\1\0\0\0\0\0\0\0e",         /* no envelope */
		"S\1\1\0\0\0\1\0\0\0\0\0\0\0e",         /* body beyond the end */
		"S\1\1\0\0\0\377\377\377\377\2\0\0\0e", /* lengths that wrap in 32 bits */
		"S\1\377\377\377\377\1\0\0\0\1\0\0\0e",
	};
	struct frame_reader r;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(frame_open(&r, str_make(bad[i], 15)));
	assert_true(frame_open(&r, str_make("S\1\1\0\0\0\0\0\0\0\0\0\0\0e", 15)));
}

static void test_limits(void **state)
{
	struct frame_reader r;
	size_t n = FRAME_HEAD + FRAME_RECORD_HEAD + FRAME_RECORD_MAX + 1;
	uint8_t *p = mem_zalloc(n);
	uint32_t size = FRAME_ENVELOPE_MAX + 1;

	(void)state;
	memcpy(p, "S\1", 2);
	memcpy(p + 2, &size, 4);
	assert_false(frame_open(&r, str_make(p, FRAME_HEAD + FRAME_RECORD_HEAD + size)));
	size = 1;
	memcpy(p + 2, &size, 4);
	size = FRAME_RECORD_MAX;
	memcpy(p + 10, &size, 4);
	assert_false(frame_open(&r, str_make(p, n)));
	size = FRAME_RECORD_MAX - 1;
	memcpy(p + 10, &size, 4);
	assert_true(frame_open(&r, str_make(p, n - 1)));
	mem_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
