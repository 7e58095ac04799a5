/* SPDX-License-Identifier: Apache-2.0
 *
 * join: what services say to the router itself (bus.proto). A role is believed only when the key of the connection is listed for it. */
#include <string.h>

#include "ipc/gen/bus.client.h"
#include "services/router/router.h"

static void answer(struct router *r, const struct router_origin *o, const struct envelope *to, int code, const char *text,
                   const ProtobufCMessage *reply)
{
	struct envelope e = { .kind = reply ? STARLING__KIND__KIND_REPLY : STARLING__KIND__KIND_FAILURE,
		              .method = to->method,
		              .source = r->instance,
		              .destination = to->source,
		              .call = to->call,
		              .trace = to->trace,
		              .code = code,
		              .text = str_from(text) };

	/* In order with what is already on the way to a peer. */
	if (o->peer) {
		record_write(&o->peer->out, &e, reply, (struct str){ NULL, 0 });
		peers_dirty(r, o->peer);
	} else {
		socket_reply(r, o, &e, reply);
	}
}

static const char *why_denied(const struct router *r, const struct router_origin *o, const struct envelope *e,
                              const Starling__Registration *reg)
{
	const struct peer *other = peers_by_instance(r, reg->instance);

	if (!keys_role_valid(reg->role) || !allow_has(&r->allow, reg->role, o->user))
		return "the key is not listed for this role";
	if (o->peer && (o->peer->instance != reg->instance || strcmp(o->peer->registration->role, reg->role) != 0))
		return "this connection joined as another instance";
	if (other && other != o->peer && (strcmp(other->user, o->user) != 0 || strcmp(other->registration->role, reg->role) != 0))
		return "the instance number is taken";
	return reg->instance != e->source || reg->instance == 0 ? "the record's source is not the instance" : NULL;
}

static void on_join(struct router *r, struct router_origin *o, const struct envelope *e, const struct frame_record *rec)
{
	const Starling__Registration *reg =
	        (const Starling__Registration *)codec_unpack(r->arena, &starling__registration__descriptor, rec->body);
	Starling__JoinReply reply;
	struct peer *other;
	const char *denied;

	if (!reg) {
		answer(r, o, e, STARLING__CODE__CODE_INVALID, "the registration does not decode", NULL);
		return;
	}
	denied = why_denied(r, o, e, reg);
	if (denied) {
		figures_refused(r, denied, o);
		answer(r, o, e, STARLING__CODE__CODE_DENIED, denied, NULL);
		return;
	}
	/* The same instance over a newer connection. */
	other = peers_by_instance(r, reg->instance);
	if (other && other != o->peer)
		peers_drop(r, other, "joined anew");
	if (o->peer)
		peers_update(r, o->peer, reg);
	else
		o->peer = peers_add(r, o, reg);
	starling__join_reply__init(&reply);
	reply.router = r->instance;
	reply.heartbeat_ms = (uint32_t)r->config->heartbeat_ms;
	answer(r, o, e, 0, "", &reply.base);
}

static void on_unknown(struct router *r, struct router_origin *o, const struct envelope *e)
{
	struct envelope again = *e;

	/* A service that we had lost still sends heartbeats: it must join anew. */
	if (e->method == METHOD_BUS_HEARTBEAT) {
		again.method = METHOD_BUS_JOIN;
		again.call = 0;
		answer(r, o, &again, STARLING__CODE__CODE_NOT_FOUND, "not joined", NULL);
		return;
	}
	figures_refused(r, "not joined", o);
}

void join_record(struct router *r, struct router_origin *o, const struct envelope *e, const struct frame_record *rec)
{
	if (e->kind == STARLING__KIND__KIND_CALL && e->method == METHOD_BUS_JOIN) {
		on_join(r, o, e, rec);
	} else if (!o->peer) {
		on_unknown(r, o, e);
	} else if (e->source != o->peer->instance) {
		figures_refused(r, "the source is not the sender", o);
	} else if (e->kind == STARLING__KIND__KIND_EVENT && e->method == METHOD_BUS_LEAVE) {
		peers_drop(r, o->peer, "left");
		o->peer = NULL;
	} else if (e->kind == STARLING__KIND__KIND_CALL) {
		answer(r, o, e, STARLING__CODE__CODE_UNSUPPORTED, "no such method at a router", NULL);
	}
	arena_reset(r->arena);
}
