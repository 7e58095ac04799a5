/* SPDX-License-Identifier: Apache-2.0
 *
 * One of several brokers: who has a client identifier, a session, a retained message. */
#include "services/mqtt-broker/several_for_test.h"

/* --- claims ------------------------------------------------------------------------------------------------------- */

static void test_connack_waits(void **state)
{
	Starling__MqttClaimReply lost = STARLING__MQTT_CLAIM_REPLY__INIT;

	(void)state;
	meets(OTHER);
	peers.holds = true;
	join(0);
	say(0, "10 . s'MQTT' 05 C2 0000 () s'a' s'romeo' s'secret'");
	hear(0, "");
	assert_string_equal(((const Starling__MqttClaimRequest *)peer_find("claim")->request)->name, "a.test/a");
	peer_answer("claim", 0, NULL);
	hear(0, CONNACK_5);
	/* A later one elsewhere. */
	join(1);
	say(1, "10 . s'MQTT' 05 C2 0000 () s'b' s'romeo' s'secret'");
	lost.lost = true;
	peer_answer("claim", 0, &lost);
	hear(1, "20 . 00 80 00");
	gone(1);
}

static void test_claimed(void **state)
{
	struct ipc_call *call;

	(void)state;
	meets(OTHER);
	live5(0, "a");
	/* Another user's it stays. */
	call = claims(OTHER, "a.test/a", "juliet@a.test", 1);
	assert_true(((Starling__MqttClaimReply *)call->reply)->refused);
	call_drop(call);
	call = claims(OTHER, "a.test/a", "romeo@a.test", 1);
	turn();
	hear(0, "E0 01 8E");
	gone(0);
	assert_false(((Starling__MqttClaimReply *)call->reply)->known);
	call_drop(call);
	call = claims(OTHER, "nowhere.test/a", "", 1);
	assert_non_null(call->reply);
	call_drop(call);
}

/* Two at the same time: the later one. */
static void test_claims_at_a_time(void **state)
{
	struct ipc_call *call;

	(void)state;
	meets(OTHER);
	peers.holds = true;
	join(0);
	say(0, "10 . s'MQTT' 05 C2 0000 () s'a' s'romeo' s'secret'");
	call = claims(OTHER, "a.test/a", "romeo@a.test", 1);
	assert_true(((Starling__MqttClaimReply *)call->reply)->lost);
	call_drop(call);
	call = claims(OTHER, "a.test/a", "romeo@a.test", INT64_MAX);
	assert_false(((Starling__MqttClaimReply *)call->reply)->lost);
	call_drop(call);
	hear(0, "20 . 00 80 00");
	gone(0);
	peers_answer(0);
	assert_null(session_of("a"));
}

/* A lasting session is let go, and what comes for it meanwhile waits until whoever has it has told its filters. */
static void test_a_session_moves(void **state)
{
	struct ipc_call *call, *passed;

	(void)state;
	meets(OTHER);
	pair("01");
	call = claims(OTHER, "a.test/b", "romeo@a.test", 1);
	turn();
	hear(1, "E0 01 8E");
	assert_true(((Starling__MqttClaimReply *)call->reply)->known);
	call_drop(call);
	assert_null(session_of("b"));
	say(0, "32 . s'x' 0001 () 'm'");
	hear(0, "");
	passed = passes("a.test/x", "n", 1, false, NULL);
	assert_false(passed->answered);
	says_filters(OTHER, filter_of("a.test/x", "", 1), false);
	hear(0, "");
	peers.holds = true;
	says_settled(OTHER, "a.test/b");
	hear(0, "");
	assert_true(((Starling__MqttPublishReply *)passed->reply)->moved);
	call_drop(passed);
	assert_true(((const Starling__MqttPublishRequest *)peer_find("publish")->request)->again);
	peers_answer(0);
	hear(0, "40 02 0001");
	assert_true(list_empty(&fake.broker->several->ghosts));
}

/* Asked anew while it is on its way: it may be meant for one that has come since, and is to be matched anew. */
static void test_asked_anew_on_its_way(void **state)
{
	struct ipc_call *first, *second;

	(void)state;
	meets(OTHER);
	pair("01");
	store.mode = STORE_HOLDS;
	first = passes("a.test/x", "m", 1, false, NULL);
	assert_false(first->answered);
	second = passes("a.test/x", "m", 1, true, NULL);
	assert_int_equal(first->code, STARLING__CODE__CODE_TIMEOUT);
	store.mode = STORE_ANSWERS;
	store_answer(0);
	turn();
	assert_true(((Starling__MqttPublishReply *)second->reply)->moved);
	call_drop(first);
	call_drop(second);
}

/* Nothing is heard of who was to have it: it is taken back, or known to be another's. */
static void test_a_session_that_nobody_took(void **state)
{
	struct ipc_call *call;

	(void)state;
	meets(OTHER);
	pair("01");
	for (uint64_t owner = 0; owner <= OTHER; owner += OTHER) {
		call = claims(OTHER, "a.test/b", "romeo@a.test", 1);
		turn();
		turn();
		assert_true(((Starling__MqttClaimReply *)call->reply)->known);
		call_drop(call);
		assert_null(session_of("b"));
		store_named("a.test/b")->instance = owner;
		say(0, owner ? "32 . s'x' 0002 () '2'" : "32 . s'x' 0001 () '1'");
		for (int i = 0; i < 4; i++) {
			hear(0, "");
			later();
		}
		if (owner == 0) {
			hear(0, "40 02 0001");
			assert_non_null(session_of("b"));
		}
	}
	/* It has the time to be told so. */
	assert_false(list_empty(&fake.broker->several->ghosts));
	mq_ghost_elsewhere(mq_ghost_find(&fake.broker->tenants[0], str_from("b")));
	assert_true(list_empty(&fake.broker->several->ghosts));
	assert_null(session_of("b"));
	hear(0, "");
	says_filters(OTHER, filter_of("a.test/x", "", 1), true);
	hear(0, "40 02 0002");
}

/* What came too early for a session that has moved since has no row: it is not acknowledged before it is found elsewhere. */
static void test_too_early_for_one_that_moves(void **state)
{
	struct ipc_call *call;

	(void)state;
	meets(OTHER);
	pair("01");
	store.mode = STORE_AWAY;
	say(0, "32 . s'x' 0001 () '1'");
	turn();
	store.mode = STORE_HOLDS;
	say(0, "32 . s'x' 0002 () '2'");
	call = claims(OTHER, "a.test/b", "romeo@a.test", 1);
	turn();
	store.mode = STORE_ANSWERS;
	store_answer(0);
	turn();
	assert_true(((Starling__MqttClaimReply *)call->reply)->known);
	call_drop(call);
	later();
	hear(0, "");
	says_filters(OTHER, filter_of("a.test/x", "", 1), false);
	peers.holds = true;
	says_settled(OTHER, "a.test/b");
	hear(0, "");
	assert_string_equal(peer_find("publish")->payload, "1");
	peer_answer("publish", 0, NULL);
	hear(0, "40 02 0001");
	assert_string_equal(peer_find("publish")->payload, "2");
	peer_answer("publish", 0, NULL);
	hear(0, "40 02 0002");
}

/* What was sent already does not expire [MQTT-4.3.3-7], and only that is a duplicate: the broker that had the session says how far it was. */
static void test_what_was_sent_elsewhere(void **state)
{
	Starling__MqttClaimReply was = STARLING__MQTT_CLAIM_REPLY__INIT;
	Starling__MqttSent sent = STARLING__MQTT_SENT__INIT;
	struct ipc_call *call;

	(void)state;
	meets(OTHER);
	pair("02");
	say(0, "34 . s'x' 0001 (02 00000001) 'm'");
	hear(0, "50 02 0001");
	hear(1, "34 . s'x' 0002 (02 00000001) 'm'");
	say(1, "E0 00");
	gone(1);
	say(0, "34 . s'x' 0002 () 'later'");
	hear(0, "50 02 0002");
	call = claims(OTHER, "a.test/b", "romeo@a.test", 1);
	turn();
	assert_int_equal(((Starling__MqttClaimReply *)call->reply)->sent->certainly, 1);
	call_drop(call);
	later();
	peers.holds = true;
	join(1);
	say(1, "10 . s'MQTT' 05 C0 0000 (11 00000E10) s'b' s'romeo' s'secret'");
	was.known = true;
	was.sent = &sent;
	sent.perhaps = sent.certainly = 1;
	peer_answer("claim", 0, &was);
	hear(1, PRESENT_5G "3C (s'x' 0002 (02 00000000) 'm') 34 (s'x' 0003 () 'later')");
}

/* --- death -------------------------------------------------------------------------------------------------------- */

/* Its sessions are taken over, once. */
static void test_adopts(void **state)
{
	(void)state;
	meets(OTHER);
	last5(0, "a", CONNACK_5);
	say(0, "82 . 0001 () s'x' 01");
	hear(0, "90 . 0001 () 01");
	store_named("a.test/a")->instance = OTHER;
	mq_session_end(session_of("a"));
	loses(OTHER);
	assert_non_null(session_of("a"));
	assert_int_equal(session_of("a")->subscriber.count, 1);
	assert_false(fake.broker->several->unsettled);
	assert_int_equal(fake.broker->others, 0);
}

/* The answer is lost, and somebody has come meanwhile who shares the slots: what the store may have given us already is asked for once more, and then no longer. */
static void test_an_adoption_whose_answer_was_lost(void **state)
{
	(void)state;
	meets(OTHER);
	store.mode = STORE_HOLDS;
	loses(OTHER);
	assert_int_equal(store.adopt_slots, SLOT_COUNT);
	meets(THIRD);
	store.adopt_slots = 0;
	store_answer(STARLING__CODE__CODE_PEER_LOST);
	store.mode = STORE_ANSWERS;
	later();
	answers(THIRD);
	assert_int_equal(store.adopt_slots, SLOT_COUNT);
	assert_false(fake.broker->several->unsettled);
	meets(OTHER);
	answers(OTHER);
	loses(OTHER);
	assert_in_range(store.adopt_slots, 1, SLOT_COUNT * 3 / 4);
}

/* The row of one that another broker has, or has let go: 0. */
static void elsewhere(const char *id, uint64_t instance)
{
	struct mq_client *c;

	last5(0, id, CONNACK_5);
	say(0, "82 . 0001 () s'x' 01");
	hear(0, "90 . 0001 () 01");
	c = session_of(id)->client;
	mq_session_end(session_of(id));
	mq_client_end(c, MQTT_SESSION_TAKEN_OVER, "");
	for (int i = 0; i < ROWS; i++) {
		if (store.rows[i].session)
			store.rows[i].instance = instance;
	}
	later();
}

/* One that was missed, and is back before its sessions are ours, is told so all the same. */
static void test_back_before_it_was_given_up(void **state)
{
	(void)state;
	meets(OTHER);
	store.mode = STORE_HOLDS;
	loses(OTHER);
	peers.holds = true;
	peers.there[0] = OTHER;
	mq_peers_update(fake.broker);
	turn();
	assert_false(((const Starling__MqttFiltersRequest *)peer_find("filters")->request)->given_up);
	store.mode = STORE_ANSWERS;
	store_answer(0);
	turn();
	peer_answer("filters", 0, NULL);
	turn();
	assert_true(((const Starling__MqttFiltersRequest *)peer_find("filters")->request)->given_up);
}

/* What a client has had taken from the store is not there for those who look, and nobody has its filters: until it is here, the death is not over. */
static void test_a_death_waits_for_who_is_on_its_way(void **state)
{
	(void)state;
	meets(OTHER);
	meets(THIRD);
	elsewhere("a", 0);
	live5(1, "p");
	store.mode = STORE_HOLDS;
	join(2);
	say(2, "10 . s'MQTT' 05 C0 0000 (11 00000E10) s'a' s'romeo' s'secret'");
	assert_int_equal(store.answer_n, 1);
	loses(OTHER);
	assert_int_equal(store.answer_n, 2);
	say(1, "32 . s'x' 0001 () 'm'");
	store_answer_at(1);
	answers(THIRD);
	hear(1, "");
	assert_true(fake.broker->several->unsettled);
	store_answer_at(0);
	store.mode = STORE_ANSWERS;
	turn();
	answers(THIRD);
	hear(1, "40 02 0001");
	hear(2, PRESENT_5G "32 (s'x' 0002 () 'm')");
}

/* What a peer passes that has not heard of a session which has come here may go past what still waits where it was: it is to be matched anew. */
static void test_who_arrives_is_served_when_the_peer_knows(void **state)
{
	Starling__MqttClaimReply was = STARLING__MQTT_CLAIM_REPLY__INIT;
	struct ipc_call *passed;

	(void)state;
	meets(OTHER);
	elsewhere("a", 0);
	live5(3, "s");
	say(3, "82 . 0001 () s'x' 01");
	hear(3, "90 . 0001 () 01");
	peers.holds = true;
	join(2);
	say(2, "10 . s'MQTT' 05 C0 0000 (11 00000E10) s'a' s'romeo' s'secret'");
	was.known = true;
	peer_answer("claim", 0, &was);
	hear(2, PRESENT_5);
	/* That there was one with this filter before does not keep it from being told. */
	assert_int_equal(((const Starling__MqttFiltersRequest *)peer_find("filters")->request)->n_filters, 1);
	passed = passes_named(OTHER, 1, "a.test/x", "m", 1, false, NULL);
	hear(3, "32 . s'x' 0001 () 'm'");
	hear(2, "");
	assert_false(passed->answered);
	peer_answer("filters", 0, NULL);
	turn();
	assert_true(((Starling__MqttPublishReply *)passed->reply)->moved);
	call_drop(passed);
	hear(2, "");
	passed = passes_named(OTHER, 1, "a.test/x", "m", 1, true, NULL);
	hear(2, "32 . s'x' 0002 () 'm'");
	hear(3, "");
	assert_false(((Starling__MqttPublishReply *)passed->reply)->moved);
	call_drop(passed);
}

/* Whose session may be the dead one's waits for that to be over; who begins anew does not. */
static void test_who_comes_back_is_held(void **state)
{
	uint32_t opened;

	(void)state;
	meets(OTHER);
	meets(THIRD);
	elsewhere("a", OTHER);
	loses(OTHER);
	assert_non_null(session_of("a"));
	opened = store.open_calls;
	join(1);
	say(1, "10 . s'MQTT' 05 C0 0000 (11 00000E10) s'b' s'romeo' s'secret'");
	join(2);
	say(2, "10 . s'MQTT' 05 C2 0000 (11 00000E10) s'c' s'romeo' s'secret'");
	hear(2, CONNACK_5);
	hear(1, "");
	assert_int_equal(store.open_calls, opened + 1);
	/* What is here is nobody else's. */
	last5(3, "a", PRESENT_5);
	answers(THIRD);
	hear(1, CONNACK_5);
	/* Two of one name: the later one, as always. */
	meets(OTHER);
	loses(OTHER);
	for (int i = 1; i < 3; i++) {
		join(i);
		say(i, "10 . s'MQTT' 05 C0 0000 (11 00000E10) s'd' s'romeo' s'secret'");
	}
	answers(THIRD);
	hear(1, "20 . 00 80 00");
	gone(1);
	hear(2, CONNACK_5);
}

/* The store is asked whose it is, when nobody waits for an answer that was lost: it may be ours. */
static void test_abandoned_in_doubt(void **state)
{
	(void)state;
	meets(OTHER);
	elsewhere("a", 0);
	store.mode = STORE_LOSES;
	join(1);
	say(1, "10 . s'MQTT' 05 C0 0000 (11 00000E10) s'a' s'romeo' s'secret'");
	turn();
	close(fake.peers[1]);
	fake.peers[1] = -1;
	turn();
	store.mode = STORE_ANSWERS;
	later();
	later();
	assert_non_null(session_of("a"));
	assert_int_equal(session_of("a")->subscriber.count, 1);
	assert_int_equal(fake.broker->several->opening, 0);
}

/* --- retained ----------------------------------------------------------------------------------------------------- */

static void news(const char *payload, uint64_t version)
{
	struct ipc_call call = { .source = OTHER };
	Starling__MqttRetainedNews r = STARLING__MQTT_RETAINED_NEWS__INIT;
	Starling__MqttRetained retained = STARLING__MQTT_RETAINED__INIT;
	Starling__MqttMessage m = STARLING__MQTT_MESSAGE__INIT;

	m.topic = (char *)(uintptr_t) "a.test/r";
	m.retain = true;
	m.payload = (ProtobufCBinaryData){ strlen(payload), (uint8_t *)(uintptr_t)payload };
	retained.version = version;
	retained.message = &m;
	r.retained = &retained;
	on_mqtt_retained(&call, &r);
	assert_non_null(call.reply);
	call_drop(&call);
}

static void test_retained(void **state)
{
	(void)state;
	meets(OTHER);
	live5(0, "a");
	/* In whatever order they come. */
	news("new", 20);
	news("old", 10);
	say(0, "82 . 0001 () s'r' 00");
	hear(0, "90 (0001 () 00) 31 (s'r' () 'new')");
	news("", 30);
	news("late", 25);
	assert_int_equal(index_retained_count(fake.broker->tenants[0].retained), 0);
	/* PUBACK waits for the others; theirs may be the later one. */
	store.version = 40;
	peers.holds = true;
	store.mode = STORE_HOLDS;
	say(0, "33 . s'r' 0001 () 'mine'");
	hear(0, "30 . s'r' () 'mine'");
	news("theirs", 50);
	store_answer(0);
	store.mode = STORE_ANSWERS;
	hear(0, "");
	peer_answer("retained", 0, NULL);
	hear(0, "40 02 0001");
	say(0, "82 . 0002 () s'r' 00");
	hear(0, "90 (0002 () 00) 31 (s'r' () 'theirs')");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_connack_waits, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_claimed, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_claims_at_a_time, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_a_session_moves, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_asked_anew_on_its_way, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_a_session_that_nobody_took, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_too_early_for_one_that_moves, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_what_was_sent_elsewhere, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_adopts, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_an_adoption_whose_answer_was_lost, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_back_before_it_was_given_up, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_a_death_waits_for_who_is_on_its_way, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_who_arrives_is_served_when_the_peer_knows, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_who_comes_back_is_held, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_abandoned_in_doubt, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_retained, fake_setup, fake_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
