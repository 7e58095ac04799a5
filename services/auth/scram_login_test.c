/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole SCRAM logins through the handlers: what succeeds, what is offered, what is limited. */
#include "services/auth/fake_client.h"

static void every_mechanism_logs_in(void **state)
{
	(void)state;
	assert_int_equal(fake_create("juliet@one.test", "r0m30myr0m30"), 0);
	for (size_t i = 0; i < mechanism_count; i++) {
		struct attempt t;
		struct str final;

		if (mechanisms[i].kind != MECHANISM_SCRAM)
			continue;
		attempt_init(&t, mechanisms[i].name);
		fake.reads = 0;
		final = begin(&t, "juliet", "r0m30myr0m30");
		step(&t, final);
		assert_int_equal(reply_of(&t)->outcome, STARLING__SASL_OUTCOME__SASL_SUCCESS);
		assert_string_equal(reply_of(&t)->account, "juliet@one.test");
		assert_true(reply_of(&t)->has_output);
		assert_true(scram_client_accepts(t.client, output_of(&t)));
		assert_int_equal(fake.reads, 1);
		attempt_fini(&t);
	}
}

static void name_is_prepared_and_authzid_may_be_oneself(void **state)
{
	struct attempt t;
	struct str final;

	(void)state;
	assert_int_equal(fake_create("juliet@one.test", "secret"), 0);
	attempt_init(&t, "SCRAM-SHA-256");
	client_init(&t, "JULIET", "secret", "Juliet@one.test");
	step(&t, scram_client_first(t.client));
	assert_true(scram_client_final(t.client, output_of(&t), &final));
	step(&t, final);
	assert_string_equal(reply_of(&t)->account, "juliet@one.test");
	attempt_fini(&t);
}

static void without_initial_response(void **state)
{
	struct attempt t;
	struct str final;

	(void)state;
	assert_int_equal(fake_create("juliet@one.test", "secret"), 0);
	attempt_init(&t, "SCRAM-SHA-512");
	client_init(&t, "juliet", "secret", "");
	step(&t, str_make(NULL, 0));
	assert_int_equal(reply_of(&t)->outcome, STARLING__SASL_OUTCOME__SASL_CONTINUE);
	assert_false(reply_of(&t)->has_output);
	step(&t, scram_client_first(t.client));
	assert_true(scram_client_final(t.client, output_of(&t), &final));
	step(&t, final);
	assert_int_equal(reply_of(&t)->outcome, STARLING__SASL_OUTCOME__SASL_SUCCESS);
	attempt_fini(&t);
}

static void salt_and_count_of(struct str server_first, char out[128])
{
	const char *s = memmem(server_first.p, server_first.n, ",s=", 3);
	size_t n;

	assert_non_null(s);
	n = (size_t)(server_first.p + server_first.n - s);
	assert_true(n < 128);
	memcpy(out, s, n);
	out[n] = '\0';
}

/* Same shape, same salt each time, a salt of its own for each name and hash, and a refusal that says nothing else. */
static void unknown_user_looks_like_a_known_one(void **state)
{
	char known[128], unknown[128], again[128], other[128], sha1[128];
	struct attempt t;
	struct str final;

	(void)state;
	assert_int_equal(fake_create("juliet@one.test", "secret"), 0);
	attempt_init(&t, "SCRAM-SHA-256");
	begin(&t, "juliet", "secret");
	salt_and_count_of(output_of(&t), known);
	attempt_fini(&t);
	attempt_init(&t, "SCRAM-SHA-256");
	final = begin(&t, "nobody", "secret");
	salt_and_count_of(output_of(&t), unknown);
	step(&t, final);
	assert_refused(&t, "not-authorized");
	assert_string_equal(reply_of(&t)->text, "");
	attempt_fini(&t);
	attempt_init(&t, "SCRAM-SHA-256");
	begin(&t, "nobody", "x");
	salt_and_count_of(output_of(&t), again);
	attempt_fini(&t);
	attempt_init(&t, "SCRAM-SHA-256");
	begin(&t, "nobody2", "x");
	salt_and_count_of(output_of(&t), other);
	attempt_fini(&t);
	attempt_init(&t, "SCRAM-SHA-1");
	begin(&t, "nobody", "x");
	salt_and_count_of(output_of(&t), sha1);
	attempt_fini(&t);
	assert_string_equal(unknown, again);
	assert_string_not_equal(unknown, other);
	assert_string_not_equal(unknown, sha1);
	assert_int_equal(strlen(known), strlen(unknown));
}

static void storage_away(void **state)
{
	struct attempt t;

	(void)state;
	fake.fail_code = STARLING__CODE__CODE_UNAVAILABLE;
	fake.fail_times = -1;
	attempt_init(&t, "SCRAM-SHA-256");
	step(&t, STR("n,,n=juliet,r=abc"));
	assert_int_equal(t.call.code, STARLING__CODE__CODE_UNAVAILABLE);
	assert_null(t.call.reply);
	/* An instance that died with the question: another one is asked. */
	fake.fail_code = STARLING__CODE__CODE_PEER_LOST;
	fake.fail_times = 1;
	step(&t, STR("n,,n=juliet,r=abc"));
	assert_int_equal(reply_of(&t)->outcome, STARLING__SASL_OUTCOME__SASL_CONTINUE);
	t.request.state = (ProtobufCBinaryData){ 0 };
	fake.fail_times = 2;
	step(&t, STR("n,,n=juliet,r=abc"));
	assert_int_equal(t.call.code, STARLING__CODE__CODE_UNAVAILABLE);
	attempt_fini(&t);
}

static void account_without_this_hash(void **state)
{
	Starling__Credentials c = STARLING__CREDENTIALS__INIT;
	Starling__ScramKeys keys = STARLING__SCRAM_KEYS__INIT, *pointer = &keys;
	struct attempt t;
	struct str packed, final;

	(void)state;
	keys.hash = TEXT("SHA-1");
	keys.salt = (ProtobufCBinaryData){ 4, (uint8_t *)"salt" };
	keys.iterations = 4096;
	keys.stored_key = keys.server_key = (ProtobufCBinaryData){ 20, (uint8_t *)"01234567890123456789" };
	c.account = TEXT("old@one.test");
	c.scram = &pointer;
	c.n_scram = 1;
	packed = fake_pack(&c.base);
	assert_int_equal(fake_put(packed, c.account, true), 0);
	mem_free((void *)packed.p);
	attempt_init(&t, "SCRAM-SHA-256");
	final = begin(&t, "old", "secret");
	step(&t, final);
	assert_refused(&t, "not-authorized");
	attempt_fini(&t);
}

/* Failures use up the address's tokens; successes do not; other addresses have their own. */
static void failures_are_throttled_by_address(void **state)
{
	struct attempt t;
	struct str final;

	(void)state;
	fake.options.failure_burst = 3;
	fake.options.failures_per_minute = 1;
	auth_reload(fake.auth);
	assert_int_equal(fake_create("juliet@one.test", "secret"), 0);
	for (int i = 0; i < 13; i++) {
		attempt_init(&t, "SCRAM-SHA-1");
		final = begin(&t, "juliet", i < 10 ? "secret" : "wrong");
		step(&t, final);
		if (i >= 10)
			assert_refused(&t, "not-authorized");
		else
			assert_int_equal(reply_of(&t)->outcome, STARLING__SASL_OUTCOME__SASL_SUCCESS);
		attempt_fini(&t);
	}
	attempt_init(&t, "SCRAM-SHA-1");
	fake.reads = 0;
	step(&t, STR("n,,n=juliet,r=abc"));
	assert_refused(&t, "temporary-auth-failure");
	assert_int_equal(fake.reads, 0);
	attempt_fini(&t);
	attempt_init(&t, "SCRAM-SHA-1");
	t.request.address = TEXT("192.0.2.99");
	final = begin(&t, "juliet", "secret");
	step(&t, final);
	assert_int_equal(reply_of(&t)->outcome, STARLING__SASL_OUTCOME__SASL_SUCCESS);
	attempt_fini(&t);
}

/* A token cannot be saved up by starting many exchanges before the first one fails. */
static void open_exchanges_do_not_go_round_the_throttle(void **state)
{
	struct attempt t[5];
	struct str final[5];
	int refused = 0;

	(void)state;
	fake.options.failure_burst = 3;
	fake.options.failures_per_minute = 1;
	auth_reload(fake.auth);
	for (int i = 0; i < 5; i++) {
		attempt_init(&t[i], "SCRAM-SHA-1");
		final[i] = begin(&t[i], "juliet", "guess");
	}
	for (int i = 0; i < 5; i++) {
		step(&t[i], final[i]);
		refused += strcmp(reply_of(&t[i])->condition, "not-authorized") == 0;
		attempt_fini(&t[i]);
	}
	assert_int_equal(refused, 3);
}

static void mechanisms_follow_the_connection(void **state)
{
	static const struct {
		bool encrypted;
		const char *binding, *expected;
	} cases[] = {
		{ true, "tls-exporter",
		  "SCRAM-SHA-512-PLUS SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-512 SCRAM-SHA-256 SCRAM-SHA-1 PLAIN " },
		{ true, "tls-unique", "SCRAM-SHA-512 SCRAM-SHA-256 SCRAM-SHA-1 PLAIN " },
		{ false, "tls-exporter", "SCRAM-SHA-512 SCRAM-SHA-256 SCRAM-SHA-1 " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		Starling__MechanismsRequest request = STARLING__MECHANISMS_REQUEST__INIT;
		struct ipc_call call = { 0 };
		char *binding = (char *)cases[i].binding, all[256] = "";

		request.host = TEXT("one.test");
		request.encrypted = cases[i].encrypted;
		request.channel_bindings = &binding;
		request.n_channel_bindings = 1;
		on_auth_mechanisms(&call, &request);
		for (size_t m = 0; m < ((Starling__MechanismsReply *)call.reply)->n_mechanisms; m++) {
			strcat(all, ((Starling__MechanismsReply *)call.reply)->mechanisms[m]);
			strcat(all, " ");
		}
		assert_string_equal(all, cases[i].expected);
		assert_true(((Starling__MechanismsReply *)call.reply)->registration);
		call_clear(&call);
		request.host = TEXT("three.test");
		on_auth_mechanisms(&call, &request);
		assert_int_equal(call.code, STARLING__CODE__CODE_INVALID);
	}
}

static void mechanism_switched_off(void **state)
{
	struct attempt t;

	(void)state;
	fake.options.mechanisms.count = 2;
	attempt_init(&t, "SCRAM-SHA-256");
	step(&t, STR("n,,n=juliet,r=abc"));
	assert_refused(&t, "invalid-mechanism");
	attempt_fini(&t);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_start, fake_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_mechanism_logs_in),
		TEST(name_is_prepared_and_authzid_may_be_oneself),
		TEST(without_initial_response),
		TEST(unknown_user_looks_like_a_known_one),
		TEST(storage_away),
		TEST(account_without_this_hash),
		TEST(failures_are_throttled_by_address),
		TEST(open_exchanges_do_not_go_round_the_throttle),
		TEST(mechanisms_follow_the_connection),
		TEST(mechanism_switched_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
