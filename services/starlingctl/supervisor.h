/* SPDX-License-Identifier: Apache-2.0
 *
 * supervisor: runs a set of children in waves: a wave is started when all of the one before are ready, and stopped when all of the one
 * behind are gone. One for a state folder, held by a lock. Knows nothing of what the children are. */
#ifndef SERVICES_STARLINGCTL_SUPERVISOR_H
#define SERVICES_STARLINGCTL_SUPERVISOR_H

#include "common/base/buf.h"
#include "services/starlingctl/child.h"

enum { SUPERVISOR_MAX_CHILDREN = 256 };

enum supervisor_phase { SUPERVISOR_STARTING, SUPERVISOR_READY, SUPERVISOR_STOPPING };

struct supervisor {
	uv_loop_t loop;
	struct child *children[SUPERVISOR_MAX_CHILDREN];
	unsigned count;
	enum supervisor_phase phase;
	void (*on_ready)(struct supervisor *s);  /* all are, for the first time; may be NULL */
	void (*on_hangup)(struct supervisor *s); /* SIGHUP; NULL: stops */
	void *ctx;
	uint64_t ready_timeout_ms; /* not ready by then: on_late; 0: for ever */
	void (*on_late)(struct supervisor *s);
	void (*on_changed)(struct supervisor *s, const struct child *c); /* any change of a child; may be NULL */
	/* private */
	uv_signal_t signals[3];
	uv_timer_t late;
	uint64_t stopping_ms; /* since when */
};

void supervisor_init(struct supervisor *s);
/* A child to fill in; owned by the supervisor. NULL when there are too many. */
struct child *supervisor_add(struct supervisor *s);
/* Runs until all is stopped, by a signal or supervisor_stop. */
void supervisor_run(struct supervisor *s);
/* Again, more than a second later: no more patience, SIGKILL. */
void supervisor_stop(struct supervisor *s);
void supervisor_fini(struct supervisor *s);
/* The children that are not ready, "router-1, auth-1". */
void supervisor_list_unready(const struct supervisor *s, struct buf *out);

#endif
