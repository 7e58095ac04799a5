/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/mqtt/index_hash.h"
#include "common/mqtt/index_naive_for_test.h"
#include "common/mqtt/index_pool.h"
#include "common/mqtt/index_table.h"

/* The example of the SipHash paper, appendix A: key 00 to 0f, text 00 to 0e, SipHash-2-4. */
static void test_siphash_of_the_paper(void **state)
{
	static const struct index_key key = { 0x0706050403020100u, 0x0f0e0d0c0b0a0908u };
	char text[15];

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)i;
	assert_true(index_siphash(&key, str_make(text, sizeof(text)), 2, 4) == 0xa129ca6149be45e5u);
}

/* Every length of what is left behind the last whole word: each byte counts, and so does the length. */
static void test_siphash_reads_every_byte(void **state)
{
	static const struct index_key key = { 1, 2 };
	char text[24] = { 0 };

	(void)state;
	for (size_t n = 0; n <= sizeof(text); n++) {
		uint64_t h = index_siphash(&key, str_make(text, n), 1, 3);

		for (size_t i = 0; i < n; i++) {
			text[i] = 1;
			assert_false(index_siphash(&key, str_make(text, n), 1, 3) == h);
			text[i] = 0;
		}
		if (n > 0)
			assert_false(index_siphash(&key, str_make(text, n - 1), 1, 3) == h);
	}
}

static bool holds(const struct index_table *t, uint32_t hash, uint32_t id)
{
	uint32_t probe = 0, found;

	while ((found = index_table_next(t, hash, &probe)) != 0)
		if (found == id)
			return true;
	return false;
}

/* Numbers under hashes that collide a lot, put in and removed by chance, until all is out again. */
static void test_table_holds_what_was_put(void **state)
{
	enum { COUNT = 3000 };
	struct naive_random random = { 7 };
	struct index_table t = { 0 };
	static uint32_t hash[COUNT + 1];
	static bool in[COUNT + 1];

	(void)state;
	for (uint32_t id = 1; id <= COUNT; id++)
		hash[id] = naive_below(&random, 2) ? naive_below(&random, 500) : naive_below(&random, UINT32_MAX);
	for (int round = 0; round < 30000; round++) {
		uint32_t id = 1 + naive_below(&random, COUNT);

		if (in[id])
			index_table_remove(&t, hash[id], id);
		else
			index_table_put(&t, hash[id], id);
		in[id] = !in[id];
		if (round % 1000 == 0)
			for (id = 1; id <= COUNT; id++)
				assert_int_equal(holds(&t, hash[id], id), in[id]);
	}
	for (uint32_t id = 1; id <= COUNT; id++) {
		if (in[id])
			index_table_remove(&t, hash[id], id);
		assert_false(holds(&t, hash[id], id));
	}
	index_table_fini(&t);
}

static void test_pool_gives_again_what_came_back(void **state)
{
	struct index_pool p;
	uint64_t *first;

	(void)state;
	index_pool_init(&p, sizeof(uint64_t));
	for (uint32_t id = 1; id <= 2000; id++)
		assert_int_equal(index_pool_take(&p), id);
	first = index_pool_at(&p, 1, sizeof(uint64_t));
	*first = UINT64_MAX;
	index_pool_give(&p, 1);
	index_pool_give(&p, 1500);
	assert_int_equal(p.live, 1998);
	assert_int_equal(index_pool_take(&p), 1500);
	assert_int_equal(index_pool_take(&p), 1);
	/* Where it was, and zeroed. */
	assert_ptr_equal(index_pool_at(&p, 1, sizeof(uint64_t)), first);
	assert_true(*first == 0);
	assert_int_equal(index_pool_take(&p), 2001);
	index_pool_fini(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_siphash_of_the_paper),
		cmocka_unit_test(test_siphash_reads_every_byte),
		cmocka_unit_test(test_table_holds_what_was_put),
		cmocka_unit_test(test_pool_gives_again_what_came_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
