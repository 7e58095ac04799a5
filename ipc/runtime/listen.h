/* SPDX-License-Identifier: Apache-2.0
 *
 * listen: a ROUTER socket that others connect to with CURVE: a router's, and an instance's for direct connections. Every option that matters is
 * set here. Blocking file operations: only at start. */
#ifndef IPC_RUNTIME_LISTEN_H
#define IPC_RUNTIME_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "ipc/runtime/keys.h"

/* Mandatory, so that a record for nobody is known as such; no high-water marks, since credit between the instances bounds what is in
 * flight; MAXMSGSIZE bounds what one peer can make us allocate. */
void listen_options(void *socket, const struct keypair *key);
/* ipc://PATH: a file that a killed process left behind is replaced, one that is in use is an error. */
int listen_bind(void *socket, const char *endpoint, struct err *e);
/* A message has more parts than it may have. */
void listen_skip_rest(void *socket);

/* Where an instance listens for direct connections, as a ZeroMQ endpoint to bind; false: nowhere. link: NULL or "none"; "" beside the first router
 * that has a Unix socket, if there is one; or a host's name or address or interface, for a TCP port that the kernel chooses. */
bool listen_link_endpoint(const char *link, const char *const *routers, uint32_t router_count, uint64_t instance, char *out, size_t n);
/* Removes the Unix sockets of killed instances in the folder of `endpoint`; returns how many. One that is younger than `older_than_s` may be about to
 * listen and is let alone. */
unsigned listen_sweep(const char *endpoint, unsigned older_than_s);

#endif
