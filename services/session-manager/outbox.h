/* SPDX-License-Identifier: Apache-2.0
 *
 * outbox: the one way by which stanzas leave for sessions. Everything given is put on the session's list (unacked.h); what can go, goes at
 * once, one event for all sessions at an edge; the rest is sent by outbox_pump in the order of the list, read from the log again where need be. */
#ifndef SESSION_MANAGER_OUTBOX_H
#define SESSION_MANAGER_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "services/session-manager/packet.h"
#include "services/session-manager/unacked.h"

struct account;
struct buf;
struct session;

#define OUTBOX_TARGETS 64u

/* To these sessions of one account, at most OUTBOX_TARGETS. Returns how many have it on their list or are reached. log_id 0: a copy is kept. */
uint32_t outbox_give(struct session *const *to, uint32_t count, const struct packet *p, uint64_t log_id, uint32_t form);
/* Sends what waits, if anything can go now. */
void outbox_pump(struct session *s);
/* The client has everything up to this number. */
void outbox_acked(struct session *s, uint64_t number);
/* A session has ended with this list: what its client did not get goes to other sessions, back to its sender, or waits in the log. */
void outbox_abandon(struct account *a, struct unacked *rest);
/* The first on the list that waits. False: it still does. */
bool outbox_send(struct session *s, const struct packet *p, uint64_t log_id, uint32_t form);

/* What the server adds to a message of the log (XEP-0359, XEP-0203) for this account. */
void outbox_extra(struct buf *out, const struct account *a, uint64_t log_id, bool archived, bool delayed);

#endif
