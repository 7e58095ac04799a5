/* SPDX-License-Identifier: Apache-2.0
 *
 * Against a server that says what PostgreSQL says, and dies as it does: what a real one leaves unread is a matter of microseconds. */
#include "services/storage/pg_link.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 10000

static const char last_words[] = "terminating connection due to unexpected postmaster exit";

static char folder[] = "/tmp/pg-link-test-XXXXXX";
static char path[64];
static pid_t server = -1;
static uv_loop_t loop;
static struct pg_dsn dsn;
static struct pg_link *pg;
static bool up, down, spoke, over;
static char reason[256];

/* --- the server ---------------------------------------------------------------------------------------------------- */

static void send_all(int fd, const char *bytes, size_t n)
{
	if (write(fd, bytes, n) != (ssize_t)n)
		_exit(1);
}

/* ErrorResponse: the fields severity and message. */
static void send_fatal(int fd)
{
	char out[128];
	int n = snprintf(out + 5, sizeof(out) - 5, "SFATAL%cVFATAL%cC57P01%cM%s%c", 0, 0, 0, last_words, 0) + 1;

	out[0] = 'E';
	out[1] = out[2] = out[3] = 0;
	out[4] = (char)(n + 4);
	send_all(fd, out, (size_t)n + 5);
}

/* One client; its first query is never read. */
static void serve(int l)
{
	int fd = accept(l, NULL, NULL);
	struct pollfd query = { .fd = fd, .events = POLLIN };
	char in[1024];

	if (read(fd, in, sizeof(in)) <= 0)
		_exit(1);
	send_all(fd, "R\0\0\0\10\0\0\0\0Z\0\0\0\5I", 15);
	if (poll(&query, 1, PATIENCE_MS) != 1)
		_exit(1);
	send_fatal(fd);
	_exit(0);
}

static void server_start(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int l = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	assert_int_equal(bind(l, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(l, 1), 0);
	server = fork();
	assert_true(server >= 0);
	if (server == 0)
		serve(l);
	close(l);
}

/* --- the client ---------------------------------------------------------------------------------------------------- */

static void on_up(void *ctx)
{
	(void)ctx;
	up = true;
	assert_true(PQsendQuery(pg_link_pg(pg), "SELECT 1"));
	pg_link_flush(pg);
	/* All that it leaves is there before anybody looks. */
	assert_int_equal(waitpid(server, NULL, 0), server);
}

static void on_readable(void *ctx)
{
	PGresult *res;

	(void)ctx;
	if (PQisBusy(pg_link_pg(pg)))
		return;
	res = PQgetResult(pg_link_pg(pg));
	spoke = spoke || strstr(PQresultErrorMessage(res), last_words);
	PQclear(res);
}

static void on_down(const char *why, void *ctx)
{
	(void)ctx;
	down = true;
	snprintf(reason, sizeof(reason), "%s", why);
}

static void on_patience(uv_timer_t *timer)
{
	(void)timer;
	over = true;
}

static int set_up(void **state)
{
	char text[128];
	struct err e;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/.s.PGSQL.5432", folder);
	snprintf(text, sizeof(text), "host=%s user=u dbname=d", folder);
	assert_int_equal(pg_dsn_init(&dsn, text, NULL, &e), 0);
	assert_int_equal(uv_loop_init(&loop), 0);
	server_start();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pg_link_free(&pg);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	pg_dsn_fini(&dsn);
	unlink(path);
	return rmdir(folder);
}

/* A socket that is closed with bytes unread is an error of the other one, behind the last words that were written to it. */
static void a_server_that_dies_with_a_query_unread_is_noticed(void **state)
{
	static const struct pg_link_hooks hooks = { on_up, on_readable, on_down };
	static uv_timer_t timer;

	(void)state;
	uv_timer_init(&loop, &timer);
	uv_timer_start(&timer, on_patience, PATIENCE_MS, 0);
	pg = pg_link_new(&loop, &dsn, 60000, &hooks, NULL);
	while (!down && !over)
		uv_run(&loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&timer, NULL);
	assert_true(up && down && spoke);
	assert_true(reason[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_server_that_dies_with_a_query_unread_is_noticed, set_up, tear_down),
	};

	signal(SIGPIPE, SIG_IGN); /* as in each daemon */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
