/* SPDX-License-Identifier: Apache-2.0
 *
 * What an operator can ask: /healthz and /metrics over HTTP, and the answers of Admin, which the router gives without a bus. */
#include "common/daemon/admin.h"

#include "common/base/mem.h"
#include "common/daemon/child_for_test.h"

static struct daemon *the_daemon;
static const char *unhealthy;

static int start(struct daemon *d, void **out_state, struct err *e)
{
	(void)e;
	the_daemon = d;
	*out_state = NULL;
	return 0;
}

static void status(void *state, struct daemon_status *out)
{
	(void)state;
	out->connections = 17;
	out->work = 1000;
	out->unhealthy = unhealthy;
}

static void run_ready(void *state)
{
	(void)state;
	daemon_ready(the_daemon);
}

static void run_unhealthy(void *state)
{
	(void)state;
	unhealthy = "the store is away";
	daemon_ready(the_daemon);
}

static void drain_never(void *state)
{
	(void)state;
	child_say("drain ");
}

static const struct config_option no_options[] = { CONFIG_END };

#define TOY(...)                                                                                                                           \
	{                                                                                                                                  \
		.role = "router", .summary = "a toy", .options = no_options, .start = start, .status = status, .no_bus = true, __VA_ARGS__ \
	}
static const struct daemon_spec healthy = TOY(.run = run_ready, .drain = drain_never);

/* --- HTTP --------------------------------------------------------------------------------------------------------- */

static void expect_http(unsigned port, const char *request, const char *status_line, const char *body)
{
	char out[65536];

	child_http(port, request, strlen(request), out, sizeof(out));
	if (strncmp(out, status_line, strlen(status_line)) != 0 || !strstr(out, body))
		fail_msg("'%s' gave '%s'", request, out);
	assert_non_null(strstr(out, "\r\nConnection: close\r\n"));
}

static void http(void **state)
{
	struct child c;
	char big[8192], out[65536];

	(void)state;
	child_write_config("");
	child_start(&c, &healthy, NULL);
	unsigned port = child_port(&c);
	expect_http(port, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\n", "\r\n\r\nok\n");
	expect_http(port, "GET /healthz?verbose HTTP/1.0\n\n", "HTTP/1.1 200 OK\r\n", "\r\n\r\nok\n");
	expect_http(port, "GET /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n",
	            "\nstarling_build_info{role=\"router\",name=\"one\",version=\"");
	expect_http(port, "GET /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n",
	            "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
	expect_http(port, "GET /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n", "\nprocess_open_fds ");
	expect_http(port, "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 404 Not Found\r\n", "/metrics and /healthz");
	expect_http(port, "POST /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 405 Method Not Allowed\r\n", "");
	expect_http(port, "nonsense\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n", "");
	expect_http(port, "GET /healthz HTTP/2.0\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n", "");
	child_http(port, "HEAD /metrics HTTP/1.1\r\n\r\n", 26, out, sizeof(out));
	assert_string_equal(strstr(out, "\r\n\r\n"), "\r\n\r\n");
	memset(big, 'a', sizeof(big));
	child_http(port, big, 4095, out, sizeof(out));
	assert_memory_equal(out, "HTTP/1.1 431 ", 13);
	kill(c.pid, SIGTERM);
	child_expect_said(&c, "drain ");
	expect_http(port, "GET /healthz HTTP/1.1\r\n\r\n", "HTTP/1.1 503 Service Unavailable\r\n", "\r\n\r\ndraining\n");
	kill(c.pid, SIGTERM);
	assert_int_equal(child_wait(&c), 0);
}

/* Connections that say nothing are few and short-lived, and do not keep the daemon from ending. */
static void silent_connections(void **state)
{
	struct child c;
	int fds[40];
	char byte;

	(void)state;
	child_write_config("drain: 0\n");
	child_start(&c, &healthy, NULL);
	unsigned port = child_port(&c);
	for (int i = 0; i < 40; i++)
		fds[i] = child_connect(port);
	/* The last ones are over the limit: closed at once. */
	assert_true(read(fds[39], &byte, 1) <= 0);
	close(fds[0]);
	kill(c.pid, SIGTERM);
	assert_int_equal(child_wait(&c), 0);
	for (int i = 1; i < 40; i++)
		close(fds[i]);
}

static void unhealthy_shows(void **state)
{
	static const struct daemon_spec sick = TOY(.run = run_unhealthy);
	struct child c;

	(void)state;
	child_write_config("");
	child_start(&c, &sick, NULL);
	expect_http(child_port(&c), "GET /healthz HTTP/1.1\r\n\r\n", "HTTP/1.1 503 Service Unavailable\r\n", "\r\n\r\nthe store is away\n");
	kill(c.pid, SIGTERM);
	assert_int_equal(child_wait(&c), 0);
}

/* --- Admin -------------------------------------------------------------------------------------------------------- */

/* Runs in the child, on its loop. */
static void say_admin(void *state)
{
	struct arena *a = arena_new(0);
	Starling__StatusReply reply;
	struct err e;
	char text[600];
	double max_fds = 0;

	(void)state;
	daemon_ready(the_daemon);
	daemon_admin_status(the_daemon, a, &reply);
	for (size_t i = 0; i < reply.n_figures; i++)
		if (strcmp(reply.figures[i]->name, "process_max_fds") == 0)
			max_fds = reply.figures[i]->value;
	/* It must also pack: every string and every figure is in place. */
	size_t packed = protobuf_c_message_get_packed_size(&reply.base);
	snprintf(text, sizeof(text), "%s %s version=%d pid=%d mem=%d conns=%d healthy=%d health=%s draining=%d fds=%d packed=%d\n",
	         reply.role, reply.name, strcmp(reply.version, daemon_version()) == 0, reply.pid == (uint32_t)getpid(),
	         reply.memory_bytes > 100000, (int)reply.connections, reply.healthy, reply.health, reply.draining, max_fds > 0,
	         packed > 100);
	child_say(text);
	arena_free(&a);
	int rc = daemon_admin_log_level(the_daemon, "loud", &e);
	snprintf(text, sizeof(text), "level %d %s\n", rc, e.text);
	child_say(text);
	rc = daemon_admin_log_level(the_daemon, "error", &e);
	snprintf(text, sizeof(text), "level %d %d\n", rc, log_threshold);
	child_say(text);
	child_write_config("services: {router: {x: 1}}\n");
	rc = daemon_admin_reload(the_daemon, &e);
	snprintf(text, sizeof(text), "reload %d %d\n", rc, strstr(e.text, "unknown key 'x'") != NULL);
	child_say(text);
	daemon_admin_drain(the_daemon);
}

static void admin(void **state)
{
	static const struct daemon_spec says = TOY(.run = say_admin);
	struct child c;

	(void)state;
	child_write_config("");
	child_start(&c, &says, NULL);
	assert_int_equal(child_wait(&c), 0);
	assert_string_equal(c.said, "router one version=1 pid=1 mem=1 conns=17 healthy=1 health= draining=0 fds=1 packed=1\n"
	                            "level -1 unknown level 'loud': error, warn, info or debug\n"
	                            "level 0 0\n"
	                            "reload -1 1\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(http),
		cmocka_unit_test(silent_connections),
		cmocka_unit_test(unhealthy_shows),
		cmocka_unit_test(admin),
	};

	return cmocka_run_group_tests(tests, child_make_folder, child_remove_folder);
}
