/* SPDX-License-Identifier: Apache-2.0
 *
 * migrate: brings the schema to this build's version before anything else is asked, without blocking the loop. All instances do it at start; an
 * advisory lock lets one work while the others wait and then find nothing left to do. A failed migration leaves nothing behind. */
#ifndef STORAGE_MIGRATE_H
#define STORAGE_MIGRATE_H

#include <uv.h>

#include "common/base/log.h"
#include "services/storage/migrations.h"
#include "services/storage/pg_dsn.h"

struct migrate;

struct migrate_config {
	uv_loop_t *loop;
	const struct pg_dsn *dsn;
	const struct migration *migrations;
	uint32_t count;
	uint32_t connect_timeout_ms;
	const struct log_ctx *log;
	/* Exactly one of these two ends the work; free the object then. */
	void (*on_done)(uint32_t applied, uint32_t version, void *ctx);
	void (*on_refused)(const char *why, void *ctx); /* a checksum differs, or the SQL fails: nothing that waiting could heal */
	void (*on_away)(const char *why, void *ctx);    /* an attempt failed; another follows */
	void *ctx;
};

struct migrate *migrate_new(const struct migrate_config *config);
void migrate_free(struct migrate **m);

#endif
