/* SPDX-License-Identifier: Apache-2.0
 *
 * peers: which other brokers there are, and whether all that they owe each other is settled: a publish waits for that when one has died. */
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "services/mqtt-broker/several.h"
#include "services/mqtt-broker/start.h"

struct mq_peer *mq_peer_find(struct mq_broker *b, uint64_t instance)
{
	list_for_each (n, &b->several->peers) {
		struct mq_peer *p = list_entry(n, struct mq_peer, node);

		if (p->instance == instance)
			return p;
	}
	return NULL;
}

bool mq_peer_lost(struct mq_broker *b, uint64_t instance)
{
	return b->stopped || !mq_peer_find(b, instance);
}

void mq_several_count(struct mq_broker *b)
{
	const struct mq_several *s = b->several;

	b->others = s->peer_n + s->spread_n + s->unsettled + !list_empty(&s->ghosts);
}

/* --- who is there ------------------------------------------------------------------------------------------------- */

/* One of an earlier release serves alone, and does not answer: it is none of us (start.c). */
static bool takes_part(const Starling__Registration *r)
{
	for (size_t i = 0; i < r->n_interfaces; i++) {
		if (r->interfaces[i]->interface == STARLING__INTERFACE__INTERFACE_MQTT)
			return true;
	}
	return false;
}

static uint32_t directory(struct mq_broker *b, uint64_t *out)
{
	const Starling__Registration *all[MQ_BROKERS_MAX];
	uint32_t n = ipc_bus_instances(b->bus, "mqtt-broker", all, MQ_BROKERS_MAX), used = 0;

	for (uint32_t i = 0; i < n && i < MQ_BROKERS_MAX; i++) {
		if (all[i]->instance != ipc_bus_instance(b->bus) && takes_part(all[i]))
			out[used++] = all[i]->instance;
	}
	return used;
}

static bool has(const uint64_t *list, uint32_t n, uint64_t instance)
{
	for (uint32_t i = 0; i < n; i++) {
		if (list[i] == instance)
			return true;
	}
	return false;
}

/* The same for all who see the same, in whatever order. */
static uint64_t view_of(struct mq_broker *b, const uint64_t *list, uint32_t n)
{
	uint64_t own = ipc_bus_instance(b->bus);
	uint64_t sum = hash_fnv1a64(str_make((const char *)&own, sizeof(own)));

	for (uint32_t i = 0; i < n; i++)
		sum += hash_fnv1a64(str_make((const char *)&list[i], sizeof(list[i])));
	return sum ? sum : 1;
}

static void meet(struct mq_broker *b, uint64_t instance)
{
	struct mq_several *s = b->several;
	struct mq_peer *p = mq_peer_new(b, instance);

	p->given_up = has(s->given_up, MQ_GIVEN_UP, instance);
	/* One may have died before we came, and its death not be over. */
	s->unsettled |= b->start != NULL;
	list_push_back(&s->peers, &p->node);
	s->peer_n++;
	log_info(b->log, "another broker instance=%016llx", (unsigned long long)instance);
	mq_exchange_begin(p);
}

static void lose(struct mq_broker *b, struct mq_peer *p)
{
	struct mq_several *s = b->several;

	if (!b->stopped)
		log_info(b->log, "a broker is gone instance=%016llx", (unsigned long long)p->instance);
	s->lost[s->lost_n++ % MQ_GIVEN_UP] = p->instance;
	s->unsettled = true;
	s->settled = 0;
	s->peer_n--;
	list_remove(&p->node);
	mq_exchange_free(p);
	mq_passes_end(p);
	mq_peer_free(p);
}

void mq_peers_update(struct mq_broker *b)
{
	struct mq_several *s = b->several;
	uint64_t list[MQ_BROKERS_MAX];
	uint32_t n;

	if (!b->bus || b->stopped)
		return;
	n = directory(b, list);
	list_for_each_safe (node, &s->peers) {
		struct mq_peer *p = list_entry(node, struct mq_peer, node);

		if (!has(list, n, p->instance))
			lose(b, p);
	}
	for (uint32_t i = 0; i < n; i++) {
		if (!mq_peer_find(b, list[i]))
			meet(b, list[i]);
	}
	if (s->view != view_of(b, list, n)) {
		s->view = view_of(b, list, n);
		s->ask++;
		/* At start its own steps lead to it. */
		if (!b->start || s->adopts)
			mq_adopt_begin(b);
		net_defer(b->net, &s->tell_task);
	}
	mq_several_count(b);
	mq_several_look(b);
}

/* --- what is waited for ------------------------------------------------------------------------------------------- */

static uint64_t told_all(const struct mq_several *s)
{
	uint64_t least = s->version;

	list_for_each (n, &s->peers) {
		const struct mq_peer *p = list_entry(n, struct mq_peer, node);

		if (p->all || p->parts)
			return 0;
		if (p->told < least)
			least = p->told;
	}
	return least;
}

/* With a peer that is told all anew nothing is told. */
static bool telling_all(const struct mq_several *s)
{
	list_for_each (n, &s->peers) {
		const struct mq_peer *p = list_entry(n, struct mq_peer, node);

		if (p->all || p->parts)
			return true;
	}
	return false;
}

bool mq_peers_joined(const struct mq_broker *b)
{
	list_for_each (n, &b->several->peers) {
		if (!list_entry(n, struct mq_peer, node)->here)
			return false;
	}
	return !telling_all(b->several);
}

static bool all_settled(const struct mq_several *s)
{
	list_for_each (n, &s->peers) {
		const struct mq_peer *p = list_entry(n, struct mq_peer, node);

		if (!p->here || p->answer != s->ask)
			return false;
	}
	return s->settled == s->view;
}

bool mq_several_settled(const struct mq_broker *b)
{
	if (b->several->unsettled || b->several->doubted)
		return false;
	/* Of one that says all anew a part is missing. */
	list_for_each (n, &b->several->peers) {
		if (list_entry(n, struct mq_peer, node)->reading)
			return false;
	}
	return true;
}

void mq_peers_doubt(struct mq_broker *b)
{
	if (b->several->peer_n == 0 || b->stopped)
		return;
	b->several->doubted = true;
	list_for_each (n, &b->several->peers) {
		struct mq_peer *p = list_entry(n, struct mq_peer, node);

		p->here = false;
		mq_exchange_begin(p);
	}
}

static void on_look(struct net_task *t)
{
	struct mq_several *s = list_entry(t, struct mq_several, look_task);
	struct mq_broker *b = s->broker;
	uint64_t told = told_all(s);

	if (b->stopped)
		return;
	if (!telling_all(s)) {
		mq_filters_forget(b, told);
		mq_told_end(b, told, MQTT_SUCCESS);
		mq_arrivals_told(b, told);
	}
	if (s->doubted && mq_peers_joined(b))
		s->doubted = false;
	if (s->unsettled && all_settled(s)) {
		log_info(b->log, "all sessions are with brokers that live");
		s->unsettled = false;
		mq_ghosts_settle_lost(b);
		mq_held_go_on(b);
	}
	mq_several_count(b);
	if (mq_several_settled(b))
		mq_spread_redo(b);
	mq_start_look(b);
}

void mq_several_look(struct mq_broker *b)
{
	if (!b->stopped)
		net_defer(b->net, &b->several->look_task);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void on_tell(struct net_task *t)
{
	struct mq_several *s = list_entry(t, struct mq_several, tell_task);

	list_for_each (n, &s->peers)
		mq_exchange_tell(list_entry(n, struct mq_peer, node));
}

void mq_several_new(struct mq_broker *b)
{
	struct mq_several *s = mem_new(struct mq_several);

	b->several = s;
	s->broker = b;
	s->epoch = 1;
	list_init(&s->peers);
	list_init(&s->log);
	list_init(&s->gone);
	list_init(&s->told_waits);
	list_init(&s->spreads);
	list_init(&s->redo);
	list_init(&s->ghosts);
	list_init(&s->arrivals);
	list_init(&s->claims);
	list_init(&s->claimed);
	list_init(&s->questions);
	list_init(&s->yielding);
	list_init(&s->retaining);
	list_init(&s->singles);
	list_init(&s->held);
	mq_names_init(&s->filters);
	net_task_init(&s->look_task, on_look);
	net_task_init(&s->tell_task, on_tell);
	net_task_init(&s->claimed_task, mq_claimed_on_task);
	s->taken = mq_taken_new();
	s->self = mq_peer_new(b, 0);
}

/* Its peers' calls have ended; who still waits is told that this is over. */
void mq_several_free(struct mq_broker *b)
{
	struct mq_several *s = b->several;

	net_task_cancel(&s->look_task);
	net_task_cancel(&s->tell_task);
	net_task_cancel(&s->claimed_task);
	mq_adopt_end(b);
	mq_claimed_end(b);
	mq_claims_end(b);
	mq_retained_tell_end(b);
	while (!list_empty(&s->ghosts))
		mq_ghost_settle(list_entry(s->ghosts.next, struct mq_ghost, node));
	while (!list_empty(&s->peers))
		lose(b, list_entry(s->peers.next, struct mq_peer, node));
	mq_told_end(b, UINT64_MAX, MQTT_SERVER_SHUTTING_DOWN);
	mq_spreads_end(b);
	mq_taken_free(&s->taken);
	mq_peer_free(s->self);
	mq_filters_free(b);
	mem_free(s);
	b->several = NULL;
}
