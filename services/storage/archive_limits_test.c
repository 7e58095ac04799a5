/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "services/storage/archive_limits.h"
#include "services/storage/options.h"

static void test_parse(void **state)
{
	struct archive_limit l;
	struct err e;

	(void)state;
	assert_int_equal(archive_limit_parse("example.org max_age=30d max_messages=1000", &l, &e), 0);
	assert_string_equal(l.host, "example.org");
	assert_true(l.max_age_us == 30 * 86400 * INT64_C(1000000));
	assert_true(l.max_messages == 1000);
	mem_free(l.host);
	assert_int_equal(archive_limit_parse("example.org  max_messages=0", &l, &e), 0);
	assert_true(l.max_age_us == 0 && l.max_messages == 0);
	mem_free(l.host);
}

static void test_refusals(void **state)
{
	static const char *const bad[] = { "",
		                           "example.org",
		                           "example.org max_age",
		                           "example.org max_age=",
		                           "example.org max_age=-1d",
		                           "example.org max_age=soon",
		                           "example.org max_messages=",
		                           "example.org max_messages=-1",
		                           "example.org max_messages=10k",
		                           "example.org max_messages=3000000000",
		                           "example.org max_size=1" };
	struct archive_limit l;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(archive_limit_parse(bad[i], &l, &e), -1);
		assert_null(l.host);
		assert_true(*e.text != '\0');
	}
}

static void test_options(void **state)
{
	char *hosts[] = { (char *)"a.example max_age=1d", (char *)"b.example nonsense" };
	struct options o = { .archive_max_age_ms = 86400000, .archive_max_messages = 7, .archive_hosts = { hosts, 1 } };
	struct archive_limits l;
	struct err e;

	(void)state;
	assert_int_equal(archive_limits_init(&l, &o, &e), 0);
	assert_true(l.all.max_age_us == INT64_C(86400000000) && l.all.max_messages == 7);
	assert_int_equal(l.count, 1);
	assert_string_equal(l.hosts[0].host, "a.example");
	archive_limits_fini(&l);
	o.archive_hosts.count = 2;
	assert_int_equal(archive_limits_init(&l, &o, &e), -1);
	assert_string_equal(e.text, "services.storage.archive.hosts: \"b.example nonsense\": \"nonsense\" is not max_age=DURATION or "
	                            "max_messages=NUMBER");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
