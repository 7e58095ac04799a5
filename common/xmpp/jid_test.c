/* SPDX-License-Identifier: Apache-2.0
 *
 * Unit tests of jid: RFC 7622 section 3.5, and more of the same kind. */
#include "common/xmpp/jid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/base/mem.h"

struct accepted {
	const char *in, *out; /* out NULL: the same */
};

static const struct accepted accepted[] = {
	/* RFC 7622 table 1. */
	{ "juliet@example.com", NULL },
	{ "juliet@example.com/foo", NULL },
	{ "juliet@example.com/foo bar", NULL },
	{ "juliet@example.com/foo@bar", NULL },
	{ "foo\\20bar@example.com", NULL },
	{ "fussball@example.com", NULL },
	{ "fu\xC3\x9F"
	  "ball@example.com",
	  NULL },
	{ "\xCF\x80@example.com", NULL },
	{ "\xCE\xA3@example.com/foo", "\xCF\x83@example.com/foo" },
	{ "\xCF\x83@example.com/foo", NULL },
	{ "\xCF\x82@example.com/foo", NULL },
	{ "king@example.com/\xE2\x99\x9A", NULL },
	{ "example.com", NULL },
	{ "example.com/foobar", NULL },
	{ "a.example.com/b@example.net", NULL },
	/* Erratum 4560: a resourcepart may begin with a space. */
	{ "juliet@example.com/ foo", NULL },
	/* Case, and what looks like separators. */
	{ "JULIET@EXAMPLE.COM/Balcony", "juliet@example.com/Balcony" },
	{ "juliet@example.com/a/b", NULL },
	{ "example.com/@/", NULL },
	{ "!#$%()*+,-.;=?[\\]^_`{|}~@x", NULL },
	/* Turkish: dotted capital to i and a dot; dotless small stays what it is. */
	{ "\xC4\xB0@x", "i\xCC\x87@x" },
	{ "\xC4\xB1@x", NULL },
	{ "I@x", "i@x" },
	/* Case, composition and width. */
	{ "\xC3\x84@x", "\xC3\xA4@x" },
	{ "A\xCC\x88@x", "\xC3\xA4@x" },
	{ "\xEF\xBC\xA1\xEF\xBD\x82@x", "ab@x" },
	{ "\xEF\xBD\xB1@x", "\xE3\x82\xA2@x" },
	{ "\xCE\x9F\xCE\x94\xCE\x9F\xCE\xA3@x", "\xCE\xBF\xCE\xB4\xCE\xBF\xCF\x83@x" },
	/* Contextual rules that hold. */
	{ "l\xC2\xB7l@x", NULL },
	{ "L\xC2\xB7L@x", "l\xC2\xB7l@x" },
	{ "\xCD\xB5\xCE\xB1@x", NULL },
	{ "\xD7\x90\xD7\xB3@x", NULL },
	{ "\xE3\x82\xA2\xE3\x83\xBB\xE3\x82\xA2@x", NULL },
	{ "\xE0\xA4\x95\xE0\xA5\x8D\xE2\x80\x8D@x", NULL },
	{ "\xE0\xA4\x95\xE0\xA5\x8D\xE2\x80\x8C\xE0\xA4\xB7@x", NULL },
	{ "\xD8\xA8\xE2\x80\x8C\xD8\xA8@x", NULL },
	{ "\xD8\xA8\xD9\xA1@x", NULL },
	/* Right to left. */
	{ "\xD7\x90\xD7\x91@x", NULL },
	{ "\xD7\x90"
	  "1@x",
	  NULL },
	/* Domains. */
	{ "example.com.", "example.com" },
	{ "x@B\xC3\xBC"
	  "cher.Example",
	  "x@b\xC3\xBC"
	  "cher.example" },
	{ "x@xn--bcher-kva.example", "x@b\xC3\xBC"
	                             "cher.example" },
	{ "x@XN--BCHER-KVA.example", "x@b\xC3\xBC"
	                             "cher.example" },
	{ "x@bu\xCC\x88"
	  "cher.example",
	  "x@b\xC3\xBC"
	  "cher.example" },
	{ "fa\xC3\x9F.de", NULL },
	{ "xn--fa-hia.de", "fa\xC3\x9F.de" },
	{ "\xEF\xBD\x85xample.com", "example.com" },
	{ "localhost", NULL },
	{ "127.0.0.1", NULL },
	{ "[::1]", NULL },
	{ "x@[2001:DB8:0:0::1]/r", "x@[2001:db8::1]/r" },
	{ "[::ffff:192.0.2.1]", NULL },
	{ "1.2.3.example", NULL },
	/* Resources: case and compatibility forms stay, spaces become one kind. */
	{ "x/\xC3\x84\xEF\xBC\xA1\xE2\x85\xA3", NULL },
	{ "x/a\xC2\xA0"
	  "b\xE3\x80\x80"
	  "c",
	  "x/a b c" },
	{ "x/A\xCC\x88", "x/\xC3\x84" },
	{ "x/\xF0\x9F\x98\x80", NULL },
};

struct refused {
	const char *in;
	enum jid_error error;
};

static const struct refused refused[] = {
	/* RFC 7622 table 2. */
	{ "\"juliet\"@example.com", JID_BAD_LOCAL },
	{ "foo bar@example.com", JID_BAD_LOCAL },
	{ "<@example.com/>", JID_BAD_LOCAL },
	{ "@example.com/", JID_EMPTY },
	{ "henry\xE2\x85\xA3@example.com", JID_BAD_LOCAL },
	{ "\xE2\x99\x9A@example.com", JID_BAD_LOCAL },
	{ "juliet@", JID_EMPTY },
	{ "/foobar", JID_EMPTY },
	/* Empty parts. */
	{ "", JID_EMPTY },
	{ "@", JID_EMPTY },
	{ "/", JID_EMPTY },
	{ "a@/b", JID_EMPTY },
	{ "example.com/", JID_EMPTY },
	{ "@example.com", JID_EMPTY },
	/* Excluded from localparts, also where a mapping makes them. */
	{ "a&b@x", JID_BAD_LOCAL },
	{ "a'b@x", JID_BAD_LOCAL },
	{ "a:b@x", JID_BAD_LOCAL },
	{ "a>b@x", JID_BAD_LOCAL },
	{ "a\xEF\xBC\xA0"
	  "b@x",
	  JID_BAD_LOCAL },
	{ "a\xEF\xBC\x8F"
	  "b@x",
	  JID_BAD_LOCAL },
	{ "a\xE3\x80\x80"
	  "b@x",
	  JID_BAD_LOCAL },
	{ "a\x7F@x", JID_BAD_LOCAL },
	{ "a\x01@x", JID_BAD_LOCAL },
	/* Compatibility forms, ligatures, ignorable, private, unassigned, noncharacters, old jamo, symbols. */
	{ "\xEF\xAC\x81@x", JID_BAD_LOCAL },
	{ "\xE2\x84\xAA@x", JID_BAD_LOCAL },
	{ "a\xC2\xAD@x", JID_BAD_LOCAL },
	{ "a\xE2\x80\x8B@x", JID_BAD_LOCAL },
	{ "\xEE\x80\x80@x", JID_BAD_LOCAL },
	{ "\xCD\xB8@x", JID_BAD_LOCAL },
	{ "\xEF\xB7\x90@x", JID_BAD_LOCAL },
	{ "\xF4\x8F\xBF\xBF@x", JID_BAD_LOCAL },
	{ "\xE1\x84\x80@x", JID_BAD_LOCAL },
	{ "\xF0\x9F\x98\x80@x", JID_BAD_LOCAL },
	{ "\xD9\x80@x", JID_BAD_LOCAL },
	{ "\xE2\x80\xAE@x", JID_BAD_LOCAL },
	/* Contextual rules that do not hold. */
	{ "a\xC2\xB7l@x", JID_BAD_LOCAL },
	{ "l\xC2\xB7@x", JID_BAD_LOCAL },
	{ "\xCD\xB5"
	  "a@x",
	  JID_BAD_LOCAL },
	{ "a\xD7\xB3@x", JID_BAD_LOCAL },
	{ "\xE3\x83\xBB@x", JID_BAD_LOCAL },
	{ "a\xE2\x80\x8D@x", JID_BAD_LOCAL },
	{ "a\xE2\x80\x8C"
	  "b@x",
	  JID_BAD_LOCAL },
	{ "\xD8\xA8\xD9\xA1\xDB\xB1@x", JID_BAD_LOCAL },
	/* Bidi Rule. */
	{ "\xD7\x90"
	  "a@x",
	  JID_BAD_LOCAL },
	{ "1\xD7\x90@x", JID_BAD_LOCAL },
	{ "a\xD7\x90@x", JID_BAD_LOCAL },
	{ "\xD7\x90-@x", JID_BAD_LOCAL },
	/* UTF-8. */
	{ "\xC3@x", JID_BAD_UTF8 },
	{ "\xC0\xAF@x", JID_BAD_UTF8 },
	{ "\xED\xA0\x80@x", JID_BAD_UTF8 },
	{ "\xED\xA0\xBD\xED\xB8\x80@x", JID_BAD_UTF8 },
	{ "a@\xFF", JID_BAD_UTF8 },
	{ "a/\xE2\x82", JID_BAD_UTF8 },
	{ "a/\xF4\x90\x80\x80", JID_BAD_UTF8 },
	/* Domains. */
	{ "a@b@c", JID_BAD_DOMAIN },
	{ ".", JID_BAD_DOMAIN },
	{ "a..b", JID_BAD_DOMAIN },
	{ ".a", JID_BAD_DOMAIN },
	{ "a..", JID_BAD_DOMAIN },
	{ "-a.b", JID_BAD_DOMAIN },
	{ "a-.b", JID_BAD_DOMAIN },
	{ "a.b-", JID_BAD_DOMAIN },
	{ "a_b", JID_BAD_DOMAIN },
	{ "a b", JID_BAD_DOMAIN },
	{ "a:5222", JID_BAD_DOMAIN },
	{ "-\xC3\xBC.de", JID_BAD_DOMAIN },
	{ "\xC3\xBC_.de", JID_BAD_DOMAIN },
	{ "xn--", JID_BAD_DOMAIN },
	{ "xn--abc-", JID_BAD_DOMAIN },
	{ "xn--a\xC3\xBC", JID_BAD_DOMAIN },
	{ "\xE2\x99\xA5.com", JID_BAD_DOMAIN },
	{ "xn--g6h.com", JID_BAD_DOMAIN },
	{ "xn--bce", JID_BAD_DOMAIN },
	{ "a\xE2\x80\x8B.com", JID_BAD_DOMAIN },
	{ "[]", JID_BAD_DOMAIN },
	{ "[::1", JID_BAD_DOMAIN },
	{ "[::g]", JID_BAD_DOMAIN },
	{ "[fe80::1%eth0]", JID_BAD_DOMAIN },
	{ "[127.0.0.1]", JID_BAD_DOMAIN },
	{ "[::1].com", JID_BAD_DOMAIN },
	{ "\xD7\x90"
	  "a.com",
	  JID_BAD_DOMAIN },
	/* Resources. */
	{ "x/a\nb", JID_BAD_RESOURCE },
	{ "x/\x7F", JID_BAD_RESOURCE },
	{ "x/\xC2\x85", JID_BAD_RESOURCE },
	{ "x/\xEF\xBF\xBE", JID_BAD_RESOURCE },
	{ "x/\xC2\xAD", JID_BAD_RESOURCE },
	{ "x/\xCD\xB8", JID_BAD_RESOURCE },
	{ "x/a\xE2\x80\x8D", JID_BAD_RESOURCE },
};

static void test_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
		const char *want = accepted[i].out ? accepted[i].out : accepted[i].in;
		struct jid j, again;
		enum jid_error e = jid_parse(str_from(accepted[i].in), &j);

		if (e || !str_is(j.full, want) || strlen(j.text) != j.full.n)
			fail_msg("%s: %s, %.*s", accepted[i].in, jid_error_name(e), STR_ARG(j.full));
		/* Normal form is a fixed point. */
		assert_int_equal(jid_parse(j.full, &again), JID_OK);
		assert_true(jid_equal(&j, &again));
		jid_fini(&again);
		jid_fini(&j);
	}
}

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct jid j;
		enum jid_error e = jid_parse(str_from(refused[i].in), &j);

		if (e != refused[i].error || j.text || j.full.n)
			fail_msg("%s: %s, %.*s", refused[i].in, jid_error_name(e), STR_ARG(j.full));
		jid_fini(&j);
	}
	struct jid j;
	assert_int_equal(jid_parse(STR("a\0b@x"), &j), JID_BAD_LOCAL);
	assert_int_equal(jid_parse(STR("a@x\0"), &j), JID_BAD_DOMAIN);
	assert_int_equal(jid_parse(STR("a@\xC3\xBC\0"), &j), JID_BAD_DOMAIN);
	assert_int_equal(jid_parse(STR("x/\0"), &j), JID_BAD_RESOURCE);
	assert_int_equal(jid_parse((struct str){ NULL, 0 }, &j), JID_EMPTY);
}

static void test_lengths(void **state)
{
	char text[JID_TEXT_MAX + 100];
	struct jid j;

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text + 1023, "@x", 2);
	assert_int_equal(jid_parse(str_make(text, 1025), &j), JID_OK);
	assert_int_equal(j.local.n, 1023);
	jid_fini(&j);
	memcpy(text, "x/", 2);
	memset(text + 2, 'a', 1024);
	assert_int_equal(jid_parse(str_make(text, 1025), &j), JID_OK);
	jid_fini(&j);
	assert_int_equal(jid_parse(str_make(text, 1026), &j), JID_TOO_LONG);
	memset(text, 'a', 1024);
	memcpy(text + 1024, "@x", 2);
	assert_int_equal(jid_parse(str_make(text, 1026), &j), JID_TOO_LONG);
	/* A label has 63 bytes, a name 253 (RFC 1035). */
	memset(text, 'a', 64);
	assert_int_equal(jid_parse(str_make(text, 63), &j), JID_OK);
	jid_fini(&j);
	assert_int_equal(jid_parse(str_make(text, 64), &j), JID_BAD_DOMAIN);
	for (size_t i = 0; i < 254; i++)
		text[i] = i % 10 == 9 ? '.' : 'a';
	assert_int_equal(jid_parse(str_make(text, 253), &j), JID_OK);
	jid_fini(&j);
	text[253] = 'a';
	assert_int_equal(jid_parse(str_make(text, 254), &j), JID_BAD_DOMAIN);
	memset(text, 'a', 1024);
	assert_int_equal(jid_parse(str_make(text, 1024), &j), JID_TOO_LONG);
	/* Mapping may shorten: 1023 fullwidth letters are 1023 bytes; one more is too long. */
	char wide[3 * 1024 + 2];
	for (size_t i = 0; i < 1024; i++)
		memcpy(wide + 3 * i, "\xEF\xBD\x81", 3);
	memcpy(wide + 3 * 1023, "@x", 2);
	assert_int_equal(jid_parse(str_make(wide, 3 * 1023 + 2), &j), JID_OK);
	assert_int_equal(j.full.n, 1025);
	jid_fini(&j);
	memcpy(wide + 3 * 1023, "\xEF\xBD\x81@x", 5);
	assert_int_equal(jid_parse(str_make(wide, 3 * 1024 + 2), &j), JID_TOO_LONG);
}

static void test_parts(void **state)
{
	struct jid j, copy;

	(void)state;
	assert_int_equal(jid_make(STR("A"), STR("B.c"), STR("D"), &j), JID_OK);
	assert_true(str_is(j.local, "a") && str_is(j.domain, "b.c") && str_is(j.resource, "D"));
	assert_true(str_is(j.bare, "a@b.c") && str_is(j.full, "a@b.c/D"));
	jid_copy(&copy, &j);
	assert_true(jid_equal(&copy, &j) && copy.text != j.text && copy.local.p == copy.text && str_is(copy.resource, "D"));
	jid_fini(&copy);
	jid_fini(&j);
	assert_int_equal(jid_make(STR(""), STR("x"), STR(""), &j), JID_OK);
	assert_true(str_is(j.bare, "x") && str_is(j.full, "x") && j.local.n == 0 && j.resource.n == 0);
	jid_fini(&j);
	assert_int_equal(jid_make(STR("a/b"), STR("x"), STR(""), &j), JID_BAD_LOCAL);
	assert_int_equal(jid_make(STR("a"), STR("x/y"), STR(""), &j), JID_BAD_DOMAIN);
	assert_int_equal(jid_make(STR("a"), STR(""), STR(""), &j), JID_EMPTY);
	jid_copy(&copy, &j);
	assert_null(copy.text);
}

static void test_views(void **state)
{
	(void)state;
	assert_true(str_is(jid_view_bare(STR("a@b/c@d/e")), "a@b"));
	assert_true(str_is(jid_view_local(STR("a@b/c@d/e")), "a"));
	assert_true(str_is(jid_view_domain(STR("a@b/c@d/e")), "b"));
	assert_true(str_is(jid_view_resource(STR("a@b/c@d/e")), "c@d/e"));
	assert_true(str_is(jid_view_domain(STR("b/c@d")), "b") && jid_view_local(STR("b/c@d")).n == 0);
	assert_true(jid_view_resource(STR("a@b")).n == 0 && str_is(jid_view_bare(STR("b")), "b"));
	assert_true(jid_view_bare((struct str){ NULL, 0 }).n == 0 && jid_view_domain((struct str){ NULL, 0 }).n == 0);
}

/* RFC 8265 section 4.3. */
static void test_passwords(void **state)
{
	static const struct accepted good[] = {
		{ "correct horse battery staple", NULL },
		{ "Correct Horse Battery Staple", NULL },
		{ "\xCF\x80\xC3\x9F\xC3\xA5", NULL },
		{ "Jack of \xE2\x99\xA6s", NULL },
		{ "foo\xE1\x9A\x80"
		  "bar",
		  "foo bar" },
		{ " ", NULL },
	};
	static const struct refused bad[] = {
		{ "", JID_EMPTY },
		{ "my cat is a \tby", JID_BAD_RESOURCE },
		{ "\xFF", JID_BAD_UTF8 },
	};
	char out[JID_PART_MAX + 1];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(jid_prep_password(str_from(good[i].in), out, &n), JID_OK);
		assert_string_equal(out, good[i].out ? good[i].out : good[i].in);
		assert_int_equal(n, strlen(out));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(jid_prep_password(str_from(bad[i].in), out, &n), bad[i].error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted), cmocka_unit_test(test_refused), cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_parts),    cmocka_unit_test(test_views),   cmocka_unit_test(test_passwords),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
