/* SPDX-License-Identifier: Apache-2.0
 *
 * auth: who may log in, by what, and the accounts themselves (ipc/proto/auth.proto). */
#include "ipc/gen/auth.server.h"
#include "services/auth/auth.h"

int main(int argc, char **argv)
{
	static const struct ipc_interface *const serves[] = { &auth_interface, NULL };
	static const struct daemon_spec spec = {
		.role = "auth",
		.summary = "checks logins and keeps accounts",
		.options = options_table,
		.config_size = sizeof(struct options),
		.serves = serves,
		.check = options_check,
		.start = auth_start,
		.run = auth_run,
		.drain = auth_drain,
		.reload = auth_reload,
		.stop = auth_stop,
		.status = auth_status,
	};

	return daemon_main(&spec, argc, argv);
}
