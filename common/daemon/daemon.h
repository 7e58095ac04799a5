/* SPDX-License-Identifier: Apache-2.0
 *
 * daemon: the skeleton that every daemon stands on. A daemon is a constant struct daemon_spec and one call; everything that daemons share is
 * here: arguments, config, logs, signals, privileges, bus, metrics, health, readiness, drain, stall warnings. Topmost layer of common/: it alone
 * may include ipc/. */
#ifndef COMMON_DAEMON_DAEMON_H
#define COMMON_DAEMON_DAEMON_H

#include <uv.h>

#include "common/base/log.h"
#include "common/daemon/config.h"
#include "common/daemon/metrics.h"
#include "ipc/proto/admin.pb-c.h"
#include "ipc/runtime/bus.h"

struct daemon;

struct daemon_status {
	uint64_t connections;
	uint64_t work;         /* total units of the main work so far; the skeleton makes a rate of it */
	const char *unhealthy; /* static text, NULL when healthy */
};

struct daemon_spec {
	const char *role;
	const char *summary;                       /* one line for --help */
	const struct config_option *options;       /* of services.<role>; ends with CONFIG_END */
	size_t config_size;                        /* of the daemon's config struct */
	const struct ipc_interface *const *serves; /* NULL-terminated; admin is added by the skeleton */
	/* Beyond types and ranges: what the options mean together. Also run by --check-config. May be NULL. */
	int (*check)(const struct config_shared *shared, const void *config, struct err *e);
	/* Build up: *out_state is the daemon's own object, ctx of every hook and ipc_call_daemon() of every handler. Runs before privileges are
	 * dropped, so that low ports can be bound; the loop does not run yet. daemon_bus() is there, but not joined. 0, or -1 with e set; then stop
	 * does not run: free what was made. */
	int (*start)(struct daemon *d, void **out_state, struct err *e);
	/* Joined at a first router and privileges dropped: begin to serve. May be NULL. daemon_ready() must follow, here or later. Does not run when the
	 * daemon is stopped before. */
	void (*run)(void *state);
	/* SIGTERM, or Admin.Drain: take nothing new, finish, then call daemon_drained(). NULL: drained at once. */
	void (*drain)(void *state);
	/* SIGHUP: config has been loaded again into daemon_config(); keys with `reloads` may be read anew. May be NULL. */
	void (*reload)(void *state);
	/* Mirror image of start: close handles; the loop runs on after it until all close callbacks arrived (two seconds at most). Every call that was
	 * open has ended by now (PEER_LOST), and no handler or hook runs any more; a call that is being served can still be answered. */
	void (*stop)(void *state);
	/* For Admin.Status and /healthz, also asked once a second. Fill what the role knows. May be NULL. */
	void (*status)(void *state, struct daemon_status *out);
	struct ipc_bus_hooks hooks; /* ctx is the state */
	bool no_bus;                /* router: it is the other end */
	/* Admin.Connected and Admin.Kick, answered UNSUPPORTED where NULL. */
	void (*connected)(struct ipc_call *call, const Starling__ConnectedRequest *request);
	void (*kick)(struct ipc_call *call, const Starling__KickRequest *request);
};

/* What main() returns. Exit status: 0 stopped as asked, 1 failed, 64 wrong arguments, 78 wrong configuration. */
int daemon_main(const struct daemon_spec *spec, int argc, char **argv);

uv_loop_t *daemon_loop(struct daemon *d);
struct ipc_bus *daemon_bus(struct daemon *d); /* NULL with no_bus */
const struct config_shared *daemon_shared(struct daemon *d);
const void *daemon_config(struct daemon *d);        /* the struct described by spec->options */
const char *daemon_name(struct daemon *d);          /* --instance, else role-host-pid */
const struct log_ctx *daemon_log(struct daemon *d); /* parent of every context */
const char *daemon_version(void);
/* The daemon can do its work: registered as READY, sd_notify READY=1, and the descriptor named by --ready-fd gets a byte and is closed. */
void daemon_ready(struct daemon *d);
void daemon_drained(struct daemon *d);
/* Where /metrics is; NULL before start. */
const char *daemon_metrics_url(struct daemon *d);
/* A bug or a broken environment: log, stop the loop, exit with status 1. */
void daemon_fail(struct daemon *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
