/* SPDX-License-Identifier: Apache-2.0
 *
 * sm: the session-manager's own object: what its parts share. Parts have a file each; this one only wires them. */
#ifndef SESSION_MANAGER_SM_H
#define SESSION_MANAGER_SM_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "common/base/hash.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/daemon/daemon.h"
#include "common/redis/redis.h"
#include "ipc/runtime/bus.h"
#include "services/session-manager/options.h"
#include "services/session-manager/table.h"

struct external_services;
struct lane;
struct ownership;
struct receipt;
struct resent;

struct sm {
	struct daemon *daemon;
	uv_loop_t *loop;
	struct ipc_bus *bus;
	struct redis *redis;
	const struct sm_options *options;
	const struct config_list *hosts;
	struct log_ctx log;

	struct ownership *ownership;
	struct table accounts; /* by bare JID */
	struct table streams;  /* sessions by stream id */
	struct table edges;    /* by instance */
	struct list_node idle; /* accounts without sessions, least recently used first */
	size_t idle_count;
	struct list_node unsaved;           /* sessions to be written to Redis */
	struct list_node erasures;          /* session fields to be deleted from Redis */
	uint32_t saving;                    /* session writes under way */
	struct list_node lazy;              /* sessions whose numbers moved */
	struct list_node dirty_logs;        /* msglogs that the store does not know the newest of */
	bool lazy_soon, saving_logs;        /* a timer runs */
	struct appender *appenders;         /* append.c */
	uint64_t fenced[SLOT_COUNT];        /* under this epoch the store refuses all former ones */
	uint64_t sender_epochs[SLOT_COUNT]; /* highest seen of the owners that send for each slot: a former one's requests are refused */
	struct list_node dirty_edges;       /* edges with something to be told at the end of this loop turn */
	struct resent *resent;              /* what other servers sent again, */
	struct resent *resent_here;         /* and other owners */
	struct external_services *external; /* XEP-0215 */
	bool federates;                     /* an s2s has been seen, here or by another owner */
	uint64_t federates_told_ms;         /* when Redis was told so */
	struct lane *lanes[2 * SLOT_COUNT]; /* stanzas for slots of other owners, then for remote domains; made when needed */
	struct list_node warmup;            /* bare JIDs with sessions of a former owner, to be loaded */
	uint32_t warming;                   /* loads under way */
	bool warming_up;

	struct list_node later; /* later.h */
	uv_timer_t later_timer;
	uint64_t storages;     /* instances that are ready, as one number */
	uv_prepare_t turn;     /* end of a loop turn: coalesced events go out */
	struct receipt *spare; /* submit.c: one receipt made in advance */
	size_t pending_bytes;  /* in parcels, waiting for something */
	uint32_t pending;
	bool holding; /* credit of those who send stanzas is held back */
	bool stopping;
	bool ready;
	uint32_t slot_work[SLOT_COUNT]; /* receipts open on behalf of a slot: its handoff waits for them */
};

/* Something may be waiting for the end of the turn: call whenever a coalescing list became non-empty. */
void sm_turn_soon(struct sm *sm);
bool sm_local_host(const struct sm *sm, struct str domain);
/* The account was deleted (XEP-0077 section 3.2): ends its sessions with not-authorized and forgets everything about it. */
void account_removed(struct sm *sm, struct str bare);
/* Bytes of parcels, for back-pressure; packet.c calls it. */
void sm_account_pending(struct sm *sm, size_t bytes, bool add);

int sm_start(struct daemon *d, void **out_state, struct err *e);
void sm_run(void *state);
void sm_drain(void *state);
void sm_reload(void *state);
void sm_stop(void *state);
void sm_status(void *state, struct daemon_status *out);
void sm_on_directory(void *ctx);
void sm_on_lost(uint64_t instance, const char *role, void *ctx);
void sm_on_joined(void *ctx);

#endif
