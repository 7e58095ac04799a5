/* SPDX-License-Identifier: Apache-2.0
 *
 * pg_resolve: looks up the DSN's host names without blocking the loop, since PQconnectStart would do it blocking. Names that
 * are not found are left out, as long as one host remains. */
#ifndef STORAGE_PG_RESOLVE_H
#define STORAGE_PG_RESOLVE_H

#include <uv.h>

#include "services/storage/pg_dsn.h"

struct pg_resolve;

/* Lists for pg_dsn_connect, valid within the call; why is NULL on success. Frees the object after it. */
typedef void (*pg_resolve_fn)(const char *host, const char *hostaddr, const char *port, const char *why, void *ctx);

/* NULL when the DSN has no name to look up: connect with it as it is. fn never runs before this returned. */
struct pg_resolve *pg_resolve_start(uv_loop_t *loop, const struct pg_dsn *dsn, pg_resolve_fn fn, void *ctx);
/* fn is not called any more. */
void pg_resolve_cancel(struct pg_resolve **r);

#endif
