/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/base/clock.h"

static void vectors_of_rfc_4648(void **state)
{
	static const char *const pairs[][2] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
	};
	char bytes[16], text[16];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		assert_true(str_is(str_make(text, base64_encode(str_from(pairs[i][0]), text)), pairs[i][1]));
		assert_true(base64_decode(str_from(pairs[i][1]), bytes, &n));
		assert_true(str_is(str_make(bytes, n), pairs[i][0]));
	}
}

static void every_length_comes_back(void **state)
{
	uint8_t in[100], out[102];
	char text[136];
	size_t n;

	(void)state;
	random_bytes(in, sizeof(in));
	for (size_t length = 0; length <= sizeof(in); length++) {
		size_t chars = base64_encode(str_make(in, length), text);

		assert_int_equal(chars, base64_encoded_size(length));
		assert_true(base64_decode(str_make(text, chars), out, &n));
		assert_int_equal(n, length);
		assert_memory_equal(in, out, n);
	}
}

static void refuses_what_is_not_base64(void **state)
{
	static const char *const bad[] = {
		"Z",     "Zg",     "Zg=",      "Zm9",        "=",    "==",   "===",      "====",
		"Zg===", "Zm9v=",  "Zm9v====", "=m9v",       "Z=9v", "Zm=v", "Zg==Zg==", "Zg=v",
		"Zm 9",  "Zm9v\n", "Zm9\n",    " Zm9v",      "Zm9-", "Zm9_", "Zm9v!!!!", "Zm9v\x80\x80\x80\x80",
		"Zh==",  "Zm9=",   "Zm+=",     "Z\xc3\xa9v",
	};
	char bytes[32];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (base64_decode(str_from(bad[i]), bytes, &n))
			fail_msg("'%s' was taken", bad[i]);
	}
	assert_false(base64_decode(STR("Zm\0v"), bytes, &n));
}

static void appends_within_the_limit(void **state)
{
	struct buf b = { .max = 6 };

	(void)state;
	assert_true(base64_append(&b, STR("")));
	assert_true(base64_append(&b, STR("foo")));
	assert_false(base64_append(&b, STR("foo")));
	assert_true(str_is(buf_str(&b), "Zm9v"));
	buf_fini(&b);
}

static void url_safe(void **state)
{
	static const char *const bad[] = { "a", "YQ==", "_-8=", "/+8", "Y Q", "YR", "abcde" };
	char out[16];
	size_t n;

	(void)state;
	assert_true(base64url_decode(STR("_-8"), out, &n));
	assert_int_equal(n, 2);
	assert_memory_equal(out, "\xff\xef", 2);
	assert_true(base64url_decode(STR("YWJj"), out, &n) && n == 3);
	assert_true(base64url_decode(STR(""), out, &n) && n == 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(base64url_decode(str_from(bad[i]), out, &n));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_of_rfc_4648),
		cmocka_unit_test(every_length_comes_back),
		cmocka_unit_test(refuses_what_is_not_base64),
		cmocka_unit_test(appends_within_the_limit),
		cmocka_unit_test(url_safe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
