/* SPDX-License-Identifier: Apache-2.0
 *
 * lane: stanzas for the accounts of one slot, in order (ipc/runtime/lane.h). */
#include "services/s2s/s2s.h"

#include "common/base/mem.h"
#include "ipc/gen/stanza.client.h"
#include "ipc/runtime/lane.h"
#include "services/s2s/metrics.h"

#define DEADLINE_MS  60000u
#define PAUSE_MS     200u
#define PAUSE_MAX_MS 2000u
#define GIVE_UP_MS   30000u /* for what no stream counts: errors to our own users */
#define QUESTIONS    8u     /* of one stream, that wait: a Starling has one at a time */

struct letter {
	struct ipc_lane_item base;
	struct s2s_lane *lane;
	struct s2s_stream *stream; /* counted; NULL: an error of our own */
	uint64_t number;
	Starling__StanzaMeta meta;
	struct str bytes;
	struct s2s_key key; /* again: the other server says so */
	uint64_t trace, since_ms;
	bool again;
};

struct s2s_lane {
	struct ipc_lane base;
	struct s2s *s2s;
	uint32_t slot;
	uint64_t pause_until_ms; /* 0: none */
};

static struct s2s_lane *lane_of(struct ipc_lane *l)
{
	return list_entry(l, struct s2s_lane, base);
}

static char *place(char **at, const char *text)
{
	size_t n = strlen(text) + 1;
	char *copy = memcpy(*at, text, n);

	*at += n;
	return copy;
}

static struct letter *letter_new(struct s2s_lane *l, const Starling__StanzaMeta *m, struct str bytes)
{
	size_t texts =
	        strlen(m->from) + strlen(m->to) + strlen(m->id) + strlen(m->child_name) + strlen(m->child_ns) + strlen(m->origin_id) + 6;
	struct letter *e = mem_zalloc(sizeof(*e) + texts + bytes.n);
	char *at = (char *)(e + 1);

	e->lane = l;
	e->meta = *m;
	e->meta.from = place(&at, m->from);
	e->meta.to = place(&at, m->to);
	e->meta.id = place(&at, m->id);
	e->meta.child_name = place(&at, m->child_name);
	e->meta.child_ns = place(&at, m->child_ns);
	e->meta.origin_id = place(&at, m->origin_id);
	memcpy(at, bytes.p, bytes.n);
	e->bytes = str_make(at, bytes.n);
	return e;
}

/* handled: its account's owner has it, or nobody ever will. */
static void letter_free(struct letter *e, bool handled)
{
	struct s2s_stream *s = e->stream;

	list_remove(&e->base.node);
	if (s && handled)
		s2s_ack_handled(s, e->number);
	if (s)
		s2s_stream_unref(s);
	mem_free(e);
}

static enum ipc_lane_answer take_answer(struct letter *e, const struct ipc_result *result)
{
	const struct s2s_lane *l = e->lane;

	if (l->s2s->stopped) {
		letter_free(e, false);
		return IPC_LANE_REFUSED;
	}
	if (ipc_ok(result)) {
		letter_free(e, true);
		return IPC_LANE_TAKEN;
	}
	if (result->code == STARLING__CODE__CODE_INVALID || result->code == STARLING__CODE__CODE_UNSUPPORTED) {
		log_warn(l->s2s->log, "slot %u: a stanza was refused: %s", (unsigned)l->slot, result->text);
		letter_free(e, true);
		return IPC_LANE_REFUSED;
	}
	if (!e->stream && net_now(l->s2s->net) - e->since_ms > GIVE_UP_MS)
		letter_free(e, false);
	return IPC_LANE_FAILED;
}

static void on_routed(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	struct letter *e = ctx;
	struct s2s_lane *l = e->lane;

	(void)reply;
	ipc_lane_answered(&l->base, take_answer(e, result));
}

static enum ipc_lane_sent send_letter(struct ipc_lane *lane, struct ipc_lane_item *item, uint64_t owner, uint64_t epoch)
{
	struct s2s_lane *l = lane_of(lane);
	struct letter *e = list_entry(item, struct letter, base);
	Starling__RouteRequest request = STARLING__ROUTE_REQUEST__INIT;
	struct ipc_opts opts = { .deadline_ms = DEADLINE_MS, .in_line = true, .trace = e->trace, .payload = e->bytes };

	request.meta = &e->meta;
	request.hops = 1;
	/* A stanza to the host itself is served by its sender's slot, which no epoch guards. */
	request.epoch = jid_view_local(str_from(e->meta.to)).n ? epoch : 0;
	request.key_stream = e->key.stream;
	request.key_number = e->key.number;
	request.again = e->again;
	/* A repetition of ours is as old as this letter; one of the other server's only that server knows. */
	if (e->again && (!e->key.again || e->key.age_s > 0))
		request.age_ms = net_now(l->s2s->net) - e->since_ms + e->key.age_s * 1000 + 1;
	e->again = true;
	if (call_stanza_route(l->s2s->bus, ipc_instance(owner), &opts, &request, on_routed, e) == IPC_SENT)
		return IPC_LANE_SENT;
	return IPC_LANE_STUCK;
}

static uint64_t receiver(struct ipc_lane *lane, uint64_t *out_epoch)
{
	return ipc_bus_slot_owner(lane_of(lane)->s2s->bus, lane_of(lane)->slot, out_epoch);
}

static void pause_lane(struct ipc_lane *lane, uint32_t attempts)
{
	struct s2s_lane *l = lane_of(lane);
	uint64_t wait = (uint64_t)PAUSE_MS << (attempts < 4 ? attempts : 4);

	l->pause_until_ms = net_now(l->s2s->net) + (wait < PAUSE_MAX_MS ? wait : PAUSE_MAX_MS);
}

static const struct ipc_lane_ops lane_ops = { receiver, send_letter, pause_lane, NULL, NULL };

static struct s2s_lane *lane_for(struct s2s *s2s, uint32_t slot)
{
	struct s2s_lane *l = s2s->lanes[slot];

	if (l)
		return l;
	l = s2s->lanes[slot] = mem_new(struct s2s_lane);
	ipc_lane_init(&l->base, &lane_ops, &s2s->stopped);
	l->s2s = s2s;
	l->slot = slot;
	return l;
}

/* What the other server itself asks, such as whether we have read what it wrote (XEP-0199): without stream management it takes the answer for our word that we have
 * it. So it is asked only when all that was before it on its stream is handled; else another lane would overtake that. */
static bool is_to_wait(const struct s2s_stream *from, uint64_t number, const Starling__StanzaMeta *m)
{
	return from && m->kind == STARLING__STANZA_KIND__STANZA_IQ && m->type != STARLING__STANZA_TYPE__TYPE_RESULT &&
	       m->type != STARLING__STANZA_TYPE__TYPE_ERROR && jid_view_local(str_from(m->from)).n == 0 &&
	       jid_view_local(str_from(m->to)).n == 0 && from->window.done + 1 < number && from->questions < QUESTIONS;
}

void s2s_lane_questions(struct s2s_stream *s)
{
	list_for_each_safe (n, &s->s2s->questions) {
		struct letter *e = list_entry(n, struct letter, base.node);

		if (e->stream != s || e->number > s->window.done + 1)
			continue;
		list_remove(n);
		s->questions--;
		ipc_lane_add(&e->lane->base, &e->base);
	}
}

void s2s_lane_send(struct s2s *s2s, struct s2s_stream *from, uint64_t number, const Starling__StanzaMeta *meta, struct str bytes,
                   const struct s2s_key *key)
{
	struct str to = str_from(meta->to);
	struct s2s_lane *l = lane_for(s2s, hash_slot(jid_view_local(to).n ? to : jid_view_bare(str_from(meta->from))));
	struct letter *e = letter_new(l, meta, bytes);

	e->stream = from ? s2s_stream_ref(from) : NULL;
	e->number = number;
	if (key)
		e->key = *key;
	e->again = e->key.again;
	e->trace = s2s_trace(s2s);
	e->since_ms = net_now(s2s->net);
	if (!is_to_wait(from, number, meta)) {
		ipc_lane_add(&l->base, &e->base);
		return;
	}
	list_push_back(&s2s->questions, &e->base.node);
	from->questions++;
}

/* At each tick. */
void s2s_lanes_wake(struct s2s *s2s)
{
	uint64_t now_ms = net_now(s2s->net);

	for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
		struct s2s_lane *l = s2s->lanes[slot];

		if (!l || !l->pause_until_ms || now_ms < l->pause_until_ms)
			continue;
		l->pause_until_ms = 0;
		ipc_lane_go_on(&l->base);
	}
}

/* Calls have ended, and their answers were heard. */
void s2s_lanes_fini(struct s2s *s2s)
{
	list_for_each_safe (n, &s2s->questions)
		letter_free(list_entry(n, struct letter, base.node), false);
	for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
		struct s2s_lane *l = s2s->lanes[slot];

		if (!l)
			continue;
		while (!list_empty(&l->base.items))
			letter_free(list_entry(l->base.items.next, struct letter, base.node), false);
		mem_free(l);
		s2s->lanes[slot] = NULL;
	}
}
