/* SPDX-License-Identifier: Apache-2.0
 *
 * child: one supervised process and its states. What to run and when it is ready is its program's business (struct program); when to start
 * and stop it, the supervisor's. */
#ifndef SERVICES_STARLINGCTL_CHILD_H
#define SERVICES_STARLINGCTL_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "common/base/buf.h"
#include "services/starlingctl/backoff.h"

enum child_state {
	CHILD_DOWN,     /* not started yet */
	CHILD_STARTING, /* runs, not ready */
	CHILD_READY,
	CHILD_WAITING,  /* died; to be started again when the timer fires */
	CHILD_STOPPING, /* asked to end */
	CHILD_GONE,     /* stopped for good */
	CHILD_STATES
};

struct child;

/* How one kind of process is run. */
struct program {
	/* Fills argv (NULL-terminated, at most CHILD_MAX_ARGS; strings live in the child or are static) and may set uid, gid, fds. */
	void (*prepare)(struct child *c, uv_process_options_t *options, const char **argv);
	/* Asked every 100 ms while starting; NULL: ready when a byte comes on descriptor 3 (--ready-fd 3). */
	bool (*ready)(const struct child *c);
	int stop_signal;
};

enum { CHILD_MAX_ARGS = 32, CHILD_MAX_FDS = 5 };

struct child {
	char name[80]; /* router-1 */
	const char *role;
	const struct program *program;
	unsigned wave;
	void *context; /* the program's */
	enum child_state state;
	int pid;              /* 0: no process */
	uint64_t start_ticks; /* of that process, /proc/PID/stat: tells it from a later one of the same number */
	uint64_t started_ms;  /* clock_mono_ms */
	unsigned restarts;
	char ending[64]; /* how the last life ended, "" when there was none */
	int exit_status; /* of the last life; -1: none, or a signal */
	struct backoff backoff;
	uint64_t stop_timeout_ms;                    /* from stop_signal to SIGKILL */
	bool to_file;                                /* output goes to log/NAME.log, else with the name in front to stderr */
	void (*changed)(struct child *c, void *ctx); /* after every change of state */
	void *ctx;
	/* private */
	uv_loop_t *loop;
	uv_process_t *process;
	uv_pipe_t *out, *ready;
	uv_timer_t timer;
	struct buf line; /* of output, not ended yet */
};

void child_init(struct child *c, uv_loop_t *loop);
/* Only when CHILD_DOWN or CHILD_GONE; frees what it holds once the loop has run. */
void child_close(struct child *c);
void child_start(struct child *c);
void child_stop(struct child *c);
/* SIGKILL, now. */
void child_kill(struct child *c);
void child_signal(struct child *c, int signal);
const char *child_state_name(enum child_state s);

#endif
