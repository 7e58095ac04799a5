/* SPDX-License-Identifier: Apache-2.0
 *
 * Unit tests of xml_stream: what comes in, and the events that go out. Every case is fed whole, in small pieces, and cut in two at every place; the
 * events must always be the same. */
#include "common/xml/xml_stream.h"

#include "common/xml/xml_stream_testing.h"

struct example {
	const char *in, *want;
};

static void check_table(const struct example *table, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check_in(table[i].in, table[i].want);
}

#define CHECK_TABLE(table) check_table(table, sizeof(table) / sizeof((table)[0]))

static const struct example headers_table[] = {
	{ HEAD, OPENED },
	{ "<stream:stream to='x.org' xmlns='jabber:client' " STREAMS ">", OPENED },
	{ " \n<stream:stream to='x.org' xmlns='jabber:client' " STREAMS ">", OPENED },
	{ DECL "\r\n<stream:stream to=\"x.org\" xmlns='jabber:client' xml:lang='de' " STREAMS "\n>\n", "open x.org jabber:client de\n" },
	{ "<?xml version=\"1.0\" encoding='utf-8' standalone='yes'?><s:stream to='&quot;&#65;' xmlns='jabber:server' "
	  "xmlns:s='http://etherx.jabber.org/streams'>",
	  "open \"A jabber:server\n" },
	/* The content namespace is left to each stanza (RFC 6120 section 4.8.2). */
	{ "<stream xmlns='http://etherx.jabber.org/streams'><message xmlns='jabber:client'/></stream>", "open  \n<message/>\nclose\n" },
	{ HEAD "</stream:stream>", OPENED "close\n" },
	{ HEAD " </stream:stream \n>more", OPENED "close\n" },
	{ HEAD "</stream>", OPENED "error not-well-formed\n" },
	{ HEAD "</stream:strea>", OPENED "error not-well-formed\n" },
	{ HEAD "</ stream:stream>", OPENED "error not-well-formed\n" },
	{ HEAD "</>", OPENED "error not-well-formed\n" },
};

static void test_headers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(headers_table) / sizeof(headers_table[0]); i++)
		check_text(headers_table[i].in, headers_table[i].want);
}

static const struct example bad_headers_table[] = {
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

static void test_bad_headers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad_headers_table) / sizeof(bad_headers_table[0]); i++)
		check_text(bad_headers_table[i].in, bad_headers_table[i].want);
	check(STR("<\0s\0"), "error unsupported-encoding\n");
}

static const struct example canonical_table[] = {
	{ "<message to='a@b' from=\"c@d\" type='chat' id=\"1\"><body>hi</body></message>",
	  "<message type='chat' id='1'><body>hi</body></message> to=a@b from=c@d\n" },
	{ "<presence></presence>", "<presence/>\n" },
	{ "<presence/><presence />\n <presence\t/>", "<presence/>\n<presence/>\n<presence/>\n" },
	{ "<message xml:lang='en' xml:space=\"preserve\" z='1' a='2'/>", "<message xml:lang='en' xml:space='preserve' z='1' a='2'/>\n" },
	/* Escaping. */
	{ "<message><body>a&lt;b&gt;c&amp;d'e\"f&apos;&quot;>]] ></body></message>",
	  "<message><body>a&lt;b&gt;c&amp;d'e\"f'\"&gt;]] &gt;</body></message>\n" },
	{ "<message><body>&#13;&#xD;\r\n\r\t&#x1F600;&#65;</body></message>", "<message><body>&#xD;&#xD;\n\n\t\xF0\x9F\x98\x80"
	                                                                      "A</body></message>\n" },
	{ "<message a='\t\r\n&#9;&#10;&#13;&quot;\"&apos;&lt;>'/>", "<message a='  &#x9;&#xA;&#xD;&quot;&quot;&apos;&lt;&gt;'/>\n" },
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

static void test_canonical(void **state)
{
	(void)state;
	CHECK_TABLE(canonical_table);
}

static void test_language_of_stream(void **state)
{
	(void)state;
	check_text("<stream:stream xmlns='jabber:client' xml:lang='de' " STREAMS "><message/><message xml:lang='en'><body/></message>"
	           "<message><a xmlns='u:a'/></message>",
	           "open  jabber:client de\n<message xml:lang='de'/>\n<message xml:lang='en'><body/></message>\n"
	           "<message xml:lang='de'><a xmlns='u:a'/></message>\n");
}

static const struct example bad_elements_table[] = {
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

static void test_bad_elements(void **state)
{
	(void)state;
	CHECK_TABLE(bad_elements_table);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headers),      cmocka_unit_test(test_bad_headers),
		cmocka_unit_test(test_canonical),    cmocka_unit_test(test_language_of_stream),
		cmocka_unit_test(test_bad_elements), cmocka_unit_test(test_utf8),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
