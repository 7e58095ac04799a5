/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/unacked.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "services/session-manager/kept.h"

static uint64_t shown[64];
static uint32_t shown_count;

static void show(const struct unacked_entry *e, void *ctx)
{
	(void)ctx;
	shown[shown_count++ % 64] = e->log_id;
}

static int reset(void **state)
{
	(void)state;
	shown_count = 0;
	return 0;
}

static void numbers_count_what_was_sent(void **state)
{
	struct unacked u = { 0 };

	(void)state;
	for (uint64_t id = 1; id <= 10; id++)
		unacked_push(&u, id, 0, NULL, true);
	assert_int_equal(unacked_sent(&u), 10);
	unacked_ack(&u, 4, show, NULL);
	assert_int_equal(shown_count, 4);
	assert_int_equal(shown[3], 4);
	assert_int_equal(u.acked, 4);
	assert_int_equal(unacked_sent(&u), 10);
	/* An old number changes nothing, one that was never sent takes what was. */
	unacked_ack(&u, 2, show, NULL);
	assert_int_equal(u.acked, 4);
	unacked_ack(&u, 99, show, NULL);
	assert_int_equal(u.acked, 10);
	assert_null(u.ring);
}

static void nothing_overtakes_what_waits(void **state)
{
	struct unacked u = { 0 };

	(void)state;
	unacked_push(&u, 1, 0, NULL, true);
	unacked_push(&u, 2, 0, NULL, false);
	unacked_push(&u, 3, 0, NULL, true);
	assert_int_equal(u.sent, 1);
	assert_true(unacked_waiting(&u));
	unacked_ack(&u, 3, show, NULL);
	assert_int_equal(u.count, 2);
	unacked_clear(&u, show, NULL);
	assert_int_equal(shown_count, 3);
}

static void a_rewind_sends_again_what_did_not_arrive(void **state)
{
	struct unacked u = { 0 };

	(void)state;
	for (uint64_t id = 1; id <= 5; id++)
		unacked_push(&u, id, 0, NULL, true);
	unacked_ack(&u, 1, NULL, NULL);
	unacked_rewind(&u, 3);
	assert_int_equal(unacked_sent(&u), 3);
	assert_int_equal(unacked_at(&u, u.sent)->log_id, 4);
	unacked_rewind(&u, 0);
	assert_int_equal(unacked_sent(&u), 1);
	unacked_clear(&u, NULL, NULL);
}

static void what_cannot_be_sent_leaves_a_number_free(void **state)
{
	struct unacked u = { 0 };

	(void)state;
	unacked_push(&u, 1, 0, NULL, true);
	unacked_push(&u, 2, 0, NULL, false);
	unacked_push(&u, 3, 0, NULL, false);
	unacked_skip(&u);
	assert_int_equal(u.count, 2);
	assert_int_equal(unacked_at(&u, 1)->log_id, 3);
	assert_false(unacked_has(&u, 2));
	assert_true(unacked_has(&u, 3));
	unacked_clear(&u, NULL, NULL);
}

static void copies_are_shared_and_let_go(void **state)
{
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;
	struct packet p = { .meta = &meta, .bytes = STR("<presence/>") };
	struct kept *k = kept_new(&p);
	struct unacked one = { 0 }, two = { 0 };

	(void)state;
	unacked_push(&one, 0, 0, kept_ref(k), true);
	unacked_push(&two, 0, 0, kept_ref(k), true);
	assert_int_equal(k->refs, 3);
	assert_int_equal(one.bytes, k->size);
	unacked_ack(&one, 1, NULL, NULL);
	assert_int_equal(one.bytes, 0);
	unacked_clear(&two, NULL, NULL);
	assert_int_equal(k->refs, 1);
	kept_unref(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(numbers_count_what_was_sent, reset),
		cmocka_unit_test_setup(nothing_overtakes_what_waits, reset),
		cmocka_unit_test_setup(a_rewind_sends_again_what_did_not_arrive, reset),
		cmocka_unit_test_setup(what_cannot_be_sent_leaves_a_number_free, reset),
		cmocka_unit_test_setup(copies_are_shared_and_let_go, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
