/* SPDX-License-Identifier: Apache-2.0
 *
 * `starlingctl up`: runs the flock of a state folder under a supervisor, here or in the background. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "services/starlingctl/children_file.h"
#include "services/starlingctl/command.h"
#include "services/starlingctl/detach.h"
#include "services/starlingctl/lock.h"
#include "services/starlingctl/plan.h"
#include "services/starlingctl/state_dir.h"

enum { EXIT_BAD_CONFIG = 78 }; /* sysexits.h */

#define SUPERVISOR_LOG "log/supervisor.log"

struct up {
	const struct args *args;
	struct ctl_config config;
	struct plan plan;
	struct supervisor supervisor;
	int lock;
	int report; /* of detach, -1 in the foreground and once reported */
	char failure[1024];
	char *when_ready; /* a program of the operator's choice, or NULL */
	uv_process_t when_ready_process;
	int status;
};

static void on_when_ready_exit(uv_process_t *p, int64_t status, int signal)
{
	if (status || signal)
		log_warn(NULL, "the program of --when-ready ended with status %d, signal %d", (int)status, signal);
	uv_close((uv_handle_t *)p, NULL);
}

static void start_when_ready(struct up *u)
{
	char *argv[] = { u->when_ready, NULL };
	uv_stdio_container_t fds[3] = { { .flags = UV_IGNORE },
		                        { .flags = UV_INHERIT_FD, .data.fd = 1 },
		                        { .flags = UV_INHERIT_FD, .data.fd = 2 } };
	uv_process_options_t options = { .file = argv[0], .args = argv, .stdio = fds, .stdio_count = 3, .exit_cb = on_when_ready_exit };
	int rc = uv_spawn(&u->supervisor.loop, &u->when_ready_process, &options);

	if (rc) {
		log_warn(NULL, "%s: %s", argv[0], uv_strerror(rc));
		uv_close((uv_handle_t *)&u->when_ready_process, NULL);
	}
}

static void on_ready(struct supervisor *s)
{
	struct up *u = s->ctx;

	log_info(NULL, "all is ready, processes=%u", s->count);
	detach_report(&u->report, CTL_OK, "");
	if (u->when_ready)
		start_when_ready(u);
}

/* Stops all; whoever waits is told when it is gone. */
static void give_up(struct up *u, const char *why)
{
	log_error(NULL, "%s", why);
	snprintf(u->failure, sizeof(u->failure), "%s", why);
	u->status = CTL_FAILED;
	supervisor_stop(&u->supervisor);
}

/* In the background somebody waits for an answer: it is no. In the foreground it goes on trying, in sight. */
static void on_late(struct supervisor *s)
{
	struct up *u = s->ctx;
	struct buf names = { 0 };
	char text[sizeof(u->failure)];

	supervisor_list_unready(s, &names);
	snprintf(text, sizeof(text), "not ready after %d s: %.*s (see %s/log)", (int)(s->ready_timeout_ms / 1000), STR_ARG(buf_str(&names)),
	         state_dir_path());
	buf_fini(&names);
	if (u->report >= 0)
		give_up(u, text);
	else
		log_warn(NULL, "%s", text);
}

/* A refused configuration does not get better by trying again. */
static void on_changed(struct supervisor *s, const struct child *c)
{
	struct up *u = s->ctx;
	char text[256];

	if (s->phase != SUPERVISOR_STARTING || c->state != CHILD_WAITING || c->exit_status != EXIT_BAD_CONFIG)
		return;
	snprintf(text, sizeof(text), "%s refuses its configuration, %s says why", c->name,
	         u->args->detach ? "its file in the folder log" : "its line above");
	give_up(u, text);
}

static void on_hangup(struct supervisor *s)
{
	for (unsigned i = 0; i < s->count; i++)
		child_signal(s->children[i], SIGHUP);
}

static int run_flock(struct up *u, struct err *e)
{
	char offset[32];
	int rc;

	snprintf(offset, sizeof(offset), "%d", (int)u->args->port_offset);
	setenv("STARLING_PORT_OFFSET", offset, 1);
	setenv("STARLING_DIR", state_dir_path(), 1);
	supervisor_init(&u->supervisor);
	u->supervisor.ctx = u;
	u->supervisor.on_ready = on_ready;
	u->supervisor.on_late = on_late;
	u->supervisor.on_changed = on_changed;
	u->supervisor.on_hangup = u->args->detach ? on_hangup : NULL;
	u->supervisor.ready_timeout_ms = (uint64_t)u->config.ready_timeout_ms;
	rc = plan_build(&u->plan, &u->supervisor, &u->config, u->args, u->args->detach, e);
	if (rc == 0)
		supervisor_run(&u->supervisor);
	supervisor_fini(&u->supervisor);
	unlink(STATE_CHILDREN);
	return rc;
}

/* With the lock held, and in the process that will stay. */
static int supervise(struct up *u)
{
	struct err e;
	int status;

	log_start("starlingctl", "supervisor", (enum log_level)u->config.shared.log_level, u->config.shared.log_json);
	if (lock_write_pid(&e) || run_flock(u, &e)) {
		log_error(NULL, "%s", e.text);
		snprintf(u->failure, sizeof(u->failure), "%s", e.text);
		u->status = CTL_FAILED;
	}
	status = u->status;
	log_info(NULL, "stopped");
	log_stop();
	lock_drop(&u->lock);
	detach_report(&u->report, CTL_FAILED, *u->failure ? u->failure : "stopped before all was ready");
	return status;
}

/* The one that was called, once the other has told how it went. */
static int started(const struct args *a, int status, const char *text)
{
	return status ? command_fail(a, status, "%s", text) : command_done(a);
}

static int go(struct up *u)
{
	char text[1024];
	int status;

	if (children_file_clear((uint64_t)u->config.shared.drain_ms + 5000))
		fprintf(stderr, "starlingctl: ended what a killed supervisor had left\n");
	if (!u->args->detach)
		return supervise(u);
	switch (detach(SUPERVISOR_LOG, &u->report, &status, text, sizeof(text))) {
	case 0:
		return supervise(u);
	case 1:
		close(u->lock);
		u->lock = -1;
		return started(u->args, status, text);
	default:
		return command_fail(u->args, CTL_FAILED, "no process can be made");
	}
}

static int with_lock(struct up *u)
{
	struct err e;
	int status;

	u->lock = lock_take(&e);
	if (u->lock == -2)
		return command_fail(u->args, CTL_CONFLICT, "%s runs already, as process %d", state_dir_path(), lock_holder());
	if (u->lock < 0)
		return command_fail(u->args, CTL_FAILED, "%s", e.text);
	status = go(u);
	if (u->lock >= 0)
		lock_drop(&u->lock);
	return status;
}

static int with_folder(struct up *u)
{
	struct err e;
	int status;

	if (state_dir_open(u->args->dir, &e) || ctl_config_load(&u->config, &e))
		return command_fail(u->args, CTL_FAILED, "%s", e.text);
	if (plan_open(&u->plan, &u->config, u->args, &e))
		status = command_fail(u->args, CTL_USAGE, "%s", e.text);
	else
		status = with_lock(u);
	plan_close(&u->plan);
	ctl_config_free(&u->config);
	return status;
}

int command_up(const struct args *a)
{
	struct up u = { .args = a, .lock = -1, .report = -1 };
	int status;

	/* Before the state folder becomes the working directory. */
	u.when_ready = a->when_ready ? realpath(a->when_ready, NULL) : NULL;
	if (a->when_ready && !u.when_ready)
		return command_fail(a, CTL_USAGE, "%s: %s", a->when_ready, strerror(errno));
	status = with_folder(&u);
	free(u.when_ready);
	return status;
}
