/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/net/ratelimit.h"

static struct net_addr address(const char *text)
{
	struct sockaddr_storage sa;
	socklen_t n;
	struct net_addr a;

	assert_int_equal(net_addr_parse(text, 5222, &sa, &n, NULL), 0);
	net_addr_from((struct sockaddr *)&sa, &a);
	return a;
}

static void addresses_read_and_write(void **state)
{
	static const char *const texts[] = { "192.0.2.7", "2001:db8::1", "::1", "127.0.0.1" };
	char out[NET_ADDR_TEXT_MAX];
	struct sockaddr_storage sa;
	socklen_t n;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct net_addr a = address(texts[i]);

		assert_string_equal(net_addr_text(&a, out), texts[i]);
		assert_int_equal(a.port, 5222);
	}
	assert_int_equal(net_addr_parse("localhost", 1, &sa, &n, NULL), -1);
	assert_int_equal(net_addr_parse("1.2.3", 1, &sa, &n, NULL), -1);
}

static void buckets_fill_and_empty(void **state)
{
	struct bucket b;

	(void)state;
	bucket_fill(&b, 10, 1000);
	for (int i = 0; i < 10; i++)
		assert_true(bucket_take(&b, 2, 10, 1, 1000));
	assert_false(bucket_take(&b, 2, 10, 1, 1000));
	assert_false(bucket_take(&b, 2, 10, 1, 1400));
	assert_true(bucket_take(&b, 2, 10, 1, 1500));
	assert_true(bucket_level(&b, 2, 10, 1000000) == 10);
}

static void an_address_is_limited_and_others_are_not(void **state)
{
	struct ratelimit_config config = { .rate = 1, .burst = 3 };
	struct ratelimit *r = ratelimit_new(&config);
	struct net_addr a = address("192.0.2.1"), b = address("192.0.2.2");

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(ratelimit_take(r, &a, 5000), RATELIMIT_OK);
	assert_int_equal(ratelimit_take(r, &a, 5000), RATELIMIT_RATE);
	assert_int_equal(ratelimit_take(r, &b, 5000), RATELIMIT_OK);
	assert_int_equal(ratelimit_take(r, &a, 6000), RATELIMIT_OK);
	assert_int_equal(ratelimit_take(r, &a, 6000), RATELIMIT_RATE);
	ratelimit_free(&r);
}

/* One subscriber has a whole /64 of IPv6, but one address of IPv4. */
static void ipv6_counts_by_prefix(void **state)
{
	struct ratelimit_config config = { .concurrent = 1 };
	struct ratelimit *r = ratelimit_new(&config);
	struct net_addr a = address("2001:db8:1:1::1"), b = address("2001:db8:1:1:ffff::2"), c = address("2001:db8:1:2::1");
	bool shared;

	(void)state;
	assert_int_equal(ratelimit_enter(r, &a, 0, &shared), RATELIMIT_OK);
	assert_false(shared);
	assert_int_equal(ratelimit_enter(r, &b, 0, &shared), RATELIMIT_CONCURRENT);
	assert_int_equal(ratelimit_enter(r, &c, 0, &shared), RATELIMIT_OK);
	ratelimit_leave(r, &a, false);
	assert_int_equal(ratelimit_enter(r, &b, 0, &shared), RATELIMIT_OK);
	ratelimit_free(&r);
}

/* A flood from more addresses than are remembered: memory stays bounded, strangers share one allowance, and it ends with the flood. */
static void the_table_is_bounded(void **state)
{
	struct ratelimit_config config = { .concurrent = 2, .addresses = 100 };
	struct ratelimit *r = ratelimit_new(&config);
	struct net_addr a = address("10.0.0.0");
	unsigned refused = 0, own = 0;
	bool shared[1000];

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		a.ip[14] = (uint8_t)(i >> 8);
		a.ip[15] = (uint8_t)i;
		if (ratelimit_enter(r, &a, 0, &shared[i]) != RATELIMIT_OK)
			refused++;
		else if (!shared[i])
			own++;
	}
	assert_int_equal(own, 100);
	assert_int_equal(refused, 1000 - 100 - 2);
	assert_true(ratelimit_size(r) <= 100);
	for (unsigned i = 0; i < 100; i++) {
		a.ip[14] = (uint8_t)(i >> 8);
		a.ip[15] = (uint8_t)i;
		ratelimit_leave(r, &a, shared[i]);
	}
	a.ip[13] = 1;
	assert_int_equal(ratelimit_enter(r, &a, 0, &shared[0]), RATELIMIT_OK);
	assert_false(shared[0]);
	ratelimit_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_read_and_write),
		cmocka_unit_test(buckets_fill_and_empty),
		cmocka_unit_test(an_address_is_limited_and_others_are_not),
		cmocka_unit_test(ipv6_counts_by_prefix),
		cmocka_unit_test(the_table_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
