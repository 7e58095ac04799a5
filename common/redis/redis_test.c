/* SPDX-License-Identifier: Apache-2.0
 *
 * Against a real redis-server of its own, on a Unix socket in a temporary folder. */
#include "common/redis/redis.h"

#include <errno.h>
#include <fcntl.h>
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

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#define PATIENCE_MS 10000u

static char dir[] = "/tmp/redis-test-XXXXXX";
static char socket_path[64], url[80], password_path[64];
static pid_t server = -1;
static uv_loop_t loop;

/* --- the server --------------------------------------------------------------------------------------------------- */

static void server_start(const char *password)
{
	server = fork();
	assert_true(server >= 0);
	if (server == 0) {
		int null = open("/dev/null", O_RDWR);
		dup2(null, STDOUT_FILENO);
		execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", socket_path, "--dir", dir, "--save", "",
		       "--requirepass", password ? password : "", NULL);
		_exit(127);
	}
}

static void server_kill(void)
{
	if (server < 0)
		return;
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	server = -1;
}

/* --- the client under test ---------------------------------------------------------------------------------------- */

static struct redis *client;
static int up_count, down_count;
static bool broken_seen;

static void on_state(bool up, void *ctx)
{
	(void)ctx;
	*(up ? &up_count : &down_count) += 1;
	assert_int_equal(redis_up(client), up);
}

static void client_start(const char *to, const char *password_file, uint32_t timeout_ms)
{
	struct redis_config config = { .url = to, .password_file = password_file, .timeout_ms = timeout_ms, .on_state = on_state };

	up_count = down_count = 0;
	client = redis_new(&loop, &config);
}

static void on_patience(uv_timer_t *timer)
{
	*(bool *)timer->data = true;
}

/* Runs the loop until *what reaches n. */
static void run_until(const int *what, int n)
{
	uv_timer_t timer;
	bool over = false;

	uv_timer_init(&loop, &timer);
	timer.data = &over;
	uv_timer_start(&timer, on_patience, PATIENCE_MS, 0);
	while (*what < n && !over)
		uv_run(&loop, UV_RUN_ONCE);
	assert_false(over);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(&loop, UV_RUN_NOWAIT);
}

static struct {
	int answers, failures, order;
	char text[256];
	long long integer;
} got;

static void on_reply(const redisReply *reply, void *ctx)
{
	(void)ctx;
	got.answers++;
	if (!reply) {
		got.failures++;
		/* A connection that just broke takes nothing more. */
		broken_seen = true;
		assert_false(redis_up(client));
		return;
	}
	if (reply->type == REDIS_REPLY_INTEGER)
		got.integer = reply->integer;
	else if (reply->str)
		snprintf(got.text, sizeof(got.text), "%s", reply->str);
}

static void ask(int argc, const char *const *argv, const size_t *lens)
{
	memset(&got, 0, sizeof(got));
	assert_true(redis_command(client, on_reply, NULL, argc, argv, lens));
}

#define ASK(...)                                                                                                                           \
	do {                                                                                                                               \
		const char *const argv_[] = { __VA_ARGS__ };                                                                               \
		ask((int)(sizeof(argv_) / sizeof(argv_[0])), argv_, NULL);                                                                 \
		run_until(&got.answers, 1);                                                                                                \
	} while (0)

/* --- tests -------------------------------------------------------------------------------------------------------- */

static int set_up(void **state)
{
	(void)state;
	assert_int_equal(uv_loop_init(&loop), 0);
	server_start(NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	redis_free(&client);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	server_kill();
	return 0;
}

static void commands_are_binary_safe(void **state)
{
	const char *set[] = { "SET", "k\0y", "v\0l" }, *strlen_of[] = { "STRLEN", "k\0y" };
	size_t lens[] = { 3, 3, 3 };

	(void)state;
	client_start(url, "", 0);
	/* Not connected yet: refused at once. */
	assert_false(redis_command(client, on_reply, NULL, 3, set, lens));
	run_until(&up_count, 1);
	ask(3, set, lens);
	lens[0] = 6;
	assert_true(redis_command(client, on_reply, NULL, 2, strlen_of, lens));
	run_until(&got.answers, 2);
	assert_int_equal(got.integer, 3);
	assert_string_equal(got.text, "OK");
	/* Errors are answers. */
	ASK("INCR", "k", "too", "many");
	assert_non_null(strstr(got.text, "ERR"));
}

static void comes_back_after_a_kill(void **state)
{
	const char *const block[] = { "BLPOP", "nothing", "0" };

	(void)state;
	client_start(url, "", 0);
	run_until(&up_count, 1);
	ask(3, block, NULL);
	server_kill();
	broken_seen = false;
	run_until(&down_count, 1);
	assert_true(broken_seen);
	assert_int_equal(got.failures, 1);
	assert_false(redis_command(client, on_reply, NULL, 3, block, NULL));
	server_start(NULL);
	run_until(&up_count, 2);
	ASK("SET", "a", "b");
	assert_string_equal(got.text, "OK");
	assert_int_equal(down_count, 1);
}

static void scripts(void **state)
{
	static struct redis_script early = { .name = "early", .source = "return ARGV[1] .. KEYS[1]" };
	static struct redis_script late = { .name = "late", .source = "return #ARGV" };
	const char *args[40];

	(void)state;
	for (size_t i = 0; i < 40; i++)
		args[i] = "x";
	args[0] = "key";
	client_start(url, "", 0);
	redis_script_register(client, &early);
	/* What sha1sum says of the source. */
	assert_string_equal(early.sha1, "facee73595c1e83e3ea47cba8d250fc2710fd050");
	run_until(&up_count, 1);
	memset(&got, 0, sizeof(got));
	assert_true(redis_eval(client, &early, on_reply, NULL, 1, 2, args, NULL));
	run_until(&got.answers, 1);
	assert_string_equal(got.text, "xkey");
	redis_script_register(client, &late);
	memset(&got, 0, sizeof(got));
	assert_true(redis_eval(client, &late, on_reply, NULL, 1, 40, args, NULL));
	run_until(&got.answers, 1);
	assert_int_equal(got.integer, 39);
	/* A server that forgot its scripts is taught again. */
	ASK("SCRIPT", "FLUSH");
	memset(&got, 0, sizeof(got));
	assert_true(redis_eval(client, &early, on_reply, NULL, 1, 2, args, NULL));
	run_until(&got.answers, 1);
	assert_string_equal(got.text, "xkey");
}

static void a_silent_server_is_given_up(void **state)
{
	const char *const ping[] = { "PING" };

	(void)state;
	client_start(url, "", 300);
	run_until(&up_count, 1);
	kill(server, SIGSTOP);
	ask(1, ping, NULL);
	uint64_t before_ms = clock_mono_ms();
	run_until(&down_count, 1);
	assert_in_range(clock_mono_ms() - before_ms, 200, 3000);
	assert_int_equal(got.failures, 1);
	kill(server, SIGCONT);
	run_until(&up_count, 2);
}

static void passwords(void **state)
{
	int fd = open(password_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	(void)state;
	assert_int_equal(write(fd, "wrong\n", 6), 6);
	server_kill();
	server_start("s3cret");
	client_start(url, password_path, 0);
	/* A refused password never counts as up; the file is read again at the next attempt. */
	for (int i = 0; i < 100; i++) {
		uv_run(&loop, UV_RUN_NOWAIT);
		uv_sleep(10);
	}
	assert_int_equal(up_count, 0);
	assert_int_equal(pwrite(fd, "s3cret\n", 7, 0), 7);
	close(fd);
	run_until(&up_count, 1);
	ASK("SET", "a", "b");
	assert_string_equal(got.text, "OK");
}

static void nobody_there(void **state)
{
	(void)state;
	server_kill();
	unlink(socket_path);
	client_start(url, "", 0);
	for (int i = 0; i < 30; i++) {
		uv_run(&loop, UV_RUN_NOWAIT);
		uv_sleep(10);
	}
	assert_false(redis_up(client));
	assert_int_equal(up_count + down_count, 0);
	server_start(NULL);
	run_until(&up_count, 1);
}

static void names_are_resolved(void **state)
{
	(void)state;
	/* Nobody listens at port 1: but the name must be looked up, and nothing may block or leak. */
	client_start("tcp://localhost:1", "", 0);
	for (int i = 0; i < 30; i++) {
		uv_run(&loop, UV_RUN_NOWAIT);
		uv_sleep(5);
	}
	assert_false(redis_up(client));
	redis_free(&client);
	/* Freed while the name is being looked up. */
	client_start("tcp://localhost:1", "", 0);
	redis_free(&client);
	client_start("tcp://no-port", "", 0);
	redis_free(&client);
	client_start("http://what", "", 0);
}

static void free_in_a_callback(const redisReply *reply, void *ctx)
{
	(void)ctx;
	got.answers++;
	got.failures += reply == NULL;
	redis_free(&client);
}

static void freeing_ends_what_is_pending(void **state)
{
	const char *const ping[] = { "PING" };

	(void)state;
	client_start(url, "", 0);
	run_until(&up_count, 1);
	memset(&got, 0, sizeof(got));
	for (int i = 0; i < 3; i++)
		assert_true(redis_command(client, free_in_a_callback, NULL, 1, ping, NULL));
	run_until(&got.answers, 3);
	assert_int_equal(got.failures, 2);
}

/* It greets one client, and dies when that has asked for more: with one answer, and the rest unread, which is an error of the client's socket. */
static void fake_server_start(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int l = socket(AF_UNIX, SOCK_STREAM, 0), fd;
	struct pollfd more;
	char in[256];

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", socket_path);
	unlink(socket_path);
	assert_int_equal(bind(l, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(l, 1), 0);
	server = fork();
	assert_true(server >= 0);
	if (server > 0) {
		close(l);
		return;
	}
	fd = accept(l, NULL, NULL);
	close(l);
	more = (struct pollfd){ .fd = fd, .events = POLLIN };
	if (read(fd, in, sizeof(in)) <= 0 || write(fd, "+PONG\r\n", 7) != 7 || poll(&more, 1, (int)PATIENCE_MS) != 1 ||
	    write(fd, "+first\r\n", 8) != 8)
		_exit(1);
	_exit(0);
}

static void dying_with_requests_unread_is_noticed(void **state)
{
	const char *const ping[] = { "PING" };

	(void)state;
	server_kill();
	fake_server_start();
	client_start(url, "", 60000);
	run_until(&up_count, 1);
	memset(&got, 0, sizeof(got));
	for (int i = 0; i < 2; i++)
		assert_true(redis_command(client, on_reply, NULL, 1, ping, NULL));
	uv_run(&loop, UV_RUN_NOWAIT); /* writes them */
	assert_int_equal(waitpid(server, NULL, 0), server);
	server = -1;
	run_until(&got.answers, 2);
	assert_string_equal(got.text, "first");
	assert_int_equal(got.failures, 1);
	run_until(&down_count, 1);
}

static int make_folder(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(socket_path, sizeof(socket_path), "%s/s", dir);
	snprintf(password_path, sizeof(password_path), "%s/password", dir);
	snprintf(url, sizeof(url), "unix://%s", socket_path);
	log_set_level(LOG_LEVEL_ERROR);
	signal(SIGPIPE, SIG_IGN); /* as in each daemon: hiredis writes with write(2) */
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(socket_path);
	unlink(password_path);
	return rmdir(dir);
}

#define WITH_SERVER(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SERVER(commands_are_binary_safe),
		WITH_SERVER(comes_back_after_a_kill),
		WITH_SERVER(scripts),
		WITH_SERVER(a_silent_server_is_given_up),
		WITH_SERVER(passwords),
		WITH_SERVER(nobody_there),
		WITH_SERVER(names_are_resolved),
		WITH_SERVER(freeing_ends_what_is_pending),
		WITH_SERVER(dying_with_requests_unread_is_noticed),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
