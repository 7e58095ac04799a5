/* SPDX-License-Identifier: Apache-2.0
 *
 * write: stanzas onto a stream, and without stream management the ping behind them whose answer says that they were read (XEP-0199). */
#include "services/s2s/s2s.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "ipc/gen/stanza.client.h"
#include "services/s2s/metrics.h"

/* What is worth recognising when it comes twice. */
static bool wants_key(const struct s2s_item *i)
{
	return i->meta.kind == STARLING__STANZA_KIND__STANZA_MESSAGE && i->key_stream &&
	       (i->meta.flags & (STANZA_BODY | STANZA_ENCRYPTED | STANZA_RETRACT | STANZA_MARKER | STANZA_RECEIPT));
}

/* A position in the log is a time of before the first try. */
static uint64_t age_s(const struct s2s_item *i)
{
	uint64_t now_us = (uint64_t)clock_wall_us();

	if (i->key_stream != STARLING__KEY_STREAM__KEY_LOG)
		return 0;
	return now_us > i->key_number ? (now_us - i->key_number) / 1000000 + 1 : 1;
}

void s2s_write(struct s2s_stream *s, const struct s2s_item *i)
{
	struct buf *extra = &s->s2s->scratch;
	struct s2s_key key = { .stream = i->key_stream, .number = i->key_number, .age_s = age_s(i), .again = i->again };

	buf_clear(extra);
	buf_append_str(extra, i->extra);
	if (s->has_keys && wants_key(i))
		s2s_key_add(extra, &key);
	stanza_write(s2s_out(s), i->bytes, str_from(i->meta.from), str_from(i->meta.to), buf_str(extra));
	metric_inc(&s2s_metrics.stanzas_out);
	s->wrote_ms = net_now(s->s2s->net);
	if (s->managed) {
		s->sent_out++;
		s2s_ack_want(s);
	} else {
		net_defer(s->s2s->net, &s->flush);
	}
}

/* One ping at a time; what was written behind it waits for the next. */
static void ping(struct s2s_stream *s)
{
	struct s2s_link *l = s->link;

	if (s->ping || !l || l->out != s || l->sent == 0)
		return;
	s->ping = random_u64();
	s->ping_covers = l->sent;
	s->holds_ms = net_now(s->s2s->net);
	buf_printf(s2s_out(s), "<iq type='get' id='ping-%016" PRIx64 "-%016" PRIx64 "'", ipc_bus_instance(s->s2s->bus), s->ping);
	xml_attr(s2s_out(s), "from", str_from(l->local));
	xml_attr(s2s_out(s), "to", str_from(l->remote));
	buf_append_cstr(s2s_out(s), "><ping xmlns='" S2S_NS_PING "'/></iq>");
}

void s2s_write_end_of_turn(struct s2s_stream *s)
{
	if (s->managed)
		s2s_ack_ask(s);
	else
		ping(s);
}

static struct s2s_link *link_of(struct s2s *s2s, const Starling__StanzaMeta *m)
{
	return s2s_link_find(s2s, str_from(m->to), str_from(m->from));
}

/* Both ends are servers, and the id is one of ours. */
static bool is_pong(const Starling__StanzaMeta *m, uint64_t *out_instance, uint64_t *out_ping)
{
	return m->kind == STARLING__STANZA_KIND__STANZA_IQ &&
	       (m->type == STARLING__STANZA_TYPE__TYPE_RESULT || m->type == STARLING__STANZA_TYPE__TYPE_ERROR) &&
	       jid_view_local(str_from(m->to)).n == 0 && jid_view_local(str_from(m->from)).n == 0 && strlen(m->id) == 5 + 16 + 1 + 16 &&
	       sscanf(m->id, "ping-%16" SCNx64 "-%16" SCNx64, out_instance, out_ping) == 2;
}

static void answered(struct s2s_link *l, uint64_t ping)
{
	struct s2s_stream *s = l ? l->out : NULL;

	if (!s || s->ping != ping || ping == 0)
		return;
	s->ping = 0;
	for (; s->ping_covers > 0; s->ping_covers--)
		s2s_link_acked(l);
	s2s_link_pump(l);
	net_defer(s->s2s->net, &s->flush);
}

bool s2s_pong_routed(struct s2s *s2s, const Starling__StanzaMeta *meta)
{
	uint64_t instance, ping;

	if (!is_pong(meta, &instance, &ping))
		return false;
	answered(link_of(s2s, meta), ping);
	return true;
}

struct forward {
	struct s2s_stream *stream;
	uint64_t number;
};

/* Told or not: a ping that nobody hears of is followed by another. */
static void on_forwarded(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	struct forward *f = ctx;

	(void)result;
	(void)reply;
	s2s_ack_handled(f->stream, f->number);
	s2s_stream_unref(f->stream);
	mem_free(f);
}

bool s2s_pong(struct s2s_stream *s, const Starling__StanzaMeta *meta, uint64_t number)
{
	struct s2s *s2s = s->s2s;
	Starling__RouteRequest request = STARLING__ROUTE_REQUEST__INIT;
	uint64_t instance, ping;
	struct forward *f;

	if (!is_pong(meta, &instance, &ping))
		return false;
	if (instance == ipc_bus_instance(s2s->bus)) {
		answered(link_of(s2s, meta), ping);
		s2s_ack_handled(s, number);
		return true;
	}
	f = mem_new(struct forward);
	f->stream = s2s_stream_ref(s);
	f->number = number;
	request.meta = (Starling__StanzaMeta *)(uintptr_t)meta;
	call_stanza_route(s2s->bus, ipc_instance(instance), NULL, &request, on_forwarded, f);
	return true;
}
