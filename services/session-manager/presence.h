/* SPDX-License-Identifier: Apache-2.0
 *
 * presence: RFC 6121 section 4: what a client's presence leads to, what probes are answered with, and the end of a session as contacts
 * see it. Subscriptions are subscribe.h. */
#ifndef SESSION_MANAGER_PRESENCE_H
#define SESSION_MANAGER_PRESENCE_H

#include <stdbool.h>

#include "services/session-manager/packet.h"

struct account;
struct session;

/* Presence of any type from a client. */
void presence_outbound(struct session *s, const struct packet *p);
/* A probe for the account; its sessions are loaded. */
void presence_probed(struct account *a, const struct packet *p);
/* What contacts' presence was on its way to the session may be lost: asks them again. */
void presence_refresh(struct session *s);
/* The session is about to be freed: unavailable to all who may think that it is there. */
void presence_farewell(struct session *s);
/* The presence of every available resource, or that they are unavailable, to one address. */
void presence_show(struct account *a, const char *to, bool available, struct receipt *receipt);

#endif
