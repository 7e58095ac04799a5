/* SPDX-License-Identifier: Apache-2.0
 *
 * c2s: the daemon's own object: listeners, hosts, certificates; start, reload, end. */
#include "services/c2s-edge/c2s.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "services/c2s-edge/metrics.h"

/* Enough to keep auth's and the owners' queues filled, few enough that the last of them is answered in time. */
#define TLS_A_TURN       32u /* handshakes cost about a millisecond each, and the loop must not stand still */
#define SASL_AT_ONCE     128u
#define OPEN_AT_ONCE     256u
#define ALMOST_EXPIRED_S (7 * 86400)

/* --- accepting ---------------------------------------------------------------------------------------------------- */

static void on_accept(struct listener *l, int fd, const struct net_addr *peer, void *ctx)
{
	const struct c2s_port *port = ctx;

	(void)l;
	c2s_stream_new(port->edge, fd, peer, port->direct_tls);
}

static void on_refused(struct listener *l, const struct net_addr *peer, enum ratelimit_verdict why, void *ctx)
{
	(void)l;
	(void)peer;
	(void)why;
	(void)ctx;
	metric_inc(&c2s_metrics.refused_rate);
}

static int listen_on(struct c2s_edge *edge, uint16_t number, struct c2s_port *port, struct err *e)
{
	static const struct listener_events events = { on_accept, on_refused };
	uint32_t before = edge->listener_count;

	if (number == 0)
		return 0;
	for (size_t i = 0; i < edge->config->addresses.count && edge->listener_count < C2S_LISTENERS_MAX; i++) {
		const char *address = edge->config->addresses.items[i];
		struct listener *l =
		        listener_new(edge->net, address, (uint16_t)(number + edge->port_offset), edge->connects, &events, port, e);

		if (!l && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
			log_info(edge->log, "not listening: %s", e->text); /* such as a container without IPv6 */
			continue;
		}
		if (!l)
			return -1;
		if (edge->proxies)
			listener_expect_proxy(l, &edge->proxy);
		edge->listeners[edge->listener_count++] = l;
	}
	return edge->listener_count > before ? 0 : -1;
}

/* Every connection is a descriptor. */
static void raise_file_limit(const struct c2s_edge *edge)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return;
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
	if (r.rlim_cur != RLIM_INFINITY && r.rlim_cur < (rlim_t)edge->config->connections + 100)
		log_info(edge->log, "the system's limit of open files allows fewer connections than limits.connections files=%llu",
		         (unsigned long long)r.rlim_cur);
}

/* Above the limit newcomers wait in the kernel's queue. */
void c2s_edge_gate(struct c2s_edge *edge)
{
	bool accept = edge->stream_count < (uint64_t)edge->config->connections;

	for (uint32_t i = 0; i < edge->listener_count; i++)
		listener_accept(edge->listeners[i], accept && !edge->draining);
}

/* --- start and end ------------------------------------------------------------------------------------------------ */

static void make_limits(struct c2s_edge *edge)
{
	const struct c2s_config *c = edge->config;
	struct ratelimit_config connects = { .rate = (double)c->connect_rate, .burst = (double)c->connect_burst };
	struct ratelimit_config logins = { .concurrent = (uint32_t)c->logins_per_address };
	struct ratelimit_config addresses = { .concurrent = (uint32_t)c->connections_per_address, .addresses = 1u << 20 };

	edge->connects = ratelimit_new(&connects);
	edge->logins = ratelimit_new(&logins);
	edge->addresses = c->connections_per_address ? ratelimit_new(&addresses) : NULL;
}

static void make_hosts(struct c2s_edge *edge)
{
	const struct config_list *hosts = &daemon_shared(edge->daemon)->hosts;

	edge->hosts = mem_zalloc((hosts->count + 1) * sizeof(struct c2s_host));
	edge->host_count = (uint32_t)hosts->count;
	for (uint32_t i = 0; i < edge->host_count; i++)
		edge->hosts[i].name = str_from(mem_strdup(hosts->items[i]));
}

static struct tls_set *load_tls(struct c2s_edge *edge, struct err *e)
{
	const struct config_list *hosts = &daemon_shared(edge->daemon)->hosts;
	struct tls_set *set = tls_set_load(edge->config->tls_dir, hosts->items, hosts->count, e);
	const char *first;
	int64_t left = set ? tls_set_expiry(set, &first) : INT64_MAX;

	if (left < ALMOST_EXPIRED_S)
		log_warn(edge->log, "the certificate of %s %s", first, left < 0 ? "has expired" : "expires within a week");
	return set;
}

struct c2s_edge *c2s_edge_new(struct daemon *d, struct err *e)
{
	struct c2s_edge *edge = mem_new(struct c2s_edge);
	const char *offset = getenv("STARLING_PORT_OFFSET"); /* starlingctl up --port-offset */

	edge->daemon = d;
	edge->config = daemon_config(d);
	edge->log = daemon_log(d);
	edge->net = net_loop_new(daemon_loop(d));
	edge->arena = arena_new(0);
	edge->trace = random_u64();
	edge->port_offset = offset ? (uint16_t)strtoul(offset, NULL, 10) : 0;
	list_init(&edge->streams);
	list_init(&edge->attach_queue);
	list_init(&edge->reports);
	list_init(&edge->answers);
	wheel_timer_init(&edge->drain_timer, NULL);
	edge->slots = mem_zalloc(SLOT_COUNT * sizeof(struct c2s_slot));
	for (uint32_t i = 0; i < SLOT_COUNT; i++)
		list_init(&edge->slots[i].sessions);
	make_limits(edge);
	make_hosts(edge);
	raise_file_limit(edge);
	c2s_ticker_start(edge);
	c2s_crowd_start(edge);
	c2s_gate_init_turns(&edge->tls_gate, edge, TLS_A_TURN);
	c2s_gate_init(&edge->sasl_gate, edge, SASL_AT_ONCE);
	c2s_gate_init(&edge->open_gate, edge, OPEN_AT_ONCE);
	c2s_gate_set_rate(&edge->open_gate, (uint32_t)edge->config->login_rate);
	edge->tls = load_tls(edge, e);
	c2s_proxy_init(edge);
	edge->ports[0] = (struct c2s_port){ edge, false };
	edge->ports[1] = (struct c2s_port){ edge, true };
	if (!edge->tls || listen_on(edge, (uint16_t)edge->config->c2s_port, &edge->ports[0], e) < 0 ||
	    listen_on(edge, (uint16_t)edge->config->direct_tls_port, &edge->ports[1], e) < 0)
		c2s_edge_free(&edge);
	else
		c2s_metrics_register(edge);
	return edge;
}

void c2s_edge_run(struct c2s_edge *edge)
{
	edge->bus = daemon_bus(edge->daemon);
	ipc_bus_set_public_address(edge->bus, edge->config->public_address);
	c2s_owner_on_directory(edge);
	c2s_edge_gate(edge);
	daemon_ready(edge->daemon);
}

/* What cannot change while it runs (ports, addresses, rates) says so in its option; a bad certificate leaves the old ones in force. */
void c2s_edge_reload(struct c2s_edge *edge)
{
	struct err e = { 0 };
	struct tls_set *set;

	edge->config = daemon_config(edge->daemon);
	ipc_bus_set_public_address(edge->bus, edge->config->public_address);
	c2s_gate_set_rate(&edge->open_gate, (uint32_t)edge->config->login_rate);
	set = load_tls(edge, &e);
	if (!set) {
		log_warn(edge->log, "certificates not reloaded: %s", e.text);
	} else {
		tls_set_unref(&edge->tls);
		edge->tls = set;
	}
	list_for_each (n, &edge->streams) {
		struct c2s_stream *s = list_entry(n, struct c2s_stream, node);

		if (s->state != C2S_CLOSING)
			c2s_limits_apply(s);
	}
	c2s_edge_gate(edge);
}

static void drop_streams(struct c2s_edge *edge)
{
	list_for_each_safe (n, &edge->streams) {
		struct c2s_stream *s = list_entry(n, struct c2s_stream, node);

		s->state = C2S_CLOSING;
		c2s_gate_abandon(s);
		c2s_limits_release(s);
		net_timer_cancel(edge->net, &s->timer);
		conn_drop(&s->conn);
		xml_stream_free(&s->xml);
		list_remove(&s->node);
		c2s_stream_unref(s);
	}
	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		list_for_each_safe (k, &edge->slots[i].sessions) {
			struct c2s_session *ss = list_entry(k, struct c2s_session, node);

			ss->stream = NULL;
			c2s_session_free(ss);
		}
	}
}

void c2s_edge_free(struct c2s_edge **out)
{
	struct c2s_edge *edge = *out;

	*out = NULL;
	if (!edge)
		return;
	edge->stopped = true;
	for (uint32_t i = 0; i < edge->listener_count; i++)
		listener_free(&edge->listeners[i]);
	net_timer_cancel(edge->net, &edge->drain_timer);
	drop_streams(edge);
	c2s_gate_fini(&edge->tls_gate);
	c2s_gate_fini(&edge->sasl_gate);
	c2s_gate_fini(&edge->open_gate);
	c2s_ticker_stop(edge);
	c2s_crowd_stop(edge);
	tls_set_unref(&edge->tls);
	ratelimit_free(&edge->connects);
	ratelimit_free(&edge->logins);
	ratelimit_free(&edge->addresses);
	for (uint32_t i = 0; i < edge->host_count; i++) {
		c2s_mechanisms_fini(&edge->hosts[i]);
		mem_free((char *)(uintptr_t)edge->hosts[i].name.p);
	}
	mem_free(edge->hosts);
	mem_free(edge->proxies);
	mem_free(edge->slots);
	mem_free(edge->pressed);
	c2s_table_fini(&edge->sessions);
	buf_fini(&edge->scratch);
	arena_free(&edge->arena);
	net_loop_free(&edge->net);
	mem_free(edge);
}

/* Not secret, only different: splitmix64 over a random start. */
uint64_t c2s_trace(struct c2s_edge *edge)
{
	uint64_t z = edge->trace += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	z ^= z >> 31;
	return z ? z : 1;
}
