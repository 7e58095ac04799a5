/* SPDX-License-Identifier: Apache-2.0 */
#include "services/proxy65/socks5.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define HASH  "416781edf1ae50bad01cb8509ba35b43952bc345"
#define UPPER "416781EDF1AE50BAD01CB8509BA35B43952BC345"

/* A literal with its zeros. */
#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

static enum socks5_verdict feed(struct socks5 *s, const uint8_t *p, size_t n, size_t *out_used)
{
	enum socks5_verdict verdict;
	size_t used = socks5_feed(s, p, n, &verdict);

	if (out_used)
		*out_used = used;
	return verdict;
}

static void greet(struct socks5 *s)
{
	*s = (struct socks5){ 0 };
	assert_int_equal(feed(s, BYTES("\x05\x01\x00"), NULL), SOCKS5_ANSWER);
	assert_int_equal(s->out_n, 2);
	assert_memory_equal(s->out, "\x05\x00", 2);
}

static void a_connection(void **state)
{
	struct socks5 s;
	size_t used;

	(void)state;
	greet(&s);
	assert_int_equal(feed(&s, BYTES("\x05\x01\x00\x03\x28" HASH "\x00\x00more"), &used), SOCKS5_REQUEST);
	assert_int_equal(used, 47);
	assert_string_equal(s.dst, HASH);
	socks5_reply(&s, SOCKS5_SUCCEEDED);
	assert_int_equal(s.out_n, 47);
	assert_memory_equal(s.out, "\x05\x00\x00\x03\x28" HASH "\x00\x00", 47);
	socks5_reply(&s, SOCKS5_NOT_ALLOWED);
	assert_memory_equal(s.out, "\x05\x02\x00\x03\x28" HASH "\x00\x00", 47);
}

/* What was sent comes back as it was, the port too; the hash counts in lower case. */
static void address_and_port_come_back(void **state)
{
	struct socks5 s;

	(void)state;
	greet(&s);
	assert_int_equal(feed(&s, BYTES("\x05\x01\x00\x03\x28" UPPER "\x1f\x90"), NULL), SOCKS5_REQUEST);
	assert_string_equal(s.dst, HASH);
	socks5_reply(&s, SOCKS5_SUCCEEDED);
	assert_memory_equal(s.out, "\x05\x00\x00\x03\x28" UPPER "\x1f\x90", 47);
}

static void byte_by_byte(void **state)
{
	static const char all[] = "\x05\x02\x02\x00\x05\x01\x00\x03\x28" HASH "\x00\x00";
	struct socks5 s = { 0 };
	uint32_t answers = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(all) - 1; i++) {
		enum socks5_verdict v = feed(&s, (const uint8_t *)all + i, 1, NULL);

		answers += v == SOCKS5_ANSWER;
		assert_int_equal(v, i == 3 ? SOCKS5_ANSWER : i == sizeof(all) - 2 ? SOCKS5_REQUEST : SOCKS5_MORE);
	}
	assert_int_equal(answers, 1);
	assert_string_equal(s.dst, HASH);
}

/* Both at once; each answer in its turn. */
static void a_hasty_client(void **state)
{
	static const char all[] = "\x05\x01\x00\x05\x01\x00\x03\x28" HASH "\x00\x00";
	struct socks5 s = { 0 };
	size_t used;

	(void)state;
	assert_int_equal(feed(&s, BYTES(all), &used), SOCKS5_ANSWER);
	assert_int_equal(used, 3);
	assert_int_equal(feed(&s, (const uint8_t *)all + 3, sizeof(all) - 4, &used), SOCKS5_REQUEST);
	assert_int_equal(used, 47);
}

static void greetings_that_are_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t n, out_n;
		const char *why;
	} table[] = {
		{ "\x04", 1, 0, "no SOCKS5" },
		{ "G", 1, 0, "no SOCKS5" },
		{ "\x05\x00", 2, 2, "no method" },
		{ "\x05\x01\x02", 3, 2, "no method" },
		{ "\x05\x02\x01\x02", 4, 2, "no method" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct socks5 s = { 0 };

		assert_int_equal(feed(&s, (const uint8_t *)table[i].bytes, table[i].n, NULL), SOCKS5_REFUSE);
		assert_int_equal(s.out_n, table[i].out_n);
		assert_true(s.out_n == 0 || memcmp(s.out, "\x05\xff", 2) == 0);
		assert_non_null(strstr(s.why, table[i].why));
	}
}

static void requests_that_are_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		uint8_t code;
	} table[] = {
		{ "\x05\x02\x00\x03\x28" HASH "\x00\x00", 47, SOCKS5_BAD_COMMAND },
		{ "\x05\x03\x00\x03\x28" HASH "\x00\x00", 47, SOCKS5_BAD_COMMAND },
		{ "\x05\x00\x00\x03\x28" HASH "\x00\x00", 47, SOCKS5_BAD_COMMAND },
		{ "\x05\x01\x01\x03\x28" HASH "\x00\x00", 47, SOCKS5_FAILURE },
		{ "\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50", 10, SOCKS5_BAD_ADDRESS },
		{ "\x05\x01\x00\x04"
		  "0123456789abcdef"
		  "\x00\x50",
		  22, SOCKS5_BAD_ADDRESS },
		{ "\x05\x01\x00\x02", 4, SOCKS5_BAD_ADDRESS },
		{ "\x05\x01\x00\x00", 4, SOCKS5_BAD_ADDRESS },
		{ "\x05\x01\x00\x03\x00\x00\x50", 7, SOCKS5_NOT_ALLOWED },
		{ "\x05\x01\x00\x03\x0b"
		  "example.org"
		  "\x00\x50",
		  18, SOCKS5_NOT_ALLOWED },
		{ "\x05\x01\x00\x03\x28"
		  "g16781edf1ae50bad01cb8509ba35b43952bc345"
		  "\x00\x00",
		  47, SOCKS5_NOT_ALLOWED },
		{ "\x05\x01\x00\x03\x29" HASH "0"
		  "\x00\x00",
		  48, SOCKS5_NOT_ALLOWED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct socks5 s;
		size_t used;

		greet(&s);
		assert_int_equal(feed(&s, (const uint8_t *)table[i].bytes, table[i].n, &used), SOCKS5_REFUSE);
		assert_int_equal(used, table[i].n);
		assert_int_equal(s.out[0], 5);
		assert_int_equal(s.out[1], table[i].code);
		assert_int_equal(s.out[2], 0);
		assert_true(s.out_n >= 7 && s.why);
		assert_string_equal(s.dst, "");
	}
}

static void another_version_in_the_request(void **state)
{
	struct socks5 s;

	(void)state;
	greet(&s);
	assert_int_equal(feed(&s, BYTES("\x04\x01"), NULL), SOCKS5_REFUSE);
	assert_int_equal(s.out_n, 0);
}

/* 255 methods and a name of 255 bytes: both fit. */
static void the_longest(void **state)
{
	uint8_t bytes[300] = { 5, 255 };
	struct socks5 s = { 0 };

	(void)state;
	memset(bytes + 2, 0x80, 254);
	bytes[256] = 0;
	assert_int_equal(feed(&s, bytes, 257, NULL), SOCKS5_ANSWER);
	memcpy(bytes, "\x05\x01\x00\x03\xff", 5);
	assert_int_equal(feed(&s, bytes, 262, NULL), SOCKS5_REFUSE);
	assert_int_equal(s.out_n, 262);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection),
		cmocka_unit_test(address_and_port_come_back),
		cmocka_unit_test(byte_by_byte),
		cmocka_unit_test(a_hasty_client),
		cmocka_unit_test(greetings_that_are_refused),
		cmocka_unit_test(requests_that_are_refused),
		cmocka_unit_test(another_version_in_the_request),
		cmocka_unit_test(the_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
