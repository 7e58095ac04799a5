/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "services/session-manager/archive_rules.h"
#include "services/session-manager/msglog.h"
#include "services/session-manager/packet.h"
#include "services/session-manager/roster.h"

#define F(name) ((uint32_t)STARLING__STANZA_FLAG__FLAG_##name)
#define UNSET   STARLING__ARCHIVE_PREFS__DEFAULT__UNSET
#define ALWAYS  STARLING__ARCHIVE_PREFS__DEFAULT__ALWAYS
#define NEVER   STARLING__ARCHIVE_PREFS__DEFAULT__NEVER
#define ROSTER  STARLING__ARCHIVE_PREFS__DEFAULT__ROSTER
#define TEXT(s) ((char *)(s))
#define OWN     STR("me@h.test")

static void what_is_stored(void **state)
{
	static const struct {
		uint32_t flags;
		Starling__StanzaType type;
		bool stored;
	} table[] = {
		{ F(BODY), TYPE_CHAT, true },
		{ F(BODY), TYPE_NORMAL, true },
		{ F(BODY), TYPE_NONE, true },
		{ F(SUBJECT), TYPE_NORMAL, true },
		{ F(ENCRYPTED), TYPE_CHAT, true },
		{ F(RECEIPT), TYPE_NORMAL, true },
		{ F(MARKER), TYPE_CHAT, true },
		{ F(RETRACT), TYPE_CHAT, true },
		{ F(INVITE), TYPE_NORMAL, true },
		{ F(BODY) | F(MUC_USER), TYPE_CHAT, true },
		{ F(BODY) | F(CHAT_STATE) | F(RECEIPT_REQUEST), TYPE_CHAT, true },
		{ F(BODY), TYPE_GROUPCHAT, false },
		{ F(BODY), TYPE_HEADLINE, false },
		{ F(BODY), TYPE_ERROR, false },
		{ F(CHAT_STATE), TYPE_CHAT, false },
		{ F(CHAT_STATE) | F(THREAD), TYPE_CHAT, false },
		{ F(RECEIPT_REQUEST), TYPE_CHAT, false },
		{ F(OTHER_PAYLOAD), TYPE_NORMAL, false },
		{ F(MUC_USER), TYPE_NORMAL, false },
		{ F(EMPTY), TYPE_CHAT, false },
		{ F(BODY) | F(CARBON), TYPE_CHAT, false },
		/* hints */
		{ F(BODY) | F(NO_STORE), TYPE_CHAT, false },
		{ F(BODY) | F(NO_PERMANENT_STORE), TYPE_CHAT, false },
		{ F(BODY) | F(NO_STORE) | F(STORE), TYPE_CHAT, false },
		{ F(OTHER_PAYLOAD) | F(STORE), TYPE_CHAT, true },
		{ F(CHAT_STATE) | F(STORE), TYPE_NORMAL, true },
		{ F(BODY) | F(STORE), TYPE_HEADLINE, true },
		{ F(BODY) | F(STORE), TYPE_GROUPCHAT, false },
		{ F(BODY) | F(STORE), TYPE_ERROR, false },
		{ F(BODY) | F(NO_COPY) | F(PRIVATE), TYPE_CHAT, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (archive_storable(table[i].flags, table[i].type) != table[i].stored)
			fail_msg("row %zu", i);
	}
}

static void the_default_decides(void **state)
{
	struct archive_prefs p = { .fallback = UNSET };

	(void)state;
	assert_true(archive_wanted(&p, ALWAYS, NULL, OWN, STR("a@b/c")));
	assert_false(archive_wanted(&p, NEVER, NULL, OWN, STR("a@b/c")));
	assert_false(archive_wanted(&p, ROSTER, NULL, OWN, STR("a@b/c")));
	p.fallback = NEVER;
	assert_false(archive_wanted(&p, ALWAYS, NULL, OWN, STR("a@b")));
	p.fallback = ALWAYS;
	assert_true(archive_wanted(&p, NEVER, NULL, OWN, STR("a@b")));
}

static void contacts_are_in_the_roster(void **state)
{
	Starling__RosterItem friend = STARLING__ROSTER_ITEM__INIT, asker = STARLING__ROSTER_ITEM__INIT;
	Starling__RosterItem *items[] = { &friend, &asker };
	Starling__RosterReply reply = STARLING__ROSTER_REPLY__INIT;
	struct archive_prefs p = { .fallback = ROSTER };
	struct roster *r;

	(void)state;
	friend.jid = TEXT("friend@x.test");
	asker.jid = TEXT("asker@x.test");
	asker.hidden = true;
	reply.items = items;
	reply.n_items = 2;
	r = roster_new(&reply);
	assert_true(archive_wanted(&p, ALWAYS, r, OWN, STR("friend@x.test")));
	assert_true(archive_wanted(&p, ALWAYS, r, OWN, STR("friend@x.test/there")));
	assert_false(archive_wanted(&p, ALWAYS, r, OWN, STR("stranger@x.test")));
	assert_false(archive_wanted(&p, ALWAYS, r, OWN, STR("asker@x.test")));
	assert_false(archive_wanted(&p, ALWAYS, r, OWN, STR("x.test")));
	/* Notes to oneself. */
	assert_true(archive_wanted(&p, ALWAYS, r, OWN, OWN));
	assert_true(archive_wanted(&p, ALWAYS, r, OWN, STR("me@h.test/phone")));
	roster_free(&r);
}

static void the_nearest_entry_decides(void **state)
{
	char *always[] = { TEXT("a@b"), TEXT("room@c/nick"), TEXT("both@b") };
	char *never[] = { TEXT("a@b/secret"), TEXT("room@c"), TEXT("both@b"), TEXT("me@h.test") };
	struct archive_prefs p = { .fallback = NEVER, .always = always, .always_count = 3, .never = never, .never_count = 4 };

	(void)state;
	assert_true(archive_wanted(&p, UNSET, NULL, OWN, STR("a@b")));
	assert_true(archive_wanted(&p, UNSET, NULL, OWN, STR("a@b/else")));
	assert_false(archive_wanted(&p, UNSET, NULL, OWN, STR("a@b/secret")));
	assert_true(archive_wanted(&p, UNSET, NULL, OWN, STR("room@c/nick")));
	assert_false(archive_wanted(&p, UNSET, NULL, OWN, STR("room@c/other")));
	assert_false(archive_wanted(&p, UNSET, NULL, OWN, STR("both@b")));
	assert_false(archive_wanted(&p, UNSET, NULL, OWN, STR("a@bb")));
	p.fallback = ALWAYS;
	assert_true(archive_wanted(&p, UNSET, NULL, OWN, STR("z@b")));
	assert_false(archive_wanted(&p, UNSET, NULL, OWN, STR("me@h.test/phone")));
}

static void ids(void **state)
{
	static const uint64_t good[] = { 1, 1700000000000000u, 9999999999999999u, 10000000000000000u };
	static const char *const bad[] = { "",
		                           "1",
		                           "000000000000000",
		                           "0000000000000000",
		                           "170000000000000x",
		                           "-700000000000000",
		                           "01700000000000000",
		                           "1234567890123456789",
		                           " 1700000000000000" };
	uint64_t id;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct buf b = { 0 };

		archive_id_write(&b, good[i]);
		assert_true(archive_id_read(buf_str(&b), &id));
		assert_int_equal(id, good[i]);
		buf_fini(&b);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(archive_id_read(str_from(bad[i]), &id));
}

static void stanza_ids(void **state)
{
	struct buf b = { 0 };

	(void)state;
	archive_stanza_id(&b, 1700000000000000u, STR("o'neill@h.test"));
	assert_true(str_is(buf_str(&b), "<stanza-id xmlns='urn:xmpp:sid:0' by='o&apos;neill@h.test' id='1700000000000000'/>"));
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_stored),
		cmocka_unit_test(the_default_decides),
		cmocka_unit_test(contacts_are_in_the_roster),
		cmocka_unit_test(the_nearest_entry_decides),
		cmocka_unit_test(ids),
		cmocka_unit_test(stanza_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
