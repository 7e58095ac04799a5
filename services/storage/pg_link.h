/* SPDX-License-Identifier: Apache-2.0
 *
 * pg_link: one libpq connection on the loop, from the attempt to its end: look-up, asynchronous connect with a time limit, readiness,
 * flushing. It does not try again and knows nothing of what is asked over it (pg_conn, migrate). */
#ifndef STORAGE_PG_LINK_H
#define STORAGE_PG_LINK_H

#include <uv.h>

#include "services/storage/pg_dsn.h"

struct pg_link;

/* All run from the loop, never from within a call of this header. */
struct pg_link_hooks {
	void (*on_up)(void *ctx);                    /* connected and non-blocking */
	void (*on_readable)(void *ctx);              /* input was consumed: look at PQisBusy and PQgetResult */
	void (*on_down)(const char *why, void *ctx); /* never came up, or broke. Nothing is called after it; free the link */
};

struct pg_link *pg_link_new(uv_loop_t *loop, const struct pg_dsn *dsn, uint32_t timeout_ms, const struct pg_link_hooks *hooks, void *ctx);
void pg_link_free(struct pg_link **link);
PGconn *pg_link_pg(struct pg_link *link);                  /* once up */
void pg_link_flush(struct pg_link *link);                  /* sends what libpq holds, now and when the socket takes more */
void pg_link_break(struct pg_link *link, const char *why); /* on_down follows; why NULL: libpq's message */

#endif
