/* SPDX-License-Identifier: Apache-2.0
 *
 * spool: what the methods of the spool share (migrations/0003_spool.sql has the tables, docs/decisions/0034-storage-spool.md the reasons). */
#ifndef STORAGE_HANDLERS_SPOOL_H
#define STORAGE_HANDLERS_SPOOL_H

#include "ipc/proto/storage.pb-c.h"
#include "services/storage/op.h"

/* One parameter, the domain. 0 or INVALID. */
int spool_bind_domain(struct op *op, const char *domain, const char **why);
/* For a write: takes the lock of the domain's slot and checks that the fence, if there is one, is for that slot and in range. No parameter. 0 or INVALID. */
int spool_lock_domain(struct op *op, const char *domain, const Starling__Fence *fence, const char **why);
/* The slot's lock: every write for the slot's domains holds it, and every change of its owner. Accounts' locks are not negative, so these come first in a
 * batch; -1 is the fences' (methods.c). */
uint32_t spool_lock(uint32_t slot);
/* The epoch that a write needs; -1: it carries no fence. Epoch 0 is that of a slot that was never claimed; nobody writes under it. */
int64_t spool_epoch(const Starling__Fence *fence);

/* Slots as they came, sorted and each once; in the op's scratch arena. 0 or INVALID. */
int spool_slots(struct op *op, const uint32_t *slots, size_t n, int32_t **out, uint32_t *out_n, const char **why);
void spool_bind_int4s(struct pg_args *args, const int32_t *v, uint32_t n);

#endif
