/* SPDX-License-Identifier: Apache-2.0
 *
 * MQTT's sessions against a real PostgreSQL: the brokers that live divide what a dead one had; a former owner's writes are awaited, and later ones refused. */
#include "common/base/hash.h"
#include "services/storage/store_mqtt_calls.h"

#define C 3u

static struct answer adopt_call(struct fixture *f, uint64_t instance, uint64_t *alive, size_t n_alive, const char *after, uint32_t limit)
{
	Starling__MqttAdoptRequest r = STARLING__MQTT_ADOPT_REQUEST__INIT;
	uint32_t slots[SLOT_COUNT];

	for (uint32_t i = 0; i < SLOT_COUNT; i++)
		slots[i] = i;
	r.slots = slots;
	r.n_slots = SLOT_COUNT;
	r.instance = instance;
	r.alive = alive;
	r.n_alive = n_alive;
	r.after = (char *)after;
	r.limit = limit;
	return fixture_call(f, METHOD_STORAGE_MQTT_ADOPT, &r, STR(""));
}

/* How many of all pages; each later in the order of names than the one before. */
static size_t adopt_all(struct fixture *f, uint64_t instance, uint64_t *alive, size_t n_alive, uint32_t limit)
{
	char *after = mem_zalloc(66000);
	size_t total = 0;
	bool complete;

	do {
		struct answer a = adopt_call(f, instance, alive, n_alive, after, limit);
		const Starling__MqttAdoptReply *r = (const Starling__MqttAdoptReply *)a.reply;

		assert_int_equal(a.code, OK);
		assert_true(r->n_sessions <= limit && (r->complete || r->n_sessions > 0));
		for (size_t i = 0; i < r->n_sessions; i++) {
			assert_true(strcmp(r->sessions[i]->name, after) > 0);
			snprintf(after, 66000, "%s", r->sessions[i]->name);
		}
		total += r->n_sessions;
		complete = r->complete;
		answer_free(&a);
	} while (!complete);
	mem_free(after);
	return total;
}

static void fresh(struct fixture *f)
{
	fixture_sql(f, "TRUNCATE mqtt_session");
}

static void test_adopt(void **state)
{
	struct fixture *f = *state;
	struct opening o = {
		.name = "adopt.example/1", .user = "u@adopt.example", .expiry_s = 77, .will = "adopt.example/will", .will_delay_s = 3
	};
	const Starling__MqttAdoptReply *r;
	Starling__MqttFence one, two, three;
	const Starling__MqttSession *s;
	struct answer a;

	fresh(f);
	one = open_ok(f, &o, false);
	two = open_ok(f, &(struct opening){ .name = "adopt.example/2", .instance = B }, false);
	three = open_new(f, "adopt.example/3");
	assert_int_equal(close_call(f, three, false), OK);
	assert_int_equal(subscribe_call(f, one, "a/+", 1, 9, NULL), OK);
	assert_int_equal(queue_call(f, &(struct queued){ .fence = one, .seq = 41 }), STORED);
	assert_int_equal(receive_call(f, one, 12, NULL), OK);
	/* B is alive, C comes; A is dead, and the third is nobody's. */
	a = adopt_call(f, C, (uint64_t[]){ B, C }, 2, "", 500);
	assert_int_equal(a.code, OK);
	r = (const Starling__MqttAdoptReply *)a.reply;
	assert_true(r->n_sessions == 2 && r->complete);
	s = r->sessions[0];
	assert_string_equal(s->name, o.name);
	assert_string_equal(s->user, o.user);
	assert_true(s->fence->session == one.session && s->fence->epoch == one.epoch + 1);
	assert_true(s->version == 5 && s->expiry_s == 77 && s->next_seq == 42 && s->queued == 1 && s->will_delay_s == 3);
	assert_string_equal(s->will->topic, o.will);
	assert_int_equal(s->n_subscriptions, 1);
	assert_string_equal(s->subscriptions[0]->filter, "a/+");
	assert_true(s->subscriptions[0]->options == 1 && s->subscriptions[0]->identifier == 9);
	assert_true(s->n_received == 1 && s->received[0] == 12);
	assert_string_equal(r->sessions[1]->name, "adopt.example/3");
	assert_true(!r->sessions[1]->will && r->sessions[1]->next_seq == 1);
	answer_free(&a);
	assert_int_equal(queue_call(f, &(struct queued){ .fence = one, .seq = 42 }), FENCED_OUT);
	assert_int_equal(queue_call(f, &(struct queued){ .fence = two, .seq = 1 }), STORED);
	one.epoch++;
	assert_int_equal(queue_call(f, &(struct queued){ .fence = one, .seq = 42 }), STORED);
	/* Repeated: what it has already, under the same epoch, unless it says that it is alive itself. */
	assert_int_equal(adopt_all(f, C, (uint64_t[]){ B }, 1, 1), 2);
	assert_int_equal(adopt_all(f, C, (uint64_t[]){ B, C }, 2, 500), 0);
	assert_int_equal(set_call(f, one, 5, 0), OK);
	o.instance = B;
	o.alive[0] = C;
	assert_int_equal(open_code(f, &o), EXISTS);
}

static void test_pages(void **state)
{
	struct fixture *f = *state;
	char name[32], *longest = mem_alloc(65801), sql[128];

	fresh(f);
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof name, "pages.example/%d", i);
		open_new(f, name);
	}
	/* Two of which an index has only the same beginning. */
	memset(longest, 'x', 65800);
	longest[65800] = '\0';
	open_new(f, longest);
	longest[65799] = 'y';
	open_new(f, longest);
	assert_int_equal(adopt_all(f, B, NULL, 0, 3), 22);
	assert_int_equal(adopt_all(f, A, (uint64_t[]){ B }, 1, 3), 0);
	/* A page ends early when it is full: the fixture's at 10000 bytes. */
	assert_int_equal(adopt_all(f, C, NULL, 0, 500), 22);
	assert_int_equal(open_code(f, &(struct opening){ .name = longest, .instance = A }), OK);
	snprintf(sql, sizeof sql, "SELECT count(*) FROM mqtt_session WHERE length(name) = 65800");
	assert_int_equal(fixture_sql(f, sql), 2);
	mem_free(longest);
}

/* Only of the slots that were named. */
static void test_slots(void **state)
{
	struct fixture *f = *state;
	Starling__MqttAdoptRequest r = STARLING__MQTT_ADOPT_REQUEST__INIT;
	Starling__MqttFence one, two;
	struct answer a;
	uint32_t slots[2];

	fresh(f);
	one = open_new(f, "slots.example/1");
	two = open_new(f, "slots.example/2");
	assert_true((one.session & 1023) != (two.session & 1023));
	slots[0] = slots[1] = two.session & 1023;
	r.slots = slots;
	r.n_slots = 2;
	r.instance = B;
	r.limit = 10;
	a = fixture_call(f, METHOD_STORAGE_MQTT_ADOPT, &r, STR(""));
	assert_int_equal(((Starling__MqttAdoptReply *)a.reply)->n_sessions, 1);
	assert_true(((Starling__MqttAdoptReply *)a.reply)->sessions[0]->fence->session == two.session);
	answer_free(&a);
	assert_int_equal(set_call(f, one, 5, 0), OK);
	assert_int_equal(set_call(f, two, 5, 0), FENCED);
	r.n_slots = 0;
	a = fixture_call(f, METHOD_STORAGE_MQTT_ADOPT, &r, STR(""));
	assert_true(((Starling__MqttAdoptReply *)a.reply)->complete && ((Starling__MqttAdoptReply *)a.reply)->n_sessions == 0);
	answer_free(&a);
}

static void test_refusals(void **state)
{
	struct fixture *f = *state;
	Starling__MqttAdoptRequest r = STARLING__MQTT_ADOPT_REQUEST__INIT;
	Starling__MqttOpenRequest open = STARLING__MQTT_OPEN_REQUEST__INIT;
	Starling__MqttSession session = STARLING__MQTT_SESSION__INIT;
	Starling__MqttMessage will = mqtt_message("", 0);
	uint32_t slots[1025] = { 1024 };
	uint64_t alive[1025] = { 0 };
	char *overlong = mem_alloc(65802);

	r.slots = slots;
	r.n_slots = 1;
	r.instance = B;
	r.limit = 1;
	assert_int_equal(fixture_code(f, METHOD_STORAGE_MQTT_ADOPT, &r), INVALID);
	slots[0] = 0;
	r.n_slots = 1025;
	assert_int_equal(fixture_code(f, METHOD_STORAGE_MQTT_ADOPT, &r), INVALID);
	r.n_slots = 1;
	r.limit = 0;
	assert_int_equal(fixture_code(f, METHOD_STORAGE_MQTT_ADOPT, &r), INVALID);
	r.limit = 501;
	assert_int_equal(fixture_code(f, METHOD_STORAGE_MQTT_ADOPT, &r), INVALID);
	r.limit = 1;
	r.instance = 0;
	assert_int_equal(fixture_code(f, METHOD_STORAGE_MQTT_ADOPT, &r), INVALID);
	r.instance = B;
	r.alive = alive;
	r.n_alive = 1025;
	assert_int_equal(fixture_code(f, METHOD_STORAGE_MQTT_ADOPT, &r), INVALID);
	/* Opening. */
	memset(overlong, 'x', 65801);
	overlong[65801] = '\0';
	assert_int_equal(open_code(f, &(struct opening){ .name = "" }), INVALID);
	assert_int_equal(open_code(f, &(struct opening){ .name = "bad\xff" }), INVALID);
	assert_int_equal(open_code(f, &(struct opening){ .name = overlong }), INVALID);
	assert_int_equal(open_code(f, &(struct opening){ .name = "h/x", .will = "" }), INVALID);
	assert_int_equal(open_code(f, &(struct opening){ .name = "h/x", .user = "bad\xff" }), INVALID);
	overlong[2048] = '\0';
	assert_int_equal(open_code(f, &(struct opening){ .name = "h/x", .user = overlong }), INVALID);
	overlong[2047] = '\0';
	assert_int_equal(open_code(f, &(struct opening){ .name = "h/x", .user = overlong }), OK);
	assert_int_equal(fixture_code(f, METHOD_STORAGE_MQTT_OPEN, &open), INVALID);
	session.name = (char *)"h/y";
	open.session = &session;
	assert_int_equal(fixture_code(f, METHOD_STORAGE_MQTT_OPEN, &open), INVALID);
	open.instance = A;
	session.version = 256;
	assert_int_equal(fixture_code(f, METHOD_STORAGE_MQTT_OPEN, &open), INVALID);
	session.version = 4;
	open.alive = alive;
	open.n_alive = 1025;
	assert_int_equal(fixture_code(f, METHOD_STORAGE_MQTT_OPEN, &open), INVALID);
	open.n_alive = 0;
	will.topic = (char *)"t";
	will.payload = (ProtobufCBinaryData){ 1 << 20, mem_zalloc(1 << 20) };
	session.will = &will;
	assert_int_equal(fixture_code(f, METHOD_STORAGE_MQTT_OPEN, &open), INVALID);
	will.payload.len -= 100;
	assert_int_equal(fixture_code(f, METHOD_STORAGE_MQTT_OPEN, &open), OK);
	mem_free(will.payload.data);
	mem_free(overlong);
}

/* Whether the loop, turned for a while, brings the answer. */
static bool answered_soon(struct fixture *f, const struct answer *a)
{
	fixture_run_ms(f, 150);
	return a->done;
}

/* A write under the former epoch has begun: adopting and opening wait for it, other writers of the same kind do not. */
static void test_awaited(void **state)
{
	struct fixture *f = *state;
	Starling__MqttFence fence;
	Starling__MqttAdoptRequest r = STARLING__MQTT_ADOPT_REQUEST__INIT;
	const Starling__MqttAdoptReply *reply;
	struct answer a, q;
	char sql[200];
	uint32_t slot;

	fresh(f);
	fence = open_new(f, "awaited.example/dev");
	slot = fence.session & 1023;
	snprintf(sql, sizeof sql,
	         "BEGIN; SELECT pg_advisory_xact_lock_shared(1398031705, %u); INSERT INTO mqtt_queue VALUES (%llu, 7, 0, 0, 1, NULL, '')",
	         slot, (unsigned long long)fence.session);
	fixture_sql(f, sql);
	queue_send(f, &(struct queued){ .fence = fence, .seq = 6 }, &q);
	assert_int_equal(queue_end(f, &q), STORED);
	r.slots = &slot;
	r.n_slots = 1;
	r.instance = B;
	r.limit = 10;
	fixture_send(f, METHOD_STORAGE_MQTT_ADOPT, &r, STR(""), &a);
	assert_false(answered_soon(f, &a));
	fixture_sql(f, "COMMIT");
	assert_true(fixture_until(f, &a.done));
	reply = (const Starling__MqttAdoptReply *)a.reply;
	assert_int_equal(reply->n_sessions, 1);
	assert_true(reply->sessions[0]->next_seq == 8 && reply->sessions[0]->queued == 2);
	answer_free(&a);
	assert_int_equal(queue_call(f, &(struct queued){ .fence = fence, .seq = 8 }), FENCED_OUT);
}

/* What another instance of storage has not committed yet is found by who asks for it. */
static void test_again_waits(void **state)
{
	struct fixture *f = *state;
	Starling__MqttFence fence = open_new(f, "waits.example/dev");
	struct answer a;
	char sql[200];

	snprintf(sql, sizeof sql,
	         "BEGIN; SELECT pg_advisory_xact_lock_shared(1398031705, %u); INSERT INTO mqtt_queue VALUES (%llu, 7, 5, 5, 1, NULL, '')",
	         (uint32_t)(fence.session & 1023), (unsigned long long)fence.session);
	fixture_sql(f, sql);
	queue_send(f, &(struct queued){ .fence = fence, .seq = 8, .origin = 5, .number = 5, .again = true }, &a);
	assert_false(answered_soon(f, &a));
	fixture_sql(f, "COMMIT");
	assert_int_equal(queue_end(f, &a), DUPLICATE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_adopt),    cmocka_unit_test(test_pages),   cmocka_unit_test(test_slots),
		cmocka_unit_test(test_refusals), cmocka_unit_test(test_awaited), cmocka_unit_test(test_again_waits),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
