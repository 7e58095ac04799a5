/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mqtt_link/mqtt_dial.h"

#include <stdio.h>

#include "common/base/mem.h"
#include "common/dns/xmpp_override.h"

enum { V6, V4, KINDS };

struct mqtt_dial {
	struct net_loop *net;
	struct dns_query queries[KINDS];
	unsigned waiting; /* queries that are not answered */
	enum dns_code code;
	struct net_addr found[KINDS][DIALER_ADDRS_MAX];
	size_t counts[KINDS];
	uint16_t port;
	uint64_t until_ms;
	struct dialer *dialer;
	struct net_task fail;
	mqtt_dial_fn fn;
	void *ctx;
};

static void finish(struct mqtt_dial *d, int fd, const struct net_addr *addr, const char *why)
{
	mqtt_dial_fn fn = d->fn;
	void *ctx = d->ctx;

	mqtt_dial_cancel(&d);
	fn(fd, addr, why, ctx);
}

static void on_dialed(int fd, const struct net_addr *addr, const char *why, void *ctx)
{
	struct mqtt_dial *d = ctx;

	d->dialer = NULL;
	finish(d, fd, addr, why);
}

static void connect_to(struct mqtt_dial *d)
{
	struct net_addr addrs[KINDS * DIALER_ADDRS_MAX];
	struct dialer_opts opts = { .within_ms = 1 };
	uint64_t now = net_now(d->net);
	size_t n = 0;

	if (d->until_ms > now)
		opts.within_ms = (uint32_t)(d->until_ms - now);
	for (size_t i = 0; i < DIALER_ADDRS_MAX; i++) {
		for (unsigned kind = 0; kind < KINDS; kind++) {
			if (i < d->counts[kind])
				addrs[n++] = d->found[kind][i];
		}
	}
	d->dialer = dialer_start(d->net, addrs, n, &opts, on_dialed, d);
}

static void on_answer(struct mqtt_dial *d, unsigned kind, const struct dns_result *r)
{
	for (size_t i = 0; r->code == DNS_OK && i < r->count && i < DIALER_ADDRS_MAX; i++) {
		d->found[kind][d->counts[kind]] = r->addrs[i];
		d->found[kind][d->counts[kind]++].port = d->port;
	}
	if (r->code != DNS_OK)
		d->code = r->code;
	if (--d->waiting > 0)
		return;
	if (d->counts[V6] + d->counts[V4] > 0)
		connect_to(d);
	else
		finish(d, -1, NULL, dns_code_text(d->code));
}

static void on_v6(struct dns_query *q, const struct dns_result *r)
{
	on_answer(list_entry(q, struct mqtt_dial, queries[V6]), V6, r);
}

static void on_v4(struct dns_query *q, const struct dns_result *r)
{
	on_answer(list_entry(q, struct mqtt_dial, queries[V4]), V4, r);
}

static void add(struct mqtt_dial *d, unsigned kind, const char *literal)
{
	if (xmpp_literal(literal, d->port, &d->found[kind][d->counts[kind]]))
		d->counts[kind]++;
}

static void on_fail(struct net_task *t)
{
	finish(list_entry(t, struct mqtt_dial, fail), -1, NULL, "the DNS is not to be asked");
}

/* RFC 6761 section 6.3: localhost is this machine, and not asked for. */
static bool known(struct mqtt_dial *d, const char *host)
{
	if (strcmp(host, "localhost") == 0) {
		add(d, V6, "[::1]");
		add(d, V4, "127.0.0.1");
	} else {
		add(d, V4, host);
	}
	return d->counts[V4] > 0;
}

struct mqtt_dial *mqtt_dial_start(struct net_loop *net, struct dns *dns, const struct mqtt_party_address *to, uint32_t within_ms,
                                  mqtt_dial_fn fn, void *ctx)
{
	struct mqtt_dial *d = mem_new(struct mqtt_dial);

	d->net = net;
	d->fn = fn;
	d->ctx = ctx;
	d->port = to->port;
	d->until_ms = net_now(net) + within_ms;
	dns_query_init(&d->queries[V6], on_v6);
	dns_query_init(&d->queries[V4], on_v4);
	net_task_init(&d->fail, on_fail);
	if (known(d, to->host)) {
		connect_to(d);
		return d;
	}
	d->waiting += dns_ask(dns, &d->queries[V6], to->host, DNS_AAAA);
	d->waiting += dns_ask(dns, &d->queries[V4], to->host, DNS_A);
	if (d->waiting == 0)
		net_defer(net, &d->fail);
	return d;
}

void mqtt_dial_cancel(struct mqtt_dial **dial)
{
	struct mqtt_dial *d = *dial;

	*dial = NULL;
	if (!d)
		return;
	dns_cancel(&d->queries[V6]);
	dns_cancel(&d->queries[V4]);
	dialer_cancel(&d->dialer);
	net_task_cancel(&d->fail);
	mem_free(d);
}
