/* SPDX-License-Identifier: Apache-2.0
 *
 * roam: which thread has which mobile allocation (RFC 8016), and which threads there are: what is for an allocation, or for a thread, gets there, or the sender is told that it cannot.
 * Behind a mutex: for requests of clients that move, never for packets. */
#ifndef TURN_ROAM_H
#define TURN_ROAM_H

#include <stdbool.h>
#include <stdint.h>

struct allocation;
struct roam;
struct worker;

typedef void roam_fn(struct worker *w, void *arg);

/* post: gives fn and arg to a thread, which will call it; what one thread posts to another arrives in order. Called with the table locked. */
struct roam *roam_new(void (*post)(struct worker *w, roam_fn *fn, void *arg));
void roam_free(struct roam **r);

/* A thread may be posted to, from now on and no more. */
void roam_join(struct roam *r, struct worker *w);
void roam_leave(struct roam *r, struct worker *w);
/* False: it has left. */
bool roam_post(struct roam *r, struct worker *to, roam_fn *fn, void *arg);

void roam_add(struct roam *r, uint64_t serial, struct worker *w, struct allocation *a);
void roam_remove(struct roam *r, uint64_t serial);
uint32_t roam_count(struct roam *r);
/* The allocation, if that thread has it. NULL: another one, or nobody. */
struct allocation *roam_have(struct roam *r, uint64_t serial, const struct worker *w);
/* To the thread that has it: behind what has brought it there. False: nobody has. */
bool roam_ask(struct roam *r, uint64_t serial, roam_fn *fn, void *arg);
/* The allocation is that thread's from now on, and arg is on its way to it. False: it has left, and nothing has changed. */
bool roam_pass(struct roam *r, uint64_t serial, struct worker *to, roam_fn *fn, void *arg);

#endif
