/* SPDX-License-Identifier: Apache-2.0
 *
 * presence_send: the stanzas that presence.c decides to send. The roster is loaded. */
#ifndef SESSION_MANAGER_PRESENCE_SEND_H
#define SESSION_MANAGER_PRESENCE_SEND_H

#include <stdint.h>

#include "services/session-manager/packet.h"

struct account;
struct directed;
struct session;

/* p, whose `from` is the session's full JID, to contacts with from or both and to the account's own available resources. */
void presence_broadcast(struct account *a, const struct packet *p);
/* p to the addresses of directed presence that a broadcast does not reach; empties the list. */
void presence_undirect(struct account *a, const struct packet *p, struct directed **list, uint32_t *count);
void presence_show_others(struct session *s, struct receipt *receipt);
void presence_probe_contacts(struct session *s, struct receipt *receipt);

#endif
