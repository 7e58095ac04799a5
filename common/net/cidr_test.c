/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/net/cidr.h"

static struct net_addr address(const char *text)
{
	struct sockaddr_storage sa;
	struct net_addr a;
	socklen_t n;

	assert_int_equal(net_addr_parse(text, 1, &sa, &n, NULL), 0);
	net_addr_from((struct sockaddr *)&sa, &a);
	return a;
}

static void an_address_is_inside_or_outside(void **state)
{
	static const struct {
		const char *network, *address;
		bool inside;
	} rows[] = {
		{ "192.0.2.0/24", "192.0.2.0", true },
		{ "192.0.2.0/24", "192.0.2.255", true },
		{ "192.0.2.0/24", "192.0.3.0", false },
		{ "192.0.2.0/24", "192.0.1.255", false },
		{ "10.0.0.0/9", "10.127.255.255", true },
		{ "10.0.0.0/9", "10.128.0.0", false },
		{ "192.0.2.7", "192.0.2.7", true },
		{ "192.0.2.7", "192.0.2.6", false },
		{ "192.0.2.7/32", "192.0.2.7", true },
		{ "0.0.0.0/0", "203.0.113.9", true },
		{ "0.0.0.0/0", "2001:db8::1", false },
		{ "0.0.0.0/0", "::ffff:203.0.113.9", true },
		{ "2001:db8::/32", "2001:db8:ffff::1", true },
		{ "2001:db8::/32", "2001:db9::", false },
		{ "2001:db8::/33", "2001:db8:7fff::", true },
		{ "2001:db8::/33", "2001:db8:8000::", false },
		{ "::1", "::1", true },
		{ "::1", "127.0.0.1", false },
		{ "::/0", "192.0.2.1", true }, /* the one way to say all */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct net_addr a = address(rows[i].address);
		struct cidr c;

		assert_int_equal(cidr_parse(rows[i].network, &c, NULL), 0);
		if (cidr_has(&c, &a) != rows[i].inside)
			fail_msg("%s in %s", rows[i].address, rows[i].network);
	}
}

static void what_is_no_network_is_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"/8",
		"example.org",
		"192.0.2.0/",
		"192.0.2.0/33",
		"192.0.2.0/-1",
		"192.0.2.0/024",
		"192.0.2.0/ 24",
		"192.0.2.0/24/24",
		"192.0.2.1/24",
		"192.0.2/24",
		"2001:db8::/129",
		"2001:db8::1/64",
		"::/1000",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc/1",
	};
	struct cidr c;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		e.text[0] = '\0';
		if (cidr_parse(rows[i], &c, &e) == 0 || e.text[0] == '\0')
			fail_msg("'%s' is taken", rows[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_inside_or_outside),
		cmocka_unit_test(what_is_no_network_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
