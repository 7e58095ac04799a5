/* SPDX-License-Identifier: Apache-2.0
 *
 * The ends of a request, and the way back to who asked: to the owner of a local account, or over the border. */
#include <string.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/xmpp/jid.h"
#include "common/xmpp/stanza.h"
#include "ipc/gen/stanza.client.h"
#include "ipc/gen/stanza.server.h"
#include "ipc/runtime/speaker.h"
#include "services/proxy65/stanza.h"

#define DEADLINE_MS 60000

static void request_free(struct request *r)
{
	arena_free(&r->arena);
	mem_free(r);
}

void request_handled(struct request *r)
{
	Starling__Empty empty = STARLING__EMPTY__INIT;
	Starling__TakeReply taken = STARLING__TAKE_REPLY__INIT;

	if (r->take)
		reply_stanza_take(r->call, &taken);
	else
		reply_stanza_route(r->call, &empty);
	request_free(r);
}

void request_not_here(struct request *r, int code)
{
	ipc_fail(r->call, code, "not here");
	request_free(r);
}

static void on_routed(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	(void)reply;
	if (ipc_ok(result))
		request_handled(ctx);
	else
		request_not_here(ctx, result->code);
}

static struct ipc_target way_to(const struct proxy65 *proxy, struct str jid)
{
	struct str domain = jid_view_domain(jid);
	uint64_t instance;

	if (proxy65_local(proxy, domain))
		return ipc_slot("session-manager", hash_slot(jid));
	instance = ipc_bus_domain_instance(proxy->bus, domain);
	return ipc_instance(instance ? instance : ipc_speaker(proxy->bus, hash_slot(domain)));
}

static void send_answer(struct request *r, Starling__StanzaType type, struct str bytes)
{
	Starling__RouteRequest route = STARLING__ROUTE_REQUEST__INIT;
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;
	struct ipc_opts opts = { .deadline_ms = DEADLINE_MS, .trace = r->trace, .payload = bytes };

	meta.kind = r->meta.kind;
	meta.type = type;
	meta.from = r->meta.to;
	meta.to = r->meta.from;
	meta.id = r->meta.id;
	route.meta = &meta;
	route.hops = r->hops + 1;
	call_stanza_route(r->proxy->bus, way_to(r->proxy, str_from(meta.to)), &opts, &route, on_routed, r);
}

void request_result(struct request *r, struct str child)
{
	struct buf bytes = { 0 };

	stanza_result_bytes(&bytes, str_from(r->meta.id), child);
	send_answer(r, STARLING__STANZA_TYPE__TYPE_RESULT, buf_str(&bytes));
	buf_fini(&bytes);
}

void request_error(struct request *r, const char *condition, const char *text)
{
	struct buf bytes = { 0 };

	stanza_error_bytes(&bytes, (enum stanza_kind)r->meta.kind, str_from(r->meta.id), r->bytes, condition, str_from(text), STR(""),
	                   STR(""));
	send_answer(r, STARLING__STANZA_TYPE__TYPE_ERROR, buf_str(&bytes));
	buf_fini(&bytes);
}
