/* SPDX-License-Identifier: Apache-2.0
 *
 * Every way in which a SCRAM login must fail. */
#include "services/auth/fake_client.h"

static void wrong_password(void **state)
{
	(void)state;
	assert_int_equal(fake_create("juliet@one.test", "secret"), 0);
	for (size_t i = 0; i < mechanism_count; i++) {
		struct attempt t;
		struct str final;

		if (mechanisms[i].kind != MECHANISM_SCRAM)
			continue;
		attempt_init(&t, mechanisms[i].name);
		final = begin(&t, "juliet", "secret2");
		step(&t, final);
		assert_refused(&t, "not-authorized");
		attempt_fini(&t);
	}
}

static void account_of_another_host(void **state)
{
	struct attempt t;
	struct str final;

	(void)state;
	assert_int_equal(fake_create("juliet@one.test", "secret"), 0);
	attempt_init(&t, "SCRAM-SHA-256");
	t.request.host = TEXT("two.test");
	final = begin(&t, "juliet", "secret");
	step(&t, final);
	assert_refused(&t, "not-authorized");
	attempt_fini(&t);
	attempt_init(&t, "SCRAM-SHA-256");
	t.request.host = TEXT("three.test");
	step(&t, STR("n,,n=juliet,r=abc"));
	assert_refused(&t, "not-authorized");
	attempt_fini(&t);
}

/* What must be refused at the first message. */
static void first_messages_refused(void **state)
{
	static const struct {
		const char *mechanism, *message, *condition;
	} cases[] = {
		{ "SCRAM-SHA-256", "", "malformed-request" },
		{ "SCRAM-SHA-256", "n,,n=,r=abc", "malformed-request" },
		{ "SCRAM-SHA-256", "n,,n=juliet,r=", "malformed-request" },
		{ "SCRAM-SHA-256", "n,,m=x,n=juliet,r=abc", "malformed-request" },
		{ "SCRAM-SHA-256", "n,,n=jul=iet,r=abc", "malformed-request" },
		{ "SCRAM-SHA-256", "n,,n=a b,r=abc", "not-authorized" },
		{ "SCRAM-SHA-256", "n,,n=juliet@one.test,r=abc", "not-authorized" },
		{ "SCRAM-SHA-256", "n,a=romeo@one.test,n=juliet,r=abc", "invalid-authzid" },
		{ "SCRAM-SHA-256", "n,a=juliet@two.test,n=juliet,r=abc", "invalid-authzid" },
		{ "SCRAM-SHA-256", "n,a=juliet@one.test/x,n=juliet,r=abc", "invalid-authzid" },
		{ "SCRAM-SHA-256", "n,a=juliet,n=juliet,r=abc", "invalid-authzid" },
		{ "SCRAM-SHA-256", "n,a=@,n=juliet,r=abc", "invalid-authzid" },
		/* The client saw no -PLUS, but it was offered. */
		{ "SCRAM-SHA-256", "y,,n=juliet,r=abc", "not-authorized" },
		{ "SCRAM-SHA-256", "p=tls-exporter,,n=juliet,r=abc", "malformed-request" },
		{ "SCRAM-SHA-256-PLUS", "n,,n=juliet,r=abc", "malformed-request" },
		{ "SCRAM-SHA-256-PLUS", "y,,n=juliet,r=abc", "malformed-request" },
		{ "SCRAM-SHA-256-PLUS", "p=tls-unique,,n=juliet,r=abc", "not-authorized" },
		{ "SCRAM-SHA-256-PLUS", "p=,,n=juliet,r=abc", "malformed-request" },
		{ "CRAM-MD5", "", "invalid-mechanism" },
		{ "", "n,,n=juliet,r=abc", "invalid-mechanism" },
		{ "scram-sha-256", "n,,n=juliet,r=abc", "invalid-mechanism" },
	};

	(void)state;
	assert_int_equal(fake_create("juliet@one.test", "secret"), 0);
	fake.reads = 0;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct attempt t;

		attempt_init(&t, cases[i].mechanism);
		step(&t, str_from(cases[i].message));
		if (strcmp(reply_of(&t)->condition, cases[i].condition) != 0)
			fail_msg("%s '%s': %s", cases[i].mechanism, cases[i].message, reply_of(&t)->condition);
		assert_refused(&t, cases[i].condition);
		attempt_fini(&t);
	}
	assert_int_equal(fake.reads, 0);
}

static void plus_needs_a_binding_and_tls(void **state)
{
	struct attempt t;

	(void)state;
	attempt_init(&t, "SCRAM-SHA-256-PLUS");
	t.request.n_channel_bindings = 0;
	step(&t, STR("p=tls-exporter,,n=juliet,r=abc"));
	assert_refused(&t, "invalid-mechanism");
	t.request.n_channel_bindings = 2;
	t.request.encrypted = false;
	step(&t, STR("p=tls-exporter,,n=juliet,r=abc"));
	assert_refused(&t, "invalid-mechanism");
	attempt_fini(&t);
	/* Where nothing was offered, y is honest. */
	attempt_init(&t, "SCRAM-SHA-256");
	t.request.n_channel_bindings = 0;
	step(&t, STR("y,,n=juliet,r=abc"));
	assert_int_equal(reply_of(&t)->outcome, STARLING__SASL_OUTCOME__SASL_CONTINUE);
	attempt_fini(&t);
}

/* What the client asks for must be what the edge can vouch for, known by name or not. */
static void binding_not_on_this_connection(void **state)
{
	struct attempt t;

	(void)state;
	attempt_init(&t, "SCRAM-SHA-256-PLUS");
	t.request.n_channel_bindings = 1;
	step(&t, STR("p=tls-server-end-point,,n=juliet,r=abc"));
	assert_refused(&t, "not-authorized");
	t.request.n_channel_bindings = 2;
	t.binding[1].data.len = 0;
	step(&t, STR("p=tls-server-end-point,,n=juliet,r=abc"));
	assert_refused(&t, "not-authorized");
	t.binding[1].type = TEXT("tls-unique");
	t.binding[1].data.len = 5;
	step(&t, STR("p=tls-unique,,n=juliet,r=abc"));
	assert_int_equal(reply_of(&t)->outcome, STARLING__SASL_OUTCOME__SASL_CONTINUE);
	attempt_fini(&t);
}

static void channel_of_another_connection(void **state)
{
	struct scram_client_config config = { .hash = DIGEST_SHA256,
		                              .username = STR("juliet"),
		                              .password = STR("secret"),
		                              .cbind = SCRAM_CBIND_USED,
		                              .cbind_type = STR("tls-exporter"),
		                              .cbind_data = STR("what the man in the middle has..") };
	struct attempt t;
	struct str final;

	(void)state;
	assert_int_equal(fake_create("juliet@one.test", "secret"), 0);
	attempt_init(&t, "SCRAM-SHA-256-PLUS");
	t.client = scram_client_new(&config);
	step(&t, scram_client_first(t.client));
	assert_true(scram_client_final(t.client, output_of(&t), &final));
	step(&t, final);
	assert_refused(&t, "not-authorized");
	attempt_fini(&t);
}

/* A good final message, changed: nonce, proof, header, grammar. */
static void final_messages_refused(void **state)
{
	static const struct {
		const char *find, *replace, *condition;
	} cases[] = {
		{ ",r=", ",r=x", "not-authorized" },          { "c=biws", "c=eSws", "not-authorized" },
		{ "c=biws", "c=biwsAA==", "not-authorized" }, { "c=biws,", "c=biws,m=1,", "malformed-request" },
		{ ",p=", ",x=1,p=", "not-authorized" },       { ",p=", ",q=", "malformed-request" },
		{ ",p=", ",p==", "malformed-request" },       { "c=biws,r", "r", "malformed-request" },
		{ ",p=", ",p=AAAA", "malformed-request" },
	};

	(void)state;
	assert_int_equal(fake_create("juliet@one.test", "secret"), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct attempt t;
		struct buf changed = { 0 };
		struct str final;
		const char *at;

		attempt_init(&t, "SCRAM-SHA-256");
		final = begin(&t, "juliet", "secret");
		at = memmem(final.p, final.n, cases[i].find, strlen(cases[i].find));
		assert_non_null(at);
		buf_append(&changed, final.p, (size_t)(at - final.p));
		buf_append_cstr(&changed, cases[i].replace);
		at += strlen(cases[i].find);
		buf_append(&changed, at, (size_t)(final.p + final.n - at));
		step(&t, buf_str(&changed));
		if (strcmp(reply_of(&t)->condition, cases[i].condition) != 0)
			fail_msg("case %zu: %s", i, reply_of(&t)->condition);
		assert_refused(&t, cases[i].condition);
		buf_fini(&changed);
		attempt_fini(&t);
	}
}

static void replayed_final_message(void **state)
{
	char *seen;
	struct attempt t;
	struct str final;
	size_t n;

	(void)state;
	assert_int_equal(fake_create("juliet@one.test", "secret"), 0);
	attempt_init(&t, "SCRAM-SHA-256");
	final = begin(&t, "juliet", "secret");
	n = final.n;
	seen = mem_memdup(final.p, n);
	step(&t, final);
	assert_int_equal(reply_of(&t)->outcome, STARLING__SASL_OUTCOME__SASL_SUCCESS);
	/* A second exchange, begun with the very same first message. */
	t.request.state = (ProtobufCBinaryData){ 0 };
	step(&t, scram_client_first(t.client));
	step(&t, str_make(seen, n));
	assert_refused(&t, "not-authorized");
	mem_free(seen);
	attempt_fini(&t);
}

/* The sealed state, brought back where it does not belong. */
static void state_does_not_travel(void **state)
{
	struct str final;
	struct attempt t;

	(void)state;
	assert_int_equal(fake_create("juliet@one.test", "secret"), 0);
	for (int i = 0; i < 7; i++) {
		attempt_init(&t, "SCRAM-SHA-256");
		final = begin(&t, "juliet", "secret");
		if (i == 0)
			t.request.host = TEXT("two.test");
		else if (i == 1)
			t.request.mechanism = TEXT("SCRAM-SHA-512");
		else if (i == 2)
			t.request.address = TEXT("192.0.2.8");
		else if (i == 3)
			t.binding[0].data.data = (uint8_t *)"another connection's exporter...";
		else if (i == 4)
			t.request.n_channel_bindings = 1;
		else if (i == 5)
			t.request.encrypted = false;
		else
			t.state[30] = (char)(t.state[30] ^ 1);
		step(&t, final);
		assert_refused(&t, "not-authorized");
		attempt_fini(&t);
	}
}

static void expired_and_foreign_state(void **state)
{
	static const uint8_t foreign_key[SEAL_KEY_SIZE] = { 1 };
	struct attempt t;
	struct str final;
	struct seal *own = fake.auth->seal;

	(void)state;
	assert_int_equal(fake_create("juliet@one.test", "secret"), 0);
	attempt_init(&t, "SCRAM-SHA-256");
	final = begin(&t, "juliet", "secret");
	/* The time of sealing is in front: moving it is noticed, and an old one is expired. */
	t.state[8] = 0;
	t.state[7] = 0;
	step(&t, final);
	assert_refused(&t, "not-authorized");
	attempt_fini(&t);
	attempt_init(&t, "SCRAM-SHA-256");
	fake.auth->seal = seal_new(foreign_key);
	final = begin(&t, "juliet", "secret");
	seal_free(&fake.auth->seal);
	fake.auth->seal = own;
	step(&t, final);
	assert_refused(&t, "not-authorized");
	attempt_fini(&t);
	attempt_init(&t, "SCRAM-SHA-256");
	t.request.state = (ProtobufCBinaryData){ 5, (uint8_t *)"hello" };
	step(&t, STR("c=biws,r=abc,p=AAAA"));
	assert_refused(&t, "not-authorized");
	attempt_fini(&t);
}

static void oversized_input(void **state)
{
	struct attempt t;
	char *big = mem_alloc(100000);

	(void)state;
	memset(big, 'a', 100000);
	memcpy(big, "n,,n=a,r=", 9);
	attempt_init(&t, "SCRAM-SHA-256");
	step(&t, str_make(big, 100000));
	assert_refused(&t, "malformed-request");
	attempt_fini(&t);
	mem_free(big);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_start, fake_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(wrong_password),
		TEST(account_of_another_host),
		TEST(first_messages_refused),
		TEST(plus_needs_a_binding_and_tls),
		TEST(binding_not_on_this_connection),
		TEST(channel_of_another_connection),
		TEST(final_messages_refused),
		TEST(replayed_final_message),
		TEST(state_does_not_travel),
		TEST(expired_and_foreign_state),
		TEST(oversized_input),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
