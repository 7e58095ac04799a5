/* SPDX-License-Identifier: Apache-2.0
 *
 * route: stanzas of the flock for other servers come in (stanza.proto), and errors go back. */
#include "services/s2s/s2s.h"

#include "common/base/mem.h"
#include "ipc/gen/stanza.server.h"
#include "services/s2s/metrics.h"

/* --- errors to local senders -------------------------------------------------------------------------------------- */

static bool answerable(const Starling__StanzaMeta *m)
{
	return m->type != STARLING__STANZA_TYPE__TYPE_ERROR && m->type != STARLING__STANZA_TYPE__TYPE_RESULT;
}

/* RFC 6120 section 8.3: from where it was to go, to whom it came from. */
void s2s_bounce(struct s2s *s2s, const Starling__StanzaMeta *m, struct str bytes, const char *condition, const char *text)
{
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;
	struct buf out = { 0 };

	if (!answerable(m))
		return;
	meta.kind = m->kind;
	meta.type = STARLING__STANZA_TYPE__TYPE_ERROR;
	meta.from = m->to;
	meta.to = m->from;
	meta.id = m->id;
	meta.flags = STANZA_OTHER_PAYLOAD;
	stanza_error_bytes(&out, (enum stanza_kind)m->kind, str_from(m->id), bytes, condition, str_from(text ? text : ""),
	                   (struct str){ 0 }, (struct str){ 0 });
	s2s_lane_send(s2s, NULL, 0, &meta, buf_str(&out), NULL);
	buf_fini(&out);
}

/* --- taking ------------------------------------------------------------------------------------------------------- */

static void answer_now(struct ipc_call *call, bool take)
{
	Starling__TakeReply taken = STARLING__TAKE_REPLY__INIT;
	Starling__Empty empty = STARLING__EMPTY__INIT;

	if (take)
		reply_stanza_take(call, &taken);
	else
		reply_stanza_route(call, &empty);
}

/* It is here from before. Whoever waited for that has given up. */
static void join(struct s2s_item *i, struct ipc_call *call, bool take)
{
	if (i->gone || i->spool_id) {
		answer_now(call, take);
		return;
	}
	if (i->call)
		ipc_fail(i->call, STARLING__CODE__CODE_UNAVAILABLE, "was sent again");
	i->call = call;
	i->take = take;
}

/* A former owner of the sender's slot may still have something on the way; the present one has sent that again, marked as such (stanza.proto). */
static bool is_former(struct s2s *s2s, const Starling__RouteRequest *r)
{
	uint64_t *seen = &s2s->sender_epochs[hash_slot(jid_view_bare(str_from(r->meta->from)))];

	if (r->sender_epoch > *seen)
		*seen = r->sender_epoch;
	return r->sender_epoch > 0 && r->sender_epoch < *seen;
}

static void push(struct s2s *s2s, struct ipc_call *call, const Starling__RouteRequest *r, bool take)
{
	struct str to = jid_view_domain(str_from(r->meta->to)), from = jid_view_domain(str_from(r->meta->from));
	struct s2s_link *l = s2s_link_get(s2s, from, to);
	struct s2s_item *i = s2s_link_known(l, r);

	if (i) {
		join(i, call, take);
		return;
	}
	i = s2s_item_new(l, r->meta, ipc_call_payload(call), str_make((const char *)r->extra.data, r->extra.len));
	i->call = call;
	i->take = take;
	i->key_stream = r->key_stream;
	i->key_number = r->key_number;
	i->again = r->again;
	metric_inc(&s2s_metrics.taken);
	s2s_link_push(l, i);
}

static void take_stanza(struct ipc_call *call, const Starling__RouteRequest *r, bool take)
{
	struct s2s *s2s = ipc_call_daemon(call);
	char remote[JID_PART_MAX + 1];
	struct str to;

	if (!r->meta || !r->meta->to[0] || !r->meta->from[0] || r->n_targets > 0) {
		ipc_fail(call, STARLING__CODE__CODE_INVALID, "one stanza with from and to is wanted");
		return;
	}
	to = jid_view_domain(str_from(r->meta->to));
	if (s2s_local(s2s, to)) {
		/* Another instance has got the answer to our ping (write.c). */
		if (s2s_pong_routed(s2s, r->meta))
			answer_now(call, take);
		else
			ipc_fail(call, STARLING__CODE__CODE_INVALID, "not for another server");
		return;
	}
	if (to.n > JID_PART_MAX || !s2s_local(s2s, jid_view_domain(str_from(r->meta->from)))) {
		ipc_fail(call, STARLING__CODE__CODE_INVALID, "not from one of our hosts");
		return;
	}
	if (!s2s_owns(s2s, hash_slot(to))) {
		ipc_fail(call, STARLING__CODE__CODE_WRONG_OWNER, "another instance speaks with this domain");
		return;
	}
	if (is_former(s2s, r)) {
		ipc_fail(call, STARLING__CODE__CODE_FENCED, "the sender has a newer owner");
		return;
	}
	if (s2s->bytes >= (size_t)s2s->config->memory_bytes) {
		ipc_fail(call, STARLING__CODE__CODE_OVERLOAD, "too much waits");
		return;
	}
	memcpy(remote, to.p, to.n);
	remote[to.n] = '\0';
	if (s2s_policy_denied(s2s, remote)) {
		s2s_bounce(s2s, r->meta, ipc_call_payload(call), "policy-violation", "This server is not spoken with.");
		answer_now(call, take);
		return;
	}
	push(s2s, call, r, take);
}

void on_stanza_route(struct ipc_call *call, const Starling__RouteRequest *r)
{
	take_stanza(call, r, false);
}

void on_stanza_take(struct ipc_call *call, const Starling__RouteRequest *r)
{
	take_stanza(call, r, true);
}
