/* SPDX-License-Identifier: Apache-2.0
 *
 * The ends of a request, and the way back to who asked: to the owner of a local account, or over the border. */
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/xmpp/jid.h"
#include "common/xmpp/stanza.h"
#include "ipc/gen/stanza.client.h"
#include "ipc/gen/stanza.server.h"
#include "ipc/runtime/speaker.h"
#include "services/mqtt-gateway/stanza.h"

#define DEADLINE_MS 60000u
#define RESOURCE    "mqtt"

static void finish(struct request *r)
{
	Starling__Empty empty = STARLING__EMPTY__INIT;
	Starling__TakeReply taken = STARLING__TAKE_REPLY__INIT;

	if (r->code)
		ipc_fail(r->call, r->code, "the answer was not taken");
	else if (r->take)
		reply_stanza_take(r->call, &taken);
	else
		reply_stanza_route(r->call, &empty);
	arena_free(&r->arena);
	mem_free(r);
}

void request_handled(struct request *r)
{
	finish(r);
}

static void on_routed(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	struct request *r = ctx;

	(void)reply;
	if (!ipc_ok(result))
		r->code = result->code;
	if (--r->unsent == 0)
		finish(r);
}

static struct ipc_target way_to(const struct gateway *g, struct str jid)
{
	struct str domain = jid_view_domain(jid);
	uint64_t instance;

	if (gateway_is_host(g, domain))
		return ipc_slot("session-manager", hash_slot(jid));
	instance = ipc_bus_domain_instance(g->bus, domain);
	return ipc_instance(instance ? instance : ipc_speaker(g->bus, hash_slot(domain)));
}

static void send_back(struct request *r, Starling__StanzaType type, const char *from, uint32_t flags, struct str bytes)
{
	Starling__RouteRequest route = STARLING__ROUTE_REQUEST__INIT;
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;
	struct ipc_opts opts = { .deadline_ms = DEADLINE_MS, .trace = r->trace, .payload = bytes };

	meta.kind = r->meta.kind;
	meta.type = type;
	meta.from = (char *)from;
	meta.to = r->meta.from;
	meta.id = r->meta.id;
	meta.flags = flags;
	route.meta = &meta;
	route.hops = r->hops + 1;
	r->unsent++;
	call_stanza_route(r->gateway->bus, way_to(r->gateway, str_from(meta.to)), &opts, &route, on_routed, r);
}

void request_result(struct request *r, struct str child)
{
	struct buf bytes = { 0 };

	stanza_result_bytes(&bytes, str_from(r->meta.id), child);
	send_back(r, STARLING__STANZA_TYPE__TYPE_RESULT, r->meta.to, 0, buf_str(&bytes));
	buf_fini(&bytes);
}

void request_error(struct request *r, const char *condition, const char *text)
{
	struct buf bytes = { 0 };

	if (r->meta.type == STARLING__STANZA_TYPE__TYPE_ERROR) {
		request_handled(r);
		return;
	}
	stanza_error_bytes(&bytes, (enum stanza_kind)r->meta.kind, str_from(r->meta.id), r->bytes, condition, str_from(text), STR(""),
	                   STR(""));
	send_back(r, STARLING__STANZA_TYPE__TYPE_ERROR, r->meta.to, STANZA_OTHER_PAYLOAD, buf_str(&bytes));
	buf_fini(&bytes);
}

void request_presence(struct request *r, const Starling__StanzaType *types)
{
	struct str bare = jid_view_bare(str_from(r->meta.to));
	const char *whole = arena_printf(r->arena, "%.*s/" RESOURCE, STR_ARG(bare)), *account = arena_str(r->arena, bare).p;
	size_t count = 0;

	r->meta.id = (char *)protobuf_c_empty_string;
	/* The request lasts until the last of them: all are made before one can be answered. */
	for (; types[count] != STARLING__STANZA_TYPE__TYPE_ERROR; count++) {
		const char *name = stanza_type_name((enum stanza_type)types[count]);
		bool available =
		        types[count] == STARLING__STANZA_TYPE__TYPE_NONE || types[count] == STARLING__STANZA_TYPE__TYPE_UNAVAILABLE;
		struct buf bytes = { 0 };

		buf_printf(&bytes, name ? "<presence type='%s'/>" : "<presence/>", name);
		send_back(r, types[count], available ? whole : account, STANZA_EMPTY, buf_str(&bytes));
		buf_fini(&bytes);
	}
	if (count == 0)
		request_handled(r);
}
