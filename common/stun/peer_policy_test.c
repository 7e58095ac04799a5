/* SPDX-License-Identifier: Apache-2.0
 *
 * Every spelling of an address that a relay must not reach, and what an operator may allow. */
#include "common/stun/peer_policy.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct peer_policy policy;

/* As it would come in XOR-PEER-ADDRESS: IPv6 text has family IPv6, mapped ones too. */
static struct stun_address parse(const char *text, uint16_t port)
{
	struct stun_address a = { .addr = { .ip = { [10] = 0xff, [11] = 0xff }, .port = port } };

	if (inet_pton(AF_INET, text, a.addr.ip + 12) == 1)
		a.family = STUN_FAMILY_V4;
	else if (inet_pton(AF_INET6, text, a.addr.ip) == 1)
		a.family = STUN_FAMILY_V6;
	else
		fail_msg("%s", text);
	return a;
}

static struct cidr network(const char *text)
{
	struct cidr c;

	assert_int_equal(cidr_parse(text, &c, NULL), 0);
	return c;
}

static void expect(const char *text, enum peer_verdict want)
{
	struct stun_address a = parse(text, 4000);

	for (int with_port = 0; with_port < 2; with_port++) {
		enum peer_verdict got = peer_policy_check(&policy, &a, with_port);

		if (got != want)
			fail_msg("%s is %s, not %s", text, peer_verdict_name(got), peer_verdict_name(want));
	}
}

static const char *const disguised[] = {
	"::ffff:127.0.0.1", "::ffff:10.0.0.1",  "::ffff:8.8.8.8",     "::127.0.0.1",   "::10.1.2.3",    "::2",
	"64:ff9b::7f00:1",  "64:ff9b::808:808", "64:ff9b:1::a00:1",   "2002:7f00:1::", "2002:a00:1::1", "2002:808:808::1",
	"2001:0:7f00:1::1", "2001::ffff:ffff",  "::ffff:0:127.0.0.1",
};
static const char *const private_ones[] = {
	"127.0.0.1", "10.0.0.1", "172.16.0.1",    "192.168.1.1", "169.254.169.254", "100.64.0.1",  "192.0.2.1", "198.18.0.1",
	"::1",       "fe80::1",  "fd00:ec2::254", "fc00::1",     "fec0::1",         "2001:db8::1", "100::1",
};
static const char *const nobody[] = { "0.0.0.0",         "0.1.2.3", "224.0.0.1", "239.255.255.255", "240.0.0.1",
	                              "255.255.255.255", "::",      "ff02::1",   "ff0e::1" };
static const char *const public_ones[] = { "8.8.8.8", "1.1.1.1", "2606:4700::1111", "2a00:1450:4001::1" };

static void expect_all(const char *const *list, size_t n, enum peer_verdict want)
{
	for (size_t i = 0; i < n; i++)
		expect(list[i], want);
}
#define COUNT(list) (sizeof(list) / sizeof(*(list)))

static void test_default(void **state)
{
	(void)state;
	policy = (struct peer_policy){ 0 };
	expect_all(disguised, COUNT(disguised), PEER_DISGUISED);
	expect_all(private_ones, COUNT(private_ones), PEER_PRIVATE);
	expect_all(nobody, COUNT(nobody), PEER_UNSPECIFIED);
	expect_all(public_ones, COUNT(public_ones), PEER_ALLOWED);
}

/* Allowing a network allows none of its disguises. */
static void test_allowed(void **state)
{
	struct cidr allow[] = { network("127.0.0.0/8"), network("fd00::/8") };

	(void)state;
	policy = (struct peer_policy){ .allow = allow, .allow_count = 2 };
	expect("127.0.0.1", PEER_ALLOWED);
	expect("fd00:ec2::254", PEER_ALLOWED);
	expect("10.0.0.1", PEER_PRIVATE);
	expect_all(disguised, COUNT(disguised), PEER_DISGUISED);
	expect_all(nobody, COUNT(nobody), PEER_UNSPECIFIED);
}

static void test_denied(void **state)
{
	struct cidr allow[] = { network("8.8.8.8") }, deny[] = { network("8.8.0.0/16"), network("2606:4700::/32") };

	(void)state;
	policy = (struct peer_policy){ .allow = allow, .allow_count = 1, .deny = deny, .deny_count = 2 };
	expect("8.8.8.8", PEER_ALLOWED);
	expect("8.8.4.4", PEER_DENIED);
	expect("2606:4700::1111", PEER_DENIED);
	expect("1.1.1.1", PEER_ALLOWED);
}

static bool only_5000(const struct net_addr *a, void *ctx)
{
	(void)ctx;
	return a->port == 5000;
}

static void test_own(void **state)
{
	struct net_addr own[] = { parse("127.0.0.1", 3478).addr, parse("9.9.9.9", 3478).addr }, relays[] = { parse("9.9.9.9", 0).addr },
	                machine[] = { parse("9.9.9.9", 0).addr, parse("9.9.9.10", 0).addr };
	struct cidr allow[] = { network("127.0.0.0/8") };
	struct stun_address a = parse("127.0.0.1", 3478);

	(void)state;
	policy = (struct peer_policy){ .allow = allow,
		                       .allow_count = 1,
		                       .own = own,
		                       .own_count = 2,
		                       .relays = relays,
		                       .relay_count = 1,
		                       .is_relayed = only_5000,
		                       .machine = machine,
		                       .machine_count = 2 };
	/* Our own port, though its network is allowed. */
	assert_int_equal(peer_policy_check(&policy, &a, true), PEER_OWN);
	a.addr.port = 3479;
	assert_int_equal(peer_policy_check(&policy, &a, true), PEER_ALLOWED);
	/* Another client's relayed address, and nothing else that listens there. */
	a = parse("9.9.9.9", 5000);
	assert_int_equal(peer_policy_check(&policy, &a, true), PEER_ALLOWED);
	assert_int_equal(peer_policy_check(&policy, &a, false), PEER_ALLOWED);
	a.addr.port = 22;
	assert_int_equal(peer_policy_check(&policy, &a, true), PEER_OWN);
	a.addr.port = 3478;
	assert_int_equal(peer_policy_check(&policy, &a, true), PEER_OWN);
	/* Another address of the machine, though it is public. */
	expect("9.9.9.10", PEER_OWN);
}

static void test_no_address(void **state)
{
	struct stun_address a = parse("8.8.8.8", 0);

	(void)state;
	policy = (struct peer_policy){ 0 };
	assert_int_equal(peer_policy_check(&policy, &a, true), PEER_UNSPECIFIED);
	assert_int_equal(peer_policy_check(&policy, &a, false), PEER_ALLOWED);
	a.family = 0;
	assert_int_equal(peer_policy_check(&policy, &a, false), PEER_NO_ADDRESS);
}

static void test_what_may_be_allowed(void **state)
{
	static const char *const good[] = { "127.0.0.0/8", "10.0.0.0/8", "192.168.1.7", "fc00::/7", "::1", "2001:db8::/32", "8.0.0.0/8" };
	static const char *const bad[] = { "0.0.0.0/0",       "::/0",      "0.0.0.0/8", "10.0.0.0/7",    "224.0.0.0/8",
		                           "255.255.255.255", "::",        "ff02::/16", "::ffff:0:0/96", "64:ff9b::/96",
		                           "2002::/16",       "2001::/32", "8000::/1",  "::10.0.0.1" };
	struct err e;

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		struct cidr c = network(good[i]);

		if (peer_policy_check_allow(&c, &e) != 0)
			fail_msg("%s: %s", good[i], e.text);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct cidr c = network(bad[i]);

		if (peer_policy_check_allow(&c, &e) == 0)
			fail_msg("%s may be allowed", bad[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default), cmocka_unit_test(test_allowed),    cmocka_unit_test(test_denied),
		cmocka_unit_test(test_own),     cmocka_unit_test(test_no_address), cmocka_unit_test(test_what_may_be_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
