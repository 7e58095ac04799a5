/* SPDX-License-Identifier: Apache-2.0 */
#include "services/c2s-edge/c2s.h"

#include "common/base/mem.h"
#include "services/c2s-edge/metrics.h"

int c2s_proxy_parse(const struct config_list *list, struct cidr *out, struct err *e)
{
	for (size_t i = 0; i < list->count; i++) {
		struct cidr one;
		struct err why;

		if (cidr_parse(list->items[i], &one, &why) < 0)
			return err_set(e, "services.c2s-edge: proxy.trusted: %s", why.text);
		if (out)
			out[i] = one;
	}
	return 0;
}

static void on_refused(struct listener *l, const struct net_addr *from, const char *why, void *ctx)
{
	const struct c2s_port *port = ctx;
	char address[NET_ADDR_TEXT_MAX];

	(void)l;
	metric_inc(&c2s_metrics.refused_proxy);
	log_info(port->edge->log, "connection refused: %s address=%s", why, net_addr_text(from, address));
}

void c2s_proxy_init(struct c2s_edge *edge)
{
	const struct c2s_config *c = edge->config;

	if (c->proxies.count == 0)
		return;
	edge->proxies = mem_zalloc(c->proxies.count * sizeof(struct cidr));
	c2s_proxy_parse(&c->proxies, edge->proxies, NULL);
	edge->proxy = (struct listener_proxy){
		.options = { .trusted = edge->proxies, .trusted_count = c->proxies.count, .timeout_ms = (uint32_t)c->proxy_ms },
		.on_refused = on_refused,
	};
}
