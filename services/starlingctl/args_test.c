/* SPDX-License-Identifier: Apache-2.0 */
#include "services/starlingctl/args.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "services/starlingctl/backoff.h"
#include "services/starlingctl/roles.h"

#define COUNT(a) (int)(sizeof(a) / sizeof((a)[0]))

static int parse(struct args *a, unsigned allowed, unsigned min, unsigned max, int argc, const char *const *argv, struct err *e)
{
	*a = (struct args){ .timeout_ms = 5000 };
	return args_parse(a, allowed, min, max, argc, (char **)(uintptr_t)argv, e);
}

static void test_options_anywhere(void **state)
{
	const char *const argv[] = { "alice", "--dir", "st", "example.org", "--json", "--timeout=250ms", "-" };
	struct args a;
	struct err e;

	(void)state;
	assert_int_equal(parse(&a, OPTION_DIR | OPTION_JSON | OPTION_TIMEOUT, 2, 3, COUNT(argv), argv, &e), 0);
	assert_int_equal(a.word_count, 3);
	assert_string_equal(a.words[0], "alice");
	assert_string_equal(a.words[2], "-");
	assert_string_equal(a.dir, "st");
	assert_true(a.json);
	assert_int_equal(a.timeout_ms, 250);
}

static void test_repeated_domain(void **state)
{
	const char *const argv[] = { "--domain", "a.test", "--domain=b.test" };
	struct args a;

	(void)state;
	assert_int_equal(parse(&a, OPTION_DOMAIN, 0, 0, COUNT(argv), argv, NULL), 0);
	assert_int_equal(a.domain_count, 2);
	assert_string_equal(a.domains[1], "b.test");
}

static void test_words_behind_dashes(void **state)
{
	const char *const argv[] = { "alice", "example.org", "--", "--secret" };
	struct args a;

	(void)state;
	assert_int_equal(parse(&a, OPTION_DIR, 2, 3, COUNT(argv), argv, NULL), 0);
	assert_string_equal(a.words[2], "--secret");
}

static void refuse(unsigned allowed, unsigned min, unsigned max, const char *first, const char *second, const char *why)
{
	const char *const argv[] = { first, second };
	struct args a;
	struct err e = { "" };

	assert_int_equal(parse(&a, allowed, min, max, second ? 2 : first ? 1 : 0, argv, &e), -1);
	if (!strstr(e.text, why))
		fail_msg("'%s' does not say '%s'", e.text, why);
}

static void test_refusals(void **state)
{
	(void)state;
	refuse(OPTION_DIR, 0, 1, "--nonsense", NULL, "unknown option --nonsense");
	refuse(OPTION_DIR, 0, 1, "--json", NULL, "unknown option --json"); /* known, but not to this command */
	refuse(OPTION_JSON, 0, 1, "--json=yes", NULL, "takes no value");
	refuse(OPTION_DIR, 0, 1, "--dir", NULL, "needs a value");
	refuse(OPTION_DIR, 0, 1, "-d", NULL, "unknown option -d");
	refuse(OPTION_DIR, 1, 1, NULL, NULL, "too few");
	refuse(OPTION_DIR, 0, 1, "one", "two", "unexpected argument 'two'");
	refuse(OPTION_PORT_OFFSET, 0, 0, "--port-offset", "-1", "no number");
	refuse(OPTION_PORT_OFFSET, 0, 0, "--port-offset", "12x", "no number");
	refuse(OPTION_PORT_OFFSET, 0, 0, "--port-offset", "60001", "no number");
	refuse(OPTION_TIMEOUT, 0, 0, "--timeout", "soon", "no duration");
}

static void test_help_needs_no_words(void **state)
{
	const char *const argv[] = { "--help" };
	struct args a;

	(void)state;
	assert_int_equal(parse(&a, 0, 2, 2, COUNT(argv), argv, NULL), 0);
	assert_true(a.help);
}

static void test_scale(void **state)
{
	unsigned counts[ROLE_COUNT] = { 1, 1, 1, 1, 1, 1, 1, 0, 0 };
	struct err e;

	(void)state;
	assert_int_equal(roles_parse_scale("c2s-edge=2,router=3", counts, &e), 0);
	assert_int_equal(counts[0], 3);
	assert_int_equal(counts[1], 1);
	assert_int_equal(counts[4], 2);
	assert_int_equal(roles_parse_scale(NULL, counts, &e), 0);
	assert_int_equal(roles_parse_scale("auth=0", counts, &e), 0);
	assert_int_equal(counts[2], 0);
	assert_int_equal(roles_parse_scale("proxy65=1", counts, &e), 0);
	assert_int_equal(counts[7], 1);
	assert_int_equal(roles_parse_scale("c2s=2", counts, &e), -1);
	assert_int_equal(roles_parse_scale("auth", counts, &e), -1);
	assert_int_equal(roles_parse_scale("auth=", counts, &e), -1);
	assert_int_equal(roles_parse_scale("auth=x", counts, &e), -1);
	assert_int_equal(roles_parse_scale("auth=65", counts, &e), -1);
	assert_int_equal(roles_parse_scale("auth=2;router=2", counts, &e), -1);
}

static void test_waves_are_in_order(void **state)
{
	(void)state;
	for (int i = 0; i < ROLE_COUNT; i++)
		assert_non_null(roles[i].name);
	for (int i = 1; i < ROLE_COUNT; i++)
		assert_true(roles[i - 1].wave <= roles[i].wave && roles[i].wave > WAVE_STORES);
}

/* Whoever upgrades gets no new open port, and needs no new key. */
static void test_relays_run_only_when_asked_for(void **state)
{
	(void)state;
	for (int i = 0; i < ROLE_COUNT; i++) {
		bool relay = strcmp(roles[i].name, "proxy65") == 0 || strcmp(roles[i].name, "turn-relay") == 0 ||
		             strcmp(roles[i].name, "mqtt-bridge") == 0 || strcmp(roles[i].name, "mqtt-gateway") == 0;

		assert_int_equal(roles[i].usual, relay ? 0 : 1);
	}
}

static void test_backoff(void **state)
{
	static const uint32_t bases[] = { 1000, 2000, 4000, 8000, 16000, 30000, 30000 };
	struct backoff b = { 0 };

	(void)state;
	for (unsigned i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
		uint32_t delay = backoff_delay_ms(&b, 10, i * 7919u);

		assert_in_range(delay, bases[i] * 4 / 5, bases[i] * 6 / 5);
	}
	assert_in_range(backoff_delay_ms(&b, BACKOFF_FORGET_MS, 1), 800, 1200);
	assert_in_range(backoff_delay_ms(&b, 0, UINT64_MAX), 1600, 2400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_anywhere),
		cmocka_unit_test(test_repeated_domain),
		cmocka_unit_test(test_words_behind_dashes),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_help_needs_no_words),
		cmocka_unit_test(test_scale),
		cmocka_unit_test(test_waves_are_in_order),
		cmocka_unit_test(test_relays_run_only_when_asked_for),
		cmocka_unit_test(test_backoff),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
