/* SPDX-License-Identifier: Apache-2.0 */
#include "common/dns/xmpp_resolve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/dns/server_for_test.h"

#define PATIENCE_MS 15000u
#define DIRECT      "_xmpps-server._tcp."
#define STARTTLS    "_xmpp-server._tcp."

static const struct test_record records[] = {
	/* Both kinds mixed, two families. */
	{ DIRECT "both.example", DNS_SRV, 60, "5 0 5270 one.example" },
	{ STARTTLS "both.example", DNS_SRV, 60, "1 0 5269 two.example" },
	{ STARTTLS "both.example", DNS_SRV, 60, "9 0 5269 one.example" },
	{ "one.example", DNS_A, 60, "192.0.2.1" },
	{ "one.example", DNS_A, 60, "192.0.2.11" },
	{ "one.example", DNS_A, 60, "192.0.2.111" },
	{ "one.example", DNS_AAAA, 60, "2001:db8::1" },
	{ "two.example", DNS_AAAA, 60, "2001:db8::2" },
	/* No SRV. */
	{ "plain.example", DNS_A, 60, "192.0.2.5" },
	{ "plain.example", DNS_AAAA, 60, "2001:db8::5" },
	{ "mail-only.example", TEST_CNAME, 60, "nothing.example" },
	{ "xn--bcher-kva.example", DNS_A, 60, "192.0.2.6" },
	/* Decidedly not there. */
	{ DIRECT "no.example", DNS_SRV, 60, "0 0 0 ." },
	{ STARTTLS "no.example", DNS_SRV, 60, "0 0 0 ." },
	{ "no.example", DNS_A, 60, "192.0.2.7" },
	{ DIRECT "no-direct.example", DNS_SRV, 60, "0 0 0 ." },
	{ STARTTLS "no-direct.example", DNS_SRV, 60, "0 0 5269 one.example" },
	{ DIRECT "only-no.example", DNS_SRV, 60, "0 0 0 ." },
	{ "only-no.example", DNS_A, 60, "192.0.2.8" },
	/* Targets that lead nowhere. */
	{ STARTTLS "lost.example", DNS_SRV, 60, "0 0 5269 nobody.example" },
	{ "lost.example", DNS_A, 60, "192.0.2.9" },
	{ STARTTLS "loop.example", DNS_SRV, 60, "0 0 5269 round.example" },
	{ "round.example", TEST_CNAME, 60, "and-round.example" },
	{ "and-round.example", TEST_CNAME, 60, "round.example" },
	{ STARTTLS "self.example", DNS_SRV, 60, "0 0 5269 " STARTTLS "self.example" },
	{ STARTTLS "half.example", DNS_SRV, 60, "0 0 5269 silent.example" },
	{ STARTTLS "half.example", DNS_SRV, 60, "1 0 5269 one.example" },
	{ "silent-srv.example", DNS_A, 60, "192.0.2.10" },
	{ "h0.example", DNS_A, 60, "192.0.2.12" },
};
static const struct test_rule rules[] = {
	{ "silent.example", SILENT },           { DIRECT "silent-srv.example", SILENT },  { STARTTLS "silent-srv.example", SILENT },
	{ DIRECT "dead.example", SILENT },      { STARTTLS "dead.example", SILENT },      { "dead.example", SILENT },
	{ DIRECT "huge.example", HUGE_ANSWER }, { STARTTLS "huge.example", HUGE_ANSWER },
};

static uv_loop_t uv;
static struct net_loop *loop;
static struct test_server server;
static struct dns *dns;
static struct xmpp_resolver resolver;
static unsigned answers;
static enum xmpp_found code;
static size_t count;
static bool overridden;
/* "host 192.0.2.1 5269 direct" each */
static char found[XMPP_ENDPOINTS_MAX][128];

static uint32_t least(void *ctx, uint32_t below)
{
	(void)ctx;
	(void)below;
	return 0;
}

static void on_found(const struct xmpp_endpoints *f, void *ctx)
{
	char text[NET_ADDR_TEXT_MAX];

	assert_ptr_equal(ctx, &answers);
	answers++;
	code = f->code;
	count = f->count;
	overridden = f->overridden;
	assert_int_equal(code == XMPP_FOUND, count > 0);
	for (size_t i = 0; i < count; i++)
		snprintf(found[i], sizeof(found[i]), "%s %s %u%s", f->list[i].host, net_addr_text(&f->list[i].addr, text),
		         f->list[i].addr.port, f->list[i].direct_tls ? " direct" : "");
}

static int set_up(void **state)
{
	struct dns_config config = { .timeout_ms = 5000, .tries = 1 };

	(void)state;
	assert_int_equal(uv_loop_init(&uv), 0);
	loop = net_loop_new(&uv);
	server = (struct test_server){ .records = records,
		                       .record_n = sizeof(records) / sizeof(records[0]),
		                       .rules = rules,
		                       .rule_n = sizeof(rules) / sizeof(rules[0]) };
	test_server_start(&server, &uv);
	config.servers = server.address;
	dns = dns_new(loop, &config, NULL);
	resolver = (struct xmpp_resolver){ .loop = loop, .dns = dns, .step_ms = 2000, .chance = least };
	answers = 0;
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

static enum xmpp_found resolve(const char *domain)
{
	unsigned before = answers;
	uint64_t began = clock_mono_ms();

	xmpp_resolve(&resolver, str_from(domain), on_found, &answers);
	assert_int_equal(answers, before);
	while (answers == before && clock_mono_ms() - began < PATIENCE_MS)
		uv_run(&uv, UV_RUN_ONCE);
	assert_int_equal(answers, before + 1);
	return code;
}

static void expect(size_t i, const char *endpoint)
{
	assert_true(i < count);
	assert_string_equal(found[i], endpoint);
}

static void test_both_kinds_in_turn(void **state)
{
	(void)state;
	assert_int_equal(resolve("both.example"), XMPP_FOUND);
	assert_int_equal(count, 9);
	expect(0, "two.example 2001:db8::2 5269");
	expect(1, "one.example 2001:db8::1 5270 direct");
	expect(2, "one.example 192.0.2.1 5270 direct");
	expect(3, "one.example 192.0.2.11 5270 direct");
	expect(4, "one.example 192.0.2.111 5270 direct");
	expect(5, "one.example 2001:db8::1 5269");
	expect(8, "one.example 192.0.2.111 5269");
}

static void test_without_srv(void **state)
{
	(void)state;
	assert_int_equal(resolve("Plain.example."), XMPP_FOUND);
	assert_int_equal(count, 2);
	expect(0, "plain.example 2001:db8::5 5269");
	expect(1, "plain.example 192.0.2.5 5269");
	assert_int_equal(resolve("B\xc3\xbc"
	                         "cher.example"),
	                 XMPP_FOUND);
	expect(0, "xn--bcher-kva.example 192.0.2.6 5269");
	assert_int_equal(resolve("unknown.example"), XMPP_NO_DOMAIN);
	assert_int_equal(resolve("mail-only.example"), XMPP_NO_SERVER);
}

static void test_decidedly_not(void **state)
{
	(void)state;
	assert_int_equal(resolve("no.example"), XMPP_NO_SERVER);
	assert_int_equal(resolve("only-no.example"), XMPP_NO_SERVER);
	assert_int_equal(resolve("no-direct.example"), XMPP_FOUND);
	expect(0, "one.example 2001:db8::1 5269");
}

static void test_targets_that_lead_nowhere(void **state)
{
	(void)state;
	assert_int_equal(resolve("lost.example"), XMPP_NO_SERVER);
	assert_int_equal(resolve("loop.example"), XMPP_NO_ANSWER);
	assert_int_equal(resolve("self.example"), XMPP_NO_SERVER);
}

static void test_silence(void **state)
{
	uint64_t began = clock_mono_ms();

	(void)state;
	resolver.step_ms = 300;
	/* One target's addresses do not come: the other's do. */
	assert_int_equal(resolve("half.example"), XMPP_FOUND);
	expect(0, "one.example 2001:db8::1 5269");
	/* RFC 6120 section 3.2.1, step 8: no answer about SRV, so the domain itself. */
	assert_int_equal(resolve("silent-srv.example"), XMPP_FOUND);
	expect(0, "silent-srv.example 192.0.2.10 5269");
	assert_int_equal(resolve("dead.example"), XMPP_NO_ANSWER);
	assert_true(clock_mono_ms() - began < 5000);
}

static void test_bounded(void **state)
{
	unsigned asked;

	(void)state;
	assert_int_equal(resolve("huge.example"), XMPP_FOUND);
	asked = server.asked;
	assert_true(asked <= 4 + 2 * SRV_TARGETS_MAX);
	expect(0, "h0.example 192.0.2.12 5269 direct");
	assert_int_equal(count, 2);
}

static void test_literals(void **state)
{
	(void)state;
	assert_int_equal(resolve("127.0.0.1"), XMPP_FOUND);
	assert_int_equal(count, 1);
	expect(0, "127.0.0.1 127.0.0.1 5269");
	assert_int_equal(resolve("[::1]"), XMPP_FOUND);
	expect(0, "[::1] ::1 5269");
	assert_int_equal(resolve("::1"), XMPP_BAD_DOMAIN);
	assert_int_equal(resolve("a..b"), XMPP_BAD_DOMAIN);
	assert_int_equal(resolve(""), XMPP_BAD_DOMAIN);
	assert_int_equal(server.asked, 0);
}

static void test_overrides(void **state)
{
	struct xmpp_override o[3];

	(void)state;
	assert_int_equal(xmpp_override_parse("plain.example=tls://one.example", &o[0], NULL), 0);
	assert_int_equal(xmpp_override_parse("both.example=[::1]:1", &o[1], NULL), 0);
	assert_int_equal(xmpp_override_parse("plain.example=127.0.0.1:2", &o[2], NULL), 0);
	resolver.overrides = o;
	resolver.override_count = 3;
	assert_int_equal(resolve("plain.example"), XMPP_FOUND);
	assert_int_equal(count, 5);
	expect(0, "one.example 2001:db8::1 5270 direct");
	expect(4, "127.0.0.1 127.0.0.1 2");
	assert_true(overridden);
	assert_int_equal(server.asked, 2);
	assert_int_equal(resolve("both.example"), XMPP_FOUND);
	expect(0, "[::1] ::1 1");
	assert_int_equal(server.asked, 2);
	assert_int_equal(resolve("one.example"), XMPP_FOUND);
	assert_false(overridden);
}

static void test_longest_domain(void **state)
{
	char name[DNS_NAME_MAX + 1] = "";

	(void)state;
	/* No room for "_xmpp-server._tcp." before it. */
	for (int i = 0; i < 127; i++)
		strcat(name, i ? ".a" : "a");
	assert_int_equal(resolve(name), XMPP_NO_DOMAIN);
	assert_int_equal(server.asked, 2);
}

static void test_cancel(void **state)
{
	struct xmpp_resolve *r[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		r[i] = xmpp_resolve(&resolver, STR("both.example"), on_found, &answers);
	xmpp_resolve_cancel(&r[0]);
	assert_null(r[0]);
	xmpp_resolve_cancel(&r[0]);
	while (server.asked == 0)
		uv_run(&uv, UV_RUN_ONCE);
	xmpp_resolve_cancel(&r[1]);
	while (answers == 0)
		uv_run(&uv, UV_RUN_ONCE);
	assert_int_equal(resolve("both.example"), XMPP_FOUND);
	assert_int_equal(answers, 2);
	/* What waits for the DNS when that goes ends. */
	r[0] = xmpp_resolve(&resolver, STR("dead.example"), on_found, &answers);
	unsigned asked = server.asked;
	while (server.asked == asked)
		uv_run(&uv, UV_RUN_ONCE);
	dns_free(&dns);
	assert_int_equal(answers, 3);
	assert_int_equal(code, XMPP_NO_ANSWER);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_both_kinds_in_turn),
		TEST(test_without_srv),
		TEST(test_decidedly_not),
		TEST(test_targets_that_lead_nowhere),
		TEST(test_silence),
		TEST(test_bounded),
		TEST(test_literals),
		TEST(test_overrides),
		TEST(test_longest_domain),
		TEST(test_cancel),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
