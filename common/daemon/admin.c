/* SPDX-License-Identifier: Apache-2.0
 *
 * admin: see admin.h. */
#include "common/daemon/admin.h"

#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/daemon/config.h"
#include "common/daemon/daemon_private.h"
#include "common/daemon/metrics_process.h"
#include "ipc/gen/admin.server.h"

/* --- status ------------------------------------------------------------------------------------------------------- */

struct figures {
	struct arena *arena;
	Starling__Figure **items;
	size_t count, cap;
};

static void add_figure(const char *name, const char *labels, double value, void *ctx)
{
	struct figures *f = ctx;

	if (f->count == f->cap) {
		size_t cap = f->cap ? 2 * f->cap : 64;
		Starling__Figure **items = arena_alloc(f->arena, cap * sizeof(Starling__Figure *));
		if (f->count)
			memcpy(items, f->items, f->count * sizeof(Starling__Figure *));
		f->items = items;
		f->cap = cap;
	}
	/* Names go without labels (admin.proto): metrics of one name are summed up. */
	if (labels && f->count && strcmp(f->items[f->count - 1]->name, name) == 0) {
		f->items[f->count - 1]->value += value;
		return;
	}
	Starling__Figure *figure = arena_alloc(f->arena, sizeof(*figure));
	starling__figure__init(figure);
	figure->name = (char *)name;
	figure->value = value;
	f->items[f->count++] = figure;
}

void daemon_admin_status(struct daemon *d, struct arena *a, Starling__StatusReply *out)
{
	struct daemon_status status = { 0 };
	struct figures figures = { .arena = a };
	const char *unhealthy = daemon_unhealthy(d, &status);
	uint64_t now_ms = clock_mono_ms();

	starling__status_reply__init(out);
	out->role = (char *)d->spec->role;
	out->name = d->name;
	out->version = (char *)daemon_version();
	out->pid = (uint32_t)getpid();
	out->uptime_ms = now_ms - d->started_ms;
	out->memory_bytes = process_memory_bytes();
	out->connections = status.connections;
	out->rate = rate_now(&d->rate, now_ms, status.work);
	out->healthy = unhealthy == NULL;
	out->health = (char *)(unhealthy ? unhealthy : "");
	out->draining = d->phase >= PHASE_DRAINING;
	metrics_each(add_figure, &figures);
	out->n_figures = figures.count;
	out->figures = figures.items;
}

/* --- the rest ----------------------------------------------------------------------------------------------------- */

int daemon_admin_log_level(struct daemon *d, const char *level, struct err *e)
{
	enum log_level parsed;

	if (!log_level_parse(level, &parsed))
		return err_set(e, "unknown level '%s': error, warn, info or debug", level);
	log_set_level(parsed);
	log_info(daemon_log(d), "log level changed to=%s", level);
	return 0;
}

static void on_ignored_key(const char *name, void *ctx)
{
	log_info(daemon_log(ctx), "changed key takes effect only after a restart key=%s", name);
}

static void reload_keys(struct daemon *d)
{
	struct err e;

	if (d->bus && ipc_bus_reload_keys(d->bus, &e) != 0)
		log_warn(daemon_log(d), "the old list of keys stays in force: %s", e.text);
}

int daemon_admin_reload(struct daemon *d, struct err *e)
{
	const struct daemon_spec *spec = d->spec;
	struct config_shared shared;
	void *config = mem_zalloc(spec->config_size);

	int rc = config_load(d->args.config, spec->role, spec->options, &shared, config, e);
	if (rc == 0 && spec->check)
		rc = spec->check(&shared, config, e);
	if (rc == 0) {
		config_adopt(spec->options, &d->shared, d->config, &shared, config, on_ignored_key, d);
		log_set_level((enum log_level)d->shared.log_level);
		stall_set_limit(d->stall, d->shared.stall_warn_ms);
		log_info(daemon_log(d), "configuration reloaded file=%s", d->args.config);
		reload_keys(d);
		if (spec->reload && d->started)
			spec->reload(d->state);
	}
	/* Only now: the daemon may have looked at its old values until its reload hook returned. After a failed load this is empty. */
	config_free(spec->options, &shared, config);
	mem_free(config);
	return rc;
}

void daemon_admin_drain(struct daemon *d)
{
	if (d->phase < PHASE_DRAINING) {
		log_info(daemon_log(d), "asked to drain by an operator");
		daemon_stop(d);
	}
}

/* --- handlers of the generated dispatch --------------------------------------------------------------------------- */

static void reply_nothing(struct ipc_call *call, void (*reply)(struct ipc_call *call, const Starling__Empty *reply))
{
	Starling__Empty empty = STARLING__EMPTY__INIT;

	reply(call, &empty);
}

void on_admin_status(struct ipc_call *call, const Starling__Empty *request)
{
	struct arena *a = arena_new(0);
	Starling__StatusReply reply;

	(void)request;
	daemon_admin_status(daemon_of_process(), a, &reply);
	reply_admin_status(call, &reply);
	arena_free(&a);
}

void on_admin_log_level(struct ipc_call *call, const Starling__LogLevelRequest *request)
{
	struct err e;

	if (daemon_admin_log_level(daemon_of_process(), request->level, &e) < 0)
		ipc_fail(call, STARLING__CODE__CODE_INVALID, "%s", e.text);
	else
		reply_nothing(call, reply_admin_log_level);
}

void on_admin_reload(struct ipc_call *call, const Starling__Empty *request)
{
	struct err e;

	(void)request;
	if (daemon_admin_reload(daemon_of_process(), &e) < 0)
		ipc_fail(call, STARLING__CODE__CODE_INVALID, "%s", e.text);
	else
		reply_nothing(call, reply_admin_reload);
}

void on_admin_drain(struct ipc_call *call, const Starling__Empty *request)
{
	(void)request;
	/* The answer first: draining may end the process. */
	reply_nothing(call, reply_admin_drain);
	daemon_admin_drain(daemon_of_process());
}

void on_admin_connected(struct ipc_call *call, const Starling__ConnectedRequest *request)
{
	const struct daemon_spec *spec = daemon_of_process()->spec;

	if (spec->connected)
		spec->connected(call, request);
	else
		ipc_fail(call, STARLING__CODE__CODE_UNSUPPORTED, "%s knows of no sessions", spec->role);
}

void on_admin_kick(struct ipc_call *call, const Starling__KickRequest *request)
{
	const struct daemon_spec *spec = daemon_of_process()->spec;

	if (spec->kick)
		spec->kick(call, request);
	else
		ipc_fail(call, STARLING__CODE__CODE_UNSUPPORTED, "%s knows of no sessions", spec->role);
}
