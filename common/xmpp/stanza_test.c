/* SPDX-License-Identifier: Apache-2.0
 *
 * Unit tests of stanza: tables, and bytes made from bytes. */
#include "common/xmpp/stanza.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/xml/xml.h"

#define NS " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'"

/* Compares and frees; whatever is made must be canonical, too. */
static void expect(struct buf *b, const char *want)
{
	struct arena *a = arena_new(0);
	struct buf again = { 0 };
	struct xml_node *n = xml_parse(a, buf_str(b), STR("jabber:client"));

	if (!str_is(buf_str(b), want))
		fail_msg("got\n%.*s\nwanted\n%s", STR_ARG(buf_str(b)), want);
	assert_non_null(n);
	xml_write(&again, n, STR("jabber:client"));
	assert_true(str_eq(buf_str(&again), buf_str(b)));
	buf_fini(&again);
	buf_fini(b);
	arena_free(&a);
}

static void test_types(void **state)
{
	bool valid;

	(void)state;
	assert_int_equal(stanza_type_parse(STANZA_IQ, STR("set"), &valid), STANZA_TYPE_SET);
	assert_true(valid);
	assert_int_equal(stanza_type_parse(STANZA_IQ, STR("chat"), &valid), STANZA_TYPE_NONE);
	assert_false(valid);
	assert_int_equal(stanza_type_parse(STANZA_MESSAGE, STR("chatt"), &valid), STANZA_TYPE_NORMAL);
	assert_false(valid);
	assert_int_equal(stanza_type_parse(STANZA_MESSAGE, STR(""), &valid), STANZA_TYPE_NORMAL);
	assert_null(stanza_type_name(STANZA_TYPE_NONE));
	for (int t = STANZA_TYPE_ERROR; t <= STANZA_TYPE_RESULT; t++) {
		int found = 0;

		assert_non_null(stanza_type_name((enum stanza_type)t));
		for (int k = STANZA_MESSAGE; k <= STANZA_IQ; k++) {
			int parsed = (int)stanza_type_parse((enum stanza_kind)k, str_from(stanza_type_name((enum stanza_type)t)), &valid);
			found += valid && parsed == t;
		}
		assert_int_equal(found, t == STANZA_TYPE_ERROR ? 3 : 1);
	}
}

static void test_error_types(void **state)
{
	static const char *const table[][2] = {
		{ "bad-request", "modify" },
		{ "conflict", "cancel" },
		{ "feature-not-implemented", "cancel" },
		{ "forbidden", "auth" },
		{ "gone", "cancel" },
		{ "internal-server-error", "cancel" },
		{ "item-not-found", "cancel" },
		{ "jid-malformed", "modify" },
		{ "not-acceptable", "modify" },
		{ "not-allowed", "cancel" },
		{ "not-authorized", "auth" },
		{ "policy-violation", "modify" },
		{ "recipient-unavailable", "wait" },
		{ "redirect", "modify" },
		{ "registration-required", "auth" },
		{ "remote-server-timeout", "wait" },
		{ "remote-server-not-found", "cancel" },
		{ "resource-constraint", "wait" },
		{ "service-unavailable", "cancel" },
		{ "subscription-required", "auth" },
		{ "unexpected-request", "wait" },
		{ "undefined-condition", "cancel" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_string_equal(stanza_error_type(table[i][0]), table[i][1]);
}

static void test_errors(void **state)
{
	struct buf b = { 0 };
	struct str none = { NULL, 0 };

	(void)state;
	stanza_error_bytes(&b, STANZA_IQ, STR("i'1"), STR("<iq type='get' id='i&apos;1' xml:lang='de'><query xmlns='u:q'/></iq>"),
	                   "service-unavailable", none, none, none);
	expect(&b, "<iq id='i&apos;1' type='error' xml:lang='de'><query xmlns='u:q'/><error type='cancel'><service-unavailable" NS
	           "/></error></iq>");
	stanza_error_bytes(&b, STANZA_MESSAGE, none, STR("<message type='chat'><body>x</body></message>"), "bad-request", STR("It's <bad>"),
	                   STR("a@b"), STR("<why xmlns='u:w'/>"));
	expect(&b, "<message type='error'><body>x</body><error by='a@b' type='modify'><bad-request" NS "/><text" NS
	           " xml:lang='en'>It's &lt;bad&gt;</text><why xmlns='u:w'/></error></message>");
	stanza_error_bytes(&b, STANZA_PRESENCE, STR("p"), STR("<presence id='p'><x xmlns='u:x'/></presence>"), "jid-malformed", none, none,
	                   none);
	expect(&b, "<presence id='p' type='error'><error type='modify'><jid-malformed" NS "/></error></presence>");
	stanza_error_bytes(&b, STANZA_IQ, STR("1"), STR("<iq type='get' id='1'/>"), "bad-request", none, none, none);
	expect(&b, "<iq id='1' type='error'><error type='modify'><bad-request" NS "/></error></iq>");
	stanza_error_bytes(&b, STANZA_IQ, STR("1"), none, "bad-request", none, none, none);
	expect(&b, "<iq id='1' type='error'><error type='modify'><bad-request" NS "/></error></iq>");
}

static void test_result(void **state)
{
	struct buf b = { 0 };

	(void)state;
	stanza_result_bytes(&b, STR("a<"), STR(""));
	expect(&b, "<iq id='a&lt;' type='result'/>");
	stanza_result_bytes(&b, STR("1"), STR("<query xmlns='u:q'/>"));
	expect(&b, "<iq id='1' type='result'><query xmlns='u:q'/></iq>");
}

static void test_write(void **state)
{
	struct buf b = { 0 };
	struct str none = { NULL, 0 }, extra = STR("<x xmlns='u:x'/>");

	(void)state;
	stanza_write(&b, STR("<message type='chat' id='1'><body>x</body></message>"), STR("a@b/c'd"), STR("e@f"), none);
	expect(&b, "<message from='a@b/c&apos;d' to='e@f' type='chat' id='1'><body>x</body></message>");
	stanza_write(&b, STR("<message a='x&gt;/'><body>x</body></message>"), none, STR("e@f"), extra);
	expect(&b, "<message to='e@f' a='x&gt;/'><body>x</body><x xmlns='u:x'/></message>");
}

static void test_write_self_closed(void **state)
{
	struct buf b = { 0 };
	struct str none = { NULL, 0 }, extra = STR("<x xmlns='u:x'/>");

	(void)state;
	stanza_write(&b, STR("<presence/>"), none, none, none);
	expect(&b, "<presence/>");
	stanza_write(&b, STR("<presence/>"), STR("a@b"), none, none);
	expect(&b, "<presence from='a@b'/>");
	stanza_write(&b, STR("<presence id='/'/>"), STR("a@b"), none, extra);
	expect(&b, "<presence from='a@b' id='/'><x xmlns='u:x'/></presence>");
	/* What is not canonical is not written. */
	static const char *const bad[] = { "", "<", "<a", "<a>", "<a", "<a b='", "<a>x", "<a/>x", "x" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		stanza_write(&b, str_from(bad[i]), none, none, none);
		assert_int_equal(buf_str(&b).n, 0);
	}
	buf_fini(&b);
}

static void test_forward(void **state)
{
	struct buf b = { 0 };
	struct str none = { NULL, 0 };

	(void)state;
	stanza_forward(&b, 0, STR("<message id='1'><body>x</body></message>"), STR("a@b/c"), STR("e@f"), STR("<x xmlns='u:x'/>"));
	expect(&b, "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='a@b/c' to='e@f' id='1'><body>x</body>"
	           "<x xmlns='u:x'/></message></forwarded>");
	stanza_forward(&b, 1500000, STR("<message/>"), STR("a@b"), none, none);
	expect(&b, "<forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='1970-01-01T00:00:01.500000Z'/>"
	           "<message xmlns='jabber:client' from='a@b'/></forwarded>");
}

static void test_delay(void **state)
{
	struct buf b = { 0 };
	struct str none = { NULL, 0 };

	(void)state;
	stanza_delay(&b, (int64_t)1700000000 * 1000000, STR("x.org"), STR("Offline <storage>"));
	struct str got = buf_str(&b);
	assert_true(got.n > 60 && memmem(got.p, got.n, "from='x.org' stamp='2023-11-14T22:13:20", 39));
	assert_non_null(memmem(got.p, got.n, "'>Offline &lt;storage&gt;</delay>", 33));
	buf_clear(&b);
	stanza_delay(&b, 0, none, none);
	got = buf_str(&b);
	assert_non_null(memmem(got.p, got.n, "<delay xmlns='urn:xmpp:delay' stamp='1970-01-01T00:00:00", 56));
	assert_true(got.p[got.n - 2] == '/');
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),   cmocka_unit_test(test_error_types), cmocka_unit_test(test_errors),
		cmocka_unit_test(test_result),  cmocka_unit_test(test_write),       cmocka_unit_test(test_write_self_closed),
		cmocka_unit_test(test_forward), cmocka_unit_test(test_delay),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
