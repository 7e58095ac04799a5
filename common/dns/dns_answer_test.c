/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/dns/answer_for_test.h"
#include "common/dns/dns_answer.h"
#include "common/dns/dns_name.h"

#define NAME "example.org"

static struct message m;
static struct dns_result *result;

static int tear_down(void **state)
{
	(void)state;
	dns_result_unref(&result);
	return 0;
}

static void add(const char *owner, uint16_t type, uint32_t ttl_s, const char *data)
{
	message_add(&m, &(struct test_record){ owner, type, ttl_s, data });
}

static enum dns_code read_as(enum dns_type type)
{
	dns_result_unref(&result);
	result = dns_answer_read(str_make(m.p, m.n), NAME, type);
	return result->code;
}

static const char *address(size_t i)
{
	static char text[NET_ADDR_TEXT_MAX];

	return net_addr_text(&result->addrs[i], text);
}

static void test_addresses(void **state)
{
	(void)state;
	message_begin(&m, 1, FLAGS_ANSWER, "Example.ORG", DNS_A);
	add("EXAMPLE.org", DNS_A, 300, "192.0.2.1");
	add("other.org", DNS_A, 5, "192.0.2.66"); /* of nobody that was asked for */
	add("example.org", DNS_A, 200, "192.0.2.2");
	assert_int_equal(read_as(DNS_A), DNS_OK);
	assert_int_equal(result->count, 2);
	assert_int_equal(result->ttl_s, 200);
	assert_string_equal(address(0), "192.0.2.1");
	assert_string_equal(address(1), "192.0.2.2");

	message_begin(&m, 1, FLAGS_ANSWER, NAME, DNS_AAAA);
	add(NAME, DNS_AAAA, 0x80000001u, "2001:db8::7");
	assert_int_equal(read_as(DNS_AAAA), DNS_OK);
	assert_string_equal(address(0), "2001:db8::7");
	assert_int_equal(result->ttl_s, 0);
}

static void test_srv(void **state)
{
	(void)state;
	message_begin(&m, 1, FLAGS_ANSWER, NAME, DNS_SRV);
	add(NAME, DNS_SRV, 60, "10 5 5269 Xmpp.Example.Org");
	add(NAME, DNS_SRV, 60, "20 0 5270 .");
	add(NAME, DNS_SRV, 60, "1 1 1 a+b.example.org"); /* no host has that name */
	assert_int_equal(read_as(DNS_SRV), DNS_OK);
	assert_int_equal(result->count, 2);
	assert_string_equal(result->srvs[0].target, "xmpp.example.org");
	assert_int_equal(result->srvs[0].priority, 10);
	assert_int_equal(result->srvs[0].weight, 5);
	assert_int_equal(result->srvs[0].port, 5269);
	assert_string_equal(result->srvs[1].target, "");
}

static void test_aliases(void **state)
{
	(void)state;
	message_begin(&m, 1, FLAGS_ANSWER, NAME, DNS_A);
	/* In no order. */
	add("c.example", DNS_A, 900, "192.0.2.3");
	add("b.example", TEST_CNAME, 40, "c.example");
	add(NAME, TEST_CNAME, 300, "b.example");
	assert_int_equal(read_as(DNS_A), DNS_OK);
	assert_int_equal(result->count, 1);
	assert_int_equal(result->ttl_s, 40);

	/* The alias leads nowhere. */
	message_begin(&m, 1, FLAGS_ANSWER, NAME, DNS_A);
	add(NAME, TEST_CNAME, 30, "b.example");
	assert_int_equal(read_as(DNS_A), DNS_NO_DATA);
	assert_int_equal(result->ttl_s, 30);

	/* Names that stand for each other. */
	message_begin(&m, 1, FLAGS_ANSWER, NAME, DNS_A);
	add(NAME, TEST_CNAME, 300, "b.example");
	add("b.example", TEST_CNAME, 300, NAME);
	assert_int_equal(read_as(DNS_A), DNS_MALFORMED);
	assert_int_equal(result->ttl_s, DNS_FAILURE_S);
}

static void test_negative(void **state)
{
	(void)state;
	message_begin(&m, 1, FLAGS_NXDOMAIN, NAME, DNS_A);
	assert_int_equal(read_as(DNS_A), DNS_NO_NAME);
	assert_int_equal(result->ttl_s, DNS_NEGATIVE_S);
	add("org", TEST_SOA, 900, "90");
	assert_int_equal(read_as(DNS_A), DNS_NO_NAME);
	assert_int_equal(result->ttl_s, 90);

	message_begin(&m, 1, FLAGS_ANSWER, NAME, DNS_A);
	add("org", TEST_SOA, 86400, "86400");
	assert_int_equal(read_as(DNS_A), DNS_NO_DATA);
	assert_int_equal(result->ttl_s, DNS_NEGATIVE_MAX_S);
	message_begin(&m, 1, FLAGS_ANSWER, NAME, DNS_A);
	add("org", TEST_SOA, 12, "86400");
	assert_int_equal(read_as(DNS_A), DNS_NO_DATA);
	assert_int_equal(result->ttl_s, 12);

	message_begin(&m, 1, FLAGS_SERVFAIL, NAME, DNS_A);
	assert_int_equal(read_as(DNS_A), DNS_REFUSED);
	assert_int_equal(result->ttl_s, DNS_FAILURE_S);
	message_begin(&m, 1, FLAGS_REFUSED, NAME, DNS_A);
	assert_int_equal(read_as(DNS_A), DNS_REFUSED);
}

static void test_malformed(void **state)
{
	(void)state;
	message_begin(&m, 1, FLAGS_ANSWER, NAME, DNS_SRV);
	add(NAME, DNS_SRV, 60, "10 5 5269 xmpp.example.org");
	size_t whole = m.n;
	for (m.n = 0; m.n < whole; m.n++)
		assert_int_equal(read_as(DNS_SRV), DNS_MALFORMED);
	m.n = whole;
	assert_int_equal(read_as(DNS_SRV), DNS_OK);
	assert_int_equal(read_as(DNS_A), DNS_MALFORMED); /* not what was asked */

	message_begin(&m, 1, 0x0100, NAME, DNS_A); /* a question */
	assert_int_equal(read_as(DNS_A), DNS_MALFORMED);
	message_begin(&m, 1, FLAGS_CUT, NAME, DNS_A);
	assert_int_equal(read_as(DNS_A), DNS_MALFORMED);
	message_begin(&m, 1, FLAGS_ANSWER, "example.com", DNS_A);
	assert_int_equal(read_as(DNS_A), DNS_MALFORMED);
	message_begin(&m, 1, FLAGS_ANSWER, NAME, DNS_A);
	add(NAME, DNS_A, 60, "192.0.2.1");
	m.p[m.n - 5] = 3; /* an address of three bytes, and one more byte */
	assert_int_equal(read_as(DNS_A), DNS_MALFORMED);
}

static void test_hostile(void **state)
{
	char data[64];
	uint64_t began = clock_mono_ms();

	(void)state;
	message_begin(&m, 1, FLAGS_ANSWER, NAME, DNS_SRV);
	for (unsigned i = 0; m.n < 65000; i++) {
		snprintf(data, sizeof(data), "%u 0 5269 h%u.example", i, i);
		add(NAME, DNS_SRV, 60, data);
	}
	assert_int_equal(read_as(DNS_SRV), DNS_OK);
	assert_int_equal(result->count, DNS_RECORDS_MAX);

	/* 10,000 records are announced. */
	message_begin(&m, 1, FLAGS_ANSWER, NAME, DNS_SRV);
	set16(&m, 6, 10000);
	assert_int_equal(read_as(DNS_SRV), DNS_MALFORMED);

	/* A long chain of aliases, the last first. */
	message_begin(&m, 1, FLAGS_ANSWER, NAME, DNS_A);
	for (unsigned i = 1500; i > 0; i--) {
		char owner[32];

		snprintf(owner, sizeof(owner), "n%u.example", i);
		snprintf(data, sizeof(data), "n%u.example", i + 1);
		add(i == 1 ? NAME : owner, TEST_CNAME, 60, data);
	}
	assert_true(read_as(DNS_A) != DNS_OK);
	assert_true(clock_mono_ms() - began < 1000);
}

static bool name_at(const void *bytes, size_t n, size_t at, char *out, size_t *after)
{
	return dns_name_read(str_make(bytes, n), at, out, after);
}

static void test_names(void **state)
{
	char out[DNS_NAME_MAX + 1];
	char label63[64], label64[65], most[300] = "", wire[600];
	size_t after, n = 0;

	(void)state;
	assert_true(dns_name_from(STR("_Xmpp-Server._TCP.Example.org."), out));
	assert_string_equal(out, "_xmpp-server._tcp.example.org");
	memset(label63, 'a', 63);
	label63[63] = 0;
	memset(label64, 'a', 64);
	label64[64] = 0;
	assert_true(dns_name_from(str_from(label63), out));
	assert_false(dns_name_from(str_from(label64), out));
	assert_false(dns_name_from(STR(""), out));
	assert_false(dns_name_from(STR("."), out));
	assert_false(dns_name_from(STR("a..b"), out));
	assert_false(dns_name_from(STR(".a"), out));
	assert_false(dns_name_from(STR("a b"), out));
	assert_false(dns_name_from(STR("b\xc3\xbc"
	                               "cher.example"),
	                           out));
	assert_false(dns_name_from(str_make("a\0b", 3), out));
	for (int i = 0; i < 127; i++)
		strcat(most, i ? ".a" : "a");
	assert_true(dns_name_from(str_from(most), out)); /* 253 bytes */
	strcat(most, "a");
	assert_false(dns_name_from(str_from(most), out));

	assert_true(name_at("\1A\2bc\0x", 7, 0, out, &after));
	assert_string_equal(out, "a.bc");
	assert_int_equal(after, 6);
	assert_true(name_at("\2bc\0\1a\xc0\0z", 9, 4, out, &after));
	assert_string_equal(out, "a.bc");
	assert_int_equal(after, 8);
	assert_true(name_at("\3a.b\0", 5, 0, out, &after)); /* a dot within a label must not look like two labels */
	assert_string_equal(out, "a?b");
	assert_false(dns_name_usable(out));
	assert_false(name_at("\xc0\0", 2, 0, out, &after));      /* at itself */
	assert_false(name_at("\1a\xc0\0", 4, 0, out, &after));   /* round and round */
	assert_false(name_at("\xc0\2\1a\0", 5, 0, out, &after)); /* forward */
	assert_false(name_at("\xc0", 1, 0, out, &after));
	assert_false(name_at("\5abc\0", 5, 0, out, &after));
	assert_false(name_at("\1a", 2, 0, out, &after));
	assert_false(name_at("\x41"
	                     "a\0",
	                     3, 0, out, &after)); /* bits that mean nothing */
	for (int i = 0; i < 5; i++) {
		wire[n++] = 63;
		memset(wire + n, 'a', 63);
		n += 63;
	}
	wire[n++] = 0;
	assert_false(name_at(wire, n, 0, out, &after));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_addresses, tear_down),
		cmocka_unit_test_teardown(test_srv, tear_down),
		cmocka_unit_test_teardown(test_aliases, tear_down),
		cmocka_unit_test_teardown(test_negative, tear_down),
		cmocka_unit_test_teardown(test_malformed, tear_down),
		cmocka_unit_test_teardown(test_hostile, tear_down),
		cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
