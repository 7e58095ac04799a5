/* SPDX-License-Identifier: Apache-2.0
 *
 * offline: messages for users who are away (XEP-0160), in the store. Appends of an account go one after the other, so that the order of
 * storing is the order of arrival. When a resource that reads messages becomes available, what is stored goes to it in pages, each message
 * with its delay stamp (XEP-0203), and is removed when the edge has written it; until the last page is out, newer messages queue up
 * behind in the store. */
#ifndef SESSION_MANAGER_OFFLINE_H
#define SESSION_MANAGER_OFFLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "services/session-manager/packet.h"

struct account;
struct offline;
struct session;

/* Keeps the message, or bounces it where it cannot be kept. */
void offline_store(struct account *a, const struct packet *p);
void offline_flush(struct account *a, struct session *s);
bool offline_flushing(const struct account *a);
bool offline_flushing_to(const struct account *a, const struct session *s);
void offline_written(struct account *a, uint64_t stream, const uint64_t *ids, size_t count);
/* Before it is freed: its flush goes on with another reader, if there is one. */
void offline_session_gone(struct account *a, struct session *s);
/* The account is going: what waits is routed again. */
void offline_abandon(struct account *a);
void offline_free(struct offline **o);

#endif
