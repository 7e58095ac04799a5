/* SPDX-License-Identifier: Apache-2.0
 *
 * discover: which router endpoints there are now. ipc://DIR/GLOB means every match, tcp://NAME:PORT every address of NAME; both are looked up again and again,
 * quickly as long as there is nothing. */
#ifndef IPC_RUNTIME_DISCOVER_H
#define IPC_RUNTIME_DISCOVER_H

#include <stdint.h>
#include <uv.h>

struct discover;

/* All endpoints after each look, without duplicates. */
typedef void (*discover_fn)(const char *const *endpoints, uint32_t count, void *ctx);

struct discover *discover_new(uv_loop_t *loop, const char *const *patterns, uint32_t count, discover_fn fn, void *ctx);
void discover_free(struct discover **d);

#endif
