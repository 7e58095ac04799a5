/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/route.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/xmpp/jid.h"
#include "ipc/gen/stanza.client.h"
#include "ipc/gen/stanza.server.h"
#include "services/session-manager/account.h"
#include "services/session-manager/append.h"
#include "services/session-manager/bounce.h"
#include "services/session-manager/counters.h"
#include "services/session-manager/deliver.h"
#include "services/session-manager/federates.h"
#include "services/session-manager/iq_local.h"
#include "services/session-manager/lane.h"
#include "services/session-manager/msglog.h"
#include "services/session-manager/ownership.h"
#include "services/session-manager/peer_version.h"
#include "services/session-manager/resent.h"
#include "services/session-manager/sender.h"
#include "services/session-manager/sm.h"

#define HOPS_MAX    8
#define DEADLINE_MS 60000

/* --- to an account of ours --- */

void route_again(struct parcel *c)
{
	struct receipt *receipt = c->packet.receipt;

	/* Its sender's owner may have sent others straight to the new owner already: only there is their order known. */
	if (receipt && receipt->remote)
		receipt_fail(receipt, CODE(WRONG_OWNER));
	else if (!c->sm->stopping && sender_epoch(c->sm, &c->packet, &(uint64_t){ 0 }))
		route_packet(c->sm, &c->packet);
	parcel_free(&c);
}

static void inbound_later(struct account *a, void *ctx)
{
	struct parcel *c = ctx;

	if (!a) {
		route_again(c);
		return;
	}
	deliver(a, &c->packet);
	parcel_free(&c);
}

void route_inbound(struct sm *sm, const struct packet *p)
{
	struct account *a = account_get(sm, jid_view_bare(str_from(p->meta->to)));

	if (a->sessions_load == ACCOUNT_LOADED && list_empty(&a->want_sessions))
		deliver(a, p);
	else
		account_with_sessions(a, inbound_later, parcel_new(sm, p));
}

/* --- to a domain of somebody else's --- */

static void on_remote(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	struct parcel *c = ctx;

	(void)reply;
	if (!ipc_ok(result) && !c->sm->stopping)
		bounce(c->sm, &c->packet, "remote-server-timeout", NULL);
	parcel_free(&c);
}

static void pass_on(struct sm *sm, const struct packet *p, uint64_t instance)
{
	Starling__RouteRequest request = STARLING__ROUTE_REQUEST__INIT;
	struct ipc_opts opts = { .deadline_ms = DEADLINE_MS, .trace = p->trace, .payload = p->bytes };

	request.meta = (Starling__StanzaMeta *)p->meta;
	request.hops = p->hops + 1;
	request.key_stream = p->key.stream;
	request.key_number = p->key.number;
	request.extra = (ProtobufCBinaryData){ p->extra.n, (uint8_t *)p->extra.p };
	metric_inc(&counters.routed_out);
	call_stanza_route(sm->bus, ipc_instance(instance), &opts, &request, on_remote, parcel_new(sm, p));
}

static void route_domain(struct sm *sm, const struct packet *p);

/* In its sender's archive now, and it goes on under the name that it has there: a client that could not resume submits the same message as another number of
 * another stream. What is in the archive only now has never gone on. */
static void stored_outgoing(struct account *a, const struct packet *p, const struct append_result *result)
{
	struct packet out = *p;

	if (result->code == 0) {
		receipt_logged(p->receipt, result->id, result->duplicate);
		out.key = (struct packet_key){ STARLING__KEY_STREAM__KEY_LOG, result->id };
		out.again = result->duplicate;
	}
	if (a->log && result->id > a->log->last)
		a->log->last = result->id;
	out.archive_sender = false;
	route_domain(a->sm, &out);
}

static void route_domain(struct sm *sm, const struct packet *p)
{
	uint64_t instance = ipc_bus_domain_instance(sm->bus, jid_view_domain(str_from(p->meta->to)));
	struct account *a;

	if (!instance && !federates(sm)) {
		bounce(sm, p, "remote-server-not-found", NULL);
		return;
	}
	a = p->archive_sender ? account_find(sm, jid_view_bare(str_from(p->meta->from))) : NULL;
	if (p->archive_sender && !a)
		receipt_fail(p->receipt, CODE(WRONG_OWNER)); /* its edge presents it again, to who has the account then */
	else if (a)
		append(a, p, true, false, stored_outgoing);
	else if (instance)
		pass_on(sm, p, instance);
	else
		lane_send_remote(sm, p);
}

/* --- to a host --- */

static void route_host(struct sm *sm, const struct packet *p)
{
	switch (p->meta->kind) {
	case KIND_IQ:
		iq_host(sm, p);
		return;
	case KIND_MESSAGE:
		bounce(sm, p, "service-unavailable", NULL);
		return;
	default:
		metric_inc(&counters.dropped); /* a host has no presence */
	}
}

/* The slot is being given away or waits for its lease, but stanzas for the account are still being handled here: none overtakes them. */
static bool behind_others(struct sm *sm, struct str bare)
{
	const struct account *a = account_find(sm, bare);

	return a && (a->appending > 0 || !list_empty(&a->want_sessions) || (a->log && !list_empty(&a->log->want)));
}

void route_packet(struct sm *sm, const struct packet *p)
{
	struct str to = str_from(p->meta->to), domain = jid_view_domain(to);
	uint32_t slot;

	if (sm->stopping)
		return;
	if (p->hops > HOPS_MAX) {
		bounce(sm, p, "resource-constraint", "Too many hops.");
		return;
	}
	if (!sm_local_host(sm, domain)) {
		route_domain(sm, p);
		return;
	}
	if (jid_view_local(to).n == 0) {
		route_host(sm, p);
		return;
	}
	slot = hash_slot(to);
	/* Behind what waits already, even if the slot is ours by now, or is being given away again. */
	if (lane_empty(sm, slot) && (ownership_serving(sm, slot) || behind_others(sm, jid_view_bare(to))))
		route_inbound(sm, p);
	else
		lane_send(sm, slot, p);
}

/* --- from another owner or domain --- */

struct route_receipt {
	struct receipt base;
	struct sm *sm;
	struct ipc_call *call;
	uint32_t slot;
	bool take; /* the answer tells the position in the log */
};

static void route_done(struct receipt *r)
{
	struct route_receipt *rr = (struct route_receipt *)r;
	Starling__Empty empty = STARLING__EMPTY__INIT;
	Starling__TakeReply taken = STARLING__TAKE_REPLY__INIT;

	taken.log_id = r->log_id;
	taken.duplicate = r->duplicate;
	rr->sm->slot_work[rr->slot]--;
	if (r->code)
		ipc_fail(rr->call, r->code, "not handled");
	else if (rr->take)
		reply_stanza_take(rr->call, &taken);
	else
		reply_stanza_route(rr->call, &empty);
	mem_free(rr);
}

static struct receipt *route_receipt(struct sm *sm, struct ipc_call *call, uint32_t slot, bool take)
{
	struct route_receipt *rr = mem_new(struct route_receipt);

	rr->base.open = 1;
	rr->base.done = route_done;
	rr->sm = sm;
	rr->call = call;
	rr->slot = slot;
	rr->take = take;
	rr->base.remote = true;
	sm->slot_work[slot]++;
	return &rr->base;
}

static bool ours(const struct sm *sm, const char *jid)
{
	return jid_view_local(str_from(jid)).n == 0 || ownership_serving(sm, hash_slot(str_from(jid)));
}

/* A host, or a domain of another daemon: what other servers send to it comes here, too. */
static bool ours_to_route(struct sm *sm, const char *to)
{
	struct str domain = jid_view_domain(str_from(to));

	return sm_local_host(sm, domain) || ipc_bus_domain_instance(sm->bus, domain) != 0;
}

static bool all_ours(const struct sm *sm, const Starling__RouteRequest *r)
{
	for (size_t i = 0; i < r->n_targets; i++) {
		if (!ours(sm, r->targets[i]))
			return false;
	}
	return r->n_targets > 0 ||
	       (ours(sm, r->meta->to) && (r->epoch == 0 || r->epoch == ownership_epoch(sm, hash_slot(str_from(r->meta->to)))));
}

static void take_targets(struct sm *sm, const Starling__RouteRequest *r, struct packet *p)
{
	Starling__StanzaMeta meta = *r->meta;

	p->meta = &meta;
	for (size_t i = 0; i < r->n_targets; i++) {
		meta.to = r->targets[i];
		if (sm_local_host(sm, jid_view_domain(str_from(meta.to))))
			route_inbound(sm, p);
	}
	p->meta = r->meta;
}

/* A former owner of the sender's slot may still have something on the way; the present one has sent that again, marked as such. */
static bool is_former(struct sm *sm, const Starling__RouteRequest *r)
{
	uint32_t slot = hash_slot(jid_view_bare(str_from(r->meta->from)));
	uint64_t *seen = &sm->sender_epochs[slot];

	if (r->sender_epoch == 0)
		return false;
	if (r->sender_epoch > *seen)
		*seen = r->sender_epoch;
	/* Or we have it ourselves by now. */
	return r->sender_epoch < *seen || r->sender_epoch < ownership_epoch(sm, slot);
}

/* A session-manager of the release before does not say so, and neither does one that is gone already: it is looked for. */
static bool maybe_again(const struct sm *sm, const struct ipc_call *call)
{
	const Starling__Registration *peer = ipc_bus_find(sm->bus, ipc_call_source(call));
	uint32_t version = peer_version(peer, STARLING__INTERFACE__INTERFACE_STANZA);

	return !peer || (version > 0 && !peer_takes(peer));
}

/* A first try may come behind the second. */
static bool was_resent(struct sm *sm, const Starling__RouteRequest *r, struct packet_key key, uint64_t now_ms, uint64_t *out_age_ms)
{
	uint32_t slot = hash_slot(str_from(r->meta->to));

	if (key.stream == 0 || r->n_targets > 0)
		return false;
	if (sm_local_host(sm, jid_view_domain(str_from(r->meta->from))))
		return resent_seen(sm->resent_here, key, r->again, now_ms, out_age_ms);
	return resent_look(sm->resent, slot, ownership_epoch(sm, slot), key, r->again, now_ms, out_age_ms);
}

/* Whether it may be in the log already. */
static void set_again(struct sm *sm, const struct ipc_call *call, const Starling__RouteRequest *r, struct packet *p)
{
	uint64_t now_ms = clock_mono_ms(), age_ms = 0;

	p->again = was_resent(sm, r, p->key, now_ms, &age_ms) || r->again || maybe_again(sm, call);
	if (r->again)
		age_ms = r->age_ms;
	if (!p->again || age_ms)
		p->first_ms = now_ms - age_ms;
}

static bool refused(struct sm *sm, struct ipc_call *call, const Starling__RouteRequest *r)
{
	if (!r->meta || (r->n_targets == 0 && !ours_to_route(sm, r->meta->to))) {
		ipc_fail(call, CODE(INVALID), "no address of ours");
		return true;
	}
	if (!all_ours(sm, r)) {
		ipc_fail(call, CODE(WRONG_OWNER), "not the owner");
		return true;
	}
	if (is_former(sm, r)) {
		ipc_fail(call, CODE(FENCED), "the sender has a newer owner");
		return true;
	}
	return false;
}

static void take(struct ipc_call *call, const Starling__RouteRequest *r, bool answer_position)
{
	struct sm *sm = ipc_call_daemon(call);
	struct packet p = { .bytes = ipc_call_payload(call), .trace = ipc_call_trace(call) };

	if (refused(sm, call, r))
		return;
	metric_inc(&counters.routed_in);
	p.meta = r->meta;
	p.extra = str_make(r->extra.data, r->extra.len);
	p.hops = r->hops;
	p.key = (struct packet_key){ r->key_stream, r->key_number };
	p.archive_sender = r->archive_sender;
	set_again(sm, call, r, &p);
	p.check_origin = r->check_origin;
	p.receipt = route_receipt(sm, call, hash_slot(str_from(r->n_targets ? r->targets[0] : r->meta->to)), answer_position);
	if (r->n_targets)
		take_targets(sm, r, &p);
	else
		route_packet(sm, &p);
	receipt_release(p.receipt);
}

void on_stanza_route(struct ipc_call *call, const Starling__RouteRequest *r)
{
	take(call, r, false);
}

void on_stanza_take(struct ipc_call *call, const Starling__RouteRequest *r)
{
	take(call, r, true);
}
