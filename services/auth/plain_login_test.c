/* SPDX-License-Identifier: Apache-2.0
 *
 * PLAIN through the handlers. */
#include "services/auth/fake_client.h"

static void assert_condition(const char *mechanism, struct str message, const char *condition)
{
	struct attempt t;

	attempt_init(&t, mechanism);
	step(&t, message);
	assert_refused(&t, condition);
	attempt_fini(&t);
}

static void right_password(void **state)
{
	static const struct str good[] = { { "\0juliet\0secret", 14 },
		                           { "juliet@one.test\0juliet\0secret", 29 },
		                           { "\0JULIET\0secret", 14 } };
	struct attempt t;

	(void)state;
	assert_int_equal(fake_create("juliet@one.test", "secret"), 0);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		attempt_init(&t, "PLAIN");
		step(&t, good[i]);
		assert_int_equal(reply_of(&t)->outcome, STARLING__SASL_OUTCOME__SASL_SUCCESS);
		assert_string_equal(reply_of(&t)->account, "juliet@one.test");
		assert_false(reply_of(&t)->has_output);
		/* The password is gone from the request. */
		assert_null(memmem(t.input.p, t.input.n, "secret", 6));
		attempt_fini(&t);
	}
}

static void without_initial_response(void **state)
{
	struct attempt t;

	(void)state;
	assert_int_equal(fake_create("juliet@one.test", "secret"), 0);
	attempt_init(&t, "PLAIN");
	step(&t, str_make(NULL, 0));
	assert_int_equal(reply_of(&t)->outcome, STARLING__SASL_OUTCOME__SASL_CONTINUE);
	step(&t, STR("\0juliet\0secret"));
	assert_int_equal(reply_of(&t)->outcome, STARLING__SASL_OUTCOME__SASL_SUCCESS);
	attempt_fini(&t);
}

static void wrong_password_and_unknown_user(void **state)
{
	(void)state;
	assert_int_equal(fake_create("juliet@one.test", "secret"), 0);
	assert_condition("PLAIN", STR("\0juliet\0Secret"), "not-authorized");
	assert_condition("PLAIN", STR("\0juliet\0secret "), "not-authorized");
	assert_condition("PLAIN", STR("\0juliet\0\x01\x02"), "not-authorized");
	assert_condition("PLAIN", STR("\0nobody\0secret"), "not-authorized");
	assert_condition("PLAIN", STR("\0a b\0secret"), "not-authorized");
}

/* An unknown user's login goes through the same hashing as a known one's. */
static void unknown_user_costs_the_same(void **state)
{
	struct attempt t;

	(void)state;
	attempt_init(&t, "PLAIN");
	t.request.has_input = true;
	t.request.input = (ProtobufCBinaryData){ 14, mem_memdup("\0nobody\0secret", 14) };
	on_auth_sasl(&t.call, &t.request);
	mem_free(t.request.input.data);
	for (int i = 0; i < 10 && fake.pending_count > 0; i++) {
		struct ipc_result unknown = { .code = STARLING__CODE__CODE_NOT_FOUND, .text = "" };
		struct str request = fake.pending[0].request;

		fake.pending_count = 0;
		fake.pending[0].done(&unknown, NULL, fake.pending[0].ctx);
		mem_free((void *)request.p);
	}
	assert_int_equal(hashing_open(fake.auth->hashing), 1);
	assert_int_equal(t.call.answered, 0);
	fake_turn();
	assert_refused(&t, "not-authorized");
	attempt_fini(&t);
}

static void never_without_tls(void **state)
{
	struct attempt t;

	(void)state;
	assert_int_equal(fake_create("juliet@one.test", "secret"), 0);
	fake.reads = 0;
	attempt_init(&t, "PLAIN");
	t.request.encrypted = false;
	step(&t, STR("\0juliet\0secret"));
	assert_refused(&t, "encryption-required");
	step(&t, str_make(NULL, 0));
	assert_refused(&t, "encryption-required");
	assert_int_equal(fake.reads, 0);
	attempt_fini(&t);
}

static void malformed(void **state)
{
	static const struct str bad[] = {
		{ "", 0 },
		{ "juliet", 6 },
		{ "\0juliet", 7 },
		{ "\0juliet\0", 8 },
		{ "\0\0secret", 8 },
		{ "\0juliet\0sec\0ret", 15 },
		{ "\0juliet\0secret\0", 15 },
		{ "\0juliet\0secret\0\0\0", 17 },
		{ "\0juli\xff\0secret", 13 },
	};

	(void)state;
	assert_int_equal(fake_create("juliet@one.test", "secret"), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_condition("PLAIN", bad[i], "malformed-request");
}

static void authzid_of_another_user(void **state)
{
	(void)state;
	assert_int_equal(fake_create("juliet@one.test", "secret"), 0);
	assert_int_equal(fake_create("romeo@one.test", "secret"), 0);
	assert_condition("PLAIN", STR("romeo@one.test\0juliet\0secret"), "invalid-authzid");
	assert_condition("PLAIN", STR("juliet@two.test\0juliet\0secret"), "invalid-authzid");
	assert_condition("PLAIN", STR("juliet\0juliet\0secret"), "invalid-authzid");
	assert_condition("PLAIN", STR("juliet@one.test/balcony\0juliet\0secret"), "invalid-authzid");
}

static void full_queue_puts_off(void **state)
{
	struct attempt t;

	(void)state;
	assert_int_equal(fake_create("juliet@one.test", "secret"), 0);
	fake.options.hash_queue = 0;
	attempt_init(&t, "PLAIN");
	step(&t, STR("\0juliet\0secret"));
	assert_refused(&t, "temporary-auth-failure");
	attempt_fini(&t);
}

static void storage_away(void **state)
{
	struct attempt t;

	(void)state;
	fake.fail_code = STARLING__CODE__CODE_TIMEOUT;
	fake.fail_times = -1;
	attempt_init(&t, "PLAIN");
	step(&t, STR("\0juliet\0secret"));
	assert_int_equal(t.call.code, STARLING__CODE__CODE_UNAVAILABLE);
	assert_null(t.call.reply);
	attempt_fini(&t);
}

static void failures_are_throttled(void **state)
{
	int refused = 0, put_off = 0;

	(void)state;
	fake.options.failure_burst = 2;
	fake.options.failures_per_minute = 1;
	auth_reload(fake.auth);
	for (int i = 0; i < 5; i++) {
		struct attempt t;

		attempt_init(&t, "PLAIN");
		t.request.address = TEXT(i % 2 ? "2001:db8::1" : "2001:db8::ffff:2");
		step(&t, STR("\0juliet\0guess"));
		refused += strcmp(reply_of(&t)->condition, "not-authorized") == 0;
		put_off += strcmp(reply_of(&t)->condition, "temporary-auth-failure") == 0;
		attempt_fini(&t);
	}
	assert_int_equal(refused, 2);
	assert_int_equal(put_off, 3);
}

/* Many logins of one address at the same time, each asked for but not yet answered. */
static void queue_many(struct attempt *t, int n, const char *const *passwords)
{
	for (int i = 0; i < n; i++) {
		struct buf message = { 0 };

		buf_append(&message, "\0juliet\0", 8);
		buf_append_cstr(&message, passwords[i]);
		attempt_init(&t[i], "PLAIN");
		t[i].request.has_input = true;
		t[i].request.input = (ProtobufCBinaryData){ message.n, (uint8_t *)message.p };
		on_auth_sasl(&t[i].call, &t[i].request);
		buf_fini(&message);
	}
}

static void good_logins_at_once_cost_nothing(void **state)
{
	static const char *const passwords[] = { "secret", "secret", "secret", "secret", "secret", "secret" };
	struct attempt t[6];

	(void)state;
	fake.options.failure_burst = 1;
	fake.options.failures_per_minute = 1;
	auth_reload(fake.auth);
	assert_int_equal(fake_create("juliet@one.test", "secret"), 0);
	queue_many(t, 6, passwords);
	fake_turn();
	for (int i = 0; i < 6; i++) {
		assert_int_equal(reply_of(&t[i])->outcome, STARLING__SASL_OUTCOME__SASL_SUCCESS);
		attempt_fini(&t[i]);
	}
}

/* Six guesses at once with two tokens: two are told that they are wrong, and the right one among the rest is not told either. */
static void guesses_at_once_gain_nothing(void **state)
{
	static const char *const passwords[] = { "a", "b", "c", "d", "e", "secret" };
	struct attempt t[6];
	int refused = 0, put_off = 0;

	(void)state;
	fake.options.failure_burst = 2;
	fake.options.failures_per_minute = 1;
	auth_reload(fake.auth);
	assert_int_equal(fake_create("juliet@one.test", "secret"), 0);
	queue_many(t, 6, passwords);
	fake_turn();
	for (int i = 0; i < 6; i++) {
		refused += strcmp(reply_of(&t[i])->condition, "not-authorized") == 0;
		put_off += strcmp(reply_of(&t[i])->condition, "temporary-auth-failure") == 0;
		attempt_fini(&t[i]);
	}
	assert_int_equal(refused, 2);
	assert_true(put_off >= 3);
}

/* The daemon stops while passwords are being hashed: every login is answered, once. */
static void stopping_answers_everything(void **state)
{
	static const char *const passwords[] = { "secret", "secret", "secret", "secret", "secret", "secret" };
	struct attempt t[6];

	(void)state;
	assert_int_equal(fake_create("juliet@one.test", "secret"), 0);
	queue_many(t, 6, passwords);
	for (size_t i = 0; i < fake.pending_count; i++) {
		fake_serve(fake.pending[i].method, fake.pending[i].request, fake.pending[i].done, fake.pending[i].ctx);
		mem_free((void *)fake.pending[i].request.p);
	}
	fake.pending_count = 0;
	assert_int_equal(hashing_open(fake.auth->hashing), 6);
	hashing_free(&fake.auth->hashing);
	for (int i = 0; i < 6; i++) {
		assert_int_equal(t[i].call.answered, 1);
		attempt_fini(&t[i]);
	}
	fake.auth->hashing = hashing_new(&skeleton.loop);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_start, fake_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(right_password),
		TEST(without_initial_response),
		TEST(wrong_password_and_unknown_user),
		TEST(unknown_user_costs_the_same),
		TEST(never_without_tls),
		TEST(malformed),
		TEST(authzid_of_another_user),
		TEST(full_queue_puts_off),
		TEST(storage_away),
		TEST(failures_are_throttled),
		TEST(good_logins_at_once_cost_nothing),
		TEST(guesses_at_once_gain_nothing),
		TEST(stopping_answers_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
