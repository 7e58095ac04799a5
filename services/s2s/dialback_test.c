/* SPDX-License-Identifier: Apache-2.0
 *
 * Dialback keys by the example of XEP-0185, and which event each element of another server is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "services/s2s/s2s.h"

static const char *key(const char *secret, const char *receiving, const char *originating, const char *id)
{
	static char out[65];

	s2s_dialback_key(str_from(secret), str_from(receiving), str_from(originating), str_from(id), out);
	return out;
}

static void test_key_of_the_example(void **state)
{
	(void)state;
	assert_string_equal(key("s3cr3tf0rd14lb4ck", "xmpp.example.com", "example.org", "D60000229F"),
	                    "37c69b1cf07a3f67c04a5ef5902fa5114f2c76fe4a2686482ba5b89323075643");
}

/* Whoever changes one of the four has another key; a name cannot flow over into its neighbour. */
static void test_key_depends_on_all(void **state)
{
	static const char *const others[][4] = {
		{ "secreT", "b.example", "a.example", "1" }, { "secret", "c.example", "a.example", "1" },
		{ "secret", "b.example", "c.example", "1" }, { "secret", "b.example", "a.example", "2" },
		{ "secret", "a.example", "b.example", "1" }, { "secret", "b.examplea", ".example", "1" },
		{ "secret", "b.example", "a.example1", "" },
	};
	char first[65];

	(void)state;
	strcpy(first, key("secret", "b.example", "a.example", "1"));
	assert_string_equal(key("secret", "b.example", "a.example", "1"), first);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		assert_string_not_equal(key(others[i][0], others[i][1], others[i][2], others[i][3]), first);
}

/* --- elements ----------------------------------------------------------------------------------------------------- */

struct seen {
	enum s2s_event event;
	unsigned count;
};

static void on_open(const struct xml_header *h, void *ctx)
{
	(void)h;
	(void)ctx;
}

static void on_element(const struct stanza *stanza, const struct xml_node *node, void *ctx)
{
	struct seen *seen = ctx;

	seen->event = s2s_classify(stanza, node);
	seen->count++;
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

static enum s2s_event event_of(const char *element)
{
	static const struct xml_stream_events events = { on_open, on_element, on_close, on_error };
	static const struct xml_limits limits = { 16384, 100, 64, 1000, 1024 };
	static const char header[] =
	        "<stream:stream xmlns='" S2S_NS_SERVER "' xmlns:stream='" S2S_NS_STREAM "' xmlns:db='" S2S_NS_DIALBACK "' version='1.0'>";
	struct seen seen = { S2S_EVENTS, 0 };
	struct xml_stream *xml = xml_stream_new(&limits, &events, &seen);

	xml_stream_feed(xml, header, sizeof(header) - 1);
	xml_stream_feed(xml, element, strlen(element));
	xml_stream_free(&xml);
	assert_int_equal(seen.count, 1);
	return seen.event;
}

static void test_events(void **state)
{
	static const struct {
		const char *element;
		enum s2s_event event;
	} table[] = {
		{ "<stream:features/>", S2S_EV_FEATURES },
		{ "<stream:error><reset xmlns='" S2S_NS_STREAMS "'/></stream:error>", S2S_EV_ERROR },
		{ "<starttls xmlns='" S2S_NS_TLS "'/>", S2S_EV_STARTTLS },
		{ "<proceed xmlns='" S2S_NS_TLS "'/>", S2S_EV_PROCEED },
		{ "<failure xmlns='" S2S_NS_TLS "'/>", S2S_EV_FAILURE },
		{ "<auth xmlns='" S2S_NS_SASL "' mechanism='EXTERNAL'>=</auth>", S2S_EV_AUTH },
		{ "<success xmlns='" S2S_NS_SASL "'/>", S2S_EV_SUCCESS },
		{ "<failure xmlns='" S2S_NS_SASL "'><not-authorized/></failure>", S2S_EV_FAILURE },
		{ "<db:result from='a' to='b'>k</db:result>", S2S_EV_RESULT },
		{ "<result xmlns='" S2S_NS_DIALBACK "' from='a' to='b' type='valid'/>", S2S_EV_RESULT },
		{ "<db:verify from='a' to='b' id='1'>k</db:verify>", S2S_EV_VERIFY },
		{ "<bidi xmlns='" S2S_NS_BIDI "'/>", S2S_EV_BIDI },
		{ "<compress xmlns='" S2S_NS_COMPRESS "'><method>zlib</method></compress>", S2S_EV_COMPRESS },
		{ "<compressed xmlns='" S2S_NS_COMPRESS "'/>", S2S_EV_COMPRESSED },
		{ "<failure xmlns='" S2S_NS_COMPRESS "'><setup-failed/></failure>", S2S_EV_FAILURE },
		{ "<enable xmlns='" S2S_NS_SM "'/>", S2S_EV_ENABLE },
		{ "<enabled xmlns='" S2S_NS_SM "'/>", S2S_EV_ENABLED },
		{ "<failed xmlns='" S2S_NS_SM "'/>", S2S_EV_FAILURE },
		{ "<r xmlns='" S2S_NS_SM "'/>", S2S_EV_REQUEST },
		{ "<a xmlns='" S2S_NS_SM "' h='1'/>", S2S_EV_ANSWER },
		{ "<message from='a' to='b'/>", S2S_EV_STANZA },
		{ "<presence from='a' to='b'/>", S2S_EV_STANZA },
		{ "<iq from='a' to='b' type='get' id='1'><x xmlns='u:x'/></iq>", S2S_EV_STANZA },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		if (event_of(table[i].element) != table[i].event)
			fail_msg("%s is event %d", table[i].element, (int)event_of(table[i].element));
	}
}

/* The right name in another namespace is nothing. */
static void test_strangers(void **state)
{
	static const char *const table[] = {
		"<result/>",
		"<verify xmlns='" S2S_NS_DB_OFFER "'/>",
		"<bidi xmlns='" S2S_NS_BIDI_OFFER "'/>",
		"<features xmlns='" S2S_NS_TLS "'/>",
		"<starttls xmlns='" S2S_NS_SASL "'/>",
		"<auth xmlns='" S2S_NS_SM "'/>",
		"<enable xmlns='urn:xmpp:sm:2'/>",
		"<message xmlns='jabber:client'/>",
		"<compress xmlns='" S2S_NS_COMPRESS_OFFER "'/>",
		"<db:Result/>",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		if (event_of(table[i]) != S2S_EV_UNKNOWN)
			fail_msg("%s is event %d", table[i], (int)event_of(table[i]));
	}
}

/* Each state says what it does with each event: none is forgotten. */
static void test_table_is_whole(void **state)
{
	(void)state;
	for (int s = 0; s < S2S_STATES; s++) {
		assert_string_not_equal(s2s_state_name((enum s2s_state)s), "");
		for (int e = 0; e < S2S_EVENTS; e++) {
			if (!s2s_stream_table[s][e])
				fail_msg("state %s has nothing for event %d", s2s_state_name((enum s2s_state)s), e);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_key_of_the_example), cmocka_unit_test(test_key_depends_on_all), cmocka_unit_test(test_events),
		cmocka_unit_test(test_strangers),          cmocka_unit_test(test_table_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
