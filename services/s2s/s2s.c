/* SPDX-License-Identifier: Apache-2.0
 *
 * s2s: the daemon's own object: listeners, hosts, certificates, the tick; start, reload, drain, end. */
#include "services/s2s/s2s.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/crypto/digest.h"
#include "ipc/runtime/keys.h"
#include "services/s2s/metrics.h"

#define ALMOST_EXPIRED_S (7 * 86400)
#define LEAVE_MS         1500u

/* --- accepting ---------------------------------------------------------------------------------------------------- */

static void on_accept(struct listener *l, int fd, const struct net_addr *peer, void *ctx)
{
	const struct s2s_port *port = ctx;

	(void)l;
	s2s_stream_in(port->s2s, fd, peer, port->direct_tls);
}

static int listen_on(struct s2s *s2s, uint16_t number, struct s2s_port *port, struct err *e)
{
	static const struct listener_events events = { on_accept, NULL };
	uint32_t before = s2s->listener_count;

	if (number == 0)
		return 0;
	for (size_t i = 0; i < s2s->config->addresses.count && s2s->listener_count < S2S_LISTENERS_MAX; i++) {
		const char *address = s2s->config->addresses.items[i];
		struct listener *l =
		        listener_new(s2s->net, address, (uint16_t)(number + s2s->port_offset), s2s->connects, &events, port, e);

		if (!l && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
			log_info(s2s->log, "not listening: %s", e->text); /* such as a container without IPv6 */
			continue;
		}
		if (!l)
			return -1;
		s2s->listeners[s2s->listener_count++] = l;
	}
	return s2s->listener_count > before ? 0 : -1;
}

/* Above the limit newcomers wait in the kernel's queue. */
void s2s_gate(struct s2s *s2s)
{
	bool accept = s2s->bus && s2s->stream_count < (uint64_t)s2s->config->connections && !s2s->draining;

	for (uint32_t i = 0; i < s2s->listener_count; i++)
		listener_accept(s2s->listeners[i], accept);
}

/* --- names -------------------------------------------------------------------------------------------------------- */

bool s2s_local(const struct s2s *s2s, struct str domain)
{
	const struct config_list *hosts = &daemon_shared(s2s->daemon)->hosts;

	for (size_t i = 0; i < hosts->count; i++) {
		if (str_is(domain, hosts->items[i]))
			return true;
	}
	return s2s->bus && ipc_bus_domain_instance(s2s->bus, domain) != 0;
}

/* Not secret, only different: splitmix64 over a random start. */
uint64_t s2s_trace(struct s2s *s2s)
{
	uint64_t z = s2s->trace += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	z ^= z >> 31;
	return z ? z : 1;
}

/* --- time --------------------------------------------------------------------------------------------------------- */

static void on_tick(struct wheel_timer *t)
{
	struct s2s *s2s = (struct s2s *)((char *)t - offsetof(struct s2s, tick));
	uint64_t now_ms = net_now(s2s->net);

	s2s_owner_look(s2s);
	s2s_lanes_wake(s2s);
	list_for_each_safe (n, &s2s->links)
		s2s_link_tick(list_entry(n, struct s2s_link, node), now_ms);
	s2s_spool_flush(s2s);
	s2s_drain_check(s2s);
	net_timer_set(s2s->net, &s2s->tick, WHEEL_TICK_MS);
}

/* --- certificates and names of others ----------------------------------------------------------------------------- */

static int load_tls(struct s2s *s2s, struct err *e)
{
	const struct config_list *hosts = &daemon_shared(s2s->daemon)->hosts;
	struct tls_set *set = tls_set_load(s2s->config->tls_dir, hosts->items, hosts->count, e);
	struct tls_client *client = set ? tls_client_new(set, e) : NULL;
	struct tls_trust *trust = client ? tls_trust_load(s2s->config->tls_trust, e) : NULL;
	const char *first;
	int64_t left;

	if (!trust) {
		tls_client_free(&client);
		tls_set_unref(&set);
		return -1;
	}
	left = tls_set_expiry(set, &first);
	if (left < ALMOST_EXPIRED_S)
		log_warn(s2s->log, "the certificate of %s %s", first, left < 0 ? "has expired" : "expires within a week");
	tls_set_ask(set);
	tls_set_unref(&s2s->tls);
	tls_client_free(&s2s->tls_client);
	tls_trust_free(&s2s->trust);
	s2s->tls = set;
	s2s->tls_client = client;
	s2s->trust = trust;
	return 0;
}

static int load_overrides(struct s2s *s2s, struct err *e)
{
	const struct config_list *list = &s2s->config->overrides;
	struct xmpp_override *fresh = mem_zalloc((list->count + 1) * sizeof(*fresh));

	for (size_t i = 0; i < list->count; i++) {
		if (xmpp_override_parse(list->items[i], &fresh[i], e) != 0) {
			mem_free(fresh);
			return -1;
		}
	}
	mem_free(s2s->overrides);
	s2s->overrides = fresh;
	s2s->resolver.overrides = fresh;
	s2s->resolver.override_count = list->count;
	return 0;
}

static int load_source(struct s2s *s2s, struct err *e)
{
	const char *text = s2s->config->source_address;
	struct sockaddr_storage address;
	socklen_t n;

	if (text && text[0]) {
		if (net_addr_parse(text, 0, &address, &n, e) != 0)
			return -1;
		net_addr_from((struct sockaddr *)&address, &s2s->source);
	}
	s2s->has_source = text && text[0];
	return 0;
}

static int start_dns(struct s2s *s2s, struct err *e)
{
	const struct config_list *list = &s2s->config->dns_servers;
	struct dns_config config = { 0 };
	struct buf servers = { 0 };

	for (size_t i = 0; i < list->count; i++)
		buf_printf(&servers, "%s%s", i ? "," : "", list->items[i]);
	buf_append(&servers, "", 1);
	config.servers = servers.p;
	s2s->dns = dns_new(s2s->net, &config, e);
	buf_fini(&servers);
	s2s->resolver = (struct xmpp_resolver){ .loop = s2s->net, .dns = s2s->dns };
	return s2s->dns ? load_overrides(s2s, e) : -1;
}

/* Instances of a role share its key file, so they share what is made of it: any of them may be asked about another's dialback key (XEP-0185). */
static int load_secret(struct s2s *s2s, struct err *e)
{
	const char *dir = daemon_shared(s2s->daemon)->keys_dir;
	struct keypair pair;
	char path[4096];

	snprintf(path, sizeof(path), "%s/s2s.key", dir);
	if (keypair_read(path, &pair, e) != 0)
		return -1;
	digest_hmac(DIGEST_SHA256, str_from(pair.secret_key), STR("starling dialback"), s2s->secret);
	keypair_wipe(&pair);
	return 0;
}

/* --- start and end ------------------------------------------------------------------------------------------------ */

static void raise_file_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

struct s2s *s2s_new(struct daemon *d, struct err *e)
{
	struct s2s *s2s = mem_new(struct s2s);
	const char *offset = getenv("STARLING_PORT_OFFSET"); /* starlingctl up --port-offset */
	struct ratelimit_config connects;

	s2s->daemon = d;
	s2s->config = daemon_config(d);
	s2s->log = daemon_log(d);
	s2s->net = net_loop_new(daemon_loop(d));
	s2s->arena = arena_new(0);
	s2s->trace = random_u64();
	s2s->append_stream = random_u64() | 1;
	s2s->port_offset = offset ? (uint16_t)strtoul(offset, NULL, 10) : 0;
	list_init(&s2s->streams);
	list_init(&s2s->links);
	list_init(&s2s->dones);
	list_init(&s2s->questions);
	s2s->buckets = mem_alloc(S2S_BUCKETS * sizeof(*s2s->buckets));
	for (uint32_t i = 0; i < S2S_BUCKETS; i++)
		list_init(&s2s->buckets[i]);
	connects = (struct ratelimit_config){ .rate = (double)s2s->config->connect_rate, .burst = (double)s2s->config->connect_burst };
	s2s->connects = ratelimit_new(&connects);
	wheel_timer_init(&s2s->tick, on_tick);
	s2s->ports[0] = (struct s2s_port){ s2s, false };
	s2s->ports[1] = (struct s2s_port){ s2s, true };
	raise_file_limit();
	if (load_secret(s2s, e) != 0 || load_tls(s2s, e) != 0 || load_source(s2s, e) != 0 || start_dns(s2s, e) != 0 ||
	    listen_on(s2s, (uint16_t)s2s->config->port, &s2s->ports[0], e) < 0 ||
	    listen_on(s2s, (uint16_t)s2s->config->direct_tls_port, &s2s->ports[1], e) < 0)
		s2s_free(&s2s);
	else
		s2s_metrics_register(s2s);
	return s2s;
}

void s2s_run(struct s2s *s2s)
{
	s2s->bus = daemon_bus(s2s->daemon);
	net_timer_set(s2s->net, &s2s->tick, WHEEL_TICK_MS);
	s2s_gate(s2s);
	daemon_ready(s2s->daemon);
}

/* What cannot change while it runs (ports, addresses, rates) says so in its option; a bad certificate leaves the old ones in force. */
void s2s_reload(struct s2s *s2s)
{
	struct err e = { 0 };

	s2s->config = daemon_config(s2s->daemon);
	if (load_tls(s2s, &e) != 0)
		log_warn(s2s->log, "certificates not reloaded: %s", e.text);
	if (load_overrides(s2s, &e) != 0)
		log_warn(s2s->log, "overrides not reloaded: %s", e.text);
	if (load_source(s2s, &e) != 0)
		log_warn(s2s->log, "source_address not reloaded: %s", e.text);
	list_for_each_safe (n, &s2s->streams) {
		struct s2s_stream *s = list_entry(n, struct s2s_stream, node);

		if (!s->conn || s->state == S2S_CLOSING)
			continue;
		s2s_stream_limits(s);
		s2s_policy_again(s);
	}
	s2s_gate(s2s);
}

/* No new stanzas; what was sent has a moment to be acknowledged, the rest goes to those who take over. */
void s2s_drain(struct s2s *s2s)
{
	s2s->draining = true;
	s2s->drain_until_ms = net_now(s2s->net) + LEAVE_MS + 5000;
	s2s_gate(s2s);
	s2s_owner_release_all(s2s);
	s2s_drain_check(s2s);
}

void s2s_drain_check(struct s2s *s2s)
{
	bool late = net_now(s2s->net) >= s2s->drain_until_ms;

	if (!s2s->draining || s2s->stopped || s2s->drained || (s2s->link_count > 0 && !late))
		return;
	list_for_each_safe (n, &s2s->streams) {
		struct s2s_stream *s = list_entry(n, struct s2s_stream, node);

		if (s->state != S2S_CLOSING && (late || s->window.taken == s->window.done))
			s2s_end(s, "system-shutdown", "");
	}
	if (s2s->stream_count > 0 && !late)
		return;
	s2s->drained = true;
	s2s_spool_flush(s2s);
	daemon_drained(s2s->daemon);
}

static void drop_streams(struct s2s *s2s)
{
	list_for_each_safe (n, &s2s->streams) {
		struct s2s_stream *s = list_entry(n, struct s2s_stream, node);

		s->state = S2S_CLOSING;
		s->link = NULL;
		net_timer_cancel(s2s->net, &s->timer);
		net_task_cancel(&s->flush);
		conn_drop(&s->conn);
		xml_stream_free(&s->xml);
		list_remove(&s->node);
		s2s_stream_unref(s);
	}
}

static void drop_links(struct s2s *s2s)
{
	list_for_each_safe (n, &s2s->links) {
		struct s2s_link *l = list_entry(n, struct s2s_link, node);

		l->out = NULL;
		s2s_link_abandon(l, STARLING__CODE__CODE_UNAVAILABLE);
		s2s_link_free(l);
	}
}

void s2s_free(struct s2s **out)
{
	struct s2s *s2s = *out;

	*out = NULL;
	if (!s2s)
		return;
	s2s->stopped = true;
	for (uint32_t i = 0; i < s2s->listener_count; i++)
		listener_free(&s2s->listeners[i]);
	net_timer_cancel(s2s->net, &s2s->tick);
	drop_links(s2s);
	drop_streams(s2s);
	s2s_lanes_fini(s2s);
	s2s_spool_fini(s2s);
	dns_free(&s2s->dns);
	mem_free(s2s->overrides);
	tls_set_unref(&s2s->tls);
	tls_client_free(&s2s->tls_client);
	tls_trust_free(&s2s->trust);
	ratelimit_free(&s2s->connects);
	mem_wipe(s2s->secret, sizeof(s2s->secret));
	mem_free(s2s->buckets);
	buf_fini(&s2s->scratch);
	arena_free(&s2s->arena);
	net_loop_free(&s2s->net);
	mem_free(s2s);
}
