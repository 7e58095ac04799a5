/* SPDX-License-Identifier: Apache-2.0
 *
 * path: see path.h. */
#include "ipc/runtime/path.h"

struct step {
	enum path_state next;
	unsigned todo;
};

static const struct step steps[PATH_STATES][PATH_EVENTS] = {
	[PATH_ROUTED] = {
		[PATH_UP] = { PATH_SWITCHING, PATH_MARK },
		[PATH_DOWN] = { PATH_ROUTED, PATH_NOTHING },
		[PATH_ANSWERED] = { PATH_ROUTED, PATH_NOTHING }, /* to a connection that is gone */
		[PATH_UNROUTED] = { PATH_ROUTED, PATH_NOTHING },
		[PATH_REMIND] = { PATH_ROUTED, PATH_NOTHING },
	},
	[PATH_SWITCHING] = {
		[PATH_UP] = { PATH_SWITCHING, PATH_MARK },
		[PATH_DOWN] = { PATH_ROUTED, PATH_GO_ROUTED },
		[PATH_ANSWERED] = { PATH_DIRECT, PATH_GO_DIRECT },
		[PATH_UNROUTED] = { PATH_DIRECT, PATH_GO_DIRECT },
		[PATH_REMIND] = { PATH_SWITCHING, PATH_MARK },
	},
	[PATH_DIRECT] = {
		[PATH_UP] = { PATH_DIRECT, PATH_NOTHING },
		[PATH_DOWN] = { PATH_ROUTED, PATH_NOTHING }, /* what was on the way is reported as lost */
		[PATH_ANSWERED] = { PATH_DIRECT, PATH_NOTHING }, /* to a reminder */
		[PATH_UNROUTED] = { PATH_DIRECT, PATH_NOTHING },
		[PATH_REMIND] = { PATH_DIRECT, PATH_NOTHING },
	},
};

unsigned path_event(struct path *p, enum path_event event)
{
	const struct step *s = &steps[p->out][event];

	p->out = s->next;
	return s->todo;
}

bool path_connected(struct path *p, uint64_t connection)
{
	p->connection = connection;
	p->in_direct = p->marker == connection;
	return p->in_direct;
}

bool path_marked(struct path *p, uint64_t connection)
{
	p->marker = connection;
	if (connection == 0 || connection != p->connection)
		return false;
	p->in_direct = true;
	return true;
}

void path_disconnected(struct path *p)
{
	p->connection = 0;
	p->in_direct = false;
}

bool path_arrived(struct path *p, bool direct)
{
	/* Without a marker when the last router was lost before the marker could pass. */
	if (direct)
		p->in_direct = true;
	return !direct && p->in_direct;
}

const char *path_name(const struct path *p)
{
	static const char *const names[PATH_STATES] = { "router", "held", "direct" };

	return names[p->out];
}
