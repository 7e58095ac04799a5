/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/lane.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/rendezvous.h"
#include "common/xmpp/jid.h"
#include "ipc/gen/stanza.client.h"
#include "services/session-manager/bounce.h"
#include "services/session-manager/counters.h"
#include "services/session-manager/later.h"
#include "services/session-manager/ownership.h"
#include "services/session-manager/peer_version.h"
#include "services/session-manager/route.h"
#include "services/session-manager/sender.h"
#include "services/session-manager/sm.h"

#define ON_THE_WAY_MAX 64
#define DEADLINE_MS    60000 /* the receiver answers when the stanza is durable: it may wait for its store */
#define GIVE_UP_MS     30000 /* with no owner for this long, the sender gets an error */
#define LOST_MAX       10    /* so many owners may die with it: it could be why */
#define SPEAKERS_MAX   64u

enum item_state { ITEM_WAITING, ITEM_SENT, ITEM_FAILED };

struct item {
	struct list_node node;
	struct lane *lane;
	struct parcel *parcel;
	enum item_state state;
	uint32_t lost; /* owners that died with it */
	bool tried;    /* was sent before */
};

struct lane {
	struct sm *sm;
	uint32_t slot;
	bool remote;            /* of remote domains */
	struct list_node items; /* in order */
	uint32_t on_the_way;
	uint64_t owner, epoch; /* to whom they are */
	uint64_t seen_ms;      /* when there was somebody to send to */
	uint32_t attempts;
	bool broken; /* something failed: nothing more goes out until all was answered and the pause is over */
	bool pausing;
};

static void pump(struct lane *l);

static void item_free(struct item *i)
{
	list_remove(&i->node);
	parcel_free(&i->parcel);
	mem_free(i);
}

static void resume(void *ctx)
{
	struct lane *l = ctx;

	l->pausing = l->broken = false;
	if (l->sm->stopping)
		return;
	list_for_each (n, &l->items)
		list_entry(n, struct item, node)->state = ITEM_WAITING;
	pump(l);
}

static void pause_if_quiet(struct lane *l)
{
	if (!l->broken || l->on_the_way > 0 || l->pausing || l->sm->stopping)
		return;
	l->pausing = true;
	later_run(l->sm, later_backoff_ms(l->attempts++), resume, l);
}

/* Nobody owns the slot, or its owner keeps going away: not waited for without end. */
static bool hopeless(int code)
{
	return code == CODE(WRONG_OWNER) || code == CODE(PEER_LOST) || code == CODE(UNAVAILABLE);
}

static void failed(struct item *i, int code)
{
	struct lane *l = i->lane;

	uint64_t since_ms = i->parcel->since_ms > l->seen_ms ? i->parcel->since_ms : l->seen_ms;

	i->state = ITEM_FAILED;
	i->lost += code == CODE(PEER_LOST);
	l->broken = true;
	/* It may have waited long for an owner that was there and could not go on, without a store: that does not count. */
	if (hopeless(code) && (clock_mono_ms() - since_ms > GIVE_UP_MS || i->lost > LOST_MAX)) {
		bounce(l->sm, &i->parcel->packet, l->remote ? "remote-server-timeout" : "resource-constraint",
		       l->remote ? NULL : "The recipient's account cannot be reached now.");
		item_free(i);
	}
}

static void answered(struct item *i, const struct ipc_result *result)
{
	struct lane *l = i->lane;

	l->on_the_way--;
	if (ipc_ok(result)) {
		l->attempts = 0;
		item_free(i);
	} else if (result->code == CODE(INVALID) || result->code == CODE(UNSUPPORTED)) {
		log_warn(&l->sm->log, "slot %u: a stanza was refused: %s", l->slot, result->text);
		item_free(i);
	} else if (result->code == CODE(FENCED)) {
		/* The sender's slot is another's now, who has this from the sender's edge. */
		receipt_fail(i->parcel->packet.receipt, CODE(WRONG_OWNER));
		item_free(i);
	} else {
		failed(i, result->code);
	}
	if (l->broken)
		pause_if_quiet(l);
	else
		pump(l);
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

static bool send_item(struct item *i, uint64_t owner, uint64_t epoch)
{
	struct lane *l = i->lane;
	const struct packet *p = &i->parcel->packet;
	Starling__RouteRequest request = STARLING__ROUTE_REQUEST__INIT;
	struct ipc_opts opts = { .deadline_ms = DEADLINE_MS, .trace = p->trace, .payload = p->bytes };

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
		return true;
	}
	i->state = ITEM_SENT;
	i->tried = true;
	l->on_the_way++;
	metric_inc(&counters.routed_out);
	/* The answer's function runs in every case, later. */
	if (p->meta->kind == KIND_MESSAGE && peer_takes(ipc_bus_find(l->sm->bus, owner)))
		return call_stanza_take(l->sm->bus, ipc_instance(owner), &opts, &request, on_taken, i) == IPC_SENT;
	return call_stanza_route(l->sm->bus, ipc_instance(owner), &opts, &request, on_routed, i) == IPC_SENT;
}

/* --- to whom --- */

/* Every instance of s2s computes the same; it takes nothing before it has claimed the slot. */
static uint64_t speaker(const struct sm *sm, uint32_t slot)
{
	const Starling__Registration *all[SPEAKERS_MAX];
	struct rendezvous_member list[SPEAKERS_MAX];
	uint32_t n = ipc_bus_instances(sm->bus, "s2s", all, SPEAKERS_MAX), count = 0;

	for (uint32_t i = 0; i < n && i < SPEAKERS_MAX; i++) {
		if (all[i]->state == STARLING__INSTANCE_STATE__INSTANCE_READY)
			list[count++] = (struct rendezvous_member){ all[i]->instance, hash_fnv1a64(str_from(all[i]->name)) };
	}
	return rendezvous_owner(list, count, slot);
}

static uint64_t receiver(const struct lane *l, uint64_t *out_epoch)
{
	*out_epoch = 0;
	return l->remote ? speaker(l->sm, l->slot) : ipc_bus_slot_owner(l->sm->bus, l->slot, out_epoch);
}

/* The slot became ours while stanzas waited for it. */
static void take_home(struct lane *l)
{
	while (!list_empty(&l->items) && ownership_serving(l->sm, l->slot)) {
		struct item *i = list_entry(l->items.next, struct item, node);
		struct parcel *parcel = i->parcel;

		if (i->state != ITEM_WAITING)
			return;
		parcel->packet.again = parcel->packet.again || i->tried;
		i->parcel = NULL;
		item_free(i);
		if (sender_epoch(l->sm, &parcel->packet, &(uint64_t){ 0 }))
			route_inbound(l->sm, &parcel->packet);
		parcel_free(&parcel);
	}
}

static void pump(struct lane *l)
{
	uint64_t epoch = 0, owner;

	if (l->broken || l->sm->stopping)
		return;
	if (l->on_the_way == 0 && !l->remote)
		take_home(l);
	if (list_empty(&l->items))
		return;
	owner = receiver(l, &epoch);
	if (owner != 0 && owner != ipc_bus_instance(l->sm->bus))
		l->seen_ms = clock_mono_ms();
	/* Those that are still with a former owner come first; while they are on the way, they are not given up. */
	if (l->on_the_way > 0 && (owner != l->owner || epoch != l->epoch))
		return;
	if (owner == 0 || owner == ipc_bus_instance(l->sm->bus)) {
		failed(list_entry(l->items.next, struct item, node), CODE(UNAVAILABLE));
		pause_if_quiet(l);
		return;
	}
	l->owner = owner;
	l->epoch = epoch;
	list_for_each_safe (n, &l->items) {
		struct item *i = list_entry(n, struct item, node);

		if (l->on_the_way >= ON_THE_WAY_MAX)
			return;
		if (i->state == ITEM_WAITING && !send_item(i, owner, epoch)) {
			l->broken = true;
			return;
		}
	}
}

static void enqueue(struct sm *sm, uint32_t slot, bool remote, const struct packet *p)
{
	struct lane **at = &sm->lanes[remote ? SLOT_COUNT + slot : slot], *l = *at;
	struct item *i = mem_new(struct item);

	if (!l) {
		l = *at = mem_new(struct lane);
		l->sm = sm;
		l->slot = slot;
		l->remote = remote;
		list_init(&l->items);
	}
	i->lane = l;
	i->parcel = parcel_new(sm, p);
	list_push_back(&l->items, &i->node);
	pump(l);
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
	return !sm->lanes[slot] || list_empty(&sm->lanes[slot]->items);
}

void lane_fini_all(struct sm *sm)
{
	for (uint32_t slot = 0; slot < 2 * SLOT_COUNT; slot++) {
		struct lane *l = sm->lanes[slot];

		if (!l)
			continue;
		list_for_each_safe (n, &l->items)
			item_free(list_entry(n, struct item, node));
		mem_free(l);
		sm->lanes[slot] = NULL;
	}
}
