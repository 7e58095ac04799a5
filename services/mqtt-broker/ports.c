/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-broker/ports.h"

#include <errno.h>

#include "common/base/mem.h"
#include "services/mqtt-broker/metrics.h"
#include "services/mqtt-broker/mq.h"

int mq_proxies_parse(const struct config_list *list, struct cidr *out, struct err *e)
{
	for (size_t i = 0; i < list->count; i++) {
		struct cidr one;
		struct err why;

		if (cidr_parse(list->items[i], &one, &why) < 0)
			return err_set(e, "services.mqtt-broker: proxy.trusted: %s", why.text);
		if (out)
			out[i] = one;
	}
	return 0;
}

static void on_accept(struct listener *l, int fd, const struct net_addr *peer, void *ctx)
{
	const struct mq_port *port = ctx;

	(void)l;
	mq_client_new(port, fd, peer, port->tls);
}

/* The proxy may have had the client's TLS. */
static void on_proxied(struct listener *l, int fd, const struct net_addr *peer, const struct proxy_header *header, void *ctx)
{
	const struct mq_port *port = ctx;

	(void)l;
	mq_client_new(port, fd, peer, port->tls || header->tls);
}

static void on_proxy_refused(struct listener *l, const struct net_addr *from, const char *why, void *ctx)
{
	const struct mq_port *port = ctx;
	char address[NET_ADDR_TEXT_MAX];

	(void)l;
	metric_inc(&mq_metrics.refused_proxy);
	log_info(port->broker->log, "connection refused: %s address=%s", why, net_addr_text(from, address));
}

static void on_refused(struct listener *l, const struct net_addr *peer, enum ratelimit_verdict why, void *ctx)
{
	(void)l;
	(void)peer;
	(void)why;
	(void)ctx;
	metric_inc(&mq_metrics.refused_rate);
}

static int bind_to(struct mq_broker *b, int64_t number, struct mq_port *port, struct err *e)
{
	static const struct listener_events events = { on_accept, on_refused };
	uint32_t before = b->listener_count;

	if (number == 0)
		return 0;
	for (size_t i = 0; i < b->config->addresses.count && b->listener_count < MQ_LISTENERS_MAX; i++) {
		struct listener *l = listener_new_bound(b->net, b->config->addresses.items[i], (uint16_t)(number + b->port_offset),
		                                        b->connects, &events, port, e);

		if (!l && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
			log_info(b->log, "not listening: %s", e->text); /* such as a container without IPv6 */
			continue;
		}
		if (!l)
			return -1;
		if (b->proxies)
			listener_expect_proxy(l, &b->proxy);
		b->listeners[b->listener_count++] = l;
	}
	return b->listener_count > before ? 0 : -1;
}

static const char *const names[MQ_PORTS] = { "port", "tls.port", "websocket.port", "websocket.tls_port" };

static uint32_t find_port(const char *name)
{
	uint32_t i = 0;

	while (i < MQ_PORTS && strcmp(names[i], name) != 0)
		i++;
	return i;
}

int mq_relaxed_check(const struct config_list *list, struct err *e)
{
	for (size_t i = 0; i < list->count; i++) {
		if (find_port(list->items[i]) == MQ_PORTS)
			return err_set(
			        e, "services.mqtt-broker: relaxed: '%s' is not one of port, tls.port, websocket.port, websocket.tls_port",
			        list->items[i]);
	}
	return 0;
}

void mq_ports_relax(struct mq_broker *b)
{
	for (uint32_t i = 0; i < MQ_PORTS; i++)
		b->ports[i].relaxed = false;
	for (size_t i = 0; i < b->config->relaxed.count; i++)
		b->ports[find_port(b->config->relaxed.items[i])].relaxed = true;
}

int mq_ports_open(struct mq_broker *b, struct err *e)
{
	const struct mq_config *c = b->config;
	const int64_t numbers[MQ_PORTS] = { c->port, c->tls_port, c->websocket_port, c->websocket_tls_port };

	if (c->proxies.count > 0) {
		mem_free(b->proxies);
		b->proxies = mem_zalloc(c->proxies.count * sizeof(struct cidr));
		mq_proxies_parse(&c->proxies, b->proxies, NULL);
		b->proxy = (struct listener_proxy){
			.options = { .trusted = b->proxies, .trusted_count = c->proxies.count, .timeout_ms = (uint32_t)c->proxy_ms },
			.on_accept = on_proxied,
			.on_refused = on_proxy_refused,
		};
	}
	for (uint32_t i = 0; i < MQ_PORTS; i++) {
		b->ports[i] = (struct mq_port){ .broker = b, .tls = i & 1, .websocket = i >= 2 };
		if (bind_to(b, numbers[i], &b->ports[i], e) < 0)
			return -1;
	}
	mq_ports_relax(b);
	return 0;
}

int mq_ports_listen(struct mq_broker *b, struct err *e)
{
	for (uint32_t i = 0; i < b->listener_count && !b->listening; i++) {
		if (listener_listen(b->listeners[i], e) < 0)
			return -1;
	}
	b->listening = true;
	return 0;
}

void mq_ports_close(struct mq_broker *b)
{
	for (uint32_t i = 0; i < b->listener_count; i++)
		listener_free(&b->listeners[i]);
	b->listener_count = 0;
}

/* Above the limit newcomers wait in the kernel's queue. */
void mq_gate(struct mq_broker *b)
{
	bool accept = b->bus && b->client_count < (uint64_t)b->config->connections && !b->draining;

	for (uint32_t i = 0; i < b->listener_count; i++)
		listener_accept(b->listeners[i], accept);
}
