/* SPDX-License-Identifier: Apache-2.0
 *
 * What may be subscribed to and still not received. */
#include "services/mqtt-broker/fake_flock.h"
#include "services/mqtt-broker/metrics.h"

static void rules(const char *text)
{
	struct err e;

	mq_access_free(&fake.broker->access);
	fake.broker->access = mq_access_parse(str_from(text), &e);
	assert_non_null(fake.broker->access);
}

static void test_receive(void **state)
{
	double before = mq_metrics.denied_receive.value;

	(void)state;
	rules("allow all #\nallow receive x/%c\ndeny receive x/#\n");
	live5(0, "a");
	live5(1, "b");
	say(1, "82 . 0001 () s'#' 01");
	hear(1, "90 . 0001 () 01");
	/* Retained, too. */
	say(0, "31 (s'x/c' () '0') 31 (s'x/b' () '1')");
	hear(1, "30 . s'x/b' () '1'");
	say(0, "32 (s'x/c' 0001 () '2') 32 (s'x/b' 0002 () '3') 30 (s'y' () '4')");
	hear(0, "40 02 0001 40 02 0002");
	hear(1, "32 (s'x/b' 0001 () '3') 30 (s'y' () '4')");
	say(1, "82 . 0002 () s'x/+' 00");
	hear(1, "90 (0002 () 00) 31 (s'x/b' () '1')");
	assert_int_equal(mq_metrics.denied_receive.value - before, 3);
}

/* A session that lasts has nothing put into its queue that it may not have. */
static void test_of_one_that_lasts(void **state)
{
	(void)state;
	rules("allow all #\ndeny receive x/no\n");
	last5(1, "b", CONNACK_5);
	say(1, "82 . 0001 () s'x/#' 01");
	hear(1, "90 . 0001 () 01");
	live5(0, "a");
	say(0, "32 (s'x/no' 0001 () '1') 32 (s'x/yes' 0002 () '2')");
	hear(0, "40 02 0001 40 02 0002");
	hear(1, "32 . s'x/yes' 0002 () '2'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_receive, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_of_one_that_lasts, fake_setup, fake_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
