/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-bridge/hub.h"

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/daemon/share.h"
#include "services/mqtt-bridge/metrics.h"

static struct bridges *load(struct hub *hub, struct err *e)
{
	return bridges_load(hub->config, daemon_shared(hub->daemon)->hosts.items[0], e);
}

static void take_config(struct hub *hub)
{
	const struct bridge_config *c = daemon_config(hub->daemon);

	hub->config = hub->env.config = c;
	hub->env.link = (struct mqtt_link_env){ hub->net, hub->dns, (uint32_t)c->connect_ms, (uint32_t)c->close_ms };
}

static enum share share(const struct hub *hub, size_t i)
{
	return share_of(daemon_bus(hub->daemon), MQTT_BRIDGE_ROLE, (uint32_t)hash_fnv1a64(str_from(hub->bridges->items[i].name)));
}

/* One whose link is another's now stops it, and the other begins; should both be at it for a moment, the brokers' sessions have one connection each. */
void hub_look(struct hub *hub)
{
	if (!hub->links || hub->draining || hub->next)
		return;
	for (size_t i = 0; i < hub->bridges->count; i++) {
		enum share whose = share(hub, i);

		if (whose == SHARE_MINE && !hub->links[i]) {
			hub->links[i] = span_new(&hub->env, &hub->bridges->items[i]);
			hub->running++;
		} else if (whose == SHARE_OTHERS && hub->links[i]) {
			span_stop(hub->links[i]);
		}
	}
}

static void start_links(struct hub *hub)
{
	hub->links = mem_zalloc((hub->bridges->count + 1) * sizeof(*hub->links));
	hub_look(hub);
}

static void take_next(struct hub *hub)
{
	mem_free(hub->links);
	hub->links = NULL;
	bridges_free(&hub->bridges);
	hub->bridges = hub->next;
	hub->next = NULL;
}

/* None runs any more, or another one's is to be taken. */
static void stopped(struct hub *hub)
{
	if (hub->draining && hub->running == 0) {
		daemon_drained(hub->daemon);
	} else if (hub->next && hub->running == 0) {
		take_next(hub);
		start_links(hub);
	} else {
		hub_look(hub);
	}
}

static void stop_links(struct hub *hub)
{
	for (size_t i = 0; hub->links && i < hub->bridges->count; i++) {
		if (hub->links[i])
			span_stop(hub->links[i]);
	}
	if (hub->running == 0)
		stopped(hub);
}

static void on_stopped(struct span *l, void *ctx)
{
	struct hub *hub = ctx;

	for (size_t i = 0; i < hub->bridges->count; i++) {
		if (hub->links[i] == l)
			hub->links[i] = NULL;
	}
	span_free(&l);
	hub->running--;
	stopped(hub);
}

struct hub *hub_new(struct daemon *d, struct err *e)
{
	struct hub *hub = mem_new(struct hub);
	struct dns_config dns = { 0 };

	hub->daemon = d;
	hub->config = daemon_config(d);
	hub->net = net_loop_new(daemon_loop(d));
	dns.servers = hub->config->dns_servers;
	hub->dns = dns_new(hub->net, &dns, e);
	hub->bridges = hub->dns ? load(hub, e) : NULL;
	if (!hub->bridges) {
		hub_free(&hub);
		return NULL;
	}
	hub->env = (struct span_env){ .log = daemon_log(d), .counts = &hub->counts, .on_stopped = on_stopped, .ctx = hub };
	take_config(hub);
	bridge_metrics_register(hub);
	return hub;
}

void hub_run(struct hub *hub)
{
	start_links(hub);
	daemon_ready(hub->daemon);
}

/* What is on its way waits in the sessions meanwhile. */
void hub_reload(struct hub *hub)
{
	struct bridges *fresh;
	struct err e;

	take_config(hub);
	if (hub->draining)
		return;
	fresh = load(hub, &e);
	if (!fresh) {
		log_error(daemon_log(hub->daemon), "the bridges stay as they are: %s", e.text);
		return;
	}
	bridges_free(&hub->next);
	hub->next = fresh;
	if (hub->links)
		stop_links(hub);
	else
		take_next(hub); /* before hub_run */
}

void hub_drain(struct hub *hub)
{
	hub->draining = true;
	stop_links(hub);
}

void hub_free(struct hub **out)
{
	struct hub *hub = *out;

	*out = NULL;
	if (!hub)
		return;
	for (size_t i = 0; hub->links && hub->bridges && i < hub->bridges->count; i++)
		span_free(&hub->links[i]);
	mem_free(hub->links);
	bridges_free(&hub->bridges);
	bridges_free(&hub->next);
	if (hub->dns)
		dns_free(&hub->dns);
	net_loop_free(&hub->net);
	mem_free(hub);
}

double hub_unacknowledged(const struct hub *hub)
{
	double n = 0;

	for (size_t i = 0; hub->links && i < hub->bridges->count; i++) {
		if (hub->links[i] && hub->links[i]->relaying)
			n += relay_unacknowledged(&hub->links[i]->relay);
	}
	return n;
}

uint64_t hub_up(const struct hub *hub)
{
	uint64_t n = 0;

	for (size_t i = 0; hub->links && i < hub->bridges->count; i++)
		n += hub->links[i] && hub->links[i]->state == SPAN_UP;
	return n;
}
