/* SPDX-License-Identifier: Apache-2.0
 *
 * s2s: speaks with other servers. See README.md beside this file. */
#include "ipc/gen/s2s.server.h"
#include "ipc/gen/stanza.server.h"
#include "services/s2s/metrics.h"
#include "services/s2s/s2s.h"

static int start(struct daemon *d, void **out_state, struct err *e)
{
	struct s2s *s2s = s2s_new(d, e);

	*out_state = s2s;
	return s2s ? 0 : -1;
}

static void run(void *state)
{
	s2s_run(state);
}

static void drain(void *state)
{
	s2s_drain(state);
}

static void reload(void *state)
{
	s2s_reload(state);
}

static void stop(void *state)
{
	struct s2s *s2s = state;

	s2s_free(&s2s);
}

static void status(void *state, struct daemon_status *out)
{
	const struct s2s *s2s = state;

	out->connections = s2s->stream_count;
	out->work = (uint64_t)(s2s_metrics.stanzas_in.value + s2s_metrics.stanzas_out.value);
}

static void on_directory(void *ctx)
{
	struct s2s *s2s = ctx;

	if (s2s->bus)
		s2s_owner_look(s2s);
}

int main(int argc, char **argv)
{
	static const struct ipc_interface *const serves[] = { &stanza_interface, &s2s_interface, NULL };
	static const struct daemon_spec spec = {
		.role = "s2s",
		.summary = "speaks with other servers",
		.options = s2s_config_options,
		.config_size = sizeof(struct s2s_config),
		.serves = serves,
		.check = s2s_config_check,
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
