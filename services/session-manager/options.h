/* SPDX-License-Identifier: Apache-2.0
 *
 * options: the keys of services.session-manager. */
#ifndef SESSION_MANAGER_OPTIONS_H
#define SESSION_MANAGER_OPTIONS_H

#include <stdint.h>

#include "common/daemon/config.h"

/* Numbers are those of ArchivePrefs.Default in ipc/proto/storage.proto, less one. */
enum archive_default { ARCHIVE_ALWAYS, ARCHIVE_NEVER, ARCHIVE_ROSTER };
enum conflict_policy { CONFLICT_REPLACE, CONFLICT_REJECT, CONFLICT_RENAME };

struct sm_options {
	int conflict; /* enum conflict_policy */
	int64_t sessions_max;
	int64_t roster_max;
	int64_t offline_max;
	int64_t directed_max;
	int64_t accounts_max;
	int64_t pending_max;
	int64_t lease_ms;
	int64_t edge_grace_ms;
	int archive_default; /* enum archive_default */
	int64_t archive_page_max;
	struct config_list external_services;
	int64_t external_lifetime_ms;
};

extern const struct config_option sm_config_options[];
int sm_options_check(const struct config_shared *shared, const void *config, struct err *e);

#endif
