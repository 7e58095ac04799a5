/* SPDX-License-Identifier: Apache-2.0
 *
 * owner: which session-manager a session belongs to now, and how it gets there after a failover.
 *
 *   DETACHED -> QUEUED -> ATTACHING -> ATTACHED -> CLOSING -> freed
 *      ^__________________________________|___________|
 *
 * Detached sessions are read no further. Attaching is paced, so that the new owner of many slots is not run over. */
#include "services/c2s-edge/c2s.h"

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

/* The one place where a session's link changes. */
static void set_link(struct c2s_session *ss, enum c2s_link link)
{
	if (ss->link == C2S_LINK_QUEUED)
		list_remove(&ss->queue);
	ss->link = (uint8_t)link;
	if (link == C2S_LINK_DETACHED || link == C2S_LINK_QUEUED)
		ss->owner = 0;
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
	if (ss->calling || ss->edge->slots[ss->slot].owner == 0)
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
	c2s_session_push(ss);
	if (!ss->stream)
		c2s_owner_close(ss);
}

/* The session was ended or replaced while we were not attached. */
static void gone(struct c2s_session *ss)
{
	struct c2s_stream *s = ss->stream;

	c2s_session_free(ss);
	if (s)
		c2s_end(s, "reset", "the session is not known any more");
}

static void on_attach(const struct ipc_result *result, const Starling__AttachReply *reply, void *ctx)
{
	struct c2s_session *ss = ctx;
	struct c2s_edge *edge = ss->edge;

	edge->attaching--;
	ss->calling = false;
	if (ss->link != C2S_LINK_ATTACHING)
		enqueue(ss); /* the owner changed meanwhile */
	else if (ipc_ok(result))
		attached(ss, reply->accepted);
	else if (result->code == STARLING__CODE__CODE_NOT_FOUND)
		gone(ss);
	else
		retry_later(ss);
	pump(edge);
}

static void attach(struct c2s_session *ss, uint64_t owner)
{
	Starling__AttachRequest request = STARLING__ATTACH_REQUEST__INIT;
	struct ipc_opts opts = { 0 };
	char address[NET_ADDR_TEXT_MAX];

	set_link(ss, C2S_LINK_ATTACHING);
	ss->owner = owner;
	ss->calling = true;
	ss->edge->attaching++;
	request.stream = ss->id;
	request.jid = ss->jid;
	request.address = (char *)(uintptr_t)net_addr_text(&ss->peer, address);
	request.encrypted = ss->encrypted;
	call_session_attach(ss->edge->bus, ipc_instance(owner), &opts, &request, on_attach, ss);
}

static void pump(struct c2s_edge *edge)
{
	while (edge->attaching < ATTACHING_MAX && !list_empty(&edge->attach_queue)) {
		struct c2s_session *ss = list_entry(edge->attach_queue.next, struct c2s_session, queue);
		uint64_t owner = edge->slots[ss->slot].owner;

		if (owner)
			attach(ss, owner);
		else
			set_link(ss, C2S_LINK_DETACHED);
	}
}

void c2s_owner_start(struct c2s_session *ss, uint64_t owner)
{
	uint64_t known = ss->edge->slots[ss->slot].owner;

	ss->owner = owner;
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
	if (ipc_ok(result) || result->code == STARLING__CODE__CODE_NOT_FOUND)
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

	if (ss->stream || ss->link != C2S_LINK_ATTACHED || ss->calling || c2s_window_next(&ss->window))
		return;
	set_link(ss, C2S_LINK_CLOSING);
	ss->calling = true;
	request.stream = ss->id;
	request.jid = ss->jid;
	request.reason = (Starling__CloseReason)ss->close_reason;
	request.text = ss->close_text ? ss->close_text : (char *)"";
	call_session_close(ss->edge->bus, ipc_instance(ss->owner), &opts, &request, on_close, ss);
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

static void each_session(struct c2s_slot *slot, void (*fn)(struct c2s_session *ss))
{
	list_for_each_safe (n, &slot->sessions)
		fn(list_entry(n, struct c2s_session, node));
}

static void renew(struct c2s_session *ss)
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

void c2s_owner_on_directory(struct c2s_edge *edge)
{
	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		struct c2s_slot *slot = &edge->slots[i];
		uint64_t epoch = 0, owner = ipc_bus_slot_owner(edge->bus, i, &epoch);

		if (owner == slot->owner && (owner == 0 || epoch == slot->epoch))
			continue;
		slot->owner = owner;
		slot->epoch = epoch;
		each_session(slot, renew);
	}
}

static void lose(struct c2s_session *ss)
{
	set_link(ss, C2S_LINK_DETACHED);
}

void c2s_owner_on_lost(struct c2s_edge *edge, uint64_t instance, const char *role)
{
	if (strcmp(role, C2S_ROLE_OWNER) != 0)
		return;
	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		if (edge->slots[i].owner != instance)
			continue;
		edge->slots[i].owner = 0;
		each_session(&edge->slots[i], lose);
	}
	c2s_owner_on_pressure(edge, instance, false);
}

/* Accepted or Submit may have been lost on the way: ask how far the owner is. A session with nothing unaccepted has lost nothing. */
static void repair(struct c2s_session *ss)
{
	if (ss->link != C2S_LINK_ATTACHED || ss->window.count == 0)
		return;
	set_link(ss, C2S_LINK_DETACHED);
	enqueue(ss);
}

void c2s_owner_on_reset(struct c2s_edge *edge, uint64_t instance)
{
	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		if (edge->slots[i].owner == instance)
			each_session(&edge->slots[i], repair);
	}
}

bool c2s_owner_pressed(const struct c2s_edge *edge, uint64_t instance)
{
	for (uint32_t i = 0; i < edge->pressed_count; i++) {
		if (edge->pressed[i] == instance)
			return true;
	}
	return false;
}

void c2s_owner_on_pressure(struct c2s_edge *edge, uint64_t instance, bool high)
{
	bool before = c2s_owner_pressed(edge, instance);
	uint32_t n = 0;

	if (before == high)
		return;
	if (high) {
		edge->pressed = mem_realloc(edge->pressed, (edge->pressed_count + 1) * sizeof(*edge->pressed));
		edge->pressed[edge->pressed_count++] = instance;
	} else {
		for (uint32_t i = 0; i < edge->pressed_count; i++) {
			if (edge->pressed[i] != instance)
				edge->pressed[n++] = edge->pressed[i];
		}
		edge->pressed_count = n;
	}
	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		if (edge->slots[i].owner == instance)
			each_session(&edge->slots[i], c2s_session_push);
	}
}
