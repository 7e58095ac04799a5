/* SPDX-License-Identifier: Apache-2.0
 *
 * deliver: a stanza for a local account whose sessions are known here: carries out what deliver_rules.h says. */
#ifndef SESSION_MANAGER_DELIVER_H
#define SESSION_MANAGER_DELIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "services/session-manager/packet.h"

struct account;
struct session;

/* Sessions are loaded. */
void deliver(struct account *a, const struct packet *p);
/* To those of its sessions that the filter takes, one event an edge. Returns how many were reached. */
typedef bool (*deliver_filter)(const struct session *s, const void *ctx);
uint32_t deliver_to(struct account *a, const struct packet *p, deliver_filter filter, const void *ctx);
bool deliver_to_session(struct session *s, const struct packet *p);
/* Its client is there, or is waited for. */
bool deliver_reachable(const struct session *s);
/* Somebody reads messages sent to the bare JID. */
bool deliver_any_reader(const struct account *a);
bool deliver_if_available(const struct session *s, const void *ctx);
bool deliver_if_interested(const struct session *s, const void *ctx);

#endif
