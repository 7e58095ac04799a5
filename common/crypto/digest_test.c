/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/digest.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *const openssl_names[DIGEST_COUNT] = { "SHA1", "SHA2-256", "SHA2-512" };

static void expect_hmac(enum digest d, const char *key, const char *data, const char *hex)
{
	uint8_t out[DIGEST_MAX];
	char text[2 * DIGEST_MAX + 1];

	digest_hmac(d, str_from(key), str_from(data), out);
	for (size_t i = 0; i < digest_size(d); i++)
		snprintf(text + 2 * i, 3, "%02x", out[i]);
	assert_string_equal(text, hex);
}

/* RFC 2202 section 3, RFC 4231 section 4.3: case 2; RFC 4231 section 4.7: a key above the block's size. */
static void test_samples(void **state)
{
	char key[132];

	(void)state;
	expect_hmac(DIGEST_SHA1, "Jefe", "what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
	expect_hmac(DIGEST_SHA256, "Jefe", "what do ya want for nothing?",
	            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	expect_hmac(DIGEST_SHA512, "Jefe", "what do ya want for nothing?",
	            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e07"
	            "0a38bce737");
	memset(key, 0xaa, 131);
	key[131] = '\0';
	expect_hmac(DIGEST_SHA256, key, "Test Using Larger Than Block-Size Key - Hash Key First",
	            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

/* Keys around each block's size and data of any, against OpenSSL's own. */
static void test_as_openssl_has_it(void **state)
{
	uint8_t bytes[300], ours[DIGEST_MAX], theirs[DIGEST_MAX];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + 3);
	for (int d = 0; d < DIGEST_COUNT; d++) {
		for (size_t key = 1; key <= 260; key++) {
			size_t data = sizeof(bytes) - key;

			digest_hmac((enum digest)d, str_make(bytes, key), str_make(bytes, data), ours);
			assert_non_null(
			        EVP_Q_mac(NULL, "HMAC", NULL, openssl_names[d], NULL, bytes, key, bytes, data, theirs, sizeof(theirs), &n));
			assert_int_equal(n, digest_size((enum digest)d));
			assert_memory_equal(ours, theirs, n);
		}
	}
}

/* Nothing at all is a key and a text, too; the result may take the data's place. */
static void test_edges(void **state)
{
	uint8_t bytes[DIGEST_MAX] = "text", out[DIGEST_MAX], same[DIGEST_MAX];

	(void)state;
	expect_hmac(DIGEST_SHA256, "", "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
	digest_hmac(DIGEST_SHA256, (struct str){ 0 }, (struct str){ 0 }, out);
	digest_hmac(DIGEST_SHA256, str_make("", 0), str_make("", 0), same);
	assert_memory_equal(out, same, 32);
	digest_hmac(DIGEST_SHA256, STR("key"), str_make(bytes, 4), out);
	digest_hmac(DIGEST_SHA256, STR("key"), str_make(bytes, 4), bytes);
	assert_memory_equal(out, bytes, 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_as_openssl_has_it),
		cmocka_unit_test(test_edges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
