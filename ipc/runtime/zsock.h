/* SPDX-License-Identifier: Apache-2.0
 *
 * zsock: a ZeroMQ socket on a libuv loop. A ZeroMQ socket's descriptor is edge-triggered by nature: any operation on the socket may swallow the
 * signal that there is something to read. So whoever used the socket calls zsock_recheck() before the loop sleeps again. */
#ifndef IPC_RUNTIME_ZSOCK_H
#define IPC_RUNTIME_ZSOCK_H

#include <stdbool.h>
#include <uv.h>

struct zsock;

/* Read until EAGAIN, or stop early and call zsock_again(). */
typedef void (*zsock_fn)(void *ctx);

/* Takes over the socket. */
struct zsock *zsock_new(uv_loop_t *loop, void *socket, zsock_fn fn, void *ctx);
/* Closes the socket; its linger is as set before. The memory goes when libuv has closed the handles. */
void zsock_free(struct zsock **z);
void *zsock_socket(const struct zsock *z);
void zsock_again(struct zsock *z);   /* call fn again in the next turn, without sleeping */
void zsock_recheck(struct zsock *z); /* the same if there is something to read */

/* A monitor on `socket`, to be freed before it: fn gets what there is; read it with zsock_event(). */
struct zsock *zsock_monitor(uv_loop_t *loop, void *zmq, void *socket, int events, zsock_fn fn, void *ctx);
bool zsock_event(struct zsock *z, int *out_event, int *out_value);

#endif
