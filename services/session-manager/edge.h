/* SPDX-License-Identifier: Apache-2.0
 *
 * edge: what this owner knows of one instance that holds client connections: its sessions, what it is to be told at the end of the
 * loop turn (one event for many streams), and deliveries that its full queue did not take yet. */
#ifndef SESSION_MANAGER_EDGE_H
#define SESSION_MANAGER_EDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/list.h"
#include "services/session-manager/packet.h"
#include "services/session-manager/table.h"

struct session;
struct sm;

struct edge {
	struct table_node by_instance;
	struct sm *sm;
	uint64_t instance;
	struct list_node sessions;
	struct list_node dirty;    /* in sm->dirty_edges */
	struct list_node progress; /* sessions whose acceptance moved */
	uint64_t *strangers;       /* streams that are to attach */
	uint32_t stranger_count, stranger_cap;
	struct list_node backlog; /* deliveries in order */
	bool retrying;            /* a timer will look at the backlog */
	bool ending;              /* its sessions are being ended: not to be freed meanwhile */
	bool seen;                /* has been in the directory */
	bool lost;                /* is not in the directory now */
	uint64_t lost_ms;
};

struct edge *edge_get(struct sm *sm, uint64_t instance);
struct edge *edge_find(struct sm *sm, uint64_t instance);
void edge_drop_if_unused(struct sm *sm, struct edge *e);
void edge_progress(struct session *s);
void edge_not_owner(struct sm *sm, uint64_t instance, uint64_t stream);
/* Everything that was coalesced goes out. */
void edge_flush_all(struct sm *sm);
/* To these streams of the edge. False: the edge is gone and nothing was sent. */
bool edge_deliver(struct edge *e, const uint64_t *streams, uint32_t count, const struct packet *p, uint64_t delivery);
void edge_end(struct session *s, const char *condition, const char *text);
/* The directory changed: who is gone, who is back. */
void edge_check_all(struct sm *sm);
void edge_fini_all(struct sm *sm);

#endif
