/* SPDX-License-Identifier: Apache-2.0
 *
 * turn: the daemon as the main thread has it: workers, what they share, operators' questions. */
#ifndef TURN_TURN_H
#define TURN_TURN_H

#include "common/daemon/daemon.h"
#include "services/turn-relay/worker.h"

#define TURN_WORKERS_MAX 64u

struct question;

struct turn {
	struct daemon *daemon;
	const struct log_ctx *log;
	struct shared shared;
	struct turn_config config; /* of the start; strings are the daemon's, of keys that do not reload */
	struct worker *workers[TURN_WORKERS_MAX];
	unsigned worker_count;
	struct creds *creds;
	uv_timer_t tick;
	uv_async_t answered;
	pthread_mutex_t lock; /* for what workers have answered */
	struct question *answers;
	unsigned closing; /* handles not yet closed */
	bool running, drained;
};

struct turn *turn_new(struct daemon *d, struct err *e);
void turn_run(struct turn *t);
void turn_drain(struct turn *t);
void turn_reload(struct turn *t);
void turn_free(struct turn **t);
/* Over all workers. */
uint64_t turn_total(const struct turn *t, enum counter which);

/* list.c: what workers have answered, on the main thread. */
void turn_on_answered(uv_async_t *h);

#endif
