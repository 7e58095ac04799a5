/* SPDX-License-Identifier: Apache-2.0
 *
 * route: where a stanza goes, by its `to` alone: this instance's own accounts (a function call), another owner's (lane.h), a domain that
 * another daemon serves. Also the server's side of stanza.proto. */
#ifndef SESSION_MANAGER_ROUTE_H
#define SESSION_MANAGER_ROUTE_H

#include "services/session-manager/packet.h"

/* p->meta->to is not empty. Never fails: what cannot be handled now waits with the receipt held; what never can is bounced. */
void route_packet(struct sm *sm, const struct packet *p);
/* To an account in a slot that is served here. */
void route_inbound(struct sm *sm, const struct packet *p);
/* The packet that a waiter kept, once more from the start: the slot moved. Frees it. */
void route_again(struct parcel *c);

#endif
