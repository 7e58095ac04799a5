/* SPDX-License-Identifier: Apache-2.0 */
#include "services/turn-relay/nonce.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define LIFE_S 3600u

static const struct nonce_key key = { { 1, 2, 3 } }, other_key = { { 1, 2, 4 } };
static const struct net_addr romeo = { { [10] = 0xff, [11] = 0xff, 192, 0, 2, 1 }, 4000 };

static void test_good(void **state)
{
	char nonce[NONCE_SIZE];

	(void)state;
	nonce_make(&key, &romeo, 100, nonce);
	assert_memory_equal(nonce, NONCE_COOKIE, 13);
	assert_int_equal(nonce_check(&key, &romeo, str_make(nonce, NONCE_SIZE), 100, LIFE_S), NONCE_OK);
	assert_int_equal(nonce_check(&key, &romeo, str_make(nonce, NONCE_SIZE), 100 + LIFE_S, LIFE_S), NONCE_OK);
	assert_int_equal(nonce_check(&key, &romeo, str_make(nonce, NONCE_SIZE), 101 + LIFE_S, LIFE_S), NONCE_STALE);
	/* From the future there is none. */
	assert_int_equal(nonce_check(&key, &romeo, str_make(nonce, NONCE_SIZE), 99, LIFE_S), NONCE_STALE);
}

static void test_somebody_elses(void **state)
{
	struct net_addr other = romeo;
	char nonce[NONCE_SIZE];

	(void)state;
	nonce_make(&key, &romeo, 100, nonce);
	other.port++;
	assert_int_equal(nonce_check(&key, &other, str_make(nonce, NONCE_SIZE), 100, LIFE_S), NONCE_FORGED);
	other = romeo;
	other.ip[15]++;
	assert_int_equal(nonce_check(&key, &other, str_make(nonce, NONCE_SIZE), 100, LIFE_S), NONCE_FORGED);
	assert_int_equal(nonce_check(&other_key, &romeo, str_make(nonce, NONCE_SIZE), 100, LIFE_S), NONCE_FORGED);
}

static void test_every_byte_counts(void **state)
{
	char nonce[NONCE_SIZE + 1] = "";

	(void)state;
	for (size_t i = 0; i < NONCE_SIZE; i++) {
		nonce_make(&key, &romeo, 100, nonce);
		nonce[i] = nonce[i] == 'A' ? 'B' : 'A';
		assert_int_equal(nonce_check(&key, &romeo, str_make(nonce, NONCE_SIZE), 100, LIFE_S), NONCE_FORGED);
	}
	nonce_make(&key, &romeo, 100, nonce);
	for (size_t n = 0; n < NONCE_SIZE; n++)
		assert_int_equal(nonce_check(&key, &romeo, str_make(nonce, n), 100, LIFE_S), NONCE_FORGED);
	assert_int_equal(nonce_check(&key, &romeo, str_make(nonce, NONCE_SIZE + 1), 100, LIFE_S), NONCE_FORGED);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_good), cmocka_unit_test(test_somebody_elses),
		                            cmocka_unit_test(test_every_byte_counts) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
