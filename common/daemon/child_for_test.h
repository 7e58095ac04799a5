/* SPDX-License-Identifier: Apache-2.0
 *
 * child_for_test: a daemon in a child process, its config file, and ways to look at it from outside. For tests of common/daemon. */
#ifndef COMMON_DAEMON_CHILD_FOR_TEST_H
#define COMMON_DAEMON_CHILD_FOR_TEST_H

#include <arpa/inet.h>
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
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/daemon/daemon.h"

#define CHILD_PATIENCE_MS 10000

static char child_dir[] = "/tmp/daemon-test-XXXXXX";
static char child_config[64];

struct child {
	pid_t pid;
	int events; /* what its hooks wrote to child_say() */
	int ready;  /* --ready-fd */
	int log;    /* stderr */
	char said[4096], logged[65536];
	size_t said_n, logged_n;
};

/* In the child: the writing end of `events`. */
static int child_events = -1;

static inline void child_say(const char *text)
{
	/* No assertion: a failing one would run the parent's tests in the child. */
	if (write(child_events, text, strlen(text)) < 0)
		_exit(99);
}

static inline void child_write_config(const char *more)
{
	FILE *f = fopen(child_config, "w");

	fprintf(f, "hosts: [example.org]\nbus: {routers: ['ipc:///nowhere']}\nlog: {level: debug}\n%s", more);
	fclose(f);
}

static inline int child_make_folder(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(child_dir));
	snprintf(child_config, sizeof(child_config), "%s/starling.yml", child_dir);
	return 0;
}

static inline int child_remove_folder(void **state)
{
	(void)state;
	unlink(child_config);
	return rmdir(child_dir);
}

/* Runs daemon_main() with these arguments behind the program's name (NULL-terminated; NULL: --config and --ready-fd). */
static inline void child_start(struct child *c, const struct daemon_spec *spec, const char *const *arguments)
{
	int events[2], ready[2], log[2];
	char fd_text[16];

	memset(c, 0, sizeof(*c));
	assert_int_equal(pipe2(events, O_CLOEXEC), 0);
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe2(log, O_CLOEXEC), 0);
	fflush(NULL);
	c->pid = fork();
	assert_true(c->pid >= 0);
	if (c->pid == 0) {
		const char *argv[8] = { spec->role, "--config", child_config, "--instance", "one", "--ready-fd", fd_text };
		int argc = 7;
		if (arguments)
			for (argc = 1; arguments[argc - 1]; argc++)
				argv[argc] = arguments[argc - 1];
		argv[argc] = NULL;
		snprintf(fd_text, sizeof(fd_text), "%d", ready[1]);
		child_events = events[1];
		dup2(log[1], STDERR_FILENO);
		dup2(log[1], STDOUT_FILENO);
		close(events[0]);
		close(ready[0]);
		exit(daemon_main(spec, argc, (char **)(uintptr_t)argv));
	}
	close(events[1]);
	close(ready[1]);
	close(log[1]);
	c->events = events[0];
	c->ready = ready[0];
	c->log = log[0];
}

/* Reads from fd into text until it holds `needle`, or fails after a while. */
static inline void child_read_until(int fd, char *text, size_t size, size_t *n, const char *needle)
{
	uint64_t until_ms = clock_mono_ms() + CHILD_PATIENCE_MS;

	while (!strstr(text, needle)) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t got = 0;
		if (clock_mono_ms() >= until_ms)
			fail_msg("never came: '%s' but '%s'", needle, text);
		if (poll(&p, 1, 100) == 0)
			continue;
		if (*n + 1 < size)
			got = read(fd, text + *n, size - 1 - *n);
		if (got <= 0)
			fail_msg("never came: '%s' but '%s'", needle, text);
		*n += (size_t)got;
		text[*n] = '\0';
	}
}

static inline void child_expect_said(struct child *c, const char *needle)
{
	child_read_until(c->events, c->said, sizeof(c->said), &c->said_n, needle);
}

static inline void child_expect_logged(struct child *c, const char *needle)
{
	child_read_until(c->log, c->logged, sizeof(c->logged), &c->logged_n, needle);
}

static inline void child_expect_ready(struct child *c)
{
	char byte[2];

	assert_int_equal(read(c->ready, byte, 2), 1);
	assert_int_equal(read(c->ready, byte, 1), 0);
}

/* Everything it wrote until it ended; returns its exit status, or 128 and the signal. */
static inline int child_wait(struct child *c)
{
	int status;
	ssize_t n;

	while (c->logged_n + 1 < sizeof(c->logged) && (n = read(c->log, c->logged + c->logged_n, sizeof(c->logged) - 1 - c->logged_n)) > 0)
		c->logged_n += (size_t)n;
	while (c->said_n + 1 < sizeof(c->said) && (n = read(c->events, c->said + c->said_n, sizeof(c->said) - 1 - c->said_n)) > 0)
		c->said_n += (size_t)n;
	c->logged[c->logged_n] = c->said[c->said_n] = '\0';
	close(c->log);
	close(c->events);
	close(c->ready);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The port of /metrics, from the line that says ready. */
static inline unsigned child_port(struct child *c)
{
	unsigned port = 0;

	child_expect_logged(c, "/metrics\n");
	const char *at = strstr(c->logged, "metrics=http://127.0.0.1:");
	assert_non_null(at);
	assert_int_equal(sscanf(at, "metrics=http://127.0.0.1:%u/", &port), 1);
	return port;
}

static inline int child_connect(unsigned port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

/* One HTTP exchange; out gets all that is answered. */
static inline void child_http(unsigned port, const char *request, size_t request_n, char *out, size_t size)
{
	int fd = child_connect(port);
	size_t n = 0;
	ssize_t got;

	assert_int_equal(send(fd, request, request_n, MSG_NOSIGNAL), request_n);
	while (n + 1 < size && (got = read(fd, out + n, size - 1 - n)) > 0)
		n += (size_t)got;
	out[n] = '\0';
	close(fd);
}

#endif
