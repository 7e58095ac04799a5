/* SPDX-License-Identifier: Apache-2.0
 *
 * c2s-edge: holds the clients' connections. See README.md beside this file. */
#include "ipc/gen/edge.server.h"
#include "services/c2s-edge/c2s.h"
#include "services/c2s-edge/metrics.h"

static int start(struct daemon *d, void **out_state, struct err *e)
{
	struct c2s_edge *edge = c2s_edge_new(d, e);

	*out_state = edge;
	return edge ? 0 : -1;
}

static void run(void *state)
{
	c2s_edge_run(state);
}

static void drain(void *state)
{
	c2s_drain(state);
}

static void reload(void *state)
{
	c2s_edge_reload(state);
}

static void stop(void *state)
{
	struct c2s_edge *edge = state;

	c2s_edge_free(&edge);
}

static void status(void *state, struct daemon_status *out)
{
	const struct c2s_edge *edge = state;

	out->connections = edge->stream_count;
	out->work = (uint64_t)(c2s_metrics.stanzas_in.value + c2s_metrics.stanzas_out.value);
}

static void on_directory(void *ctx)
{
	struct c2s_edge *edge = ctx;

	if (edge->bus)
		c2s_owner_on_directory(edge);
}

static void on_lost(uint64_t instance, const char *role, void *ctx)
{
	c2s_owner_on_lost(ctx, instance, role);
}

static void on_reset(uint64_t instance, void *ctx)
{
	c2s_owner_on_reset(ctx, instance);
}

static void on_pressure(uint64_t instance, bool high, void *ctx)
{
	c2s_owner_on_pressure(ctx, instance, high);
}

int main(int argc, char **argv)
{
	static const struct ipc_interface *const serves[] = { &edge_interface, NULL };
	static const struct daemon_spec spec = {
		.role = "c2s-edge",
		.summary = "holds XMPP clients' connections",
		.options = c2s_config_options,
		.config_size = sizeof(struct c2s_config),
		.serves = serves,
		.check = c2s_config_check,
		.start = start,
		.run = run,
		.drain = drain,
		.reload = reload,
		.stop = stop,
		.status = status,
		.hooks = { .on_directory = on_directory, .on_lost = on_lost, .on_pressure = on_pressure, .on_reset = on_reset },
	};

	return daemon_main(&spec, argc, argv);
}
