/* SPDX-License-Identifier: Apache-2.0
 *
 * offline_impl: shared by offline.c (storing) and offline_flush.c (delivering) only. */
#ifndef SESSION_MANAGER_OFFLINE_IMPL_H
#define SESSION_MANAGER_OFFLINE_IMPL_H

#include "common/base/list.h"
#include "services/session-manager/offline.h"

struct offline {
	struct list_node appends; /* parcels, in order; the first is with the store while `appending` */
	uint32_t append_attempts;
	bool appending;

	uint64_t stream;    /* being flushed to; 0: none */
	uint64_t after;     /* last row that was sent */
	uint32_t unwritten; /* sent, not confirmed */
	uint32_t fetch_attempts;
	bool fetching;
	bool restart;  /* what is being fetched was asked for by a flush that is over */
	bool again;    /* something was stored while the last page was on its way */
	bool empty;    /* nothing is stored: known since the last flush, kept true by owning the account */
	uint64_t turn; /* tells time-outs of former pages from this one's */
};

struct offline *offline_of(struct account *a);
/* Something was stored. */
void offline_stored(struct account *a);
/* Nothing waits to be stored any more: a flush that waited for that is over. */
void offline_settle(struct account *a);

#endif
