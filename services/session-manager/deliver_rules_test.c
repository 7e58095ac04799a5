/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "services/session-manager/deliver_rules.h"
#include "services/session-manager/packet.h"

static void check(Starling__StanzaKind kind, Starling__StanzaType type, const enum deliver_action want[CASES])
{
	for (int c = 0; c < CASES; c++)
		assert_int_equal(deliver_rule(kind, type, (enum deliver_case)c), want[c]);
}

/* RFC 6121 section 8.5.4, table 1, read row by row. */
static void messages(void **state)
{
	const enum deliver_action text[] = { ACTION_BOUNCE, ACTION_READERS, ACTION_STORE, ACTION_RESOURCE, ACTION_READERS, ACTION_STORE };
	const enum deliver_action headline[] = { ACTION_DROP, ACTION_READERS, ACTION_DROP, ACTION_RESOURCE, ACTION_DROP, ACTION_DROP };
	const enum deliver_action groupchat[] = {
		ACTION_BOUNCE, ACTION_BOUNCE, ACTION_BOUNCE, ACTION_RESOURCE, ACTION_BOUNCE, ACTION_BOUNCE
	};
	const enum deliver_action error[] = { ACTION_DROP, ACTION_DROP, ACTION_DROP, ACTION_RESOURCE, ACTION_DROP, ACTION_DROP };

	(void)state;
	check(KIND_MESSAGE, TYPE_NONE, text);
	check(KIND_MESSAGE, TYPE_NORMAL, text);
	check(KIND_MESSAGE, TYPE_CHAT, text);
	check(KIND_MESSAGE, TYPE_HEADLINE, headline);
	check(KIND_MESSAGE, TYPE_GROUPCHAT, groupchat);
	check(KIND_MESSAGE, TYPE_ERROR, error);
}

static void presence(void **state)
{
	const enum deliver_action plain[] = { ACTION_DROP, ACTION_AVAILABLE, ACTION_AVAILABLE, ACTION_RESOURCE, ACTION_DROP, ACTION_DROP };
	const enum deliver_action served[] = { ACTION_SERVE, ACTION_SERVE, ACTION_SERVE, ACTION_SERVE, ACTION_SERVE, ACTION_SERVE };

	(void)state;
	check(KIND_PRESENCE, TYPE_NONE, plain);
	check(KIND_PRESENCE, TYPE_UNAVAILABLE, plain);
	for (int t = TYPE_SUBSCRIBE; t <= (int)TYPE_PROBE; t++)
		check(KIND_PRESENCE, (Starling__StanzaType)t, served);
}

static void iqs(void **state)
{
	const enum deliver_action ask[] = { ACTION_BOUNCE, ACTION_SERVE, ACTION_SERVE, ACTION_RESOURCE, ACTION_BOUNCE, ACTION_BOUNCE };
	const enum deliver_action answer[] = { ACTION_DROP, ACTION_DROP, ACTION_DROP, ACTION_RESOURCE, ACTION_DROP, ACTION_DROP };

	(void)state;
	check(KIND_IQ, TYPE_GET, ask);
	check(KIND_IQ, TYPE_SET, ask);
	check(KIND_IQ, TYPE_RESULT, answer);
	check(KIND_IQ, TYPE_ERROR, answer);
}

static void what_makes_no_sense_is_dropped(void **state)
{
	(void)state;
	assert_int_equal(deliver_rule(KIND_MESSAGE, TYPE_PROBE, CASE_BARE_READER), ACTION_DROP);
	assert_int_equal(deliver_rule(STARLING__STANZA_KIND__STANZA_NONE, TYPE_NONE, CASE_FULL_FOUND), ACTION_DROP);
}

static void what_is_worth_keeping(void **state)
{
	const uint32_t body = STARLING__STANZA_FLAG__FLAG_BODY, chat_state = STARLING__STANZA_FLAG__FLAG_CHAT_STATE;
	const uint32_t no_store = STARLING__STANZA_FLAG__FLAG_NO_STORE, no_permanent = STARLING__STANZA_FLAG__FLAG_NO_PERMANENT_STORE;

	(void)state;
	assert_true(deliver_storable(body));
	assert_true(deliver_storable(body | chat_state));
	assert_true(deliver_storable(body | no_permanent));
	assert_true(deliver_storable(STARLING__STANZA_FLAG__FLAG_ENCRYPTED));
	assert_true(deliver_storable(STARLING__STANZA_FLAG__FLAG_RECEIPT));
	assert_true(deliver_storable(STARLING__STANZA_FLAG__FLAG_STORE | chat_state));
	assert_false(deliver_storable(chat_state));
	assert_false(deliver_storable(chat_state | STARLING__STANZA_FLAG__FLAG_THREAD));
	assert_false(deliver_storable(body | no_store));
	assert_false(deliver_storable(STARLING__STANZA_FLAG__FLAG_EMPTY));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages),
		cmocka_unit_test(presence),
		cmocka_unit_test(iqs),
		cmocka_unit_test(what_makes_no_sense_is_dropped),
		cmocka_unit_test(what_is_worth_keeping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
