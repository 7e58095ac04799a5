/* SPDX-License-Identifier: Apache-2.0
 *
 * mqtt-gateway: messages between MQTT topics and XMPP users. See README.md beside this file. */
#include "ipc/gen/stanza.server.h"
#include "services/mqtt-gateway/gateway.h"
#include "services/mqtt-gateway/metrics.h"

static int start(struct daemon *d, void **out_state, struct err *e)
{
	struct gateway *g = gateway_new(d, e);

	*out_state = g;
	return g ? 0 : -1;
}

static void run(void *state)
{
	gateway_run(state);
}

static void drain(void *state)
{
	gateway_drain(state);
}

static void reload(void *state)
{
	gateway_reload(state);
}

static void on_directory(void *state)
{
	gateway_look_around(state);
}

static void stop(void *state)
{
	struct gateway *g = state;

	gateway_free(&g);
}

static void status(void *state, struct daemon_status *out)
{
	const struct gateway *g = state;

	out->connections = g->state == GATEWAY_UP;
	out->work = (uint64_t)(gateway_metrics.to_user.value + gateway_metrics.to_topic.value);
}

int main(int argc, char **argv)
{
	static const struct ipc_interface *const serves[] = { &stanza_interface, NULL };
	static const struct daemon_spec spec = {
		.role = MQTT_GATEWAY_ROLE,
		.summary = "messages between MQTT topics and XMPP users",
		.options = gateway_config_options,
		.config_size = sizeof(struct gateway_config),
		.serves = serves,
		.check = gateway_config_check,
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
