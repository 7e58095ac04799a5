/* SPDX-License-Identifier: Apache-2.0
 *
 * iq_local: the ways in to iq.c, one for each scope. */
#ifndef SESSION_MANAGER_IQ_LOCAL_H
#define SESSION_MANAGER_IQ_LOCAL_H

#include "services/session-manager/packet.h"

struct account;
struct session;

/* From a client, without `to` or to its own bare JID. */
void iq_self(struct session *s, const struct packet *p);
/* To a local host. */
void iq_host(struct sm *sm, const struct packet *p);
/* To a local account's bare JID, get or set; its sessions are loaded. */
void iq_account(struct account *a, const struct packet *p);

#endif
