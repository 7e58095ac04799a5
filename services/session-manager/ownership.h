/* SPDX-License-Identifier: Apache-2.0
 *
 * ownership: which slots this instance owns. The truth is in Redis:
 *
 *   starling:sm:lease:<instance>   exists while the instance lives; expires by itself
 *   starling:sm:members            hash: instance -> name@machine, of those that want slots
 *   starling:sm:slots              hash: slot -> "<instance> <epoch>"; "- <epoch>" when released
 *   starling:sm:generation         made once: another value means that Redis lost its memory
 *   starling:sm:fresh              for the length of a lease after that: who still holds a slot writes it again, and nobody else takes it
 *
 * Each tick renews the lease and reads the members; rendezvous hashing tells which slots each should have. A slot is taken when it is free,
 * released, or its owner's lease is gone; its epoch rises each time and fences every write. A slot that another should have is handed off.
 * Whoever starts an instance under a name on a machine has seen its former life there end: so that one's lease ends with the first tick, and nobody waits
 * for it.
 * An instance that cannot renew stops serving before its lease ends, keeps its memory, and goes on with it if nobody else took the slot. */
#ifndef SESSION_MANAGER_OWNERSHIP_H
#define SESSION_MANAGER_OWNERSHIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/hash.h"

struct sm;

#define OWNERSHIP_SLOTS_KEY "starling:sm:slots"

enum slot_state {
	SLOT_FOREIGN, /* not ours */
	SLOT_SERVING,
	SLOT_RELEASING, /* finishing what is in flight; nothing new is taken */
	SLOT_SUSPENDED, /* the lease could not be renewed: memory kept, nothing served */
};

struct slot {
	enum slot_state state;
	uint64_t epoch;    /* ours, or the last known one */
	uint64_t since_ms; /* clock_mono_ms() of taking it from somebody else */
	bool stale;        /* Redis does not agree: to be taken again */
	bool bump;         /* only for a higher epoch: nothing else is wrong */
};

void ownership_init(struct sm *sm);
void ownership_fini(struct sm *sm);
/* The bus is joined and Redis may be used. */
void ownership_start(struct sm *sm);
/* Gives everything away; drained() runs when it is done, or can never be. */
void ownership_drain(struct sm *sm, void (*drained)(struct sm *sm));
void ownership_redis_up(struct sm *sm);
/* Something changed that another look is worth. */
void ownership_soon(struct sm *sm);

bool ownership_serving(const struct sm *sm, uint32_t slot);
uint64_t ownership_epoch(const struct sm *sm, uint32_t slot); /* 0: not held */
/* "<instance> <epoch>" as it stands in Redis. Returns its length. */
size_t ownership_stamp(const struct sm *sm, uint32_t slot, char *out, size_t size);
/* A write was refused because of our epoch: look again, take the slot anew or give it up. */
void ownership_fenced(struct sm *sm, uint32_t slot);
/* What became of a write is not known: under a higher epoch it can be repeated, because the store will then refuse the first one. */
void ownership_bump(struct sm *sm, uint32_t slot);
uint32_t ownership_count(const struct sm *sm);
uint64_t ownership_since_ms(const struct sm *sm, uint32_t slot); /* clock_mono_ms(): no former owner has done anything since */
bool ownership_healthy(const struct sm *sm);

#endif
