/* SPDX-License-Identifier: Apache-2.0
 *
 * forward: records from one instance to another, by destination alone; bodies and payloads are copied, never read. What comes in within one turn of
 * the loop for one destination goes out in one batch. */
#include "ipc/gen/bus.client.h"
#include "services/router/router.h"

static bool wants_answer(int kind)
{
	return kind == STARLING__KIND__KIND_CALL || kind == STARLING__KIND__KIND_EVENT;
}

void forward_undeliverable(struct router *r, struct peer *to, const struct envelope *e)
{
	Starling__UndeliverableEvent event;
	struct envelope head = {
		.kind = STARLING__KIND__KIND_EVENT, .method = METHOD_BUS_UNDELIVERABLE, .source = r->instance, .destination = to->instance
	};

	metric_inc(&figure_undeliverable);
	starling__undeliverable_event__init(&event);
	event.destination = e->destination;
	event.call = e->kind == STARLING__KIND__KIND_CALL ? e->call : 0;
	event.method = e->method;
	record_write(&to->out, &head, &event.base, (struct str){ NULL, 0 });
	peers_dirty(r, to);
}

void forward_return(struct router *r, struct str frame)
{
	struct frame_reader reader;
	struct frame_record rec;
	struct envelope e;

	if (frame.n == 0 || !frame_open(&reader, frame))
		return;
	while (frame_next(&reader, &rec)) {
		struct peer *from = envelope_read(rec.envelope, &e) && wants_answer(e.kind) ? peers_by_instance(r, e.source) : NULL;

		if (from)
			forward_undeliverable(r, from, &e);
	}
}

static void forward_record(struct router *r, struct router_origin *o, const struct frame_record *rec)
{
	struct envelope e;
	struct peer *to;

	if (!envelope_read(rec->envelope, &e) || e.kind <= STARLING__KIND__KIND_NONE || e.kind > STARLING__KIND__KIND_CREDIT) {
		figures_refused(r, "broken envelope", o);
		return;
	}
	if (e.destination == 0) {
		join_record(r, o, &e, rec);
		return;
	}
	if (!o->peer || e.source != o->peer->instance) {
		figures_refused(r, o->peer ? "the source is not the sender" : "not joined", o);
		return;
	}
	/* The bus interface is between a service and a router: forwarded, it would be taken for the router's own word. */
	if (e.method >> 8 == STARLING__INTERFACE__INTERFACE_BUS) {
		figures_refused(r, "bus record for another service", o);
		return;
	}
	to = peers_by_instance(r, e.destination);
	if (!to) {
		if (wants_answer(e.kind))
			forward_undeliverable(r, o->peer, &e);
		return;
	}
	metric_inc(&figure_records);
	metric_add(&figure_bytes, (double)rec->whole.n);
	frame_append(&to->out, rec->whole);
	peers_dirty(r, to);
	if (to->out.n - to->out.start >= FRAME_FLUSH && !socket_flush(r, to) && to == o->peer)
		o->peer = NULL;
}

void forward_frame(struct router *r, struct router_origin *o, struct str frame)
{
	struct frame_reader reader;
	struct frame_record rec;

	if (!frame_open(&reader, frame)) {
		figures_refused(r, "broken frame", o);
		return;
	}
	while (frame_next(&reader, &rec))
		forward_record(r, o, &rec);
}
