/* SPDX-License-Identifier: Apache-2.0
 *
 * edge: what this owner knows of one instance that holds client connections: its sessions, what it is to be told at the end of the
 * loop turn (one event for many streams), and the sessions for which its full queue did not take something yet. */
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
	struct list_node behind; /* sessions with something that the queue to the edge did not take */
	bool retrying;           /* a timer will look at them */
	bool ending;             /* its sessions are being ended: not to be freed meanwhile */
	bool counts;             /* it reports Acked; an older one answers Written */
	bool seen;               /* has been in the directory */
	bool lost;               /* is not in the directory now */
	bool swept;              /* lost, and its sessions were seen to */
	uint64_t lost_ms;
};

struct edge *edge_get(struct sm *sm, uint64_t instance);
struct edge *edge_find(struct sm *sm, uint64_t instance);
void edge_drop_if_unused(struct sm *sm, struct edge *e);
void edge_progress(struct session *s);
void edge_not_owner(struct sm *sm, uint64_t instance, uint64_t stream);
/* Everything that was coalesced goes out. */
void edge_flush_all(struct sm *sm);
/* To these streams of the edge; an ipc_send code. */
int edge_deliver(struct edge *e, const uint64_t *streams, uint32_t count, const struct packet *p, uint64_t log_id, uint32_t form);
/* Its queue is full: outbox_pump runs for this session when there may be room. */
void edge_wait(struct session *s);
void edge_end(struct session *s, const char *condition, const char *text);
/* The session's client is at another edge now: the one that had it lets go. */
void edge_moved(struct sm *sm, uint64_t instance, uint64_t stream);
/* The edge keeps this for the next owner. */
void edge_remember(struct session *s, struct str record);
/* The directory changed: who is gone, who is back. */
void edge_check_all(struct sm *sm);
void edge_fini_all(struct sm *sm);

#endif
