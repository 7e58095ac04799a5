/* SPDX-License-Identifier: Apache-2.0 */
#include "common/dns/xmpp_override.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_good(void **state)
{
	static const struct {
		const char *text, *domain, *host;
		uint16_t port;
		bool direct_tls;
	} good[] = {
		{ "example.org=xmpp.example.net", "example.org", "xmpp.example.net", 5269, false },
		{ "Example.org=XMPP.example.net:1234", "example.org", "xmpp.example.net", 1234, false },
		{ "example.org=tls://192.0.2.1", "example.org", "192.0.2.1", 5270, true },
		{ "example.org=tls://[2001:DB8:0::1]:443", "example.org", "[2001:db8::1]", 443, true },
		{ "example.org=[::1]", "example.org", "[::1]", 5269, false },
		{ "b\xc3\xbc"
		  "cher.example=b\xc3\xbc"
		  "cher.example:1",
		  "xn--bcher-kva.example", "xn--bcher-kva.example", 1, false },
		{ "127.0.0.1=127.0.0.2:65535", "127.0.0.1", "127.0.0.2", 65535, false },
	};
	struct xmpp_override o;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(xmpp_override_parse(good[i].text, &o, NULL), 0);
		assert_string_equal(o.domain, good[i].domain);
		assert_string_equal(o.host, good[i].host);
		assert_int_equal(o.port, good[i].port);
		assert_int_equal(o.direct_tls, good[i].direct_tls);
	}
}

static void test_bad(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "", "is wanted" },
		{ "example.org", "is wanted" },
		{ "=host", "no domain" },
		{ "a b=host", "no domain" },
		{ "juliet@example.org=host", "no domain" },
		{ "example.org=", "a host name" },
		{ "example.org=:5269", "a host name" },
		{ "example.org=tls://", "a host name" },
		{ "example.org=tcp://host", "1 to 65535" },
		{ "example.org=[::1", "a host name" },
		{ "example.org=[nonsense]:1", "a host name" },
		{ "example.org=host:", "1 to 65535" },
		{ "example.org=host:0", "1 to 65535" },
		{ "example.org=host:65536", "1 to 65535" },
		{ "example.org=host:-1", "1 to 65535" },
		{ "example.org=host:12x", "1 to 65535" },
	};
	struct xmpp_override o;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(xmpp_override_parse(bad[i].text, &o, &e), -1);
		assert_non_null(strstr(e.text, bad[i].says));
	}
}

static void test_literal(void **state)
{
	static const char *const no[] = { "", "example.org", "::1", "[::1", "[]", "[127.0.0.1", "1.2.3", "[::1%lo]" };
	char text[NET_ADDR_TEXT_MAX];
	struct net_addr a;

	(void)state;
	assert_true(xmpp_literal("[2001:db8::1]", 7, &a));
	assert_string_equal(net_addr_text(&a, text), "2001:db8::1");
	assert_int_equal(a.port, 7);
	assert_true(xmpp_literal("192.0.2.1", 7, &a));
	assert_string_equal(net_addr_text(&a, text), "192.0.2.1");
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		assert_false(xmpp_literal(no[i], 7, &a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_literal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
