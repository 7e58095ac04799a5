/* SPDX-License-Identifier: Apache-2.0 */
#include "services/proxy65/stanza.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/xmpp/jid.h"
#include "common/xmpp/stanza.h"
#include "ipc/gen/stanza.server.h"
#include "services/proxy65/activate.h"

#define NS_INFO  "http://jabber.org/protocol/disco#info"
#define NS_ITEMS "http://jabber.org/protocol/disco#items"

/* --- who may ---------------------------------------------------------------------------------------------------- */

static bool below(struct str domain, const char *pattern)
{
	struct str suffix = str_from(pattern + 1); /* with its dot */

	return pattern[0] == '*' && domain.n > suffix.n && str_eq(str_make(domain.p + domain.n - suffix.n, suffix.n), suffix);
}

/* Accounts of this server, and of the domains that the operator names. */
static bool may_use(const struct request *r)
{
	struct str from = str_from(r->meta.from), domain = jid_view_domain(from);
	const struct config_list *allow = &r->proxy->config->allow;

	if (!jid_view_local(from).n)
		return false;
	if (proxy65_local(r->proxy, domain))
		return true;
	for (size_t i = 0; i < allow->count; i++) {
		if (str_is(domain, allow->items[i]) || below(domain, allow->items[i]))
			return true;
	}
	return false;
}

/* --- handlers --------------------------------------------------------------------------------------------------- */

static bool asks_for_node(struct request *r)
{
	if (!xml_get(r->child, "node").n)
		return false;
	request_error(r, "item-not-found", NULL);
	return true;
}

/* XEP-0065 section 4 */
static void info(struct request *r)
{
	if (!asks_for_node(r))
		request_result(r,
		               STR("<query xmlns='" NS_INFO "'><identity category='proxy' type='bytestreams' name='File Transfer Relay'/>"
		                   "<feature var='" NS_INFO "'/><feature var='" NS_ITEMS "'/><feature var='" NS_BYTESTREAMS "'/></query>"));
}

static void items(struct request *r)
{
	if (!asks_for_node(r))
		request_result(r, STR("<query xmlns='" NS_ITEMS "'/>"));
}

/* XEP-0065 section 4: not-allowed, where it cannot be a host now. */
static void address(struct request *r)
{
	struct buf out = { 0 };

	if (!may_use(r)) {
		request_error(r, "forbidden", NULL);
		return;
	}
	if (r->proxy->draining) {
		request_error(r, "not-allowed", "The relay is about to stop.");
		return;
	}
	buf_append_cstr(&out, "<query xmlns='" NS_BYTESTREAMS "'><streamhost");
	xml_attr(&out, "host", str_from(proxy65_announced_host(r->proxy, r->meta.to)));
	xml_attr(&out, "jid", str_from(r->meta.to));
	buf_printf(&out, " port='%u'/></query>", (unsigned)proxy65_announced_port(r->proxy));
	request_result(r, buf_str(&out));
	buf_fini(&out);
}

static void activation(struct request *r)
{
	if (may_use(r))
		activate(r);
	else
		request_error(r, "forbidden", NULL);
}

static const struct {
	const char *ns, *name;
	bool set;
	void (*handler)(struct request *r);
} handlers[] = {
	{ NS_INFO, "query", false, info },
	{ NS_ITEMS, "query", false, items },
	{ NS_BYTESTREAMS, "query", false, address },
	{ NS_BYTESTREAMS, "query", true, activation },
};

/* --- the way in ------------------------------------------------------------------------------------------------- */

static char *keep(struct arena *a, const char *text)
{
	return arena_strndup(a, text, strlen(text));
}

static struct request *request_new(struct proxy65 *proxy, struct ipc_call *call, const Starling__RouteRequest *route, bool take)
{
	const Starling__Registration *source = ipc_bus_find(proxy->bus, ipc_call_source(call));
	struct arena *arena = arena_new(0);
	struct request *r = mem_new(struct request);

	r->proxy = proxy;
	r->call = call;
	r->arena = arena;
	r->take = take;
	r->forwarded = source && strcmp(source->role, PROXY65_ROLE) == 0;
	r->set = route->meta->type == STARLING__STANZA_TYPE__TYPE_SET;
	r->hops = route->hops;
	r->trace = ipc_call_trace(call);
	r->meta = (Starling__StanzaMeta)STARLING__STANZA_META__INIT;
	r->meta.kind = route->meta->kind;
	r->meta.type = route->meta->type;
	r->meta.from = keep(arena, route->meta->from);
	r->meta.to = keep(arena, route->meta->to);
	r->meta.id = keep(arena, route->meta->id);
	r->meta.child_name = keep(arena, route->meta->child_name);
	r->meta.child_ns = keep(arena, route->meta->child_ns);
	r->bytes = arena_str(arena, ipc_call_payload(call));
	return r;
}

static void serve(struct request *r)
{
	struct xml_node *root = xml_parse(r->arena, r->bytes, STR("jabber:client"));

	r->child = root ? xml_first_element(root) : NULL;
	if (!r->child || xml_next_element(r->child)) {
		request_error(r, "bad-request", NULL);
		return;
	}
	for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
		/* The relay is at its domain: it has no users. */
		if (handlers[i].set == r->set && str_is(r->child->name, handlers[i].name) && str_is(r->child->ns, handlers[i].ns) &&
		    jid_view_local(str_from(r->meta.to)).n == 0) {
			handlers[i].handler(r);
			return;
		}
	}
	request_error(r, "service-unavailable", NULL);
}

/* Senders of stanzas whose addresses are true. */
static bool from_trusted(const struct proxy65 *proxy, const struct ipc_call *call)
{
	const Starling__Registration *source = ipc_bus_find(proxy->bus, ipc_call_source(call));

	return source && (strcmp(source->role, "session-manager") == 0 || strcmp(source->role, PROXY65_ROLE) == 0);
}

static void take_stanza(struct ipc_call *call, const Starling__RouteRequest *route, bool take)
{
	struct proxy65 *proxy = ipc_call_daemon(call);
	const Starling__StanzaMeta *m = route->meta;
	struct request *r;

	if (!m || !m->from[0] || route->n_targets > 0 || !proxy65_serves(proxy, jid_view_domain(str_from(m->to)))) {
		ipc_fail(call, STARLING__CODE__CODE_INVALID, "one stanza for the relay is wanted");
		return;
	}
	if (!from_trusted(proxy, call)) {
		ipc_fail(call, STARLING__CODE__CODE_DENIED, "not from a session-manager");
		return;
	}
	r = request_new(proxy, call, route, take);
	if (m->kind == STARLING__STANZA_KIND__STANZA_IQ &&
	    (m->type == STARLING__STANZA_TYPE__TYPE_GET || m->type == STARLING__STANZA_TYPE__TYPE_SET))
		serve(r);
	else if (m->kind == STARLING__STANZA_KIND__STANZA_MESSAGE && m->type != STARLING__STANZA_TYPE__TYPE_ERROR)
		request_error(r, "service-unavailable", NULL);
	else
		request_handled(r); /* presence, answers, errors: nobody's here */
}

void on_stanza_route(struct ipc_call *call, const Starling__RouteRequest *route)
{
	take_stanza(call, route, false);
}

void on_stanza_take(struct ipc_call *call, const Starling__RouteRequest *route)
{
	take_stanza(call, route, true);
}
