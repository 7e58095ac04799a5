/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/net/zlayer.h"

/* Each flush can be read on its own by the other side. */
static void what_is_packed_comes_out_again(void **state)
{
	struct zlayer *a = zlayer_new(), *b = zlayer_new();
	struct buf wire = { 0 };
	char out[64];

	(void)state;
	for (int i = 0; i < 100; i++) {
		char text[64];
		struct str in, packed;
		long n;

		snprintf(text, sizeof(text), "<message id='%d'/>", i);
		in = str_from(text);
		zlayer_deflate(a, &wire, in);
		packed = buf_str(&wire);
		n = zlayer_inflate(b, &packed, out, sizeof(out));
		assert_int_equal(n, in.n);
		assert_memory_equal(out, text, in.n);
		assert_int_equal(packed.n, 0);
		assert_int_equal(zlayer_inflate(b, &packed, out, sizeof(out)), 0);
		buf_clear(&wire);
	}
	buf_fini(&wire);
	zlayer_free(&a);
	zlayer_free(&b);
}

static void output_larger_than_the_buffer_comes_in_pieces(void **state)
{
	struct zlayer *a = zlayer_new(), *b = zlayer_new();
	struct buf wire = { 0 };
	char text[5000], out[64];
	struct str packed;
	size_t total = 0;
	long n;

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i * i % 23);
	zlayer_deflate(a, &wire, str_make(text, sizeof(text)));
	packed = buf_str(&wire);
	while ((n = zlayer_inflate(b, &packed, out, sizeof(out))) > 0) {
		assert_memory_equal(out, text + total, (size_t)n);
		total += (size_t)n;
	}
	assert_int_equal(n, 0);
	assert_int_equal(total, sizeof(text));
	buf_fini(&wire);
	zlayer_free(&a);
	zlayer_free(&b);
}

static void bombs_and_rubbish_are_refused(void **state)
{
	struct zlayer *z = zlayer_new();
	uLongf n = 100000;
	char *zeros = mem_zalloc(50000000), *packed = mem_alloc(n), out[4096];
	struct str in;
	long got;
	size_t total = 0;

	(void)state;
	assert_int_equal(compress2((Bytef *)packed, &n, (Bytef *)zeros, 50000000, 9), Z_OK);
	in = str_make(packed, n);
	while ((got = zlayer_inflate(z, &in, out, sizeof(out))) > 0)
		total += (size_t)got;
	assert_int_equal(got, -2);
	assert_true(total < 8000000);
	zlayer_free(&z);
	z = zlayer_new();
	zlayer_any_ratio(z);
	in = str_make(packed, n);
	for (total = 0; (got = zlayer_inflate(z, &in, out, sizeof(out))) > 0;)
		total += (size_t)got;
	assert_int_equal(got, 0);
	assert_int_equal(total, 50000000);
	zlayer_free(&z);
	z = zlayer_new();
	in = STR("not zlib at all");
	assert_int_equal(zlayer_inflate(z, &in, out, sizeof(out)), -1);
	zlayer_free(&z);
	mem_free(zeros);
	mem_free(packed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_packed_comes_out_again),
		cmocka_unit_test(output_larger_than_the_buffer_comes_in_pieces),
		cmocka_unit_test(bombs_and_rubbish_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
