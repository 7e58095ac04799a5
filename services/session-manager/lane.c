/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/lane.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/xmpp/jid.h"
#include "ipc/gen/stanza.client.h"
#include "ipc/runtime/lane.h"
#include "ipc/runtime/speaker.h"
#include "services/session-manager/bounce.h"
#include "services/session-manager/counters.h"
#include "services/session-manager/later.h"
#include "services/session-manager/ownership.h"
#include "services/session-manager/peer_version.h"
#include "services/session-manager/route.h"
#include "services/session-manager/sender.h"
#include "services/session-manager/sm.h"

#define DEADLINE_MS 60000 /* the receiver answers when the stanza is durable: it may wait for its store */
#define GIVE_UP_MS  30000 /* with no owner for this long, the sender gets an error */
#define LOST_MAX    10    /* so many owners may die with it: it could be why */

struct item {
	struct ipc_lane_item base;
	struct lane *lane;
	struct parcel *parcel;
	uint32_t lost; /* owners that died with it */
	bool tried;    /* was sent before */
};

struct lane {
	struct ipc_lane base;
	struct sm *sm;
	uint32_t slot;
	bool remote;      /* of remote domains */
	uint64_t seen_ms; /* when there was somebody to send to */
};

static struct lane *lane_of(struct ipc_lane *l)
{
	return list_entry(l, struct lane, base);
}

static struct item *item_of(struct ipc_lane_item *i)
{
	return list_entry(i, struct item, base);
}

static struct item *first_item(struct lane *l)
{
	return list_entry(l->base.items.next, struct item, base.node);
}

static void item_free(struct item *i)
{
	list_remove(&i->base.node);
	parcel_free(&i->parcel);
	mem_free(i);
}

/* --- answers --- */

/* Nobody owns the slot, or its owner keeps going away: not waited for without end. */
static bool hopeless(int code)
{
	return code == CODE(WRONG_OWNER) || code == CODE(PEER_LOST) || code == CODE(UNAVAILABLE);
}

static void failed(struct item *i, int code)
{
	struct lane *l = i->lane;
	uint64_t since_ms = i->parcel->since_ms > l->seen_ms ? i->parcel->since_ms : l->seen_ms;

	i->lost += code == CODE(PEER_LOST);
	/* It may have waited long for an owner that was there and could not go on, without a store: that does not count. */
	if (hopeless(code) && (clock_mono_ms() - since_ms > GIVE_UP_MS || i->lost > LOST_MAX)) {
		bounce(l->sm, &i->parcel->packet, l->remote ? "remote-server-timeout" : "resource-constraint",
		       l->remote ? NULL : "The recipient's account cannot be reached now.");
		item_free(i);
	}
}

static enum ipc_lane_answer take_answer(struct item *i, const struct ipc_result *result)
{
	struct lane *l = i->lane;

	if (ipc_ok(result)) {
		item_free(i);
		return IPC_LANE_TAKEN;
	}
	switch (result->code) {
	case CODE(INVALID):
	case CODE(UNSUPPORTED):
		log_warn(&l->sm->log, "slot %u: a stanza was refused: %s", l->slot, result->text);
		break;
	case CODE(FENCED):
		/* The sender's slot is another's now, who has this from the sender's edge. */
		receipt_fail(i->parcel->packet.receipt, CODE(WRONG_OWNER));
		break;
	default:
		l->seen_ms = clock_mono_ms(); /* somebody had it until now, though he could not go on, and has died */
		failed(i, result->code);
		return IPC_LANE_FAILED;
	}
	item_free(i);
	return IPC_LANE_REFUSED;
}

static void answered(struct item *i, const struct ipc_result *result)
{
	struct lane *l = i->lane;

	ipc_lane_answered(&l->base, take_answer(i, result));
}

static void on_routed(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	(void)reply;
	answered(ctx, result);
}

static void on_taken(const struct ipc_result *result, const Starling__TakeReply *reply, void *ctx)
{
	struct item *i = ctx;

	/* s2s has no log: what goes to another server stands where its sender's archive has it, which is known by now. */
	if (reply && reply->log_id)
		receipt_logged(i->parcel->packet.receipt, reply->log_id, reply->duplicate);
	answered(i, result);
}

static enum ipc_lane_sent send_item(struct ipc_lane *lane, struct ipc_lane_item *item, uint64_t owner, uint64_t epoch)
{
	struct lane *l = lane_of(lane);
	struct item *i = item_of(item);
	const struct packet *p = &i->parcel->packet;
	Starling__RouteRequest request = STARLING__ROUTE_REQUEST__INIT;
	struct ipc_opts opts = { .deadline_ms = DEADLINE_MS, .in_line = true, .trace = p->trace, .payload = p->bytes };
	int sent;

	request.meta = (Starling__StanzaMeta *)p->meta;
	request.hops = p->hops + 1;
	request.epoch = epoch;
	request.key_stream = p->key.stream;
	request.key_number = p->key.number;
	request.extra = (ProtobufCBinaryData){ p->extra.n, (uint8_t *)p->extra.p };
	request.archive_sender = p->archive_sender;
	request.again = p->again || i->tried;
	request.age_ms = packet_age_ms(p, request.again);
	request.check_origin = p->check_origin;
	if (!sender_epoch(l->sm, p, &request.sender_epoch)) {
		item_free(i);
		return IPC_LANE_GONE;
	}
	i->tried = true;
	metric_inc(&counters.routed_out);
	/* The answer's function runs in every case, later. */
	if (p->meta->kind == KIND_MESSAGE && peer_takes(ipc_bus_find(l->sm->bus, owner)))
		sent = call_stanza_take(l->sm->bus, ipc_instance(owner), &opts, &request, on_taken, i);
	else
		sent = call_stanza_route(l->sm->bus, ipc_instance(owner), &opts, &request, on_routed, i);
	return sent == IPC_SENT ? IPC_LANE_SENT : IPC_LANE_STUCK;
}

/* --- to whom --- */

static uint64_t receiver(struct ipc_lane *lane, uint64_t *out_epoch)
{
	struct lane *l = lane_of(lane);
	uint64_t owner = l->remote ? ipc_speaker(l->sm->bus, l->slot) : ipc_bus_slot_owner(l->sm->bus, l->slot, out_epoch);

	if (owner == ipc_bus_instance(l->sm->bus))
		owner = 0; /* the directory is behind: we are not serving it */
	/* While they are with somebody, they are not given up (take_answer). */
	if (owner != 0)
		l->seen_ms = clock_mono_ms();
	return owner;
}

/* The slot became ours while stanzas waited for it. */
static void take_home(struct ipc_lane *lane)
{
	struct lane *l = lane_of(lane);

	while (!l->remote && !list_empty(&l->base.items) && ownership_serving(l->sm, l->slot)) {
		struct item *i = first_item(l);
		struct parcel *parcel = i->parcel;

		parcel->packet.again = parcel->packet.again || i->tried;
		i->parcel = NULL;
		item_free(i);
		if (sender_epoch(l->sm, &parcel->packet, &(uint64_t){ 0 }))
			route_inbound(l->sm, &parcel->packet);
		parcel_free(&parcel);
	}
}

static void stranded(struct ipc_lane *lane, struct ipc_lane_item *first)
{
	(void)lane;
	failed(item_of(first), CODE(UNAVAILABLE));
}

static void go_on(void *ctx)
{
	ipc_lane_go_on(&((struct lane *)ctx)->base);
}

static void pause_lane(struct ipc_lane *lane, uint32_t attempts)
{
	later_run(lane_of(lane)->sm, later_backoff_ms(attempts), go_on, lane_of(lane));
}

static const struct ipc_lane_ops lane_ops = { receiver, send_item, pause_lane, take_home, stranded };

static void enqueue(struct sm *sm, uint32_t slot, bool remote, const struct packet *p)
{
	struct lane **at = &sm->lanes[remote ? SLOT_COUNT + slot : slot], *l = *at;
	struct item *i = mem_new(struct item);

	if (!l) {
		l = *at = mem_new(struct lane);
		ipc_lane_init(&l->base, &lane_ops, &sm->stopping);
		l->sm = sm;
		l->slot = slot;
		l->remote = remote;
	}
	i->lane = l;
	i->parcel = parcel_new(sm, p);
	ipc_lane_add(&l->base, &i->base);
}

void lane_send(struct sm *sm, uint32_t slot, const struct packet *p)
{
	enqueue(sm, slot, false, p);
}

void lane_send_remote(struct sm *sm, const struct packet *p)
{
	enqueue(sm, hash_slot(jid_view_domain(str_from(p->meta->to))), true, p);
}

bool lane_empty(const struct sm *sm, uint32_t slot)
{
	return !sm->lanes[slot] || list_empty(&sm->lanes[slot]->base.items);
}

void lane_fini_all(struct sm *sm)
{
	for (uint32_t slot = 0; slot < 2 * SLOT_COUNT; slot++) {
		struct lane *l = sm->lanes[slot];

		if (!l)
			continue;
		while (!list_empty(&l->base.items))
			item_free(first_item(l));
		mem_free(l);
		sm->lanes[slot] = NULL;
	}
}
