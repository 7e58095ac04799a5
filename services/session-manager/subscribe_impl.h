/* SPDX-License-Identifier: Apache-2.0
 *
 * subscribe_impl: shared by subscribe.c, subscribe_out.c and subscribe_in.c only. */
#ifndef SESSION_MANAGER_SUBSCRIBE_IMPL_H
#define SESSION_MANAGER_SUBSCRIBE_IMPL_H

#include "services/session-manager/roster.h"
#include "services/session-manager/subscribe.h"
#include "services/session-manager/subscription.h"

/* One operation, from the stanza to its last effect. */
struct sub_op {
	struct parcel *parcel; /* from and to are bare */
	enum sub_stanza stanza;
	enum sub_state before, after;
	bool pass;    /* routed or delivered when the roster says so */
	bool granted; /* inbound: the server approves by itself */
};

struct sub_op *sub_op_new(struct sm *sm, const struct packet *p, struct str from, struct str to);
/* Ends the serial turn, too. a may be NULL. */
void sub_op_done(struct account *a, struct sub_op *op);
/* Writes the change, or removes an item that only remembered something and has nothing left to remember. */
void sub_commit(struct account *a, const struct roster_change *c, roster_fn committed, roster_fn done, struct sub_op *op);
bool sub_roster_full(const struct account *a, struct str jid);

#endif
