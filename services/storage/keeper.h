/* SPDX-License-Identifier: Apache-2.0
 *
 * keeper: upkeep by a timer: of the message log partitions ahead of time, what deleted accounts left, limits of archives; of MQTT's tables what ended
 * sessions left, keys of what is complete, retained messages that have expired. It works in small transactions with pauses between them, on a connection
 * of its own, so that no call waits for it. All instances have one; a lock in PostgreSQL lets one at a time work. Its steps are functions of the schema
 * (migrations/0002_log.sql, 0004_mqtt.sql). */
#ifndef STORAGE_KEEPER_H
#define STORAGE_KEEPER_H

#include <uv.h>

#include "common/base/log.h"
#include "services/storage/archive_limits.h"
#include "services/storage/pg_dsn.h"

struct keeper;

struct keeper_config {
	uv_loop_t *loop;
	const struct pg_dsn *dsn;
	uint32_t connect_timeout_ms, statement_timeout_ms;
	uint64_t interval_ms;                /* between two rounds over all accounts */
	const struct archive_limits *limits; /* NULL: none */
	const struct log_ctx *log;
};

struct keeper *keeper_new(const struct keeper_config *config);
void keeper_free(struct keeper **keeper);

#endif
