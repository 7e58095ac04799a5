/* SPDX-License-Identifier: Apache-2.0 */
#include "services/starlingctl/supervisor.h"

#include <signal.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "services/starlingctl/children_file.h"

enum { IMPATIENT_MS = 1000 };

static bool all_in(const struct supervisor *s, enum child_state state)
{
	for (unsigned i = 0; i < s->count; i++)
		if (s->children[i]->state != state)
			return false;
	return true;
}

/* The lowest wave that is not all ready is the one to start. */
static void go_up(struct supervisor *s)
{
	unsigned wave = UINT32_MAX;

	for (unsigned i = 0; i < s->count; i++)
		if (s->children[i]->state != CHILD_READY && s->children[i]->wave < wave)
			wave = s->children[i]->wave;
	for (unsigned i = 0; i < s->count; i++)
		if (s->children[i]->wave == wave && s->children[i]->state == CHILD_DOWN)
			child_start(s->children[i]);
	if (s->phase != SUPERVISOR_STARTING || !all_in(s, CHILD_READY))
		return;
	s->phase = SUPERVISOR_READY;
	uv_timer_stop(&s->late);
	if (s->on_ready)
		s->on_ready(s);
}

static void go_down(struct supervisor *s)
{
	unsigned wave = 0;

	for (unsigned i = 0; i < s->count; i++)
		if (s->children[i]->state != CHILD_GONE && s->children[i]->wave > wave)
			wave = s->children[i]->wave;
	for (unsigned i = 0; i < s->count; i++)
		if (s->children[i]->wave == wave)
			child_stop(s->children[i]);
	if (all_in(s, CHILD_GONE))
		uv_stop(&s->loop);
}

static void on_changed(struct child *c, void *ctx)
{
	struct supervisor *s = ctx;

	log_info(NULL, "%s %s", c->name, child_state_name(c->state));
	children_file_write(s->children, s->count);
	if (s->on_changed)
		s->on_changed(s, c);
	if (s->phase == SUPERVISOR_STOPPING)
		go_down(s);
	else
		go_up(s);
}

void supervisor_stop(struct supervisor *s)
{
	if (s->phase == SUPERVISOR_STOPPING) {
		/* make, and shells, pass on a signal that the whole process group got already: that is not a second wish. */
		if (clock_mono_ms() - s->stopping_ms < IMPATIENT_MS)
			return;
		for (unsigned i = 0; i < s->count; i++)
			child_kill(s->children[i]);
		return;
	}
	log_info(NULL, "stopping");
	s->phase = SUPERVISOR_STOPPING;
	s->stopping_ms = clock_mono_ms();
	uv_timer_stop(&s->late);
	go_down(s);
}

static void on_signal(uv_signal_t *handle, int signal)
{
	struct supervisor *s = handle->data;

	if (signal == SIGHUP && s->on_hangup)
		s->on_hangup(s);
	else
		supervisor_stop(s);
}

static void on_late(uv_timer_t *t)
{
	struct supervisor *s = t->data;

	s->on_late(s);
}

void supervisor_init(struct supervisor *s)
{
	static const int numbers[3] = { SIGINT, SIGTERM, SIGHUP };

	uv_loop_init(&s->loop);
	uv_timer_init(&s->loop, &s->late);
	s->late.data = s;
	for (unsigned i = 0; i < 3; i++) {
		uv_signal_init(&s->loop, &s->signals[i]);
		s->signals[i].data = s;
		uv_signal_start(&s->signals[i], on_signal, numbers[i]);
	}
}

struct child *supervisor_add(struct supervisor *s)
{
	struct child *c;

	if (s->count == SUPERVISOR_MAX_CHILDREN)
		return NULL;
	c = mem_new(struct child);
	child_init(c, &s->loop);
	c->changed = on_changed;
	c->ctx = s;
	s->children[s->count++] = c;
	return c;
}

void supervisor_run(struct supervisor *s)
{
	if (s->ready_timeout_ms)
		uv_timer_start(&s->late, on_late, s->ready_timeout_ms, 0);
	go_up(s);
	uv_run(&s->loop, UV_RUN_DEFAULT);
	uv_run(&s->loop, UV_RUN_NOWAIT); /* the last words of those that just ended */
}

void supervisor_fini(struct supervisor *s)
{
	for (unsigned i = 0; i < 3; i++)
		uv_close((uv_handle_t *)&s->signals[i], NULL);
	uv_close((uv_handle_t *)&s->late, NULL);
	for (unsigned i = 0; i < s->count; i++)
		child_close(s->children[i]);
	uv_run(&s->loop, UV_RUN_DEFAULT);
	uv_loop_close(&s->loop);
	for (unsigned i = 0; i < s->count; i++)
		mem_free(s->children[i]);
	s->count = 0;
}

void supervisor_list_unready(const struct supervisor *s, struct buf *out)
{
	for (unsigned i = 0; i < s->count; i++)
		if (s->children[i]->state != CHILD_READY)
			buf_printf(out, "%s%s", buf_str(out).n ? ", " : "", s->children[i]->name);
}
