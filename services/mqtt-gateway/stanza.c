/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-gateway/stanza.h"

#include "common/base/mem.h"
#include "common/xmpp/jid.h"
#include "ipc/gen/stanza.server.h"
#include "services/mqtt-gateway/metrics.h"
#include "services/mqtt-gateway/to_topic.h"

/* --- messages ----------------------------------------------------------------------------------------------------- */

static void refuse(struct request *r, struct metric *count, const char *condition, const char *text)
{
	metric_inc(count);
	request_error(r, condition, text);
}

/* What we sent was not taken: nobody is called so, or does not want it. */
static void bounced(struct request *r)
{
	struct str name = jid_view_local(str_from(r->meta.to));
	struct rule *rule = rules_by_address(r->gateway->rules, RULE_TO_USER, name);

	metric_inc(&gateway_metrics.refused);
	if (rule)
		gateway_say_once(r->gateway, rule, GATEWAY_SAID_REFUSED, "a message to %s came back with an error", r->meta.from);
	request_handled(r);
}

static void publish(struct request *r, const struct rule *rule)
{
	struct gateway *g = r->gateway;
	struct buf topic = { 0 }, payload = { 0 };
	struct arena *scratch = arena_new(0); /* the request may wait for long, its parts need not */

	switch (to_topic_make(rule, r->bytes, jid_view_bare(str_from(r->meta.from)), str_from(r->meta.id), (size_t)g->config->body_bytes,
	                      scratch, &topic, &payload)) {
	case TO_TOPIC_OK:
		order_new(&g->orders, r, rule, buf_str(&topic), buf_str(&payload));
		break;
	case TO_TOPIC_EMPTY:
		request_handled(r);
		break;
	case TO_TOPIC_SIZE:
		refuse(r, &gateway_metrics.refused_size, "not-acceptable", "The text is too long.");
		break;
	case TO_TOPIC_NAME:
		refuse(r, &gateway_metrics.refused_topic, "not-acceptable", "Your name does not go into a topic.");
		break;
	}
	arena_free(&scratch);
	buf_fini(&topic);
	buf_fini(&payload);
}

static void message_serve(struct request *r)
{
	struct rule *rule = NULL;

	if (r->meta.type == STARLING__STANZA_TYPE__TYPE_ERROR) {
		bounced(r);
		return;
	}
	/* Chat states, receipts and the like; nobody else reads them here. */
	if (!(r->meta.flags & STANZA_BODY)) {
		request_handled(r);
		return;
	}
	if (r->meta.flags & STANZA_ENCRYPTED) {
		refuse(r, &gateway_metrics.refused_encrypted, "not-acceptable", "Encrypted messages cannot be read here.");
		return;
	}
	switch (rules_for_name(r->gateway->rules, jid_view_local(str_from(r->meta.to)), jid_view_bare(str_from(r->meta.from)), &rule)) {
	case RULES_OK:
		publish(r, rule);
		return;
	case RULES_FORBIDDEN:
		refuse(r, &gateway_metrics.refused_forbidden, "forbidden", NULL);
		return;
	case RULES_SILENT:
		refuse(r, &gateway_metrics.refused_unknown, "service-unavailable", "Nobody reads what is sent here.");
		return;
	case RULES_UNKNOWN:
		refuse(r, &gateway_metrics.refused_unknown, "item-not-found", NULL);
		return;
	}
}

/* --- the way in ------------------------------------------------------------------------------------------------- */

static char *keep(struct arena *a, const char *text)
{
	return arena_strndup(a, text, strlen(text));
}

static struct request *request_new(struct gateway *g, struct ipc_call *call, const Starling__RouteRequest *route, bool take)
{
	struct arena *arena = arena_new(0);
	struct request *r = mem_new(struct request);

	r->gateway = g;
	r->call = call;
	r->arena = arena;
	r->take = take;
	r->hops = route->hops;
	r->trace = ipc_call_trace(call);
	r->meta = (Starling__StanzaMeta)STARLING__STANZA_META__INIT;
	r->meta.kind = route->meta->kind;
	r->meta.type = route->meta->type;
	r->meta.from = keep(arena, route->meta->from);
	r->meta.to = keep(arena, route->meta->to);
	r->meta.id = keep(arena, route->meta->id);
	r->meta.flags = route->meta->flags;
	r->bytes = arena_str(arena, ipc_call_payload(call));
	return r;
}

/* Senders of stanzas whose addresses are true. */
static bool from_trusted(const struct gateway *g, const struct ipc_call *call)
{
	const Starling__Registration *source = ipc_bus_find(g->bus, ipc_call_source(call));

	return source && strcmp(source->role, "session-manager") == 0;
}

static void take_stanza(struct ipc_call *call, const Starling__RouteRequest *route, bool take)
{
	struct gateway *g = ipc_call_daemon(call);
	const Starling__StanzaMeta *m = route->meta;
	struct request *r;

	if (!m || !m->from[0] || route->n_targets > 0 || !str_is(jid_view_domain(str_from(m->to)), g->domain)) {
		ipc_fail(call, STARLING__CODE__CODE_INVALID, "one stanza for the gateway's domain is wanted");
		return;
	}
	if (!from_trusted(g, call)) {
		ipc_fail(call, STARLING__CODE__CODE_DENIED, "not from a session-manager");
		return;
	}
	if (!g->working) {
		ipc_fail(call, STARLING__CODE__CODE_UNAVAILABLE, "another instance has the domain");
		return;
	}
	r = request_new(g, call, route, take);
	if (m->kind == STARLING__STANZA_KIND__STANZA_MESSAGE)
		message_serve(r);
	else if (m->kind == STARLING__STANZA_KIND__STANZA_PRESENCE)
		presence_serve(r);
	else if (m->type == STARLING__STANZA_TYPE__TYPE_GET || m->type == STARLING__STANZA_TYPE__TYPE_SET)
		iq_serve(r);
	else
		request_handled(r); /* answers: we ask nothing */
}

void on_stanza_route(struct ipc_call *call, const Starling__RouteRequest *route)
{
	take_stanza(call, route, false);
}

void on_stanza_take(struct ipc_call *call, const Starling__RouteRequest *route)
{
	take_stanza(call, route, true);
}
