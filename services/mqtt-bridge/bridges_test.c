/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/mqtt/mqtt.h"
#include "services/mqtt-bridge/bridges.h"

static struct bridge_config config = {
	.address = (char *)"127.0.0.1:8883",
	.name = (char *)"",
	.user = (char *)"romeo",
	.password_file = (char *)"/p",
	.trust = (char *)"/ca.pem",
	.tls = true,
};

static struct bridges *parse(const char *text, struct err *e)
{
	return bridges_parse(str_from(text), "/etc/starling", &config, "example.org", e);
}

static void test_all_words(void **state)
{
	static const char text[] = "# links\n"
	                           "\n"
	                           "bridge office\r\n"
	                           "  address mqtt.example.net:8883 [2001:db8::1]:1883\n"
	                           "  protocol 3.1.1\n"
	                           "  client-id me\n"
	                           "  user u secrets/u\n"
	                           "  local-user v /secrets/v\n"
	                           "  tls ca.pem broker.example.net\n"
	                           "  certificate own.pem\n"
	                           "  keepalive 30\n"
	                           "  state bridges/office\n"
	                           "  topic a/# out 1\n"
	                           "  topic + both 2 \"\" x/\n"
	                           "bridge other\n"
	                           "\taddress localhost:1883\n"
	                           "\ttopic # in 0 far/\n";
	struct bridges *b;
	struct err e;

	(void)state;
	unsetenv("STARLING_PORT_OFFSET");
	b = parse(text, &e);
	assert_non_null(b);
	assert_int_equal(b->count, 2);
	assert_string_equal(b->items[0].name, "office");
	assert_string_equal(b->items[0].state_topic, "bridges/office");
	const struct mqtt_party *p = &b->items[0].remote;
	assert_int_equal(p->address_count, 2);
	assert_string_equal(p->addresses[0].host, "mqtt.example.net");
	assert_int_equal(p->addresses[1].port, 1883);
	assert_int_equal(p->version, MQTT_3_1_1);
	assert_string_equal(p->id, "me");
	assert_string_equal(p->user, "u");
	assert_string_equal(p->password_file, "/etc/starling/secrets/u");
	assert_true(p->tls && p->verify);
	assert_string_equal(p->trust, "/etc/starling/ca.pem");
	assert_string_equal(p->name, "broker.example.net");
	assert_string_equal(p->certificate, "/etc/starling/own.pem");
	assert_int_equal(p->keep_alive_s, 30);
	assert_string_equal(b->items[0].ours.user, "v");
	assert_string_equal(b->items[0].ours.password_file, "/secrets/v");
	assert_string_equal(b->items[0].rules.items[1].prefixes[WAY_OUT], "");
	assert_string_equal(b->items[0].rules.items[1].from[WAY_IN], "x/+");
	assert_int_equal(b->items[1].remote.version, MQTT_5);
	assert_string_equal(b->items[1].remote.id, "example.org.other");
	assert_string_equal(b->items[1].ours.id, "example.org.other");
	assert_string_equal(b->items[1].ours.user, "romeo");
	assert_string_equal(b->items[1].ours.name, "example.org");
	assert_false(b->items[1].remote.tls);
	bridges_free(&b);
	setenv("STARLING_PORT_OFFSET", "1000", 1);
	b = parse(text, &e);
	assert_int_equal(b->items[0].ours.addresses[0].port, 9883);
	bridges_free(&b);
	unsetenv("STARLING_PORT_OFFSET");
}

#define BEGIN "bridge a\naddress h:1\n"

static void test_refused(void **state)
{
	static const char *const rows[][2] = {
		{ "", "there is no bridge in it" },
		{ "address h:1\n", "line 1: the first line is bridge NAME" },
		{ "bridge\n", "line 1: bridge NAME is wanted" },
		{ "bridge a/b\n", "line 1: bridge NAME is wanted" },
		{ "bridge a b\n", "line 1: bridge NAME is wanted" },
		{ "bridge a\ntopic x in 1\n", "bridge a has no address" },
		{ BEGIN, "bridge a has no topic" },
		{ BEGIN "topic x in 1\nbridge a\n", "line 4: a bridge of this name was there before" },
		{ BEGIN "bridge b\n", "bridge a has no topic" },
		{ "bridge a\naddress h\n", "line 2: \"h\": HOST:PORT is wanted" },
		{ "bridge a\naddress h:0\n", "line 2: \"h:0\": HOST:PORT is wanted" },
		{ "bridge a\naddress h:65536\n", "line 2: \"h:65536\": HOST:PORT is wanted" },
		{ "bridge a\naddress h:1x\n", "line 2: \"h:1x\": HOST:PORT is wanted" },
		{ "bridge a\naddress :1\n", "line 2: \":1\": a host name" },
		{ "bridge a\naddress h:1 h:1 h:1 h:1 h:1 h:1 h:1 h:1 h:1\n", "line 2: address HOST:PORT" },
		{ BEGIN "protocol 4\n", "line 3: the protocol is 5 or 3.1.1" },
		{ BEGIN "user u\n", "line 3: user NAME PASSWORD-FILE" },
		{ BEGIN "keepalive 4\n", "line 3: keepalive is a number" },
		{ BEGIN "keepalive x\n", "line 3: keepalive is a number" },
		{ BEGIN "state a/#\n", "line 3: state needs the name of a topic" },
		{ BEGIN "topic x in 3\n", "line 3: a topic's QoS is 0, 1 or 2" },
		{ BEGIN "topic x away 1\n", "line 3: a topic's direction is out, in or both" },
		{ BEGIN "topic x in\n", "line 3: topic FILTER" },
		{ BEGIN "topic x/#/y in 1\n", "line 3: that is no topic filter" },
		{ BEGIN "topic # in 1 a\n", "line 3: prefix and filter together are no topic filter" },
		{ BEGIN "tls unverified name\n", "line 3: a name is not looked at" },
		{ BEGIN "certificate own.pem\ntopic x in 1\n", "bridge a has a certificate, and no tls" },
		{ BEGIN "colour blue\n", "line 3: unknown word 'colour'" },
		{ BEGIN "topic \xff in 1\n", "line 3: not UTF-8" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct err e = { "" };

		assert_null(parse(rows[i][0], &e));
		if (strncmp(e.text, rows[i][1], strlen(rows[i][1])) != 0)
			assert_string_equal(e.text, rows[i][1]);
	}
}

/* Files that are not there, or hold nothing. */
static void test_files(void **state)
{
	struct bridge_config c = config;
	struct mqtt_party p = { .password_file = mem_strdup("/nonexistent/password") };
	struct err e;

	(void)state;
	c.bridges = (char *)"/nonexistent/bridges";
	assert_null(bridges_load(&c, "example.org", &e));
	assert_string_equal(e.text, "services.mqtt-bridge: /nonexistent/bridges: No such file or directory");
	assert_int_equal(mqtt_party_load(&p, &e), -1);
	assert_string_equal(e.text, "/nonexistent/password: No such file or directory");
	mqtt_party_fini(&p);
	p.password_file = mem_strdup("/dev/null");
	assert_int_equal(mqtt_party_load(&p, &e), -1);
	assert_string_equal(e.text, "/dev/null: a password of 1 to 65535 bytes is wanted");
	mqtt_party_fini(&p);
	p.tls = true;
	p.certificate = mem_strdup("/etc/own.crt");
	assert_int_equal(mqtt_party_load(&p, &e), -1);
	assert_string_equal(e.text, "/etc/own.crt: a file NAME.pem is wanted, with NAME.key beside it");
	mqtt_party_fini(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_words),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
