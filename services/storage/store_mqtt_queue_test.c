/* SPDX-License-Identifier: Apache-2.0
 *
 * MQTT's queues against a real PostgreSQL: what waits for a session, what is done. */
#include "services/storage/store_mqtt_calls.h"

#define MANY 300

static void test_queue(void **state)
{
	struct fixture *f = *state;
	Starling__MqttFence one = open_new(f, "queue.example/1"), two = open_new(f, "queue.example/2");
	Starling__MqttQueueRequest r = STARLING__MQTT_QUEUE_REQUEST__INIT;
	Starling__MqttMessage m = mqtt_message("queue.example/t", 2);
	Starling__MqttQueued to[2] = { STARLING__MQTT_QUEUED__INIT, STARLING__MQTT_QUEUED__INIT }, *list[] = { &to[0], &to[1] };
	const Starling__MqttFetchReply *page;
	const Starling__MqttEntry *e;
	struct answer a;

	m.retain = true;
	m.properties = data("\x01\x01");
	m.expires_us = 1234567890123456;
	m.time_us = 1234567890123455;
	m.publisher = (char *)"queue.example/pub";
	to[0].fence = &one;
	to[0].seq = 7;
	to[0].qos = 2;
	to[0].retain = true;
	to[1].fence = &two;
	to[1].seq = UINT64_C(1) << 58;
	to[1].qos = 1;
	to[1].identifiers = (uint32_t[]){ 268435455, 1 };
	to[1].n_identifiers = 2;
	r.message = &m;
	r.to = list;
	r.n_to = 2;
	a = fixture_call(f, METHOD_STORAGE_MQTT_QUEUE, &r, STR("payload"));
	assert_int_equal(a.code, OK);
	assert_true(((Starling__MqttQueueReply *)a.reply)->n_fenced == 0 && ((Starling__MqttQueueReply *)a.reply)->n_duplicates == 0);
	answer_free(&a);
	page = fetch_call(f, one.session, 0, 10, &a);
	assert_true(page->complete && page->n_entries == 1);
	e = page->entries[0];
	assert_true(e->seq == 7 && e->qos == 2 && e->retain && !e->received && e->n_identifiers == 0);
	assert_string_equal(e->message->topic, "queue.example/t");
	assert_string_equal(e->message->publisher, "queue.example/pub");
	assert_true(data_is(e->message->payload, "payload") && data_is(e->message->properties, "\x01\x01"));
	assert_true(e->message->qos == 2 && e->message->retain && e->message->expires_us == 1234567890123456);
	assert_true(e->message->time_us == 1234567890123455);
	answer_free(&a);
	e = fetch_call(f, two.session, 0, 10, &a)->entries[0];
	assert_true(e->seq == UINT64_C(1) << 58 && e->qos == 1 && !e->retain && e->n_identifiers == 2);
	assert_true(e->identifiers[0] == 268435455 && e->identifiers[1] == 1);
	answer_free(&a);
	/* An empty payload is one, too. */
	assert_int_equal(queue_call(f, &(struct queued){ .fence = one, .seq = 8, .body = "" }), STORED);
	assert_int_equal(fetch_call(f, one.session, 7, 10, &a)->entries[0]->message->payload.len, 0);
	answer_free(&a);
}

/* Of several sessions those that are not the sender's get nothing, the others do. */
static void test_fenced(void **state)
{
	struct fixture *f = *state;
	Starling__MqttFence fences[4];
	Starling__MqttQueued to[4], *list[4];
	Starling__MqttQueueRequest r = STARLING__MQTT_QUEUE_REQUEST__INIT;
	Starling__MqttMessage m = mqtt_message("t", 1);
	const Starling__MqttQueueReply *reply;
	struct answer a;

	fences[0] = open_new(f, "fenced.example/1");
	fences[1] = open_new(f, "fenced.example/2");
	fences[2] = open_new(f, "fenced.example/3");
	fences[3] = mqtt_fence(fences[0].session + (UINT64_C(1) << 40), 1);
	fences[1].epoch++;
	for (int i = 0; i < 4; i++) {
		starling__mqtt_queued__init(&to[i]);
		to[i].fence = &fences[i];
		to[i].seq = 1;
		to[i].qos = 1;
		list[i] = &to[i];
	}
	r.message = &m;
	r.to = list;
	r.n_to = 4;
	a = fixture_call(f, METHOD_STORAGE_MQTT_QUEUE, &r, STR("x"));
	reply = (const Starling__MqttQueueReply *)a.reply;
	assert_int_equal(a.code, OK);
	assert_true(reply->n_fenced == 2 && reply->n_duplicates == 0);
	assert_true(reply->fenced[0] == fences[1].session && reply->fenced[1] == fences[3].session);
	answer_free(&a);
	assert_int_equal(waiting(f, fences[0].session), 1);
	assert_int_equal(waiting(f, fences[1].session), 0);
	assert_int_equal(waiting(f, fences[2].session), 1);
}

static void test_queue_refusals(void **state)
{
	struct fixture *f = *state;
	Starling__MqttFence fence = open_new(f, "refuse.example/q");
	Starling__MqttQueueRequest r = STARLING__MQTT_QUEUE_REQUEST__INIT;
	Starling__MqttMessage m = mqtt_message("t", 1);
	Starling__MqttQueued to = STARLING__MQTT_QUEUED__INIT, *list[1001];
	uint32_t identifiers[1001] = { 0 };
	char *overlong = mem_alloc(65802);

	for (int i = 0; i < 1001; i++)
		list[i] = &to;
	to.fence = &fence;
	to.seq = to.qos = 1;
	r.message = &m;
	r.to = list;
#define REFUSED(change, back)                                                                                                              \
	do {                                                                                                                               \
		change;                                                                                                                    \
		assert_int_equal(fixture_code(f, METHOD_STORAGE_MQTT_QUEUE, &r), INVALID);                                                 \
		back;                                                                                                                      \
	} while (0)
	REFUSED((void)0, r.n_to = 1001);
	REFUSED((void)0, r.n_to = 1);
	REFUSED(to.fence = NULL, to.fence = &fence);
	REFUSED(fence.epoch = 0, fence.epoch = 1);
	REFUSED(to.seq = 0, to.seq = UINT64_C(1) << 59);
	REFUSED((void)0, to.seq = 1);
	REFUSED(to.behind = 1, to.behind = 0);
	REFUSED(to.qos = 0, to.qos = 3);
	REFUSED((void)0, to.qos = 1);
	REFUSED((to.n_identifiers = 1001, to.identifiers = identifiers), to.n_identifiers = 0);
	REFUSED(r.message = NULL, r.message = &m);
	REFUSED(m.qos = 3, m.qos = 1);
	REFUSED(m.topic = (char *)"", m.topic = (char *)"bad\xff");
	REFUSED((void)0, m.topic = overlong);
	memset(overlong, 'x', 65801);
	overlong[65801] = '\0';
	REFUSED((void)0, m.topic = (char *)"t");
	REFUSED(m.payload = data("x"), m.payload.len = 0);
	assert_int_equal(waiting(f, fence.session), 0);
	assert_int_equal(fixture_code(f, METHOD_STORAGE_MQTT_QUEUE, &r), OK);
	/* The seq is there. */
	assert_int_equal(fixture_code(f, METHOD_STORAGE_MQTT_QUEUE, &r), EXISTS);
	overlong[65800] = '\0';
	m.topic = overlong;
	to.seq = 2;
	assert_int_equal(fixture_code(f, METHOD_STORAGE_MQTT_QUEUE, &r), OK);
	mem_free(overlong);
#undef REFUSED
}

static void test_pages(void **state)
{
	struct fixture *f = *state;
	Starling__MqttFence fence = open_new(f, "pages.example/dev");
	Starling__MqttFetchRequest bad = STARLING__MQTT_FETCH_REQUEST__INIT;
	const Starling__MqttFetchReply *r;
	struct answer a;
	char large[4001];

	for (uint64_t i = 1; i <= 7; i++)
		assert_int_equal(queue_call(f, &(struct queued){ .fence = fence, .seq = 10 * i }), STORED);
	r = fetch_call(f, fence.session, 0, 3, &a);
	assert_true(r->n_entries == 3 && !r->complete && r->entries[2]->seq == 30);
	answer_free(&a);
	r = fetch_call(f, fence.session, 30, 4, &a);
	assert_true(r->n_entries == 4 && r->complete && r->entries[0]->seq == 40);
	answer_free(&a);
	assert_true(fetch_call(f, fence.session, 70, 4, &a)->complete);
	answer_free(&a);
	/* The fixture's replies end beyond 10000 bytes. */
	memset(large, 'x', sizeof large - 1);
	large[sizeof large - 1] = '\0';
	for (uint64_t i = 71; i <= 75; i++)
		assert_int_equal(queue_call(f, &(struct queued){ .fence = fence, .seq = i, .body = large }), STORED);
	r = fetch_call(f, fence.session, 70, 500, &a);
	assert_true(r->n_entries == 3 && !r->complete);
	answer_free(&a);
	bad.session = fence.session;
	assert_int_equal(fixture_code(f, METHOD_STORAGE_MQTT_FETCH, &bad), INVALID);
	bad.limit = 501;
	assert_int_equal(fixture_code(f, METHOD_STORAGE_MQTT_FETCH, &bad), INVALID);
	bad.limit = 1;
	bad.session = 0;
	assert_int_equal(fixture_code(f, METHOD_STORAGE_MQTT_FETCH, &bad), INVALID);
	bad.session = UINT64_MAX;
	assert_int_equal(fixture_code(f, METHOD_STORAGE_MQTT_FETCH, &bad), INVALID);
}

static void test_done(void **state)
{
	struct fixture *f = *state;
	Starling__MqttFence fence = open_new(f, "done.example/dev"), other = open_new(f, "done.example/other"), old;
	struct opening again = { .name = "done.example/dev" };
	const Starling__MqttFetchReply *r;
	uint64_t many[1001] = { 0 };
	struct answer a;

	for (uint64_t i = 1; i <= 5; i++)
		assert_int_equal(queue_call(f, &(struct queued){ .fence = fence, .seq = i, .qos = i == 4 ? 2 : 1 }), STORED);
	assert_int_equal(queue_call(f, &(struct queued){ .fence = other, .seq = 2 }), STORED);
	assert_int_equal(done_call(f, fence, (uint64_t[]){ 2, 99, 2, UINT64_MAX }, 4, NULL, 0), OK);
	assert_int_equal(done_call(f, fence, (uint64_t[]){ 2 }, 1, NULL, 0), OK);
	assert_int_equal(waiting(f, fence.session), 4);
	assert_int_equal(waiting(f, other.session), 1);
	/* Received: only its name is left. Not for QoS 1. */
	assert_int_equal(done_call(f, fence, NULL, 0, (uint64_t[]){ 1, 4, 99 }, 3), OK);
	assert_int_equal(done_call(f, fence, NULL, 0, (uint64_t[]){ 4 }, 1), OK);
	r = fetch_call(f, fence.session, 0, 10, &a);
	assert_int_equal(r->n_entries, 4);
	assert_true(!r->entries[0]->received && r->entries[0]->message);
	assert_true(r->entries[2]->seq == 4 && r->entries[2]->received && !r->entries[2]->message && r->entries[2]->qos == 2);
	answer_free(&a);
	assert_int_equal(done_call(f, fence, (uint64_t[]){ 4, 5 }, 2, (uint64_t[]){ 4, 5 }, 2), OK);
	assert_int_equal(waiting(f, fence.session), 2);
	old = fence;
	fence = open_ok(f, &again, true);
	assert_int_equal(done_call(f, old, (uint64_t[]){ 1 }, 1, NULL, 0), FENCED);
	assert_int_equal(waiting(f, fence.session), 2);
	assert_int_equal(done_call(f, fence, many, 1001, NULL, 0), INVALID);
	assert_int_equal(done_call(f, fence, NULL, 0, many, 1001), INVALID);
	assert_int_equal(done_call(f, fence, many, 1000, NULL, 0), OK);
	assert_int_equal(done_call(f, mqtt_fence(0, 1), many, 1, NULL, 0), INVALID);
}

/* Received and done in one batch, in either order: done. */
static void test_done_wins(void **state)
{
	struct fixture *f = *state;
	Starling__MqttFence fence = open_new(f, "wins.example/dev");
	Starling__MqttDoneRequest done = STARLING__MQTT_DONE_REQUEST__INIT, received = STARLING__MQTT_DONE_REQUEST__INIT;
	struct answer a[4];

	for (uint64_t i = 1; i <= 2; i++)
		assert_int_equal(queue_call(f, &(struct queued){ .fence = fence, .seq = i, .qos = 2 }), STORED);
	done.fence = received.fence = &fence;
	for (uint64_t i = 1; i <= 2; i++) {
		done.done = received.received = &i;
		done.n_done = received.n_received = 1;
		fixture_send(f, METHOD_STORAGE_MQTT_DONE, i == 1 ? &done : &received, STR(""), &a[2 * i - 2]);
		fixture_send(f, METHOD_STORAGE_MQTT_DONE, i == 1 ? &received : &done, STR(""), &a[2 * i - 1]);
	}
	for (int i = 0; i < 4; i++) {
		assert_true(fixture_until(f, &a[i].done));
		assert_int_equal(a[i].code, OK);
		answer_free(&a[i]);
	}
	assert_int_equal(waiting(f, fence.session), 0);
}

/* Many for several sessions, over several batches, and what of them is done in the same batches. */
static void test_together(void **state)
{
	struct fixture *f = *state;
	Starling__MqttFence fences[3] = { open_new(f, "together.example/1"), open_new(f, "together.example/2"),
		                          open_new(f, "together.example/3") };
	struct answer *a = mem_zalloc(MANY * sizeof *a), *d = mem_zalloc(MANY * sizeof *d), page;
	const Starling__MqttFetchReply *r;
	char body[16];

	for (uint64_t i = 0; i < MANY; i++) {
		snprintf(body, sizeof body, "%d", (int)i);
		queue_send(f, &(struct queued){ .fence = fences[i % 3], .seq = i + 1, .body = body }, &a[i]);
		if (i % 40 == 0)
			uv_run(&f->loop, UV_RUN_NOWAIT);
	}
	for (int i = 0; i < MANY; i++)
		assert_int_equal(queue_end(f, &a[i]), STORED);
	for (uint64_t n = 0; n < 3; n++) {
		r = fetch_call(f, fences[n].session, 0, 500, &page);
		assert_int_equal(r->n_entries, MANY / 3);
		for (uint64_t i = 0; i < r->n_entries; i++) {
			snprintf(body, sizeof body, "%d", (int)(3 * i + n));
			assert_true(r->entries[i]->seq == 3 * i + n + 1);
			assert_true(data_is(r->entries[i]->message->payload, body));
		}
		answer_free(&page);
	}
	for (uint64_t i = 0; i < MANY; i++) {
		Starling__MqttDoneRequest done = STARLING__MQTT_DONE_REQUEST__INIT;
		uint64_t seq = i + 1;

		done.fence = &fences[i % 3];
		done.done = &seq;
		done.n_done = 1;
		fixture_send(f, METHOD_STORAGE_MQTT_DONE, &done, STR(""), &d[i]);
		queue_send(f, &(struct queued){ .fence = fences[i % 3], .seq = i + 1001, .body = "new" }, &a[i]);
	}
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(queue_end(f, &a[i]), STORED);
		assert_true(fixture_until(f, &d[i].done));
		assert_int_equal(d[i].code, OK);
		answer_free(&d[i]);
	}
	for (int n = 0; n < 3; n++) {
		r = fetch_call(f, fences[n].session, 0, 500, &page);
		assert_int_equal(r->n_entries, MANY / 3);
		assert_true(data_is(r->entries[0]->message->payload, "new"));
		answer_free(&page);
	}
	mem_free(a);
	mem_free(d);
}

/* A row stands behind the one that it is to be behind, or nowhere; and so do those behind it, in one batch or in several. */
static void test_behind(void **state)
{
	struct fixture *f = *state;
	Starling__MqttFence one = open_new(f, "behind.example/1"), two = open_new(f, "behind.example/2");
	struct queued together[] = {
		{ .fence = one, .seq = 4 },
		{ .fence = one, .seq = 5, .behind = 4 },
		{ .fence = one, .seq = 8, .behind = 7 },
		{ .fence = two, .seq = 8, .behind = 7 },
		{ .fence = one, .seq = 9, .behind = 8 },
		{ .fence = two, .seq = 1 },
		{ .fence = one, .seq = 6, .behind = 5 },
	};
	const enum stored want[] = { STORED, STORED, EARLY, EARLY, EARLY, STORED, STORED };
	struct answer a[7];

	assert_int_equal(queue_call(f, &(struct queued){ .fence = one, .seq = 2, .behind = 1 }), EARLY);
	assert_int_equal(queue_call(f, &(struct queued){ .fence = one, .seq = 2 }), STORED);
	assert_int_equal(queue_call(f, &(struct queued){ .fence = one, .seq = 3, .behind = 2 }), STORED);
	for (int i = 0; i < 7; i++)
		queue_send(f, &together[i], &a[i]);
	for (int i = 0; i < 7; i++)
		assert_int_equal(queue_end(f, &a[i]), want[i]);
	assert_int_equal(waiting(f, one.session), 5);
	assert_int_equal(waiting(f, two.session), 1);
	/* Another session's row of that number is none. */
	assert_int_equal(queue_call(f, &(struct queued){ .fence = two, .seq = 7, .behind = 6 }), EARLY);
	assert_int_equal(queue_call(f, &(struct queued){ .fence = one, .seq = 7, .behind = 6 }), STORED);
	assert_int_equal(queue_call(f, &(struct queued){ .fence = one, .seq = 8, .behind = 7 }), STORED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_queue),    cmocka_unit_test(test_fenced), cmocka_unit_test(test_queue_refusals),
		cmocka_unit_test(test_pages),    cmocka_unit_test(test_done),   cmocka_unit_test(test_done_wins),
		cmocka_unit_test(test_together), cmocka_unit_test(test_behind),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
