/* SPDX-License-Identifier: Apache-2.0 */
#include "common/dns/xmpp_resolve.h"

#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/mem.h"

#define STEP_MS 5000u

struct lookup {
	struct dns_query query;
	struct xmpp_resolve *owner;
	enum dns_type type;
	struct dns_result *result;
};

struct target {
	const char *host;
	uint16_t port;
	bool direct_tls;
	struct lookup v6, v4;
};

struct xmpp_resolve {
	const struct xmpp_resolver *resolver;
	xmpp_resolve_fn fn;
	void *ctx;
	char domain[DNS_NAME_MAX + 1];
	bool bad_domain;
	bool own_address; /* the only target is the domain itself */
	bool overridden;
	struct net_task start;
	struct wheel_timer late;
	uint32_t waiting;                          /* lookups of this step */
	void (*step_done)(struct xmpp_resolve *r); /* when none waits */
	struct lookup direct, starttls;
	struct target targets[SRV_TARGETS_MAX];
	size_t target_count;
};

/* --- lookups --------------------------------------------------------------------------------------------------------- */

static void on_lookup(struct dns_query *q, const struct dns_result *result)
{
	struct lookup *l = list_entry(q, struct lookup, query);
	struct xmpp_resolve *r = l->owner;

	l->result = dns_result_ref((struct dns_result *)result);
	if (--r->waiting == 0)
		r->step_done(r);
}

static void lookup_init(struct xmpp_resolve *r, struct lookup *l, enum dns_type type)
{
	dns_query_init(&l->query, on_lookup);
	l->owner = r;
	l->type = type;
}

static void ask(struct lookup *l, const char *name)
{
	if (dns_ask(l->owner->resolver->dns, &l->query, name, l->type))
		l->owner->waiting++;
	else
		l->result = dns_result_without(l->type, DNS_CANCELLED);
}

static void lookup_give_up(struct lookup *l)
{
	dns_cancel(&l->query);
	if (!l->result)
		l->result = dns_result_without(l->type, DNS_TIMEOUT);
}

/* The name may be too long to be put behind "_xmpps-server._tcp.": then it has no such records. */
static bool failed(const struct lookup *l)
{
	return l->result && !dns_code_is_answer(l->result->code) && l->result->code != DNS_BAD_NAME;
}

static void lookup_fini(struct lookup *l)
{
	dns_cancel(&l->query);
	dns_result_unref(&l->result);
}

/* --- steps ----------------------------------------------------------------------------------------------------------- */

/* Lookups of a step have been asked. */
static void step_begun(struct xmpp_resolve *r, void (*done)(struct xmpp_resolve *r))
{
	const struct xmpp_resolver *s = r->resolver;

	r->step_done = done;
	if (r->waiting > 0)
		net_timer_set(s->loop, &r->late, s->step_ms ? s->step_ms : STEP_MS);
	else
		done(r);
}

static void on_late(struct wheel_timer *t)
{
	struct xmpp_resolve *r = list_entry(t, struct xmpp_resolve, late);

	lookup_give_up(&r->direct);
	lookup_give_up(&r->starttls);
	for (size_t i = 0; i < r->target_count; i++) {
		lookup_give_up(&r->targets[i].v6);
		lookup_give_up(&r->targets[i].v4);
	}
	r->waiting = 0;
	r->step_done(r);
}

static void release(struct xmpp_resolve *r)
{
	net_timer_cancel(r->resolver->loop, &r->late);
	net_task_cancel(&r->start);
	lookup_fini(&r->direct);
	lookup_fini(&r->starttls);
	for (size_t i = 0; i < r->target_count; i++) {
		lookup_fini(&r->targets[i].v6);
		lookup_fini(&r->targets[i].v4);
	}
	mem_free(r);
}

static void add_endpoint(struct xmpp_endpoints *found, const struct target *t, const struct net_addr *addr)
{
	struct xmpp_endpoint e = { .addr = *addr, .host = t->host, .direct_tls = t->direct_tls };

	e.addr.port = t->port;
	for (size_t i = 0; i < found->count; i++) {
		const struct xmpp_endpoint *known = &found->list[i];

		if (known->addr.port == e.addr.port && known->direct_tls == e.direct_tls &&
		    memcmp(known->addr.ip, e.addr.ip, sizeof(e.addr.ip)) == 0)
			return;
	}
	if (found->count < XMPP_ENDPOINTS_MAX)
		found->list[found->count++] = e;
}

/* RFC 8305 section 4: the families take turns, IPv6 begins. */
static void add_target(struct xmpp_endpoints *found, const struct target *t)
{
	const struct dns_result *v6 = t->v6.result, *v4 = t->v4.result;
	size_t given = 0;

	for (size_t i = 0; given < XMPP_ADDRS_MAX && ((v6 && i < v6->count) || (v4 && i < v4->count)); i++) {
		if (v6 && i < v6->count && given++ < XMPP_ADDRS_MAX)
			add_endpoint(found, t, &v6->addrs[i]);
		if (v4 && i < v4->count && given++ < XMPP_ADDRS_MAX)
			add_endpoint(found, t, &v4->addrs[i]);
	}
}

static enum xmpp_found why_none(const struct xmpp_resolve *r)
{
	const struct target *t = r->targets;

	if (r->bad_domain)
		return XMPP_BAD_DOMAIN;
	if (failed(&r->direct) || failed(&r->starttls))
		return XMPP_NO_ANSWER;
	for (size_t i = 0; i < r->target_count; i++) {
		if (failed(&t[i].v6) || failed(&t[i].v4))
			return XMPP_NO_ANSWER;
	}
	if (r->own_address && t->v6.result->code == DNS_NO_NAME && t->v4.result->code == DNS_NO_NAME)
		return XMPP_NO_DOMAIN;
	return XMPP_NO_SERVER;
}

static void finish(struct xmpp_resolve *r)
{
	struct xmpp_endpoints found = { .code = XMPP_FOUND, .overridden = r->overridden };

	for (size_t i = 0; i < r->target_count; i++)
		add_target(&found, &r->targets[i]);
	if (found.count == 0)
		found.code = why_none(r);
	/* Nothing of it may come again while fn runs. */
	net_timer_cancel(r->resolver->loop, &r->late);
	r->fn(&found, r->ctx);
	release(r);
}

static void add_host(struct xmpp_resolve *r, const char *host, uint16_t port, bool direct_tls)
{
	struct target *t = &r->targets[r->target_count];
	struct net_addr addr;

	if (r->target_count == SRV_TARGETS_MAX)
		return;
	r->target_count++;
	*t = (struct target){ .host = host, .port = port, .direct_tls = direct_tls };
	lookup_init(r, &t->v6, DNS_AAAA);
	lookup_init(r, &t->v4, DNS_A);
	if (xmpp_literal(host, port, &addr)) {
		t->v4.result = dns_result_addrs(DNS_A, 0, &addr, 1);
	} else {
		ask(&t->v6, host);
		ask(&t->v4, host);
	}
}

static uint32_t random_chance(void *ctx, uint32_t below)
{
	(void)ctx;
	return (uint32_t)(random_u64() % below);
}

static void on_srv(struct xmpp_resolve *r)
{
	const struct xmpp_resolver *s = r->resolver;
	struct srv_list list;

	srv_merge(r->direct.result, r->starttls.result, s->chance ? s->chance : random_chance, s->chance_ctx, &list);
	for (size_t i = 0; i < list.count; i++)
		add_host(r, list.targets[i].host, list.targets[i].port, list.targets[i].direct_tls);
	if (!list.said) {
		r->own_address = true;
		add_host(r, r->domain, XMPP_PORT, false);
	}
	step_begun(r, finish);
}

static void ask_srv(struct xmpp_resolve *r)
{
	char name[DNS_NAME_MAX + 32];

	snprintf(name, sizeof(name), "_xmpps-server._tcp.%s", r->domain);
	ask(&r->direct, name);
	snprintf(name, sizeof(name), "_xmpp-server._tcp.%s", r->domain);
	ask(&r->starttls, name);
	step_begun(r, on_srv);
}

static void on_start(struct net_task *task)
{
	struct xmpp_resolve *r = list_entry(task, struct xmpp_resolve, start);
	const struct xmpp_resolver *s = r->resolver;
	struct net_addr addr;

	for (size_t i = 0; i < s->override_count && !r->bad_domain; i++) {
		if (strcmp(s->overrides[i].domain, r->domain) == 0)
			add_host(r, s->overrides[i].host, s->overrides[i].port, s->overrides[i].direct_tls);
	}
	r->overridden = r->target_count > 0;
	if (r->target_count == 0 && !r->bad_domain) {
		if (!xmpp_literal(r->domain, XMPP_PORT, &addr)) {
			ask_srv(r);
			return;
		}
		add_host(r, r->domain, XMPP_PORT, false);
	}
	step_begun(r, finish);
}

struct xmpp_resolve *xmpp_resolve(const struct xmpp_resolver *resolver, struct str domain, xmpp_resolve_fn fn, void *ctx)
{
	struct xmpp_resolve *r = mem_new(struct xmpp_resolve);

	r->resolver = resolver;
	r->fn = fn;
	r->ctx = ctx;
	r->bad_domain = !xmpp_domain_ascii(domain, r->domain);
	wheel_timer_init(&r->late, on_late);
	lookup_init(r, &r->direct, DNS_SRV);
	lookup_init(r, &r->starttls, DNS_SRV);
	net_task_init(&r->start, on_start);
	net_defer(resolver->loop, &r->start);
	return r;
}

void xmpp_resolve_cancel(struct xmpp_resolve **r)
{
	if (*r)
		release(*r);
	*r = NULL;
}

const char *xmpp_found_text(enum xmpp_found code)
{
	static const char *const texts[] = {
		[XMPP_FOUND] = "found",
		[XMPP_BAD_DOMAIN] = "not a domain",
		[XMPP_NO_DOMAIN] = "no such domain",
		[XMPP_NO_SERVER] = "the domain has no XMPP server",
		[XMPP_NO_ANSWER] = "no answer from DNS",
	};

	return texts[code];
}
