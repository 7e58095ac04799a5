/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts that need no flock: exchange, decoy, options. */
#include "services/auth/fake_flock.h"

#include "services/auth/decoy.h"
#include "services/auth/exchange.h"

static void exchange_comes_back(void **state)
{
	struct exchange x = { .stage = EXCHANGE_SCRAM,
		              .decoy = true,
		              .account = STR("a@b"),
		              .gs2_header = STR("n,,"),
		              .client_first_bare = STR("n=a,r=x"),
		              .server_first = STR("r=xy,s=QQ==,i=4096"),
		              .keys = { .hash = DIGEST_SHA512 } },
	                read;
	struct buf b = { 0 };

	(void)state;
	memset(x.keys.stored_key, 7, 64);
	memset(x.keys.server_key, 9, 64);
	assert_true(exchange_write(&b, &x));
	assert_true(exchange_read(buf_str(&b), &read));
	assert_true(read.decoy && str_is(read.account, "a@b") && str_is(read.gs2_header, "n,,") && read.cbind_type.n == 0);
	assert_true(str_is(read.client_first_bare, "n=a,r=x") && str_is(exchange_nonce(&read), "xy"));
	assert_memory_equal(&read.keys, &x.keys, sizeof(x.keys));
	/* Cut or lengthened, it is none. */
	for (size_t n = 0; n < buf_str(&b).n; n++)
		assert_false(exchange_read(str_make(b.p, n), &read));
	buf_append_char(&b, 'x');
	assert_false(exchange_read(buf_str(&b), &read));
	buf_fini(&b);
}

static void exchange_refuses_other_versions(void **state)
{
	struct exchange read;

	(void)state;
	assert_true(exchange_read(STR("\1\0\0"), &read));
	assert_false(exchange_read(STR("\1\0\0x"), &read));
	assert_false(exchange_read(STR("\3\0\0"), &read));
	assert_false(exchange_read(STR("\1\0\3"), &read));
	assert_false(exchange_read(STR(""), &read));
}

static void decoys_are_stable_and_distinct(void **state)
{
	static const uint8_t secret[SEAL_KEY_SIZE] = { 1 }, other[SEAL_KEY_SIZE] = { 2 };
	struct scram_keys a, b;

	(void)state;
	decoy_keys(secret, STR("x@one.test"), DIGEST_SHA256, 10000, &a);
	decoy_keys(secret, STR("x@one.test"), DIGEST_SHA256, 10000, &b);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_equal(a.salt_n, 16);
	decoy_keys(secret, STR("y@one.test"), DIGEST_SHA256, 10000, &b);
	assert_memory_not_equal(a.salt, b.salt, 16);
	decoy_keys(secret, STR("x@one.test"), DIGEST_SHA512, 10000, &b);
	assert_memory_not_equal(a.salt, b.salt, 16);
	decoy_keys(other, STR("x@one.test"), DIGEST_SHA256, 10000, &b);
	assert_memory_not_equal(a.salt, b.salt, 16);
}

static void options_are_checked_together(void **state)
{
	char *unknown[] = { TEXT("PLAIN"), TEXT("CRAM-MD5") }, *foreign[] = { TEXT("three.test") };
	struct config_shared shared = { .hosts = { fake_hosts, 2 } };
	struct options o = { .mechanisms = { fake_mechanisms, 7 }, .registration_hosts = { fake_hosts, 1 } };
	struct err e;

	(void)state;
	assert_int_equal(options_check(&shared, &o, &e), 0);
	o.mechanisms = (struct config_list){ unknown, 2 };
	assert_int_equal(options_check(&shared, &o, &e), -1);
	assert_non_null(strstr(e.text, "CRAM-MD5"));
	o.mechanisms = (struct config_list){ unknown, 0 };
	assert_int_equal(options_check(&shared, &o, &e), -1);
	o.mechanisms = (struct config_list){ unknown, 1 };
	o.registration_hosts = (struct config_list){ foreign, 1 };
	assert_int_equal(options_check(&shared, &o, &e), -1);
}

static void throttle_ignores_what_is_no_address(void **state)
{
	struct throttle *t = throttle_new();

	(void)state;
	throttle_configure(t, 0.001, 1, 64);
	for (int i = 0; i < 5; i++)
		assert_true(throttle_take(t, "", 1000) && throttle_take(t, "unix", 1000));
	assert_true(throttle_take(t, "::ffff:192.0.2.1", 1000));
	assert_false(throttle_take(t, "192.0.2.1", 1000));
	assert_false(throttle_open(t, "192.0.2.1", 1000));
	assert_true(throttle_open(t, "192.0.2.2", 1000) && throttle_open(t, "192.0.2.2", 1000));
	assert_true(throttle_take(t, "192.0.2.2", 1000));
	assert_false(throttle_open(t, "192.0.2.2", 1000));
	assert_true(throttle_open(t, "192.0.2.2", 2000000));
	throttle_configure(t, 0, 1, 64);
	assert_true(throttle_take(t, "192.0.2.1", 1000));
	throttle_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exchange_comes_back),
		cmocka_unit_test(exchange_refuses_other_versions),
		cmocka_unit_test(decoys_are_stable_and_distinct),
		cmocka_unit_test(options_are_checked_together),
		cmocka_unit_test(throttle_ignores_what_is_no_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
