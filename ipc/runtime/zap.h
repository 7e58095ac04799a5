/* SPDX-License-Identifier: Apache-2.0
 *
 * zap: answers ZeroMQ's question whether a key may connect (ZAP 1.0, RFC 27 of the ZeroMQ project), for all listening sockets of a context. A listed key
 * becomes the connection's user id; which roles it may have is checked with each registration, so that a reloaded list counts for connections
 * that stand. */
#ifndef IPC_RUNTIME_ZAP_H
#define IPC_RUNTIME_ZAP_H

#include <uv.h>

#include "common/base/err.h"
#include "ipc/runtime/keys.h"

struct zap;
typedef void (*zap_denied_fn)(const char *address, void *ctx);

/* `allow` is looked at for each connection and stays the caller's. NULL with e set on failure. */
struct zap *zap_new(uv_loop_t *loop, void *zmq, const struct allow *allow, zap_denied_fn denied, void *ctx, struct err *e);
void zap_free(struct zap **zap);

#endif
