/* SPDX-License-Identifier: Apache-2.0
 *
 * MQTT's sessions against a real PostgreSQL: opening, closing, what is changed about them; who may write. */
#include "common/base/hash.h"
#include "services/storage/store_mqtt_calls.h"

static void test_open(void **state)
{
	struct fixture *f = *state;
	struct opening o = {
		.name = "open.example/dev", .user = "romeo@open.example", .expiry_s = 100, .will = "open.example/will", .will_delay_s = 7
	};
	Starling__MqttFence fence = open_ok(f, &o, false);
	const Starling__MqttSession *s;
	struct answer a;
	uint64_t hash = hash_fnv1a64(STR("open.example/dev"));

	assert_true(fence.epoch == 1);
	/* The whole name counts: sessions of one host are not all of one slot. */
	assert_int_equal(fence.session & 1023, (hash ^ hash >> 32) % 1024);
	/* Another broker: a new epoch. The former will comes back, the new one is stored. */
	o.instance = B;
	o.will = "open.example/other";
	o.expiry_s = 200;
	a = open_call(f, &o);
	assert_int_equal(a.code, OK);
	assert_true(((Starling__MqttOpenReply *)a.reply)->present);
	s = ((Starling__MqttOpenReply *)a.reply)->session;
	assert_true(s->fence->session == fence.session && s->fence->epoch == 2);
	assert_string_equal(s->will->topic, "open.example/will");
	assert_true(data_is(s->will->payload, "gone"));
	assert_int_equal(s->will_delay_s, 7);
	assert_string_equal(s->name, o.name);
	assert_string_equal(s->user, o.user);
	assert_int_equal(s->expiry_s, 200);
	assert_int_equal(s->version, 5);
	assert_int_equal(s->next_seq, 1);
	assert_true(s->queued == 0 && s->n_subscriptions == 0 && s->n_received == 0 && s->disconnected_us == 0);
	answer_free(&a);
	/* The same one, even if it says that it is alive: perhaps it does not know that it has it. A new epoch, and no will: it would be its own. */
	o.alive[0] = B;
	a = open_call(f, &o);
	assert_true(((Starling__MqttOpenReply *)a.reply)->present && !((Starling__MqttOpenReply *)a.reply)->session->will);
	assert_true(((Starling__MqttOpenReply *)a.reply)->session->fence->epoch == 3);
	answer_free(&a);
	o.instance = o.alive[0] = 0;
	a = open_call(f, &o);
	assert_string_equal(((Starling__MqttOpenReply *)a.reply)->session->will->topic, "open.example/other");
	answer_free(&a);
}

static void test_owner(void **state)
{
	struct fixture *f = *state;
	struct opening o = { .name = "owner.example/dev", .user = "u@owner.example" };
	Starling__MqttFence first = open_ok(f, &o, false), second;

	o.instance = B;
	o.alive[0] = B;
	o.alive[1] = A;
	assert_int_equal(open_code(f, &o), EXISTS);
	o.clean = true;
	assert_int_equal(open_code(f, &o), EXISTS);
	/* Another user has no business here, whoever lives. */
	o.user = "v@owner.example";
	assert_int_equal(open_code(f, &o), DENIED);
	o.alive[1] = 0;
	assert_int_equal(open_code(f, &o), DENIED);
	assert_int_equal(set_call(f, first, 5, 0), OK);
	/* A is dead. */
	o.user = "u@owner.example";
	o.clean = false;
	second = open_ok(f, &o, true);
	assert_true(second.session == first.session && second.epoch == first.epoch + 1);
	assert_int_equal(set_call(f, first, 5, 0), FENCED);
	assert_int_equal(set_call(f, second, 5, 0), OK);
	/* Let go, more than once; then it is anybody's. */
	assert_int_equal(close_call(f, first, false), FENCED);
	assert_int_equal(close_call(f, second, false), OK);
	assert_int_equal(close_call(f, second, false), OK);
	o.instance = 0;
	o.alive[0] = B;
	assert_true(open_ok(f, &o, true).epoch == 3);
}

static void test_clean(void **state)
{
	struct fixture *f = *state;
	struct opening o = { .name = "clean.example/dev", .will = "clean.example/will" };
	Starling__MqttFence old = open_ok(f, &o, false), new;
	struct answer a;
	const Starling__MqttOpenReply *r;
	uint64_t last;

	assert_int_equal(queue_call(f, &(struct queued){ .fence = old, .seq = 5 }), STORED);
	assert_int_equal(subscribe_call(f, old, "a/#", 1, 0, NULL), OK);
	assert_int_equal(receive_call(f, old, 9, NULL), OK);
	a = open_call(f, &o);
	r = (const Starling__MqttOpenReply *)a.reply;
	assert_true(r->present && r->session->next_seq == 6 && r->session->queued == 1 && r->session->n_subscriptions == 1);
	assert_int_equal(r->session->n_received, 1);
	assert_int_equal(r->session->received[0], 9);
	old.epoch = r->session->fence->epoch;
	answer_free(&a);
	o.clean = true;
	o.instance = B;
	a = open_call(f, &o);
	r = (const Starling__MqttOpenReply *)a.reply;
	assert_false(r->present);
	assert_true(r->session->next_seq == 1 && r->session->queued == 0 && r->session->n_subscriptions == 0 &&
	            r->session->n_received == 0);
	assert_string_equal(r->session->will->topic, "clean.example/will");
	new = mqtt_fence(r->session->fence->session, r->session->fence->epoch);
	answer_free(&a);
	assert_true(new.session != old.session);
	assert_int_equal(waiting(f, old.session), 0);
	assert_int_equal(queue_call(f, &(struct queued){ .fence = old, .seq = 6 }), FENCED_OUT);
	assert_int_equal(queue_call(f, &(struct queued){ .fence = new, .seq = 1 }), STORED);
	/* Ended, it is gone for every write. */
	assert_int_equal(close_call(f, new, true), OK);
	assert_int_equal(close_call(f, new, true), FENCED);
	assert_int_equal(set_call(f, new, 5, 0), FENCED);
	assert_int_equal(subscribe_call(f, new, "a", 0, 0, NULL), FENCED);
	assert_int_equal(receive_call(f, new, 1, NULL), FENCED);
	assert_int_equal(released_call(f, new, (uint32_t[]){ 1 }, 1), FENCED);
	assert_int_equal(done_call(f, new, (uint64_t[]){ 1 }, 1, NULL, 0), FENCED);
	assert_int_equal(waiting(f, new.session), 0);
	o.clean = false;
	last = open_ok(f, &o, false).session;
	assert_true(last != new.session &&last != old.session);
}

static void test_expiry(void **state)
{
	struct fixture *f = *state;
	struct opening o = { .name = "expiry.example/dev", .user = "u@expiry.example", .expiry_s = 10 };
	Starling__MqttFence fence = open_ok(f, &o, false);
	int64_t now = clock_wall_us();

	/* Not yet, never, then since a second. */
	assert_int_equal(set_call(f, fence, 10, now - 5000000), OK);
	fence = open_ok(f, &o, true);
	assert_int_equal(set_call(f, fence, UINT32_MAX, 1), OK);
	fence = open_ok(f, &o, true);
	assert_int_equal(set_call(f, fence, 10, now - 11000000), OK);
	assert_true(open_ok(f, &o, false).session != fence.session);
	/* Then it is nobody's, unless a living broker has it still. */
	o.user = "v@expiry.example";
	assert_int_equal(open_code(f, &o), DENIED);
	o.user = "u@expiry.example";
	fence = open_ok(f, &o, true);
	assert_int_equal(set_call(f, fence, 10, now - 11000000), OK);
	o.user = "v@expiry.example";
	o.instance = B;
	o.alive[0] = A;
	assert_int_equal(open_code(f, &o), EXISTS);
	o.alive[0] = 0;
	assert_true(open_ok(f, &o, false).session != fence.session);
}

static void test_set(void **state)
{
	struct fixture *f = *state;
	struct opening o = { .name = "set.example/dev", .instance = B };
	Starling__MqttFence fence = open_new(f, o.name);
	Starling__MqttSessionSetRequest r = STARLING__MQTT_SESSION_SET_REQUEST__INIT;
	Starling__MqttMessage will = mqtt_message("set.example/will", 2);
	const Starling__MqttSession *s;
	struct answer a;

	r.fence = &fence;
	r.expiry_s = UINT32_MAX;
	r.disconnected_us = 1234567890123456;
	r.will = &will;
	r.will_delay_s = UINT32_MAX;
	r.will_due_us = 1234567890123457;
	assert_int_equal(fixture_code(f, METHOD_STORAGE_MQTT_SESSION_SET, &r), OK);
	assert_int_equal(fixture_code(f, METHOD_STORAGE_MQTT_SESSION_SET, &r), OK);
	a = open_call(f, &o);
	s = ((Starling__MqttOpenReply *)a.reply)->session;
	assert_true(s->disconnected_us == 1234567890123456 && s->will_due_us == 1234567890123457 && s->will_delay_s == UINT32_MAX);
	assert_int_equal(s->will->qos, 2);
	assert_int_equal(s->will->payload.len, 0);
	answer_free(&a);
	/* By opening all that is over. */
	o.instance = A;
	a = open_call(f, &o);
	s = ((Starling__MqttOpenReply *)a.reply)->session;
	assert_true(s->disconnected_us == 0 && s->will_due_us == 0 && !s->will);
	answer_free(&a);
	r.disconnected_us = -1;
	assert_int_equal(fixture_code(f, METHOD_STORAGE_MQTT_SESSION_SET, &r), INVALID);
}

static void check_subscription(struct fixture *f, const struct opening *o, const char *filter, uint32_t options, uint32_t identifier)
{
	struct answer a = open_call(f, o);
	const Starling__MqttSession *s = ((Starling__MqttOpenReply *)a.reply)->session;
	bool found = false;

	for (size_t i = 0; i < s->n_subscriptions; i++)
		if (strcmp(s->subscriptions[i]->filter, filter) == 0) {
			found = true;
			assert_int_equal(s->subscriptions[i]->options, options);
			assert_int_equal(s->subscriptions[i]->identifier, identifier);
		}
	assert_int_equal(found, options != UINT32_MAX);
	answer_free(&a);
}

static void test_subscribe(void **state)
{
	struct fixture *f = *state;
	struct opening o = { .name = "subscribe.example/dev" };
	Starling__MqttFence fence = open_ok(f, &o, false);
	char *longest = mem_alloc(65536);

	memset(longest, 'x', 65535);
	longest[65535] = '\0';
	assert_int_equal(subscribe_call(f, fence, "$share/g/a/+", 0x2d, 268435455, NULL), OK);
	assert_int_equal(subscribe_call(f, fence, longest, 1, 0, NULL), OK);
	check_subscription(f, &o, "$share/g/a/+", 0x2d, 268435455);
	check_subscription(f, &o, longest, 1, 0);
	fence.epoch += 2;
	/* Replaced; taken away, and once more. */
	assert_int_equal(subscribe_call(f, fence, "$share/g/a/+", 2, 0, longest), OK);
	assert_int_equal(subscribe_call(f, fence, NULL, 0, 0, longest), OK);
	check_subscription(f, &o, "$share/g/a/+", 2, 0);
	check_subscription(f, &o, longest, UINT32_MAX, 0);
	fence.epoch += 2;
	/* Added and removed by one call: added. */
	assert_int_equal(subscribe_call(f, fence, "b", 1, 0, "b"), OK);
	check_subscription(f, &o, "b", 1, 0);
	mem_free(longest);
}

static int subscribe_many(struct fixture *f, Starling__MqttFence fence, size_t first, size_t n)
{
	Starling__MqttSubscribeRequest r = STARLING__MQTT_SUBSCRIBE_REQUEST__INIT;
	Starling__MqttSubscription *list = mem_alloc(n * sizeof *list);
	char(*filters)[16] = mem_alloc(n * sizeof *filters);
	int code;

	r.fence = &fence;
	r.add = mem_alloc(n * sizeof(Starling__MqttSubscription *));
	for (size_t i = 0; i < n; i++) {
		starling__mqtt_subscription__init(&list[i]);
		snprintf(filters[i], sizeof filters[i], "%zu", first + i);
		list[i].filter = filters[i];
		r.add[r.n_add++] = &list[i];
	}
	code = fixture_code(f, METHOD_STORAGE_MQTT_SUBSCRIBE, &r);
	mem_free(r.add);
	mem_free(list);
	mem_free(filters);
	return code;
}

static void test_subscription_limits(void **state)
{
	struct fixture *f = *state;
	Starling__MqttFence fence = open_new(f, "many.example/dev");
	char *long_filter = mem_alloc(65536);

	for (size_t i = 0; i < 10; i++)
		assert_int_equal(subscribe_many(f, fence, 1000 * i, 1000), OK);
	assert_int_equal(subscribe_many(f, fence, 10000, 1), LIMIT);
	/* Others in their place. */
	assert_int_equal(subscribe_many(f, fence, 9000, 1000), OK);
	assert_int_equal(subscribe_call(f, fence, "other", 0, 0, "1"), OK);
	assert_int_equal(subscribe_call(f, fence, "1", 0, 0, NULL), LIMIT);
	assert_int_equal(subscribe_many(f, fence, 0, 1001), INVALID);
	/* A MiB in all: sixteen of the longest, less one byte each. */
	fence = open_new(f, "bytes.example/dev");
	memset(long_filter, 'x', 65535);
	long_filter[65535] = '\0';
	for (int i = 0; i < 16; i++) {
		long_filter[0] = (char)('a' + i);
		assert_int_equal(subscribe_call(f, fence, long_filter, 0, 0, NULL), OK);
	}
	assert_int_equal(subscribe_call(f, fence, long_filter, 1, 0, NULL), OK);
	long_filter[0] = 'z';
	assert_int_equal(subscribe_call(f, fence, long_filter, 0, 0, NULL), LIMIT);
	mem_free(long_filter);
}

/* An account's sessions end with it, and nobody else's. */
static void test_account_deleted(void **state)
{
	struct fixture *f = *state;
	Starling__MqttFence his, hers, anybody;

	assert_int_equal(fixture_account(f, "romeo@gone.example"), OK);
	his = open_ok(f, &(struct opening){ .name = "gone.example/his", .user = "romeo@gone.example" }, false);
	hers = open_ok(f, &(struct opening){ .name = "gone.example/hers", .user = "juliet@gone.example" }, false);
	anybody = open_ok(f, &(struct opening){ .name = "gone.example/any" }, false);
	assert_int_equal(queue_call(f, &(struct queued){ .fence = his, .seq = 1 }), STORED);
	assert_int_equal(with_key(f, METHOD_STORAGE_ACCOUNT_DELETE, "romeo@gone.example"), OK);
	assert_int_equal(queue_call(f, &(struct queued){ .fence = his, .seq = 2 }), FENCED_OUT);
	assert_int_equal(waiting(f, his.session), 0);
	assert_int_equal(set_call(f, hers, 5, 0), OK);
	assert_int_equal(set_call(f, anybody, 5, 0), OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_subscribe),
		cmocka_unit_test(test_subscription_limits),
		cmocka_unit_test(test_account_deleted),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
