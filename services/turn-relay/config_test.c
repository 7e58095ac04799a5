/* SPDX-License-Identifier: Apache-2.0
 *
 * Which addresses a configuration means. */
#include "services/turn-relay/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "services/turn-relay/addresses.h"

#define LIST(...)                                                                                                                          \
	{                                                                                                                                  \
		.items = (char *[]){ __VA_ARGS__ }, .count = sizeof((char *[]){ __VA_ARGS__ }) / sizeof(char *)                            \
	}

static struct turn_config config(void)
{
	static char nothing[] = "";

	return (struct turn_config){ .discovery_address = nothing };
}

static const char *text(const struct net_addr *a)
{
	static char out[NET_ADDR_TEXT_MAX];

	return net_addr_text(a, out);
}

static void test_single_addresses(void **state)
{
	char a[] = "127.0.0.1", b[] = "::1", again[] = "127.0.0.1";
	struct turn_config c = config();
	struct turn_addresses all;
	struct err e = { "" };

	(void)state;
	c.addresses = (struct config_list)LIST(a, b, again);
	assert_int_equal(turn_addresses_find(&all, &c, &e), 0);
	assert_int_equal(all.listen_count, 2);
	/* Nothing but loopback: then peers see that. */
	assert_int_equal(all.relay_count, 2);
	assert_string_equal(text(&all.relay[0]), "127.0.0.1");
	assert_false(all.mapped || all.has_discovery);
}

static void test_wildcard_is_what_there_is(void **state)
{
	char any[] = "0.0.0.0";
	struct turn_config c = config();
	struct turn_addresses all;
	struct err e = { "" };
	bool loopback = false;

	(void)state;
	c.addresses = (struct config_list)LIST(any);
	assert_int_equal(turn_addresses_find(&all, &c, &e), 0);
	for (size_t i = 0; i < all.listen_count; i++) {
		assert_true(net_addr_is_v4(&all.listen[i]));
		assert_string_not_equal(text(&all.listen[i]), "0.0.0.0");
		loopback = loopback || strcmp(text(&all.listen[i]), "127.0.0.1") == 0;
	}
	assert_true(loopback);
	/* Loopback is for peers only when there is nothing else. */
	for (size_t i = 0; i < all.relay_count && all.listen_count > 1; i++)
		assert_string_not_equal(text(&all.relay[i]), "127.0.0.1");
}

static void test_mapping(void **state)
{
	char a[] = "127.0.0.1", map[] = "127.0.0.1=192.0.2.1";
	struct turn_config c = config();
	struct turn_addresses all;
	struct net_addr addr, other = { { [15] = 7 }, 5 };
	struct err e = { "" };

	(void)state;
	c.addresses = (struct config_list)LIST(a);
	c.external_addresses = (struct config_list)LIST(map);
	assert_int_equal(turn_addresses_find(&all, &c, &e), 0);
	assert_true(all.mapped);
	addr = all.relay[0];
	addr.port = 9;
	turn_addresses_tell(&all, &addr);
	assert_string_equal(text(&addr), "192.0.2.1");
	turn_addresses_localise(&all, &addr);
	assert_string_equal(text(&addr), "127.0.0.1");
	assert_int_equal(addr.port, 9);
	turn_addresses_tell(&all, &other);
	assert_string_equal(text(&other), "::7");
}

static void refuse(struct turn_config *c, const char *why)
{
	struct turn_addresses all;
	struct err e = { "" };

	assert_int_equal(turn_addresses_find(&all, c, &e), -1);
	if (!strstr(e.text, why))
		fail_msg("%s does not say %s", e.text, why);
}

static void test_refused(void **state)
{
	char a[] = "127.0.0.1", name[] = "localhost", any[] = "0.0.0.0", family[] = "127.0.0.1=::2", no_relay[] = "10.9.9.9=192.0.2.1",
	     half[] = "127.0.0.1", v6[] = "::1";
	struct turn_config c = config();

	(void)state;
	refuse(&c, "no address to listen on");
	c.addresses = (struct config_list)LIST(name);
	refuse(&c, "not a numeric");
	c.addresses = (struct config_list)LIST(a);
	c.relay_addresses = (struct config_list)LIST(any);
	refuse(&c, "a single address is wanted");
	c.relay_addresses = (struct config_list){ 0 };
	c.external_addresses = (struct config_list)LIST(family);
	refuse(&c, "of one family");
	c.external_addresses = (struct config_list)LIST(no_relay);
	refuse(&c, "no relay address");
	c.external_addresses = (struct config_list)LIST(half);
	refuse(&c, "LOCAL=EXTERNAL");
	c.external_addresses = (struct config_list){ 0 };
	c.discovery_address = a;
	refuse(&c, "must be another one");
	c.discovery_address = v6;
	refuse(&c, "of its family");
	c.addresses = (struct config_list)LIST(any);
	c.discovery_address = a;
	refuse(&c, "single addresses");
}

static void expect_alternate(const char *given, const char *ip, uint16_t port)
{
	char a[] = "127.0.0.1", it[64];
	struct turn_config c = config();
	struct turn_addresses all;
	struct err e = { "" };

	snprintf(it, sizeof(it), "%s", given);
	c.port = 3478;
	c.addresses = (struct config_list)LIST(a);
	c.alternates = (struct config_list)LIST(it);
	if (turn_addresses_find(&all, &c, &e) != 0) {
		if (ip)
			fail_msg("%s: %s", given, e.text);
		return;
	}
	if (!ip)
		fail_msg("%s is taken", given);
	for (int i = 0; i < 2; i++) {
		if (all.alternate[i].port == 0)
			continue;
		assert_string_equal(text(&all.alternate[i]), ip);
		assert_int_equal(all.alternate[i].port, port);
	}
}

static void test_alternates(void **state)
{
	static const char *const bad[] = { "",
		                           "relay.example",
		                           "192.0.2.1:",
		                           "192.0.2.1:0",
		                           "192.0.2.1:65536",
		                           "192.0.2.1:x",
		                           "192.0.2.1:1x",
		                           "[2001:db8::1",
		                           "[2001:db8::1]x",
		                           "[]:1" };

	(void)state;
	expect_alternate("192.0.2.1", "192.0.2.1", 3478);
	expect_alternate("192.0.2.1:99", "192.0.2.1", 99);
	expect_alternate("2001:db8::1", "2001:db8::1", 3478);
	expect_alternate("[2001:db8::1]", "2001:db8::1", 3478);
	expect_alternate("[2001:db8::1]:99", "2001:db8::1", 99);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		expect_alternate(bad[i], NULL, 0);
}

static void test_networks(void **state)
{
	char good[] = "10.0.0.0/8", wide[] = "0.0.0.0/0", slip[] = "10.0.0.1/8";
	struct config_list list = LIST(good);
	struct cidr out[TURN_NETWORKS_MAX];
	struct err e = { "" };

	(void)state;
	assert_int_equal(turn_config_networks(&list, out, true, &e), 1);
	list.items[0] = wide;
	assert_int_equal(turn_config_networks(&list, out, true, &e), -1);
	assert_non_null(strstr(e.text, "peers.allow: 0.0.0.0/0"));
	assert_int_equal(turn_config_networks(&list, out, false, &e), 1); /* all may be denied */
	list.items[0] = slip;
	assert_int_equal(turn_config_networks(&list, out, false, &e), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_single_addresses), cmocka_unit_test(test_wildcard_is_what_there_is),
		cmocka_unit_test(test_mapping),          cmocka_unit_test(test_refused),
		cmocka_unit_test(test_networks),         cmocka_unit_test(test_alternates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
