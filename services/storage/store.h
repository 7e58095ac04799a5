/* SPDX-License-Identifier: Apache-2.0
 *
 * store: the methods of ipc/proto/storage.proto over PostgreSQL. It knows nothing of the bus: what serves it is serve.c, or a test.
 * A second backend would stand behind this header. */
#ifndef STORAGE_STORE_H
#define STORAGE_STORE_H

#include <uv.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "services/storage/op.h"

struct store;
struct archive_limits;

struct store_config {
	uv_loop_t *loop;
	const char *dsn;
	const char *password_file;     /* "" or NULL: none */
	uint32_t connections, writers; /* see pool.h */
	uint32_t batch_max;
	size_t batch_bytes;
	uint32_t batch_ms;
	uint32_t connect_timeout_ms, statement_timeout_ms, wait_ms;
	uint32_t queue_max; /* operations accepted and not yet answered; more fail OVERLOAD */
	size_t queue_bytes;
	struct op_limits limits;
	const struct archive_limits *archive; /* outlives the store; may be NULL */
	uint64_t upkeep_ms;                   /* how often archives' limits are applied; 0: no upkeep of the log at all */
	const struct log_ctx *log;
	void (*on_ready)(void *ctx);                    /* once: schema up to date and a connection usable */
	void (*on_refused)(const char *why, void *ctx); /* the schema cannot be brought up to date */
	void (*on_idle)(void *ctx);                     /* the last open operation has ended. May be NULL */
	void *ctx;
};

/* Begins to connect at once. NULL with e set: the DSN is wrong. The config's strings need not outlive the call. */
struct store *store_new(const struct store_config *config, struct err *e);
void store_free(struct store **store); /* open operations fail UNAVAILABLE first */
bool store_up(const struct store *store);
uint32_t store_open(const struct store *store);
uint64_t store_ended(const struct store *store);
/* number: of the method in storage.proto, from 1. done runs exactly once, maybe before this returns; see op_done_fn. deadline_ms: monotonic, 0: none. */
void store_submit(struct store *store, uint32_t number, const ProtobufCMessage *request, struct str payload, uint64_t deadline_ms,
                  op_done_fn done, void *ctx);

#endif
