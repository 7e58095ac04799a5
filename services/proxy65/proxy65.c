/* SPDX-License-Identifier: Apache-2.0
 *
 * Listeners, names, start, reload, drain, end. */
#include "services/proxy65/proxy65.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "services/proxy65/bytestream.h"
#include "services/proxy65/metrics.h"
#include "services/proxy65/peer.h"

#define SWEEP_MS 60000u

/* --- accepting ---------------------------------------------------------------------------------------------------- */

static void on_accept(struct listener *l, int fd, const struct net_addr *address, void *ctx)
{
	(void)l;
	peer_new(ctx, fd, address);
}

static void close_listeners(struct proxy65 *proxy)
{
	while (proxy->listener_count > 0)
		listener_free(&proxy->listeners[--proxy->listener_count]);
}

/* On every address, or on none: *out_taken, where another instance has the port. */
static int listen_on(struct proxy65 *proxy, uint16_t port, bool *out_taken, struct err *e)
{
	static const struct listener_events events = { on_accept, NULL };
	const struct config_list *addresses = &proxy->config->addresses;

	*out_taken = false;
	for (size_t i = 0; i < addresses->count && proxy->listener_count < PROXY65_LISTENERS_MAX; i++) {
		struct listener *l = listener_new_alone(proxy->net, addresses->items[i], port, NULL, &events, proxy, e);

		if (!l && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
			log_info(proxy->log, "not listening: %s", e->text); /* such as a container without IPv6 */
			continue;
		}
		if (!l) {
			*out_taken = errno == EADDRINUSE;
			close_listeners(proxy);
			return -1;
		}
		proxy->listeners[proxy->listener_count++] = l;
	}
	return proxy->listener_count > 0 ? 0 : -1;
}

/* Two instances on one port would get one party of a stream each. */
static int start_listening(struct proxy65 *proxy, struct err *e)
{
	const char *offset = getenv("STARLING_PORT_OFFSET"); /* starlingctl up --port-offset */
	uint16_t first = (uint16_t)(proxy->config->port + (offset ? strtol(offset, NULL, 10) : 0));
	bool taken = true;

	for (int64_t i = 0; i < proxy->config->ports && taken; i++) {
		proxy->offset = (uint16_t)i;
		proxy->port = (uint16_t)(first + i);
		if (listen_on(proxy, proxy->port, &taken, e) == 0)
			return 0;
	}
	return -1;
}

void proxy65_look(struct proxy65 *proxy)
{
	bool accept = proxy->serving && !proxy->draining && !proxy->stopped && proxy->peer_count < (uint64_t)proxy->config->connections;

	if (proxy->stopped)
		return;
	for (uint32_t i = 0; i < proxy->listener_count; i++)
		listener_accept(proxy->listeners[i], accept);
	if (proxy->draining && proxy->active == 0)
		daemon_drained(proxy->daemon);
}

/* --- names -------------------------------------------------------------------------------------------------------- */

static bool listed(const struct config_list *list, struct str domain)
{
	for (size_t i = 0; i < list->count; i++) {
		if (str_is(domain, list->items[i]))
			return true;
	}
	return false;
}

bool proxy65_serves(const struct proxy65 *proxy, struct str domain)
{
	return listed(&proxy->domains, domain);
}

bool proxy65_local(const struct proxy65 *proxy, struct str domain)
{
	return listed(&daemon_shared(proxy->daemon)->hosts, domain);
}

const char *proxy65_announced_host(const struct proxy65 *proxy, const char *domain)
{
	return proxy->config->announce_host[0] ? proxy->config->announce_host : domain;
}

uint16_t proxy65_announced_port(const struct proxy65 *proxy)
{
	if (proxy->config->announce_port)
		return (uint16_t)(proxy->config->announce_port + proxy->offset);
	return proxy->port;
}

static void make_domains(struct proxy65 *proxy)
{
	const struct config_list *hosts = &daemon_shared(proxy->daemon)->hosts;
	struct buf domain = { 0 };
	size_t n;

	proxy->domains.items = mem_zalloc((hosts->count + 1) * sizeof(*proxy->domains.items));
	for (size_t i = 0; i < hosts->count; i++) {
		buf_printf(&domain, "%s.%s", proxy->config->subdomain, hosts->items[i]);
		proxy->domains.items[proxy->domains.count++] = buf_take(&domain, &n);
	}
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void on_sweep(struct wheel_timer *t)
{
	struct proxy65 *proxy = list_entry(t, struct proxy65, sweep);

	users_sweep(&proxy->users, net_now(proxy->net));
	net_timer_set(proxy->net, &proxy->sweep, SWEEP_MS);
}

static struct user_limits limits_of_users(const struct proxy65_config *c)
{
	return (struct user_limits){ .streams = (uint32_t)c->user_streams,
		                     .rate = (uint64_t)c->user_rate,
		                     .quota = (uint64_t)c->quota_bytes,
		                     .period_ms = (uint64_t)c->quota_period_ms };
}

static struct ratelimit_config limits_of_addresses(const struct proxy65_config *c)
{
	return (struct ratelimit_config){ .rate = (double)c->connect_rate,
		                          .burst = (double)c->connect_burst,
		                          .concurrent = (uint32_t)c->address_connections };
}

static void raise_file_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

struct proxy65 *proxy65_new(struct daemon *d, struct err *e)
{
	struct proxy65 *proxy = mem_new(struct proxy65);
	struct ratelimit_config addresses;
	struct user_limits users;

	proxy->daemon = d;
	proxy->bus = daemon_bus(d);
	proxy->config = daemon_config(d);
	proxy->log = daemon_log(d);
	proxy->net = net_loop_new(daemon_loop(d));
	proxy->seed = random_u64();
	addresses = limits_of_addresses(proxy->config);
	users = limits_of_users(proxy->config);
	proxy->limits = ratelimit_new(&addresses);
	users_init(&proxy->users, &users);
	list_init(&proxy->peers);
	for (uint32_t i = 0; i < PROXY65_BUCKETS; i++)
		list_init(&proxy->streams[i]);
	wheel_timer_init(&proxy->sweep, on_sweep);
	make_domains(proxy);
	raise_file_limit();
	if (start_listening(proxy, e) != 0)
		proxy65_free(&proxy);
	else
		proxy65_metrics_register(proxy);
	return proxy;
}

void proxy65_run(struct proxy65 *proxy)
{
	log_info(proxy->log, "relaying port=%u announced=%s:%u", (unsigned)proxy->port,
	         proxy65_announced_host(proxy, proxy->domains.items[0]), (unsigned)proxy65_announced_port(proxy));
	ipc_bus_set_domains(proxy->bus, (const char *const *)proxy->domains.items, (uint32_t)proxy->domains.count);
	net_timer_set(proxy->net, &proxy->sweep, SWEEP_MS);
	proxy->serving = true;
	proxy65_look(proxy);
	daemon_ready(proxy->daemon);
}

/* For streams that are open, too, but for how long they wait already. */
void proxy65_reload(struct proxy65 *proxy)
{
	struct ratelimit_config addresses;

	proxy->config = daemon_config(proxy->daemon);
	addresses = limits_of_addresses(proxy->config);
	ratelimit_configure(proxy->limits, &addresses);
	proxy->users.limits = limits_of_users(proxy->config);
	proxy65_look(proxy);
}

static void drop_waiting(struct proxy65 *proxy)
{
	list_for_each_safe (n, &proxy->peers) {
		struct peer *peer = list_entry(n, struct peer, node);

		if (peer->state != PEER_RELAYING)
			peer_free(peer);
	}
}

/* What is active may come to its end, as long as the daemon is given time; the rest goes to another instance, by asking anew. */
void proxy65_drain(struct proxy65 *proxy)
{
	proxy->draining = true;
	close_listeners(proxy);
	drop_waiting(proxy);
	proxy65_look(proxy);
}

static void end_streams(struct proxy65 *proxy)
{
	for (uint32_t i = 0; i < PROXY65_BUCKETS; i++) {
		list_for_each_safe (n, &proxy->streams[i])
			bytestream_end(list_entry(n, struct bytestream, node), BYTESTREAM_STOP);
	}
}

void proxy65_free(struct proxy65 **out)
{
	struct proxy65 *proxy = *out;

	*out = NULL;
	if (!proxy)
		return;
	proxy->stopped = true;
	close_listeners(proxy);
	net_timer_cancel(proxy->net, &proxy->sweep);
	drop_waiting(proxy);
	end_streams(proxy);
	pipe_pool_fini(&proxy->pipes);
	users_fini(&proxy->users);
	ratelimit_free(&proxy->limits);
	for (size_t i = 0; i < proxy->domains.count; i++)
		mem_free(proxy->domains.items[i]);
	mem_free(proxy->domains.items);
	net_loop_free(&proxy->net);
	mem_free(proxy);
}
