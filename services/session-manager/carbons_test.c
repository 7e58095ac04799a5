/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "services/session-manager/carbons.h"
#include "services/session-manager/packet.h"

#define F(name) ((uint32_t)STARLING__STANZA_FLAG__FLAG_##name)
#define TEXT(s) ((char *)(s))

static bool eligible(Starling__StanzaType type, uint32_t flags, const char *from, bool sent)
{
	Starling__StanzaMeta m = STARLING__STANZA_META__INIT;

	m.kind = KIND_MESSAGE;
	m.type = type;
	m.flags = flags;
	m.from = TEXT(from);
	return carbon_eligible(&m, sent);
}

/* XEP-0280 section 6.1. */
static void which_messages(void **state)
{
	static const struct {
		Starling__StanzaType type;
		uint32_t flags;
		bool copied;
	} table[] = {
		{ TYPE_CHAT, F(BODY), true },
		{ TYPE_CHAT, F(CHAT_STATE), true },
		{ TYPE_CHAT, F(EMPTY), true },
		{ TYPE_CHAT, F(OTHER_PAYLOAD), true },
		{ TYPE_NORMAL, F(BODY), true },
		{ TYPE_NONE, F(BODY), true },
		{ TYPE_NORMAL, F(OTHER_PAYLOAD), false },
		{ TYPE_NORMAL, F(SUBJECT), false },
		{ TYPE_NORMAL, F(RECEIPT), true },
		{ TYPE_NORMAL, F(RECEIPT_REQUEST), true },
		{ TYPE_NORMAL, F(CHAT_STATE), true },
		{ TYPE_NORMAL, F(MARKER), true },
		{ TYPE_NORMAL, F(INVITE), true },
		{ TYPE_ERROR, F(OTHER_PAYLOAD), true },
		{ TYPE_ERROR, F(BODY) | F(OTHER_PAYLOAD), true },
		{ TYPE_ERROR, F(BODY) | F(OTHER_PAYLOAD) | F(PRIVATE), false },
		{ TYPE_HEADLINE, F(BODY), false },
		{ TYPE_GROUPCHAT, F(BODY), false },
		{ TYPE_GROUPCHAT, F(CHAT_STATE), false },
		{ TYPE_CHAT, F(BODY) | F(PRIVATE), false },
		{ TYPE_CHAT, F(BODY) | F(NO_COPY), false },
		{ TYPE_CHAT, F(BODY) | F(CARBON), false },
		{ TYPE_CHAT, F(BODY) | F(NO_STORE), true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		for (int sent = 0; sent < 2; sent++) {
			if (eligible(table[i].type, table[i].flags, "a@b.test/c", sent) != table[i].copied)
				fail_msg("row %zu", i);
		}
	}
}

static void rooms(void **state)
{
	(void)state;
	/* A private message: the room has sent it to all that joined. */
	assert_false(eligible(TYPE_CHAT, F(BODY) | F(MUC_USER), "room@conf.test/nick", false));
	assert_true(eligible(TYPE_CHAT, F(BODY) | F(MUC_USER), "a@b.test/c", true));
	/* A mediated invitation, from and to a room. */
	assert_true(eligible(TYPE_NORMAL, F(MUC_USER), "room@conf.test", false));
	assert_true(eligible(TYPE_NORMAL, F(MUC_USER), "a@b.test/c", true));
	/* The answer to a private message. */
	assert_true(eligible(TYPE_ERROR, F(BODY) | F(MUC_USER), "room@conf.test/nick", false));
}

static void wrapping(void **state)
{
	Starling__StanzaMeta m = STARLING__STANZA_META__INIT;
	struct buf b = { 0 };

	(void)state;
	m.type = TYPE_CHAT;
	m.from = TEXT("a@h.test/one");
	m.to = TEXT("b@h.test/it's");
	carbon_wrap(&b, STARLING__DELIVER_FORM__FORM_CARBON_RECEIVED, &m, STR("<message id='1' type='chat'><body>x</body></message>"),
	            STR("<stanza-id xmlns='urn:xmpp:sid:0' by='b@h.test' id='7'/>"));
	assert_true(str_is(buf_str(&b),
	                   "<message type='chat'><received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>"
	                   "<message xmlns='jabber:client' from='a@h.test/one' to='b@h.test/it&apos;s' id='1' type='chat'>"
	                   "<body>x</body><stanza-id xmlns='urn:xmpp:sid:0' by='b@h.test' id='7'/></message></forwarded></received>"
	                   "</message>"));
	buf_clear(&b);
	m.type = TYPE_NONE;
	carbon_wrap(&b, STARLING__DELIVER_FORM__FORM_CARBON_SENT, &m, STR("<message/>"), (struct str){ 0 });
	assert_true(str_is(buf_str(&b),
	                   "<message><sent xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'><message "
	                   "xmlns='jabber:client' from='a@h.test/one' to='b@h.test/it&apos;s'/></forwarded></sent></message>"));
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(which_messages),
		cmocka_unit_test(rooms),
		cmocka_unit_test(wrapping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
