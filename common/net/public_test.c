/* SPDX-License-Identifier: Apache-2.0
 *
 * Each range at its first and last address, and what is beside it; the same IPv4 addresses in their IPv6 dresses. */
#include "common/net/public.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct net_addr parse(const char *text)
{
	struct sockaddr_storage sa;
	struct net_addr a;
	struct err e = { "" };
	socklen_t n;

	if (net_addr_parse(text, 5269, &sa, &n, &e) != 0)
		fail_msg("%s", e.text);
	net_addr_from((struct sockaddr *)&sa, &a);
	return a;
}

static void expect(const char *text, bool is_public)
{
	struct net_addr a = parse(text);

	if (net_addr_is_public(&a) != is_public)
		fail_msg("%s is %spublic", text, is_public ? "" : "not ");
}

static const char *const private_v4[] = {
	"0.0.0.0",     "0.255.255.255",  "10.0.0.0",        "10.255.255.255", "100.64.0.0",      "100.127.255.255",
	"127.0.0.0",   "127.0.0.1",      "127.255.255.255", "169.254.0.0",    "169.254.169.254", "169.254.255.255",
	"172.16.0.0",  "172.31.255.255", "192.0.0.0",       "192.0.0.255",    "192.0.2.0",       "192.0.2.255",
	"192.88.99.1", "192.168.0.0",    "192.168.255.255", "198.18.0.0",     "198.19.255.255",  "198.51.100.1",
	"203.0.113.1", "224.0.0.0",      "239.255.255.255", "240.0.0.0",      "255.255.255.255",
};

static const char *const public_v4[] = {
	"1.0.0.0",         "9.255.255.255", "11.0.0.0",       "100.63.255.255", "100.128.0.0",     "126.255.255.255", "128.0.0.0",
	"169.253.255.255", "169.255.0.0",   "172.15.255.255", "172.32.0.0",     "191.255.255.255", "192.0.1.0",       "192.0.3.0",
	"192.167.255.255", "192.169.0.0",   "198.17.255.255", "198.20.0.0",     "223.255.255.255",
};

static void test_v4(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(private_v4) / sizeof(*private_v4); i++)
		expect(private_v4[i], false);
	for (size_t i = 0; i < sizeof(public_v4) / sizeof(*public_v4); i++)
		expect(public_v4[i], true);
}

/* Mapped (RFC 4291 section 2.5.5.2), NAT64 and 6to4. */
static void expect_dressed(const char *v4, bool is_public)
{
	unsigned b[4];
	char text[64];
	struct net_addr plain = parse(v4), dressed, inner;

	assert_int_equal(sscanf(v4, "%u.%u.%u.%u", &b[0], &b[1], &b[2], &b[3]), 4);
	snprintf(text, sizeof(text), "::ffff:%s", v4);
	expect(text, is_public);
	snprintf(text, sizeof(text), "64:ff9b::%s", v4);
	expect(text, is_public);
	dressed = parse(text);
	inner = net_addr_inner(&dressed);
	assert_memory_equal(inner.ip, plain.ip, 16);
	assert_int_equal(inner.port, 5269);
	snprintf(text, sizeof(text), "2002:%02x%02x:%02x%02x:1::1", b[0], b[1], b[2], b[3]);
	expect(text, is_public);
	dressed = parse(text);
	inner = net_addr_inner(&dressed);
	assert_memory_equal(inner.ip, plain.ip, 16);
}

static void test_dressed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(private_v4) / sizeof(*private_v4); i++)
		expect_dressed(private_v4[i], false);
	for (size_t i = 0; i < sizeof(public_v4) / sizeof(*public_v4); i++)
		expect_dressed(public_v4[i], true);
}

static void test_v6(void **state)
{
	static const char *const not_public[] = {
		"::",
		"::1",
		"::2",
		"::7f00:1",
		"::8.8.8.8",
		"64:ff9b:1::8.8.8.8",
		"64:ff9b:1:ffff::1",
		"64:ff9a::8.8.8.8",
		"64:ff9b::1:0:0",
		"100::1",
		"1fff:ffff::",
		"2001::1",
		"2001:0:4136:e378:8000:63bf:f7f7:f7f7",
		"2001:2::1",
		"2001:10::1",
		"2001:20::1",
		"2001:1ff:ffff::",
		"2001:db8::",
		"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
		"3fff::",
		"3fff:fff::1",
		"4000::",
		"5f00::1",
		"fc00::",
		"fd12:3456::1",
		"fdff:ffff::1",
		"fe80::1",
		"febf::1",
		"fec0::1",
		"feff::1",
		"ff00::",
		"ff02::1",
		"ff0e::1",
	};
	static const char *const is_public[] = { "2000::",  "2001:200::1", "2001:4860::1", "2001:db7:ffff::1", "2001:db9::",
		                                 "2003::1", "2a00::1",     "3ffe::1",      "3fff:1000::" };

	(void)state;
	for (size_t i = 0; i < sizeof(not_public) / sizeof(*not_public); i++)
		expect(not_public[i], false);
	for (size_t i = 0; i < sizeof(is_public) / sizeof(*is_public); i++)
		expect(is_public[i], true);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_v4), cmocka_unit_test(test_dressed), cmocka_unit_test(test_v6) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
