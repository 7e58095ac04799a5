/* SPDX-License-Identifier: Apache-2.0
 *
 * submit: from a bound client's stanza to the numbered, checked, normalised thing that its account's owner gets (RFC 6120 section 8). */
#include "services/c2s-edge/sm.h"

#include "services/c2s-edge/metrics.h"

/* Section 8.1.2.1: a client may say who it is, and must not say that it is somebody else. */
static bool from_ok(const struct c2s_session *ss, const struct stanza *st)
{
	struct str full = str_from(ss->jid), bare = jid_view_bare(full);
	struct jid from = { 0 };
	bool ok;

	if (!st->has_from || str_eq(st->from_raw, full) || str_eq(st->from_raw, bare))
		return true;
	ok = jid_parse(st->from_raw, &from) == JID_OK && (str_eq(from.full, full) || str_eq(from.full, bare));
	jid_fini(&from);
	return ok;
}

struct str c2s_lang_stamp(struct buf *out, struct str bytes, const char *lang)
{
	static const char attr[] = " xml:lang=";
	size_t name = 1, n = sizeof(attr) - 1;
	bool quoted = false;

	while (name < bytes.n && bytes.p[name] != ' ' && bytes.p[name] != '>' && bytes.p[name] != '/')
		name++;
	for (size_t i = name; i < bytes.n && (quoted || bytes.p[i] != '>'); i++) {
		if (bytes.p[i] == '\'')
			quoted = !quoted;
		else if (!quoted && bytes.p[i] == ' ' && bytes.n - i > n && memcmp(bytes.p + i, attr, n) == 0)
			return bytes;
	}
	buf_clear(out);
	buf_append(out, bytes.p, name);
	xml_attr(out, "xml:lang", str_from(lang));
	buf_append(out, bytes.p + name, bytes.n - name);
	return buf_str(out);
}

static char *text(struct arena *a, struct str s)
{
	return s.n ? arena_strndup(a, s.p, s.n) : (char *)protobuf_c_empty_string;
}

static struct c2s_pending *enqueue(struct c2s_stream *s, const struct stanza *st, const struct jid *to)
{
	struct c2s_edge *edge = s->edge;
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;
	struct str bytes = s->lang ? c2s_lang_stamp(&edge->scratch, st->bytes, s->lang) : st->bytes;
	struct c2s_pending *p;

	meta.kind = (Starling__StanzaKind)st->kind;
	meta.type = (Starling__StanzaType)st->type;
	meta.to = to && to->text ? to->text : (char *)protobuf_c_empty_string;
	meta.id = text(edge->arena, st->id);
	meta.flags = st->flags;
	meta.child_name = text(edge->arena, st->child_name);
	meta.child_ns = text(edge->arena, st->child_ns);
	meta.priority = st->priority;
	meta.origin_id = text(edge->arena, st->origin_id);
	p = c2s_window_add(&s->session->window, &meta, bytes, c2s_trace(edge));
	p->since_ms = p->number > s->session->window.tried ? net_now(edge->net) : s->session->window.tried_since_ms;
	arena_reset(edge->arena);
	return p;
}

void c2s_submit_fault(struct c2s_stream *s, const struct stanza *st, const char *condition, const char *text)
{
	struct c2s_session *ss = s->session;
	struct c2s_pending *p;

	/* An owner of before stream management would take it for a good one. */
	if (!ss->counted && !ss->sm) {
		c2s_reply_error(s, st, condition, text);
		return;
	}
	metric_inc(&c2s_metrics.stanzas_refused);
	p = enqueue(s, st, NULL);
	p->fault = condition;
	p->fault_text = text;
	c2s_session_push(ss);
}

void c2s_submit(struct c2s_stream *s, const struct c2s_input *in)
{
	const struct stanza *st = in->stanza;
	struct jid to = { 0 };

	metric_inc(&c2s_metrics.stanzas_in);
	if (!from_ok(s->session, st)) {
		c2s_end(s, "invalid-from", "");
		return;
	}
	if (st->fault) { /* sections 8.1.3, 8.2.3: found while parsing */
		c2s_submit_fault(s, st, "bad-request", st->fault);
	} else if (st->has_to && jid_parse(st->to_raw, &to) != JID_OK) {
		c2s_submit_fault(s, st, "jid-malformed", "");
	} else {
		enqueue(s, st, &to);
		c2s_session_push(s->session);
	}
	jid_fini(&to);
}
