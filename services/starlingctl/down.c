/* SPDX-License-Identifier: Apache-2.0
 *
 * `starlingctl down`: tells the supervisor to stop, and waits until it and all that it started are gone. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#include "services/starlingctl/children_file.h"
#include "services/starlingctl/command.h"
#include "services/starlingctl/ctl_config.h"
#include "services/starlingctl/lock.h"
#include "services/starlingctl/roles.h"
#include "services/starlingctl/state_dir.h"

/* The stores get a minute each; a supervisor that needs longer than all waves may is stuck. */
enum { POLL_MS = 50, STORES_MS = 130000, BEYOND_DRAIN_MS = 6000, WAVES = ROLE_COUNT };

int command_down(const struct args *a)
{
	struct ctl_config config;
	uint64_t limit_ms = STORES_MS;
	int64_t drain_ms = 10000;
	struct err e;
	int pid;

	if (state_dir_open(a->dir, &e))
		return command_fail(a, CTL_FAILED, "%s", e.text);
	/* A config that was broken meanwhile must not keep anyone from stopping. */
	if (ctl_config_load(&config, &e) == 0) {
		drain_ms = config.shared.drain_ms;
		ctl_config_free(&config);
	}
	limit_ms += (uint64_t)(drain_ms + BEYOND_DRAIN_MS) * WAVES;
	pid = lock_holder();
	if (pid && kill(pid, SIGTERM) && errno != ESRCH)
		return command_fail(a, CTL_FAILED, "process %d: %s", pid, strerror(errno));
	for (uint64_t waited = 0; pid && waited < limit_ms && lock_holder() == pid; waited += POLL_MS)
		poll(NULL, 0, POLL_MS);
	if (pid && lock_holder() == pid)
		return command_fail(a, CTL_TEMPORARY, "process %d is still stopping", pid);
	if (!lock_holder())
		children_file_clear((uint64_t)drain_ms + BEYOND_DRAIN_MS);
	return command_done(a);
}
