/* SPDX-License-Identifier: Apache-2.0
 *
 * ack: stream management between servers (XEP-0198), in both directions of a stream. What we get counts when its account's owner has it; what we send is
 * done when the other server has counted it. Resuming is not offered: what is not acknowledged goes over the next stream, marked as sent again. */
#include "services/s2s/s2s.h"

#include <stdio.h>

#include "common/base/mem.h"
#include "services/s2s/metrics.h"

/* --- in ----------------------------------------------------------------------------------------------------------- */

static void send_count(struct s2s_stream *s)
{
	buf_printf(s2s_out(s), "<a xmlns='" S2S_NS_SM "' h='%u'/>", (unsigned)(uint32_t)(s->window.done - s->base_in));
	s->wrote_ms = net_now(s->s2s->net);
}

static void failed(struct s2s_stream *s, const char *condition)
{
	buf_printf(s2s_out(s), "<failed xmlns='" S2S_NS_SM "'><%s xmlns='" S2S_NS_STANZAS "'/></failed>", condition);
}

/* Section 3: from the other server, once; for both directions where the stream goes both ways. Its attributes only matter to those who resume. */
void s2s_ack_enable(struct s2s_stream *s, const struct s2s_input *in)
{
	(void)in;
	if (!s->s2s->config->sm) {
		failed(s, "feature-not-implemented");
		return;
	}
	if (!s2s_any_proved(s) || s->managed_in) {
		failed(s, "unexpected-request");
		if (s->managed_in)
			s2s_end(s, "policy-violation", "stream management is enabled already");
		return;
	}
	s->managed_in = true;
	s->base_in = s->window.taken;
	buf_append_cstr(s2s_out(s), "<enabled xmlns='" S2S_NS_SM "'/>");
	if (s->link && s->link->out == s && s->link->sent == 0) {
		s->managed = true;
		s->sent_out = s->acked_out = 0;
		s2s_link_pump(s->link);
	}
}

/* Section 5: without resumption there is nothing to look for, and the stream goes on as a new one. */
void s2s_ack_resume(struct s2s_stream *s, const struct s2s_input *in)
{
	(void)in;
	failed(s, s2s_any_proved(s) && !s->managed_in ? "feature-not-implemented" : "unexpected-request");
}

void s2s_ack_request(struct s2s_stream *s, const struct s2s_input *in)
{
	(void)in;
	if (!s->managed_in) {
		s2s_end(s, "unsupported-stanza-type", "stream management is not enabled");
		return;
	}
	send_count(s);
	s->answer_due = s->window.done < s->window.taken;
	s->answer_to = s->window.taken;
}

/* Section 4: before an end, so that nothing comes again that we have. */
void s2s_ack_last(struct s2s_stream *s)
{
	if (s->managed_in)
		send_count(s);
}

uint64_t s2s_ack_take(struct s2s_stream *s)
{
	struct s2s_window *w = &s->window;

	if (w->cap == 0) {
		w->cap = (uint32_t)s->s2s->config->window_stanzas + 1;
		w->bits = mem_zalloc(w->cap);
	}
	w->taken++;
	w->bits[w->taken % w->cap] = 0;
	if (w->taken - w->done >= w->cap - 1)
		s2s_stream_hold(s, S2S_HOLD_WINDOW, true);
	return w->taken;
}

void s2s_ack_handled(struct s2s_stream *s, uint64_t number)
{
	struct s2s_window *w = &s->window;

	w->bits[number % w->cap] = 1;
	while (w->done < w->taken && w->bits[(w->done + 1) % w->cap])
		w->done++;
	if (s->questions > 0)
		s2s_lane_questions(s);
	if (!s->conn || s->state == S2S_CLOSING)
		return;
	if (w->taken - w->done < (w->cap - 1) / 2)
		s2s_stream_hold(s, S2S_HOLD_WINDOW, false);
	if (s->answer_due && w->done >= s->answer_to) {
		s->answer_due = false;
		send_count(s);
	}
}

/* --- out ---------------------------------------------------------------------------------------------------------- */

void s2s_ack_enabled(struct s2s_stream *s, const struct s2s_input *in)
{
	(void)in;
	s->managed = s->managed_in = true;
	s->sent_out = s->acked_out = 0;
	s->base_in = s->window.taken;
	s2s_stream_set_state(s, S2S_OUT_OPEN);
	s2s_link_open(s->link, s);
}

void s2s_ack_refused(struct s2s_stream *s, const struct s2s_input *in)
{
	(void)in;
	s->has_sm = false;
	s2s_stream_set_state(s, S2S_OUT_OPEN);
	s2s_link_open(s->link, s);
}

static bool read_count(struct str text, uint32_t *out)
{
	uint64_t v = 0;

	if (text.n == 0 || text.n > 10)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(text.p[i] - '0');
	}
	*out = (uint32_t)v;
	return v <= UINT32_MAX;
}

/* Section 8. */
static void too_high(struct s2s_stream *s, uint32_t h)
{
	char element[120], text[120];

	snprintf(element, sizeof(element), "<handled-count-too-high xmlns='" S2S_NS_SM "' h='%u' send-count='%u'/>", h,
	         (uint32_t)s->sent_out);
	snprintf(text, sizeof(text), "You acknowledged %u stanzas, but I only sent you %u so far.", h, (uint32_t)s->sent_out);
	s2s_end_with(s, "undefined-condition", element, text);
}

void s2s_ack_answer(struct s2s_stream *s, const struct s2s_input *in)
{
	uint32_t h;
	uint64_t newly;

	if (!s->managed_in) {
		s2s_end(s, "unsupported-stanza-type", "stream management is not enabled");
		return;
	}
	if (!read_count(xml_get(in->node, "h"), &h)) {
		s2s_end(s, "bad-format", "");
		return;
	}
	/* Section 4: it may come at any time, and should before an end. Here nothing of ours is counted: this stream is not for our stanzas, or the first were
	 * written before it was enabled, and are acknowledged by a ping. */
	if (!s->managed)
		return;
	newly = (uint32_t)(h - (uint32_t)s->acked_out);
	if (newly > s->sent_out - s->acked_out) {
		too_high(s, h);
		return;
	}
	s->asked = false;
	s->acked_out += newly;
	metric_add(&s2s_metrics.acked, (double)newly);
	if (s->link && s->link->out == s) {
		for (uint64_t n = newly; n > 0; n--)
			s2s_link_acked(s->link);
		s2s_link_pump(s->link);
	}
	/* Nothing new, and nothing was written behind the question: it would have the same answer. A Starling says by itself when it has handled what it was
	 * asked about; any other is asked again in a second. */
	if (s->acked_out < s->sent_out && (newly > 0 || s->ask))
		s2s_ack_want(s);
}

void s2s_ack_look(struct s2s_stream *s)
{
	if (s->managed && !s->asked && s->acked_out < s->sent_out)
		s2s_ack_want(s);
}

/* Asked at the end of the turn, once for all that it wrote; while one question is open, none follows. */
void s2s_ack_want(struct s2s_stream *s)
{
	s->ask = true;
	net_defer(s->s2s->net, &s->flush);
}

void s2s_ack_ask(struct s2s_stream *s)
{
	if (!s->managed || s->asked || !s->ask || s->acked_out == s->sent_out)
		return;
	s->ask = false;
	s->asked = true;
	s->holds_ms = net_now(s->s2s->net);
	buf_append_cstr(s2s_out(s), "<r xmlns='" S2S_NS_SM "'/>");
	s->wrote_ms = s->holds_ms;
}
