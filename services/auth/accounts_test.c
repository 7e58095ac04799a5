/* SPDX-License-Identifier: Apache-2.0
 *
 * Creating, changing, removing, listing and checking accounts. */
#include "services/auth/fake_flock.h"

static int create(const char *account, const char *password, const char *address)
{
	Starling__CreateAccountRequest request = STARLING__CREATE_ACCOUNT_REQUEST__INIT;
	struct ipc_call call = { 0 };
	char *copy = mem_strdup(password);
	int code;

	request.account = TEXT(account);
	request.password = copy;
	request.address = TEXT(address);
	on_auth_create_account(&call, &request);
	fake_turn();
	assert_int_equal(call.answered, 1);
	assert_string_equal(copy, "");
	code = call.code;
	call_clear(&call);
	mem_free(copy);
	return code;
}

static int change(const char *account, const char *password, bool by_user)
{
	Starling__ChangePasswordRequest request = STARLING__CHANGE_PASSWORD_REQUEST__INIT;
	struct ipc_call call = { 0 };
	char *copy = mem_strdup(password);
	int code;

	request.account = TEXT(account);
	request.password = copy;
	request.by_user = by_user;
	on_auth_change_password(&call, &request);
	fake_turn();
	assert_int_equal(call.answered, 1);
	code = call.code;
	call_clear(&call);
	mem_free(copy);
	return code;
}

static int named(void (*handler)(struct ipc_call *, const Starling__AccountRequest *), const char *account)
{
	Starling__AccountRequest request = STARLING__ACCOUNT_REQUEST__INIT;
	struct ipc_call call = { 0 };
	int code;

	request.account = TEXT(account);
	handler(&call, &request);
	fake_turn();
	assert_int_equal(call.answered, 1);
	code = call.code;
	call_clear(&call);
	return code;
}

static bool password_is(const char *account, const char *password)
{
	int i = fake_find(account);
	Starling__Credentials *c;
	bool all = true;

	if (i < 0)
		return false;
	c = fake_account((size_t)i);
	assert_int_equal(c->n_scram, DIGEST_COUNT);
	for (size_t k = 0; k < c->n_scram; k++) {
		struct scram_keys keys = { .iterations = c->scram[k]->iterations, .salt_n = c->scram[k]->salt.len };

		assert_true(digest_parse(str_from(c->scram[k]->hash), &keys.hash));
		assert_int_equal(keys.iterations, 4096);
		assert_int_equal(keys.salt_n, 16);
		memcpy(keys.salt, c->scram[k]->salt.data, 16);
		memcpy(keys.stored_key, c->scram[k]->stored_key.data, c->scram[k]->stored_key.len);
		all = scram_password_matches(&keys, str_from(password)) && all;
		if (k > 0)
			assert_memory_not_equal(c->scram[k]->salt.data, c->scram[0]->salt.data, 16);
	}
	starling__credentials__free_unpacked(c, NULL);
	return all;
}

static void created_with_keys_of_every_hash(void **state)
{
	(void)state;
	assert_int_equal(create("Juliet@ONE.test", "balcony scene", "192.0.2.1"), 0);
	assert_true(password_is("juliet@one.test", "balcony scene"));
	assert_false(password_is("juliet@one.test", "balcony scenes"));
	assert_int_equal(create("juliet@one.test", "another one", "192.0.2.1"), STARLING__CODE__CODE_EXISTS);
	assert_true(password_is("juliet@one.test", "balcony scene"));
}

static void password_itself_is_stored_nowhere(void **state)
{
	(void)state;
	assert_int_equal(create("juliet@one.test", "balcony scene", ""), 0);
	assert_null(memmem(fake.accounts[0].p, fake.accounts[0].n, "balcony", 7));
}

static void users_keep_to_the_policy(void **state)
{
	(void)state;
	assert_int_equal(create("juliet@one.test", "seven77", ""), STARLING__CODE__CODE_INVALID);
	assert_int_equal(create("juliet@one.test", "\303\274\303\274\303\274\303\274\303\274\303\274\303\274", ""),
	                 STARLING__CODE__CODE_INVALID);
	assert_int_equal(create("admin@one.test", "long enough", ""), STARLING__CODE__CODE_DENIED);
	assert_int_equal(create("ADMIN@one.test", "long enough", ""), STARLING__CODE__CODE_DENIED);
	fake.options.registration_hosts = (struct config_list){ &fake_hosts[1], 1 };
	assert_int_equal(create("juliet@one.test", "long enough", ""), STARLING__CODE__CODE_DENIED);
	assert_int_equal(create("juliet@two.test", "long enough", ""), 0);
	fake.options.registration = false;
	assert_int_equal(create("romeo@two.test", "long enough", ""), STARLING__CODE__CODE_DENIED);
	assert_int_equal(fake_find("romeo@two.test"), -1);
}

static void operators_are_above_the_policy(void **state)
{
	(void)state;
	fake.options.registration = false;
	assert_int_equal(fake_create("admin@one.test", "x"), 0);
	assert_true(password_is("admin@one.test", "x"));
	assert_int_equal(fake_create("empty@one.test", ""), STARLING__CODE__CODE_INVALID);
	assert_int_equal(fake_create("control@one.test", "\x01"), STARLING__CODE__CODE_INVALID);
}

static void names_and_hosts_are_checked(void **state)
{
	static const char *const bad[] = {
		"", "one.test", "a@three.test", "a@one.test/x", "@one.test", "a b@one.test", "a@", "a@b@one.test"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(fake_create(bad[i], "secret"), STARLING__CODE__CODE_INVALID);
		assert_int_equal(change(bad[i], "secret", false), STARLING__CODE__CODE_INVALID);
		assert_int_equal(named(on_auth_remove_account, bad[i]), STARLING__CODE__CODE_INVALID);
		assert_int_equal(named(on_auth_check_account, bad[i]), STARLING__CODE__CODE_INVALID);
	}
}

static void registrations_are_limited_by_address(void **state)
{
	(void)state;
	fake.options.registration_burst = 2;
	fake.options.registrations_per_hour = 1;
	auth_reload(fake.auth);
	assert_int_equal(create("a@one.test", "short", "192.0.2.1"), STARLING__CODE__CODE_INVALID);
	assert_int_equal(create("a@one.test", "long enough", "192.0.2.1"), 0);
	assert_int_equal(create("b@one.test", "long enough", "192.0.2.1"), 0);
	assert_int_equal(create("c@one.test", "long enough", "192.0.2.1"), STARLING__CODE__CODE_LIMIT);
	assert_int_equal(create("c@one.test", "long enough", "192.0.2.2"), 0);
	assert_int_equal(fake_create("d@one.test", "x"), 0);
}

static void password_changes(void **state)
{
	(void)state;
	assert_int_equal(change("juliet@one.test", "new", false), STARLING__CODE__CODE_NOT_FOUND);
	assert_int_equal(fake_create("juliet@one.test", "old password"), 0);
	assert_int_equal(change("juliet@one.test", "new", true), STARLING__CODE__CODE_INVALID);
	assert_true(password_is("juliet@one.test", "old password"));
	assert_int_equal(change("juliet@one.test", "new password", true), 0);
	assert_true(password_is("juliet@one.test", "new password"));
	assert_int_equal(change("juliet@one.test", "new", false), 0);
	assert_true(password_is("juliet@one.test", "new"));
}

static void removal_and_check(void **state)
{
	(void)state;
	assert_int_equal(named(on_auth_check_account, "juliet@one.test"), STARLING__CODE__CODE_NOT_FOUND);
	assert_int_equal(fake_create("juliet@one.test", "secret"), 0);
	assert_int_equal(named(on_auth_check_account, "JULIET@one.test"), 0);
	assert_int_equal(named(on_auth_remove_account, "juliet@one.test"), 0);
	assert_string_equal(fake.removed, "juliet@one.test");
	assert_int_equal(named(on_auth_check_account, "juliet@one.test"), STARLING__CODE__CODE_NOT_FOUND);
	assert_int_equal(named(on_auth_remove_account, "juliet@one.test"), STARLING__CODE__CODE_NOT_FOUND);
}

static void listing_pages(void **state)
{
	Starling__ListAccountsRequest request = STARLING__LIST_ACCOUNTS_REQUEST__INIT;
	const Starling__ListAccountsReply *reply;
	struct ipc_call call = { 0 };

	(void)state;
	request.host = TEXT("one.test");
	on_auth_list_accounts(&call, &request);
	fake_turn();
	reply = (const Starling__ListAccountsReply *)call.reply;
	assert_int_equal(reply->n_accounts, 2);
	assert_string_equal(reply->accounts[1], "b@one.test");
	assert_true(reply->complete);
	call_clear(&call);
	request.limit = 1;
	on_auth_list_accounts(&call, &request);
	fake_turn();
	reply = (const Starling__ListAccountsReply *)call.reply;
	assert_int_equal(reply->n_accounts, 1);
	assert_false(reply->complete);
	call_clear(&call);
	request.host = TEXT("three.test");
	on_auth_list_accounts(&call, &request);
	assert_int_equal(call.code, STARLING__CODE__CODE_INVALID);
}

static void storages_failures_are_passed_on(void **state)
{
	(void)state;
	fake.fail_times = -1;
	fake.fail_code = STARLING__CODE__CODE_UNAVAILABLE;
	assert_int_equal(fake_create("juliet@one.test", "secret"), STARLING__CODE__CODE_UNAVAILABLE);
	assert_int_equal(change("juliet@one.test", "secret", false), STARLING__CODE__CODE_UNAVAILABLE);
	assert_int_equal(named(on_auth_remove_account, "juliet@one.test"), STARLING__CODE__CODE_UNAVAILABLE);
	fake.fail_code = STARLING__CODE__CODE_TIMEOUT;
	assert_int_equal(named(on_auth_check_account, "juliet@one.test"), STARLING__CODE__CODE_TIMEOUT);
}

static void full_queue_refuses(void **state)
{
	(void)state;
	fake.options.hash_queue = 0;
	assert_int_equal(fake_create("juliet@one.test", "secret"), STARLING__CODE__CODE_OVERLOAD);
	assert_int_equal(change("juliet@one.test", "secret", false), STARLING__CODE__CODE_OVERLOAD);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_start, fake_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(created_with_keys_of_every_hash),
		TEST(password_itself_is_stored_nowhere),
		TEST(users_keep_to_the_policy),
		TEST(operators_are_above_the_policy),
		TEST(names_and_hosts_are_checked),
		TEST(registrations_are_limited_by_address),
		TEST(password_changes),
		TEST(removal_and_check),
		TEST(listing_pages),
		TEST(storages_failures_are_passed_on),
		TEST(full_queue_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
