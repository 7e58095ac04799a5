/* SPDX-License-Identifier: Apache-2.0 */
#include "common/dns/dns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/dns/server_for_test.h"

#define PATIENCE_MS 10000u
#define QUERIES     8

static const struct test_record records[] = {
	{ "a.example", DNS_A, 300, "192.0.2.1" },
	{ "a.example", DNS_AAAA, 300, "2001:db8::1" },
	{ "alias.example", TEST_CNAME, 300, "a.example" },
	{ "round.example", TEST_CNAME, 300, "and-round.example" },
	{ "and-round.example", TEST_CNAME, 300, "round.example" },
	{ "brief.example", DNS_A, 1, "192.0.2.2" },
	{ "instant.example", DNS_A, 0, "192.0.2.3" },
	{ "cut.example", DNS_A, 300, "192.0.2.4" },
	{ "_xmpp-server._tcp.a.example", DNS_SRV, 300, "1 2 5269 a.example" },
};
static const struct test_rule rules[] = {
	{ "silent.example", SILENT },   { "cut.example", CUT },
	{ "wrong.example", WRONG_ID },  { "other-question.example", WRONG_QUESTION },
	{ "garbage.example", GARBAGE }, { "servfail.example", SERVFAIL },
	{ "refused.example", REFUSED }, { "huge.example", HUGE_ANSWER },
};

static uv_loop_t uv;
static struct net_loop *loop;
static struct test_server server;
static struct dns *dns;

static struct asked {
	struct dns_query q;
	unsigned answers;
	enum dns_code code;
	size_t count;
	uint32_t ttl_s;
	struct net_addr first;
} asked[QUERIES];
static unsigned answers;
static void (*on_answer)(struct asked *a);

static void on_query(struct dns_query *q, const struct dns_result *r)
{
	struct asked *a = list_entry(q, struct asked, q);

	answers++;
	a->answers++;
	a->code = r->code;
	a->count = r->count;
	a->ttl_s = r->ttl_s;
	if (r->count && r->type != DNS_SRV)
		a->first = r->addrs[0];
	if (on_answer)
		on_answer(a);
}

static void open_dns(const char *servers, uint32_t timeout_ms, uint32_t max_queries)
{
	struct dns_config config = { .servers = servers, .timeout_ms = timeout_ms, .max_queries = max_queries };
	struct err e;

	dns = dns_new(loop, &config, &e);
	assert_non_null(dns);
}

static int set_up(void **state)
{
	(void)state;
	assert_int_equal(uv_loop_init(&uv), 0);
	loop = net_loop_new(&uv);
	server = (struct test_server){ .records = records,
		                       .record_n = sizeof(records) / sizeof(records[0]),
		                       .rules = rules,
		                       .rule_n = sizeof(rules) / sizeof(rules[0]) };
	test_server_start(&server, &uv);
	answers = 0;
	on_answer = NULL;
	memset(asked, 0, sizeof(asked));
	for (size_t i = 0; i < QUERIES; i++)
		dns_query_init(&asked[i].q, on_query);
	open_dns(server.address, 0, 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	dns_free(&dns);
	test_server_stop(&server);
	net_loop_free(&loop);
	uv_run(&uv, UV_RUN_DEFAULT);
	return uv_loop_close(&uv);
}

static void run_until(unsigned n)
{
	uint64_t began = clock_mono_ms();

	while (answers < n && clock_mono_ms() - began < PATIENCE_MS)
		uv_run(&uv, UV_RUN_ONCE);
	assert_int_equal(answers, n);
}

/* Asks with the first query and waits for what comes of it. */
static const struct asked *ask(const char *name, enum dns_type type)
{
	unsigned before = answers;

	assert_true(dns_ask(dns, &asked[0].q, name, type));
	assert_int_equal(answers, before);
	run_until(before + 1);
	return &asked[0];
}

static void test_found(void **state)
{
	char text[NET_ADDR_TEXT_MAX];

	(void)state;
	assert_int_equal(ask("A.Example.", DNS_A)->code, DNS_OK);
	assert_string_equal(net_addr_text(&asked[0].first, text), "192.0.2.1");
	assert_int_equal(ask("a.example", DNS_AAAA)->code, DNS_OK);
	assert_string_equal(net_addr_text(&asked[0].first, text), "2001:db8::1");
	assert_int_equal(ask("_xmpp-server._tcp.a.example", DNS_SRV)->code, DNS_OK);
	assert_int_equal(ask("alias.example", DNS_A)->code, DNS_OK);
	assert_int_equal(server.asked, 4);
}

static void test_not_found(void **state)
{
	(void)state;
	assert_int_equal(ask("nobody.example", DNS_A)->code, DNS_NO_NAME);
	assert_int_equal(asked[0].ttl_s, 60);
	assert_int_equal(ask("cut.example", DNS_AAAA)->code, DNS_NO_DATA);
	assert_int_equal(ask("servfail.example", DNS_A)->code, DNS_REFUSED);
	assert_int_equal(ask("refused.example", DNS_A)->code, DNS_REFUSED);
	assert_int_equal(ask("garbage.example", DNS_A)->code, DNS_MALFORMED);
	assert_int_equal(ask("round.example", DNS_A)->code, DNS_MALFORMED);
	assert_int_equal(ask("b\xc3\xbc"
	                     "cher.example",
	                     DNS_A)
	                         ->code,
	                 DNS_BAD_NAME);
	assert_int_equal(ask("", DNS_A)->code, DNS_BAD_NAME);
}

static void test_silence(void **state)
{
	static const char *const names[] = { "silent.example", "wrong.example", "other-question.example" };

	(void)state;
	dns_free(&dns);
	open_dns(server.address, 100, 0);
	for (size_t i = 0; i < 3; i++) {
		uint64_t began = clock_mono_ms();

		assert_int_equal(ask(names[i], DNS_A)->code, DNS_TIMEOUT);
		assert_in_range(clock_mono_ms() - began, 280, PATIENCE_MS); /* 100 and 200 ms */
	}
	assert_int_equal(server.asked, 6);
	assert_int_equal(dns_stats(dns)->failed, 3);
	/* Failures are not asked again at once. */
	assert_int_equal(ask("silent.example", DNS_A)->code, DNS_TIMEOUT);
	assert_int_equal(server.asked, 6);
}

static void test_by_tcp(void **state)
{
	(void)state;
	assert_int_equal(ask("cut.example", DNS_A)->code, DNS_OK);
	assert_int_equal(server.asked_by_tcp, 1);
	assert_int_equal(ask("huge.example", DNS_SRV)->code, DNS_OK);
	assert_int_equal(asked[0].count, DNS_RECORDS_MAX);
	assert_int_equal(server.asked_by_tcp, 2);
}

static void test_nobody_there(void **state)
{
	(void)state;
	dns_free(&dns);
	test_server_stop(&server);
	open_dns(server.address, 0, 0);
	assert_int_equal(ask("a.example", DNS_A)->code, DNS_REFUSED);
	test_server_start(&server, &uv);
	/* The second server is asked when the first is not there. */
	dns_free(&dns);
	char two[80];
	snprintf(two, sizeof(two), "127.0.0.1:1, %s", server.address);
	open_dns(two, 0, 0);
	assert_int_equal(ask("a.example", DNS_A)->code, DNS_OK);
}

static void test_cache(void **state)
{
	(void)state;
	assert_int_equal(ask("a.example", DNS_A)->code, DNS_OK);
	assert_int_equal(ask("A.EXAMPLE", DNS_A)->code, DNS_OK);
	assert_int_equal(ask("nobody.example", DNS_A)->code, DNS_NO_NAME);
	assert_int_equal(ask("nobody.example", DNS_A)->code, DNS_NO_NAME);
	assert_int_equal(server.asked, 2);
	assert_int_equal(dns_stats(dns)->cached, 2);
	ask("instant.example", DNS_A);
	ask("instant.example", DNS_A);
	assert_int_equal(server.asked, 4);
	dns_forget(dns);
	assert_int_equal(ask("a.example", DNS_A)->code, DNS_OK);
	assert_int_equal(server.asked, 5);
	ask("brief.example", DNS_A);
	uint64_t began = clock_mono_ms();
	while (server.asked < 7 && clock_mono_ms() - began < PATIENCE_MS)
		ask("brief.example", DNS_A);
	assert_in_range(clock_mono_ms() - began, 900, PATIENCE_MS);
}

static void test_shared(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++)
		assert_true(dns_ask(dns, &asked[i].q, i % 2 ? "a.example" : "A.example", DNS_A));
	dns_cancel(&asked[3].q);
	run_until(3);
	assert_int_equal(server.asked, 1);
	assert_int_equal(dns_stats(dns)->shared, 3);
	for (int i = 0; i < 3; i++)
		assert_true(asked[i].answers == 1 && asked[i].code == DNS_OK);
	assert_int_equal(asked[3].answers, 0);
}

static void test_cancelled_goes_to_the_cache(void **state)
{
	(void)state;
	assert_true(dns_ask(dns, &asked[1].q, "a.example", DNS_A));
	dns_cancel(&asked[1].q);
	dns_cancel(&asked[1].q);
	ask("a.example", DNS_AAAA);
	assert_int_equal(ask("a.example", DNS_A)->code, DNS_OK);
	assert_int_equal(asked[1].answers, 0);
	assert_int_equal(server.asked, 2);
	/* Cancelled when the answer is there, but not yet told. */
	assert_true(dns_ask(dns, &asked[1].q, "a.example", DNS_A));
	dns_cancel(&asked[1].q);
	ask("a.example", DNS_A);
	assert_int_equal(asked[1].answers, 0);
}

static void test_too_many(void **state)
{
	(void)state;
	dns_free(&dns);
	open_dns(server.address, 0, 2);
	assert_true(dns_ask(dns, &asked[0].q, "a.example", DNS_A));
	assert_true(dns_ask(dns, &asked[1].q, "a.example", DNS_AAAA));
	assert_true(dns_ask(dns, &asked[2].q, "cut.example", DNS_A));
	assert_true(dns_ask(dns, &asked[3].q, "a.example", DNS_A));
	run_until(4);
	assert_int_equal(asked[2].code, DNS_BUSY);
	assert_true(asked[0].code == DNS_OK && asked[1].code == DNS_OK && asked[3].code == DNS_OK);
	assert_int_equal(ask("cut.example", DNS_A)->code, DNS_OK);
}

static void test_freed(void **state)
{
	(void)state;
	assert_true(dns_ask(dns, &asked[0].q, "silent.example", DNS_A));
	assert_true(dns_ask(dns, &asked[1].q, "silent.example", DNS_A));
	assert_true(dns_ask(dns, &asked[2].q, "", DNS_A));
	dns_free(&dns);
	assert_null(dns);
	assert_int_equal(answers, 3);
	assert_true(asked[0].code == DNS_CANCELLED && asked[1].code == DNS_CANCELLED && asked[2].code == DNS_BAD_NAME);
	dns_free(&dns);
}

static void free_at_first(struct asked *a)
{
	(void)a;
	on_answer = NULL;
	dns_free(&dns);
}

static void test_freed_from_an_answer(void **state)
{
	(void)state;
	assert_true(dns_ask(dns, &asked[0].q, "a.example", DNS_A));
	assert_true(dns_ask(dns, &asked[1].q, "a.example", DNS_A));
	assert_true(dns_ask(dns, &asked[2].q, "silent.example", DNS_A));
	on_answer = free_at_first;
	run_until(3);
	assert_true(asked[0].code == DNS_OK && asked[1].code == DNS_OK && asked[2].code == DNS_CANCELLED);
}

static void test_bad_config(void **state)
{
	static const struct {
		struct dns_config config;
		const char *says;
	} bad[] = {
		{ { .servers = "example.org" }, "not a numeric" },
		{ { .servers = "127.0.0.1," }, "an address is wanted" },
		{ { .servers = "127.0.0.1:0" }, "1 to 65535" },
		{ { .servers = "127.0.0.1:70000" }, "1 to 65535" },
		{ { .servers = "127.0.0.1:" }, "1 to 65535" },
		{ { .servers = "[::1" }, "']' is missing" },
		{ { .servers = "[::1]53" }, "']' is missing" },
		{ { .servers = "1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1" }, "8 at most" },
		{ { .timeout_ms = 99 }, "100 to 60000" },
		{ { .timeout_ms = 60001 }, "100 to 60000" },
		{ { .tries = 11 }, "1 to 10" },
	};
	static const char *const good[] = { NULL, "", "127.0.0.1", "::1", "[::1]", " [::1]:5353 , 192.0.2.1:53" };
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_null(dns_new(loop, &bad[i].config, &e));
		assert_non_null(strstr(e.text, bad[i].says));
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		dns_free(&dns);
		open_dns(good[i], 0, 0);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_found),      TEST(test_not_found),    TEST(test_silence),
		TEST(test_by_tcp),     TEST(test_cache),        TEST(test_shared),
		TEST(test_too_many),   TEST(test_freed),        TEST(test_freed_from_an_answer),
		TEST(test_bad_config), TEST(test_nobody_there), TEST(test_cancelled_goes_to_the_cache),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
