/* SPDX-License-Identifier: Apache-2.0
 *
 * way: which buffer the next record to a peer is written into: the frame to a router, the frame of the direct connection, or, between the two, what is
 * held back until the marker has passed (path.h). One pair of instances keeps to one router as long as both have it (order); which one,
 * both ends work out alike from a hash. */
#include "ipc/gen/link.client.h"
#include "ipc/runtime/bus_core.h"

static uint64_t mix(uint64_t v)
{
	v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9u;
	v = (v ^ v >> 27) * 0x94d049bb133111ebu;
	return v ^ v >> 31;
}

static struct link *router_link(struct ipc_bus *bus, struct peer *p)
{
	uint64_t best = 0;

	if (p->route >= 0)
		return bus->links[p->route];
	for (unsigned i = 0; i < DIRECTORY_LINKS && p->routers >> i; i++) {
		uint64_t score;

		if (!(p->routers >> i & 1))
			continue;
		score = mix(mix(bus->instance ^ p->instance) ^ bus->links[i]->router) | 1;
		if (score > best) {
			best = score;
			p->route = (int)i;
		}
	}
	return p->route >= 0 ? bus->links[p->route] : NULL;
}

static bool by_router(struct ipc_bus *bus, struct peer *p, struct way *w)
{
	struct link *l = router_link(bus, p);

	if (!l)
		return false;
	*w = (struct way){ .out = &l->out, .link = l, .route = (int)l->index };
	return true;
}

bool way_find(struct ipc_bus *bus, struct peer *p, struct way *w)
{
	switch (p->path.out) {
	case PATH_DIRECT:
		*w = (struct way){ .out = pair_out(p->pair), .pair = p->pair, .route = ROUTE_DIRECT };
		return true;
	case PATH_SWITCHING:
		*w = (struct way){ .out = &p->hold, .route = ROUTE_NONE };
		return true;
	case PATH_ROUTED:
		break;
	}
	return by_router(bus, p, w);
}

void way_wrote(const struct way *w)
{
	if (w->out->n - w->out->start < FRAME_FLUSH)
		return;
	if (w->link)
		link_flush(w->link);
	else if (w->pair)
		pair_flush(w->pair);
}

/* --- what was held ---------------------------------------------------------------------------------------------- */

static void set_route(struct ipc_bus *bus, const struct frame_record *r, int route)
{
	struct envelope e;
	struct call *call = envelope_read(r->envelope, &e) && e.kind == STARLING__KIND__KIND_CALL ? calls_find(&bus->calls, e.call) : NULL;

	if (call)
		call->route = route;
}

static void release(struct ipc_bus *bus, struct peer *p, const struct way *w)
{
	struct str held = buf_str(&p->hold);
	struct frame_reader reader = { (const uint8_t *)held.p + FRAME_HEAD, held.n > FRAME_HEAD ? held.n - FRAME_HEAD : 0 };
	struct frame_record r;

	while (frame_next(&reader, &r)) {
		frame_append(w->out, r.whole);
		set_route(bus, &r, w->route);
		way_wrote(w);
	}
}

void way_drop_held(struct peer *p)
{
	struct str held = buf_str(&p->hold);
	struct frame_reader reader = { (const uint8_t *)held.p + FRAME_HEAD, held.n > FRAME_HEAD ? held.n - FRAME_HEAD : 0 };
	struct frame_record r;
	struct envelope e;
	struct buf kept = { 0 };

	while (frame_next(&reader, &r)) {
		if (envelope_read(r.envelope, &e) && !envelope_needs_credit(&e))
			frame_append(&kept, r.whole);
	}
	buf_fini(&p->hold);
	p->hold = kept;
}

static void forget_held(struct peer *p)
{
	buf_clear(&p->hold);
	buf_release(&p->hold);
}

/* --- following the state machine -------------------------------------------------------------------------------- */

static bool mark(struct ipc_bus *bus, struct peer *p)
{
	Starling__LinkMarkerEvent event = STARLING__LINK_MARKER_EVENT__INIT;
	struct envelope e = {
		.kind = STARLING__KIND__KIND_EVENT, .method = METHOD_LINK_MARKER, .source = bus->instance, .destination = p->instance
	};
	struct way w;

	if (!by_router(bus, p, &w))
		return false;
	event.connection = p->path.connection;
	if (bus->debug)
		debug_message(bus, "->", "router", &e, &event.base, 0);
	record_write(w.out, &e, &event.base, (struct str){ NULL, 0 });
	return true;
}

void way_event(struct ipc_bus *bus, struct peer *p, enum path_event event)
{
	unsigned todo = path_event(&p->path, event);
	struct way w;

	if ((todo & PATH_MARK) && !mark(bus, p))
		todo |= path_event(&p->path, PATH_UNROUTED);
	if (!(todo & (PATH_GO_DIRECT | PATH_GO_ROUTED)))
		return;
	/* Without any way what was held is lost: its connection is just being reported as broken. */
	if (way_find(bus, p, &w))
		release(bus, p, &w);
	forget_held(p);
	send_pump(bus, p);
}

void way_remind(struct ipc_bus *bus, struct peer *p)
{
	if (p->path.out == PATH_SWITCHING)
		way_event(bus, p, PATH_REMIND);
}

bool way_leads_through(const struct peer *p, uint64_t links)
{
	return p->path.out != PATH_DIRECT && p->route >= 0 && (links >> p->route & 1);
}

/* In the middle of a switch the marker may be lost or not: what was held is (losses.c), and the other end would not hear of it if the marker had
 * arrived. So the connection ends, which both hear. */
void way_broken(struct ipc_bus *bus, struct peer *p, uint64_t links)
{
	bool ours = way_leads_through(p, links);

	if (p->route >= 0 && (links >> p->route & 1))
		p->route = -1;
	if (p->path.out != PATH_SWITCHING)
		return;
	if (ours)
		pair_drop(p->pair, "a router on the way broke");
	else
		way_event(bus, p, p->routers ? PATH_REMIND : PATH_UNROUTED);
}
