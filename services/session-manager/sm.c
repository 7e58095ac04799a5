/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/sm.h"

#include "common/base/mem.h"
#include "common/xmpp/jid.h"
#include "services/session-manager/account.h"
#include "services/session-manager/account_load.h"
#include "services/session-manager/append.h"
#include "services/session-manager/counters.h"
#include "services/session-manager/edge.h"
#include "services/session-manager/external_services.h"
#include "services/session-manager/federates.h"
#include "services/session-manager/lane.h"
#include "services/session-manager/later.h"
#include "services/session-manager/msglog.h"
#include "services/session-manager/ownership.h"
#include "services/session-manager/resent.h"
#include "services/session-manager/roster.h"
#include "services/session-manager/session.h"
#include "services/session-manager/session_end.h"
#include "services/session-manager/session_store.h"
#include "services/session-manager/submit.h"
#include "services/session-manager/subscribe.h"

#define STORAGES_MAX 64u

/* Roles whose stanzas wait at their side while too much waits here. Not other session-managers: two that wait for each other would wait
 * forever, and what each of them sends is bounded by its own limit. */
static const char *const feeders[] = { "c2s-edge", "web-edge", "s2s" };

static void on_turn(uv_prepare_t *handle)
{
	struct sm *sm = handle->data;

	uv_prepare_stop(handle);
	append_flush(sm);
	edge_flush_all(sm);
	session_store_flush(sm, false);
}

void sm_turn_soon(struct sm *sm)
{
	/* Started anew each time, it runs before the bus's own, which sends what this makes. */
	if (!sm->stopping && !uv_is_active((uv_handle_t *)&sm->turn))
		uv_prepare_start(&sm->turn, on_turn);
}

bool sm_local_host(const struct sm *sm, struct str domain)
{
	for (size_t i = 0; i < sm->hosts->count; i++) {
		if (str_is(domain, sm->hosts->items[i]))
			return true;
	}
	return false;
}

static void hold(struct sm *sm, bool on)
{
	sm->holding = on;
	log_info(&sm->log, "%s pending=%u bytes=%zu", on ? "too much waits: clients are read more slowly" : "clients are read again",
	         sm->pending, sm->pending_bytes);
	for (size_t i = 0; i < sizeof(feeders) / sizeof(feeders[0]); i++)
		ipc_bus_hold(sm->bus, feeders[i], on);
}

void sm_account_pending(struct sm *sm, size_t bytes, bool add)
{
	size_t max = (size_t)sm->options->pending_max;

	sm->pending_bytes = add ? sm->pending_bytes + bytes : sm->pending_bytes - bytes;
	sm->pending += add ? 1 : UINT32_MAX;
	if (sm->stopping)
		return;
	if (!sm->holding && sm->pending_bytes > max)
		hold(sm, true);
	else if (sm->holding && sm->pending_bytes < max / 2)
		hold(sm, false);
}

/* Contacts would go on believing in subscriptions to nobody. */
static void tell_contacts(struct account *a)
{
	list_for_each (n, &a->roster->order) {
		const struct roster_item *i = list_entry(n, struct roster_item, node);
		int subscription;
		bool ask, pending_in;

		sub_unpack(i->state, &subscription, &ask, &pending_in);
		if (sub_has_to(i->state) || ask)
			subscribe_send(a, i->jid, STARLING__STANZA_TYPE__TYPE_UNSUBSCRIBE, NULL, 0);
		if (sub_has_from(i->state) || pending_in)
			subscribe_send(a, i->jid, STARLING__STANZA_TYPE__TYPE_UNSUBSCRIBED, NULL, 0);
	}
}

void account_removed(struct sm *sm, struct str bare)
{
	struct account *a = account_find(sm, bare);

	if (!a)
		return;
	account_pin(a);
	list_for_each_safe (n, &a->sessions)
		session_end(list_entry(n, struct session, of_account), SESSION_END_REMOVED, "The account was removed");
	/* The store has forgotten the roster already: what is in memory is the last that is known of it. */
	if (a->roster_load == ACCOUNT_LOADED)
		tell_contacts(a);
	account_drop(a);
	account_unpin(a);
}

/* --- life --- */

static void on_redis(bool up, void *ctx)
{
	struct sm *sm = ctx;

	if (sm->stopping || !up)
		return;
	federates_redis_up(sm);
	ownership_redis_up(sm);
	sm_turn_soon(sm);
}

int sm_start(struct daemon *d, void **out_state, struct err *e)
{
	const struct config_shared *shared = daemon_shared(d);
	struct sm *sm = mem_new(struct sm);
	struct redis_config redis = { .url = shared->redis, .password_file = shared->redis_password_file, .on_state = on_redis, .ctx = sm };

	sm->daemon = d;
	sm->loop = daemon_loop(d);
	sm->bus = daemon_bus(d);
	sm->options = daemon_config(d);
	sm->external = external_services_new(sm, &sm->options->external_services, shared->keys_dir, e);
	if (!sm->external) {
		mem_free(sm);
		return -1;
	}
	sm->hosts = &shared->hosts;
	sm->log.parent = daemon_log(d);
	list_init(&sm->idle);
	list_init(&sm->dirty_edges);
	list_init(&sm->warmup);
	uv_prepare_init(sm->loop, &sm->turn);
	sm->turn.data = sm;
	later_init(sm);
	sm->redis = redis_new(sm->loop, &redis);
	session_store_init(sm);
	msglog_init(sm);
	append_init(sm);
	sm->resent = resent_new();
	sm->resent_here = resent_new();
	ownership_init(sm);
	counters_register(sm);
	ipc_bus_set_domains(sm->bus, (const char *const *)shared->hosts.items, (uint32_t)shared->hosts.count);
	*out_state = sm;
	return 0;
}

void sm_run(void *state)
{
	ownership_start(state);
}

/* Files may have changed under the same names since the configuration was checked. */
void sm_reload(void *state)
{
	struct sm *sm = state;
	struct err e = { "" };

	if (external_services_reload(sm->external, &sm->options->external_services, daemon_shared(sm->daemon)->keys_dir, &e) != 0)
		log_warn(&sm->log, "services not reloaded, the old ones stay why=\"%s\"", e.text);
}

static void drained(struct sm *sm)
{
	daemon_drained(sm->daemon);
}

void sm_drain(void *state)
{
	ownership_drain(state, drained);
}

static void all_slots(struct sm *sm)
{
	bool all[SLOT_COUNT];

	memset(all, 1, sizeof(all));
	account_drop_slots(sm, all);
}

static void on_closed(uv_handle_t *handle)
{
	mem_free(handle->data);
}

void sm_stop(void *state)
{
	struct sm *sm = state;

	sm->stopping = true;
	later_fini(sm);
	redis_free(&sm->redis);
	all_slots(sm);
	append_fini(sm);
	resent_free(&sm->resent);
	resent_free(&sm->resent_here);
	lane_fini_all(sm);
	edge_fini_all(sm);
	account_warm_stop(sm);
	session_store_fini(sm);
	submit_fini(sm);
	ownership_fini(sm);
	external_services_free(&sm->external);
	table_fini(&sm->accounts);
	table_fini(&sm->streams);
	table_fini(&sm->edges);
	uv_close((uv_handle_t *)&sm->turn, on_closed);
}

void sm_status(void *state, struct daemon_status *out)
{
	struct sm *sm = state;

	out->connections = sm->streams.count;
	out->work = (uint64_t)counters_work();
	if (!redis_up(sm->redis))
		out->unhealthy = "redis is away";
	else if (!ownership_healthy(sm))
		out->unhealthy = "the lease could not be renewed";
}

/* --- what the bus tells --- */

void sm_on_joined(void *ctx)
{
	ownership_soon(ctx);
}

/* What failed because storage was not there is tried again as soon as it is. */
static void look_for_storage(struct sm *sm)
{
	const Starling__Registration *all[STORAGES_MAX];
	uint32_t n = ipc_bus_instances(sm->bus, "storage", all, STORAGES_MAX);
	uint64_t ready = 0;

	for (uint32_t i = 0; i < n && i < STORAGES_MAX; i++) {
		if (all[i]->state == STARLING__INSTANCE_STATE__INSTANCE_READY)
			ready ^= all[i]->instance;
	}
	if (ready && ready != sm->storages)
		later_hurry(sm);
	sm->storages = ready;
}

void sm_on_directory(void *ctx)
{
	struct sm *sm = ctx;

	edge_check_all(sm);
	look_for_storage(sm);
	ownership_soon(sm);
	external_services_look(sm->external);
}

void sm_on_lost(uint64_t instance, const char *role, void *ctx)
{
	struct sm *sm = ctx;

	(void)instance;
	edge_check_all(sm);
	if (strcmp(role, "session-manager") == 0)
		ownership_soon(sm);
}
