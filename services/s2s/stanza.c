/* SPDX-License-Identifier: Apache-2.0
 *
 * stanza: from another server's stanza to the checked, normalised thing that the owner of its recipient gets (RFC 6120 sections 8 and 10). */
#include "services/s2s/s2s.h"

#include "services/s2s/metrics.h"

static char *text(struct arena *a, struct str s)
{
	return s.n ? arena_strndup(a, s.p, s.n) : (char *)protobuf_c_empty_string;
}

/* --- checks ------------------------------------------------------------------------------------------------------- */

/* Of each server its own: none can name a message of another's. */
static uint64_t key_of(struct str remote, uint64_t stream)
{
	return stream ? (stream ^ hash_fnv1a64(remote)) | 1 : 0;
}

/* NULL when the stream may say it, else the stream error's condition (RFC 6120 section 8.1.2.2). */
static const char *check(struct s2s_stream *s, const struct stanza *st, struct jid *from, struct jid *to)
{
	struct s2s_pair *p;

	if (!st->has_from || !st->has_to || jid_parse(st->from_raw, from) != JID_OK || jid_parse(st->to_raw, to) != JID_OK)
		return "improper-addressing";
	if (!s2s_local(s->s2s, to->domain))
		return "host-unknown";
	p = s2s_pair_find(s, to->domain, from->domain);
	if (!p || p->proof == S2S_PROOF_NONE)
		return s2s_any_proved(s) ? "invalid-from" : "not-authorized";
	return NULL;
}

static void fill(Starling__StanzaMeta *meta, struct arena *a, const struct stanza *st, const struct jid *from, const struct jid *to)
{
	meta->kind = (Starling__StanzaKind)st->kind;
	meta->type = (Starling__StanzaType)st->type;
	meta->from = from->text;
	meta->to = to->text;
	meta->id = text(a, st->id);
	meta->flags = st->flags;
	meta->child_name = text(a, st->child_name);
	meta->child_ns = text(a, st->child_ns);
	meta->priority = st->priority;
	meta->origin_id = text(a, st->origin_id);
}

static bool answerable(const struct stanza *st)
{
	return st->type != STANZA_TYPE_ERROR && st->type != STANZA_TYPE_RESULT;
}

/* A stanza that cannot be understood is answered, not passed on (section 8.3): over the way to its sender, as any other stanza. */
static void answer_fault(struct s2s *s2s, const Starling__StanzaMeta *meta, const struct stanza *st)
{
	struct buf out = { 0 };
	Starling__StanzaMeta error = *meta;
	struct s2s_link *l;

	if (!answerable(st) || !s2s_owns(s2s, hash_slot(jid_view_domain(str_from(meta->from)))))
		return;
	error.type = STARLING__STANZA_TYPE__TYPE_ERROR;
	error.from = meta->to;
	error.to = meta->from;
	stanza_error_bytes(&out, st->kind, st->id, st->bytes, "bad-request", str_from(st->fault), (struct str){ 0 }, (struct str){ 0 });
	l = s2s_link_get(s2s, jid_view_domain(str_from(meta->to)), jid_view_domain(str_from(meta->from)));
	s2s_link_push(l, s2s_item_new(l, &error, buf_str(&out), (struct str){ 0 }));
	buf_fini(&out);
}

static void pass_on(struct s2s_stream *s, const struct stanza *st, const struct jid *from, const struct jid *to, uint64_t number)
{
	struct s2s *s2s = s->s2s;
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;
	struct s2s_key key = { 0 };
	struct str bytes = st->bytes;

	fill(&meta, s2s->arena, st, from, to);
	if (st->kind == STANZA_MESSAGE)
		bytes = s2s_key_take(&s2s->scratch, s2s->arena, bytes, &key);
	if (st->fault) {
		s2s_ack_handled(s, number);
		answer_fault(s2s, &meta, st);
	} else if (!s2s_pong(s, &meta, number)) {
		key.stream = key_of(from->domain, key.stream);
		s2s_lane_send(s2s, s, number, &meta, bytes, &key);
	}
	arena_reset(s2s->arena);
}

void s2s_stanza(struct s2s_stream *s, const struct s2s_input *in)
{
	const struct stanza *st = in->stanza;
	struct jid from = { 0 }, to = { 0 };
	const char *condition = check(s, st, &from, &to);

	if (condition) {
		metric_inc(&s2s_metrics.refused);
		s2s_end(s, condition, "");
	} else {
		metric_inc(&s2s_metrics.stanzas_in);
		pass_on(s, st, &from, &to, s2s_ack_take(s));
	}
	jid_fini(&from);
	jid_fini(&to);
}
