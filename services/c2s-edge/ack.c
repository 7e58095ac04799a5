/* SPDX-License-Identifier: Apache-2.0
 *
 * ack: <r/> and <a/> in both directions (XEP-0198 section 4). Our h advances only over stanzas that the owner has accepted: an <r/> waits for those
 * before it, for a moment. The client is asked when much is unacknowledged, or something for long. */
#include "services/c2s-edge/metrics.h"
#include "services/c2s-edge/sm.h"

#define ANSWER_MS    250u
#define ASK_MANY     10u
#define ASK_AFTER_MS 2000u

/* --- what the client sent ----------------------------------------------------------------------------------------- */

/* Stanzas from before <enable/> may be unaccepted still. */
uint32_t c2s_ack_handled(const struct c2s_session *ss)
{
	uint64_t accepted = ss->window.accepted, base = ss->sm->base_in;

	return (uint32_t)(accepted > base ? accepted - base : 0);
}

static void answer(struct c2s_session *ss)
{
	struct c2s_sm *sm = ss->sm;
	uint64_t accepted = ss->window.accepted;

	list_remove(&sm->waiting);
	buf_printf(c2s_out(ss->stream), "<a xmlns='" C2S_NS_SM "' h='%u'/>", c2s_ack_handled(ss));
	sm->owed_at = sm->answer_at > accepted ? sm->answer_at : 0;
}

void c2s_ack_evaluate(struct c2s_session *ss)
{
	struct c2s_sm *sm = ss->sm;

	sm->question = false;
	if (ss->window.accepted >= sm->answer_at) {
		answer(ss);
		return;
	}
	sm->answer_by_ms = net_now(ss->edge->net) + ANSWER_MS;
	list_push_back(&ss->edge->answers, &sm->waiting);
	c2s_ticker_want(ss->edge);
}

void c2s_sm_request(struct c2s_stream *s, const struct c2s_input *in)
{
	struct c2s_session *ss = s->session;
	struct c2s_sm *sm = ss->sm;

	if (!sm) {
		c2s_sm_unexpected(s, in);
		return;
	}
	/* Each one gets an answer of its own, in order. */
	if (!list_unlinked(&sm->waiting))
		answer(ss);
	sm->answer_at = ss->window.assigned;
	sm->question = true;
	if (sm->enabled)
		c2s_ack_evaluate(ss);
}

void c2s_ack_accepted(struct c2s_session *ss)
{
	struct c2s_sm *sm = ss->sm;
	bool waits = !list_unlinked(&sm->waiting);

	if (!sm->enabled || !ss->stream || ss->stream->state != C2S_BOUND)
		return;
	if (waits ? ss->window.accepted >= sm->answer_at : sm->owed_at && ss->window.accepted >= sm->owed_at)
		answer(ss);
}

void c2s_ack_due(struct c2s_edge *edge)
{
	uint64_t now = net_now(edge->net);

	while (!list_empty(&edge->answers)) {
		struct c2s_sm *sm = list_entry(edge->answers.next, struct c2s_sm, waiting);

		if (sm->answer_by_ms > now)
			return;
		if (sm->session->stream->state == C2S_BOUND)
			answer(sm->session);
		else
			list_remove(&sm->waiting);
	}
}

/* --- what the client got ------------------------------------------------------------------------------------------ */

static uint64_t unacked(const struct c2s_session *ss)
{
	uint64_t from = ss->acked > ss->sm->base_out ? ss->acked : ss->sm->base_out;

	return ss->sent > from ? ss->sent - from : 0;
}

static void ask(struct c2s_session *ss)
{
	struct c2s_stream *s = ss->stream;
	struct c2s_sm *sm = ss->sm;

	buf_append_cstr(c2s_out(s), "<r xmlns='" C2S_NS_SM "'/>");
	sm->asked = true;
	sm->asked_end = conn_output_end(s->conn);
	sm->asked_written = conn_written(s->conn);
	net_timer_set(s->edge->net, &sm->timer, (uint64_t)s->edge->config->ack_ms);
}

static void ask_when_due(struct c2s_session *ss)
{
	struct c2s_sm *sm = ss->sm;
	uint64_t n = unacked(ss);

	if (sm->asked)
		return;
	if (n >= ASK_MANY)
		ask(ss);
	else if (n == 0)
		net_timer_cancel(ss->edge->net, &sm->timer);
	else if (list_unlinked(&sm->timer.node))
		net_timer_set(ss->edge->net, &sm->timer, ASK_AFTER_MS);
}

void c2s_ack_delivered(struct c2s_session *ss)
{
	if (!ss->sm->enabled)
		return;
	if (unacked(ss) > (uint64_t)ss->edge->config->unacked)
		c2s_end(ss->stream, "policy-violation", "too much is unacknowledged");
	else
		ask_when_due(ss);
}

void c2s_ack_on_timer(struct c2s_session *ss)
{
	struct c2s_stream *s = ss->stream;
	struct c2s_sm *sm = ss->sm;
	uint64_t written = conn_written(s->conn);

	if (!sm->asked) {
		if (unacked(ss) > 0)
			ask(ss);
		return;
	}
	/* While we do not read, or the question itself is on its way out, it is not the client that is late. */
	if (s->holds || (written < sm->asked_end && written > sm->asked_written)) {
		sm->asked_written = written;
		net_timer_set(s->edge->net, &sm->timer, (uint64_t)s->edge->config->ack_ms);
		return;
	}
	metric_inc(&c2s_metrics.unanswered);
	s->close_reason = STARLING__CLOSE_REASON__CLOSE_LOST;
	c2s_end(s, "connection-timeout", "<r/> was not answered");
}

/* Section 8. */
static void too_high(struct c2s_session *ss, uint32_t h)
{
	uint32_t sent = (uint32_t)(ss->sent - ss->sm->base_out);
	char element[120], text[120];

	snprintf(element, sizeof(element), "<handled-count-too-high xmlns='" C2S_NS_SM "' h='%u' send-count='%u'/>", h, sent);
	snprintf(text, sizeof(text), "You acknowledged %u stanzas, but I only sent you %u so far.", h, sent);
	c2s_end_with(ss->stream, "undefined-condition", "", element, text);
}

void c2s_sm_answer(struct c2s_stream *s, const struct c2s_input *in)
{
	struct c2s_session *ss = s->session;
	struct c2s_sm *sm = ss->sm;
	uint64_t h, before;

	if (!sm || !sm->enabled) {
		c2s_sm_unexpected(s, in);
		return;
	}
	if (!c2s_sm_number(xml_get(in->node, "h"), UINT32_MAX, &h)) {
		c2s_end(s, "bad-format", "<a/> needs the number h");
		return;
	}
	/* Counted modulo 2^32. One that says less than one before it is old news. */
	before = ss->sent - unacked(ss) - sm->base_out;
	if ((uint32_t)(h - before) <= unacked(ss)) {
		c2s_acked_up_to(ss, sm->base_out + before + (uint32_t)(h - before));
	} else if ((uint32_t)(before - h) > before || (uint32_t)(before - h) > INT32_MAX) {
		too_high(ss, (uint32_t)h);
		return;
	}
	sm->asked = false;
	net_timer_cancel(s->edge->net, &sm->timer);
	ask_when_due(ss);
}
