/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "services/s2s/s2s.h"

#define KEY(rest) "<key xmlns='" S2S_NS_KEY "' " rest "/>"

static struct arena *arena;
static struct buf out;

static void expect_aged(const char *bytes, const char *without, uint64_t stream, uint64_t number, bool again, uint64_t age_s)
{
	struct s2s_key key = { 0 };
	struct str rest = s2s_key_take(&out, arena, str_from(bytes), &key);

	if (!str_is(rest, without))
		fail_msg("%.*s is left of %s", STR_ARG(rest), bytes);
	assert_true(key.stream == stream && key.number == number && key.again == again && key.age_s == age_s);
	arena_reset(arena);
}

static void expect(const char *bytes, const char *without, uint64_t stream, uint64_t number, bool again)
{
	expect_aged(bytes, without, stream, number, again, 0);
}

static void test_added_is_taken(void **state)
{
	static const struct s2s_key keys[] = {
		{ .stream = 1, .number = 1 },
		{ .stream = 0xfedcba9876543210u, .number = 42, .again = true },
		{ .stream = UINT64_MAX, .number = UINT64_MAX, .age_s = 86400, .again = true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		struct buf text = { 0 };

		buf_append_cstr(&text, "<message type='chat'><body>x</body>");
		s2s_key_add(&text, &keys[i]);
		buf_append_cstr(&text, "</message>");
		buf_append(&text, "", 1);
		expect_aged(text.p, "<message type='chat'><body>x</body></message>", keys[i].stream, keys[i].number, keys[i].again,
		            keys[i].age_s);
		buf_fini(&text);
	}
}

static bool says_age(void)
{
	return memmem(buf_str(&out).p, buf_str(&out).n, "age", 3) != NULL;
}

/* An age belongs to a repetition, and says nothing when it is longer than anybody looks back. */
static void test_ages(void **state)
{
	struct s2s_key first = { .stream = 1, .number = 1, .age_s = 7 }, old = { .stream = 1, .number = 1, .age_s = 86401, .again = true };

	(void)state;
	buf_clear(&out);
	s2s_key_add(&out, &first);
	assert_false(says_age());
	buf_clear(&out);
	s2s_key_add(&out, &old);
	assert_false(says_age());
	expect_aged("<message>" KEY("s='1' n='1' again='1' age='7'") "</message>", "<message/>", 1, 1, true, 7);
	expect_aged("<message>" KEY("s='1' n='1' age='7'") "</message>", "<message/>", 1, 1, false, 0);
	expect_aged("<message>" KEY("s='1' n='1' again='1' age='86401'") "</message>", "<message/>", 1, 1, true, 0);
	expect_aged("<message>" KEY("s='1' n='1' again='1' age='-7'") "</message>", "<message/>", 1, 1, true, 0);
}

static void same(const char *bytes)
{
	expect(bytes, bytes, 0, 0, false);
}

static void test_only_the_last_child(void **state)
{
	(void)state;
	same("<message/>");
	same("<message><body>x</body></message>");
	same("<message>" KEY("s='1' n='1'") "<body>x</body></message>");
	same("<message>" KEY("s='1' n='1'") "<x xmlns='u:x'/></message>");
	same("<message><x xmlns='u:x'>" KEY("s='1' n='1'") "</x></message>");
	same("<message><key xmlns='u:other' s='1' n='1'/></message>");
	same("<message><body>&lt;key xmlns='" S2S_NS_KEY "' s='1' n='1'/&gt;</body></message>");
	same("<presence>" KEY("s='1' n='1'") "</presence>");
	expect("<message>" KEY("s='1' n='1'") KEY("s='2' n='3'") "</message>", "<message>" KEY("s='1' n='1'") "</message>", 2, 3, false);
}

/* It is taken off, and says nothing. */
static void test_bad_numbers(void **state)
{
	static const char *const table[] = {
		"<message>" KEY("") "</message>",
		"<message>" KEY("s='' n=''") "</message>",
		"<message>" KEY("s='-1' n='-1'") "</message>",
		"<message>" KEY("s='xyz' n=' 1'") "</message>",
		"<message>" KEY("s='10000000000000000' n='18446744073709551616'") "</message>",
		"<message>" KEY("s='FF' n='ff'") "</message>",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		expect(table[i], "<message/>", 0, 0, false);
	expect("<message>" KEY("again='yes' n='7' s='a'") "</message>", "<message/>", 10, 7, false);
	expect("<message type='chat'>" KEY("s='1' n='1' again='1'") "</message>", "<message type='chat'/>", 1, 1, true);
}

static int begin(void **state)
{
	(void)state;
	arena = arena_new(0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	arena_free(&arena);
	buf_fini(&out);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_added_is_taken),
		cmocka_unit_test(test_ages),
		cmocka_unit_test(test_only_the_last_child),
		cmocka_unit_test(test_bad_numbers),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
