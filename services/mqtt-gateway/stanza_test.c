/* SPDX-License-Identifier: Apache-2.0
 *
 * stanzas to the domain: what is refused, and what a contact says. */
#include "services/mqtt-gateway/flow_for_test.h"

static void test_messages_refused(void **state)
{
	static const struct {
		const char *from, *to;
		uint32_t flags;
		Starling__StanzaType type;
		const char *condition; /* NULL: not answered */
	} rows[] = {
		{ "romeo@example.org/r", LAMP, STANZA_BODY, TYPE(CHAT), "<forbidden " },
		{ "juliet@example.org/r", "lamps@things.example.org", STANZA_BODY, TYPE(NORMAL), "<item-not-found " },
		{ "juliet@example.org/r", "things.example.org", STANZA_BODY, TYPE(NORMAL), "<item-not-found " },
		{ "juliet@example.org/r", "a@things.example.org", STANZA_BODY, TYPE(CHAT), "<service-unavailable " },
		{ "juliet@example.org/r", LAMP, STANZA_BODY | STANZA_ENCRYPTED, TYPE(CHAT), "<not-acceptable " },
		{ "romeo@example.org/r", LAMP, STANZA_CHAT_STATE, TYPE(CHAT), NULL },
		{ "romeo@example.org/r", LAMP, STANZA_BODY, TYPE(ERROR), NULL },
		{ "romeo@example.org", "a@things.example.org", STANZA_BODY, TYPE(ERROR), NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		say(0, STARLING__STANZA_KIND__STANZA_MESSAGE, rows[i].type, rows[i].flags, rows[i].from, rows[i].to,
		    "<message><body>x</body></message>");
		if (rows[i].condition)
			refused(0, rows[i].condition);
		assert_int_equal(f.requests[0].code, 0);
		assert_int_equal(f.call_count, 0);
	}
	got("");
}

static void test_presence(void **state)
{
	static const struct {
		const char *from, *to;
		Starling__StanzaType type;
		const char *want; /* payloads, one behind the other */
	} rows[] = {
		{ "juliet@example.org", LAMP, TYPE(SUBSCRIBE), "<presence type='subscribed'/><presence/>" },
		{ "romeo@example.org", LAMP, TYPE(SUBSCRIBE), "<presence type='unsubscribed'/>" },
		{ "romeo@example.org", "a@things.example.org", TYPE(SUBSCRIBE), "<presence type='subscribed'/><presence/>" },
		{ "romeo@example.org/r", "a@things.example.org", TYPE(PROBE), "<presence/>" },
		{ "romeo@evil.example/r", "a@things.example.org", TYPE(PROBE), "<presence type='unsubscribed'/>" },
		{ "juliet@example.org", LAMP, TYPE(UNSUBSCRIBE), "<presence type='unavailable'/>" },
		{ "juliet@example.org/r", LAMP, TYPE(NONE), "" },
		{ "juliet@example.org/r", LAMP, TYPE(SUBSCRIBED), "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char all[200] = "";

		say(0, STARLING__STANZA_KIND__STANZA_PRESENCE, rows[i].type, 0, rows[i].from, rows[i].to, "<presence/>");
		while (f.call_count > 0) {
			const Starling__StanzaMeta *m = f.calls[0].request->meta;
			bool available = m->type == TYPE(NONE) || m->type == TYPE(UNAVAILABLE);

			assert_int_equal(f.requests[0].code, -1);
			assert_string_equal(m->to, rows[i].from);
			assert_int_equal(strcmp(m->from, rows[i].to), available ? strcmp("/", "") : 0);
			strcat(all, f.calls[0].payload);
			answer(0, 0);
		}
		assert_string_equal(all, rows[i].want);
		assert_int_equal(f.requests[0].code, 0);
	}
}

static void test_not_for_us(void **state)
{
	(void)state;
	write_to(0, "lamp@example.org", "x");
	assert_int_equal(f.requests[0].code, CODE(INVALID));
	f.trusted = false;
	write_to(0, LAMP, "x");
	assert_int_equal(f.requests[0].code, CODE(DENIED));
	got("");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_messages_refused),
		TEST(test_presence),
		TEST(test_not_for_us),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
