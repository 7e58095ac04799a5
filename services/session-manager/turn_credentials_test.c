/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/turn_credentials.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char path[64];

static int load(const char *text, size_t n, char *out, struct err *e)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	fclose(f);
	return turn_secret_load(path, out, e);
}

/* Computed with Python's hmac and base64. */
static void the_password_is_a_mac_of_the_name(void **state)
{
	struct buf username = { 0 }, password = { 0 };

	(void)state;
	turn_credentials_make(STR("north wind"), STR("juliet@example.org"), 1000043200, &username, &password);
	assert_true(str_is(buf_str(&username), "1000043200:juliet@example.org"));
	assert_true(str_is(buf_str(&password), "GMEXGGAJquSXbkhgSlVpo5k2iFE="));
	buf_fini(&username);
	buf_fini(&password);
}

static void the_first_secret_is_taken(void **state)
{
	static const char *const files[] = { "one\ntwo\n", "one", "\n# a comment\n  one \t\r\ntwo\n", "one\r\n" };
	char out[TURN_SECRET_MAX + 1];
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		assert_int_equal(load(files[i], strlen(files[i]), out, &e), 0);
		assert_string_equal(out, "one");
	}
}

static void what_is_no_secret_is_refused(void **state)
{
	char out[TURN_SECRET_MAX + 1], longest[9000];
	struct err e;

	(void)state;
	memset(longest, 'x', sizeof(longest));
	assert_int_equal(load("", 0, out, &e), -1);
	assert_non_null(strstr(e.text, "no secret"));
	assert_int_equal(load("# only this\n\n", 13, out, &e), -1);
	assert_int_equal(load("a\0b\n", 4, out, &e), -1);
	assert_int_equal(load(longest, TURN_SECRET_MAX, out, &e), 0);
	assert_int_equal(load(longest, TURN_SECRET_MAX + 1, out, &e), -1);
	assert_non_null(strstr(e.text, "at most"));
	assert_int_equal(load(longest, sizeof(longest), out, &e), -1);
	assert_non_null(strstr(e.text, "too long"));
	assert_int_equal(turn_secret_load("/nonexistent/turn.secrets", out, &e), -1);
	assert_non_null(strstr(e.text, "/nonexistent/turn.secrets"));
}

static int make_path(void **state)
{
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "/tmp/turn_credentials_test.XXXXXX");
	fd = mkstemp(path);
	return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_password_is_a_mac_of_the_name),
		cmocka_unit_test(the_first_secret_is_taken),
		cmocka_unit_test(what_is_no_secret_is_refused),
	};

	return cmocka_run_group_tests(tests, make_path, remove_path);
}
