/* SPDX-License-Identifier: Apache-2.0 */
#include "services/turn-relay/ticket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static const struct ticket_key key = { { 1, 2, [40] = 3 } };
static const struct ticket sample = { .serial = 0x0003000000000102, .generation = 7, .until_s = 1000 };

static struct str made(const struct ticket_key *with, const struct ticket *t)
{
	static char text[TICKET_SIZE];

	ticket_make(with, t, text);
	return str_make(text, sizeof(text));
}

static void test_comes_back_as_it_was(void **state)
{
	struct ticket got;

	(void)state;
	assert_true(ticket_read(&key, made(&key, &sample), 0, &got));
	assert_true(got.serial == sample.serial && got.generation == sample.generation && got.until_s == sample.until_s);
}

static void test_time(void **state)
{
	struct ticket got;

	(void)state;
	assert_true(ticket_read(&key, made(&key, &sample), sample.until_s, &got));
	assert_false(ticket_read(&key, made(&key, &sample), sample.until_s + 1, &got));
}

/* The cipher's and the HMAC's. */
static void test_other_keys(void **state)
{
	struct ticket_key cipher = key, mac = key;
	struct ticket got;

	(void)state;
	mac.bytes[TICKET_KEY_SIZE - 1] ^= 1;
	assert_false(ticket_read(&mac, made(&key, &sample), 0, &got));
	cipher.bytes[0] ^= 1;
	assert_true(ticket_read(&cipher, made(&key, &sample), 0, &got) == false || got.serial != sample.serial);
}

static void test_every_character_counts(void **state)
{
	char text[TICKET_SIZE + 1] = "";
	struct ticket got;

	(void)state;
	for (size_t i = 0; i < TICKET_SIZE; i++) {
		ticket_make(&key, &sample, text);
		text[i] = text[i] == 'A' ? 'B' : 'A';
		assert_false(ticket_read(&key, str_make(text, TICKET_SIZE), 0, &got));
	}
	ticket_make(&key, &sample, text);
	for (size_t n = 0; n < TICKET_SIZE; n++)
		assert_false(ticket_read(&key, str_make(text, n), 0, &got));
	assert_false(ticket_read(&key, str_make(text, TICKET_SIZE + 1), 0, &got));
}

/* Nothing of what it says can be seen in it, and neighbours do not look alike. */
static void test_says_nothing(void **state)
{
	struct ticket next = sample;
	char first[TICKET_SIZE], second[TICKET_SIZE];
	unsigned same = 0;

	(void)state;
	next.generation++;
	ticket_make(&key, &sample, first);
	ticket_make(&key, &next, second);
	for (size_t i = 0; i < TICKET_SIZE; i++)
		same += first[i] == second[i];
	assert_true(same < TICKET_SIZE / 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_comes_back_as_it_was), cmocka_unit_test(test_time),
		                            cmocka_unit_test(test_other_keys), cmocka_unit_test(test_every_character_counts),
		                            cmocka_unit_test(test_says_nothing) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
