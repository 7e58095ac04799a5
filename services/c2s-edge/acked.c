/* SPDX-License-Identifier: Apache-2.0
 *
 * acked: which deliveries a client has, by its own word (XEP-0198) or, without stream management, because the kernel has taken the bytes; and the
 * report of it to the owners (session.proto, Acked), of many sessions in one event. */
#include "common/base/mem.h"
#include "ipc/gen/session.client.h"
#include "services/c2s-edge/metrics.h"
#include "services/c2s-edge/sm.h"

#define REPORT_MAX 4096u /* sessions in one event */

void c2s_acked_delivered(struct c2s_session *ss, const Starling__DeliverEvent *event)
{
	ss->sent++;
	if (event->log_id > ss->handed)
		ss->handed = event->log_id;
	c2s_unacked_push(&ss->unacked, event->log_id, event->form, conn_output_end(ss->stream->conn));
	if (ss->sm)
		c2s_ack_delivered(ss);
}

void c2s_acked_up_to(struct c2s_session *ss, uint64_t number)
{
	if (number > ss->sent)
		number = ss->sent;
	if (number <= ss->acked)
		return;
	metric_add(&c2s_metrics.deliveries_acked, (double)(number - ss->acked));
	c2s_unacked_drop(&ss->unacked, number - ss->acked);
	ss->acked = number;
	if (!ss->counted || !list_unlinked(&ss->report))
		return;
	list_push_back(&ss->edge->reports, &ss->report);
	c2s_ticker_want(ss->edge);
}

/* With stream management the client's word counts, from <enabled/> on. */
void c2s_acked_written(struct c2s_session *ss)
{
	uint64_t mine = ss->sent;

	if (!ss->unacked)
		return;
	if (ss->sm && ss->sm->enabled)
		mine = ss->sm->base_out;
	if (mine > ss->acked)
		c2s_acked_up_to(ss,
		                ss->acked + c2s_unacked_written(ss->unacked, conn_written(ss->stream->conn), (uint32_t)(mine - ss->acked)));
}

static size_t reports(const struct c2s_edge *edge)
{
	size_t n = 0;

	list_for_each (k, &edge->reports) {
		if (++n == REPORT_MAX)
			break;
	}
	return n;
}

/* What is owed to the owner of the first that waits, as far as one event holds. */
static void report_to_one(struct c2s_edge *edge)
{
	Starling__AckedEvent event = STARLING__ACKED_EVENT__INIT;
	uint64_t owner = list_entry(edge->reports.next, struct c2s_session, report)->owner;
	size_t max = reports(edge);
	Starling__Ack *acks = mem_alloc(max * sizeof(*acks));
	struct ipc_opts opts = { 0 };

	event.acks = mem_alloc(max * sizeof(Starling__Ack *));
	list_for_each_safe (n, &edge->reports) {
		struct c2s_session *ss = list_entry(n, struct c2s_session, report);
		Starling__Ack *ack = &acks[event.n_acks];

		if (ss->owner != owner || event.n_acks == max)
			continue;
		list_remove(&ss->report);
		/* Attach will tell it. */
		if (ss->link != C2S_LINK_ATTACHED || !ss->counted)
			continue;
		starling__ack__init(ack);
		ack->stream = ss->id;
		ack->acked = ss->acked;
		event.acks[event.n_acks++] = ack;
	}
	if (event.n_acks > 0)
		send_session_acked(edge->bus, ipc_instance(owner), &opts, &event);
	mem_free(event.acks);
	mem_free(acks);
}

void c2s_acked_flush(struct c2s_edge *edge)
{
	while (!list_empty(&edge->reports))
		report_to_one(edge);
}
