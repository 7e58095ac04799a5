/* SPDX-License-Identifier: Apache-2.0 */
#include "services/starlingctl/children_file.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "services/starlingctl/proc.h"
#include "services/starlingctl/state_dir.h"
#include "services/starlingctl/supervisor.h"

enum { POLL_MS = 20 };

void children_file_write(struct child *const *children, unsigned count)
{
	struct buf text = { 0 };
	struct err e;

	for (unsigned i = 0; i < count; i++) {
		const struct child *c = children[i];

		buf_printf(&text, "%s %s %s %d %llu %u\n", c->name, c->role, child_state_name(c->state), c->pid,
		           (unsigned long long)c->start_ticks, c->restarts);
	}
	if (state_dir_replace(STATE_CHILDREN, 0644, buf_str(&text).p, buf_str(&text).n, &e))
		log_warn(NULL, "%s", e.text);
	buf_fini(&text);
}

unsigned children_file_read(struct child_line *out, unsigned max)
{
	char *text = state_dir_read(STATE_CHILDREN, NULL, NULL);
	unsigned n = 0;

	for (const char *line = text; line && *line && n < max; line = strchr(line, '\n') + 1) {
		unsigned long long ticks;

		if (sscanf(line, "%79s %63s %15s %d %llu %u", out[n].name, out[n].role, out[n].state, &out[n].pid, &ticks,
		           &out[n].restarts) == 6)
			out[n++].start_ticks = ticks;
		if (!strchr(line, '\n'))
			break;
	}
	mem_free(text);
	return n;
}

static bool wait_gone(const struct child_line *line, uint64_t limit_ms)
{
	for (uint64_t waited = 0; waited < limit_ms && proc_alive(line->pid, line->start_ticks); waited += POLL_MS)
		poll(NULL, 0, POLL_MS);
	return !proc_alive(line->pid, line->start_ticks);
}

unsigned children_file_clear(uint64_t grace_ms)
{
	struct child_line *lines = mem_zalloc(SUPERVISOR_MAX_CHILDREN * sizeof(*lines));
	unsigned n = children_file_read(lines, SUPERVISOR_MAX_CHILDREN), found = 0;

	while (n-- > 0) {
		if (!proc_alive(lines[n].pid, lines[n].start_ticks))
			continue;
		found++;
		/* Also for PostgreSQL, whose SIGTERM would wait for clients that hang. */
		kill(lines[n].pid, strcmp(lines[n].role, "postgres") == 0 ? SIGINT : SIGTERM);
		if (!wait_gone(&lines[n], grace_ms)) {
			kill(lines[n].pid, SIGKILL);
			wait_gone(&lines[n], 5000);
		}
	}
	unlink(STATE_CHILDREN);
	mem_free(lines);
	return found;
}
