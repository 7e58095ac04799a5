/* SPDX-License-Identifier: Apache-2.0
 *
 * losses: what becomes of calls, credit and waiting records when a way breaks, an instance is gone, or a router could not forward. */
#include "ipc/runtime/bus_core.h"

/* Did the call, or its answer, travel where something broke? Answers come by the way that the other end has for its records. */
static bool is_affected(const struct peer *p, const struct call *call, const struct breach *b)
{
	if (call->route == ROUTE_NONE)
		return b->out;
	if (b->direct)
		return true;
	return call->route == ROUTE_DIRECT ? !p->path.in_direct : (b->links >> call->route & 1) != 0;
}

static void forget_waiting(struct ipc_bus *bus, struct peer *p)
{
	bus->stats.queued -= p->flow.queued;
	if (p->flow.pressed)
		send_tell_pressure(bus, p, FLOW_LOW);
	flow_drop(&p->flow);
}

/* What waited behind lost records must not arrive without them: whoever sends those again would find them overtaken. */
static void sever(struct ipc_bus *bus, struct peer *p)
{
	p->severed = true;
	way_drop_held(p);
	forget_waiting(bus, p);
}

void losses_broken(struct ipc_bus *bus, struct peer *p, const struct breach *b)
{
	list_for_each_safe (it, &p->calls) {
		struct call *call = list_entry(it, struct call, peer);

		if (!is_affected(p, call, b))
			continue;
		bus->stats.calls_lost++;
		calls_fail_later(&bus->calls, call, STARLING__CODE__CODE_PEER_LOST, "the connection on which the call went out broke");
	}
	if (b->out)
		sever(bus, p);
	/* What we owe is kept: the other end may not have lost anything, and a grant too many does no harm. */
	flow_reset(&p->flow);
	bus_later(bus);
}

void losses_gone(struct ipc_bus *bus, struct peer *p)
{
	list_for_each_safe (it, &p->calls) {
		bus->stats.calls_lost++;
		calls_fail_later(&bus->calls, list_entry(it, struct call, peer), STARLING__CODE__CODE_PEER_LOST, "the instance is gone");
	}
	list_remove(&p->owing);
	forget_waiting(bus, p);
	bus_later(bus);
}

void losses_undeliverable(struct ipc_bus *bus, const Starling__UndeliverableEvent *event)
{
	struct peer *p = directory_find(&bus->directory, event->destination);
	struct call *call = event->call ? calls_find(&bus->calls, event->call) : NULL;

	bus->stats.undeliverable++;
	if (call && call->instance == event->destination) {
		bus->stats.calls_lost++;
		calls_fail_later(&bus->calls, call, STARLING__CODE__CODE_PEER_LOST, "the instance is not at the router");
		bus_later(bus);
	}
	/* A marker took no credit; it is sent again. */
	if (!p || event->method >> 8 == STARLING__INTERFACE__INTERFACE_LINK)
		return;
	flow_credit(&p->flow, 1);
	send_pump(bus, p);
}
