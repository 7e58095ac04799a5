/* SPDX-License-Identifier: Apache-2.0
 *
 * storage: the one daemon that speaks SQL (ipc/proto/storage.proto). */
#include "ipc/gen/storage.server.h"
#include "services/storage/options.h"
#include "services/storage/storage.h"

int main(int argc, char **argv)
{
	static const struct ipc_interface *const serves[] = { &storage_interface, NULL };
	static const struct daemon_spec spec = {
		.role = "storage",
		.summary = "keeps accounts, rosters and messages in PostgreSQL",
		.options = options_table,
		.config_size = sizeof(struct options),
		.serves = serves,
		.check = options_check,
		.start = storage_start,
		.run = storage_run,
		.drain = storage_drain,
		.stop = storage_stop,
		.status = storage_status,
	};

	return daemon_main(&spec, argc, argv);
}
