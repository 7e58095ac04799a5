/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of a child is the table below; child_event() is the only function that changes its state. */
#include "services/starlingctl/child.h"

#include <signal.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "services/starlingctl/child_spawn.h"

enum { POLL_MS = 100 };

enum event { EVENT_START, EVENT_READY, EVENT_EXIT, EVENT_TIMER, EVENT_STOP, EVENTS };

static void act_spawn(struct child *c);
static void act_poll(struct child *c);
static void act_ready(struct child *c);
static void act_wait(struct child *c);
static void act_term(struct child *c);
static void act_kill(struct child *c);
static void act_gone(struct child *c);

struct edge {
	bool valid;
	enum child_state next;
	void (*action)(struct child *c);
};

/* clang-format off */
static const struct edge edges[CHILD_STATES][EVENTS] = {
	[CHILD_DOWN] = {
		[EVENT_START] = { true, CHILD_STARTING, act_spawn },
		[EVENT_STOP] = { true, CHILD_GONE, act_gone },
	},
	[CHILD_STARTING] = {
		[EVENT_READY] = { true, CHILD_READY, act_ready },
		[EVENT_EXIT] = { true, CHILD_WAITING, act_wait },
		[EVENT_TIMER] = { true, CHILD_STARTING, act_poll },
		[EVENT_STOP] = { true, CHILD_STOPPING, act_term },
	},
	[CHILD_READY] = {
		[EVENT_EXIT] = { true, CHILD_WAITING, act_wait },
		[EVENT_STOP] = { true, CHILD_STOPPING, act_term },
	},
	[CHILD_WAITING] = {
		[EVENT_TIMER] = { true, CHILD_STARTING, act_spawn },
		[EVENT_STOP] = { true, CHILD_GONE, act_gone },
	},
	[CHILD_STOPPING] = {
		[EVENT_EXIT] = { true, CHILD_GONE, act_gone },
		[EVENT_TIMER] = { true, CHILD_STOPPING, act_kill },
	},
};
/* clang-format on */

static void child_event(struct child *c, enum event event)
{
	const struct edge *edge = &edges[c->state][event];
	enum child_state before = c->state;

	if (!edge->valid)
		return;
	c->state = edge->next;
	edge->action(c);
	/* When the action led on to another state, that event has told already. */
	if (c->state == edge->next && c->state != before && c->changed)
		c->changed(c, c->ctx);
}

static void on_timer(uv_timer_t *t)
{
	child_event(t->data, EVENT_TIMER);
}

void child_exited(struct child *c)
{
	c->pid = 0;
	child_event(c, EVENT_EXIT);
}

void child_reports_ready(struct child *c)
{
	child_event(c, EVENT_READY);
}

static void act_spawn(struct child *c)
{
	c->started_ms = clock_mono_ms();
	if (child_spawn(c) == 0)
		uv_timer_start(&c->timer, on_timer, POLL_MS, 0);
	else /* the program is missing, or no process could be made: as if it had died at once */
		child_exited(c);
}

static void act_poll(struct child *c)
{
	if (c->program->ready && c->program->ready(c))
		child_event(c, EVENT_READY);
	else
		uv_timer_start(&c->timer, on_timer, POLL_MS, 0);
}

static void act_ready(struct child *c)
{
	uv_timer_stop(&c->timer);
}

static void act_wait(struct child *c)
{
	uint32_t delay = backoff_delay_ms(&c->backoff, clock_mono_ms() - c->started_ms, random_u64());

	c->restarts++;
	log_warn(NULL, "%s ended (%s), next start in %u ms", c->name, c->ending, delay);
	uv_timer_start(&c->timer, on_timer, delay, 0);
}

static void act_term(struct child *c)
{
	child_signal(c, c->program->stop_signal);
	uv_timer_start(&c->timer, on_timer, c->stop_timeout_ms, 0);
}

static void act_kill(struct child *c)
{
	log_warn(NULL, "%s does not end by itself, killed", c->name);
	child_kill(c);
}

static void act_gone(struct child *c)
{
	uv_timer_stop(&c->timer);
	if (c->ending[0] && strcmp(c->ending, "status 0") != 0)
		log_info(NULL, "%s ended (%s)", c->name, c->ending);
}

void child_init(struct child *c, uv_loop_t *loop)
{
	c->loop = loop;
	c->state = CHILD_DOWN;
	uv_timer_init(loop, &c->timer);
	c->timer.data = c;
}

void child_close(struct child *c)
{
	uv_close((uv_handle_t *)&c->timer, NULL);
	child_spawn_close(c);
}

void child_start(struct child *c)
{
	child_event(c, EVENT_START);
}

void child_stop(struct child *c)
{
	child_event(c, EVENT_STOP);
}

void child_signal(struct child *c, int signal)
{
	if (c->pid > 0)
		kill(c->pid, signal);
}

void child_kill(struct child *c)
{
	child_signal(c, SIGKILL);
}

const char *child_state_name(enum child_state s)
{
	static const char *const names[CHILD_STATES] = { "down", "starting", "ready", "restarting", "stopping", "gone" };

	return names[s];
}
