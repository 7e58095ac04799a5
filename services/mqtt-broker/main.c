/* SPDX-License-Identifier: Apache-2.0
 *
 * mqtt-broker: MQTT for devices. See README.md beside this file. */
#include "ipc/gen/mqtt.server.h"
#include "ipc/gen/mqttadmin.server.h"
#include "services/mqtt-broker/metrics.h"
#include "services/mqtt-broker/mq.h"
#include "services/mqtt-broker/several.h"
#include "services/mqtt-broker/start.h"

static int start(struct daemon *d, void **out_state, struct err *e)
{
	struct mq_broker *b = mq_broker_new(d, e);

	*out_state = b;
	return b ? 0 : -1;
}

static void run(void *state)
{
	mq_broker_run(state);
}

static void drain(void *state)
{
	mq_drain(state);
}

static void reload(void *state)
{
	mq_broker_reload(state);
}

static void stop(void *state)
{
	struct mq_broker *b = state;

	mq_broker_free(&b);
}

static void on_lost(uint64_t instance, const char *role, void *state)
{
	(void)instance;
	(void)role;
	mq_peers_update(state);
	mq_start_lost(state);
}

static void on_directory(void *state)
{
	mq_peers_update(state);
}

static void status(void *state, struct daemon_status *out)
{
	const struct mq_broker *b = state;

	out->connections = b->client_count;
	out->work = (uint64_t)(mq_metrics.publish_in.value + mq_metrics.publish_out.value);
}

int main(int argc, char **argv)
{
	static const struct ipc_interface *const serves[] = { &mqtt_interface, &mqttadmin_interface, NULL };
	static const struct daemon_spec spec = {
		.role = "mqtt-broker",
		.summary = "serves MQTT clients",
		.options = mq_config_options,
		.config_size = sizeof(struct mq_config),
		.serves = serves,
		.check = mq_config_check,
		.start = start,
		.run = run,
		.drain = drain,
		.reload = reload,
		.stop = stop,
		.status = status,
		.hooks = { .on_directory = on_directory, .on_lost = on_lost },
	};

	return daemon_main(&spec, argc, argv);
}
