/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines as people and machines read them, and what the writer does with too many of them. */
#include "common/base/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/log_format.h"
#include "common/base/log_repeat.h"

static const struct log_ctx peer = { NULL, "peer", "[::1]:5222", 0 };
static const struct log_ctx nothing = { &peer, NULL, NULL, 0 };
static const struct log_ctx conn = { &nothing, "conn", NULL, 0x2fULL };

static void expect_line(bool json, const struct log_ctx *ctx, const char *text, size_t n, const char *expected)
{
	struct buf out = { 0 };
	struct log_line line = { 1500000, LOG_LEVEL_INFO, "auth", "auth-1", ctx, str_make(text, n) };

	if (json)
		log_format_json(&out, &line);
	else
		log_format_text(&out, &line);
	buf_append_char(&out, '\0');
	assert_string_equal(out.p, expected);
	buf_fini(&out);
}

#define TEXT(ctx, text, expected)                                                                                                          \
	expect_line(false, ctx, text, sizeof(text) - 1, "1970-01-01T00:00:01.500000Z info auth[auth-1] " expected "\n")
#define JSON(ctx, text, expected)                                                                                                          \
	expect_line(true, ctx, text, sizeof(text) - 1,                                                                                     \
	            "{\"time\":\"1970-01-01T00:00:01.500000Z\",\"level\":\"info\",\"role\":\"auth\",\"name\":\"auth-1\"," expected "}\n")

static void text_lines(void **state)
{
	static const struct log_ctx odd = { NULL, "user", "a b\"c\n", 0 };
	static const struct log_ctx empty = { NULL, "user", "", 0 };

	(void)state;
	TEXT(NULL, "ready", "ready");
	TEXT(&conn, "closed why=x", "closed why=x peer=[::1]:5222 conn=2f");
	TEXT(&odd, "x", "x user=\"a b\\\"c\\n\"");
	TEXT(&empty, "x", "x user=\"\"");
	/* A second line cannot be smuggled in, nor can terminal escapes; broken UTF-8 shows as bytes, good UTF-8 as itself. */
	TEXT(NULL, "a\nb\r\t\x1b[2J\x7f\0z", "a\\nb\\r\\t\\x1b[2J\\x7f\\x00z");
	TEXT(NULL, "\xc3\xa4 \xc3 \xed\xa0\x80 \xf5", "\xc3\xa4 \\xc3 \\xed\\xa0\\x80 \\xf5");
	TEXT(NULL, "say \"hi\"", "say \"hi\"");
}

static void json_lines(void **state)
{
	(void)state;
	JSON(NULL, "ready", "\"text\":\"ready\"");
	JSON(&conn, "closed why=policy text=\"a b\" n=3",
	     "\"text\":\"closed\",\"why\":\"policy\",\"n\":\"3\",\"peer\":\"[::1]:5222\",\"conn\":\"2f\"");
	JSON(NULL, "not a field: a=b here", "\"text\":\"not a field: a=b here\"");
	JSON(NULL, "only why=\"two words\"", "\"text\":\"only\",\"why\":\"two words\"");
	JSON(NULL, "broken why=\"two words", "\"text\":\"broken why=\\\"two words\"");
	JSON(NULL, "a\nb\x01\\\xff", "\"text\":\"a\\nb\\u0001\\\\\xef\xbf\xbd\"");
	/* Values cannot pass for what the log itself says. */
	JSON(&conn, "x level=error role=router conn=1", "\"text\":\"x\",\"peer\":\"[::1]:5222\",\"conn\":\"2f\"");
}

static void levels(void **state)
{
	enum log_level level = LOG_LEVEL_ERROR;

	(void)state;
	assert_true(log_level_parse("debug", &level));
	assert_int_equal(level, LOG_LEVEL_DEBUG);
	assert_false(log_level_parse("loud", &level));
	assert_false(log_level_parse("", &level));
	assert_int_equal(level, LOG_LEVEL_DEBUG);
}

/* --- repeats ------------------------------------------------------------------------------------------------------ */

static unsigned flushed;
static uint64_t flushed_count;

static void on_flush(enum log_level level, uint64_t count, const char *text)
{
	(void)level;
	(void)text;
	flushed++;
	flushed_count += count;
}

static unsigned admitted(enum log_level level, const char *fmt, const char *text, unsigned times, uint64_t now_ms)
{
	unsigned n = 0;

	for (unsigned i = 0; i < times; i++)
		n += log_repeat_admit(level, fmt, str_from(text), now_ms);
	return n;
}

static void repeats(void **state)
{
	static const char site[] = "lost %s", other[] = "found %s";

	(void)state;
	assert_int_equal(admitted(LOG_LEVEL_WARN, site, "lost a", 50, 1000), LOG_REPEAT_BURST);
	/* Same place, other value: held too. Another place and debug lines are not. */
	assert_int_equal(admitted(LOG_LEVEL_WARN, site, "lost b", 5, 1500), 0);
	assert_int_equal(admitted(LOG_LEVEL_WARN, other, "found a", 5, 1500), 5);
	assert_int_equal(admitted(LOG_LEVEL_DEBUG, site, "lost a", 500, 1500), 500);
	/* Information is held back only where the whole text repeats. */
	assert_int_equal(admitted(LOG_LEVEL_INFO, site, "lost x", 20, 1500), LOG_REPEAT_BURST);
	assert_int_equal(admitted(LOG_LEVEL_INFO, site, "lost y", 5, 1500), 5);
	log_repeat_flush(1600, false, on_flush);
	assert_int_equal(flushed, 0);
	log_repeat_flush(2600, false, on_flush);
	assert_int_equal(flushed, 2);
	assert_int_equal(flushed_count, 45 + 10);
	assert_int_equal(admitted(LOG_LEVEL_WARN, site, "lost a", 1, 2700), 1);
	log_repeat_flush(9999, true, on_flush);
	assert_int_equal(flushed, 2);
}

/* --- the writer --------------------------------------------------------------------------------------------------- */

static int saved_stderr = -1;

/* stderr becomes a pipe; its reading end is returned. */
static int catch_stderr(void)
{
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	saved_stderr = dup(STDERR_FILENO);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	return fds[0];
}

static void release_stderr(void)
{
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
}

static char *read_all(int fd)
{
	struct buf b = { 0 };
	char chunk[65536];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		buf_append(&b, chunk, (size_t)n);
	close(fd);
	return buf_take(&b, NULL);
}

static unsigned count_of(const char *text, const char *needle)
{
	unsigned n = 0;

	for (const char *p = text; (p = strstr(p, needle)); p++)
		n++;
	return n;
}

static void writes_everything_before_stop(void **state)
{
	int fd = catch_stderr();

	(void)state;
	log_info(NULL, "before start");
	log_start("auth", "auth-1", LOG_LEVEL_INFO, false);
	for (int i = 0; i < 500; i++)
		log_info(&conn, "line %d", i);
	log_debug(NULL, "never seen");
	for (int i = 0; i < 30; i++)
		log_warn(NULL, "again %d", i);
	log_stop();
	log_info(NULL, "after stop");
	release_stderr();
	char *all = read_all(fd);
	assert_int_equal(count_of(all, " line "), 500);
	assert_non_null(strstr(all, "info auth[auth-1] line 499 peer=[::1]:5222 conn=2f\n"));
	assert_null(strstr(all, "never seen"));
	assert_int_equal(count_of(all, "] again"), LOG_REPEAT_BURST);
	assert_non_null(strstr(all, "warn auth[auth-1] repeated 20 times more: again 10\n"));
	assert_non_null(strstr(all, " info before start\n"));
	assert_non_null(strstr(all, " info after stop\n"));
	assert_int_equal(log_dropped(), 0);
	free(all);
}

static void a_stuck_reader_costs_lines_not_time(void **state)
{
	int fd = catch_stderr();
	uint64_t before_ms = clock_mono_ms();

	(void)state;
	log_start("auth", "auth-1", LOG_LEVEL_INFO, true);
	for (int i = 0; i < 50000; i++)
		log_info(NULL, "line number %d of very many, none of which is read by anybody at all", i);
	uint64_t logging_ms = clock_mono_ms() - before_ms;
	assert_true(log_dropped() > 1000);
	log_stop();
	assert_true(clock_mono_ms() - before_ms < logging_ms + 4000);
	release_stderr();
	char *all = read_all(fd);
	/* Whole lines only. */
	assert_memory_equal(all, "{\"time\"", 7);
	free(all);
}

static void long_lines_are_cut(void **state)
{
	static char text[20000];
	int fd = catch_stderr();

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	log_start("auth", "auth-1", LOG_LEVEL_INFO, false);
	log_info(NULL, "%s", text);
	log_info(NULL, "next");
	log_stop();
	release_stderr();
	char *all = read_all(fd);
	assert_in_range(strlen(all), 8000, 9000);
	assert_non_null(strstr(all, "] next\n"));
	free(all);
}

static void err_may_quote_itself(void **state)
{
	struct err e = { .text = "why" };

	(void)state;
	assert_int_equal(err_set(&e, "what: %s", e.text), -1);
	assert_string_equal(e.text, "what: why");
	assert_int_equal(err_set(NULL, "nobody reads %d", 1), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_lines),
		cmocka_unit_test(json_lines),
		cmocka_unit_test(levels),
		cmocka_unit_test(repeats),
		cmocka_unit_test(writes_everything_before_stop),
		cmocka_unit_test(a_stuck_reader_costs_lines_not_time),
		cmocka_unit_test(long_lines_are_cut),
		cmocka_unit_test(err_may_quote_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
