/* SPDX-License-Identifier: Apache-2.0
 *
 * calls: the calls that we made and that are not answered: correlation, deadlines, exactly one completion each. No I/O; time comes in.
 *
 * Nothing is tried again here: the caller knows whether a call is idempotent (struct ipc_method says it) and whether a second try is still worth it. */
#ifndef IPC_RUNTIME_CALLS_H
#define IPC_RUNTIME_CALLS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/list.h"
#include "ipc/runtime/bus.h"

#define CALLS_BUCKETS   512u
#define CALLS_BUCKET_MS 16u

struct call {
	uint64_t id; /* 0: this place is free */
	const struct ipc_method *method;
	uint64_t instance; /* that must answer */
	uint32_t number;   /* of the method */
	ipc_done_fn done;
	void *ctx;
	uint64_t deadline_ms;
	int route; /* link it went out by, -1: it still waits */
	/* A completion that must wait for the next turn */
	int code;
	const char *text;
	struct list_node due;  /* in a bucket by deadline, or in `failed` */
	struct list_node peer; /* in the peer's list */
	uint32_t place, next_free;
};

struct calls {
	struct call **slab; /* by place; a call does not move */
	uint32_t cap, free; /* free: 1 + place of the first free one */
	uint64_t sequence;
	uint32_t open;
	struct list_node buckets[CALLS_BUCKETS];
	uint64_t swept_ms;       /* buckets up to this time are done with */
	struct list_node failed; /* to be completed with their code, next turn */
};

void calls_init(struct calls *c);
/* Every call must have ended. */
void calls_fini(struct calls *c);
struct call *calls_open(struct calls *c, const struct ipc_method *method, uint32_t number, ipc_done_fn done, void *ctx, uint64_t now_ms,
                        uint64_t deadline_ms);
/* NULL when it has ended. */
struct call *calls_find(const struct calls *c, uint64_t id);
/* Frees the place, then runs done. `code` 0 needs the reply. */
void calls_complete(struct calls *c, struct call *call, const struct ipc_result *result, const ProtobufCMessage *reply);
/* Ends it in the next turn: calls_run_failed(). The answer that may still come finds nobody. */
void calls_fail_later(struct calls *c, struct call *call, int code, const char *text);
/* True when something ran. */
bool calls_run_failed(struct calls *c);
/* Ends what is overdue with TIMEOUT; returns how many. */
uint32_t calls_sweep(struct calls *c, uint64_t now_ms);
/* When to sweep next; UINT64_MAX: nothing is open. */
uint64_t calls_next_ms(const struct calls *c);

#endif
