/* SPDX-License-Identifier: Apache-2.0
 *
 * Unit tests of xml_stream: what comes in, and the events that go out. Every case is fed whole, byte by byte, and cut in two at every place; the
 * events must always be the same. */
#include "common/xml/xml_stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/base/mem.h"

#define DECL    "<?xml version='1.0'?>"
#define STREAMS "xmlns:stream='http://etherx.jabber.org/streams'"
#define HEAD    DECL "<stream:stream to='x.org' version='1.0' xmlns='jabber:client' " STREAMS ">"
#define OPENED  "open x.org jabber:client\n"

/* Events as lines of text. */
struct record {
	struct buf log;
	struct xml_stream *stream;
	bool pause, reset_on_node, reset_on_open, stop_on_stanza;
};

static void on_open(const struct xml_header *h, void *ctx)
{
	struct record *r = ctx;

	buf_printf(&r->log, "open %.*s %.*s%s%.*s\n", STR_ARG(h->to), STR_ARG(h->content_ns), h->lang.n ? " " : "", STR_ARG(h->lang));
	if (r->reset_on_open)
		xml_stream_reset(r->stream);
	r->reset_on_open = false;
}

static void log_stanza(struct record *r, const struct stanza *s)
{
	buf_printf(&r->log, "%.*s", STR_ARG(s->bytes));
	if (s->has_to)
		buf_printf(&r->log, " to=%.*s", STR_ARG(s->to_raw));
	if (s->has_from)
		buf_printf(&r->log, " from=%.*s", STR_ARG(s->from_raw));
	if (s->fault)
		buf_append_cstr(&r->log, " FAULT");
	buf_append_char(&r->log, '\n');
}

static void on_element(const struct stanza *s, const struct xml_node *node, void *ctx)
{
	struct record *r = ctx;

	assert_true((s == NULL) != (node == NULL));
	if (s)
		log_stanza(r, s);
	else
		buf_printf(&r->log, "node %.*s %.*s\n", STR_ARG(node->name), STR_ARG(node->ns));
	if (r->pause)
		xml_stream_pause(r->stream);
	if (node && r->reset_on_node)
		xml_stream_reset(r->stream);
	if (s && r->stop_on_stanza)
		xml_stream_stop(r->stream);
	/* What was shown must still be there after a reset: read it again. */
	if (node)
		assert_true(node->name.n > 0 && (node->ns.n == 0 || node->ns.p[node->ns.n - 1] != 0));
}

static void on_close(void *ctx)
{
	buf_append_cstr(&((struct record *)ctx)->log, "close\n");
}

static void on_error(const char *condition, const char *text, void *ctx)
{
	assert_non_null(text);
	buf_printf(&((struct record *)ctx)->log, "error %s\n", condition);
}

static const struct xml_stream_events events = { on_open, on_element, on_close, on_error };
static const struct xml_limits limits = { .stanza_bytes = 1000, .attributes = 8, .depth = 8, .elements = 20, .name_bytes = 100 };

static void begin(struct record *r)
{
	*r = (struct record){ 0 };
	r->stream = xml_stream_new(&limits, &events, r);
}

static void end(struct record *r)
{
	xml_stream_free(&r->stream);
	assert_null(r->stream);
	buf_fini(&r->log);
}

/* Feeds pieces of size `piece`, the first of size `first`. */
static void feed_pieces(struct record *r, struct str in, size_t first, size_t piece)
{
	for (size_t at = 0; at < in.n;) {
		size_t n = at == 0 && first ? first : piece;
		n = n < in.n - at ? n : in.n - at;

		/* A copy of exactly this size, so that the sanitizer sees a look behind the end. */
		char *copy = mem_memdup(in.p + at, n);
		size_t used = xml_stream_feed(r->stream, copy, n);
		mem_free(copy);
		assert_true(used <= n);
		if (used < n)
			return;
		at += n;
	}
}

static void expect_log(struct record *r, const char *want, const char *how, size_t number)
{
	struct str got = buf_str(&r->log);

	if (!str_is(got, want))
		fail_msg("%s %zu: got\n%.*swanted\n%s", how, number, STR_ARG(got), want);
}

static void check(struct str in, const char *want)
{
	struct record r;

	for (size_t first = 1; first <= in.n; first++) {
		begin(&r);
		feed_pieces(&r, in, first, in.n);
		expect_log(&r, want, "cut at", first);
		end(&r);
	}
	for (size_t piece = 1; piece <= 7; piece += 2) {
		begin(&r);
		feed_pieces(&r, in, 0, piece);
		expect_log(&r, want, "in pieces of", piece);
		end(&r);
	}
}

static void check_text(const char *in, const char *want)
{
	check(str_from(in), want);
}

/* In a stream that is open already. */
static void check_in(const char *in, const char *want)
{
	struct buf all = { 0 }, log = { 0 };
	char *a, *b;

	buf_printf(&all, HEAD "%s", in);
	buf_printf(&log, OPENED "%s", want);
	a = buf_take(&all, NULL);
	b = buf_take(&log, NULL);
	check_text(a, b);
	mem_free(a);
	mem_free(b);
}

struct example {
	const char *in, *want;
};

static void check_table(const struct example *table, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check_in(table[i].in, table[i].want);
}

#define CHECK_TABLE(table) check_table(table, sizeof(table) / sizeof((table)[0]))

static void test_headers(void **state)
{
	(void)state;
	static const struct example table[] = {
		{ HEAD, OPENED },
		{ "<stream:stream to='x.org' xmlns='jabber:client' " STREAMS ">", OPENED },
		{ " \n<stream:stream to='x.org' xmlns='jabber:client' " STREAMS ">", OPENED },
		{ DECL "\r\n<stream:stream to=\"x.org\" xmlns='jabber:client' xml:lang='de' " STREAMS "\n>\n",
		  "open x.org jabber:client de\n" },
		{ "<?xml version=\"1.0\" encoding='utf-8' standalone='yes'?><s:stream to='&quot;&#65;' xmlns='jabber:server' "
		  "xmlns:s='http://etherx.jabber.org/streams'>",
		  "open \"A jabber:server\n" },
		/* The content namespace is left to each stanza (RFC 6120 section 4.8.2). */
		{ "<stream xmlns='http://etherx.jabber.org/streams'><message xmlns='jabber:client'/></stream>",
		  "open  \n<message/>\nclose\n" },
		{ HEAD "</stream:stream>", OPENED "close\n" },
		{ HEAD " </stream:stream \n>more", OPENED "close\n" },
		{ HEAD "</stream>", OPENED "error not-well-formed\n" },
		{ HEAD "</stream:strea>", OPENED "error not-well-formed\n" },
		{ HEAD "</ stream:stream>", OPENED "error not-well-formed\n" },
		{ HEAD "</>", OPENED "error not-well-formed\n" },
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		check_text(table[i].in, table[i].want);
}

static void test_bad_headers(void **state)
{
	(void)state;
	static const struct example table[] = {
		{ "GET / HTTP/1.1\r\n\r\n", "error not-well-formed\n" },
		{ "</stream:stream>", "error not-well-formed\n" },
		{ "<html>", "error invalid-namespace\n" },
		{ "<stream:stream xmlns='jabber:client'>", "error not-well-formed\n" },
		{ "<stream:stream xmlns='jabber:client' xmlns:stream='http://example.com/'>", "error invalid-namespace\n" },
		{ "<stream xmlns='jabber:client'>", "error invalid-namespace\n" },
		{ "<stream:flow xmlns='jabber:client' " STREAMS ">", "error bad-format\n" },
		{ "<stream:stream xmlns='jabber:client' " STREAMS "/>", "error bad-format\n" },
		{ "<stream:stream xmlns='jabber:client' " STREAMS " x:a='1'>", "error not-well-formed\n" },
		{ "<stream:stream xmlns='jabber:client' " STREAMS " a='1' a='2'>", "error not-well-formed\n" },
		{ "<stream:stream xmlns='jabber:client' " STREAMS " a='<'>", "error not-well-formed\n" },
		{ "<stream:stream xmlns='jabber:client' " STREAMS " to='\xC3'>", "error not-well-formed\n" },
		{ "<stream:stream xmlns='jabber:client' " STREAMS " xmlns:xmlns='a'>", "error not-well-formed\n" },
		{ "<stream:stream xmlns='jabber:client' " STREAMS " xmlns:a=''>", "error not-well-formed\n" },
		{ "<stream:stream xmlns='jabber:client' " STREAMS " to='&nbsp;'>", "error restricted-xml\n" },
		{ "<stream:str:eam xmlns='jabber:client' " STREAMS ">", "error not-well-formed\n" },
		{ "<1>", "error not-well-formed\n" },
		{ "< a>", "error not-well-formed\n" },
		{ " " HEAD, "error not-well-formed\n" },
		{ DECL DECL, "error not-well-formed\n" },
		{ "<?xml version='1.1'?><a>", "error not-well-formed\n" },
		{ "<?xml version='1.0' encoding='ISO-8859-1'?><a>", "error unsupported-encoding\n" },
		{ "<?xml version='1.0' encoding='UTF-16'?><a>", "error unsupported-encoding\n" },
		{ "<?xml encoding='UTF-8'?><a>", "error not-well-formed\n" },
		{ "<?xml ?><a>", "error not-well-formed\n" },
		{ "<?xml-stylesheet href='x'?><a>", "error restricted-xml\n" },
		{ "<?php", "error restricted-xml\n" },
		{ "<!-- hello -->", "error restricted-xml\n" },
		{ "<!DOCTYPE lolz [<!ENTITY lol 'lol'>", "error restricted-xml\n" },
		{ DECL "<!DOCTYPE stream SYSTEM 'http://127.0.0.1/'>", "error restricted-xml\n" },
		/* RFC 6120 section 11.6: U+FEFF is no byte order mark here, so it is text where none may be. */
		{ "\xEF\xBB\xBF" HEAD, "error not-well-formed\n" },
		{ "\xFF\xFE<", "error unsupported-encoding\n" },
		{ "\xFE\xFF", "error unsupported-encoding\n" },
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		check_text(table[i].in, table[i].want);
	check(STR("<\0s\0"), "error unsupported-encoding\n");
}

static void test_canonical(void **state)
{
	(void)state;
	static const struct example table[] = {
		{ "<message to='a@b' from=\"c@d\" type='chat' id=\"1\"><body>hi</body></message>",
		  "<message type='chat' id='1'><body>hi</body></message> to=a@b from=c@d\n" },
		{ "<presence></presence>", "<presence/>\n" },
		{ "<presence/><presence />\n <presence\t/>", "<presence/>\n<presence/>\n<presence/>\n" },
		{ "<message xml:lang='en' xml:space=\"preserve\" z='1' a='2'/>",
		  "<message xml:lang='en' xml:space='preserve' z='1' a='2'/>\n" },
		/* Escaping. */
		{ "<message><body>a&lt;b&gt;c&amp;d'e\"f&apos;&quot;>]] ></body></message>",
		  "<message><body>a&lt;b&gt;c&amp;d'e\"f'\"&gt;]] &gt;</body></message>\n" },
		{ "<message><body>&#13;&#xD;\r\n\r\t&#x1F600;&#65;</body></message>", "<message><body>&#xD;&#xD;\n\n\t\xF0\x9F\x98\x80"
		                                                                      "A</body></message>\n" },
		{ "<message a='\t\r\n&#9;&#10;&#13;&quot;\"&apos;&lt;>'/>",
		  "<message a='  &#x9;&#xA;&#xD;&quot;&quot;&apos;&lt;&gt;'/>\n" },
		{ "<message><![CDATA[<&>]]]]><![CDATA[>]]></message>", "<message>&lt;&amp;&gt;]]&gt;</message>\n" },
		{ "<message><![CDATA[]]></message>", "<message/>\n" },
		{ "<message><body>\xC3\xBC\xE2\x82\xAC\xF0\x90\x8D\x88</body></message>",
		  "<message><body>\xC3\xBC\xE2\x82\xAC\xF0\x90\x8D\x88</body></message>\n" },
		/* Namespaces. */
		{ "<c:message xmlns:c='jabber:client'><c:body>x</c:body></c:message>", "<message><body>x</body></message>\n" },
		{ "<message xmlns='jabber:client'><body xmlns='jabber:client'/></message>", "<message><body/></message>\n" },
		{ "<message><a xmlns='u:a'><b/><c xmlns='jabber:client'/><d xmlns=''><e/></d></a></message>",
		  "<message><a xmlns='u:a'><b/><c xmlns='jabber:client'/><d xmlns=''><e/></d></a></message>\n" },
		{ "<message><p:a xmlns:p='u:a'><p:a xmlns:p='u:b'/><p:a/></p:a></message>",
		  "<message><a xmlns='u:a'><a xmlns='u:b'/><a/></a></message>\n" },
		{ "<message xmlns:p='u:a'><p:a/><q xmlns='u:a'><p:a/></q></message>",
		  "<message><a xmlns='u:a'/><q xmlns='u:a'><a/></q></message>\n" },
		{ "<message xmlns:p='u:a' xmlns:q='u:b' xmlns:r='u:a'><x q:a='1' p:b='2' r:c='3' p:a='4'/></message>",
		  "<message><x xmlns:ns1='u:b' ns1:a='1' xmlns:ns2='u:a' ns2:b='2' ns2:c='3' ns2:a='4'/></message>\n" },
		{ "<message><x stream:a='1'/><y xmlns:p='&amp;'><p:z/></y></message>",
		  "<message><x xmlns:ns1='http://etherx.jabber.org/streams' ns1:a='1'/><y><z xmlns='&amp;'/></y></message>\n" },
		{ "<message xmlns:xml='http://www.w3.org/XML/1998/namespace'/>", "<message/>\n" },
		/* The same names elsewhere are no stanzas. */
		{ "<message xmlns='u:a'/>", "node message u:a\n" },
		{ "<message xmlns=''/>", "node message \n" },
		{ "<stream:features><a/></stream:features>", "node features http://etherx.jabber.org/streams\n" },
		{ "<message xmlns='jabber:server'/>", "node message jabber:server\n" },
		{ "<note/>", "node note jabber:client\n" },
	};
	CHECK_TABLE(table);
}

static void test_language_of_stream(void **state)
{
	(void)state;
	check_text("<stream:stream xmlns='jabber:client' xml:lang='de' " STREAMS "><message/><message xml:lang='en'><body/></message>"
	           "<message><a xmlns='u:a'/></message>",
	           "open  jabber:client de\n<message xml:lang='de'/>\n<message xml:lang='en'><body/></message>\n"
	           "<message xml:lang='de'><a xmlns='u:a'/></message>\n");
}

static void test_bad_elements(void **state)
{
	(void)state;
	static const struct example table[] = {
		{ "hello", "error bad-format\n" },
		{ " hello", "error bad-format\n" },
		{ "&amp;", "error bad-format\n" },
		{ "<![CDATA[ ]]>", "error bad-format\n" },
		{ "<presence/>x", "<presence/>\nerror bad-format\n" },
		{ "\x01", "error not-well-formed\n" },
		{ "\xFF", "error not-well-formed\n" },
		{ "<message></iq>", "error not-well-formed\n" },
		{ "<message><body></message>", "error not-well-formed\n" },
		{ "<message a='1' a='2'/>", "error not-well-formed\n" },
		{ "<message a=1/>", "error not-well-formed\n" },
		{ "<message a/>", "error not-well-formed\n" },
		{ "<message a='1'b='2'/>", "error not-well-formed\n" },
		{ "<message / >", "error not-well-formed\n" },
		{ "<message><1/></message>", "error not-well-formed\n" },
		{ "<message", "" },
		{ "<message <", "error not-well-formed\n" },
		{ "<message a='<'", "error not-well-formed\n" },
		{ "<message></message <", "error not-well-formed\n" },
		{ "<message></message x>", "error not-well-formed\n" },
		{ "<message></ message>", "error not-well-formed\n" },
		{ "<message>]]></message>", "error not-well-formed\n" },
		{ "<message>& </message>", "error not-well-formed\n" },
		{ "<message>&amp</message>", "error not-well-formed\n" },
		{ "<message>&#0;</message>", "error not-well-formed\n" },
		{ "<message>&#x110000;</message>", "error not-well-formed\n" },
		{ "<message>&#xD800;</message>", "error not-well-formed\n" },
		{ "<message>&#x;</message>", "error not-well-formed\n" },
		{ "<message>&#1;</message>", "error not-well-formed\n" },
		{ "<message>\x01</message>", "error not-well-formed\n" },
		{ "<message>\xEF\xBF\xBE</message>", "error not-well-formed\n" },
		{ "<message a='\x1F'/>", "error not-well-formed\n" },
		/* Restricted XML (RFC 6120 section 11.1). */
		{ "<message><!-- no --></message>", "error restricted-xml\n" },
		{ "<message><?php ?></message>", "error restricted-xml\n" },
		{ "<message>&foo;</message>", "error restricted-xml\n" },
		{ "<message>&foo;</a<", "error restricted-xml\n" },
		{ "<message>&amp<?xm<", "error not-well-formed\n" },
		{ "<message>\xC3<!--", "error not-well-formed\n" },
		{ "<message><xml:a/></message>", "error bad-namespace-prefix\n" },
		{ "<message a='&foo;'/>", "error restricted-xml\n" },
		{ "<message>&aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "error restricted-xml\n" },
		{ "<!DOCTYPE x>", "error restricted-xml\n" },
		{ "<!ENTITY x 'y'>", "error restricted-xml\n" },
		{ "<![INCLUDE[", "error restricted-xml\n" },
		{ "<?xml version='1.0'?>", "error not-well-formed\n" },
		{ "<message><?xml version='1.0'?></message>", "error not-well-formed\n" },
		/* Namespaces. */
		{ "<p:message/>", "error not-well-formed\n" },
		{ "<message p:a='1'/>", "error not-well-formed\n" },
		{ "<message><p:a xmlns:p='u:a'/><p:a/></message>", "error not-well-formed\n" },
		{ "<message xmlns:p=''/>", "error not-well-formed\n" },
		{ "<message xmlns:xml='u:a'/>", "error not-well-formed\n" },
		{ "<message xmlns:xmlns='u:a'/>", "error not-well-formed\n" },
		{ "<message xmlns:p='http://www.w3.org/2000/xmlns/'/>", "error not-well-formed\n" },
		{ "<message xmlns='http://www.w3.org/XML/1998/namespace'/>", "error not-well-formed\n" },
		{ "<message xmlns:='u:a'/>", "error not-well-formed\n" },
		{ "<a:b:c xmlns:a='u:a'/>", "error not-well-formed\n" },
		{ "<message xmlns:a='u:a' a:1='x'/>", "error not-well-formed\n" },
		{ "<message xmlns:a='u:a' xmlns:a='u:a'/>", "error not-well-formed\n" },
		{ "<message><a xmlns='u:}'/></message>", "error not-well-formed\n" },
		{ "<message xmlns:a='&lt;'/>", "error not-well-formed\n" },
		{ "<message><a xmlns='u: a'/></message>", "error not-well-formed\n" },
		{ "<:a/>", "error not-well-formed\n" },
		{ "<message xmlns:a='u:a' xmlns:b='u:a' a:x='1' b:x='2'/>", "error not-well-formed\n" },
		{ "<xmlns:a/>", "error not-well-formed\n" },
	};
	CHECK_TABLE(table);
}

static void test_utf8(void **state)
{
	static const char *const bad[] = {
		"\xC3",
		"\xE2\x82",
		"\xF0\x9F\x98",
		"\x80",
		"\xBF\xBF",
		"\xC0\x80",
		"\xC1\xBF",
		"\xE0\x80\x80",
		"\xE0\x9F\xBF",
		"\xF0\x80\x80\x80",
		"\xF0\x8F\xBF\xBF",
		"\xED\xA0\x80",
		"\xED\xBF\xBF",
		"\xED\xA0\xBD\xED\xB8\x80",
		"\xF4\x90\x80\x80",
		"\xF5\x80\x80\x80",
		"\xFE",
		"\xFF",
		"\xEF\xBF\xBF",
		"\xC3\xC3\xBC",
		"\xE2\x28\xA1",
	};
	static const char *const where[] = { "<message><body>%s</body></message>", "<message a='%s'/>", "<message><![CDATA[%s]]></message>",
		                             "<message><a%s/></message>" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		for (size_t k = 0; k < sizeof(where) / sizeof(where[0]); k++) {
			char text[200];
			const char *mark = strstr(where[k], "%s");

			snprintf(text, sizeof(text), "%.*s%s%s", (int)(mark - where[k]), where[k], bad[i], mark + 2);
			check_in(text, "error not-well-formed\n");
		}
	}
}

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
		cmocka_unit_test(test_headers),       cmocka_unit_test(test_bad_headers),
		cmocka_unit_test(test_canonical),     cmocka_unit_test(test_language_of_stream),
		cmocka_unit_test(test_bad_elements),  cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_limits),        cmocka_unit_test(test_header_limit),
		cmocka_unit_test(test_growth),        cmocka_unit_test(test_rest),
		cmocka_unit_test(test_pause),         cmocka_unit_test(test_reset),
		cmocka_unit_test(test_reset_on_open), cmocka_unit_test(test_stop),
		cmocka_unit_test(test_two_streams),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
