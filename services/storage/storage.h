/* SPDX-License-Identifier: Apache-2.0
 *
 * storage: the daemon's own object: a store, and when it is ready, drained and healthy. */
#ifndef STORAGE_STORAGE_H
#define STORAGE_STORAGE_H

#include "common/daemon/daemon.h"
#include "services/storage/archive_limits.h"

struct storage {
	struct daemon *daemon;
	struct store *store;
	struct archive_limits archive;
	bool running; /* joined the flock */
	bool ready;   /* the store has been usable once */
	bool draining;
};

/* Hooks of struct daemon_spec. */
int storage_start(struct daemon *d, void **out_state, struct err *e);
void storage_run(void *state);
void storage_drain(void *state);
void storage_stop(void *state);
void storage_status(void *state, struct daemon_status *out);

#endif
