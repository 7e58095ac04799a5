/* SPDX-License-Identifier: Apache-2.0
 *
 * A daemon's life, seen from outside: arguments, exit statuses, signals, readiness, draining, reloading. Each runs in a child process without a
 * bus; leaks and sanitizer reports change its exit status. */
#include "common/daemon/daemon.h"

#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/un.h>

#include "common/base/mem.h"
#include "common/daemon/admin.h"
#include "common/daemon/child_for_test.h"

/* --- the daemon --------------------------------------------------------------------------------------------------- */

struct own {
	char *word;
	int64_t fixed;
};
static const struct config_option options[] = {
	{ .name = "word", .type = CONFIG_STRING, .offset = offsetof(struct own, word), .fallback = "first", .reloads = true },
	{ .name = "fixed", .type = CONFIG_INT, .offset = offsetof(struct own, fixed), .fallback = "1" },
	CONFIG_END,
};

struct toy {
	struct daemon *d;
	uv_timer_t timer;
	bool leave_open;
};

static int start(struct daemon *d, void **out_state, struct err *e)
{
	struct toy *t = mem_new(struct toy);

	(void)e;
	t->d = d;
	uv_timer_init(daemon_loop(d), &t->timer);
	t->timer.data = t;
	*out_state = t;
	child_say("start ");
	return 0;
}

static int start_fails(struct daemon *d, void **out_state, struct err *e)
{
	(void)d;
	(void)out_state;
	return err_set(e, "no luck today");
}

static void run(void *state)
{
	struct toy *t = state;

	child_say("run ");
	daemon_ready(t->d);
}

static void drain_at_once(void *state)
{
	child_say("drain ");
	daemon_drained(((struct toy *)state)->d);
}

static void drain_never(void *state)
{
	(void)state;
	child_say("drain ");
}

static void on_closed(uv_handle_t *handle)
{
	child_say("closed ");
	mem_free(handle->data);
}

static void stop(void *state)
{
	struct toy *t = state;

	child_say("stop ");
	uv_close((uv_handle_t *)&t->timer, on_closed);
}

static void reload(void *state)
{
	const struct own *own = daemon_config(((struct toy *)state)->d);

	child_say("reload:");
	child_say(own->word);
	child_say(" ");
}

static int check(const struct config_shared *shared, const void *config, struct err *e)
{
	(void)shared;
	return strcmp(((const struct own *)config)->word, "bad") == 0 ? err_set(e, "word must not be bad") : 0;
}

#define TOY(start_hook, run_hook, drain_hook, stop_hook)                                                                                   \
	{                                                                                                                                  \
		.role = "auth", .summary = "a toy", .options = options, .config_size = sizeof(struct own), .start = start_hook,            \
		.run = run_hook, .drain = drain_hook, .stop = stop_hook, .reload = reload, .check = check, .no_bus = true                  \
	}
static const struct daemon_spec toy = TOY(start, run, drain_at_once, stop);

/* --- arguments and config ----------------------------------------------------------------------------------------- */

static void expect_end(const struct daemon_spec *spec, const char *const *arguments, int status, const char *text)
{
	struct child c;

	child_start(&c, spec, arguments);
	int got = child_wait(&c);
	if (!strstr(c.logged, text))
		fail_msg("'%s' is not in '%s'", text, c.logged);
	assert_int_equal(got, status);
	assert_string_equal(c.said, "");
}

#define ARGS(...) ((const char *[]){ __VA_ARGS__, NULL })

static void arguments(void **state)
{
	(void)state;
	child_write_config("");
	expect_end(&toy, ARGS("--help"), 0, "usage: auth --config FILE");
	expect_end(&toy, ARGS("--version"), 0, "starling auth ");
	expect_end(&toy, ARGS("--verbose"), 64, "--help");
	expect_end(&toy, (const char *[]){ NULL }, 64, "auth: --config FILE is missing");
	expect_end(&toy, ARGS("--config", child_config, "more"), 64, "auth: unexpected argument: more");
	expect_end(&toy, ARGS("--config", child_config, "--instance", "a b"), 64, "auth: --instance wants");
	expect_end(&toy, ARGS("--config", child_config, "--instance", ""), 64, "auth: --instance wants");
	expect_end(&toy, ARGS("--config", child_config, "--ready-fd", "999"), 64, "auth: --ready-fd wants");
	expect_end(&toy, ARGS("--config", child_config, "--ready-fd", "1x"), 64, "auth: --ready-fd wants");
	expect_end(&toy, ARGS("--config", "/nonexistent"), 78, "auth: /nonexistent: No such file");
	expect_end(&toy, ARGS("--config", child_config, "--check-config"), 0, ": ok\n");
	expect_end(&toy, ARGS("--config", child_config, "--print-config"), 0, "    word: first\n");
	child_write_config("services: {auth: {wrod: x}}\n");
	expect_end(&toy, ARGS("--config", child_config), 78, ":4: unknown key 'wrod', did you mean 'word'?");
	child_write_config("services: {auth: {word: bad}}\n");
	expect_end(&toy, ARGS("--config", child_config, "--check-config"), 78, "auth: word must not be bad");
	expect_end(&toy, ARGS("--config", child_config), 78, "auth: word must not be bad");
}

static void start_that_fails(void **state)
{
	static const struct daemon_spec broken = TOY(start_fails, run, drain_at_once, stop);

	(void)state;
	child_write_config("");
	expect_end(&broken, NULL, 1, "error auth[one] cannot start: no luck today");
	child_write_config("metrics: {address: nowhere}\n");
	expect_end(&toy, NULL, 1, "'nowhere' is not an IP address");
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void a_whole_life(void **state)
{
	struct child c;

	(void)state;
	child_write_config("");
	child_start(&c, &toy, NULL);
	child_expect_ready(&c);
	child_expect_logged(&c, "info auth[one] ready version=");
	kill(c.pid, SIGTERM);
	assert_int_equal(child_wait(&c), 0);
	assert_string_equal(c.said, "start run drain stop closed ");
	assert_non_null(strstr(c.logged, "info auth[one] stopped\n"));
}

static void interrupt_is_the_same(void **state)
{
	static const struct daemon_spec without_drain = TOY(start, run, NULL, stop);
	struct child c;

	(void)state;
	child_write_config("");
	child_start(&c, &without_drain, NULL);
	child_expect_ready(&c);
	kill(c.pid, SIGINT);
	assert_int_equal(child_wait(&c), 0);
	assert_string_equal(c.said, "start run stop closed ");
}

static void draining_ends_in_time(void **state)
{
	static const struct daemon_spec slow = TOY(start, run, drain_never, stop);
	struct child c;

	(void)state;
	child_write_config("drain: 300ms\n");
	child_start(&c, &slow, NULL);
	child_expect_ready(&c);
	uint64_t before_ms = clock_mono_ms();
	kill(c.pid, SIGTERM);
	assert_int_equal(child_wait(&c), 0);
	assert_in_range(clock_mono_ms() - before_ms, 250, 5000);
	assert_string_equal(c.said, "start run drain stop closed ");
}

static void second_signal_does_not_wait(void **state)
{
	static const struct daemon_spec slow = TOY(start, run, drain_never, stop);
	struct child c;

	(void)state;
	child_write_config("drain: 1h\n");
	child_start(&c, &slow, NULL);
	child_expect_ready(&c);
	kill(c.pid, SIGTERM);
	child_expect_said(&c, "drain ");
	kill(c.pid, SIGTERM);
	assert_int_equal(child_wait(&c), 0);
}

static void reloading(void **state)
{
	struct child c;

	(void)state;
	child_write_config("");
	child_start(&c, &toy, NULL);
	child_expect_ready(&c);
	child_write_config("services: {auth: {word: second, fixed: 2}}\n");
	kill(c.pid, SIGHUP);
	child_expect_said(&c, "reload:second ");
	child_expect_logged(&c, "changed key takes effect only after a restart key=fixed\n");
	child_write_config("services: {auth: {word: bad}}\n");
	kill(c.pid, SIGHUP);
	child_expect_logged(&c, "warn auth[one] configuration not reloaded, the old one stays in force why=\"word must not be bad\"\n");
	child_write_config("services: {auth: {word: [}}\n");
	kill(c.pid, SIGHUP);
	child_expect_logged(&c, ":4: not YAML");
	kill(c.pid, SIGTERM);
	assert_int_equal(child_wait(&c), 0);
	assert_string_equal(c.said, "start run reload:second drain stop closed ");
}

static void fail_in_run(void *state)
{
	daemon_fail(((struct toy *)state)->d, "the %s is on fire", "printer");
}

static void failing(void **state)
{
	static const struct daemon_spec fails = TOY(start, fail_in_run, drain_at_once, stop);
	struct child c;

	(void)state;
	child_write_config("");
	child_start(&c, &fails, NULL);
	assert_int_equal(child_wait(&c), 1);
	assert_string_equal(c.said, "start stop closed ");
	assert_non_null(strstr(c.logged, "error auth[one] the printer is on fire\n"));
}

static void on_forever(uv_timer_t *timer)
{
	(void)timer;
}

static void stop_forgets_a_handle(void *state)
{
	struct toy *t = state;
	static uv_timer_t forgotten;

	uv_timer_init(daemon_loop(t->d), &forgotten);
	uv_timer_start(&forgotten, on_forever, 60000, 0);
	stop(state);
}

static void a_handle_left_open_is_a_bug(void **state)
{
	static const struct daemon_spec forgets = TOY(start, run, NULL, stop_forgets_a_handle);
	struct child c;

	(void)state;
	child_write_config("");
	child_start(&c, &forgets, NULL);
	child_expect_ready(&c);
	kill(c.pid, SIGTERM);
	assert_int_equal(child_wait(&c), 1);
	assert_non_null(strstr(c.logged, "error auth[one] handle left open type=timer active=1\n"));
}

/* --- what the system is told and asked for ------------------------------------------------------------------------ */

static void systemd_is_told(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char text[64] = "";
	struct child c;

	(void)state;
	/* Abstract: the leading @ stands for a NUL. */
	int n = snprintf(addr.sun_path, sizeof(addr.sun_path), "@starling-test-%d", (int)getpid());
	setenv("NOTIFY_SOCKET", addr.sun_path, 1);
	addr.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n)), 0);
	child_write_config("");
	child_start(&c, &toy, NULL);
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(recv(fd, text, sizeof(text), 0), 7);
	assert_memory_equal(text, "READY=1", 7);
	kill(c.pid, SIGTERM);
	assert_int_equal(recv(fd, text, sizeof(text), 0), 10);
	assert_memory_equal(text, "STOPPING=1", 10);
	assert_int_equal(child_wait(&c), 0);
	close(fd);
}

static void say_privileges(void *state)
{
	struct rlimit core, files;
	char text[200];

	getrlimit(RLIMIT_CORE, &core);
	getrlimit(RLIMIT_NOFILE, &files);
	snprintf(text, sizeof(text), "uid=%d,%d groups=%d core=%d files=%d new=%d back=%d ", (int)getuid(), (int)geteuid(),
	         getgroups(0, NULL), (int)core.rlim_cur, files.rlim_cur == files.rlim_max, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0),
	         setuid(0));
	child_say(text);
	daemon_ready(((struct toy *)state)->d);
}

static void privileges_are_dropped(void **state)
{
	static const struct daemon_spec says = TOY(start, say_privileges, NULL, stop);
	const struct passwd *nobody = getpwnam("nobody");
	char expected[100];
	struct child c;

	(void)state;
	if (geteuid() != 0 || !nobody)
		skip();
	child_write_config("user: nobody\n");
	child_start(&c, &says, NULL);
	snprintf(expected, sizeof(expected), "uid=%d,%d groups=1 core=0 files=1 new=1 back=-1 ", (int)nobody->pw_uid, (int)nobody->pw_uid);
	child_expect_said(&c, expected);
	kill(c.pid, SIGTERM);
	assert_int_equal(child_wait(&c), 0);
	child_write_config("user: nobody-of-this-name\n");
	child_start(&c, &toy, NULL);
	assert_int_equal(child_wait(&c), 1);
	assert_non_null(strstr(c.logged, "cannot start: user 'nobody-of-this-name': no such user"));
	assert_string_equal(c.said, "start stop closed ");
}

static void on_sleepy(uv_timer_t *timer)
{
	(void)timer;
	/* As a blocking call would. The watch's signal ends a sleep early, so go on until the time is over. */
	for (uint64_t until_ms = clock_mono_ms() + 700; clock_mono_ms() < until_ms;)
		poll(NULL, 0, 50);
}

static void run_sleepy(void *state)
{
	struct toy *t = state;

	uv_timer_start(&t->timer, on_sleepy, 10, 0);
	daemon_ready(t->d);
}

static void stalls_are_named(void **state)
{
	static const struct daemon_spec sleepy = TOY(start, run_sleepy, NULL, stop);
	struct child c;

	(void)state;
	child_write_config("");
	child_start(&c, &sleepy, NULL);
	child_expect_logged(&c, "warn auth[one] event loop stalled took_ms=");
	child_expect_logged(&c, "at=\"");
	/* Somewhere in this program, whatever the sanitizer puts on top. */
	child_expect_logged(&c, "daemon_test(+");
	kill(c.pid, SIGTERM);
	assert_int_equal(child_wait(&c), 0);
	assert_null(strstr(strstr(c.logged, "stalled") + 1, "stalled"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments),
		cmocka_unit_test(start_that_fails),
		cmocka_unit_test(a_whole_life),
		cmocka_unit_test(interrupt_is_the_same),
		cmocka_unit_test(draining_ends_in_time),
		cmocka_unit_test(second_signal_does_not_wait),
		cmocka_unit_test(reloading),
		cmocka_unit_test(failing),
		cmocka_unit_test(a_handle_left_open_is_a_bug),
		cmocka_unit_test(systemd_is_told),
		cmocka_unit_test(privileges_are_dropped),
		cmocka_unit_test(stalls_are_named),
	};

	return cmocka_run_group_tests(tests, child_make_folder, child_remove_folder);
}
