/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/dns/dns_cache.h"

static struct dns_cache *c;

static int tear_down(void **state)
{
	(void)state;
	dns_cache_free(&c);
	return 0;
}

static void put(const char *name, enum dns_type type, uint32_t ttl_s, uint64_t now_ms)
{
	struct net_addr a = { .ip = { 1 } };
	struct dns_srv s = { 1, 2, 3, "target.example" };
	struct dns_result *r = type == DNS_SRV ? dns_result_srvs(ttl_s, &s, 1) : dns_result_addrs(type, ttl_s, &a, 1);

	dns_cache_put(c, name, r, now_ms);
	dns_result_unref(&r);
}

static void test_holds_as_long_as_said(void **state)
{
	(void)state;
	c = dns_cache_new(10, 100000, 600);
	put("a", DNS_A, 60, 1000);
	assert_non_null(dns_cache_get(c, "a", DNS_A, 60999));
	assert_null(dns_cache_get(c, "a", DNS_AAAA, 60999));
	assert_null(dns_cache_get(c, "b", DNS_A, 60999));
	assert_null(dns_cache_get(c, "a", DNS_A, 61000));
	assert_int_equal(dns_cache_count(c), 0);
	assert_int_equal(dns_cache_bytes(c), 0);
	put("long", DNS_A, 86400, 0);
	assert_non_null(dns_cache_get(c, "long", DNS_A, 599999));
	assert_null(dns_cache_get(c, "long", DNS_A, 600000));
	/* Nothing to live: not kept, and what was there is gone. */
	put("a", DNS_A, 60, 0);
	put("a", DNS_A, 0, 0);
	assert_null(dns_cache_get(c, "a", DNS_A, 0));
}

static void test_failures_hold_for_seconds(void **state)
{
	struct dns_result *r = dns_result_without(DNS_A, DNS_TIMEOUT);

	(void)state;
	c = dns_cache_new(10, 100000, 600);
	dns_cache_put(c, "a", r, 0);
	/* The same again, in place of itself. */
	dns_cache_put(c, "a", r, 0);
	dns_result_unref(&r);
	assert_int_equal(dns_cache_count(c), 1);
	assert_int_equal(dns_cache_get(c, "a", DNS_A, 4999)->code, DNS_TIMEOUT);
	assert_null(dns_cache_get(c, "a", DNS_A, 5000));
	/* Not the name's, but ours: never kept. */
	r = dns_result_without(DNS_A, DNS_BUSY);
	dns_cache_put(c, "a", r, 0);
	dns_result_unref(&r);
	assert_int_equal(dns_cache_count(c), 0);
}

static void test_longest_unused_goes(void **state)
{
	char name[32];

	(void)state;
	c = dns_cache_new(3, 100000, 600);
	put("a", DNS_A, 60, 0);
	put("b", DNS_A, 60, 0);
	put("c", DNS_SRV, 60, 0);
	assert_non_null(dns_cache_get(c, "a", DNS_A, 0));
	put("d", DNS_A, 60, 0);
	assert_null(dns_cache_get(c, "b", DNS_A, 0));
	assert_non_null(dns_cache_get(c, "a", DNS_A, 0));
	dns_cache_free(&c);

	c = dns_cache_new(1000, 2000, 600);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		put(name, i % 2 ? DNS_A : DNS_SRV, 60, 0);
		assert_true(dns_cache_bytes(c) <= 2000);
	}
	assert_true(dns_cache_count(c) > 3);
	assert_non_null(dns_cache_get(c, "n999", DNS_A, 0));
	/* More than all there may be. */
	dns_cache_free(&c);
	c = dns_cache_new(10, 10, 600);
	put("a", DNS_A, 60, 0);
	assert_int_equal(dns_cache_count(c), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_holds_as_long_as_said, tear_down),
		cmocka_unit_test_teardown(test_failures_hold_for_seconds, tear_down),
		cmocka_unit_test_teardown(test_longest_unused_goes, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
