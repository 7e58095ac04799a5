/* SPDX-License-Identifier: Apache-2.0
 *
 * health: a very small HTTP/1.1 server for GET /metrics and GET /healthz. For the operator's own network; one request a connection,
 * few connections, short requests, short waits. Private to daemon. */
#ifndef COMMON_DAEMON_HEALTH_H
#define COMMON_DAEMON_HEALTH_H

#include <stdbool.h>
#include <uv.h>

#include "common/base/err.h"

struct health;

/* Static text of what is wrong, NULL when all is well. */
typedef const char *(*health_fn)(void *ctx);

/* Binds and listens at once; port 0 takes a free one. NULL with e set. */
struct health *health_new(uv_loop_t *loop, const char *address, int port, health_fn fn, void *ctx, struct err *e);
/* Closes; freed when the loop has run the close callbacks. */
void health_free(struct health **h);
const char *health_url(const struct health *h); /* http://ADDRESS:PORT/metrics */

#endif
