/* SPDX-License-Identifier: Apache-2.0
 *
 * Whom bans are for, how long, and that they are the same after a restart. */
#include "services/mqtt-broker/bans.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct net_addr address(const char *text)
{
	struct sockaddr_storage s;
	struct net_addr a;
	socklen_t n;

	assert_int_equal(net_addr_parse(text, 1, &s, &n, NULL), 0);
	net_addr_from((struct sockaddr *)&s, &a);
	return a;
}

static bool banned(struct mq_bans *b, const char *client, const char *user, const char *at)
{
	struct net_addr a = address(at);

	return mq_bans_has(b, str_from(client), user, &a, 100);
}

static void add(struct mq_bans *b, const char *client, const char *user, const char *at, int64_t until_s)
{
	struct mq_whom whom = { client, user, at };
	struct err e;

	if (mq_bans_add(b, &whom, until_s, &e) < 0)
		fail_msg("%s", e.text);
}

static void whom_they_fit(void **state)
{
	struct mq_bans b;

	(void)state;
	mq_bans_init(&b);
	assert_false(banned(&b, "c", "u@h", "192.0.2.1"));
	add(&b, "c", NULL, NULL, 0);
	add(&b, NULL, "u@h", NULL, 0);
	add(&b, NULL, NULL, "198.51.100.0/24", 0);
	add(&b, NULL, NULL, "2001:db8::/32", 0);
	add(&b, "d", "v@h", "", 0);
	assert_true(banned(&b, "c", NULL, "192.0.2.1"));
	assert_true(banned(&b, "x", "u@h", "192.0.2.1"));
	assert_true(banned(&b, "x", NULL, "198.51.100.7"));
	assert_true(banned(&b, "x", NULL, "2001:db8::7"));
	assert_false(banned(&b, "cc", "u@hh", "198.51.101.7"));
	/* All that is said has to fit. */
	assert_true(banned(&b, "d", "v@h", "192.0.2.1"));
	assert_false(banned(&b, "d", NULL, "192.0.2.1") || banned(&b, "d", "w@h", "192.0.2.1") || banned(&b, "e", "v@h", "192.0.2.1"));
	mq_bans_fini(&b);
}

static void how_long(void **state)
{
	struct mq_whom whom = { .client = "c" };
	struct mq_bans b;

	(void)state;
	mq_bans_init(&b);
	add(&b, "c", NULL, NULL, 100);
	assert_false(banned(&b, "c", NULL, "192.0.2.1"));
	assert_int_equal(b.count, 0);
	add(&b, "c", NULL, NULL, 101);
	assert_true(banned(&b, "c", NULL, "192.0.2.1"));
	add(&b, "c", NULL, NULL, 50);
	assert_int_equal(b.count, 1);
	assert_false(banned(&b, "c", NULL, "192.0.2.1"));
	add(&b, "c", NULL, NULL, 0);
	assert_true(mq_bans_remove(&b, &whom));
	assert_false(mq_bans_remove(&b, &whom));
	/* Whatever else it names; but all that is asked for. */
	add(&b, "c", "romeo@a.test", NULL, 0);
	add(&b, "c", "juliet@a.test", NULL, 0);
	assert_false(mq_bans_remove(&b, &(struct mq_whom){ 0 }));
	assert_false(mq_bans_remove(&b, &(struct mq_whom){ .client = "c", .address = "192.0.2.1" }));
	assert_true(mq_bans_remove(&b, &(struct mq_whom){ .client = "c", .user = "romeo@a.test" }));
	assert_int_equal(b.count, 1);
	assert_true(mq_bans_remove(&b, &(struct mq_whom){ .client = "c" }));
	assert_int_equal(b.count, 0);
	mq_bans_fini(&b);
}

static void what_is_refused(void **state)
{
	static const struct mq_whom wrong[] = {
		{ 0 }, { "", "", "" }, { .address = "somewhere" }, { "c", "u@h", "192.0.2.1/24" }, { .address = "192.0.2.0/33" }
	};
	struct err e = { 0 };
	struct mq_bans b;
	char name[16];

	(void)state;
	mq_bans_init(&b);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(mq_bans_add(&b, &wrong[i], 0, &e), -1);
	assert_int_equal(b.count, 0);
	for (b.count = 0; b.count < 3;) {
		snprintf(name, sizeof(name), "c%u", b.count);
		add(&b, name, NULL, NULL, 0);
	}
	b.count = MQ_BANS_MAX;
	assert_int_equal(mq_bans_add(&b, &(struct mq_whom){ .client = "more" }, 0, &e), -1);
	assert_non_null(strstr(e.text, "10000"));
	add(&b, "c1", NULL, NULL, 7);
	b.count = 3;
	mq_bans_fini(&b);
}

static void in_a_file(void **state)
{
	char dir[] = "/tmp/bans-test-XXXXXX", path[64];
	struct mq_bans b, again;
	struct buf one = { 0 }, two = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/bans", dir);
	mq_bans_init(&b);
	mq_bans_init(&again);
	assert_int_equal(mq_bans_load(&b, path, &e), 0);
	assert_int_equal(mq_bans_save(&b, path, &e), 0);
	add(&b, "a\tb\n100% \303\274\x7f", "u@h", NULL, 0);
	add(&b, NULL, NULL, "192.0.2.0/24", 5000000000);
	assert_int_equal(mq_bans_save(&b, path, &e), 0);
	assert_int_equal(mq_bans_load(&again, path, &e), 0);
	mq_bans_write(&b, &one);
	mq_bans_write(&again, &two);
	assert_true(str_eq(buf_str(&one), buf_str(&two)));
	assert_int_equal(again.count, 2);
	assert_true(banned(&again, "a\tb\n100% \303\274\x7f", "u@h", "203.0.113.1"));
	buf_fini(&one);
	buf_fini(&two);
	mq_bans_fini(&b);
	mq_bans_fini(&again);
	unlink(path);
	rmdir(dir);
	assert_int_equal(mq_bans_save(&again, path, &e), -1);
	assert_non_null(strstr(e.text, "No such file"));
}

static void broken_files_are_refused(void **state)
{
	static const char *const texts[] = { "0\tc\t\t",     "c\n",          "0\tc\tu\n",   "x\tc\t\t\n",  "\tc\t\t\n",     "-1\tc\t\t\n",
		                             "0\t\t\t\n",    "0\tc\t\tx\n",  "0\tc%\t\t\n", "0\t%4\t\t\n", "0\tc%0g\t\t\n", "0\tc%00\t\t\n",
		                             "0\tc\t\t\t\n", "0\tc\r\t\t\n", "\n",          "0\tc\t\t\n\n" };
	struct mq_bans b;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		mq_bans_init(&b);
		e.text[0] = '\0';
		if (mq_bans_read(&b, str_from(texts[i]), &e) == 0)
			fail_msg("taken: %zu", i);
		assert_non_null(strstr(e.text, "is no ban"));
		mq_bans_fini(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whom_they_fit),
		cmocka_unit_test(how_long),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(in_a_file),
		cmocka_unit_test(broken_files_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
