/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "services/mqtt-gateway/template.h"

#define ALL (PIECES_OF_PUBLISH | PIECES_OF_STANZA)

static const char json[] =
        "{\"a\":{\"b\":\"x\\u00e9\\n\",\"n\":-1.50,\"twice\":1,\"twice\":2},\"o\":[1,{}],\"t\":true,\"z\":null,\"e\":\"\\u0000\"}";

/* NULL: refused. */
static const char *render(const char *text, size_t max, char out[300])
{
	struct template t = { 0 };
	struct template_values v = { .levels = { STR("one"), STR(""), STR("three") } };
	struct json_value value;
	struct buf b = { 0 };
	bool ok;

	buf_init(&b, max);
	assert_true(json_read(str_from(json), &value));
	v.json = &value;
	v.texts[PIECE_TOPIC] = STR("a/b");
	v.texts[PIECE_PAYLOAD] = STR("load");
	v.texts[PIECE_USER] = STR("juliet");
	v.texts[PIECE_DOMAIN] = STR("example.org");
	v.texts[PIECE_NAME] = STR("lamp");
	assert_null(template_parse(&t, str_from(text), ALL));
	ok = template_render(&t, &v, &b);
	strncpy(out, "", 1);
	if (ok) {
		memcpy(out, buf_str(&b).p, buf_str(&b).n);
		out[buf_str(&b).n] = '\0';
	}
	buf_fini(&b);
	template_fini(&t);
	return ok ? out : NULL;
}

static void test_filled_in(void **state)
{
	static const char *const rows[][2] = {
		{ "plain", "plain" },
		{ "$1-$2-$3", "one--three" },
		{ "$1$1", "oneone" },
		{ "$$1 $$", "$1 $" },
		{ "$topic: $payload!", "a/b: load!" },
		{ "$user@$domain to $name", "juliet@example.org to lamp" },
		{ "${a.b}", "x\xc3\xa9\n" },
		{ "${a.n} ${t} ${z} ${o}", "-1.50 true null [1,{}]" },
		{ "100%", "100%" },
	};
	char out[300];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *got = render(rows[i][0], 0, out);

		assert_non_null(got);
		assert_string_equal(got, rows[i][1]);
	}
}

/* A member that is missing, is there twice, holds U+0000, or lies in what is no object; and no room. */
static void test_not_filled_in(void **state)
{
	static const char *const rows[] = { "${b}", "${a.x}", "${a.twice}", "${e}", "${o.a}", "${a.b.c}" };
	char out[300];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_null(render(rows[i], 0, out));
	assert_null(render("$topic$payload", 6, out));
	assert_non_null(render("$topic$payload", 7, out));
}

static void test_refused(void **state)
{
	static const struct {
		const char *text;
		unsigned pieces;
		const char *want;
	} rows[] = {
		{ "$", ALL, "a dollar" },
		{ "$0", ALL, "a dollar" },
		{ "$nothing", ALL, "a dollar" },
		{ "$payloads", ALL, "a dollar" },
		{ "$Payload", ALL, "a dollar" },
		{ "$user", PIECES_OF_PUBLISH, "a dollar" },
		{ "$payload", PIECES_OF_STANZA, "a dollar" },
		{ "$1", PIECES_OF_STANZA, "a dollar" },
		{ "${a}", PIECES_OF_STANZA, "a dollar" },
		{ "${", ALL, "${...} needs the name" },
		{ "${}", ALL, "${...} needs the name" },
		{ "${a", ALL, "${...} needs the name" },
		{ "${.a}", ALL, "${...} needs the name" },
		{ "${a.}", ALL, "${...} needs the name" },
		{ "${a..b}", ALL, "${...} needs the name" },
		{ "${a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a}", ALL, "${...} goes too deep" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct template t = { 0 };
		const char *why = template_parse(&t, str_from(rows[i].text), rows[i].pieces);

		assert_non_null(why);
		assert_memory_equal(why, rows[i].want, strlen(rows[i].want));
		template_fini(&t);
	}
}

static void test_about(void **state)
{
	struct template t = { 0 };

	(void)state;
	assert_true(template_fixed(&t));
	assert_null(template_parse(&t, STR("a$$b"), ALL));
	assert_true(template_fixed(&t));
	assert_int_equal(template_levels(&t), 0);
	template_fini(&t);
	assert_null(template_parse(&t, STR("$1 $7 $2"), ALL));
	assert_false(template_fixed(&t));
	assert_int_equal(template_levels(&t), 7);
	assert_true(template_uses(&t, PIECE_LEVEL) && !template_uses(&t, PIECE_JSON));
	template_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filled_in),
		cmocka_unit_test(test_not_filled_in),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_about),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
