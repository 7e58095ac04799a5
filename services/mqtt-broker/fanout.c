/* SPDX-License-Identifier: Apache-2.0
 *
 * fanout: from one message to its receivers (MQTT 5.0 sections 3.3.4 and 4.8): first all who match, each once with its highest QoS and all its
 * subscription identifiers, then one after the other. What many get alike is written once and copied. Nobody ends meanwhile. */
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "services/mqtt-broker/lasting.h"
#include "services/mqtt-broker/metrics.h"
#include "services/mqtt-broker/queueing.h"
#include "services/mqtt-broker/rights.h"
#include "services/mqtt-broker/several.h"

#define NO_ID UINT32_MAX

struct match {
	struct mq_session *session;
	uint32_t first_id, last_id; /* in ids */
	uint8_t qos;                /* the highest of its subscriptions */
	bool retain_as_published, shared;
};

struct id {
	uint32_t id, next;
};

struct mq_fanout {
	struct match *matches;
	struct id *ids;
	uint32_t *list; /* those of one receiver */
	uint32_t n, cap, ids_n, ids_cap, list_cap;
	uint32_t ghosts; /* that matched, and arrivals: who is not served here, or not yet */
	uint64_t mark;   /* of the publication; rises */
	const struct mq_publication *p;
	struct mq_tenant *tenant;
	struct mq_wait *wait;
	struct mq_queueing *queueing[2]; /* for sessions that last: by their own subscriptions, by shared ones */
	struct {
		struct mqtt_template t;
		bool tried, usable;
	} templates[2][3][2]; /* 5.0, QoS, retain */
};

struct mq_fanout *mq_fanout_new(void)
{
	return mem_new(struct mq_fanout);
}

void mq_fanout_free(struct mq_fanout **f)
{
	if (!*f)
		return;
	mem_free((*f)->matches);
	mem_free((*f)->ids);
	mem_free((*f)->list);
	mem_free(*f);
	*f = NULL;
}

/* --- who ---------------------------------------------------------------------------------------------------------- */

static struct mq_session *session_of(const struct index_subscription *sub)
{
	return (struct mq_session *)((char *)sub->who - offsetof(struct mq_session, subscriber));
}

static uint32_t add_match(struct mq_fanout *f, struct mq_session *s)
{
	if (f->n == f->cap) {
		f->cap = f->cap ? f->cap * 2 : 64;
		f->matches = mem_realloc(f->matches, f->cap * sizeof(*f->matches));
	}
	f->matches[f->n] = (struct match){ .session = s, .first_id = NO_ID, .last_id = NO_ID };
	return f->n++;
}

static void merge(struct mq_fanout *f, struct match *m, const struct index_subscription *sub)
{
	if (sub->qos > m->qos)
		m->qos = sub->qos;
	m->retain_as_published |= sub->retain_as_published;
	if (!sub->identifier)
		return;
	if (f->ids_n == f->ids_cap) {
		f->ids_cap = f->ids_cap ? f->ids_cap * 2 : 64;
		f->ids = mem_realloc(f->ids, f->ids_cap * sizeof(*f->ids));
	}
	f->ids[f->ids_n] = (struct id){ sub->identifier, NO_ID };
	if (m->first_id == NO_ID)
		m->first_id = f->ids_n;
	else
		f->ids[m->last_id].next = f->ids_n;
	m->last_id = f->ids_n++;
}

static void on_subscription(void *ctx, const struct index_subscription *sub)
{
	struct mq_fanout *f = ctx;
	struct mq_session *s = session_of(sub);

	if (sub->no_local && (s == f->p->from || (f->p->publisher.n && str_eq(s->id, f->p->publisher))))
		return;
	if (s->ghost) {
		if (f->p->qos > 0 && sub->qos > 0) {
			mq_ghost_wait(s->ghost, f->wait);
			f->ghosts++;
		}
		return;
	}
	if (s->lasts && f->p->qos > 0 && sub->qos > 0 && mq_arrival_wait(s, f->p, f->wait)) {
		f->ghosts++;
		return;
	}
	if (s->fan_mark != f->mark) {
		s->fan_mark = f->mark;
		s->fan_at = add_match(f, s);
	}
	merge(f, &f->matches[s->fan_at], sub);
}

/* --- shared subscriptions ----------------------------------------------------------------------------------------- */

/* From `start` on the first who can take it at once; all being full, the first. */
static const struct index_subscription *next_member(const struct index_share *share, uint32_t start)
{
	const struct index_subscription *any = NULL;

	for (uint32_t i = 0; i < share->count; i++) {
		const struct index_subscription *m = &share->members[(start + i) % share->count];

		if (!m->who || session_of(m)->ghost)
			continue;
		if (!mq_deliver_blocked(session_of(m)))
			return m;
		any = any ? any : m;
	}
	return any;
}

/* What a member has not acknowledged yet; who is away comes last. */
static uint64_t load_of(const struct mq_session *s)
{
	if (!s->client)
		return UINT64_MAX - 1;
	return s->lasts ? s->lasting->queued : (uint64_t)mq_inflight_count(&s->inflight) + mq_queue_count(&s->queue);
}

static const struct index_subscription *least_inflight(const struct index_share *share, uint32_t start)
{
	const struct index_subscription *best = NULL;
	uint64_t least = UINT64_MAX;

	for (uint32_t i = 0; i < share->count; i++) {
		const struct index_subscription *m = &share->members[(start + i) % share->count];

		if (m->who && !session_of(m)->ghost && load_of(session_of(m)) < least) {
			least = load_of(session_of(m));
			best = m;
		}
	}
	return best;
}

static bool choose(struct mq_fanout *f, struct index_share *share)
{
	const struct index_subscription *m;
	enum mq_share choice = (enum mq_share)f->tenant->broker->config->share;

	if (choice == MQ_SHARE_LEAST_INFLIGHT)
		m = least_inflight(share, share->turn++);
	else
		m = next_member(share, choice == MQ_SHARE_HASH ? (uint32_t)hash_fnv1a64(f->p->m.topic) : share->turn++);
	/* Beside what the member gets by subscriptions of its own (section 4.8.2). */
	if (m) {
		uint32_t at = add_match(f, session_of(m));

		f->matches[at].shared = true;
		merge(f, &f->matches[at], m);
	}
	return m != NULL;
}

static void on_share(void *ctx, struct index_share *share)
{
	choose(ctx, share);
}

/* --- what --------------------------------------------------------------------------------------------------------- */

static struct mqtt_template *template_for(struct mq_fanout *f, unsigned version, const struct mqtt_delivery *d)
{
	bool five = version == MQTT_5;
	__typeof__(&f->templates[0][0][0]) t = &f->templates[five][d->qos][d->retain];

	if (!t->tried) {
		t->tried = true;
		t->usable = mqtt_template_init(&t->t, version, &f->p->m, d);
	}
	return t->usable ? &t->t : NULL;
}

static void drop_templates(struct mq_fanout *f)
{
	for (unsigned i = 0; i < 12; i++) {
		__typeof__(&f->templates[0][0][0]) t = &f->templates[i / 6][i / 2 % 3][i % 2];

		if (t->tried)
			mqtt_template_fini(&t->t);
		t->tried = t->usable = false;
	}
}

static void take_ids(struct mq_fanout *f, const struct match *m, struct mqtt_delivery *d)
{
	uint32_t n = 0;

	for (uint32_t at = m->first_id; at != NO_ID; at = f->ids[at].next) {
		if (n == f->list_cap) {
			f->list_cap = f->list_cap ? f->list_cap * 2 : 16;
			f->list = mem_realloc(f->list, f->list_cap * sizeof(*f->list));
		}
		f->list[n++] = f->ids[at].id;
	}
	d->subscription_ids = f->list;
	d->subscription_id_count = n;
}

static void store(struct mq_fanout *f, struct mq_publication *p, const struct match *m, const struct mqtt_delivery *d)
{
	struct mq_queueing **q = &f->queueing[m->shared];

	if (!mq_full_has_room(m->session))
		return;
	if (!*q)
		*q = mq_queueing_new(f->tenant, p, f->n, m->shared, f->wait);
	mq_queueing_add(*q, m->session, d);
}

static void deliver_one(struct mq_fanout *f, struct mq_publication *p, const struct match *m, const struct mqtt_delivery *common)
{
	struct mqtt_delivery d = *common;
	const struct mq_client *client = m->session->client;

	if (mq_withheld(m->session, p->m.topic))
		return;
	d.qos = p->qos < m->qos ? p->qos : m->qos;
	d.retain = p->retain && m->retain_as_published; /* [MQTT-3.3.1-12], -13 */
	if (m->first_id != NO_ID)
		take_ids(f, m, &d);
	if (d.qos > 0 && m->session->lasts)
		store(f, p, m, &d);
	else if (client && !p->only_lasting)
		mq_deliver(m->session, p, &d, f->n > 1 && m->first_id == NO_ID ? template_for(f, client->peer.version, &d) : NULL);
}

static struct mq_fanout *begin(struct mq_tenant *t, struct mq_publication *p, struct mq_wait *wait)
{
	struct mq_fanout *f = t->broker->fanout;

	f->mark++;
	f->n = f->ids_n = f->ghosts = 0;
	f->p = p;
	f->tenant = t;
	f->wait = wait;
	return f;
}

static uint32_t deliver(struct mq_fanout *f, struct mq_publication *p)
{
	struct mqtt_delivery common = { 0 };

	if (f->n > 0) {
		/* Whoever can get it now gets it, however short its life is. */
		mq_message_expiry(p->expires_ms, net_now(f->tenant->broker->net), &common);
		for (uint32_t i = 0; i < f->n; i++)
			deliver_one(f, p, &f->matches[i], &common);
		if (f->n > 1)
			drop_templates(f);
	}
	f->p = NULL;
	for (unsigned i = 0; i < 2; i++) {
		if (f->queueing[i])
			mq_queueing_send(f->queueing[i]);
		f->queueing[i] = NULL;
	}
	return f->n + f->ghosts;
}

uint32_t mq_publish(struct mq_tenant *t, struct mq_publication *p, struct mq_wait *wait)
{
	static const struct index_subs_visitor all = { on_subscription, on_share }, own = { on_subscription, NULL };
	struct mq_fanout *f = begin(t, p, wait);

	index_subs_match(t->subs, p->m.topic, p->no_groups ? &own : &all, f);
	return deliver(f, p);
}

bool mq_publish_group(struct mq_tenant *t, struct mq_publication *p, struct mq_wait *wait, struct str group, struct str filter)
{
	struct mq_fanout *f = begin(t, p, wait);
	struct index_share *share = index_subs_share(t->subs, group, filter);
	bool only_lasting = p->only_lasting, taken;

	if (!share)
		return false;
	/* Nobody of the group has had it. */
	p->only_lasting = false;
	taken = choose(f, share);
	deliver(f, p);
	p->only_lasting = only_lasting;
	for (uint32_t i = 0; !taken && wait && i < share->count; i++) {
		if (share->members[i].who && session_of(&share->members[i])->ghost)
			mq_ghost_wait(session_of(&share->members[i])->ghost, wait);
	}
	return taken;
}
