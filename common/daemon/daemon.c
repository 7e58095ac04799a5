/* SPDX-License-Identifier: Apache-2.0
 *
 * daemon: see daemon.h. The order of things: arguments, config, log, loop, bus, spec->start, privileges; on joining spec->run; on a signal
 * spec->drain; then open calls end, spec->stop, the bus goes, the loop is emptied, and everything is freed. */
#include "common/daemon/daemon.h"

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/daemon/admin.h"
#include "common/daemon/daemon_private.h"
#include "common/daemon/metrics_process.h"
#include "common/daemon/privileges.h"
#include "common/daemon/ready.h"
#include "ipc/gen/admin.server.h"

#define SERVES_MAX       16u
#define CLOSE_WAIT_MS    2000u
#define JOIN_PATIENCE_MS 10000u

static struct daemon *the_daemon;

/* --- what others ask ---------------------------------------------------------------------------------------------- */

struct daemon *daemon_of_process(void)
{
	return the_daemon;
}

uv_loop_t *daemon_loop(struct daemon *d)
{
	return &d->loop;
}

struct ipc_bus *daemon_bus(struct daemon *d)
{
	return d->bus;
}

const struct config_shared *daemon_shared(struct daemon *d)
{
	return &d->shared;
}

const void *daemon_config(struct daemon *d)
{
	return d->config;
}

const char *daemon_name(struct daemon *d)
{
	return d->name;
}

const struct log_ctx *daemon_log(struct daemon *d)
{
	/* Role and name stand in every line already; what a daemon's contexts hang on carries nothing more. */
	static const struct log_ctx root = { NULL, NULL, NULL, 0 };

	(void)d;
	return &root;
}

const char *daemon_version(void)
{
	return STARLING_VERSION;
}

const char *daemon_metrics_url(struct daemon *d)
{
	return d->health ? health_url(d->health) : NULL;
}

const char *daemon_unhealthy(struct daemon *d, struct daemon_status *status)
{
	if (d->spec->status && d->started)
		d->spec->status(d->state, status);
	if (d->phase >= PHASE_DRAINING)
		return "draining";
	if (d->bus && !ipc_bus_joined(d->bus))
		return "no router joined";
	if (status->unhealthy)
		return status->unhealthy;
	return d->ready_announced ? NULL : "starting";
}

static const char *on_health(void *ctx)
{
	struct daemon_status status = { 0 };

	return daemon_unhealthy(ctx, &status);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void announce_ready(struct daemon *d)
{
	if (d->ready_announced || !d->ready_called || d->phase != PHASE_RUNNING)
		return;
	d->ready_announced = true;
	if (d->bus)
		ipc_bus_set_state(d->bus, STARLING__INSTANCE_STATE__INSTANCE_READY);
	ready_notify("READY=1");
	ready_byte(&d->args.ready_fd);
	log_info(daemon_log(d), "ready version=%s metrics=%s", daemon_version(), health_url(d->health));
}

void daemon_ready(struct daemon *d)
{
	d->ready_called = true;
	announce_ready(d);
}

static void enter_running(struct daemon *d)
{
	if (d->phase != PHASE_STARTING)
		return;
	d->phase = PHASE_RUNNING;
	if (d->spec->run)
		d->spec->run(d->state);
	announce_ready(d);
}

static void end_loop(struct daemon *d)
{
	d->phase = PHASE_STOPPED;
	uv_stop(&d->loop);
}

static void on_drain_timeout(uv_timer_t *timer)
{
	struct daemon *d = timer->data;

	log_info(daemon_log(d), "not drained in time, stopping all the same drain_ms=%lld", (long long)d->shared.drain_ms);
	end_loop(d);
}

void daemon_stop(struct daemon *d)
{
	/* Asked again, or nothing was begun: no more waiting. */
	if (d->phase != PHASE_RUNNING) {
		end_loop(d);
		return;
	}
	d->phase = PHASE_DRAINING;
	ready_notify("STOPPING=1");
	if (d->bus)
		ipc_bus_set_state(d->bus, STARLING__INSTANCE_STATE__INSTANCE_DRAINING);
	uv_timer_start(&d->drain_timer, on_drain_timeout, (uint64_t)d->shared.drain_ms, 0);
	if (d->spec->drain)
		d->spec->drain(d->state);
	else
		daemon_drained(d);
}

void daemon_drained(struct daemon *d)
{
	if (d->phase == PHASE_DRAINING)
		end_loop(d);
}

void daemon_fail(struct daemon *d, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_error(daemon_log(d), "%s", text);
	d->failed = true;
	end_loop(d);
}

/* --- events ------------------------------------------------------------------------------------------------------- */

static void on_stop_signal(uv_signal_t *handle, int number)
{
	struct daemon *d = handle->data;

	log_info(daemon_log(d), "%s signal=%s", d->phase == PHASE_RUNNING ? "draining" : "stopping", number == SIGTERM ? "TERM" : "INT");
	daemon_stop(d);
}

static void on_reload_signal(uv_signal_t *handle, int number)
{
	struct daemon *d = handle->data;
	struct err e;

	(void)number;
	if (daemon_admin_reload(d, &e) < 0)
		log_warn(daemon_log(d), "configuration not reloaded, the old one stays in force why=\"%s\"", e.text);
}

static void on_second(uv_timer_t *timer)
{
	struct daemon *d = timer->data;
	struct daemon_status status = { 0 };
	uint64_t now_ms = clock_mono_ms();

	daemon_unhealthy(d, &status);
	rate_sample(&d->rate, now_ms, status.work);
	uint64_t age_ms = now_ms - d->started_ms;
	if (d->phase == PHASE_STARTING && age_ms / JOIN_PATIENCE_MS != (age_ms - 1000) / JOIN_PATIENCE_MS)
		log_info(daemon_log(d), "no router answers yet waited_ms=%llu", (unsigned long long)age_ms);
}

/* The role's hooks, with ours before them. The context is the role's own object. */
static void on_joined(void *state)
{
	struct daemon *d = the_daemon;

	enter_running(d);
	if (d->spec->hooks.on_joined)
		d->spec->hooks.on_joined(state);
}

/* --- building up -------------------------------------------------------------------------------------------------- */

static char *default_name(const char *role)
{
	char host[65] = "host", name[160];

	gethostname(host, sizeof(host) - 1);
	host[strcspn(host, ".")] = '\0';
	snprintf(name, sizeof(name), "%s-%s-%d", role, host, (int)getpid());
	return mem_strdup(name);
}

static struct ipc_bus *make_bus(struct daemon *d, struct err *e)
{
	const struct daemon_spec *spec = d->spec;
	const struct ipc_interface *serves[SERVES_MAX + 1];
	char key_file[4096], allow_file[4096];
	uint32_t n = 0;

	while (spec->serves && spec->serves[n] && n < SERVES_MAX) {
		serves[n] = spec->serves[n];
		n++;
	}
	serves[n++] = &admin_interface;
	snprintf(key_file, sizeof(key_file), "%s/%s.key", d->shared.keys_dir, spec->role);
	snprintf(allow_file, sizeof(allow_file), "%s/allow", d->shared.keys_dir);
	struct ipc_config config = {
		.role = spec->role,
		.name = d->name,
		.version = daemon_version(),
		.routers = (const char *const *)d->shared.routers.items,
		.router_count = (uint32_t)d->shared.routers.count,
		.key_file = key_file,
		.allow_file = allow_file,
		.serves = serves,
		.serve_count = n,
		.metrics_url = health_url(d->health),
		.link = d->shared.link,
	};
	struct ipc_bus_hooks hooks = spec->hooks;
	hooks.on_joined = on_joined;
	return ipc_bus_new(&d->loop, &config, &hooks, NULL, e);
}

static void init_loop(struct daemon *d)
{
	uv_signal_t *signals[] = { &d->on_term, &d->on_int, &d->on_hup };

	uv_loop_init(&d->loop);
	d->stall = stall_new(&d->loop, d->shared.stall_warn_ms);
	for (size_t i = 0; i < 3; i++) {
		uv_signal_init(&d->loop, signals[i]);
		signals[i]->data = d;
	}
	uv_signal_start(&d->on_term, on_stop_signal, SIGTERM);
	uv_signal_start(&d->on_int, on_stop_signal, SIGINT);
	uv_signal_start(&d->on_hup, on_reload_signal, SIGHUP);
	uv_timer_init(&d->loop, &d->drain_timer);
	uv_timer_init(&d->loop, &d->second_timer);
	d->drain_timer.data = d->second_timer.data = d;
	uv_timer_start(&d->second_timer, on_second, 1000, 1000);
}

static int build(struct daemon *d, struct err *e)
{
	d->health = health_new(&d->loop, d->shared.metrics_address, (int)d->shared.metrics_port, on_health, d, e);
	if (!d->health)
		return -1;
	if (!d->spec->no_bus) {
		d->bus = make_bus(d, e);
		if (!d->bus)
			return -1;
	}
	metrics_process_register(d->bus, d->spec->role, d->name, daemon_version());
	if (d->spec->start && d->spec->start(d, &d->state, e) < 0)
		return -1;
	d->started = true;
	if (d->bus)
		ipc_bus_set_ctx(d->bus, d->state);
	return privileges_drop(d->shared.user, e);
}

/* --- taking down -------------------------------------------------------------------------------------------------- */

static void close_handles(struct daemon *d)
{
	uv_handle_t *handles[] = {
		(uv_handle_t *)&d->on_term,     (uv_handle_t *)&d->on_int,       (uv_handle_t *)&d->on_hup,
		(uv_handle_t *)&d->drain_timer, (uv_handle_t *)&d->second_timer,
	};

	for (size_t i = 0; i < sizeof(handles) / sizeof(handles[0]); i++)
		uv_close(handles[i], NULL);
	health_free(&d->health);
	stall_free(&d->stall);
}

static void name_handle(uv_handle_t *handle, void *ctx)
{
	log_error(daemon_log(ctx), "handle left open type=%s active=%d", uv_handle_type_name(handle->type), uv_is_active(handle));
}

static void empty_loop(struct daemon *d)
{
	uint64_t until_ms = clock_mono_ms() + CLOSE_WAIT_MS;

	while (uv_run(&d->loop, UV_RUN_NOWAIT) != 0 && clock_mono_ms() < until_ms)
		poll(NULL, 0, 1);
	if (uv_loop_close(&d->loop) == 0)
		return;
	d->failed = true;
	uv_walk(&d->loop, name_handle, d);
}

static void take_down(struct daemon *d)
{
	metrics_process_forget_bus();
	if (d->bus)
		ipc_bus_end_calls(d->bus);
	if (d->started && d->spec->stop)
		d->spec->stop(d->state);
	d->started = false;
	if (d->bus)
		ipc_bus_free(&d->bus);
	close_handles(d);
	empty_loop(d);
}

static void free_daemon(struct daemon *d)
{
	config_free(d->spec->options, &d->shared, d->config);
	mem_free(d->config);
	mem_free(d->name);
	if (d->args.ready_fd >= 0)
		close(d->args.ready_fd);
}

/* --- main --------------------------------------------------------------------------------------------------------- */

/* True: go on and serve. */
static bool read_config(struct daemon *d, int *out_status)
{
	const struct daemon_spec *spec = d->spec;
	struct err e;

	d->config = mem_zalloc(spec->config_size ? spec->config_size : 1);
	if (config_load(d->args.config, spec->role, spec->options, &d->shared, d->config, &e) < 0 ||
	    (spec->check && spec->check(&d->shared, d->config, &e) < 0)) {
		fprintf(stderr, "%s: %s\n", spec->role, e.text);
		*out_status = EXIT_BAD_CONFIG;
		return false;
	}
	if (d->args.print_config)
		config_print(spec->role, spec->options, &d->shared, d->config);
	else if (d->args.check_config)
		printf("%s: ok\n", d->args.config);
	*out_status = 0;
	return !d->args.print_config && !d->args.check_config;
}

static void serve(struct daemon *d)
{
	struct err e = { .text = "" };

	signal(SIGPIPE, SIG_IGN);
	privileges_limits();
	init_loop(d);
	if (build(d, &e) < 0) {
		daemon_fail(d, "cannot start: %s", e.text);
	} else if (!d->failed) {
		log_info(daemon_log(d), "started version=%s pid=%d", daemon_version(), (int)getpid());
		if (d->spec->no_bus)
			enter_running(d);
		if (d->phase != PHASE_STOPPED)
			uv_run(&d->loop, UV_RUN_DEFAULT);
	}
	take_down(d);
	log_info(daemon_log(d), "stopped");
}

int daemon_main(const struct daemon_spec *spec, int argc, char **argv)
{
	struct daemon d = { .spec = spec };
	int status = 0;

	if (!args_parse(&d.args, spec->role, spec->summary, argc, argv, &status))
		return status;
	if (read_config(&d, &status)) {
		the_daemon = &d;
		d.started_ms = clock_mono_ms();
		d.name = d.args.instance ? mem_strdup(d.args.instance) : default_name(spec->role);
		log_start(spec->role, d.name, (enum log_level)d.shared.log_level, d.shared.log_json);
		serve(&d);
		log_stop();
		the_daemon = NULL;
		status = d.failed ? EXIT_FAILED : 0;
	}
	free_daemon(&d);
	return status;
}
