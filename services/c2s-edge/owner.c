/* SPDX-License-Identifier: Apache-2.0
 *
 * owner: which session-manager a session belongs to now, and how it gets there after a failover.
 *
 *   DETACHED -> QUEUED -> ATTACHING -> ATTACHED -> CLOSING -> freed
 *      ^__________________________________|___________|
 *
 * Detached sessions are read no further. Attaching is paced, so that the new owner of many slots is not run over. */
#include "services/c2s-edge/sm.h"

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "ipc/gen/session.client.h"
#include "services/c2s-edge/metrics.h"

#define ATTACHING_MAX 64u
#define BACKOFF_MS    200u
#define BACKOFF_MAX   5000u
#define STALL_MS      3000u
#define STALL_MAX     60000u

static void pump(struct c2s_edge *edge);

/* --- the link ----------------------------------------------------------------------------------------------------- */

bool c2s_owner_counts(const struct c2s_edge *edge, uint64_t instance)
{
	const Starling__Registration *r = ipc_bus_find(edge->bus, instance);

	for (size_t i = 0; r && i < r->n_interfaces; i++) {
		/* A version is the number of methods. */
		if (r->interfaces[i]->interface == METHOD_SESSION_ACKED / 256)
			return r->interfaces[i]->version >= METHOD_SESSION_ACKED % 256;
	}
	return false;
}

static void set_owner(struct c2s_session *ss, uint64_t owner)
{
	ss->owner = owner;
	ss->counted = owner && c2s_owner_counts(ss->edge, owner);
}

/* The one place where a session's link changes. */
static void set_link(struct c2s_session *ss, enum c2s_link link)
{
	if (ss->link == C2S_LINK_QUEUED)
		list_remove(&ss->queue);
	ss->link = (uint8_t)link;
	if (link == C2S_LINK_DETACHED || link == C2S_LINK_QUEUED)
		set_owner(ss, 0);
	if (link == C2S_LINK_QUEUED)
		list_push_back(&ss->edge->attach_queue, &ss->queue);
	if (ss->stream)
		c2s_stream_hold(ss->stream, C2S_HOLD_OWNER, link != C2S_LINK_ATTACHED);
}

/* Doubled with each attempt, and spread. */
static uint32_t backoff(const struct c2s_session *ss, uint32_t first, uint32_t max)
{
	uint64_t ms = (uint64_t)first << (ss->attempts < 16 ? ss->attempts : 16);

	if (ms > max)
		ms = max;
	return (uint32_t)(ms - ms / 4 + random_u64() % (ms / 2 + 1));
}

static void retry_later(struct c2s_session *ss)
{
	set_link(ss, C2S_LINK_DETACHED);
	net_timer_set(ss->edge->net, &ss->timer, backoff(ss, BACKOFF_MS, BACKOFF_MAX));
	if (ss->attempts < 255)
		ss->attempts++;
}

/* Nothing to do while nobody owns the slot: the directory will tell. */
static void enqueue(struct c2s_session *ss)
{
	if (ss->calling || ss->claims || ss->edge->slots[ss->slot].owner == 0)
		return;
	set_link(ss, C2S_LINK_QUEUED);
	pump(ss->edge);
}

/* --- Attach ------------------------------------------------------------------------------------------------------- */

static void attached(struct c2s_session *ss, uint64_t accepted)
{
	uint64_t before = ss->window.sent;

	metric_inc(&c2s_metrics.attaches);
	set_link(ss, C2S_LINK_ATTACHED);
	c2s_window_accept(&ss->window, accepted);
	c2s_window_rewind(&ss->window);
	if (ss->window.count == 0)
		ss->attempts = 0;
	if (before > ss->window.sent)
		metric_add(&c2s_metrics.resubmitted, (double)(before - ss->window.sent));
	if (ss->sm && ss->stream && !ss->counted) {
		/* An owner of before stream management: what it delivers is not what the client would count. */
		ss->stream->final = true;
		c2s_end(ss->stream, "reset", "stream management is not possible any more");
	}
	c2s_session_push(ss);
	if (ss->sm)
		c2s_ack_accepted(ss);
	if (!ss->stream)
		c2s_owner_close(ss);
}

/* The session was ended or replaced while we were not attached. */
static void gone(struct c2s_session *ss)
{
	struct c2s_stream *s = ss->stream;

	c2s_session_free(ss);
	if (!s)
		return;
	s->final = true;
	c2s_end(s, "reset", "the session is not known any more");
}

static void on_attach(const struct ipc_result *result, const Starling__AttachReply *reply, void *ctx)
{
	struct c2s_session *ss = ctx;
	struct c2s_edge *edge = ss->edge;

	edge->attaching--;
	ss->calling = false;
	if (ss->forgotten)
		c2s_session_free(ss);
	else if (ss->link != C2S_LINK_ATTACHING)
		enqueue(ss); /* the owner changed meanwhile */
	else if (ipc_ok(result))
		attached(ss, reply->accepted);
	else if (result->code == STARLING__CODE__CODE_NOT_FOUND)
		gone(ss);
	else
		retry_later(ss);
	pump(edge);
}

/* Allocates the two lists. Forms only where one is not plain. */
static void tell_unacked(const struct c2s_session *ss, Starling__AttachRequest *request)
{
	uint32_t n = c2s_unacked_count(ss->unacked);
	bool plain = true;

	request->unacked_log = mem_alloc(n * sizeof(uint64_t));
	request->unacked_form = mem_alloc(n * sizeof(uint32_t));
	request->n_unacked_log = n;
	for (uint32_t i = 0; i < n; i++) {
		request->unacked_log[i] = c2s_unacked_log(ss->unacked, i);
		request->unacked_form[i] = c2s_unacked_form(ss->unacked, i);
		plain = plain && request->unacked_form[i] == STARLING__DELIVER_FORM__FORM_PLAIN;
	}
	request->n_unacked_form = plain ? 0 : n;
}

/* Deliveries that come between this and its answer are dropped (deliver.c): the owner sends all behind `sent` again, after the answer. */
static void attach(struct c2s_session *ss, uint64_t owner)
{
	Starling__AttachRequest request = STARLING__ATTACH_REQUEST__INIT;
	struct ipc_opts opts = { 0 };
	char address[NET_ADDR_TEXT_MAX];

	set_link(ss, C2S_LINK_ATTACHING);
	set_owner(ss, owner);
	ss->calling = true;
	ss->edge->attaching++;
	request.stream = ss->id;
	request.jid = ss->jid;
	request.address = (char *)(uintptr_t)net_addr_text(&ss->peer, address);
	request.encrypted = ss->encrypted;
	request.accepted = ss->window.accepted;
	request.sent = ss->sent;
	request.acked = ss->acked;
	request.handed = ss->handed;
	tell_unacked(ss, &request);
	if (ss->record)
		request.record = (ProtobufCBinaryData){ ss->record->n, ss->record->data };
	call_session_attach(ss->edge->bus, ipc_instance(owner), &opts, &request, on_attach, ss);
	mem_free(request.unacked_log);
	mem_free(request.unacked_form);
}

static void pump(struct c2s_edge *edge)
{
	while (edge->attaching < ATTACHING_MAX && !list_empty(&edge->attach_queue)) {
		struct c2s_session *ss = list_entry(edge->attach_queue.next, struct c2s_session, queue);
		uint64_t owner = edge->slots[ss->slot].owner;

		if (owner && !ss->claims)
			attach(ss, owner);
		else
			set_link(ss, C2S_LINK_DETACHED);
	}
}

void c2s_owner_start(struct c2s_session *ss, uint64_t owner)
{
	uint64_t known = ss->edge->slots[ss->slot].owner;

	set_owner(ss, owner);
	set_link(ss, C2S_LINK_ATTACHED);
	if (owner == 0 || (known != 0 && known != owner))
		c2s_owner_detach(ss);
}

void c2s_owner_detach(struct c2s_session *ss)
{
	bool again = ss->attempts > 0;

	if (ss->link != C2S_LINK_ATTACHED && ss->link != C2S_LINK_CLOSING && ss->link != C2S_LINK_ATTACHING)
		return;
	/* The first time at once; an owner that keeps refusing is asked less and less often. */
	retry_later(ss);
	if (!again)
		enqueue(ss);
}

/* --- Close -------------------------------------------------------------------------------------------------------- */

static void on_close(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	struct c2s_session *ss = ctx;

	(void)reply;
	ss->calling = false;
	if (ss->forgotten || ipc_ok(result) || result->code == STARLING__CODE__CODE_NOT_FOUND)
		c2s_session_free(ss);
	else if (ss->link == C2S_LINK_CLOSING)
		retry_later(ss);
	else
		enqueue(ss);
}

/* Once all stanzas have been sent: the owner gets them before this, by the order of the bus. */
void c2s_owner_close(struct c2s_session *ss)
{
	Starling__CloseRequest request = STARLING__CLOSE_REQUEST__INIT;
	struct ipc_opts opts = { 0 };

	if (ss->stream || ss->link != C2S_LINK_ATTACHED || ss->calling || ss->claims || c2s_window_next(&ss->window))
		return;
	c2s_acked_flush(ss->edge); /* what the client has is not to be sent again */
	set_link(ss, C2S_LINK_CLOSING);
	ss->calling = true;
	request.stream = ss->id;
	request.jid = ss->jid;
	request.reason = (Starling__CloseReason)ss->close_reason;
	request.resumable = ss->resumable;
	request.text = ss->close_text ? ss->close_text : (char *)"";
	call_session_close(ss->edge->bus, ipc_instance(ss->owner), &opts, &request, on_close, ss);
}

/* --- a Resume for it ---------------------------------------------------------------------------------------------- */

void c2s_owner_claim(struct c2s_session *ss)
{
	if (ss->claims < UINT8_MAX)
		ss->claims++;
}

void c2s_owner_unclaim(struct c2s_session *ss)
{
	if (ss->claims == 0 || --ss->claims > 0)
		return;
	if (ss->link == C2S_LINK_DETACHED)
		enqueue(ss);
	c2s_session_push(ss);
	c2s_owner_close(ss);
}

/* --- time --------------------------------------------------------------------------------------------------------- */

/* Too long without an owner: what the client left is given up. It was never acknowledged. */
static bool give_up(struct c2s_session *ss)
{
	if (ss->stream || ss->calling || net_now(ss->edge->net) < ss->ended_ms + (uint64_t)ss->edge->config->linger_ms)
		return false;
	log_warn(ss->edge->log, "gave up a session that no owner would take stream=%llx stanzas=%u", (unsigned long long)ss->id,
	         ss->window.count);
	c2s_session_free(ss);
	return true;
}

void c2s_owner_on_timer(struct wheel_timer *t)
{
	struct c2s_session *ss = list_entry(t, struct c2s_session, timer);

	if (give_up(ss))
		return;
	if (ss->link == C2S_LINK_DETACHED) {
		enqueue(ss);
		if (!ss->stream)
			net_timer_set(ss->edge->net, t, BACKOFF_MAX);
		return;
	}
	if (ss->link != C2S_LINK_ATTACHED || ss->window.count == 0)
		return;
	if (ss->window.accepted == ss->stalled_at && ss->window.sent == ss->window.assigned) {
		/* An owner that waits for its store answers this as well; then it is asked less often. */
		ss->attempts = ss->attempts ? ss->attempts : 1;
		set_link(ss, C2S_LINK_DETACHED);
		enqueue(ss);
		ss->attempts++;
	}
	ss->stalled_at = ss->window.accepted;
	net_timer_set(ss->edge->net, t, backoff(ss, STALL_MS, STALL_MAX));
	c2s_session_push(ss);
	c2s_owner_close(ss);
}

/* --- what the bus tells ------------------------------------------------------------------------------------------- */

void c2s_owner_renew(struct c2s_session *ss)
{
	if (ss->link == C2S_LINK_DETACHED || ss->link == C2S_LINK_QUEUED) {
		enqueue(ss);
		return;
	}
	/* Attached to, or asking, another one. */
	if (ss->owner != ss->edge->slots[ss->slot].owner || ss->link != C2S_LINK_ATTACHING) {
		set_link(ss, C2S_LINK_DETACHED);
		enqueue(ss);
	}
}

void c2s_owner_lose(struct c2s_session *ss)
{
	set_link(ss, C2S_LINK_DETACHED);
}

/* Accepted, Submit or Deliver may have been lost on the way: both ends say how far they are. Of an owner that does not count, one with nothing
 * unaccepted has lost nothing that could be told. */
void c2s_owner_repair(struct c2s_session *ss)
{
	if (ss->link != C2S_LINK_ATTACHED || (ss->window.count == 0 && !ss->counted))
		return;
	set_link(ss, C2S_LINK_DETACHED);
	enqueue(ss);
}
