/* SPDX-License-Identifier: Apache-2.0
 *
 * daemon_private: the daemon's innards, for the files of common/daemon alone. */
#ifndef COMMON_DAEMON_DAEMON_PRIVATE_H
#define COMMON_DAEMON_DAEMON_PRIVATE_H

#include "common/daemon/args.h"
#include "common/daemon/daemon.h"
#include "common/daemon/health.h"
#include "common/daemon/rate.h"
#include "common/daemon/stall.h"

enum daemon_phase {
	PHASE_STARTING, /* until the first router was joined */
	PHASE_RUNNING,  /* spec->run was called */
	PHASE_DRAINING, /* asked to stop */
	PHASE_STOPPED,  /* the loop is to end */
};

struct daemon {
	const struct daemon_spec *spec;
	struct args args;
	char *name;
	uv_loop_t loop;
	struct config_shared shared;
	void *config;
	struct ipc_bus *bus;
	void *state;
	bool started; /* spec->start succeeded */
	enum daemon_phase phase;
	bool ready_called, ready_announced, failed;
	uint64_t started_ms;
	struct health *health;
	struct stall *stall;
	struct rate rate;
	uv_signal_t on_term, on_int, on_hup;
	uv_timer_t drain_timer, second_timer;
};

/* The process's daemon: handlers of the Admin interface get the role's own object as their context, so they find it here. */
struct daemon *daemon_of_process(void);
/* NULL when all is well, else static text. */
const char *daemon_unhealthy(struct daemon *d, struct daemon_status *out_status);
/* Moves to PHASE_DRAINING, or on from there. */
void daemon_stop(struct daemon *d);

#endif
