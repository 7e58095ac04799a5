/* SPDX-License-Identifier: Apache-2.0
 *
 * spread: one message to all brokers that have somebody for it, this one included. With QoS 1 and 2 in rounds: when a session was on its way from one broker to
 * another, or a broker died, the message is matched anew once all is settled, under its name, for sessions that last and groups that nobody has taken it for.
 *
 * The messages of one publisher stay in order: none is matched by filters that came after those of one before it that is not through yet. */
#include "common/base/mem.h"
#include "services/mqtt-broker/route.h"
#include "services/mqtt-broker/several.h"

static uint32_t begin(struct mq_spread *s);

/* --- who ---------------------------------------------------------------------------------------------------------- */

struct matching {
	struct mq_several *several;
	struct mq_spread *spread;
};

static void add_peer(struct mq_several *s, struct mq_peer *p)
{
	if (p == s->self || p->match_mark == s->match_mark || s->matched_n == MQ_BROKERS_MAX)
		return;
	p->match_mark = s->match_mark;
	s->matched[s->matched_n++] = p;
}

static void on_subscription(void *ctx, const struct index_subscription *sub)
{
	struct matching *m = ctx;

	add_peer(m->several, mq_place_peer(sub));
}

/* NULL: in this round nobody is to be chosen for it. */
static struct mq_pick *pick_for(struct mq_spread *s, const struct mq_group *g)
{
	for (uint32_t i = 0; i < s->pick_n; i++) {
		if (strcmp(s->picks[i].filter, g->filter) == 0 && strcmp(s->picks[i].group, g->group) == 0)
			return s->picks[i].done ? NULL : &s->picks[i];
	}
	if (s->round > 0 && !s->open)
		return NULL;
	s->picks = mem_realloc(s->picks, (s->pick_n + 1) * sizeof(*s->picks));
	s->picks[s->pick_n] = (struct mq_pick){ .filter = mem_strdup(g->filter), .group = mem_strdup(g->group) };
	return &s->picks[s->pick_n++];
}

static void on_share(void *ctx, struct index_share *share)
{
	struct matching *m = ctx;
	const struct index_subscription *sub = mq_choose(share, m->spread);
	struct mq_pick *pick = sub ? pick_for(m->spread, mq_place_peer(sub)->groups[sub->identifier]) : NULL;

	if (!pick)
		return;
	pick->peer = mq_place_peer(sub);
	add_peer(m->several, pick->peer);
}

static void match(struct mq_spread *s)
{
	static const struct index_subs_visitor visitor = { on_subscription, on_share };
	struct matching m = { s->broker->several, s };

	m.several->match_mark++;
	m.several->matched_n = 0;
	for (uint32_t i = 0; i < s->pick_n; i++)
		s->picks[i].peer = NULL;
	index_subs_match(s->tenant->others, s->message->m.topic, &visitor, &m);
}

/* --- a round ------------------------------------------------------------------------------------------------------ */

static void picks_free(struct mq_spread *s)
{
	for (uint32_t i = 0; i < s->pick_n; i++) {
		mem_free(s->picks[i].filter);
		mem_free(s->picks[i].group);
	}
	mem_free(s->picks);
	s->picks = NULL;
	s->pick_n = 0;
}

/* Groups for which this very broker was chosen. */
static void to_own_groups(struct mq_spread *s, struct mq_publication *p)
{
	for (uint32_t i = 0; i < s->pick_n; i++) {
		struct mq_pick *pick = &s->picks[i];

		if (pick->done || pick->peer != s->broker->several->self)
			continue;
		if (mq_spread_named(s) && mq_taken_group_had(s->broker, s->key_origin, s->key_number, pick->group, pick->filter)) {
			pick->done = true;
			s->matched++;
			continue;
		}
		/* The host is the tenant's. */
		pick->done = mq_publish_group(s->tenant, p, s->wait, str_from(pick->group), str_from(pick->filter + s->tenant->name.n + 1));
		if (pick->done && mq_spread_named(s))
			mq_taken_group_note(s->broker, s->key_origin, s->key_number, pick->group, pick->filter);
		s->matched += pick->done;
		s->redo |= !pick->done && p->qos > 0;
	}
}

static void next_held(struct mq_session *from);

static void redo_add(struct mq_spread *s)
{
	list_push_back(&s->broker->several->redo, &s->again_node);
	if (s->from)
		s->from->redo_n++;
}

static void redo_remove(struct mq_spread *s)
{
	if (s->from && !list_unlinked(&s->again_node))
		s->from->redo_n--;
	list_remove(&s->again_node);
}

static void spread_free(struct mq_spread *s)
{
	struct mq_broker *b = s->broker;

	list_remove(&s->node);
	list_remove(&s->all);
	redo_remove(s);
	b->several->spread_n--;
	mq_storing(b, -(int64_t)s->bytes);
	picks_free(s);
	mq_message_unref(&s->message);
	mem_free(s);
	mq_several_count(b);
}

static void finish(struct mq_spread *s, enum mqtt_reason reason)
{
	struct mq_session *from = s->from;
	struct mq_wait *outer = s->outer;
	struct mq_broker *b = s->broker;

	spread_free(s);
	if (!list_empty(&b->several->redo))
		mq_several_look(b);
	mq_wait_close(outer, reason);
	if (from)
		next_held(from);
	mq_session_unref(&from);
}

static void on_round(void *ctx, enum mqtt_reason reason)
{
	struct mq_spread *s = ctx;
	struct mq_broker *b = s->broker;

	s->redo |= s->wait->moved || !mq_several_settled(b);
	s->wait = NULL;
	if (!s->redo || b->stopped || reason >= MQTT_UNSPECIFIED_ERROR) {
		finish(s, reason);
		return;
	}
	s->again = true;
	s->round++;
	redo_add(s);
	mq_several_look(b);
}

/* Sessions that do not last have had it: in an earlier round, or when its client sent it by another broker (intake.c). If not, they have it now. */
static bool handed_out(const struct mq_spread *s)
{
	return s->round > 0 || (mq_spread_named(s) && !mq_taken_own(s->broker, s->key_origin, s->key_number));
}

static void fill(const struct mq_spread *s, struct mq_publication *p)
{
	*p = (struct mq_publication){
		.m = s->message->m, .expires_ms = s->message->expires_ms, .qos = s->qos, .retain = s->retain, .from = s->from
	};
	p->kept = mq_message_ref(s->message);
	p->key_origin = s->key_origin;
	p->key_number = s->key_number;
	p->again = s->again;
	p->only_lasting = handed_out(s);
	p->no_groups = true;
}

/* How many it was for. Then it may be over. */
static uint32_t begin(struct mq_spread *s)
{
	struct mq_several *several = s->broker->several;
	struct mq_publication p;
	uint32_t matched;
	struct mq_wait *wait = s->wait = mq_wait_new(on_round, s);

	s->redo = !mq_several_settled(s->broker);
	s->open |= s->redo;
	fill(s, &p);
	s->matched += mq_publish(s->tenant, &p, wait);
	match(s);
	to_own_groups(s, &p);
	for (uint32_t i = 0; i < several->matched_n; i++)
		mq_pass(several->matched[i], s);
	matched = s->matched += several->matched_n;
	mq_publication_end(&p);
	mq_wait_close(wait, MQTT_SUCCESS);
	return matched;
}

/* --- order -------------------------------------------------------------------------------------------------------- */

/* Those before it are through, or are matched anew in the same pass: one of an earlier pass may wait where this one would not. */
static bool may_redo(const struct mq_spread *s)
{
	if (s->pass == s->broker->several->redo_pass)
		return false; /* it was, and wants it again */
	if (list_unlinked(&s->node))
		return true;
	for (const struct list_node *n = s->node.prev; n != &s->from->spreads; n = n->prev) {
		const struct mq_spread *before = list_entry(n, struct mq_spread, node);

		if (!list_unlinked(&before->again_node) || before->pass != s->broker->several->redo_pass)
			return false;
	}
	return true;
}

/* Once over all. True: one has begun, and behind it others may be next. */
static bool redo_some(struct mq_broker *b)
{
	struct mq_several *s = b->several;
	struct list_node now;
	bool begun = false;

	list_take(&s->redo, &now);
	while (!list_empty(&now)) {
		struct mq_spread *one = list_entry(now.next, struct mq_spread, again_node);

		redo_remove(one);
		if (!mq_several_settled(b) || !may_redo(one)) {
			redo_add(one);
			continue;
		}
		begun = true;
		one->pass = s->redo_pass;
		begin(one);
	}
	return begun;
}

void mq_spread_redo(struct mq_broker *b)
{
	struct mq_several *s = b->several;
	bool begun = false;

	s->redo_pass++;
	while (!list_empty(&s->redo) && redo_some(b))
		begun = true;
	if (begun && !list_empty(&s->redo))
		mq_several_look(b);
}

static bool may_begin(const struct mq_spread *s)
{
	const struct mq_spread *before;

	if (list_unlinked(&s->node) || s->from->spreads.next == &s->node)
		return true;
	before = list_entry(s->node.prev, struct mq_spread, node);
	return !before->held && !s->from->redo_n && before->epoch == s->broker->several->epoch &&
	       list_entry(s->from->spreads.next, struct mq_spread, node)->epoch == s->broker->several->epoch;
}

/* Those that nothing holds back any more. One that is through at once must not begin the next one within itself. */
static void next_held(struct mq_session *from)
{
	struct mq_broker *b = from->tenant->broker;
	bool more = !from->spreading && !b->stopped;

	from->spreading |= more;
	while (more) {
		more = false;
		list_for_each (n, &from->spreads) {
			struct mq_spread *s = list_entry(n, struct mq_spread, node);

			if (!s->held)
				continue;
			if (may_begin(s)) {
				s->held = false;
				s->epoch = b->several->epoch;
				begin(s);
				more = true;
			}
			break;
		}
		if (!more)
			from->spreading = false;
	}
}

/* --- beginning and end -------------------------------------------------------------------------------------------- */

/* With QoS 0 nothing waits, and nothing is kept. */
static uint32_t spread_once(struct mq_tenant *t, struct mq_publication *p)
{
	struct mq_message view = { .m = p->m, .expires_ms = p->expires_ms, .refs = 1 };
	struct mq_spread s = { .broker = t->broker, .tenant = t, .message = &view };
	struct mq_several *several = t->broker->several;
	uint32_t n;

	p->no_groups = true;
	n = mq_publish(t, p, NULL);
	match(&s);
	to_own_groups(&s, p);
	for (uint32_t i = 0; i < several->matched_n; i++)
		mq_pass_once(several->matched[i], t, p, s.picks, s.pick_n);
	n += s.matched + several->matched_n;
	picks_free(&s);
	return n;
}

uint32_t mq_spread(struct mq_tenant *t, struct mq_publication *p, struct mq_wait *wait)
{
	struct mq_broker *b = t->broker;
	struct mq_spread *s;
	uint32_t matched;

	if (p->qos == 0)
		return spread_once(t, p);
	s = mem_new(struct mq_spread);
	s->broker = b;
	s->tenant = t;
	s->message = mq_publication_keep(p);
	s->from = p->from ? mq_session_ref((struct mq_session *)(uintptr_t)p->from) : NULL;
	s->outer = wait;
	s->key_origin = p->key_origin;
	s->key_number = p->key_number;
	s->epoch = b->several->epoch;
	s->qos = p->qos;
	s->retain = p->retain;
	s->again = p->again;
	s->bytes = sizeof(*s) + mq_message_bytes(s->message);
	list_init(&s->node);
	list_init(&s->again_node);
	list_push_back(&b->several->spreads, &s->all);
	b->several->spread_n++;
	mq_storing(b, (int64_t)s->bytes);
	mq_wait_open(wait);
	if (s->from)
		list_push_back(&s->from->spreads, &s->node);
	s->held = !may_begin(s);
	if (s->held)
		return 1; /* nobody knows yet */
	/* While some sessions are nowhere, nobody knows. */
	matched = b->several->unsettled;
	matched += begin(s);
	mq_several_count(b);
	return matched;
}

void mq_spreads_end(struct mq_broker *b)
{
	struct mq_several *s = b->several;

	while (!list_empty(&s->spreads)) {
		struct mq_spread *one = list_entry(s->spreads.next, struct mq_spread, all);

		if (one->wait) {
			one->wait->fn = NULL; /* who still had it open is gone */
			one->wait = NULL;
		}
		finish(one, MQTT_SERVER_SHUTTING_DOWN);
	}
}
