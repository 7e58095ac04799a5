/* SPDX-License-Identifier: Apache-2.0 */
#include "services/proxy65/activate.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/xmpp/jid.h"
#include "ipc/gen/stanza.client.h"
#include "services/proxy65/bytestream.h"
#include "services/proxy65/dstaddr.h"
#include "services/proxy65/metrics.h"

#define SIBLINGS_MAX 32
#define ASK_MS       5000

/* XEP-0065 section 6.3.5 */
static const struct {
	const char *condition, *text;
} answers[] = {
	[ACTIVATION_NOBODY] = { "item-not-found", NULL },
	[ACTIVATION_ALONE] = { "not-allowed", "Both parties must be connected." },
	[ACTIVATION_TWICE] = { "not-allowed", "It is active." },
	[ACTIVATION_STREAMS] = { "resource-constraint", "Too many bytestreams at a time." },
	[ACTIVATION_QUOTA] = { "resource-constraint", "Too much was moved; try again later." },
	[ACTIVATION_DRAINING] = { "not-allowed", "The relay is about to stop; ask for another." },
};

static void finish(struct request *r, enum activation a)
{
	metric_inc(a == ACTIVATION_OK ? &proxy65_metrics.activated : &proxy65_metrics.not_activated);
	if (a == ACTIVATION_OK)
		request_result(r, STR(""));
	else
		request_error(r, answers[a].condition, answers[a].text);
}

/* --- asking the others --- */

struct search {
	struct request *request;
	enum activation best; /* NOBODY, or ALONE where one party is */
	uint64_t siblings[SIBLINGS_MAX];
	uint32_t count, next;
};

static void ask_next(struct search *s);

static void on_asked(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	struct search *s = ctx;

	(void)reply;
	if (ipc_ok(result)) {
		request_handled(s->request);
		mem_free(s);
		return;
	}
	if (result->code == STARLING__CODE__CODE_DENIED)
		s->best = ACTIVATION_ALONE;
	ask_next(s);
}

static void ask_next(struct search *s)
{
	struct request *r = s->request;
	Starling__RouteRequest route = STARLING__ROUTE_REQUEST__INIT;
	struct ipc_opts opts = { .deadline_ms = ASK_MS, .trace = r->trace, .payload = r->bytes };

	if (s->next == s->count || r->proxy->stopped) {
		finish(r, s->best);
		mem_free(s);
		return;
	}
	route.meta = &r->meta;
	route.hops = r->hops + 1;
	call_stanza_route(r->proxy->bus, ipc_instance(s->siblings[s->next++]), &opts, &route, on_asked, s);
}

static void search(struct request *r, enum activation here)
{
	const Starling__Registration *all[SIBLINGS_MAX];
	uint32_t n = ipc_bus_instances(r->proxy->bus, PROXY65_ROLE, all, SIBLINGS_MAX);
	struct search *s = mem_new(struct search);

	s->request = r;
	s->best = here;
	for (uint32_t i = 0; i < n && i < SIBLINGS_MAX; i++) {
		if (all[i]->instance != ipc_bus_instance(r->proxy->bus) && all[i]->state == STARLING__INSTANCE_STATE__INSTANCE_READY)
			s->siblings[s->count++] = all[i]->instance;
	}
	ask_next(s);
}

/* --- the request --- */

/* False: refused, and said so. */
static bool read_request(struct request *r, struct str *out_sid, struct jid *out_target)
{
	const struct xml_node *activate = xml_child(r->child, "activate", NS_BYTESTREAMS);
	struct str mode = xml_get(r->child, "mode");

	*out_sid = xml_get(r->child, "sid");
	if (!out_sid->n) {
		request_error(r, "bad-request", "A bytestream has an id.");
	} else if (!activate || activate != xml_first_element(r->child) || xml_next_element(activate)) {
		request_error(r, "bad-request", "Exactly one target is needed.");
	} else if (mode.p && !str_is(mode, "tcp")) {
		request_error(r, str_is(mode, "udp") ? "feature-not-implemented" : "bad-request", "There is TCP alone.");
	} else if (jid_parse(xml_text(r->arena, activate), out_target) != JID_OK) {
		request_error(r, "jid-malformed", NULL);
	} else {
		return true;
	}
	metric_inc(&proxy65_metrics.not_activated);
	return false;
}

void activate(struct request *r)
{
	char dst[SOCKS5_DST + 1];
	struct str sid, from = str_from(r->meta.from);
	struct jid target;
	enum activation a;

	if (!read_request(r, &sid, &target))
		return;
	dstaddr_make(sid, from, target.full, dst);
	jid_fini(&target);
	a = bytestream_activate(r->proxy, dst, jid_view_bare(from));
	if (a != ACTIVATION_NOBODY && a != ACTIVATION_ALONE)
		finish(r, a);
	else if (r->forwarded)
		request_not_here(r, a == ACTIVATION_ALONE ? STARLING__CODE__CODE_DENIED : STARLING__CODE__CODE_NOT_FOUND);
	else
		search(r, a);
}
