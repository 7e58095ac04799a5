/* SPDX-License-Identifier: Apache-2.0
 *
 * relay and client against scripts of what two brokers say: which packet leads to which at which side. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "common/mqtt/mqtt_for_test.h"
#include "services/mqtt-bridge/relay.h"

#define OURS   WAY_OUT
#define REMOTE WAY_IN

struct test_side {
	struct fixture *f;
	unsigned side;
	struct mqtt_client client;
	struct buf out;
};

struct fixture {
	struct rules rules;
	struct test_side sides[WAYS];
	struct relay relay;
	struct relay_counts counts;
	char failed[100], refused_filter[100];
	unsigned reason;
};

static void on_connected(struct mqtt_client *c, void *ctx)
{
	(void)c;
	(void)ctx;
}

static void on_refused(struct mqtt_client *c, enum mqtt_reason reason, struct str text, void *ctx)
{
	struct test_side *s = ctx;

	(void)c;
	(void)text;
	s->f->reason = reason;
}

static void on_publish(struct mqtt_client *c, const struct mqtt_publish *p, void *ctx)
{
	struct test_side *s = ctx;

	(void)c;
	relay_publish(&s->f->relay, s->side, p);
}

static void on_ack(struct mqtt_client *c, enum mqtt_type type, const struct mqtt_ack *a, void *ctx)
{
	struct test_side *s = ctx;

	(void)c;
	relay_ack(&s->f->relay, s->side, type, a);
}

static void on_suback(struct mqtt_client *c, const struct mqtt_suback *a, void *ctx)
{
	struct test_side *s = ctx;

	(void)c;
	relay_suback(&s->f->relay, s->side, a);
}

static void on_broken(struct mqtt_client *c, const char *why, void *ctx)
{
	struct test_side *s = ctx;

	(void)c;
	snprintf(s->f->failed, sizeof(s->f->failed), "%s", why);
}

static struct buf *output(struct mqtt_client *c, void *ctx)
{
	(void)c;
	return &((struct test_side *)ctx)->out;
}

static const struct mqtt_client_events mqtt_client_events = { on_connected, on_refused, on_publish, on_ack, on_suback, on_broken, output };

static void on_failed(unsigned side, const char *why, void *ctx)
{
	struct fixture *f = ctx;

	snprintf(f->failed, sizeof(f->failed), "%u: %s", side, why);
}

static void on_filter_refused(unsigned side, const char *filter, unsigned reason, void *ctx)
{
	struct fixture *f = ctx;

	snprintf(f->refused_filter, sizeof(f->refused_filter), "%u %s %02X", side, filter, reason);
}

static void on_subscribed(unsigned side, void *ctx)
{
	(void)side;
	(void)ctx;
}

static const struct relay_events relay_events = { on_failed, on_filter_refused, on_subscribed };

/* As packet_text, with | between packets. */
static void packets_text(struct buf *out, const char *text)
{
	char one[300];

	while (*text) {
		size_t n = strcspn(text, "|");

		snprintf(one, sizeof(one), "%.*s", (int)n, text);
		packet_text(out, one);
		text += n + (text[n] == '|');
	}
}

/* What the broker of that side sends. */
static void says(struct fixture *f, unsigned side, const char *text)
{
	struct buf b = { 0 };

	packets_text(&b, text);
	mqtt_client_input(&f->sides[side].client, b.p, b.n);
	buf_fini(&b);
}

/* What it has been sent since. */
static void got(struct fixture *f, unsigned side, const char *text)
{
	struct buf b = { 0 };
	struct buf *out = &f->sides[side].out;

	packets_text(&b, text);
	assert_int_equal(out->n - out->start, b.n);
	assert_memory_equal(out->p ? out->p + out->start : "", b.p ? b.p : "", b.n);
	buf_clear(out);
	buf_fini(&b);
}

static void connect_side(struct fixture *f, unsigned side, unsigned version, const char *connack)
{
	struct test_side *s = &f->sides[side];
	struct mqtt_client_wish wish = { .version = (uint8_t)version, .id = STR("b"), .receive_max = 10, .state_topic = str_make("", 0) };

	s->f = f;
	s->side = side;
	mqtt_client_init(&s->client, &mqtt_client_events, s);
	assert_true(mqtt_client_connect(&s->client, &wish));
	buf_clear(&s->out);
	says(f, side, connack);
	assert_int_equal(s->client.state, MQTT_CLIENT_LIVE);
}

/* Topics below t/ go both ways, below r/ at the remote side. Ours speaks 5.0. */
static void start(struct fixture *f, unsigned version, const char *ours, const char *remote)
{
	static const bool both[WAYS] = { true, true };

	*f = (struct fixture){ 0 };
	assert_null(rules_add(&f->rules, STR("#"), both, 2, STR("t/"), STR("r/")));
	connect_side(f, OURS, MQTT_5, ours);
	connect_side(f, REMOTE, version, remote);
	relay_init(&f->relay, &f->rules, &f->sides[OURS].client, &f->sides[REMOTE].client, &relay_events, f, &f->counts, 1000);
}

static void subscribed(struct fixture *f, unsigned version)
{
	relay_start(&f->relay);
	got(f, OURS, "82 . FFFF () s't/#' 1E");
	got(f, REMOTE, version == MQTT_5 ? "82 . FFFF () s'r/#' 1E" : "82 . FFFF s'r/#' 02");
	says(f, OURS, "90 . FFFF () 02");
	says(f, REMOTE, version == MQTT_5 ? "90 . FFFF () 02" : "90 . FFFF 02");
	assert_string_equal(f->failed, "");
}

static void up(struct fixture *f, unsigned version)
{
	start(f, version, "20 . 00 00 ()", version == MQTT_5 ? "20 . 00 00 ()" : "20 02 00 00");
	subscribed(f, version);
}

static void end(struct fixture *f)
{
	relay_fini(&f->relay);
	rules_fini(&f->rules);
	for (unsigned s = 0; s < WAYS; s++) {
		mqtt_client_fini(&f->sides[s].client);
		buf_fini(&f->sides[s].out);
	}
}

static void test_connect(void **state)
{
	struct fixture f = { 0 };
	struct test_side *s = &f.sides[OURS];
	struct mqtt_client_wish wish = {
		.version = MQTT_5, .id = STR("b"), .user = STR("u"), .password = STR("p"), .keep_alive_s = 60, .receive_max = 10
	};

	(void)state;
	s->f = &f;
	wish.state_topic = STR("s");
	mqtt_client_init(&s->client, &mqtt_client_events, s);
	assert_true(mqtt_client_connect(&s->client, &wish));
	got(&f, OURS, "10 . s'MQTT' 05 E4 003C (11 FFFFFFFF 21 000A 27 01000000) s'b' () s's' s'0' s'u' s'p'");
	says(&f, OURS, "20 . 00 87 ()");
	assert_int_equal(f.reason, MQTT_NOT_AUTHORIZED);
	mqtt_client_fini(&s->client);
	wish.version = MQTT_3_1_1;
	wish.bridge = true;
	wish.state_topic = str_make("", 0);
	mqtt_client_init(&s->client, &mqtt_client_events, s);
	assert_true(mqtt_client_connect(&s->client, &wish));
	got(&f, OURS, "10 . s'MQTT' 84 C0 003C s'b' s'u' s'p'");
	mqtt_client_fini(&s->client);
	buf_fini(&s->out);
}

static void test_qos_1(void **state)
{
	struct fixture f;

	(void)state;
	up(&f, MQTT_5);
	says(&f, OURS, "32 . s't/a' 0007 () 'x'");
	got(&f, OURS, "");
	got(&f, REMOTE, "32 . s'r/a' 0007 () 'x'");
	assert_int_equal(relay_unacknowledged(&f.relay), 1);
	/* 0x10 is a server's word. */
	says(&f, REMOTE, "40 . 0007 10");
	got(&f, OURS, "40 02 0007");
	got(&f, REMOTE, "");
	assert_int_equal(relay_unacknowledged(&f.relay), 0);
	/* And back, with an identifier that is in use the other way. */
	says(&f, OURS, "32 . s't/a' 0007 () 'x'");
	says(&f, REMOTE, "33 . s'r/b' 0007 () 'y'");
	got(&f, OURS, "33 . s't/b' 0007 () 'y'");
	says(&f, OURS, "40 02 0007");
	got(&f, REMOTE, "32 . s'r/a' 0007 () 'x' | 40 02 0007");
	assert_int_equal(f.counts.passed[WAY_OUT], 2);
	assert_int_equal(f.counts.passed[WAY_IN], 1);
	end(&f);
}

static void test_qos_2(void **state)
{
	struct fixture f;

	(void)state;
	up(&f, MQTT_3_1_1);
	says(&f, OURS, "34 . s't/a' 0001 () 'x'");
	got(&f, REMOTE, "34 . s'r/a' 0001 'x'");
	says(&f, REMOTE, "50 02 0001");
	got(&f, OURS, "50 02 0001");
	says(&f, OURS, "62 02 0001");
	got(&f, REMOTE, "62 02 0001");
	got(&f, OURS, "");
	says(&f, REMOTE, "70 02 0001");
	got(&f, OURS, "70 02 0001");
	assert_int_equal(relay_unacknowledged(&f.relay), 0);
	assert_string_equal(f.failed, "");
	end(&f);
}

/* A bridge that was killed in the middle: both sessions are there, and what is sent again goes under the same identifier, as DUP. */
static void test_resumed(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, MQTT_3_1_1, "20 . 01 00 ()", "20 02 01 00");
	subscribed(&f, MQTT_3_1_1);
	says(&f, OURS, "3C . s't/a' 0001 () 'x'");
	got(&f, REMOTE, "3C . s'r/a' 0001 'x'");
	says(&f, REMOTE, "50 02 0001");
	got(&f, OURS, "50 02 0001");
	says(&f, OURS, "62 02 0002");
	got(&f, REMOTE, "62 02 0002");
	says(&f, REMOTE, "70 02 0002");
	got(&f, OURS, "70 02 0002");
	assert_int_equal(relay_unacknowledged(&f.relay), 1);
	end(&f);
}

/* Our broker's session is new and gives its identifiers anew: what the remote one has under them is released first. */
static void test_one_session_lost(void **state)
{
	struct fixture f;
	struct buf *out;

	(void)state;
	start(&f, MQTT_3_1_1, "20 . 00 00 ()", "20 02 01 00");
	relay_start(&f.relay);
	got(&f, OURS, "82 . FFFF () s't/#' 1E");
	out = &f.sides[REMOTE].out;
	assert_true(out->n - out->start > 4 * 65535u);
	assert_memory_equal(out->p + out->start, "\x62\x02\x00\x01\x62\x02\x00\x02", 8);
	buf_clear(out);
	says(&f, OURS, "34 . s't/a' 0001 () 'x'");
	/* The answer to that, before the one to the message. */
	says(&f, REMOTE, "70 02 0001 | 90 . FFFF 02 | 50 02 0001");
	got(&f, OURS, "50 02 0001");
	assert_string_equal(f.failed, "");
	end(&f);
}

static void test_window(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, MQTT_5, "20 . 00 00 ()", "20 . 00 00 (21 0001)");
	subscribed(&f, MQTT_5);
	says(&f, OURS, "32 . s't/a' 0001 () 'x' | 34 . s't/b' 0002 () 'y' | 32 . s't/c' 0003 () 'z'");
	assert_int_equal(relay_unacknowledged(&f.relay), 3);
	got(&f, REMOTE, "32 . s'r/a' 0001 () 'x'");
	says(&f, REMOTE, "40 02 0001");
	got(&f, REMOTE, "34 . s'r/b' 0002 () 'y'");
	says(&f, REMOTE, "50 02 0002");
	says(&f, OURS, "62 02 0002");
	got(&f, REMOTE, "62 02 0002");
	says(&f, REMOTE, "70 02 0002");
	got(&f, REMOTE, "32 . s'r/c' 0003 () 'z'");
	got(&f, OURS, "40 02 0001 50 02 0002 70 02 0002");
	/* A refusal frees its place as well. */
	says(&f, OURS, "34 . s't/d' 0004 () 'd'");
	says(&f, REMOTE, "40 . 0003 97");
	got(&f, OURS, "40 . 0003 97");
	says(&f, REMOTE, "50 . 0004 87");
	got(&f, OURS, "50 . 0004 87");
	assert_int_equal(f.counts.refused, 2);
	assert_int_equal(relay_unacknowledged(&f.relay), 0);
	end(&f);
}

/* A broker that takes QoS 1 at most, or 0. */
static void test_lowered(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, MQTT_5, "20 . 00 00 ()", "20 . 00 00 (24 01)");
	subscribed(&f, MQTT_5);
	says(&f, OURS, "34 . s't/a' 0001 () 'x'");
	got(&f, REMOTE, "32 . s'r/a' 0001 () 'x'");
	got(&f, OURS, "");
	says(&f, REMOTE, "40 02 0001");
	got(&f, OURS, "50 02 0001");
	says(&f, OURS, "62 02 0001");
	got(&f, OURS, "70 02 0001");
	got(&f, REMOTE, "");
	end(&f);
	start(&f, MQTT_5, "20 . 00 00 ()", "20 . 00 00 (24 00)");
	subscribed(&f, MQTT_5);
	says(&f, OURS, "32 . s't/a' 0001 () 'x'");
	got(&f, REMOTE, "30 . s'r/a' () 'x'");
	got(&f, OURS, "40 02 0001");
	end(&f);
}

/* What cannot go on is acknowledged, or its session would bring it again and again. */
static void test_dropped(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, MQTT_5, "20 . 00 00 ()", "20 . 00 00 (27 00000014)");
	relay_start(&f.relay);
	buf_clear(&f.sides[OURS].out);
	says(&f, OURS, "32 . s'elsewhere' 0001 () 'x' | 34 . s'elsewhere' 0002 () 'x' | 32 . s't/a' 0003 () 'a long long text'");
	got(&f, OURS, "40 02 0001 50 02 0002 40 02 0003");
	got(&f, REMOTE, "82 . FFFF () s'r/#' 1E");
	says(&f, OURS, "62 02 0002");
	got(&f, REMOTE, "62 02 0002");
	says(&f, REMOTE, "70 . 0002 92");
	got(&f, OURS, "70 02 0002");
	assert_int_equal(f.counts.no_rule, 2);
	assert_int_equal(f.counts.too_large, 1);
	end(&f);
}

/* Of a slow broker's output QoS 0 is what is left out. */
static void test_slow(void **state)
{
	struct fixture f;

	(void)state;
	up(&f, MQTT_5);
	for (unsigned i = 0; i < 200; i++)
		says(&f, OURS, "30 . s't/a' () 'x'");
	assert_true(f.counts.slow > 0 && f.counts.slow + f.counts.passed[WAY_OUT] == 200);
	assert_true(f.sides[REMOTE].out.n < 1100);
	/* Others wait, the first one aside: nothing would tell when they may go. */
	says(&f, OURS, "32 . s't/a' 0001 () 'x'");
	says(&f, OURS, "32 . s't/b' 0002 () 'x'");
	buf_clear(&f.sides[REMOTE].out);
	says(&f, REMOTE, "40 02 0001");
	got(&f, REMOTE, "32 . s'r/b' 0002 () 'x'");
	end(&f);
}

static void test_properties(void **state)
{
	struct fixture f;

	(void)state;
	up(&f, MQTT_5);
	says(&f, OURS, "31 . s't/a' (0B 05 02 00000009 08 s't/answer' 26 s'k' s'v') 'x'");
	got(&f, REMOTE, "31 . s'r/a' (02 00000009 08 s'r/answer' 26 s'k' s'v') 'x'");
	says(&f, OURS, "30 . s't/a' (08 s'elsewhere') 'x'");
	got(&f, REMOTE, "30 . s'r/a' (08 s'elsewhere') 'x'");
	end(&f);
}

static void test_subscription_refused(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, MQTT_3_1_1, "20 . 00 00 ()", "20 02 00 00");
	relay_start(&f.relay);
	says(&f, REMOTE, "90 . FFFF 80");
	assert_string_equal(f.refused_filter, "1 r/# 80");
	assert_string_equal(f.failed, "");
	end(&f);
}

/* Brokers that break the rules. */
static void test_refused(void **state)
{
	static const struct {
		unsigned side;
		const char *text, *want;
	} rows[] = {
		{ REMOTE, "40 02 0005", "1: an acknowledgement that nothing waits for" },
		{ REMOTE, "50 02 0005", "1: an acknowledgement that nothing waits for" },
		{ OURS, "32 . s't/a' 0005 () 'x' | 32 . s't/b' 0005 () 'x'", "0: a packet identifier that is in use" },
		{ OURS, "34 . s't/a' 0005 () 'x' | 62 02 0005", "0: PUBREL for a message that was not received" },
		{ REMOTE, "90 . FFFF () 02", "1: SUBACK that nothing waits for" },
		{ REMOTE, "20 . 00 00 ()", "a packet that is out of place" },
		{ REMOTE, "C0 00", "a packet that is out of place" },
		{ REMOTE, "E0 . 8B", "disconnected: Server shutting down" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fixture f;

		up(&f, MQTT_5);
		says(&f, rows[i].side, rows[i].text);
		assert_string_equal(f.failed, rows[i].want);
		end(&f);
	}
}

/* What comes behind CONNACK waits until the other side is there, and then is not lost; a packet may come in pieces. */
static void test_held_and_in_pieces(void **state)
{
	struct fixture f;

	(void)state;
	up(&f, MQTT_5);
	mqtt_client_hold(&f.sides[OURS].client);
	says(&f, OURS, "32 . s't/a' 0001 () 'x'");
	says(&f, OURS, "32");
	got(&f, REMOTE, "");
	mqtt_client_release(&f.sides[OURS].client);
	got(&f, REMOTE, "32 . s'r/a' 0001 () 'x'");
	says(&f, OURS, "09 0003 't/b'");
	says(&f, OURS, "0002 00");
	got(&f, REMOTE, "");
	says(&f, OURS, "'y' 30");
	got(&f, REMOTE, "32 . s'r/b' 0002 () 'y'");
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connect),
		cmocka_unit_test(test_qos_1),
		cmocka_unit_test(test_qos_2),
		cmocka_unit_test(test_resumed),
		cmocka_unit_test(test_one_session_lost),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_lowered),
		cmocka_unit_test(test_dropped),
		cmocka_unit_test(test_slow),
		cmocka_unit_test(test_properties),
		cmocka_unit_test(test_subscription_refused),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_held_and_in_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
