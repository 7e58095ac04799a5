/* SPDX-License-Identifier: Apache-2.0
 *
 * mqtt-bridge: links to other MQTT brokers. See README.md beside this file. */
#include "services/mqtt-bridge/hub.h"

static int start(struct daemon *d, void **out_state, struct err *e)
{
	struct hub *hub = hub_new(d, e);

	*out_state = hub;
	return hub ? 0 : -1;
}

static void run(void *state)
{
	hub_run(state);
}

static void drain(void *state)
{
	hub_drain(state);
}

static void reload(void *state)
{
	hub_reload(state);
}

static void on_directory(void *state)
{
	hub_look(state);
}

static void stop(void *state)
{
	struct hub *hub = state;

	hub_free(&hub);
}

static void status(void *state, struct daemon_status *out)
{
	const struct hub *hub = state;

	out->connections = hub_up(hub);
	out->work = hub->counts.passed[WAY_OUT] + hub->counts.passed[WAY_IN];
}

int main(int argc, char **argv)
{
	static const struct ipc_interface *const serves[] = { NULL };
	static const struct daemon_spec spec = {
		.role = MQTT_BRIDGE_ROLE,
		.summary = "links to other MQTT brokers",
		.options = bridge_config_options,
		.config_size = sizeof(struct bridge_config),
		.serves = serves,
		.check = bridge_config_check,
		.start = start,
		.run = run,
		.drain = drain,
		.reload = reload,
		.stop = stop,
		.status = status,
		.hooks = { .on_directory = on_directory },
	};

	return daemon_main(&spec, argc, argv);
}
