/* SPDX-License-Identifier: Apache-2.0
 *
 * receive: from a frame to whoever each record is for. What breaks the wire's rules is dropped and counted, never answered. */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "ipc/runtime/bus_core.h"

static void malformed(struct ipc_bus *bus, const char *what)
{
	/* One line, then only the counter: a broken peer must not fill the log. */
	if (bus->stats.malformed++ == 0)
		log_warn(NULL, "malformed record dropped what=%s", what);
}

static void on_serve(struct ipc_bus *bus, const struct envelope *e, const struct frame_record *r)
{
	serve_record(bus, e, r);
}

static void on_answer(struct ipc_bus *bus, const struct envelope *e, const struct frame_record *r)
{
	struct call *call = calls_find(&bus->calls, e->call);
	struct ipc_result result = { .code = e->code, .text = "", .payload = r->payload, .source = e->source };
	const ProtobufCMessage *reply = NULL;

	/* An answer after its deadline, or from someone who was not asked. */
	if (!call || call->instance != e->source)
		return;
	if (e->kind == STARLING__KIND__KIND_REPLY) {
		reply = call->method ? codec_unpack(bus->arena, call->method->reply, r->body) : NULL;
		result.code = reply ? STARLING__CODE__CODE_OK : STARLING__CODE__CODE_INVALID;
		if (!reply)
			malformed(bus, "reply");
	} else {
		if (result.code == STARLING__CODE__CODE_OK)
			result.code = STARLING__CODE__CODE_INTERNAL;
		result.text = arena_strndup(bus->arena, e->text.p, e->text.n);
	}
	calls_complete(&bus->calls, call, &result, reply);
}

static void on_credit(struct ipc_bus *bus, const struct envelope *e, const struct frame_record *r)
{
	struct peer *p = directory_find(&bus->directory, e->source);

	(void)r;
	if (!p)
		return;
	flow_credit(&p->flow, e->credit);
	send_pump(bus, p);
}

void receive_refused(struct ipc_bus *bus, const char *why, uint64_t source)
{
	bus->stats.link_refused++;
	log_info(NULL, "direct record refused why=\"%s\" source=%016llx", why, (unsigned long long)source);
}

/* By a direct connection: only what its peer itself says, once it is open. */
static const char *why_refused(const struct pair *c, const struct envelope *e)
{
	if (e->source != c->peer->instance)
		return "the source is not the sender";
	if (e->method >> 8 == STARLING__INTERFACE__INTERFACE_BUS)
		return "bus record by a direct connection";
	return !c->up && e->method >> 8 != STARLING__INTERFACE__INTERFACE_LINK ? "not opened" : NULL;
}

/* What the way that a record came by says about the path. */
static void notice(struct ipc_bus *bus, struct origin o, const struct envelope *e)
{
	struct peer *p = o.pair ? o.pair->peer : directory_find(&bus->directory, e->source);

	if (!p)
		return;
	if (path_arrived(&p->path, o.pair != NULL))
		pair_drop(p->pair, "overtaken: the other end has given it up");
	/* It may know of the loss, and ask what was lost: the answer must not be lost with it. */
	if (p->severed)
		membership_report(bus);
	bus->stats.direct_in += o.pair != NULL;
	pair_want(bus, p);
}

typedef void (*record_fn)(struct ipc_bus *, const struct envelope *, const struct frame_record *);

static void receive_record(struct ipc_bus *bus, struct origin o, const struct frame_record *r)
{
	static const record_fn handlers[] = {
		[STARLING__KIND__KIND_CALL] = on_serve,     [STARLING__KIND__KIND_REPLY] = on_answer,
		[STARLING__KIND__KIND_FAILURE] = on_answer, [STARLING__KIND__KIND_EVENT] = on_serve,
		[STARLING__KIND__KIND_CREDIT] = on_credit,
	};
	bool local = !o.link && !o.pair;
	const char *refused;
	struct envelope e;

	bus->stats.records_in++;
	if (!envelope_read(r->envelope, &e) || e.kind <= 0 || e.kind >= (int)(sizeof(handlers) / sizeof(*handlers)) ||
	    e.destination != bus->instance) {
		malformed(bus, "envelope");
		return;
	}
	if (bus->debug)
		debug_record(bus, "<-", o.pair ? "direct" : o.link ? "router" : "self", &e, r);
	refused = o.pair ? why_refused(o.pair, &e) : NULL;
	if (refused) {
		receive_refused(bus, refused, e.source);
	} else if (o.link && e.method >> 8 == STARLING__INTERFACE__INTERFACE_BUS) {
		/* Only a router speaks the bus interface to us; routers forward none of it. */
		membership_record(bus, o.link, &e, r);
	} else if (!local && bus->direct && e.method >> 8 == STARLING__INTERFACE__INTERFACE_LINK) {
		pair_record(bus, o.pair, &e, r);
	} else {
		if (!local && bus->direct)
			notice(bus, o, &e);
		handlers[e.kind](bus, &e, r);
	}
	arena_reset(bus->arena);
}

void receive_frame(struct ipc_bus *bus, struct origin o, struct str frame)
{
	struct frame_reader reader;
	struct frame_record r;

	if (!frame_open(&reader, frame)) {
		malformed(bus, "frame");
		return;
	}
	while (frame_next(&reader, &r))
		receive_record(bus, o, &r);
}

void receive_local(struct ipc_bus *bus)
{
	struct buf frame = bus->local;

	if (bus->local_count == 0)
		return;
	/* What the handlers send to ourselves now is for the next turn. */
	bus->local = (struct buf){ 0 };
	bus->local_count = 0;
	receive_frame(bus, (struct origin){ 0 }, buf_str(&frame));
	buf_clear(&frame);
	if (bus->local_count == 0) {
		buf_fini(&bus->local);
		bus->local = frame; /* keep the larger storage */
	} else {
		buf_fini(&frame);
	}
}
