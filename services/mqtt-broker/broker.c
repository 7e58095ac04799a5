/* SPDX-License-Identifier: Apache-2.0
 *
 * broker: the daemon's own object: hosts, certificates, access rules; start, reload, end. */
#include <stdlib.h>
#include <sys/resource.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/crypto/jwt.h"
#include "services/mqtt-broker/flapping.h"
#include "services/mqtt-broker/lasting.h"
#include "services/mqtt-broker/metrics.h"
#include "services/mqtt-broker/ports.h"
#include "services/mqtt-broker/queueing.h"
#include "services/mqtt-broker/retain.h"
#include "services/mqtt-broker/rights.h"
#include "services/mqtt-broker/several.h"
#include "services/mqtt-broker/start.h"

#define ALMOST_EXPIRED_S (7 * 86400)

/* Not secret, only different: splitmix64 over a random start. */
uint64_t mq_trace(struct mq_broker *b)
{
	uint64_t z = b->trace += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	z ^= z >> 31;
	return z ? z : 1;
}

/* --- hosts -------------------------------------------------------------------------------------------------------- */

static void make_tenants(struct mq_broker *b)
{
	const struct config_list *hosts = &daemon_shared(b->daemon)->hosts;

	b->tenants = mem_zalloc((hosts->count + 1) * sizeof(struct mq_tenant));
	b->tenant_count = (uint32_t)hosts->count;
	for (uint32_t i = 0; i < b->tenant_count; i++) {
		struct mq_tenant *t = &b->tenants[i];

		t->broker = b;
		t->name = str_from(mem_strdup(hosts->items[i]));
		mq_names_init(&t->sessions);
		mq_names_init(&t->retaining);
		t->subs = index_subs_new();
		t->others = index_subs_new();
		t->retained = index_retained_new();
	}
}

static void free_tenants(struct mq_broker *b)
{
	for (uint32_t i = 0; i < b->tenant_count; i++) {
		struct mq_tenant *t = &b->tenants[i];

		index_subs_free(&t->subs);
		index_subs_free(&t->others);
		mq_retained_free(t);
		mq_names_fini(&t->sessions);
		mq_names_fini(&t->retaining);
		mem_free((char *)(uintptr_t)t->name.p);
	}
	mem_free(b->tenants);
}

static struct mq_tenant *find_tenant(struct mq_broker *b, struct str host)
{
	for (uint32_t i = 0; i < b->tenant_count; i++) {
		if (str_eq(b->tenants[i].name, host))
			return &b->tenants[i];
	}
	return NULL;
}

struct mq_tenant *mq_tenant_of(struct mq_broker *b, struct str username, struct str *out_user)
{
	struct mq_tenant *t = b->config->default_host[0] ? find_tenant(b, str_from(b->config->default_host)) : NULL;
	size_t at = username.n;

	*out_user = username;
	while (at > 0 && username.p[at - 1] != '@')
		at--;
	if (at > 0) {
		struct mq_tenant *named = find_tenant(b, str_make(username.p + at, username.n - at));

		/* What is no host of ours belongs to the name, which auth then refuses or not. */
		if (named) {
			*out_user = str_make(username.p, at - 1);
			return named;
		}
	}
	return t ? t : b->tenant_count ? &b->tenants[0] : NULL;
}

/* --- start and end ------------------------------------------------------------------------------------------------ */

/* Every connection is a descriptor. */
static void raise_file_limit(const struct mq_broker *b)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return;
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
	if (r.rlim_cur != RLIM_INFINITY && r.rlim_cur < (rlim_t)b->config->connections + 100)
		log_info(b->log, "the system's limit of open files allows fewer connections than limits.connections files=%llu",
		         (unsigned long long)r.rlim_cur);
}

/* -1: those that there were stay in force, all of them. */
static int load_tls(struct mq_broker *b, struct err *e)
{
	const struct config_list *hosts = &daemon_shared(b->daemon)->hosts;
	struct tls_set *set = tls_set_load(b->config->tls_dir, hosts->items, hosts->count, e);
	struct tls_trust *trust = NULL;
	const char *first;
	int64_t left;

	if (!set || mq_certificates_load(b->config, &trust, e) < 0) {
		tls_set_unref(&set);
		return -1;
	}
	left = tls_set_expiry(set, &first);
	if (left < ALMOST_EXPIRED_S)
		log_warn(b->log, "the certificate of %s %s", first, left < 0 ? "has expired" : "expires within a week");
	if (trust)
		tls_set_ask(set);
	tls_set_unref(&b->tls);
	tls_trust_free(&b->client_trust);
	b->tls = set;
	b->client_trust = trust;
	return 0;
}

struct mq_broker *mq_broker_new(struct daemon *d, struct err *e)
{
	struct mq_broker *b = mem_new(struct mq_broker);
	const char *offset = getenv("STARLING_PORT_OFFSET"); /* starlingctl up --port-offset */

	b->daemon = d;
	b->config = daemon_config(d);
	b->log = daemon_log(d);
	b->net = net_loop_new(daemon_loop(d));
	b->trace = random_u64();
	b->key = random_u64() >> 1;
	b->port_offset = offset ? (uint16_t)strtoul(offset, NULL, 10) : 0;
	list_init(&b->clients);
	list_init(&b->logins);
	list_init(&b->replays);
	list_init(&b->lasting);
	list_init(&b->queueings);
	list_init(&b->retainings);
	list_init(&b->held);
	mq_bans_init(&b->bans);
	mq_names_init(&b->users);
	mq_flapping_configure(b);
	wheel_timer_init(&b->drain_timer, NULL);
	net_task_init(&b->replay_task, mq_replay_on_task);
	b->connects = ratelimit_new(
	        &(struct ratelimit_config){ .rate = (double)b->config->connect_rate, .burst = (double)b->config->connect_burst });
	b->fanout = mq_fanout_new();
	make_tenants(b);
	mq_several_new(b);
	mq_sys_start(b);
	raise_file_limit(b);
	b->access = mq_access_load(b->config->access_file, e);
	if (!b->access || load_tls(b, e) < 0 || mq_tokens_load(b->config, &b->jwt_keys, e) < 0 || mq_bans_begin(b, e) < 0 ||
	    mq_ports_open(b, e) < 0)
		mq_broker_free(&b);
	else
		mq_metrics_register(b);
	return b;
}

void mq_broker_run(struct mq_broker *b)
{
	b->bus = daemon_bus(b->daemon);
	ipc_bus_set_public_address(b->bus, b->config->public_address);
	mq_start_begin(b);
}

void mq_started(struct mq_broker *b)
{
	struct err e = { 0 };

	if (mq_ports_listen(b, &e) < 0) {
		daemon_fail(b->daemon, "%s", e.text);
		return;
	}
	mq_gate(b);
	daemon_ready(b->daemon);
}

/* What cannot change while it runs says so in its option; a bad certificate or rule leaves the old ones in force. */
void mq_broker_reload(struct mq_broker *b)
{
	struct err e = { 0 };
	struct mq_access *access;
	struct jwt_keys *keys;

	b->config = daemon_config(b->daemon);
	ipc_bus_set_public_address(b->bus, b->config->public_address);
	if (load_tls(b, &e) < 0)
		log_warn(b->log, "certificates not reloaded: %s", e.text);
	if (mq_tokens_load(b->config, &keys, &e) < 0) {
		log_warn(b->log, "keys of tokens not reloaded: %s", e.text);
	} else {
		jwt_keys_free(&b->jwt_keys);
		b->jwt_keys = keys;
	}
	access = mq_access_load(b->config->access_file, &e);
	if (!access) {
		log_warn(b->log, "access rules not reloaded: %s", e.text);
	} else {
		mq_access_free(&b->access);
		b->access = access;
	}
	list_for_each (n, &b->clients) {
		struct mq_client *c = list_entry(n, struct mq_client, node);

		if (c->state != MQ_CLOSING)
			mq_client_limits(c);
	}
	mq_ports_relax(b);
	mq_flapping_configure(b);
	mq_sys_reload(b);
	mq_gate(b);
	mq_logins_next(b);
}

static void drop_clients(struct mq_broker *b)
{
	list_for_each_safe (n, &b->clients) {
		struct mq_client *c = list_entry(n, struct mq_client, node);

		if (c->session)
			mq_session_end(c->session);
		mq_client_set_state(c, MQ_CLOSING);
		net_timer_cancel(b->net, &c->timer);
		if (c->more)
			net_task_cancel(&c->more->end_task);
		conn_drop(&c->conn);
		list_remove(&c->node);
		mq_client_unref(c);
	}
}

/* What is in the store stays there. Whoever still waits for it is told that this is over. */
static void drop_lasting(struct mq_broker *b)
{
	list_for_each_safe (n, &b->lasting)
		mq_session_end(list_entry(n, struct mq_lasting, node)->session);
	mq_queueings_end(b);
	mq_retain_end(b);
}

void mq_broker_free(struct mq_broker **out)
{
	struct mq_broker *b = *out;

	*out = NULL;
	if (!b)
		return;
	b->stopped = true;
	mq_ports_close(b);
	net_timer_cancel(b->net, &b->drain_timer);
	mq_start_end(b);
	drop_clients(b);
	drop_lasting(b);
	mq_several_free(b);
	net_task_cancel(&b->replay_task);
	mq_sys_stop(b);
	free_tenants(b);
	mq_fanout_free(&b->fanout);
	mq_access_free(&b->access);
	mq_bans_fini(&b->bans);
	mq_flapping_free(&b->flapping);
	mq_names_fini(&b->users);
	tls_set_unref(&b->tls);
	tls_trust_free(&b->client_trust);
	jwt_keys_free(&b->jwt_keys);
	ratelimit_free(&b->connects);
	mem_free(b->proxies);
	buf_fini(&b->scratch);
	net_loop_free(&b->net);
	mem_free(b);
}
