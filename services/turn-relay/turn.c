/* SPDX-License-Identifier: Apache-2.0 */
#include "services/turn-relay/turn.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "services/turn-relay/metrics.h"

#define TICK_MS          1000u
#define ALMOST_EXPIRED_S ((int64_t)7 * 86400)

uint64_t turn_total(const struct turn *t, enum counter which)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < t->worker_count; i++)
		n += count_get(&t->workers[i]->counters, which);
	return n;
}

/* --- what threads share ------------------------------------------------------------------------------------------- */

/* Is it the relayed address of an allocation, as peers see it or as it is? Any thread asks. */
static bool is_relayed(const struct net_addr *a, void *ctx)
{
	const struct shared *sh = ctx;

	for (size_t i = 0; i < sh->addresses.relay_count; i++) {
		if (memcmp(sh->addresses.relay[i].ip, a->ip, 16) == 0 || memcmp(sh->addresses.told[i].ip, a->ip, 16) == 0)
			return relay_ports_is_taken(&sh->ports[i], a->port);
	}
	return false;
}

static void add_own(struct shared *sh, size_t *n, const struct net_addr *a, uint16_t port)
{
	if (port == 0 || *n == sizeof(sh->own) / sizeof(*sh->own))
		return;
	sh->own[*n] = *a;
	sh->own[(*n)++].port = port;
}

/* The port of http://ADDRESS:PORT/metrics. */
static uint16_t metrics_port(struct daemon *d)
{
	const char *url = daemon_metrics_url(d), *colon = url ? strrchr(url, ':') : NULL;

	return colon ? (uint16_t)strtoul(colon + 1, NULL, 10) : 0;
}

static int make_policy(struct turn *t, struct err *e)
{
	struct shared *sh = &t->shared;
	int allowed = turn_config_networks(&t->config.peers_allow, sh->allow, true, e);
	int denied = allowed < 0 ? -1 : turn_config_networks(&t->config.peers_deny, sh->deny, false, e);
	size_t own = 0;

	if (denied < 0)
		return -1;
	for (size_t i = 0; i < sh->addresses.own_count; i++) {
		add_own(sh, &own, &sh->addresses.own[i], sh->port);
		add_own(sh, &own, &sh->addresses.own[i], sh->tls_port);
		add_own(sh, &own, &sh->addresses.own[i], metrics_port(t->daemon));
		if (sh->addresses.has_discovery)
			add_own(sh, &own, &sh->addresses.own[i], sh->discovery_port);
	}
	sh->policy = (struct peer_policy){ .allow = sh->allow,
		                           .allow_count = (size_t)allowed,
		                           .deny = sh->deny,
		                           .deny_count = (size_t)denied,
		                           .own = sh->own,
		                           .own_count = own,
		                           .machine = sh->addresses.own,
		                           .machine_count = sh->addresses.own_count,
		                           .relays = sh->addresses.peers,
		                           .relay_count = sh->addresses.peer_count,
		                           .is_relayed = is_relayed,
		                           .ctx = sh };
	return 0;
}

static void give_back(const struct reserved *r, void *ctx)
{
	struct shared *sh = ctx;

	relay_ports_give(&sh->ports[r->place], r->port);
}

static uint16_t shifted(int64_t port)
{
	const char *offset = getenv("STARLING_PORT_OFFSET"); /* starlingctl up --port-offset */

	return port ? (uint16_t)(port + (offset ? strtol(offset, NULL, 10) : 0)) : 0;
}

static int share(struct turn *t, struct err *e)
{
	const struct turn_config *c = &t->config;
	struct shared *sh = &t->shared;
	struct quota_limits limits = { (uint32_t)c->allocations, (uint32_t)c->per_user, (uint32_t)c->per_address,
		                       (uint32_t)c->failures_a_minute };

	sh->config = c;
	sh->log.parent = t->log;
	snprintf(sh->realm, sizeof(sh->realm), "%s", turn_config_realm(daemon_shared(t->daemon), c));
	snprintf(sh->host, sizeof(sh->host), "%s", daemon_shared(t->daemon)->hosts.count ? daemon_shared(t->daemon)->hosts.items[0] : "");
	sh->port = shifted(c->port);
	sh->tls_port = shifted(c->tls_port);
	sh->discovery_port = shifted(c->discovery_port);
	random_bytes(sh->nonce_key.bytes, sizeof(sh->nonce_key.bytes));
	random_bytes(sh->ticket_key.bytes, sizeof(sh->ticket_key.bytes));
	sh->hash_key = random_u64();
	sh->quota = quota_new(&limits);
	sh->reserve = reserve_new(give_back, sh);
	sh->links = links_new(pair_end_elsewhere);
	sh->roam = roam_new(worker_post);
	if (turn_addresses_find(&sh->addresses, c, e) != 0)
		return -1;
	sh->ports = mem_alloc((sh->addresses.relay_count + 1) * sizeof(*sh->ports));
	for (size_t i = 0; i < sh->addresses.relay_count; i++)
		relay_ports_init(&sh->ports[i], (uint16_t)c->port_min, (uint16_t)c->port_max);
	return make_policy(t, e);
}

/* --- what is read again ------------------------------------------------------------------------------------------- */

static void take_creds(struct worker *w, void *arg)
{
	creds_unref(&w->creds);
	w->creds = arg;
}

static void take_tls(struct worker *w, void *arg)
{
	tls_set_unref(&w->tls);
	w->tls = arg;
}

static int load_creds(struct turn *t, struct err *e)
{
	const struct turn_config *now = daemon_config(t->daemon);
	struct creds *fresh = creds_load(now->secrets_file, now->users_file, t->shared.realm, e);

	if (!fresh)
		return -1;
	creds_unref(&t->creds);
	t->creds = fresh;
	for (unsigned i = 0; i < t->worker_count; i++)
		worker_post(t->workers[i], take_creds, creds_ref(fresh));
	return 0;
}

/* Each worker has certificates of its own, since they are counted by one thread. */
static int load_tls(struct turn *t, struct err *e)
{
	const struct turn_config *now = daemon_config(t->daemon);
	const struct config_list *hosts = &daemon_shared(t->daemon)->hosts;

	if (t->config.tls_port == 0)
		return 0;
	for (unsigned i = 0; i < t->worker_count; i++) {
		struct tls_set *set = tls_set_load(now->tls_dir, hosts->items, hosts->count, e);
		const char *first;
		int64_t left;

		if (!set)
			return -1;
		left = tls_set_expiry(set, &first);
		if (i == 0 && left < ALMOST_EXPIRED_S)
			log_warn(t->log, "the certificate of %s %s", first, left < 0 ? "has expired" : "expires within a week");
		if (t->running)
			worker_post(t->workers[i], take_tls, set);
		else
			take_tls(t->workers[i], set);
	}
	return 0;
}

void turn_reload(struct turn *t)
{
	struct err e = { "" };

	if (load_creds(t, &e) != 0)
		log_warn(t->log, "credentials not reloaded: %s", e.text);
	if (load_tls(t, &e) != 0)
		log_warn(t->log, "certificates not reloaded: %s", e.text);
}

/* --- time --------------------------------------------------------------------------------------------------------- */

static void check_drained(struct turn *t)
{
	/* One that is between two threads is counted by neither. */
	if (!atomic_load(&t->shared.draining) || t->drained || turn_total(t, COUNT_ALLOCATIONS) > 0 || roam_count(t->shared.roam) > 0)
		return;
	t->drained = true;
	daemon_drained(t->daemon);
}

static void on_tick(uv_timer_t *h)
{
	struct turn *t = h->data;

	reserve_expire(t->shared.reserve, clock_mono_ms());
	links_expire(t->shared.links, clock_mono_ms());
	check_drained(t);
}

static void close_gate(struct worker *w, void *arg)
{
	(void)arg;
	stream_gate(w);
}

/* No new allocations; those that are there go on until their clients end them, or the time that the skeleton gives is over. */
void turn_drain(struct turn *t)
{
	atomic_store(&t->shared.draining, true);
	for (unsigned i = 0; i < t->worker_count && t->running; i++)
		worker_post(t->workers[i], close_gate, NULL);
	check_drained(t);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void raise_file_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

static int make_workers(struct turn *t, struct err *e)
{
	int64_t want = t->config.workers ? t->config.workers : sysconf(_SC_NPROCESSORS_ONLN);

	for (int64_t i = 0; i < want && t->worker_count < TURN_WORKERS_MAX; i++) {
		struct worker *w = worker_new(&t->shared, t->worker_count, t->creds, e);

		if (!w)
			return -1;
		t->workers[t->worker_count++] = w;
	}
	return 0;
}

struct turn *turn_new(struct daemon *d, struct err *e)
{
	struct turn *t = mem_new(struct turn);

	t->daemon = d;
	t->log = daemon_log(d);
	t->config = *(const struct turn_config *)daemon_config(d);
	pthread_mutex_init(&t->lock, NULL);
	uv_timer_init(daemon_loop(d), &t->tick);
	uv_async_init(daemon_loop(d), &t->answered, turn_on_answered);
	t->tick.data = t->answered.data = t;
	raise_file_limit();
	if (share(t, e) != 0 || load_creds(t, e) != 0 || make_workers(t, e) != 0 || load_tls(t, e) != 0)
		turn_free(&t);
	else
		turn_metrics_register(t);
	return t;
}

void turn_run(struct turn *t)
{
	struct err e = { "" };

	for (unsigned i = 0; i < t->worker_count; i++) {
		if (worker_start(t->workers[i], &e) != 0) {
			daemon_fail(t->daemon, "%s", e.text);
			return;
		}
	}
	ipc_bus_set_public_address(daemon_bus(t->daemon), t->config.public_address);
	t->running = true;
	uv_timer_start(&t->tick, on_tick, TICK_MS, TICK_MS);
	log_info(t->log, "relaying workers=%u addresses=%zu port=%u tls_port=%u", t->worker_count, t->shared.addresses.relay_count,
	         t->shared.port, t->shared.tls_port);
	daemon_ready(t->daemon);
}

static void on_closed(uv_handle_t *h)
{
	struct turn *t = h->data;

	if (--t->closing > 0)
		return;
	pthread_mutex_destroy(&t->lock);
	mem_free(t);
}

void turn_free(struct turn **t)
{
	struct turn *it = *t;

	*t = NULL;
	if (!it)
		return;
	for (unsigned i = 0; i < it->worker_count; i++)
		worker_free(&it->workers[i]);
	it->worker_count = 0;
	turn_on_answered(&it->answered);
	quota_free(&it->shared.quota);
	reserve_free(&it->shared.reserve);
	links_free(&it->shared.links);
	roam_free(&it->shared.roam);
	mem_free(it->shared.ports);
	creds_unref(&it->creds);
	mem_wipe(&it->shared.nonce_key, sizeof(it->shared.nonce_key));
	mem_wipe(&it->shared.ticket_key, sizeof(it->shared.ticket_key));
	uv_timer_stop(&it->tick);
	it->closing = 2;
	uv_close((uv_handle_t *)&it->tick, on_closed);
	uv_close((uv_handle_t *)&it->answered, on_closed);
}
