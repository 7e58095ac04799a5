/* SPDX-License-Identifier: Apache-2.0 */
#include "services/starlingctl/child_spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "services/starlingctl/proc.h"

enum { LINE_LIMIT = 16384 };

static void free_handle(uv_handle_t *h)
{
	mem_free(h);
}

static void close_pipe(uv_pipe_t **pipe)
{
	if (*pipe)
		uv_close((uv_handle_t *)*pipe, free_handle);
	*pipe = NULL;
}

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *out)
{
	static char space[4096]; /* used up before the next read */

	(void)h;
	(void)hint;
	*out = uv_buf_init(space, sizeof(space));
}

static void print_line(struct child *c, struct str line)
{
	fprintf(stderr, "%-18s %.*s\n", c->name, STR_ARG(line));
}

/* Whole lines, with the name in front: those of several children must not mix. */
static void print_lines(struct child *c, bool at_end)
{
	struct str s = buf_str(&c->line);
	const char *nl;

	while (s.n && (nl = memchr(s.p, '\n', s.n))) {
		print_line(c, str_make(s.p, (size_t)(nl - s.p)));
		buf_consume(&c->line, (size_t)(nl - s.p) + 1);
		s = buf_str(&c->line);
	}
	if (s.n && (at_end || s.n > LINE_LIMIT)) {
		print_line(c, s);
		buf_clear(&c->line);
	}
}

static void on_output(uv_stream_t *stream, ssize_t n, const uv_buf_t *in)
{
	struct child *c = stream->data;

	if (n > 0)
		buf_append(&c->line, in->base, (size_t)n);
	print_lines(c, n < 0);
	if (n < 0)
		close_pipe(&c->out);
}

static void on_ready(uv_stream_t *stream, ssize_t n, const uv_buf_t *in)
{
	struct child *c = stream->data;

	(void)in;
	if (n == 0)
		return;
	if (n > 0)
		child_reports_ready(c);
	close_pipe(&c->ready);
}

static void on_exit(uv_process_t *process, int64_t status, int signal)
{
	struct child *c = process->data;

	c->exit_status = signal ? -1 : (int)status;
	if (signal)
		snprintf(c->ending, sizeof(c->ending), "signal %d, %s", signal, strsignal(signal));
	else
		snprintf(c->ending, sizeof(c->ending), "status %d", (int)status);
	uv_close((uv_handle_t *)process, free_handle);
	c->process = NULL;
	close_pipe(&c->ready);
	child_exited(c);
}

static uv_pipe_t *new_pipe(struct child *c)
{
	uv_pipe_t *pipe = mem_new(uv_pipe_t);

	uv_pipe_init(c->loop, pipe, 0);
	pipe->data = c;
	return pipe;
}

/* Where stdout and stderr go: to one descriptor, which the caller closes after the start; -1 when none could be made. */
static int set_output(struct child *c, uv_stdio_container_t *fds)
{
	uv_file ends[2] = { -1, -1 };
	char path[128];

	/* A former life's pipe is still there when its own children live on; nobody listens to them any more. */
	close_pipe(&c->out);
	if (c->to_file) {
		snprintf(path, sizeof(path), "log/%s.log", c->name);
		ends[1] = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	} else if (uv_pipe(ends, UV_NONBLOCK_PIPE, 0) == 0) {
		c->out = new_pipe(c);
		uv_pipe_open(c->out, ends[0]);
	}
	if (ends[1] >= 0) {
		fds[1] = (uv_stdio_container_t){ .flags = UV_INHERIT_FD, .data.fd = ends[1] };
		fds[2] = fds[1];
	}
	return ends[1];
}

int child_spawn(struct child *c)
{
	const char *argv[CHILD_MAX_ARGS] = { NULL };
	uv_stdio_container_t fds[CHILD_MAX_FDS] = { 0 };
	uv_process_options_t options = { .args = (char **)(uintptr_t)argv, .stdio = fds, .stdio_count = 3, .exit_cb = on_exit };
	int output, rc;

	/* A session of its own: Ctrl-C at the terminal reaches the supervisor alone, which stops all in order. */
	options.flags = UV_PROCESS_DETACHED;
	c->program->prepare(c, &options, argv);
	options.file = argv[0];
	output = set_output(c, fds);
	if (!c->program->ready) {
		c->ready = new_pipe(c);
		fds[3] = (uv_stdio_container_t){ .flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)c->ready };
		options.stdio_count = 4;
	}
	c->exit_status = -1;
	c->process = mem_new(uv_process_t);
	c->process->data = c;
	rc = uv_spawn(c->loop, c->process, &options);
	if (output >= 0)
		close(output);
	if (rc) {
		snprintf(c->ending, sizeof(c->ending), "%s", uv_strerror(rc));
		uv_close((uv_handle_t *)c->process, free_handle);
		c->process = NULL;
		close_pipe(&c->ready);
		close_pipe(&c->out);
		return -1;
	}
	c->pid = c->process->pid;
	c->start_ticks = proc_start_ticks(c->pid);
	if (c->ready)
		uv_read_start((uv_stream_t *)c->ready, on_alloc, on_ready);
	if (c->out)
		uv_read_start((uv_stream_t *)c->out, on_alloc, on_output);
	return 0;
}

void child_spawn_close(struct child *c)
{
	close_pipe(&c->out);
	close_pipe(&c->ready);
	buf_fini(&c->line);
}
