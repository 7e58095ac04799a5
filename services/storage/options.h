/* SPDX-License-Identifier: Apache-2.0
 *
 * options: services.storage in starling.yml. */
#ifndef STORAGE_OPTIONS_H
#define STORAGE_OPTIONS_H

#include "common/daemon/config.h"

struct options {
	char *dsn;
	char *password_file;
	int64_t connections;
	int64_t writers;
	int64_t batch_max;
	int64_t batch_bytes;
	int64_t batch_ms;
	int64_t connect_timeout_ms;
	int64_t statement_timeout_ms;
	int64_t wait_ms;
	int64_t queue_max;
	int64_t queue_bytes;
	int64_t roster_items;
	int64_t fetch_bytes;
	int64_t archive_max_age_ms;
	int64_t archive_max_messages;
	struct config_list archive_hosts;
	int64_t archive_interval_ms;
	int64_t retained_count;
	int64_t retained_bytes;
};

extern const struct config_option options_table[];
int options_check(const struct config_shared *shared, const void *config, struct err *e);

#endif
