/* SPDX-License-Identifier: Apache-2.0
 *
 * session_store: sessions in Redis, for the next owner and for people.
 *
 *   starling:s:<bare>           hash: resource -> session_codec.h
 *   starling:sm:online:<slot>   set of the bare JIDs of this slot that have such a hash
 *
 * Writes are queued and pipelined; nothing waits for them. Each is fenced: a script compares the slot's owner and epoch first, so that a
 * former owner cannot overwrite the new one's. While Redis is away they wait, bounded by the sessions themselves. */
#ifndef SESSION_MANAGER_SESSION_STORE_H
#define SESSION_MANAGER_SESSION_STORE_H

#include <stdbool.h>

#include "common/base/str.h"
#include "services/session-manager/session_codec.h"

struct account;
struct session;
struct sm;

void session_store_init(struct sm *sm);
void session_store_fini(struct sm *sm);
/* Something that others must know changed: written at the end of this turn, and left with its edge (edge.proto, Remember). */
void session_save(struct session *s);
/* Only numbers moved: written within a second. */
void session_save_later(struct session *s);
/* Acceptance moved. With stream management it is told once Redis has it: a count that a client was told never goes back. */
void session_progress(struct session *s);
/* As a record says; its numbers are not known by that (session.h, known). */
void session_restore(struct session *s, const struct session_record *r);
void session_erase(struct account *a, struct str resource);
/* All sessions of this instance's slots again: Redis may have lost them. */
void session_save_all(struct sm *sm);

/* Writes what can be written now; all: without a bound, before slots are handed off. */
void session_store_flush(struct sm *sm, bool all);

#endif
