/* SPDX-License-Identifier: Apache-2.0
 *
 * attempt: from a link's wish to a stream: the addresses of the other server, then one of them after the other, until a stream is open. */
#include "services/s2s/s2s.h"

#include <stdio.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/dns/xmpp_resolve.h"
#include "common/net/dialer.h"

/* Since a reload, while something waited or was on its way: what came later route.c refuses. */
#define DENIED "this server is not spoken with"

struct s2s_attempt {
	struct s2s_link *link;
	struct xmpp_resolve *lookup;
	struct dialer *dialer;
	struct net_addr addrs[XMPP_ENDPOINTS_MAX];
	bool direct_tls[XMPP_ENDPOINTS_MAX];
	size_t count, next; /* those before `next` have been tried */
	uint64_t until_ms;  /* of the lookup and the connection that are under way */
};

void s2s_attempt_cancel(struct s2s_link *l)
{
	struct s2s_attempt *a = l->attempt;

	l->attempt = NULL;
	if (!a)
		return;
	xmpp_resolve_cancel(&a->lookup);
	dialer_cancel(&a->dialer);
	mem_free(a);
}

static void failed(struct s2s_attempt *a, const char *why, bool decided)
{
	struct s2s_link *l = a->link;

	s2s_attempt_cancel(l);
	s2s_link_failed(l, why, decided);
}

static void on_dialed(int fd, const struct net_addr *addr, const char *why, void *ctx)
{
	struct s2s_attempt *a = ctx;
	struct s2s_link *l = a->link;
	size_t at = a->next;

	a->dialer = NULL;
	if (fd >= 0 && s2s_policy_denied(l->s2s, l->remote)) {
		close(fd);
		failed(a, DENIED, true);
		return;
	}
	if (fd < 0) {
		failed(a, why, false);
		return;
	}
	while (at + 1 < a->count && memcmp(&a->addrs[at], addr, sizeof(*addr)) != 0)
		at++;
	a->next = at + 1;
	s2s_link_set_state(l, S2S_LINK_TALKING);
	l->out = s2s_stream_out(l, fd, &a->addrs[at], a->direct_tls[at]);
	if (!l->out)
		failed(a, "out of descriptors", false);
}

static void dial(struct s2s_attempt *a)
{
	struct s2s *s2s = a->link->s2s;
	uint64_t now_ms = net_now(s2s->net);
	struct dialer_opts opts = { .sources = &s2s->source, .source_count = s2s->has_source };

	opts.within_ms = a->until_ms > now_ms ? (uint32_t)(a->until_ms - now_ms) : 1;
	s2s_link_set_state(a->link, S2S_LINK_DIALING);
	a->dialer = dialer_start(s2s->net, a->addrs + a->next, a->count - a->next, &opts, on_dialed, a);
}

/* Those to which we may connect; how many are left out. */
static size_t choose(struct s2s_attempt *a, const struct xmpp_endpoints *found)
{
	struct s2s_link *l = a->link;
	char text[NET_ADDR_TEXT_MAX];
	size_t refused = 0;

	for (size_t i = 0; i < found->count; i++) {
		const struct xmpp_endpoint *e = &found->list[i];

		if (found->overridden || s2s_policy_address(l->s2s, &e->addr)) {
			a->addrs[a->count] = e->addr;
			a->direct_tls[a->count++] = e->direct_tls;
		} else if (refused++ == 0) {
			log_info(&l->log, "not connecting to %s at %s port %u: neither public nor in private_networks", e->host,
			         net_addr_text(&e->addr, text), (unsigned)e->addr.port);
		}
	}
	return refused;
}

static void on_found(const struct xmpp_endpoints *found, void *ctx)
{
	struct s2s_attempt *a = ctx;
	size_t refused = choose(a, found);

	a->lookup = NULL;
	if (a->count > 0)
		dial(a);
	else if (refused > 0) /* without the address: that may be of an inner DNS, and the sender sees this */
		failed(a, "the domain's addresses are not public", true);
	else
		failed(a, xmpp_found_text(found->code), found->code != XMPP_NO_ANSWER);
}

void s2s_attempt_start(struct s2s_link *l)
{
	struct s2s *s2s = l->s2s;
	struct s2s_attempt *a;

	if (l->attempt || l->out || l->leaving_ms || s2s->draining)
		return;
	if (s2s_policy_denied(s2s, l->remote)) {
		s2s_link_failed(l, DENIED, true);
		return;
	}
	a = l->attempt = mem_new(struct s2s_attempt);
	a->link = l;
	a->until_ms = net_now(s2s->net) + (uint64_t)s2s->config->dial_ms;
	s2s_link_set_state(l, S2S_LINK_LOOKING);
	a->lookup = xmpp_resolve(&s2s->resolver, str_from(l->remote), on_found, a);
}

/* The stream has ended before it was open. False: there is no other address. With a time of its own: a server that is connected to and says nothing uses up all of
 * the first, at each attempt anew, and those behind it would never have their turn. */
bool s2s_attempt_next(struct s2s_link *l)
{
	struct s2s_attempt *a = l->attempt;

	if (!a || a->next >= a->count)
		return false;
	a->until_ms = net_now(l->s2s->net) + (uint64_t)l->s2s->config->dial_ms;
	dial(a);
	return true;
}
