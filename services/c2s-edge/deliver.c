/* SPDX-License-Identifier: Apache-2.0
 *
 * deliver: what owners of accounts tell this process (edge.proto): stanzas for clients, progress, ends. */
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "ipc/gen/edge.server.h"
#include "ipc/gen/session.client.h"
#include "services/c2s-edge/metrics.h"
#include "services/c2s-edge/sm.h"

#define STANZA_EXTRA 8192u /* room for addresses and escapes when the output's limit is checked */

/* --- confirmations ------------------------------------------------------------------------------------------------ */

static void remember(struct c2s_stream *s, uint64_t delivery)
{
	if (s->written_n == s->written_cap) {
		s->written_cap = s->written_cap ? s->written_cap * 2 : 8;
		s->written = mem_realloc(s->written, s->written_cap * sizeof(*s->written));
	}
	s->written[s->written_n++] = (struct c2s_written){ delivery, conn_output_end(s->conn) };
}

/* Confirms what the kernel has taken; the rest stays. */
void c2s_deliver_written(struct c2s_stream *s)
{
	Starling__WrittenEvent event = STARLING__WRITTEN_EVENT__INIT;
	uint64_t written = conn_written(s->conn), deliveries[256];
	struct ipc_opts opts = { 0 };
	uint32_t n = 0;

	while (n < s->written_n && n < 256 && s->written[n].end <= written) {
		deliveries[n] = s->written[n].delivery;
		n++;
	}
	if (n == 0)
		return;
	s->written_n -= n;
	if (s->written_n == 0) {
		mem_free(s->written);
		s->written = NULL;
		s->written_cap = 0;
	} else {
		memmove(s->written, s->written + n, s->written_n * sizeof(*s->written));
	}
	if (s->session) {
		struct str bare = jid_view_bare(str_from(s->session->jid));

		event.stream = s->session->id;
		event.account = arena_strndup(s->edge->arena, bare.p, bare.n);
		event.deliveries = deliveries;
		event.n_deliveries = n;
		/* May be lost: then the stored copy is delivered once more. */
		send_session_written(s->edge->bus, ipc_slot(C2S_ROLE_OWNER, s->session->slot), &opts, &event);
		arena_reset(s->edge->arena);
		metric_add(&c2s_metrics.deliveries_written, n);
	}
	if (s->written_n > 0)
		c2s_deliver_written(s);
}

/* --- deliveries --------------------------------------------------------------------------------------------------- */

/* To the owner of now; where there is none, to the one who sent it. */
static void give_back(struct c2s_edge *edge, struct ipc_call *call, const Starling__DeliverEvent *event, uint64_t stream)
{
	Starling__ReturnedEvent returned = STARLING__RETURNED_EVENT__INIT;
	struct ipc_opts opts = { .trace = ipc_call_trace(call), .payload = ipc_call_payload(call) };
	struct str bare = jid_view_bare(str_from(event->meta->to));

	metric_inc(&c2s_metrics.returned);
	returned.stream = stream;
	returned.account = arena_strndup(edge->arena, bare.p, bare.n);
	returned.meta = event->meta;
	returned.extra = event->extra;
	returned.delivery = event->delivery;
	if ((bare.n == 0 || send_session_returned(edge->bus, ipc_slot(C2S_ROLE_OWNER, hash_slot(bare)), &opts, &returned) != IPC_SENT) &&
	    send_session_returned(edge->bus, ipc_instance(ipc_call_source(call)), &opts, &returned) != IPC_SENT)
		metric_inc(&c2s_metrics.returned_lost);
	arena_reset(edge->arena);
}

/* False: this client does not get it. */
static bool deliver_one(struct c2s_stream *s, struct str payload, const Starling__DeliverEvent *event)
{
	const Starling__StanzaMeta *meta = event->meta;
	struct str extra = str_make(event->extra.data, event->extra.len);

	if (conn_queued(s->conn) + payload.n + extra.n + STANZA_EXTRA > (size_t)s->edge->config->output_bytes) {
		metric_inc(&c2s_metrics.slow_clients);
		c2s_end(s, "policy-violation", "reading too slowly");
		return false;
	}
	stanza_write(c2s_out(s), payload, str_from(meta->from), str_from(meta->to), extra);
	if (event->delivery)
		remember(s, event->delivery);
	c2s_acked_delivered(s->session, event);
	metric_inc(&c2s_metrics.stanzas_out);
	return true;
}

void on_edge_deliver(struct ipc_call *call, const Starling__DeliverEvent *event)
{
	struct c2s_edge *edge = ipc_call_daemon(call);
	struct str payload = ipc_call_payload(call);
	uint64_t source = ipc_call_source(call);
	bool counts;

	if (!event->meta || payload.n == 0)
		return;
	counts = c2s_owner_counts(edge, source);
	for (size_t i = 0; i < event->n_streams; i++) {
		struct c2s_session *ss = c2s_session_find(edge, event->streams[i]);
		struct c2s_stream *s = ss ? ss->stream : NULL;
		bool ours = !counts || (ss && ss->link == C2S_LINK_ATTACHED && ss->owner == source);

		if (s && s->state == C2S_BOUND && ours && deliver_one(s, payload, event))
			continue;
		/* An owner that counts has it in its list: it sends it again after Attach or Resume, or elsewhere after Close. */
		if (ss && counts)
			metric_inc(&c2s_metrics.deliveries_dropped);
		else
			give_back(edge, call, event, event->streams[i]);
	}
}

/* --- the rest of edge.proto --------------------------------------------------------------------------------------- */

void on_edge_accepted(struct ipc_call *call, const Starling__AcceptedEvent *event)
{
	struct c2s_edge *edge = ipc_call_daemon(call);

	for (size_t i = 0; i < event->n_progress; i++) {
		struct c2s_session *ss = c2s_session_find(edge, event->progress[i]->stream);

		if (ss)
			c2s_session_accept(ss, event->progress[i]->accepted);
	}
}

void on_edge_end(struct ipc_call *call, const Starling__EndEvent *event)
{
	struct c2s_edge *edge = ipc_call_daemon(call);
	struct c2s_session *ss = c2s_session_find(edge, event->stream);

	if (ss && event->moved && c2s_sm_moved(ss))
		c2s_session_forget(ss);
	if (!ss || event->moved || !ss->stream)
		return;
	ss->stream->final = true;
	if (event->condition[0]) {
		ss->stream->close_reason = STARLING__CLOSE_REASON__CLOSE_KICKED;
		c2s_end(ss->stream, event->condition, event->text);
	} else {
		c2s_finish(ss->stream, STARLING__CLOSE_REASON__CLOSE_KICKED);
	}
}

void on_edge_not_owner(struct ipc_call *call, const Starling__NotOwnerEvent *event)
{
	struct c2s_edge *edge = ipc_call_daemon(call);

	metric_inc(&c2s_metrics.not_owner);
	for (size_t i = 0; i < event->n_streams; i++) {
		struct c2s_session *ss = c2s_session_find(edge, event->streams[i]);

		/* One that comes late, from an owner of before, says nothing new. */
		if (ss && ss->owner == ipc_call_source(call))
			c2s_owner_detach(ss);
	}
}

void on_edge_remember(struct ipc_call *call, const Starling__RememberEvent *event)
{
	struct c2s_session *ss = c2s_session_find(ipc_call_daemon(call), event->stream);

	if (ss && ss->owner == ipc_call_source(call))
		c2s_session_remember(ss, event->record);
}
