/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "services/c2s-edge/fake_flock.h"

/* Against a plain array, with keys that collide on purpose. */
static void holds_what_was_put(void **state)
{
	enum { N = 2000 };
	static uint64_t keys[N];
	struct c2s_table t = { 0 };
	uint64_t x = 1;

	(void)state;
	for (int i = 0; i < N; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		keys[i] = i % 3 == 0 ? (uint64_t)(i + 1) << 40 : (x | 1);
		assert_true(c2s_table_put(&t, keys[i], (struct c2s_session *)&keys[i]));
		assert_false(c2s_table_put(&t, keys[i], NULL));
	}
	for (int round = 0; round < 3; round++) {
		for (int i = round; i < N; i += 7)
			c2s_table_remove(&t, keys[i]);
		for (int i = 0; i < N; i++) {
			bool gone = false;

			for (int r = 0; r <= round; r++)
				gone = gone || (i >= r && (i - r) % 7 == 0);
			assert_ptr_equal(c2s_table_get(&t, keys[i]), gone ? NULL : (void *)&keys[i]);
		}
	}
	assert_null(c2s_table_get(&t, 0));
	assert_false(c2s_table_put(&t, 0, NULL));
	c2s_table_remove(&t, 12345);
	c2s_table_fini(&t);
	assert_null(c2s_table_get(&t, 1));
}

/* --- the window of unaccepted stanzas ----------------------------------------------------------------------------- */

static struct c2s_window w;

static void add(const char *to)
{
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;

	meta.to = (char *)(uintptr_t)to;
	meta.id = (char *)"i";
	c2s_window_add(&w, &meta, STR("<message/>"), 7);
}

static uint64_t send_next(void)
{
	struct c2s_pending *p = c2s_window_next(&w);

	if (!p)
		return 0;
	c2s_window_sent(&w, p);
	return p->number;
}

static void numbers_have_no_gaps_and_all_are_kept_until_accepted(void **state)
{
	char to[20] = "romeo@a.test";
	struct c2s_pending *p;

	(void)state;
	c2s_window_init(&w);
	for (int i = 0; i < 5; i++)
		add(to);
	to[0] = 'x'; /* it has a copy */
	p = c2s_window_next(&w);
	assert_string_equal(p->meta.to, "romeo@a.test");
	assert_string_equal(p->meta.id, "i");
	assert_string_equal(p->meta.child_ns, "");
	assert_memory_equal(p->payload.p, "<message/>", 10);
	assert_int_equal(p->trace, 7);
	for (uint64_t i = 1; i <= 5; i++)
		assert_int_equal(send_next(), i);
	assert_int_equal(send_next(), 0);
	assert_int_equal(w.count, 5);
	assert_true(c2s_window_accept(&w, 3));
	assert_int_equal(w.count, 2);
	assert_false(c2s_window_accept(&w, 2));
	assert_false(c2s_window_accept(&w, 6)); /* was never given out */
	assert_int_equal(w.count, 2);
	assert_true(c2s_window_accept(&w, 5));
	assert_int_equal(w.count, 0);
	assert_int_equal(w.bytes, 0);
	c2s_window_fini(&w);
}

static void a_new_owner_gets_exactly_what_is_unaccepted(void **state)
{
	(void)state;
	c2s_window_init(&w);
	for (int i = 0; i < 6; i++)
		add("romeo@a.test");
	for (int i = 0; i < 4; i++)
		send_next();
	c2s_window_accept(&w, 2);
	c2s_window_rewind(&w);
	for (uint64_t i = 3; i <= 6; i++)
		assert_int_equal(send_next(), i);
	/* The new owner knows more than we were told: an Accepted was lost. */
	c2s_window_rewind(&w);
	c2s_window_accept(&w, 5);
	assert_int_equal(send_next(), 6);
	add("romeo@a.test");
	assert_int_equal(send_next(), 7);
	c2s_window_fini(&w);
}

/* --- xml:lang ----------------------------------------------------------------------------------------------------- */

static void the_language_is_stamped_once(void **state)
{
	static const char *const rows[][2] = {
		{ "<message/>", "<message xml:lang='fr'/>" },
		{ "<message><body>x</body></message>", "<message xml:lang='fr'><body>x</body></message>" },
		{ "<iq type='get' id='a'><x/></iq>", "<iq xml:lang='fr' type='get' id='a'><x/></iq>" },
		{ "<message xml:lang='it'/>", "<message xml:lang='it'/>" },
		{ "<message id='1' xml:lang='it' type='chat'/>", "<message id='1' xml:lang='it' type='chat'/>" },
		{ "<message id=' xml:lang='/>", "<message xml:lang='fr' id=' xml:lang='/>" },
		{ "<message><body xml:lang='it'/></message>", "<message xml:lang='fr'><body xml:lang='it'/></message>" },
		{ "<message id='>'><body/></message>", "<message xml:lang='fr' id='>'><body/></message>" },
	};
	struct buf out = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_true(str_is(c2s_lang_stamp(&out, str_from(rows[i][0]), "fr"), rows[i][1]));
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_what_was_put),
		cmocka_unit_test(numbers_have_no_gaps_and_all_are_kept_until_accepted),
		cmocka_unit_test(a_new_owner_gets_exactly_what_is_unaccepted),
		cmocka_unit_test(the_language_is_stamped_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
