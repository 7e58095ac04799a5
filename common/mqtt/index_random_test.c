/* SPDX-License-Identifier: Apache-2.0
 *
 * The indexes against a list of all there is and the naive matcher, with random filters, topics and changes; the same ones in each run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/mqtt/index_naive_for_test.h"
#include "common/mqtt/index_retained.h"
#include "common/mqtt/index_subs.h"

#define CLIENTS 12u
#define FILTERS 400u
#define TOPICS  300u

static struct naive_random random_numbers;

static uint32_t below(uint32_t bound)
{
	return naive_below(&random_numbers, bound);
}

/* --- subscriptions ------------------------------------------------------------------------------------------------------ */

static const char *const shares[] = { "", "", "g", "a" };

/* Who may have which filter: live[f][c]. The texts may be equal, so each is looked up by its first. */
static struct {
	char text[128];
	const char *share;
	bool live[CLIENTS];
	/* Of the match that runs: how often each came, and who was there from its beginning to its end. */
	uint32_t seen[CLIENTS];
	bool stayed[CLIENTS];
} filters[FILTERS];

static struct index_subs *subs;
static struct index_subscriber clients[CLIENTS];
static uint32_t count, changes_within; /* the latter: odds of a change in each callback, 0 for none */

static uint32_t filter_with(const char *share, const char *text)
{
	uint32_t f = 0;

	while (strcmp(filters[f].text, text) != 0 || strcmp(filters[f].share, share) != 0)
		f++;
	return f;
}

static uint32_t holders(uint32_t f)
{
	uint32_t n = 0;

	for (uint32_t c = 0; c < CLIENTS; c++)
		n += filters[f].live[c];
	return n;
}

static void make_filters(void)
{
	for (uint32_t f = 0; f < FILTERS; f++) {
		naive_text(&random_numbers, 3, filters[f].text);
		filters[f].share = shares[below(4)];
		memset(filters[f].live, 0, sizeof(filters[f].live));
	}
}

static void add(uint32_t c, uint32_t f)
{
	/* The identifier says what it is when it comes back. */
	struct index_subscription options = { .identifier = f + 1, .qos = c % 3 };
	uint32_t before = holders(f);
	enum index_subs_change expected = filters[f].live[c] ? INDEX_SUBS_REPLACED : before ? INDEX_SUBS_ADDED : INDEX_SUBS_FIRST;

	assert_int_equal(index_subs_add(subs, &clients[c], str_from(filters[f].share), str_from(filters[f].text), &options), expected);
	count += !filters[f].live[c];
	filters[f].live[c] = true;
}

static void drop(uint32_t c, uint32_t f)
{
	enum index_subs_change expected = !filters[f].live[c] ? INDEX_SUBS_NONE : holders(f) == 1 ? INDEX_SUBS_LAST : INDEX_SUBS_REMOVED;

	assert_int_equal(index_subs_remove(subs, &clients[c], str_from(filters[f].share), str_from(filters[f].text)), expected);
	count -= filters[f].live[c];
	filters[f].live[c] = filters[f].stayed[c] = false;
}

static void drop_all(uint32_t c)
{
	index_subs_remove_all(subs, &clients[c], NULL, NULL);
	for (uint32_t f = 0; f < FILTERS; f++) {
		count -= filters[f].live[c];
		filters[f].live[c] = filters[f].stayed[c] = false;
	}
	assert_int_equal(clients[c].count, 0);
}

static void change(void)
{
	uint32_t c = below(CLIENTS), f = below(FILTERS), what = below(100);

	f = filter_with(filters[f].share, filters[f].text);
	if (what < 1)
		drop_all(c);
	else if (what < 50)
		add(c, f);
	else
		drop(c, f);
	assert_int_equal(index_subs_count(subs), count);
}

static void on_subscription(void *ctx, const struct index_subscription *s)
{
	uint32_t c = (uint32_t)(s->who - clients), f = s->identifier - 1;

	assert_true(filters[f].live[c]);
	assert_true(naive_matches(filters[f].text, ctx));
	assert_int_equal(s->qos, c % 3);
	filters[f].seen[c]++;
	if (changes_within && below(changes_within) == 0)
		change();
}

static void on_share(void *ctx, struct index_share *share)
{
	uint32_t changes = changes_within;

	/* Members move when something is added. */
	changes_within = 0;
	for (uint32_t i = 0; i < share->count; i++) {
		if (!share->members[i].who)
			continue;
		assert_true(str_is(share->name, filters[share->members[i].identifier - 1].share));
		on_subscription(ctx, &share->members[i]);
	}
	changes_within = changes;
}

static void match(char *topic)
{
	static const struct index_subs_visitor visitor = { on_subscription, on_share };

	for (uint32_t f = 0; f < FILTERS; f++) {
		memset(filters[f].seen, 0, sizeof(filters[f].seen));
		memcpy(filters[f].stayed, filters[f].live, sizeof(filters[f].live));
	}
	assert_true(index_subs_match(subs, str_from(topic), &visitor, topic));
	for (uint32_t f = 0; f < FILTERS; f++) {
		bool matches = naive_matches(filters[f].text, topic);

		for (uint32_t c = 0; c < CLIENTS; c++)
			if (filters[f].stayed[c])
				assert_int_equal(filters[f].seen[c], matches);
	}
}

static void run_subscriptions(uint64_t seed, uint32_t within)
{
	char topic[128];
	uint32_t live = 0;

	random_numbers.state = seed;
	count = 0;
	changes_within = within;
	subs = index_subs_new();
	make_filters();
	for (int i = 0; i < 1500; i++) {
		/* Fills, empties, and fills again. */
		for (uint32_t n = below(30); n > 0; n--)
			change();
		naive_text(&random_numbers, 0, topic);
		match(topic);
		if (i % 500 == 499)
			for (uint32_t c = 0; c < CLIENTS; c++)
				drop_all(c);
	}
	for (uint32_t f = 0; f < FILTERS; f++)
		live += holders(f);
	assert_int_equal(live, 0);
	assert_int_equal(index_subs_filters(subs), 0);
	assert_int_equal(index_subs_nodes(subs), 0);
	index_subs_free(&subs);
}

static void test_subscriptions(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 4; seed++)
		run_subscriptions(seed, 0);
}

static void test_subscriptions_that_change_while_they_are_matched(void **state)
{
	(void)state;
	for (uint64_t seed = 11; seed <= 14; seed++)
		run_subscriptions(seed, 3);
}

/* --- retained messages -------------------------------------------------------------------------------------------------- */

static struct {
	char text[128];
	bool live;
	/* Of the cursor that reads: how often it came; there since it was opened. */
	uint32_t seen;
	bool stayed;
} topics[TOPICS];

static struct index_retained *retained;

static uint32_t topic_with(const char *text)
{
	uint32_t t = 0;

	while (strcmp(topics[t].text, text) != 0)
		t++;
	return t;
}

static void change_retained(void)
{
	uint32_t t = topic_with(topics[below(TOPICS)].text);
	void *old;

	assert_ptr_equal(index_retained_get(retained, str_from(topics[t].text)), topics[t].live ? &topics[t] : NULL);
	if (below(2)) {
		assert_true(index_retained_set(retained, str_from(topics[t].text), &topics[t], &old));
		assert_ptr_equal(old, topics[t].live ? &topics[t] : NULL);
		topics[t].live = true;
	} else {
		old = index_retained_remove(retained, str_from(topics[t].text));
		assert_ptr_equal(old, topics[t].live ? &topics[t] : NULL);
		topics[t].live = topics[t].stayed = false;
	}
}

/* Reads all that the filter matches in small parts, with `changes` between two of them. */
static void read_retained(const char *filter, uint32_t changes)
{
	struct index_retained_cursor *c = index_retained_open(retained, str_from(filter));
	void *values[8];

	assert_non_null(c);
	for (uint32_t t = 0; t < TOPICS; t++) {
		topics[t].seen = 0;
		topics[t].stayed = topics[t].live;
	}
	while (!index_retained_done(c)) {
		size_t n = index_retained_read(c, values, 1 + below(8), 1 + below(10));

		for (size_t i = 0; i < n; i++) {
			uint32_t t = topic_with(values[i]);

			assert_true(topics[t].live);
			assert_true(naive_matches(filter, topics[t].text));
			topics[t].seen++;
		}
		for (uint32_t i = 0; i < changes; i++)
			change_retained();
	}
	assert_int_equal(index_retained_read(c, values, 8, 10), 0);
	index_retained_close(&c);
	for (uint32_t t = 0; t < TOPICS; t++)
		if (topics[t].stayed)
			assert_int_equal(topics[t].seen, naive_matches(filter, topics[t].text));
}

static void test_retained(void **state)
{
	char filter[128];
	uint32_t live = 0;

	(void)state;
	random_numbers.state = 21;
	retained = index_retained_new();
	for (uint32_t t = 0; t < TOPICS; t++)
		naive_text(&random_numbers, 0, topics[t].text);
	for (int i = 0; i < 1500; i++) {
		for (uint32_t n = below(20); n > 0; n--)
			change_retained();
		naive_text(&random_numbers, 3, filter);
		read_retained(filter, i % 2 ? below(4) : 0);
	}
	for (uint32_t t = 0; t < TOPICS; t++)
		live += topics[t].live;
	assert_int_equal(index_retained_count(retained), live);
	assert_true(live > 20);
	for (uint32_t t = 0; t < TOPICS; t++)
		index_retained_remove(retained, str_from(topics[t].text));
	assert_int_equal(index_retained_count(retained), 0);
	assert_int_equal(index_retained_nodes(retained), 0);
	index_retained_free(&retained, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_subscriptions),
		cmocka_unit_test(test_subscriptions_that_change_while_they_are_matched),
		cmocka_unit_test(test_retained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
