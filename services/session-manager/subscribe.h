/* SPDX-License-Identifier: Apache-2.0
 *
 * subscribe: RFC 6121 section 3: acts on subscription stanzas by the tables of subscription.h: roster, pushes, routing, answers. Each is
 * one serial operation of its account. */
#ifndef SESSION_MANAGER_SUBSCRIBE_H
#define SESSION_MANAGER_SUBSCRIBE_H

#include "services/session-manager/packet.h"

struct account;
struct session;

/* From a client; `to` is not empty. */
void subscribe_outbound(struct session *s, const struct packet *p);
/* For a local account. */
void subscribe_inbound(struct account *a, const struct packet *p);
/* Requests that wait for the user's answer, to a resource that became available (section 3.1.3). The roster is loaded. */
void subscribe_show_pending(struct session *s, struct receipt *receipt);
/* A subscription stanza of the server's own, from the account to a contact's bare JID. */
void subscribe_send(struct account *a, const char *contact, Starling__StanzaType type, struct receipt *receipt, uint32_t hops);

#endif
