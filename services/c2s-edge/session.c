/* SPDX-License-Identifier: Apache-2.0
 *
 * session: a bound resource towards its owner: numbering, sending, acceptance, backpressure. Who the owner is, is owner.c's. */
#include "services/c2s-edge/sm.h"

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "ipc/gen/session.client.h"
#include "services/c2s-edge/metrics.h"

#define STALL_MS 3000u /* nothing accepted for so long: ask the owner how far it is (a router may have died with what was on the way) */

struct c2s_session *c2s_session_new(struct c2s_edge *edge, struct c2s_stream *s, uint64_t id, const char *jid, uint64_t owner)
{
	struct c2s_session *ss = mem_new(struct c2s_session);

	ss->id = id;
	ss->edge = edge;
	ss->stream = s;
	ss->jid = mem_strdup(jid);
	ss->slot = (uint16_t)hash_slot(str_from(jid));
	ss->owner = owner;
	if (s) {
		ss->peer = *conn_peer(s->conn);
		ss->encrypted = conn_tls(s->conn) != NULL;
	}
	c2s_window_init(&ss->window);
	list_init(&ss->queue);
	list_init(&ss->report);
	wheel_timer_init(&ss->timer, c2s_owner_on_timer);
	c2s_table_put(&edge->sessions, id, ss);
	list_push_back(&edge->slots[ss->slot].sessions, &ss->node);
	return ss;
}

struct c2s_session *c2s_session_find(struct c2s_edge *edge, uint64_t id)
{
	return c2s_table_get(&edge->sessions, id);
}

/* Nobody finds it any more, and it does nothing by itself. */
static void withdraw(struct c2s_session *ss)
{
	struct c2s_edge *edge = ss->edge;

	if (ss->stream)
		ss->stream->session = NULL;
	else
		metric_add(&c2s_metrics.lingering, -1);
	ss->stream = NULL;
	c2s_sm_free(ss);
	net_timer_cancel(edge->net, &ss->timer);
	list_remove(&ss->queue);
	list_remove(&ss->report);
	list_remove(&ss->node);
	c2s_table_remove(&edge->sessions, ss->id);
}

static void destroy(struct c2s_session *ss)
{
	struct c2s_edge *edge = ss->edge;

	c2s_window_fini(&ss->window);
	c2s_unacked_drop(&ss->unacked, UINT64_MAX);
	mem_free(ss->record);
	mem_free(ss->jid);
	mem_free(ss->close_text);
	mem_free(ss);
	c2s_drain_check(edge);
}

/* The one place where a session goes. Not while a call of its own is on the way. */
void c2s_session_free(struct c2s_session *ss)
{
	if (!ss->forgotten)
		withdraw(ss);
	destroy(ss);
}

void c2s_session_forget(struct c2s_session *ss)
{
	struct c2s_stream *s = ss->stream;

	withdraw(ss);
	ss->forgotten = true;
	if (!ss->calling)
		destroy(ss);
	if (s)
		c2s_end(s, "conflict", "resumed elsewhere"); /* section 5 of XEP-0198 */
}

void c2s_session_remember(struct c2s_session *ss, ProtobufCBinaryData record)
{
	if (record.len > C2S_RECORD_MAX)
		return;
	mem_free(ss->record);
	ss->record = NULL;
	if (record.len == 0)
		return;
	ss->record = mem_alloc(sizeof(*ss->record) + record.len);
	ss->record->n = record.len;
	memcpy(ss->record->data, record.data, record.len);
}

/* --- backpressure ------------------------------------------------------------------------------------------------- */

static void set_holds(struct c2s_session *ss)
{
	const struct c2s_config *c = ss->edge->config;
	struct c2s_stream *s = ss->stream;
	bool full, room;

	if (!s)
		return;
	full = ss->window.count >= (uint32_t)c->window_stanzas || ss->window.bytes >= (size_t)c->window_bytes;
	room = ss->window.count <= (uint32_t)c->window_stanzas / 2 && ss->window.bytes <= (size_t)c->window_bytes / 2;
	if (full && !(s->holds & C2S_HOLD_WINDOW))
		metric_inc(&c2s_metrics.window_full);
	if (full || room)
		c2s_stream_hold(s, C2S_HOLD_WINDOW, full);
	c2s_stream_hold(s, C2S_HOLD_OWNER, ss->link != C2S_LINK_ATTACHED);
	c2s_stream_hold(s, C2S_HOLD_PRESSURE, c2s_owner_pressed(ss->edge, ss->owner));
}

void c2s_session_push(struct c2s_session *ss)
{
	struct c2s_pending *p;

	while (ss->link == C2S_LINK_ATTACHED && !ss->claims && (p = c2s_window_next(&ss->window))) {
		Starling__SubmitEvent event = STARLING__SUBMIT_EVENT__INIT;
		struct ipc_opts opts = { .trace = p->trace, .payload = p->payload };
		int r;

		event.stream = ss->id;
		event.number = p->number;
		event.meta = &p->meta;
		event.again = p->number <= ss->window.tried;
		event.age_ms = event.again && p->since_ms ? net_now(ss->edge->net) - p->since_ms + 1 : 0;
		event.fault = (char *)(uintptr_t)(p->fault ? p->fault : "");
		event.fault_text = (char *)(uintptr_t)(p->fault_text ? p->fault_text : "");
		p->meta.from = ss->jid;
		r = send_session_submit(ss->edge->bus, ipc_instance(ss->owner), &opts, &event);
		if (r == IPC_NOBODY)
			c2s_owner_detach(ss);
		if (r != IPC_SENT)
			break;
		c2s_window_sent(&ss->window, p);
	}
	if (ss->window.count > 0 && list_unlinked(&ss->timer.node)) {
		ss->stalled_at = ss->window.accepted;
		net_timer_set(ss->edge->net, &ss->timer, STALL_MS);
	}
	set_holds(ss);
}

void c2s_session_accept(struct c2s_session *ss, uint64_t number)
{
	if (!c2s_window_accept(&ss->window, number))
		return;
	ss->attempts = 0;
	set_holds(ss);
	if (ss->sm)
		c2s_ack_accepted(ss);
}

/* --- end ---------------------------------------------------------------------------------------------------------- */

void c2s_session_end(struct c2s_session *ss, Starling__CloseReason reason, const char *text, bool resumable)
{
	c2s_sm_rest(ss);
	ss->stream = NULL;
	ss->resumable = resumable;
	ss->close_reason = (uint8_t)reason;
	ss->close_text = text[0] ? mem_strdup(text) : NULL;
	ss->ended_ms = net_now(ss->edge->net);
	metric_add(&c2s_metrics.lingering, 1);
	c2s_session_push(ss);
	c2s_owner_close(ss);
}
