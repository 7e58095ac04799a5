/* SPDX-License-Identifier: Apache-2.0
 *
 * turn-relay: STUN and TURN for clients behind NATs. See README.md beside this file. */
#include "ipc/gen/turn.server.h"
#include "services/turn-relay/turn.h"

static int start(struct daemon *d, void **out_state, struct err *e)
{
	struct turn *t = turn_new(d, e);

	*out_state = t;
	return t ? 0 : -1;
}

static void run(void *state)
{
	turn_run(state);
}

static void drain(void *state)
{
	turn_drain(state);
}

static void reload(void *state)
{
	turn_reload(state);
}

static void stop(void *state)
{
	struct turn *t = state;

	turn_free(&t);
}

static void status(void *state, struct daemon_status *out)
{
	const struct turn *t = state;

	out->connections = turn_total(t, COUNT_ALLOCATIONS);
	out->work = turn_total(t, COUNT_PACKETS_IN) + turn_total(t, COUNT_PACKETS_OUT);
}

int main(int argc, char **argv)
{
	static const struct ipc_interface *const serves[] = { &turn_interface, NULL };
	static const struct daemon_spec spec = {
		.role = "turn-relay",
		.summary = "relays media for clients behind NATs (STUN, TURN)",
		.options = turn_config_options,
		.config_size = sizeof(struct turn_config),
		.serves = serves,
		.check = turn_config_check,
		.start = start,
		.run = run,
		.drain = drain,
		.reload = reload,
		.stop = stop,
		.status = status,
	};

	return daemon_main(&spec, argc, argv);
}
