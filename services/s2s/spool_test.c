/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of stanzas on their way into the store when the store dies, hangs, or is another's: one row each, or none where it is not wanted any more,
 * in order; and each is accepted by its row or goes back to its sender's owner, never both. */
#include "common/base/rendezvous.h"
#include "services/s2s/fake_spool.h"

#define APPEND  METHOD_STORAGE_SPOOL_APPEND
#define CLAIM   METHOD_STORAGE_SPOOL_CLAIM
#define DOMAINS METHOD_STORAGE_SPOOL_DOMAINS
#define DONE    METHOD_STORAGE_SPOOL_DONE
#define FETCH   METHOD_STORAGE_SPOOL_FETCH
#define RELEASE METHOD_STORAGE_SPOOL_RELEASE

static struct s2s_slot *slot(void)
{
	return &fake.s2s.slots[hash_slot(STR(THERE))];
}

static void expect_rows(const char *bodies)
{
	char text[1024] = "";

	for (size_t i = 0; i < fake.row_count; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? " " : "", fake.rows[i].body);
	assert_string_equal(text, bodies);
}

/* --- fates -------------------------------------------------------------------------------------------------------- */

static void test_stored(void **state)
{
	struct ipc_call a, b;

	(void)state;
	route(&a, "a", 1, false);
	route(&b, "b", 2, false);
	assert_int_equal(waiting(APPEND), 0); /* a stream may come about */
	tick();
	assert_int_equal(waiting(APPEND), 2);
	serve_all();
	assert_true(a.code == 0 && b.code == 0);
	assert_int_equal(waiting(CLAIM), 0);
	expect_rows("a b");
}

/* Whether it was done, is done late, or never: under a higher epoch, by its key, one row. */
static void unknown_fate(enum fate fate, int code)
{
	struct ipc_call a;

	route(&a, "a", 1, false);
	tick();
	lose(APPEND, fate, code);
	assert_int_equal(a.code, -1);
	tick();
	assert_int_equal(waiting(APPEND), 0);
	assert_int_equal(waiting(CLAIM), 1);
	tick();
	assert_int_equal(waiting(CLAIM), 1); /* one at a time */
	serve(CLAIM);
	assert_int_equal(slot()->epoch, 6);
	do_late();
	tick();
	serve_all();
	assert_int_equal(a.code, 0);
	expect_rows("a");
	assert_int_equal(fake.link->unsure, 0);
}

static void test_unknown_fate(void **state)
{
	static const int codes[] = { CODE(TIMEOUT), CODE(PEER_LOST), CODE(UNAVAILABLE), CODE(INTERNAL) };

	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		for (enum fate fate = BEFORE; fate <= AFTER; fate++) {
			unknown_fate(fate, codes[i]);
			tear_down(state);
			set_up(state);
		}
	}
}

/* Nothing was done, and nothing will be. */
static void test_refused(void **state)
{
	struct ipc_call a;

	(void)state;
	route(&a, "a", 1, false);
	tick();
	lose(APPEND, BEFORE, CODE(OVERLOAD));
	tick();
	assert_int_equal(waiting(CLAIM), 0);
	serve_all();
	assert_int_equal(a.code, 0);
	assert_int_equal(slot()->epoch, 5);
	expect_rows("a");
}

/* Of a sender's former owner nothing is taken any more: the present one has sent it again. */
static void test_former_owner(void **state)
{
	struct ipc_call a, b, c, old;

	(void)state;
	fake.sender_epoch = 7;
	route(&a, "a", 1, false);
	fake.sender_epoch = 6;
	route(&b, "b", 2, false);
	assert_int_equal(b.code, CODE(FENCED));
	fake.sender_epoch = 8;
	route(&c, "c", 2, true);
	fake.sender_epoch = 0; /* one of the release before does not say */
	route(&old, "d", 3, false);
	tick();
	serve_all();
	assert_true(a.code == 0 && c.code == 0 && old.code == 0);
	expect_rows("a c d");
}

/* What has no key from its sender gets one, else it could not be asked for. */
static void test_without_key(void **state)
{
	struct ipc_call a, b;

	(void)state;
	route(&a, "a", 0, false);
	route(&b, "b", 0, false);
	tick();
	lose(APPEND, AFTER, CODE(PEER_LOST));
	lose(APPEND, BEFORE, CODE(PEER_LOST));
	tick();
	serve_all();
	do_late();
	tick();
	serve_all();
	expect_rows("a b");
	assert_true(a.code == 0 && b.code == 0);
}

/* What is behind waits, and so does what would be fetched: nothing overtakes. */
static void test_order(void **state)
{
	struct ipc_call a, b, c;

	(void)state;
	route(&a, "a", 1, false);
	route(&b, "b", 2, false);
	tick();
	serve(APPEND);
	lose(APPEND, BEFORE, CODE(TIMEOUT));
	route(&c, "c", 3, false);
	fake.link->more_in_store = true;
	tick();
	assert_int_equal(waiting(APPEND), 0);
	assert_int_equal(waiting(FETCH), 0);
	serve(CLAIM);
	tick();
	assert_int_equal(waiting(APPEND), 1);
	serve(APPEND);
	serve_all(); /* the fetch that had waited */
	tick();
	serve_all();
	do_late();
	expect_rows("a b c");
}

/* The other server has it before it is known whether there is a row: there must be none in the end, also not a late one. */
static void acknowledged_meanwhile(enum fate fate)
{
	struct ipc_call a;
	struct s2s_item *i;

	route(&a, "a", 1, false);
	i = list_entry(fake.link->items.next, struct s2s_item, node);
	tick();
	i->state = S2S_ITEM_SENT;
	fake.link->sent = 1;
	lose(APPEND, fate, CODE(PEER_LOST));
	s2s_link_acked(fake.link);
	assert_int_equal(a.code, 0);
	assert_int_equal(fake.link->count, 0);
	tick();
	serve(CLAIM);
	tick();
	serve(APPEND);
	tick();
	serve_all();
	do_late();
	expect_rows("");
	assert_true(list_empty(&fake.link->leftovers));
}

static void test_acknowledged_meanwhile(void **state)
{
	acknowledged_meanwhile(AFTER);
	tear_down(state);
	set_up(state);
	acknowledged_meanwhile(BEFORE);
}

/* --- epochs ------------------------------------------------------------------------------------------------------- */

/* The renewal's own fate: asked for again, the store says which epoch it is. A refusal in between is no other owner's. */
static void test_renewal_lost(void **state)
{
	struct ipc_call a, b;
	struct s2s_link *beside = s2s_link_get(&fake.s2s, STR(BESIDE), STR(THERE));

	(void)state;
	beside->state = S2S_LINK_RESTING;
	beside->next_ms = UINT64_MAX;
	route(&a, "a", 1, false);
	fake.from = "juliet@" BESIDE;
	route(&b, "b", 2, false);
	tick();
	lose(APPEND, BEFORE, CODE(TIMEOUT));
	tick();
	lose(CLAIM, AFTER, CODE(TIMEOUT));
	assert_int_equal(fake.epoch, 6);
	serve(APPEND); /* b's, under the former epoch */
	assert_int_equal(slot()->state, S2S_SLOT_OWNED);
	tick();
	assert_int_equal(waiting(APPEND), 0);
	serve(CLAIM);
	assert_true(fake.epoch == 6 && slot()->epoch == 6);
	tick();
	serve_all();
	do_late();
	assert_true(a.code == 0 && b.code == 0);
	expect_rows("a b");
}

/* Rows that go meanwhile go under the new epoch. */
static void test_done_across_renewal(void **state)
{
	struct ipc_call a;

	(void)state;
	route(&a, "a", 1, false);
	tick();
	serve_all();
	s2s_item_done(list_entry(fake.link->items.next, struct s2s_item, node));
	s2s_spool_flush(&fake.s2s);
	s2s_owner_renew(&fake.s2s, fake.link->slot);
	serve(CLAIM);
	serve(DONE); /* too late for its epoch */
	expect_rows("a");
	tick();
	serve_all();
	expect_rows("");
	assert_int_equal(slot()->dones, 0);
}

/* Another instance's now. Where we do not know, its rows tell. */
static void test_fenced(void **state)
{
	struct ipc_call a, b;

	(void)state;
	route(&a, "a", 1, false);
	route(&b, "b", 2, false);
	tick();
	fake.owner = OTHER;
	fake.epoch++;
	lose(APPEND, BEFORE, CODE(PEER_LOST));
	serve(APPEND);
	assert_int_equal(slot()->state, S2S_SLOT_FOREIGN);
	assert_true(a.code == CODE(WRONG_OWNER) && b.code == CODE(WRONG_OWNER));
	tick();
	assert_int_equal(fake.s2s.link_count, 0);
	do_late();
	expect_rows("");
}

static void test_renewal_finds_another(void **state)
{
	struct ipc_call a;

	(void)state;
	route(&a, "a", 1, false);
	tick();
	lose(APPEND, AFTER, CODE(PEER_LOST));
	fake.owner = OTHER;
	fake.other_alive = true;
	fake.epoch++;
	tick();
	serve(CLAIM);
	assert_int_equal(slot()->state, S2S_SLOT_FOREIGN);
	assert_int_equal(a.code, CODE(WRONG_OWNER));
	tick();
	assert_int_equal(fake.s2s.link_count, 0);
}

/* --- leaving ------------------------------------------------------------------------------------------------------ */

/* Who has been asked for a row waits for it; who has not goes at once. The slot follows when nothing is open. */
static void leaving(enum fate fate)
{
	struct ipc_call a, b;

	route(&a, "a", 1, false);
	tick();
	route(&b, "b", 2, false);
	s2s_owner_release_all(&fake.s2s);
	assert_int_equal(b.code, CODE(WRONG_OWNER));
	assert_int_equal(a.code, -1);
	lose(APPEND, fate, CODE(PEER_LOST));
	tick();
	assert_int_equal(waiting(RELEASE), 0);
	serve(CLAIM); /* it is still ours, and the question with it */
	tick();
	serve(APPEND);
	assert_int_equal(a.code, 0);
	tick();
	assert_int_equal(fake.s2s.link_count, 0);
	serve(RELEASE);
	assert_int_equal(fake.owner, 0);
	do_late();
	expect_rows("a");
}

static void test_leaving(void **state)
{
	leaving(AFTER);
	tear_down(state);
	set_up(state);
	leaving(BEFORE);
}

/* Nobody waits for a question any more, and no store has it: it is not forgotten without a word. */
static void test_leaving_question(void **state)
{
	struct ipc_call a;

	(void)state;
	fake.kind = STARLING__STANZA_KIND__STANZA_IQ;
	route(&a, "<query xmlns='x'/>", 1, false);
	tick();
	assert_true(a.code == 0 && waiting(APPEND) == 0 && fake.link->count == 1);
	assert_null(fake.s2s.lanes[hash_slot(STR("juliet@" HERE))]);
	s2s_owner_release_all(&fake.s2s);
	assert_int_equal(fake.link->count, 0);
	assert_non_null(fake.s2s.lanes[hash_slot(STR("juliet@" HERE))]); /* the way of an error to her */
}

/* A row that is to go must not be the next owner's. */
static void test_release_after_done(void **state)
{
	struct ipc_call a;

	(void)state;
	route(&a, "a", 1, false);
	tick();
	serve_all();
	s2s_item_done(list_entry(fake.link->items.next, struct s2s_item, node));
	s2s_owner_release_all(&fake.s2s);
	tick();
	assert_int_equal(fake.s2s.link_count, 0);
	assert_int_equal(waiting(RELEASE), 0);
	serve(DONE);
	assert_int_equal(waiting(RELEASE), 1);
	serve(RELEASE);
	expect_rows("");
}

/* Else nobody else could ever have the slot while we live. */
static void test_release_lost(void **state)
{
	const struct rendezvous_member both[] = { { ME, hash_fnv1a64(STR("s2s-1")) }, { OTHER, hash_fnv1a64(STR("s2s-2")) } };
	uint32_t theirs = 0;
	struct s2s_slot *s;

	(void)state;
	while (theirs == fake.link->slot || rendezvous_owner(both, 2, theirs) == ME)
		theirs++;
	s = &fake.s2s.slots[theirs];
	*s = (struct s2s_slot){ .state = S2S_SLOT_LEAVING, .epoch = 5 };
	for (uint32_t i = 0; i < SLOT_COUNT; i++) { /* all others are as they should be */
		if (i != theirs)
			fake.s2s.slots[i].state = rendezvous_owner(both, 2, i) == ME ? S2S_SLOT_OWNED : S2S_SLOT_FOREIGN;
	}
	fake.other_alive = true;
	s2s_owner_left(&fake.s2s, theirs);
	lose(RELEASE, BEFORE, CODE(TIMEOUT));
	assert_int_equal(s->state, S2S_SLOT_FOREIGN);
	s2s_owner_look(&fake.s2s);
	lose(CLAIM, AFTER, CODE(TIMEOUT));
	s2s_owner_look(&fake.s2s);
	serve(CLAIM);
	serve(DOMAINS);
	assert_int_equal(s->state, S2S_SLOT_OWNED);
	s2s_owner_look(&fake.s2s);
	serve(RELEASE);
	assert_int_equal(fake.owner, 0);
	s2s_owner_look(&fake.s2s);
	assert_int_equal(fake.call_count, 0);
}

/* --- again -------------------------------------------------------------------------------------------------------- */

/* Its sender has given up waiting, not we. */
static void test_sent_again(void **state)
{
	struct ipc_call first, second, third, another;

	(void)state;
	route(&first, "a", 1, false);
	route(&second, "a", 1, true);
	assert_int_equal(fake.link->count, 1);
	assert_int_equal(first.code, CODE(UNAVAILABLE));
	tick();
	serve_all();
	assert_int_equal(second.code, 0);
	route(&third, "a", 1, true); /* its row is here */
	assert_int_equal(third.code, 0);
	assert_int_equal(fake.link->count, 1);
	route(&another, "b", 2, true);
	assert_int_equal(fake.link->count, 2);
	tick();
	serve_all();
	expect_rows("a b");
}

/* --- what only the store has -------------------------------------------------------------------------------------- */

/* It goes behind, in memory too: rows that are fetched come before it, and it is not written before them. */
static void test_behind_the_store(void **state)
{
	struct ipc_call a, b;
	struct s2s_item *i;

	(void)state;
	route(&a, "a", 1, false);
	tick();
	serve_all();
	s2s_item_remove(list_entry(fake.link->items.next, struct s2s_item, node)); /* of a page that is not here */
	fake.link->fetched_to = 0;
	fake.link->more_in_store = true;
	s2s_spool_fetch(fake.link);
	route(&b, "b", 2, false);
	assert_int_equal(waiting(APPEND), 0); /* never both at a time */
	serve(FETCH);
	assert_int_equal(fake.link->count, 2);
	i = list_entry(fake.link->items.next, struct s2s_item, node);
	assert_true(i->spool_id == 1 && !i->drop);
	i = list_entry(i->node.next, struct s2s_item, node);
	assert_true(i->drop && fake.link->dropping == 1);
	assert_int_equal(waiting(APPEND), 1);
	serve(APPEND);
	assert_int_equal(b.code, 0);
	assert_true(fake.link->count == 1 && fake.link->dropping == 0 && fake.link->more_in_store);
	serve_all();
	assert_int_equal(fake.link->count, 2);
	expect_rows("a b");
}

/* A stanza that bounces before it was appended is no longer waited for. */
static void test_bounced_before_the_store(void **state)
{
	struct ipc_call a;

	(void)state;
	fake.link->more_in_store = true;
	fake.link->fetching = true;
	route(&a, "a", 1, false);
	assert_int_equal(fake.link->dropping, 1);
	s2s_item_bounce(list_entry(fake.link->items.next, struct s2s_item, node), "remote-server-not-found", "");
	assert_int_equal(a.code, 0);
	assert_true(fake.link->dropping == 0 && fake.link->count == 0);
	fake.link->fetching = false;
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_stored),
		TEST(test_unknown_fate),
		TEST(test_refused),
		TEST(test_former_owner),
		TEST(test_without_key),
		TEST(test_order),
		TEST(test_acknowledged_meanwhile),
		TEST(test_renewal_lost),
		TEST(test_done_across_renewal),
		TEST(test_fenced),
		TEST(test_renewal_finds_another),
		TEST(test_leaving),
		TEST(test_leaving_question),
		TEST(test_release_after_done),
		TEST(test_release_lost),
		TEST(test_sent_again),
		TEST(test_behind_the_store),
		TEST(test_bounced_before_the_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
