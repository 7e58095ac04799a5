/* SPDX-License-Identifier: Apache-2.0
 *
 * Unit tests of xml: escaping, the tree, and writing it again. */
#include "common/xml/xml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/base/mem.h"

static void expect(struct buf *b, const char *want)
{
	if (!str_is(buf_str(b), want))
		fail_msg("got\n%.*s\nwanted\n%s", STR_ARG(buf_str(b)), want);
	buf_fini(b);
}

static void test_escape(void **state)
{
	struct buf b = { 0 };

	(void)state;
	xml_escape(&b, STR("a<b>&'\"\r\n\tü"));
	expect(&b, "a&lt;b&gt;&amp;&apos;&quot;&#xD;\n\tü");
	xml_escape_attr(&b, STR("a<b>&'\"\r\n\tü"));
	expect(&b, "a&lt;b&gt;&amp;&apos;&quot;&#xD;&#xA;&#x9;ü");
	xml_escape(&b, STR("a\x01\0b\x1F\x7F"));
	expect(&b, "a\xEF\xBF\xBD\xEF\xBF\xBD"
	           "b\xEF\xBF\xBD\x7F");
	xml_attr(&b, "x", STR("'"));
	xml_attr(&b, "y", STR(""));
	expect(&b, " x='&apos;' y=''");
	xml_escape(&b, STR(""));
	expect(&b, "");
}

static void test_accessors(void **state)
{
	struct arena *a = arena_new(0);
	struct xml_node *n = xml_parse(a,
	                               STR("<iq type='get' id='' xml:lang='de'>text<query xmlns='u:q' xmlns:p='u:p' "
	                                   "p:type='x'><item/>one&amp;<item n='2'/>two</query>&#65;</iq>"),
	                               STR("jabber:client"));

	(void)state;
	assert_non_null(n);
	assert_true(str_is(n->name, "iq") && str_is(n->ns, "jabber:client"));
	assert_true(str_is(xml_get(n, "type"), "get"));
	assert_non_null(xml_get(n, "id").p);
	assert_int_equal(xml_get(n, "id").n, 0);
	assert_null(xml_get(n, "lang").p);
	assert_null(xml_get(n, "nothing").p);
	assert_true(str_is(xml_text(a, n), "textA"));
	struct xml_node *q = xml_child(n, "query", NULL);
	assert_non_null(q);
	assert_ptr_equal(q, xml_first_element(n));
	assert_ptr_equal(q, xml_child(n, "query", "u:q"));
	assert_null(xml_child(n, "query", "jabber:client"));
	assert_null(xml_next_element(q));
	assert_ptr_equal(q->parent, n);
	assert_null(xml_get(q, "type").p);
	assert_true(str_is(q->attrs->name, "type") && str_is(q->attrs->ns, "u:p"));
	assert_true(str_is(xml_text(a, q), "one&two"));
	struct xml_node *item = xml_next_element(xml_first_element(q));
	assert_true(str_is(xml_get(item, "n"), "2") && str_is(item->ns, "u:q"));
	assert_int_equal(xml_text(a, item).n, 0);
	arena_free(&a);
}

/* What is written again: the same where it was canonical, the canonical form otherwise. */
static void test_round(void **state)
{
	static const struct {
		const char *in, *out;
	} table[] = {
		{ "<a/>", NULL },
		{ "<a></a>", "<a/>" },
		{ "<a b='1' c='&apos;&quot;&lt;&gt;&amp;&#x9;&#xA;&#xD;'>x&lt;&gt;&amp;'\"&#xD;\n\t</a>", NULL },
		{ "<a><b xmlns='u:b'><c/><d xmlns='jabber:client'/><e xmlns=''><f/></e></b></a>", NULL },
		{ "<a xmlns:ns1='u:1' ns1:x='1' y='2' xmlns:ns2='u:2' ns2:x='3' ns1:z='4' xml:lang='en'/>", NULL },
		{ "<p:a xmlns:p='u:p' p:x='1'><p:b/></p:a>", "<a xmlns='u:p' xmlns:ns1='u:p' ns1:x='1'><b/></a>" },
		{ "<a xmlns='jabber:client'/>", "<a/>" },
		{ "<a  b = \"1\" >&#x41;&#66;</a >", "<a b='1'>AB</a>" },
		{ "<\xC3\xBC \xC3\xB6='\xC3\xA4'/>", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct arena *a = arena_new(64);
		struct buf b = { 0 };
		char *copy = mem_strdup(table[i].in);
		struct xml_node *n = xml_parse(a, str_from(copy), STR("jabber:client"));

		mem_free(copy); /* everything lives in the arena */
		assert_non_null(n);
		xml_write(&b, n, STR("jabber:client"));
		expect(&b, table[i].out ? table[i].out : table[i].in);
		arena_free(&a);
	}
}

static const char *const refused[] = {
	"",
	" ",
	"x",
	"<",
	"<a",
	"<a ",
	"<a/",
	"<a>",
	"<a></b>",
	"<a></a",
	"<a/> ",
	" <a/>",
	"<a/><b/>",
	"<a/>x",
	"</a>",
	"<a b/>",
	"<a b=1/>",
	"<a b='1/>",
	"<a b='<'/>",
	"<a b='1'c='2'/>/",
	"<a b='1' b='2'/>",
	"<a p:b='1'/>",
	"<p:a/>",
	"<a xmlns:p='u' xmlns:q='u' p:b='' q:b=''/>",
	"<a:b:c/>",
	"<:a/>",
	"<a xmlns:p=''/>",
	"<a xmlns:xmlns='u'/>",
	"<a xmlns='http://www.w3.org/2000/xmlns/'/>",
	"<a>&</a>",
	"<a>&x;</a>",
	"<a>&#;</a>",
	"<a>&#x;</a>",
	"<a>&#x110000;</a>",
	"<a>&#99999999999;</a>",
	"<a>&#xD800;</a>",
	"<a>&#1;</a>",
	"<a>&amp</a>",
	"<a>\x01</a>",
	"<a b='\x02'/>",
	"<a>\xC3</a>",
	"<a>\xC3",
	"<!-- --><a/>",
	"<a><!-- --></a>",
	"<a><![CDATA[x]]></a>",
	"<?xml version='1.0'?><a/>",
	"<!DOCTYPE a><a/>",
	"<1/>",
	"< a/>",
	"<a / >",
	"<a b='1'",
	"<a>\xEF\xBF\xBE</a>",
	"<a>]]></a>",
	"<a xmlns='|'/>",
	"<a xmlns:p='u' xmlns:p='u'/>",
	"<a xmlns:p='u' p:-=''/>",
	"<xml:a/>",
	"<a b='\xEF\xBF\xBF'/>",
};

static void test_refused(void **state)
{
	struct arena *a = arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (xml_parse(a, str_from(refused[i]), STR("u")))
			fail_msg("accepted: %s", refused[i]);
	}
	assert_null(xml_parse(a, STR("<a>\0</a>"), STR("u")));
	arena_free(&a);
}

static struct xml_node *parse_repeated(struct arena *a, const char *head, const char *unit, size_t n, const char *unit_end,
                                       const char *tail)
{
	struct buf b = { 0 };

	buf_append_cstr(&b, head);
	for (size_t i = 0; i < n; i++)
		buf_append_cstr(&b, unit);
	for (size_t i = 0; unit_end && i < n; i++)
		buf_append_cstr(&b, unit_end);
	buf_append_cstr(&b, tail);
	struct xml_node *node = xml_parse(a, buf_str(&b), STR("u"));
	buf_fini(&b);
	return node;
}

static void test_tree_limits(void **state)
{
	struct arena *a = arena_new(0);

	(void)state;
	assert_non_null(parse_repeated(a, "", "<a>", 64, "</a>", ""));
	assert_null(parse_repeated(a, "", "<a>", 65, "</a>", ""));
	assert_non_null(parse_repeated(a, "<a>", "<b/>", 9999, NULL, "</a>"));
	assert_null(parse_repeated(a, "<a>", "<b/>", 10000, NULL, "</a>"));
	assert_null(parse_repeated(a, "", "<a>", 100000, NULL, ""));
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escape),  cmocka_unit_test(test_accessors),   cmocka_unit_test(test_round),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_tree_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
