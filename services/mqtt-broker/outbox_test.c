/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-broker/outbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct mq_message *make(const char *payload)
{
	struct mqtt_message m = { .topic = STR("t"), .props_and_payload = str_from(payload) };

	return mq_message_new(&m, 0);
}

static void push(struct mq_outbox *o, const char *payload)
{
	struct mqtt_delivery d = { .qos = 1 };
	struct mq_message *m = make(payload);

	mq_outbox_push(o, o->next_seq++, m, &d, 1000);
	mq_message_unref(&m);
}

static void expect(struct mq_outbox *o, uint64_t seq)
{
	struct mqtt_delivery d = { 0 };
	const struct mq_item *item = mq_outbox_first(o, &d);

	if (seq == 0) {
		assert_null(item);
		return;
	}
	assert_non_null(item);
	assert_int_equal(item->seq, seq);
	mq_outbox_pop(o);
}

/* What the store has first waits for what was first. */
static void test_order(void **state)
{
	struct mq_outbox o = { .next_seq = 1 };

	(void)state;
	for (int i = 0; i < 10; i++)
		push(&o, "x");
	for (uint64_t seq = 10; seq >= 2; seq--)
		mq_outbox_settle(&o, seq, seq % 3 ? MQ_ITEM_READY : MQ_ITEM_VOID);
	expect(&o, 0);
	mq_outbox_settle(&o, 1, MQ_ITEM_READY);
	mq_outbox_settle(&o, 99, MQ_ITEM_READY); /* nobody's */
	for (uint64_t seq = 1; seq <= 10; seq++) {
		if (seq % 3 || seq == 1)
			expect(&o, seq);
	}
	expect(&o, 0);
	assert_null(o.items);
	assert_false(o.behind);
	mq_outbox_fini(&o);
}

static void test_identifiers(void **state)
{
	const uint32_t many[] = { 7, 8, 9 };
	struct mq_outbox o = { .next_seq = 1 };

	(void)state;
	for (uint32_t n = 0; n <= 3; n++) {
		struct mqtt_delivery d = { .qos = 2, .retain = n == 1, .subscription_ids = many, .subscription_id_count = n }, out = { 0 };

		mq_outbox_add(&o, n + 1, make("x"), &d);
		mq_outbox_first(&o, &out);
		assert_int_equal(out.qos, 2);
		assert_int_equal(out.retain, n == 1);
		assert_int_equal(out.subscription_id_count, n);
		assert_memory_equal(out.subscription_ids, many, n * sizeof(uint32_t));
		mq_outbox_pop(&o);
	}
	mq_outbox_fini(&o);
}

/* Above its bytes it keeps nothing, until all that it did not keep has been read. */
static void test_behind(void **state)
{
	static const char big[600] = { [0 ... 598] = 'x' };
	struct mqtt_delivery d = { .qos = 1 };
	struct mq_outbox o = { .next_seq = 1 };

	(void)state;
	for (int i = 0; i < 4; i++)
		push(&o, big);
	assert_true(o.behind);
	assert_int_equal(o.count, 2);
	for (uint64_t seq = 1; seq <= 2; seq++) {
		mq_outbox_settle(&o, seq, MQ_ITEM_READY);
		expect(&o, seq);
	}
	push(&o, "still");
	assert_int_equal(o.count, 0);
	assert_int_equal(o.read_to, 2);
	mq_outbox_add(&o, 3, make("3"), &d);
	mq_outbox_read(&o, 4);
	assert_true(o.behind);
	mq_outbox_add(&o, 5, NULL, &d);
	mq_outbox_read(&o, 5);
	assert_false(o.behind);
	push(&o, "6");
	mq_outbox_settle(&o, 6, MQ_ITEM_READY);
	expect(&o, 3);
	expect(&o, 5);
	expect(&o, 6);
	mq_outbox_fini(&o);
}

static void test_doubt(void **state)
{
	struct mq_outbox o = { .next_seq = 1 };

	(void)state;
	for (int i = 0; i < 5; i++)
		push(&o, "x");
	mq_outbox_doubt(&o, 3);
	assert_int_equal(o.count, 2);
	assert_int_equal(o.read_to, 2);
	assert_true(o.behind);
	mq_outbox_doubt(&o, 4); /* is read anyway */
	assert_int_equal(o.read_to, 2);
	mq_outbox_doubt(&o, 1);
	assert_int_equal(o.read_to, 0);
	mq_outbox_rewind(&o);
	assert_true(o.behind);
	mq_outbox_fini(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_identifiers),
		cmocka_unit_test(test_behind),
		cmocka_unit_test(test_doubt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
