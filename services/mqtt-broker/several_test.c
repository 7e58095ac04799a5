/* SPDX-License-Identifier: Apache-2.0
 *
 * One of several brokers: what it tells the others and hears of them, and what a publish waits for. */
#include "services/mqtt-broker/several_for_test.h"

/* --- filters ------------------------------------------------------------------------------------------------------ */

/* The first and the last alone travel, and SUBACK waits for them. */
static void test_suback_waits(void **state)
{
	const Starling__MqttFiltersRequest *r;

	(void)state;
	meets(OTHER);
	live5(0, "a");
	live5(1, "b");
	peers.holds = true;
	say(0, "82 . 0001 () s'x' 00");
	hear(0, "");
	r = (const Starling__MqttFiltersRequest *)peer_find("filters")->request;
	assert_int_equal(r->n_filters, 1);
	assert_string_equal(r->filters[0]->filter, "a.test/x");
	assert_int_equal(r->filters[0]->members, 1);
	peer_answer("filters", 0, NULL);
	hear(0, "90 . 0001 () 00");
	say(1, "82 . 0001 () s'x' 00");
	hear(1, "90 . 0001 () 00");
	assert_null(peer_find("filters"));
	say(0, "A2 . 0002 () s'x'");
	hear(0, "B0 . 0002 () 00");
	assert_null(peer_find("filters"));
	say(1, "A2 . 0002 () s'x'");
	turn();
	r = (const Starling__MqttFiltersRequest *)peer_find("filters")->request;
	assert_int_equal(r->filters[0]->members, 0);
}

/* A peer that dies is not waited for. */
static void test_suback_and_a_death(void **state)
{
	(void)state;
	meets(OTHER);
	live5(0, "a");
	peers.holds = true;
	say(0, "82 . 0001 () s'x' 00");
	hear(0, "");
	loses(OTHER);
	hear(0, "90 . 0001 () 00");
}

/* What may have been lost is said again, all of it. */
static void test_filters_again(void **state)
{
	const Starling__MqttFiltersRequest *r;

	(void)state;
	meets(OTHER);
	live5(0, "a");
	peers.holds = true;
	say(0, "82 . 0001 () s'x' 00");
	peer_answer("filters", STARLING__CODE__CODE_PEER_LOST, NULL);
	later();
	r = (const Starling__MqttFiltersRequest *)peer_find("filters")->request;
	assert_true(r->all);
	assert_int_equal(r->n_filters, 1);
	hear(0, "");
	peer_answer("filters", 0, NULL);
	hear(0, "90 . 0001 () 00");
}

/* Changes to what is not known, and who is not known, are refused. */
static void test_filters_refused(void **state)
{
	(void)state;
	assert_int_equal(says_filters(OTHER, NULL, true), STARLING__CODE__CODE_UNAVAILABLE);
	peers.there[0] = OTHER;
	mq_peers_update(fake.broker);
	assert_int_equal(says_filters(OTHER, filter_of("a.test/x", "", 1), false), STARLING__CODE__CODE_UNAVAILABLE);
	assert_int_equal(says_filters(OTHER, filter_of("a.test/x", "", 1), true), 0);
	/* What is no filter, or of no host of ours, is passed over. */
	assert_int_equal(says_filters(OTHER, filter_of("a.test/x/#/y", "", 1), false), 0);
	assert_int_equal(says_filters(OTHER, filter_of("nowhere.test/x", "", 1), false), 0);
	assert_int_equal(index_subs_count(fake.broker->tenants[0].others), 1);
}

/* --- publish ------------------------------------------------------------------------------------------------------ */

static void test_publish(void **state)
{
	const Starling__MqttPublishRequest *r;

	(void)state;
	meets(OTHER);
	says_filters(OTHER, filter_of("a.test/x", "", 1), false);
	live5(0, "a");
	peers.holds = true;
	say(0, "30 . s'x' () 'once'");
	assert_string_equal(peer_find("publish_once")->payload, "once");
	peer_answer("publish_once", 0, NULL);
	say(0, "32 . s'x' 0001 () 'kept'");
	hear(0, "");
	r = (const Starling__MqttPublishRequest *)peer_find("publish")->request;
	assert_string_equal(r->message->topic, "a.test/x");
	assert_string_equal(r->message->publisher, "a.test/a");
	assert_false(r->again);
	/* It is asked again until it has it. */
	peer_answer("publish", STARLING__CODE__CODE_TIMEOUT, NULL);
	hear(0, "");
	later();
	r = (const Starling__MqttPublishRequest *)peer_find("publish")->request;
	assert_true(r->again);
	peer_answer("publish", 0, NULL);
	hear(0, "40 02 0001");
	say(0, "32 . s'y' 0002 () 'nobody'");
	hear(0, "40 03 0002 10");
}

/* What a broker that dies had not answered is acknowledged when all sessions are somewhere again. */
static void test_publish_and_a_death(void **state)
{
	(void)state;
	meets(OTHER);
	meets(THIRD);
	says_filters(OTHER, filter_of("a.test/x", "", 1), false);
	live5(0, "a");
	peers.holds = true;
	say(0, "32 . s'x' 0001 () 'kept'");
	loses(OTHER);
	peer_answer("publish", STARLING__CODE__CODE_PEER_LOST, NULL);
	peers.holds = false;
	hear(0, "");
	says_filters(THIRD, filter_of("a.test/x", "", 1), false);
	hear(0, "");
	peers.holds = true;
	answers(THIRD);
	assert_true(((const Starling__MqttPublishRequest *)peer_find("publish")->request)->again);
	peer_answer("publish", 0, NULL);
	hear(0, "40 02 0001");
	assert_false(fake.broker->several->unsettled);
	assert_int_equal(fake.broker->several->pass_n, 0);
}

/* A second one of the same publisher does not pass the first by filters that came between. */
static void test_order(void **state)
{
	(void)state;
	meets(OTHER);
	meets(THIRD);
	says_filters(OTHER, filter_of("a.test/x", "", 1), false);
	live5(0, "a");
	peers.holds = true;
	say(0, "32 . s'x' 0001 () '1'");
	says_filters(THIRD, filter_of("a.test/x", "", 1), false);
	say(0, "32 . s'x' 0002 () '2'");
	assert_int_equal(peers.asked_n, 1);
	assert_int_equal(fake.broker->several->pass_n, 1);
	peer_answer("publish", 0, NULL);
	hear(0, "40 02 0001");
	assert_string_equal(peer_find("publish")->payload, "2");
	assert_int_equal(fake.broker->several->pass_n, 2);
	peers_answer(0);
	hear(0, "40 02 0002");
	assert_int_equal(fake.broker->several->pass_n, 0);
}

static void test_shared(void **state)
{
	unsigned own = 0;

	(void)state;
	meets(OTHER);
	says_filters(OTHER, filter_of("a.test/x", "g", 3), false);
	live5(0, "a");
	live5(1, "b");
	say(1, "82 . 0001 () s'$share/g/x' 00");
	hear(1, "90 . 0001 () 00");
	peers.holds = true;
	for (int i = 0; i < 8; i++) {
		struct peer_asked *asked;

		say(0, "30 . s'x' () 'm'");
		asked = peer_find("publish_once");
		if (!asked) {
			own++;
			hear(1, "30 . s'x' () 'm'");
			continue;
		}
		assert_int_equal(((const Starling__MqttPublishRequest *)asked->request)->n_groups, 1);
		hear(1, "");
		peer_answer("publish_once", 0, NULL);
	}
	assert_int_equal(own, 2);
	assert_int_equal(fake.broker->several->spread_n, 0);
}

/* Who is away gets what nobody else is there for, at whatever broker. */
static void test_shared_with_those_away(void **state)
{
	const Starling__MqttFiltersRequest *told;
	Starling__MqttFilter *theirs;

	(void)state;
	meets(OTHER);
	theirs = filter_of("a.test/x", "g", 99);
	theirs->here = 0;
	says_filters(OTHER, theirs, false);
	live5(0, "a");
	last5(1, "b", CONNACK_5);
	say(1, "82 . 0001 () s'$share/g/x' 00");
	hear(1, "90 . 0001 () 00");
	peers.holds = true;
	for (int i = 0; i < 8; i++) {
		say(0, "30 . s'x' () 'm'");
		hear(1, "30 . s'x' () 'm'");
	}
	say(1, "E0 00");
	gone(1);
	told = (const Starling__MqttFiltersRequest *)peer_find("filters")->request;
	assert_int_equal(told->filters[0]->members, 1);
	assert_int_equal(told->filters[0]->here, 0);
	for (int i = 0; i < 8; i++)
		say(0, "30 . s'x' () 'm'");
	assert_non_null(peer_find("publish_once"));
	peers.holds = false;
	peers_answer(0);
	last5(1, "b", PRESENT_5);
	say(0, "30 . s'x' () 'm'");
	hear(1, "30 . s'x' () 'm'");
}

/* --- taken -------------------------------------------------------------------------------------------------------- */

/* A group whose only member was at a broker that died has its messages when the member is somewhere again. */
static void test_shared_and_a_death(void **state)
{
	(void)state;
	meets(OTHER);
	meets(THIRD);
	says_filters(OTHER, filter_of("a.test/x", "g", 1), false);
	live5(0, "a");
	loses(OTHER);
	say(0, "32 . s'x' 0001 () 'm'");
	hear(0, "");
	says_filters(THIRD, filter_of("a.test/x", "g", 1), false);
	peers.holds = true;
	answers(THIRD);
	assert_int_equal(((const Starling__MqttPublishRequest *)peer_find("publish")->request)->n_groups, 1);
	peer_answer("publish", 0, NULL);
	hear(0, "40 02 0001");
}

/* Sent again, a session that does not last gets no second copy; nor does one that lasts. */
static void test_taken(void **state)
{
	struct ipc_call *call;

	(void)state;
	meets(OTHER);
	pair("01");
	say(0, "82 . 0001 () s'x' 01");
	hear(0, "90 . 0001 () 01");
	store.mode = STORE_HOLDS;
	call = passes("a.test/x", "m", 1, false, NULL);
	assert_false(call->answered);
	store_answer(0);
	store.mode = STORE_ANSWERS;
	hear(0, "32 . s'x' 0001 () 'm'");
	hear(1, "32 . s'x' 0002 () 'm'");
	assert_int_equal(store.entry_n, 1);
	call_drop(call);
	call = passes("a.test/x", "m", 1, true, NULL);
	assert_true(call->answered && call->reply);
	hear(0, "");
	hear(1, "");
	assert_int_equal(store.entry_n, 1);
	call_drop(call);
}

/* A client with a message with QoS 2 on its way goes to the other broker, and sends it again there; and then one the other way. */
static void test_sent_again_elsewhere(void **state)
{
	const Starling__MqttPublishRequest *r;
	struct ipc_call *call;

	(void)state;
	meets(OTHER);
	says_filters(OTHER, filter_of("a.test/x", "", 1), false);
	live5(0, "a");
	say(0, "82 . 0001 () s'x' 00");
	hear(0, "90 . 0001 () 00");
	last5(2, "p", CONNACK_5);
	peers.holds = true;
	say(2, "34 . s'x' 0007 () 'once'");
	hear(0, "30 . s'x' () 'once'");
	r = (const Starling__MqttPublishRequest *)peer_find("publish")->request;
	call = passes_named(r->key_origin, r->key_number, "a.test/x", "once", 2, true, NULL);
	assert_true(call->answered && call->reply);
	call_drop(call);
	hear(0, "");
	/* What it sends next has the other way behind it. */
	call = passes_named(r->key_origin, r->key_number + 1, "a.test/x", "more", 2, false, NULL);
	call_drop(call);
	hear(0, "30 . s'x' () 'more'");
	peers_answer(0);
	hear(2, "50 02 0007");
	say(2, "34 . s'x' 0008 () 'more'");
	peers_answer(0);
	hear(2, "50 02 0008");
	hear(0, "");
}

/* The same with a group: whichever broker gets it again chooses as the first one did, and who was chosen knows that it has had it. */
static void test_group_sent_again_elsewhere(void **state)
{
	const Starling__MqttPublishRequest *r;
	unsigned own = 0;

	(void)state;
	meets(OTHER);
	says_filters(OTHER, filter_of("a.test/x", "g", 1), false);
	says_filters(OTHER, filter_of("a.test/y", "", 1), false);
	live5(0, "a");
	say(0, "82 . 0001 () s'$share/g/x' 00");
	hear(0, "90 . 0001 () 00");
	last5(2, "p", CONNACK_5);
	peers.holds = true;
	say(2, "34 . s'y' 0001 () 'its name'");
	r = (const Starling__MqttPublishRequest *)peer_find("publish")->request;
	const uint64_t origin = r->key_origin, number = r->key_number;
	peers_answer(0);
	hear(2, "50 02 0001");
	for (unsigned i = 1; i <= 16; i++) {
		struct ipc_call *call = passes_named(origin, number + i, "a.test/x", "m", 2, false, "g");
		char words[40];

		assert_true(call->answered && call->reply);
		call_drop(call);
		hear(0, "30 . s'x' () 'm'");
		snprintf(words, sizeof(words), "34 . s'x' %04X () 'm'", i + 1);
		say(2, words);
		hear(0, "");
		own += peer_find("publish") == NULL;
		peers_answer(0);
		snprintf(words, sizeof(words), "50 02 %04X", i + 1);
		hear(2, words);
		snprintf(words, sizeof(words), "62 02 %04X", i + 1);
		say(2, words);
		snprintf(words, sizeof(words), "70 02 %04X", i + 1);
		hear(2, words);
	}
	assert_in_range(own, 2, 14);
}

/* The subscribers here have had it, and its group not: nobody had come so far. */
static void test_group_after_the_others(void **state)
{
	struct ipc_call *call;

	(void)state;
	meets(OTHER);
	live5(0, "a");
	say(0, "82 . 0001 () s'$share/g/x' 00");
	hear(0, "90 . 0001 () 00");
	live5(1, "b");
	say(1, "82 . 0001 () s'x' 00");
	hear(1, "90 . 0001 () 00");
	for (int i = 0; i < 3; i++) {
		call = passes("a.test/x", "m", 2, i > 0, i > 0 ? "g" : NULL);
		assert_true(call->answered && call->reply);
		assert_int_equal(((Starling__MqttPublishReply *)call->reply)->n_missed, 0);
		call_drop(call);
		hear(0, i == 1 ? "30 . s'x' () 'm'" : "");
		hear(1, i == 0 ? "30 . s'x' () 'm'" : "");
	}
}

static void test_taken_refused(void **state)
{
	struct ipc_call *call;

	(void)state;
	meets(OTHER);
	call = passes("a.test/x", "m", 0, false, NULL);
	assert_int_equal(call->code, STARLING__CODE__CODE_INVALID);
	call = passes("nowhere.test/x", "m", 1, false, NULL);
	assert_int_equal(((Starling__MqttPublishReply *)call->reply)->matched, 0);
	call_drop(call);
	call = passes("a.test/x", "m", 1, false, "g");
	assert_int_equal(((Starling__MqttPublishReply *)call->reply)->n_missed, 1);
	call_drop(call);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_suback_waits, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_suback_and_a_death, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_filters_again, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_filters_refused, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_publish, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_publish_and_a_death, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_order, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_shared, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_shared_and_a_death, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_shared_with_those_away, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_taken, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_sent_again_elsewhere, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_group_sent_again_elsewhere, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_group_after_the_others, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_taken_refused, fake_setup, fake_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
