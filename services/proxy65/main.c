/* SPDX-License-Identifier: Apache-2.0
 *
 * proxy65: relays bytes between two clients that cannot reach each other (XEP-0065). See README.md beside this file. */
#include "ipc/gen/stanza.server.h"
#include "services/proxy65/metrics.h"
#include "services/proxy65/proxy65.h"

static int start(struct daemon *d, void **out_state, struct err *e)
{
	struct proxy65 *proxy = proxy65_new(d, e);

	*out_state = proxy;
	return proxy ? 0 : -1;
}

static void run(void *state)
{
	proxy65_run(state);
}

static void drain(void *state)
{
	proxy65_drain(state);
}

static void reload(void *state)
{
	proxy65_reload(state);
}

static void stop(void *state)
{
	struct proxy65 *proxy = state;

	proxy65_free(&proxy);
}

static void status(void *state, struct daemon_status *out)
{
	const struct proxy65 *proxy = state;

	out->connections = proxy->peer_count;
	out->work = (uint64_t)proxy65_metrics.activated.value;
}

int main(int argc, char **argv)
{
	static const struct ipc_interface *const serves[] = { &stanza_interface, NULL };
	static const struct daemon_spec spec = {
		.role = PROXY65_ROLE,
		.summary = "relays bytes between clients that cannot reach each other",
		.options = proxy65_config_options,
		.config_size = sizeof(struct proxy65_config),
		.serves = serves,
		.check = proxy65_config_check,
		.start = start,
		.run = run,
		.drain = drain,
		.reload = reload,
		.stop = stop,
		.status = status,
	};

	return daemon_main(&spec, argc, argv);
}
