/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/prefix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static bool has(const char *network, const char *address)
{
	struct sockaddr_storage sa;
	struct net_prefix p;
	struct net_addr a;
	struct err e = { "" };
	socklen_t n;

	if (net_prefix_parse(network, &p, &e) != 0 || net_addr_parse(address, 5269, &sa, &n, &e) != 0)
		fail_msg("%s", e.text);
	net_addr_from((struct sockaddr *)&sa, &a);
	return net_prefix_has(&p, &a);
}

static void test_has(void **state)
{
	(void)state;
	assert_true(has("10.0.0.0/8", "10.0.0.0") && has("10.0.0.0/8", "10.255.255.255"));
	assert_false(has("10.0.0.0/8", "11.0.0.0") || has("10.0.0.0/8", "9.255.255.255"));
	assert_true(has("172.16.0.0/12", "172.31.255.255"));
	assert_false(has("172.16.0.0/12", "172.32.0.0") || has("172.16.0.0/12", "172.15.255.255"));
	assert_true(has("192.0.2.7", "192.0.2.7") && has("192.0.2.7/32", "192.0.2.7"));
	assert_false(has("192.0.2.7", "192.0.2.6"));
	assert_true(has("0.0.0.0/0", "255.255.255.255"));
	assert_false(has("0.0.0.0/0", "2001:db8::1"));
	assert_true(has("::/0", "2001:db8::1") && has("::/0", "192.0.2.1")); /* all there is: IPv4 is within, mapped */
	assert_true(has("2001:db8::/33", "2001:db8:7fff::1"));
	assert_false(has("2001:db8::/33", "2001:db8:8000::1"));
	assert_true(has("fd00::1", "fd00::1") && !has("fd00::1", "fd00::2"));
	assert_true(has("::ffff:10.0.0.0/104", "10.1.2.3"));
}

static void test_refusals(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "", "not a numeric" },
		{ "/8", "not a numeric" },
		{ "example.net/8", "not a numeric" },
		{ "10.0.0/8", "not a numeric" },
		{ "10.0.0.0/", "a number from 0 to 32" },
		{ "10.0.0.0/33", "a number from 0 to 32" },
		{ "10.0.0.0/-1", "a number from 0 to 32" },
		{ "10.0.0.0/8x", "a number from 0 to 32" },
		{ "10.0.0.0/0008", "a number from 0 to 32" },
		{ "10.0.0.0/8/8", "a number from 0 to 32" },
		{ "::/129", "a number from 0 to 128" },
		{ "10.0.0.1/8", "bits behind the first 8" },
		{ "fd00::1/64", "bits behind the first 64" },
		{ "::1/127", "bits behind the first 127" },
		{ "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000/8", "not a network" },
	};
	struct net_prefix p;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct err e = { "" };

		assert_int_equal(net_prefix_parse(bad[i].text, &p, &e), -1);
		if (!strstr(e.text, bad[i].says))
			fail_msg("'%s': %s", bad[i].text, e.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_has), cmocka_unit_test(test_refusals) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
