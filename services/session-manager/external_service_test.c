/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines of the configuration, and the elements that they become. */
#include "services/session-manager/external_service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/mem.h"

static char keys[64];
static struct arena *arena;

static void put(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", keys, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int parse(const char *line, struct external_service *out, struct err *e)
{
	return external_service_parse(arena, str_from(line), keys, out, e);
}

/* The element for juliet at 2001-09-09T01:46:40Z, credentials for an hour. */
static char *element(const char *line, const char *lang, const char *action)
{
	const struct external_reader reader = {
		.account = STR("juliet@example.org"), .lang = str_from(lang), .now_us = 1000000000000000, .life_us = 3600000000
	};
	struct external_service s;
	struct buf out = { 0 };
	struct err e = { "" };
	size_t n;

	if (parse(line, &s, &e) != 0)
		fail_msg("%s: %s", line, e.text);
	external_service_write(&s, &reader, action, &out);
	return buf_take(&out, &n);
}

static void check(const char *line, const char *lang, const char *action, const char *expected)
{
	char *got = element(line, lang, action);

	assert_string_equal(got, expected);
	mem_free(got);
}

static void lines_become_elements(void **state)
{
	(void)state;
	check("type=stun host=stun.example.org", "", NULL, "<service type='stun' host='stun.example.org' port='3478' transport='udp'/>");
	check("  type=stun   host=2001:db8::1 port=9 transport=tcp ", "", NULL,
	      "<service type='stun' host='2001:db8::1' port='9' transport='tcp'/>");
	check("type=ftp host=192.0.2.1", "", NULL, "<service type='ftp' host='192.0.2.1'/>");
	check("name=\"Big & small\" type=ftp host=f.example.org port=20 transport=tcp", "", "add",
	      "<service action='add' type='ftp' host='f.example.org' port='20' transport='tcp' name='Big &amp; small'/>");
	check("type=turn host=t.example.org restricted=false", "", NULL,
	      "<service type='turn' host='t.example.org' port='3478' transport='udp'/>");
}

static void credentials_are_made_or_read(void **state)
{
	(void)state;
	put("turn.secrets", "north wind\nolder\n");
	put("other.secrets", "south wind\n");
	put("pass", "guest's\n");
	/* HMACs computed with Python. */
	check("type=turns host=t.example.org", "", NULL,
	      "<service type='turns' host='t.example.org' port='5349' transport='tcp' restricted='true' "
	      "username='1000003600:juliet@example.org' "
	      "password='A/pcjaAmyZePFhx9CfgQz+d6A3M=' expires='2001-09-09T02:46:40Z'/>");
	check("type=turn host=t.example.net secret_file=other.secrets", "", "modify",
	      "<service action='modify' type='turn' host='t.example.net' port='3478' transport='udp' restricted='true' "
	      "username='1000003600:juliet@example.org' password='6uZ6Qu8N2YA9QOogSeEVMrX7Mag=' expires='2001-09-09T02:46:40Z'/>");
	check("type=ftp host=f.example.org username=guest password_file=pass", "", NULL,
	      "<service type='ftp' host='f.example.org' restricted='true' username='guest' password='guest&apos;s'/>");
	/* What is gone: what it was, and nothing that is secret. */
	check("type=turn host=t.example.org name=x", "", "delete",
	      "<service action='delete' type='turn' host='t.example.org' port='3478' transport='udp'/>");
}

static void names_come_in_the_language_asked_for(void **state)
{
	const char *line = "type=ftp host=f.test name=Files name.de=Dateien name.pt-BR=Arquivos";

	(void)state;
	check(line, "", NULL, "<service type='ftp' host='f.test' name='Files'/>");
	check(line, "de", NULL, "<service type='ftp' host='f.test' name='Dateien'/>");
	check(line, "DE-at", NULL, "<service type='ftp' host='f.test' name='Dateien'/>");
	check(line, "pt-br", NULL, "<service type='ftp' host='f.test' name='Arquivos'/>");
	check(line, "fr", NULL, "<service type='ftp' host='f.test' name='Files'/>");
	check("type=ftp host=f.test name.de=Dateien", "fr", NULL, "<service type='ftp' host='f.test'/>");
}

static void bad_lines_are_refused(void **state)
{
	static const struct {
		const char *line, *why;
	} table[] = {
		{ "", "type and host" },
		{ "type=stun", "type and host" },
		{ "host=a.test", "type and host" },
		{ "stun a.test", "key=value" },
		{ "type=stun host=", "a value" },
		{ "type=stun =x", "key=value" },
		{ "type=stun host=\"a.test", "closing quote" },
		{ "type=stun host=a.test colour=red", "there is no 'colour'" },
		{ "type=stun type=turn host=a.test", "twice" },
		{ "type=2stun host=a.test", "type:" },
		{ "type=s:tun host=a.test", "type:" },
		{ "type=stun host=a_b.test", "host:" },
		{ "type=stun host=[2001:db8::1]", "host:" },
		{ "type=stun host=\"a test\"", "host:" },
		{ "type=stun host=a.test port=0", "port:" },
		{ "type=stun host=a.test port=65536", "port:" },
		{ "type=stun host=a.test port=-1", "port:" },
		{ "type=stun host=a.test port=3478x", "port:" },
		{ "type=stun host=a.test transport=sctp", "transport:" },
		{ "type=stun host=a.test restricted=yes", "restricted:" },
		{ "type=stun host=a.test name=a name=b", "name: twice" },
		{ "type=f host=a.test name.a=1 name.b=1 name.c=1 name.d=1 name.e=1 name.f=1 name.g=1 name.h=1 name.i=1", "at most 8" },
		{ "type=turn host=a.test restricted=false username=x", "restricted=false" },
		{ "type=turn host=a.test username=x", "go together" },
		{ "type=turn host=a.test password_file=pass", "go together" },
		{ "type=turn host=a.test username=x password_file=pass secret_file=pass", "not both" },
		{ "type=turn host=a.test secret_file=missing", "missing" },
		{ "type=f host=a.test name=\xff", "UTF-8" },
	};
	struct external_service s;
	struct err e;

	(void)state;
	put("pass", "guest\n");
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		e.text[0] = '\0';
		if (parse(table[i].line, &s, &e) == 0)
			fail_msg("accepted: %s", table[i].line);
		if (!strstr(e.text, table[i].why) || !strstr(e.text, "external.services"))
			fail_msg("%s: %s", table[i].line, e.text);
	}
}

static void what_is_the_same(void **state)
{
	struct external_service a, b;

	(void)state;
	put("turn.secrets", "north wind\n");
	assert_int_equal(parse("type=turn host=t.test", &a, NULL), 0);
	assert_int_equal(parse("type=turn host=T.test port=3478 transport=udp", &b, NULL), 0);
	assert_true(external_service_is(&a, &b) && external_service_equal(&a, &b));
	assert_int_equal(parse("type=turn host=t.test name=Other", &b, NULL), 0);
	assert_true(external_service_is(&a, &b));
	assert_false(external_service_equal(&a, &b));
	put("turn.secrets", "east wind\nnorth wind\n");
	assert_int_equal(parse("type=turn host=t.test", &b, NULL), 0);
	assert_true(external_service_is(&a, &b));
	assert_false(external_service_equal(&a, &b));
	assert_int_equal(parse("type=turn host=t.test transport=tcp", &b, NULL), 0);
	assert_false(external_service_is(&a, &b));
}

static int start(void **state)
{
	(void)state;
	snprintf(keys, sizeof(keys), "/tmp/external_service_test.XXXXXX");
	arena = arena_new(0);
	return mkdtemp(keys) ? 0 : -1;
}

static int stop(void **state)
{
	static const char *const names[] = { "turn.secrets", "other.secrets", "pass" };
	char path[128];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", keys, names[i]);
		unlink(path);
	}
	arena_free(&arena);
	return rmdir(keys);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lines_become_elements, start, stop),
		cmocka_unit_test_setup_teardown(credentials_are_made_or_read, start, stop),
		cmocka_unit_test_setup_teardown(names_come_in_the_language_asked_for, start, stop),
		cmocka_unit_test_setup_teardown(bad_lines_are_refused, start, stop),
		cmocka_unit_test_setup_teardown(what_is_the_same, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
