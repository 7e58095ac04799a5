/* SPDX-License-Identifier: Apache-2.0
 *
 * Unit tests of xml_stream: limits to the byte, rest, pause, stop and reset. */
#include "common/xml/xml_stream.h"

#include "common/xml/xml_stream_testing.h"

static char *repeat(const char *head, const char *unit, size_t n, const char *tail)
{
	struct buf b = { 0 };

	buf_append_cstr(&b, head);
	for (size_t i = 0; i < n; i++)
		buf_append_cstr(&b, unit);
	buf_append_cstr(&b, tail);
	return buf_take(&b, NULL);
}

static void check_repeat(const char *head, const char *unit, size_t n, const char *tail, bool accepted)
{
	char *text = repeat(head, unit, n, tail), *want = NULL;

	if (accepted) {
		struct buf b = { 0 };

		buf_printf(&b, "%s\n", text);
		want = buf_take(&b, NULL);
	}
	check_in(text, accepted ? want : "error policy-violation\n");
	mem_free(text);
	mem_free(want);
}

static void test_limits(void **state)
{
	(void)state;
	/* 1000 bytes, to the byte, also when the end never comes. */
	check_repeat("<message><body>", "x", 1000 - 32, "</body></message>", true);
	check_repeat("<message><body>", "x", 1001 - 32, "</body></message>", false);
	check_repeat("<message><body>", "x", 2000, "", false);
	check_repeat("<message a='", "x", 2000, "", false);
	check_repeat("<message a='", ">", 2000, "", false);
	check_repeat("</", "x", 2000, "", false);
	/* 8 attributes, depth 8 (the stream is 1), 20 elements, 100 bytes a name. */
	check_in("<message a='1' b='1' c='1' d='1' e='1' f='1' g='1' h='1'/>",
	         "<message a='1' b='1' c='1' d='1' e='1' f='1' g='1' h='1'/>\n");
	check_in("<message a='1' b='1' c='1' d='1' e='1' f='1' g='1' h='1' i='1'/>", "error policy-violation\n");
	check_in("<message><a><a><a><a><a><a/></a></a></a></a></a></message>",
	         "<message><a><a><a><a><a><a/></a></a></a></a></a></message>\n");
	check_repeat("<message>", "<a>", 7, "", false);
	check_repeat("<message>", "<a/>", 19, "</message>", true);
	check_repeat("<message>", "<a/>", 20, "</message>", false);
	check_repeat("<message><", "n", 100, "/></message>", true);
	check_repeat("<message><", "n", 101, "/></message>", false);
	check_repeat("<message ", "n", 101, "='1'/>", false);
	check_repeat("<message><a xmlns='", "n", 100, "'/></message>", true);
	check_repeat("<message><a xmlns='", "n", 101, "'/></message>", false);
}

static void test_header_limit(void **state)
{
	char *text = repeat("<stream:stream a='", "x", 2000, "");

	(void)state;
	check_text(text, "error policy-violation\n");
	mem_free(text);
}

/* A short prefix for a long namespace, many times: what goes out must not grow without bound. */
static void test_growth(void **state)
{
	struct buf in = { 0 };
	struct record r;

	(void)state;
	begin(&r);
	xml_stream_set_limits(r.stream, &(struct xml_limits){ 20000, 8, 8, 10000, 1000 });
	buf_append_cstr(&in, HEAD "<message xmlns:p='");
	for (size_t i = 0; i < 1000; i++)
		buf_append_char(&in, 'n');
	buf_append_cstr(&in, "'>");
	for (size_t i = 0; i < 2000; i++)
		buf_append_cstr(&in, "<p:a/>");
	feed_pieces(&r, buf_str(&in), 0, 100);
	expect_log(&r, OPENED "error policy-violation\n", "growth", 0);
	end(&r);
	buf_fini(&in);
}

/* Keepalives and the state between stanzas. */
static void test_rest(void **state)
{
	struct record r;

	(void)state;
	begin(&r);
	assert_false(xml_stream_resting(r.stream));
	xml_stream_feed(r.stream, HEAD, strlen(HEAD));
	assert_true(xml_stream_resting(r.stream));
	xml_stream_rest(r.stream);
	assert_true(xml_stream_bytes(r.stream) < 512);
	assert_int_equal(xml_stream_feed(r.stream, " \n\r\t", 4), 4);
	assert_true(xml_stream_resting(r.stream));
	xml_stream_feed(r.stream, "<", 1);
	assert_false(xml_stream_resting(r.stream));
	xml_stream_rest(r.stream);
	xml_stream_feed(r.stream, "message><stream:x/>", 19);
	assert_false(xml_stream_resting(r.stream));
	xml_stream_rest(r.stream);
	assert_true(xml_stream_bytes(r.stream) > 512);
	xml_stream_feed(r.stream, "</message>", 10);
	assert_true(xml_stream_resting(r.stream));
	assert_true(xml_stream_bytes(r.stream) < 512);
	expect_log(&r, OPENED "<message><x xmlns='http://etherx.jabber.org/streams'/></message>\n", "rest", 0);
	end(&r);
}

static void test_pause(void **state)
{
	static const char in[] = "<presence/> <message/><iq type='get' id='1'><a/></iq> ";
	struct record r;

	(void)state;
	begin(&r);
	xml_stream_feed(r.stream, HEAD, strlen(HEAD));
	r.pause = true;
	assert_int_equal(xml_stream_feed(r.stream, in, sizeof(in) - 1), 11);
	assert_int_equal(xml_stream_feed(r.stream, in + 11, sizeof(in) - 12), 11);
	assert_int_equal(xml_stream_feed(r.stream, in + 22, sizeof(in) - 23), 31);
	expect_log(&r, OPENED "<presence/>\n<message/>\n<iq type='get' id='1'><a/></iq>\n", "pause", 0);
	end(&r);
}

static void test_reset(void **state)
{
	static const char in[] = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>\n" HEAD "<presence/>";
	struct record r;

	(void)state;
	begin(&r);
	xml_stream_feed(r.stream, HEAD, strlen(HEAD));
	r.reset_on_node = true;
	size_t used = xml_stream_feed(r.stream, in, sizeof(in) - 1);
	assert_int_equal(used, 48);
	assert_false(xml_stream_resting(r.stream));
	/* The line end a person types behind the element is no harm to the declaration that follows. */
	assert_int_equal(xml_stream_feed(r.stream, in + used, sizeof(in) - 1 - used), sizeof(in) - 1 - used);
	expect_log(&r, OPENED "node auth urn:ietf:params:xml:ns:xmpp-sasl\n" OPENED "<presence/>\n", "reset", 0);
	/* From outside of a callback, in the middle of an element. */
	xml_stream_feed(r.stream, "<message><a", 11);
	xml_stream_reset(r.stream);
	xml_stream_feed(r.stream, HEAD "</stream:stream>", strlen(HEAD) + 16);
	expect_log(&r, OPENED "node auth urn:ietf:params:xml:ns:xmpp-sasl\n" OPENED "<presence/>\n" OPENED "close\n", "reset", 1);
	end(&r);
}

static void test_reset_on_open(void **state)
{
	struct record r;

	(void)state;
	begin(&r);
	r.reset_on_open = true;
	assert_int_equal(xml_stream_feed(r.stream, HEAD HEAD, 2 * strlen(HEAD)), strlen(HEAD));
	assert_int_equal(xml_stream_feed(r.stream, HEAD "<presence/>", strlen(HEAD) + 11), strlen(HEAD) + 11);
	expect_log(&r, OPENED OPENED "<presence/>\n", "reset on open", 0);
	end(&r);
}

static void test_stop(void **state)
{
	struct record r;

	(void)state;
	begin(&r);
	r.stop_on_stanza = true;
	size_t n = strlen(HEAD);
	assert_int_equal(xml_stream_feed(r.stream, HEAD "<presence/><message/>", n + 21), n + 11);
	assert_int_equal(xml_stream_feed(r.stream, "<message/>", 10), 0);
	expect_log(&r, OPENED "<presence/>\n", "stop", 0);
	end(&r);
	/* After an error nothing is called any more. */
	begin(&r);
	xml_stream_feed(r.stream, HEAD "<!", n + 2);
	xml_stream_feed(r.stream, HEAD "<a/>", n + 4);
	xml_stream_stop(r.stream);
	xml_stream_feed(r.stream, HEAD "<a/>", n + 4);
	/* The frame waits for the byte behind the exclamation mark. */
	expect_log(&r, OPENED "error restricted-xml\n", "after an error", 0);
	end(&r);
}

/* Two streams in the middle of an element at once, with prefixes that mean different things. */
static void test_two_streams(void **state)
{
	struct record a, b;
	static const char first[] = "<message><p:x>", second[] = "</p:x></message>";
	static const char head_a[] = "<stream:stream xmlns='jabber:client' xmlns:p='u:a' " STREAMS ">";
	static const char head_b[] = "<stream:stream xmlns='jabber:server' xmlns:p='u:b' " STREAMS ">";

	(void)state;
	begin(&a);
	begin(&b);
	xml_stream_feed(a.stream, head_a, sizeof(head_a) - 1);
	xml_stream_feed(b.stream, head_b, sizeof(head_b) - 1);
	for (int i = 0; i < 3; i++) {
		xml_stream_feed(a.stream, first, sizeof(first) - 1);
		xml_stream_feed(b.stream, first, sizeof(first) - 1);
		xml_stream_feed(a.stream, second, sizeof(second) - 1);
		xml_stream_feed(b.stream, second, sizeof(second) - 1);
	}
	expect_log(&a,
	           "open  jabber:client\n<message><x xmlns='u:a'/></message>\n<message><x xmlns='u:a'/></message>\n<message><x "
	           "xmlns='u:a'/></message>\n",
	           "stream", 1);
	expect_log(&b,
	           "open  jabber:server\n<message><x xmlns='u:b'/></message>\n<message><x xmlns='u:b'/></message>\n<message><x "
	           "xmlns='u:b'/></message>\n",
	           "stream", 2);
	end(&a);
	end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),        cmocka_unit_test(test_header_limit), cmocka_unit_test(test_growth),
		cmocka_unit_test(test_rest),          cmocka_unit_test(test_pause),        cmocka_unit_test(test_reset),
		cmocka_unit_test(test_reset_on_open), cmocka_unit_test(test_stop),         cmocka_unit_test(test_two_streams),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
