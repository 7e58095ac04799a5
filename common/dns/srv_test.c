/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/dns/srv.h"

/* Chance is what the test wrote down; `below` is checked with it. */
static struct {
	uint32_t below, number;
} script[SRV_TARGETS_MAX];
static size_t script_at, script_n;
static struct srv_list list;

static uint32_t scripted(void *ctx, uint32_t below)
{
	(void)ctx;
	assert_true(script_at < script_n);
	assert_int_equal(below, script[script_at].below);
	return script[script_at++].number;
}

static void expect_draw(uint32_t below, uint32_t number)
{
	script[script_n].below = below;
	script[script_n++].number = number;
}

static uint32_t least(void *ctx, uint32_t below)
{
	(void)ctx;
	assert_true(below > 0);
	return 0;
}

static void merge(const struct dns_srv *direct, size_t direct_n, const struct dns_srv *starttls, size_t starttls_n, srv_chance chance)
{
	struct dns_result *d = direct_n ? dns_result_srvs(60, direct, direct_n) : dns_result_without(DNS_SRV, DNS_NO_DATA);
	struct dns_result *s = starttls_n ? dns_result_srvs(60, starttls, starttls_n) : dns_result_without(DNS_SRV, DNS_NO_NAME);
	static char hosts[SRV_TARGETS_MAX][64];

	srv_merge(d, s, chance, NULL, &list);
	for (size_t i = 0; i < list.count; i++) {
		snprintf(hosts[i], sizeof(hosts[i]), "%s", list.targets[i].host);
		list.targets[i].host = hosts[i];
	}
	dns_result_unref(&d);
	dns_result_unref(&s);
}

static int set_up(void **state)
{
	(void)state;
	script_at = script_n = 0;
	return 0;
}

static void test_one_list_by_priority(void **state)
{
	const struct dns_srv direct[] = { { 20, 0, 5270, "late.example" }, { 5, 0, 443, "first.example" } };
	const struct dns_srv starttls[] = { { 10, 0, 5269, "middle.example" } };

	(void)state;
	merge(direct, 2, starttls, 1, least);
	assert_true(list.said);
	assert_int_equal(list.count, 3);
	assert_string_equal(list.targets[0].host, "first.example");
	assert_true(list.targets[0].direct_tls);
	assert_int_equal(list.targets[0].port, 443);
	assert_string_equal(list.targets[1].host, "middle.example");
	assert_false(list.targets[1].direct_tls);
	assert_string_equal(list.targets[2].host, "late.example");
}

/* RFC 2782: weights 0, 10 and 30 of both services in one urn; sums 40, then what is left. */
static void test_weights(void **state)
{
	const struct dns_srv direct[] = { { 1, 30, 1, "thirty" }, { 1, 0, 1, "zero" } };
	const struct dns_srv starttls[] = { { 1, 10, 1, "ten" } };

	(void)state;
	expect_draw(41, 11); /* zero: 0, ten: 10, thirty: 40 */
	expect_draw(11, 1);
	expect_draw(1, 0);
	merge(direct, 2, starttls, 1, scripted);
	assert_string_equal(list.targets[0].host, "thirty");
	assert_string_equal(list.targets[1].host, "ten");
	assert_string_equal(list.targets[2].host, "zero");
	assert_int_equal(script_at, 3);

	script_at = script_n = 0;
	expect_draw(41, 10);
	expect_draw(31, 0);
	expect_draw(31, 30);
	merge(direct, 2, starttls, 1, scripted);
	assert_string_equal(list.targets[0].host, "ten");
	assert_string_equal(list.targets[1].host, "zero");
	assert_string_equal(list.targets[2].host, "thirty");
}

static uint32_t any(void *ctx, uint32_t below)
{
	static uint64_t x = 88172645463325252u;

	(void)ctx;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint32_t)(x % below);
}

static void test_shares(void **state)
{
	const struct dns_srv records[] = { { 1, 60, 1, "sixty" }, { 1, 30, 1, "thirty" }, { 1, 10, 1, "ten" } };
	unsigned sixty = 0, ten = 0;

	(void)state;
	for (int i = 0; i < 10000; i++) {
		merge(records, 3, NULL, 0, any);
		sixty += strcmp(list.targets[0].host, "sixty") == 0;
		ten += strcmp(list.targets[0].host, "ten") == 0;
	}
	assert_in_range(sixty, 5700, 6300);
	assert_in_range(ten, 800, 1250);
}

static void test_decidedly_not(void **state)
{
	const struct dns_srv no[] = { { 0, 0, 0, "" } };
	const struct dns_srv some[] = { { 0, 0, 5269, "x.example" }, { 0, 0, 0, "no-port.example" } };

	(void)state;
	merge(no, 1, no, 1, least);
	assert_true(list.said);
	assert_int_equal(list.count, 0);
	merge(no, 1, some, 2, least);
	assert_true(list.said);
	assert_int_equal(list.count, 1);
	assert_string_equal(list.targets[0].host, "x.example");
	merge(no, 1, NULL, 0, least);
	assert_true(list.said);
	merge(NULL, 0, NULL, 0, least);
	assert_false(list.said);
	assert_int_equal(list.count, 0);
}

static void test_no_more_than_thirty(void **state)
{
	struct dns_srv many[DNS_RECORDS_MAX];
	static char names[DNS_RECORDS_MAX][16];

	(void)state;
	for (unsigned i = 0; i < DNS_RECORDS_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "h%u", i);
		many[i] = (struct dns_srv){ (uint16_t)(i / 20), 65535, 5269, names[i] };
	}
	merge(many, DNS_RECORDS_MAX, many, DNS_RECORDS_MAX, any);
	assert_int_equal(list.count, SRV_TARGETS_MAX);
	for (size_t i = 0; i < list.count; i++)
		assert_int_equal(list.targets[i].priority, 0); /* 40 records have it */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_one_list_by_priority, set_up),
		cmocka_unit_test_setup(test_weights, set_up),
		cmocka_unit_test_setup(test_shares, set_up),
		cmocka_unit_test_setup(test_decidedly_not, set_up),
		cmocka_unit_test_setup(test_no_more_than_thirty, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
