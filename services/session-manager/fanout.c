/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/fanout.h"

#include <stdlib.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/xmpp/jid.h"
#include "ipc/gen/stanza.client.h"
#include "services/session-manager/counters.h"
#include "services/session-manager/lane.h"
#include "services/session-manager/ownership.h"
#include "services/session-manager/route.h"
#include "services/session-manager/sm.h"

#define TARGETS_MAX 500 /* of one call */
#define DEADLINE_MS 10000

void fanout_begin(struct fanout *f, struct sm *sm, const struct packet *p)
{
	*f = (struct fanout){ .sm = sm, .packet = p };
}

static void to_one(struct sm *sm, const struct packet *p, const char *jid)
{
	Starling__StanzaMeta meta = *p->meta;
	struct packet one = *p;

	meta.to = (char *)jid;
	one.meta = &meta;
	route_packet(sm, &one);
}

void fanout_add(struct fanout *f, const char *jid)
{
	struct str to = str_from(jid);
	uint32_t slot = hash_slot(to);
	uint64_t owner;

	/* Stanzas that wait for the slot come first: no short cut past them. */
	if (!sm_local_host(f->sm, jid_view_domain(to)) || ownership_serving(f->sm, slot) || !lane_empty(f->sm, slot)) {
		to_one(f->sm, f->packet, jid);
		return;
	}
	owner = ipc_bus_slot_owner(f->sm->bus, slot, NULL);
	if (owner == 0 || owner == ipc_bus_instance(f->sm->bus)) {
		to_one(f->sm, f->packet, jid);
		return;
	}
	if (f->count == f->cap) {
		f->cap = f->cap ? f->cap * 2 : 32;
		f->far = mem_realloc(f->far, f->cap * sizeof(*f->far));
	}
	f->far[f->count++] = (struct fanout_target){ owner, jid };
}

/* One call under way, with what is needed to do it one by one should it fail. */
struct group {
	struct parcel *parcel;
	uint32_t count;
	char **jids;
};

static void group_free(struct group *g)
{
	for (uint32_t i = 0; i < g->count; i++)
		mem_free(g->jids[i]);
	mem_free(g->jids);
	parcel_free(&g->parcel);
	mem_free(g);
}

static void on_group(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	struct group *g = ctx;

	(void)reply;
	if (!ipc_ok(result) && !g->parcel->sm->stopping) {
		for (uint32_t i = 0; i < g->count; i++)
			to_one(g->parcel->sm, &g->parcel->packet, g->jids[i]);
	}
	group_free(g);
}

static void send_group(struct fanout *f, const struct fanout_target *targets, uint32_t count)
{
	struct group *g = mem_new(struct group);
	const struct packet *p = f->packet;
	Starling__StanzaMeta meta = *p->meta;
	Starling__RouteRequest request = STARLING__ROUTE_REQUEST__INIT;
	struct ipc_opts opts = { .deadline_ms = DEADLINE_MS, .trace = p->trace, .payload = p->bytes };

	meta.to = (char *)"";
	g->parcel = parcel_new(f->sm, p);
	g->jids = mem_alloc(count * sizeof(char *));
	for (; g->count < count; g->count++)
		g->jids[g->count] = mem_strdup(targets[g->count].jid);
	request.meta = &meta;
	request.targets = g->jids;
	request.n_targets = count;
	request.hops = p->hops + 1;
	metric_inc(&counters.routed_out);
	call_stanza_route(f->sm->bus, ipc_instance(targets[0].instance), &opts, &request, on_group, g);
}

static int by_instance(const void *a, const void *b)
{
	uint64_t x = ((const struct fanout_target *)a)->instance, y = ((const struct fanout_target *)b)->instance;

	return x < y ? -1 : x > y;
}

void fanout_end(struct fanout *f)
{
	uint32_t start = 0;

	if (f->count)
		qsort(f->far, f->count, sizeof(*f->far), by_instance);
	for (uint32_t i = 1; i <= f->count; i++) {
		if (i < f->count && f->far[i].instance == f->far[start].instance && i - start < TARGETS_MAX)
			continue;
		send_group(f, f->far + start, i - start);
		start = i;
	}
	mem_free(f->far);
	f->far = NULL;
}
