/* SPDX-License-Identifier: Apache-2.0
 *
 * Unit tests of xml_summary, through the stream: flags, types, priority and what makes a stanza a bad request. */
#include "common/xml/xml_summary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/xml/xml_stream.h"

static struct stanza seen;
static char strings[4][128], bytes[512];
static int count;

static const char *keep(int slot, struct str s)
{
	assert_true(s.n < sizeof(strings[slot]));
	if (s.n)
		memcpy(strings[slot], s.p, s.n);
	strings[slot][s.n] = 0;
	return strings[slot];
}

static void on_open(const struct xml_header *h, void *ctx)
{
	(void)h;
	(void)ctx;
}

static void on_element(const struct stanza *s, const struct xml_node *node, void *ctx)
{
	(void)ctx;
	assert_non_null(s);
	assert_null(node);
	seen = *s;
	keep(0, s->id);
	keep(1, s->child_name);
	keep(2, s->child_ns);
	keep(3, s->origin_id);
	snprintf(bytes, sizeof(bytes), "%.*s", STR_ARG(s->bytes));
	count++;
}

static void on_close(void *ctx)
{
	(void)ctx;
}

static void on_error(const char *condition, const char *text, void *ctx)
{
	(void)ctx;
	fail_msg("%s: %s", condition, text);
}

static void read_one(const char *xml)
{
	static const struct xml_stream_events events = { on_open, on_element, on_close, on_error };
	static const struct xml_limits limits = { 10000, 20, 20, 100, 200 };
	static const char head[] = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
	                           "xmlns:cs='http://jabber.org/protocol/chatstates'>";
	struct xml_stream *s = xml_stream_new(&limits, &events, NULL);

	count = 0;
	xml_stream_feed(s, head, sizeof(head) - 1);
	xml_stream_feed(s, xml, strlen(xml));
	xml_stream_free(&s);
	if (count != 1)
		fail_msg("%d stanzas in %s", count, xml);
}

static const struct {
	const char *children;
	uint32_t flags;
} flag_table[] = {
	{ "", STANZA_EMPTY },
	{ "text", STANZA_EMPTY },
	{ "<body>x</body>", STANZA_BODY },
	{ "<body/>", 0 },
	{ "<body></body>", 0 },
	{ "<body> </body>", STANZA_BODY },
	{ "<body>&amp;</body>", STANZA_BODY },
	{ "<body xml:lang='de'/><body>x</body>", STANZA_BODY },
	{ "<body xmlns='u:x'>x</body>", STANZA_OTHER_PAYLOAD },
	{ "<body xmlns='jabber:server'>x</body>", STANZA_OTHER_PAYLOAD },
	{ "<x xmlns='u:x'><body xmlns='jabber:client'>x</body></x>", STANZA_OTHER_PAYLOAD },
	{ "<subject/>", STANZA_SUBJECT },
	{ "<thread>1</thread>", STANZA_THREAD },
	{ "<error type='cancel'/>", STANZA_OTHER_PAYLOAD },
	{ "<active xmlns='http://jabber.org/protocol/chatstates'/>", STANZA_CHAT_STATE },
	{ "<cs:composing/>", STANZA_CHAT_STATE },
	{ "<body>x</body><gone xmlns='http://jabber.org/protocol/chatstates'/>", STANZA_BODY | STANZA_CHAT_STATE },
	{ "<received xmlns='urn:xmpp:receipts' id='1'/>", STANZA_RECEIPT },
	{ "<request xmlns='urn:xmpp:receipts'/>", STANZA_RECEIPT_REQUEST },
	{ "<received xmlns='urn:xmpp:chat-markers:0' id='1'/>", STANZA_MARKER },
	{ "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>", STANZA_MARKER },
	{ "<acknowledged xmlns='urn:xmpp:chat-markers:0' id='1'/>", STANZA_MARKER },
	{ "<markable xmlns='urn:xmpp:chat-markers:0'/>", STANZA_OTHER_PAYLOAD },
	{ "<encryption xmlns='urn:xmpp:eme:0' namespace='x'/>", STANZA_ENCRYPTED },
	{ "<encrypted xmlns='eu.siacs.conversations.axolotl'/>", STANZA_ENCRYPTED },
	{ "<encrypted xmlns='urn:xmpp:omemo:1'/>", STANZA_ENCRYPTED },
	{ "<encrypted xmlns='urn:xmpp:omemo:2'/>", STANZA_ENCRYPTED },
	{ "<openpgp xmlns='urn:xmpp:openpgp:0'/>", STANZA_ENCRYPTED },
	{ "<no-store xmlns='urn:xmpp:hints'/>", STANZA_NO_STORE },
	{ "<no-permanent-store xmlns='urn:xmpp:hints'/>", STANZA_NO_PERMANENT_STORE },
	{ "<no-copy xmlns='urn:xmpp:hints'/>", STANZA_NO_COPY },
	{ "<store xmlns='urn:xmpp:hints'/>", STANZA_STORE },
	{ "<private xmlns='urn:xmpp:carbons:2'/>", STANZA_PRIVATE },
	{ "<sent xmlns='urn:xmpp:carbons:2'/>", STANZA_CARBON },
	{ "<received xmlns='urn:xmpp:carbons:2'/>", STANZA_CARBON },
	{ "<delay xmlns='urn:xmpp:delay' stamp='x'/>", STANZA_DELAY },
	{ "<x xmlns='http://jabber.org/protocol/muc#user'/>", STANZA_MUC_USER },
	{ "<x xmlns='jabber:x:conference' jid='r@c'/>", STANZA_INVITE },
	{ "<retract xmlns='urn:xmpp:message-retract:1' id='x'/>", STANZA_RETRACT },
	{ "<origin-id xmlns='urn:xmpp:sid:0' id='x'/>", 0 },
	{ "<x xmlns='u:x'/>", STANZA_OTHER_PAYLOAD },
	{ "<no-copy xmlns='urn:xmpp:hints'/><private xmlns='urn:xmpp:carbons:2'/><x xmlns='u:x'/>",
	  STANZA_NO_COPY | STANZA_PRIVATE | STANZA_OTHER_PAYLOAD },
};

static void test_flags(void **state)
{

	(void)state;
	for (size_t i = 0; i < sizeof(flag_table) / sizeof(flag_table[0]); i++) {
		char xml[400];

		snprintf(xml, sizeof(xml), "<message>%s</message>", flag_table[i].children);
		read_one(xml);
		if (seen.flags != flag_table[i].flags)
			fail_msg("%s: %#x instead of %#x", xml, seen.flags, flag_table[i].flags);
	}
}

static void test_types(void **state)
{
	static const struct {
		const char *xml;
		enum stanza_kind kind;
		enum stanza_type type;
		bool fault;
	} table[] = {
		{ "<message/>", STANZA_MESSAGE, STANZA_TYPE_NONE, false },
		{ "<message type='normal'/>", STANZA_MESSAGE, STANZA_TYPE_NORMAL, false },
		{ "<message type='chat'/>", STANZA_MESSAGE, STANZA_TYPE_CHAT, false },
		{ "<message type='groupchat'/>", STANZA_MESSAGE, STANZA_TYPE_GROUPCHAT, false },
		{ "<message type='headline'/>", STANZA_MESSAGE, STANZA_TYPE_HEADLINE, false },
		{ "<message type='error'/>", STANZA_MESSAGE, STANZA_TYPE_ERROR, false },
		/* RFC 6121 section 5.2.2: an unknown type is normal. */
		{ "<message type='CHAT'/>", STANZA_MESSAGE, STANZA_TYPE_NORMAL, false },
		{ "<message type='get'/>", STANZA_MESSAGE, STANZA_TYPE_NORMAL, false },
		{ "<presence/>", STANZA_PRESENCE, STANZA_TYPE_NONE, false },
		{ "<presence type='unavailable'/>", STANZA_PRESENCE, STANZA_TYPE_UNAVAILABLE, false },
		{ "<presence type='subscribe'/>", STANZA_PRESENCE, STANZA_TYPE_SUBSCRIBE, false },
		{ "<presence type='subscribed'/>", STANZA_PRESENCE, STANZA_TYPE_SUBSCRIBED, false },
		{ "<presence type='unsubscribe'/>", STANZA_PRESENCE, STANZA_TYPE_UNSUBSCRIBE, false },
		{ "<presence type='unsubscribed'/>", STANZA_PRESENCE, STANZA_TYPE_UNSUBSCRIBED, false },
		{ "<presence type='probe'/>", STANZA_PRESENCE, STANZA_TYPE_PROBE, false },
		{ "<presence type='error'/>", STANZA_PRESENCE, STANZA_TYPE_ERROR, false },
		{ "<presence type='available'/>", STANZA_PRESENCE, STANZA_TYPE_NONE, true },
		{ "<presence type=''/>", STANZA_PRESENCE, STANZA_TYPE_NONE, true },
		{ "<iq type='get' id='1'><a/></iq>", STANZA_IQ, STANZA_TYPE_GET, false },
		{ "<iq type='set' id='1'><a/></iq>", STANZA_IQ, STANZA_TYPE_SET, false },
		{ "<iq type='set' id=''><a/></iq>", STANZA_IQ, STANZA_TYPE_SET, false },
		{ "<iq type='result' id='1'/>", STANZA_IQ, STANZA_TYPE_RESULT, false },
		{ "<iq type='result' id='1'><a/></iq>", STANZA_IQ, STANZA_TYPE_RESULT, false },
		{ "<iq type='error' id='1'><a/><b/></iq>", STANZA_IQ, STANZA_TYPE_ERROR, false },
		{ "<iq type='result' id='1'><a/><b/></iq>", STANZA_IQ, STANZA_TYPE_RESULT, false },
		{ "<iq type='result'/>", STANZA_IQ, STANZA_TYPE_RESULT, false },
		{ "<presence type='error'><priority>x</priority></presence>", STANZA_PRESENCE, STANZA_TYPE_ERROR, false },
		{ "<iq type='get' id='1'/>", STANZA_IQ, STANZA_TYPE_GET, true },
		{ "<iq type='set' id='1'><a/><b/></iq>", STANZA_IQ, STANZA_TYPE_SET, true },
		{ "<iq type='get'><a/></iq>", STANZA_IQ, STANZA_TYPE_GET, true },
		{ "<iq id='1'><a/></iq>", STANZA_IQ, STANZA_TYPE_NONE, true },
		{ "<iq type='chat' id='1'><a/></iq>", STANZA_IQ, STANZA_TYPE_NONE, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		read_one(table[i].xml);
		if (seen.kind != table[i].kind || seen.type != table[i].type || (seen.fault != NULL) != table[i].fault)
			fail_msg("%s: kind %d type %d fault %s", table[i].xml, seen.kind, seen.type, seen.fault ? seen.fault : "none");
	}
}

static void test_priority(void **state)
{
	static const struct {
		const char *text;
		int priority;
		bool fault;
	} table[] = {
		{ "5", 5, false },       { "0", 0, false },    { "-1", -1, false }, { "127", 127, false },
		{ "-128", -128, false }, { " 7\n", 7, false }, { "+7", 7, false },  { "007", 7, false },
		{ "&#49;2", 12, false }, { "128", 0, true },   { "-129", 0, true }, { "999999", 0, true },
		{ "", 0, true },         { "x", 0, true },     { "1x", 0, true },   { "--1", 0, true },
		{ "1 2", 0, true },      { "-", 0, true },     { "<b/>", 0, true }, { "99999999999999999999999999", 0, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char xml[200];

		snprintf(xml, sizeof(xml), "<presence><show>away</show><priority>%s</priority></presence>", table[i].text);
		read_one(xml);
		if (seen.priority != table[i].priority || (seen.fault != NULL) != table[i].fault)
			fail_msg("%s: %d %s", xml, seen.priority, seen.fault ? seen.fault : "no fault");
	}
	read_one("<presence><priority xmlns='u:x'>x</priority></presence>");
	assert_null(seen.fault);
	read_one("<presence/>");
	assert_int_equal(seen.priority, 0);
}

static void test_strings(void **state)
{
	(void)state;
	read_one("<iq type='get' id='a&amp;b' to=''><q:query xmlns:q='jabber:iq:roster'><q:x/></q:query></iq>");
	assert_string_equal(strings[0], "a&b");
	assert_string_equal(strings[1], "query");
	assert_string_equal(strings[2], "jabber:iq:roster");
	assert_true(seen.has_to && seen.to_raw.n == 0 && !seen.has_from && seen.has_id);
	assert_int_equal(seen.children, 1);
	read_one("<message><origin-id xmlns='urn:xmpp:sid:0' id='x&lt;y'/><origin-id xmlns='urn:xmpp:sid:1' id='z'/></message>");
	assert_string_equal(strings[3], "x<y");
	assert_int_equal(seen.children, 2);
	assert_false(seen.has_id);
	read_one("<message><body id='1'/></message>");
	assert_string_equal(strings[3], "");
}

static void test_forged_ids(void **state)
{
	(void)state;
	read_one("<message><stanza-id xmlns='urn:xmpp:sid:0' by='a' id='x'><deep>text<er/></deep></stanza-id></message>");
	assert_string_equal(bytes, "<message/>");
	assert_int_equal(seen.flags, STANZA_EMPTY);
	read_one("<message><stanza-id xmlns='urn:xmpp:sid:0'/><stanza-id xmlns='urn:xmpp:sid:0'/><thread/></message>");
	assert_string_equal(bytes, "<message><thread/></message>");
	read_one("<message><body>a</body><s:stanza-id xmlns:s='urn:xmpp:sid:0' by='a' id='x'/><x xmlns='urn:y'><stanza-id "
	         "xmlns='urn:xmpp:sid:0'/></x></message>");
	assert_string_equal(bytes, "<message><body>a</body><x xmlns='urn:y'><stanza-id xmlns='urn:xmpp:sid:0'/></x></message>");
	assert_int_equal(seen.flags, STANZA_BODY | STANZA_OTHER_PAYLOAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flags),   cmocka_unit_test(test_types),      cmocka_unit_test(test_priority),
		cmocka_unit_test(test_strings), cmocka_unit_test(test_forged_ids),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
