/* SPDX-License-Identifier: Apache-2.0
 *
 * session-manager: the local users: sessions, presence, roster, offline messages, IQs to accounts and hosts. */
#include "ipc/gen/session.server.h"
#include "ipc/gen/stanza.server.h"
#include "services/session-manager/admin.h"
#include "services/session-manager/sm.h"

static const struct ipc_interface *const serves[] = { &session_interface, &stanza_interface, NULL };

static const struct daemon_spec spec = {
	.role = "session-manager",
	.summary = "the local users: sessions, presence, roster, offline messages",
	.options = sm_config_options,
	.config_size = sizeof(struct sm_options),
	.serves = serves,
	.check = sm_options_check,
	.start = sm_start,
	.run = sm_run,
	.drain = sm_drain,
	.reload = sm_reload,
	.stop = sm_stop,
	.status = sm_status,
	.connected = sm_admin_connected,
	.kick = sm_admin_kick,
	.hooks = { .on_joined = sm_on_joined, .on_directory = sm_on_directory, .on_lost = sm_on_lost },
};

int main(int argc, char **argv)
{
	return daemon_main(&spec, argc, argv);
}
