/* SPDX-License-Identifier: Apache-2.0
 *
 * One of several brokers: what it tells the others and hears of them, what a publish waits for, who has a client identifier. */
#include "services/mqtt-broker/fake_flock.h"

#define OTHER 7u
#define THIRD 9u

static Starling__MqttFilter *filter_of(const char *filter, const char *group, uint32_t members)
{
	static Starling__MqttFilter f;

	starling__mqtt_filter__init(&f);
	f.filter = (char *)(uintptr_t)filter;
	f.group = (char *)(uintptr_t)group;
	f.members = members;
	return &f;
}

/* All that the other one has: one filter, or none. */
static int says_filters(uint64_t who, Starling__MqttFilter *f, bool all)
{
	struct ipc_call call = { .source = who };
	Starling__MqttFiltersRequest r = STARLING__MQTT_FILTERS_REQUEST__INIT;
	int code;

	r.filters = &f;
	r.n_filters = f != NULL;
	r.all = all;
	r.known = true;
	on_mqtt_filters(&call, &r);
	assert_true(call.answered);
	code = call.code;
	call_drop(&call);
	turn();
	return code;
}

static void answers(uint64_t who)
{
	struct ipc_call call = { .source = who };
	Starling__MqttFiltersRequest r = STARLING__MQTT_FILTERS_REQUEST__INIT;

	r.known = true;
	r.answer = fake.broker->several->ask;
	on_mqtt_filters(&call, &r);
	call_drop(&call);
	turn();
}

static void meets(uint64_t who)
{
	peers.there[who == OTHER ? 0 : 1] = who;
	mq_peers_update(fake.broker);
	turn();
	assert_int_equal(says_filters(who, NULL, true), 0);
}

static void loses(uint64_t who)
{
	peers.there[who == OTHER ? 0 : 1] = 0;
	mq_peers_update(fake.broker);
	turn();
}

/* A call that may be answered later. */
static struct ipc_call *call_of(uint64_t who)
{
	static struct ipc_call all[8];
	static unsigned n;
	struct ipc_call *call = &all[n++ % 8];

	*call = (struct ipc_call){ .source = who };
	return call;
}

static struct ipc_call *claims(uint64_t who, const char *name, const char *user, int64_t since_us)
{
	struct ipc_call *call = call_of(who);
	Starling__MqttClaimRequest r = STARLING__MQTT_CLAIM_REQUEST__INIT;

	r.name = (char *)(uintptr_t)name;
	r.user = (char *)(uintptr_t)user;
	r.since_us = since_us;
	on_mqtt_claim(call, &r);
	return call;
}

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
	peer_answer("publish", 0, NULL);
	hear(0, "40 02 0001");
	assert_string_equal(peer_find("publish")->payload, "2");
	peers_answer(0);
	hear(0, "40 02 0002");
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

/* --- taken -------------------------------------------------------------------------------------------------------- */

static struct ipc_call *passes(const char *topic, const char *payload, uint32_t qos, bool again, const char *group)
{
	struct ipc_call *call = call_of(OTHER);
	Starling__MqttPublishRequest r = STARLING__MQTT_PUBLISH_REQUEST__INIT;
	Starling__MqttMessage m = STARLING__MQTT_MESSAGE__INIT;
	Starling__MqttGroup g = STARLING__MQTT_GROUP__INIT, *list[] = { &g };

	m.topic = (char *)(uintptr_t)topic;
	m.qos = qos;
	r.message = &m;
	r.key_origin = OTHER;
	r.key_number = 5;
	r.again = again;
	g.filter = (char *)(uintptr_t)topic;
	g.group = (char *)(uintptr_t)group;
	r.groups = list;
	r.n_groups = group != NULL;
	call->payload = str_from(payload);
	on_mqtt_publish(call, &r);
	turn();
	return call;
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
	call = passes("a.test/x", "m", 1, true, NULL);
	assert_true(call->answered && call->reply);
	hear(0, "");
	hear(1, "");
	assert_int_equal(store.entry_n, 1);
	call_drop(call);
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
	Starling__MqttFiltersRequest r = STARLING__MQTT_FILTERS_REQUEST__INIT;
	char *names[] = { (char *)(uintptr_t) "a.test/b" };
	struct ipc_call *call, told = { .source = OTHER }, *passed;

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
	r.known = true;
	r.settled = names;
	r.n_settled = 1;
	on_mqtt_filters(&told, &r);
	call_drop(&told);
	hear(0, "");
	assert_true(((Starling__MqttPublishReply *)passed->reply)->moved);
	call_drop(passed);
	assert_true(((const Starling__MqttPublishRequest *)peer_find("publish")->request)->again);
	peers_answer(0);
	hear(0, "40 02 0001");
	assert_true(list_empty(&fake.broker->several->ghosts));
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
		cmocka_unit_test_setup_teardown(test_suback_waits, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_suback_and_a_death, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_filters_again, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_filters_refused, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_publish, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_publish_and_a_death, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_order, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_shared, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_taken, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_taken_refused, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_connack_waits, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_claimed, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_claims_at_a_time, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_a_session_moves, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_adopts, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_retained, fake_setup, fake_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
