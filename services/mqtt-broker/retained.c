/* SPDX-License-Identifier: Apache-2.0
 *
 * retained: the last message of each topic that was published to be retained (MQTT 5.0 section 3.3.1.3), in memory, and how new subscriptions get
 * those that they match: in parts, so much in a turn of the loop, and no faster than the client takes them. */
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "services/mqtt-broker/lasting.h"
#include "services/mqtt-broker/metrics.h"
#include "services/mqtt-broker/rights.h"

#define READ_AT_ONCE  16u  /* messages */
#define STEPS_AT_ONCE 256u /* nodes of the tree */
#define READS_A_TURN  16u
#define GONE          4096u

struct mq_retained {
	struct mq_message *message;
	uint64_t version; /* 0: the store has not said it yet; then it is the latest */
	uint8_t qos;
};

/* The versions of messages that were taken away, by the hash of host and topic: what comes late must not bring one back. */
struct mq_retained_gone {
	uint64_t hash, version;
};

static void drop(struct mq_tenant *t, struct mq_retained *r)
{
	if (!r)
		return;
	t->retained_bytes -= mq_message_bytes(r->message);
	mq_message_unref(&r->message);
	mem_free(r);
}

static void free_value(void *value)
{
	struct mq_retained *r = value;

	mq_message_unref(&r->message);
	mem_free(r);
}

void mq_retained_free(struct mq_tenant *t)
{
	index_retained_free(&t->retained, free_value);
	mem_free(t->retained_gone);
}

static struct mq_retained_gone *gone_at(struct mq_tenant *t, struct str topic, uint64_t *out_hash)
{
	*out_hash = hash_fnv1a64(topic);
	if (!t->retained_gone)
		t->retained_gone = mem_zalloc(GONE * sizeof(*t->retained_gone));
	return &t->retained_gone[*out_hash % GONE];
}

static bool has_room(const struct mq_tenant *t, size_t more)
{
	const struct mq_config *cfg = t->broker->config;

	return index_retained_count(t->retained) < (uint64_t)cfg->retained_messages &&
	       t->retained_bytes + more <= (uint64_t)cfg->retained_bytes;
}

bool mq_retained_set(struct mq_tenant *t, struct mq_publication *p)
{
	struct mq_retained *r;
	void *old = NULL;

	if (p->m.props_and_payload.n == p->m.props_size) { /* [MQTT-3.3.1-6] */
		drop(t, index_retained_remove(t->retained, p->m.topic));
		return true;
	}
	if (!index_retained_get(t->retained, p->m.topic) && !has_room(t, p->m.topic.n + p->m.props_and_payload.n)) {
		metric_inc(&mq_metrics.dropped_retained);
		return false;
	}
	r = mem_new(struct mq_retained);
	r->message = mq_publication_keep(p);
	r->qos = p->qos;
	t->retained_bytes += mq_message_bytes(r->message);
	if (!index_retained_set(t->retained, p->m.topic, r, &old)) {
		drop(t, r);
		return false;
	}
	drop(t, old);
	return true;
}

void mq_retained_drop(struct mq_tenant *t, struct str topic)
{
	drop(t, index_retained_remove(t->retained, topic));
}

static bool is_older(struct mq_tenant *t, struct str topic, uint64_t version)
{
	const struct mq_retained *r = index_retained_get(t->retained, topic);
	uint64_t hash;
	const struct mq_retained_gone *g;

	/* One that is on its way to the store is the latest, until its version says otherwise. */
	if (r)
		return r->version == 0 || r->version >= version;
	g = gone_at(t, topic, &hash);
	return g->hash == hash && g->version >= version;
}

static void remember_gone(struct mq_tenant *t, struct str topic, uint64_t version)
{
	uint64_t hash;
	struct mq_retained_gone *g = gone_at(t, topic, &hash);

	if (g->hash != hash || g->version < version)
		*g = (struct mq_retained_gone){ hash, version };
}

void mq_retained_load(struct mq_tenant *t, struct mq_message *m, unsigned qos, uint64_t version)
{
	struct mq_retained *r;
	void *old = NULL;

	if (is_older(t, m->m.topic, version)) {
		mq_message_unref(&m);
		return;
	}
	if (m->m.props_and_payload.n == m->m.props_size) {
		remember_gone(t, m->m.topic, version);
		drop(t, index_retained_remove(t->retained, m->m.topic));
		mq_message_unref(&m);
		return;
	}
	r = mem_new(struct mq_retained);
	r->message = m;
	r->qos = (uint8_t)qos;
	r->version = version;
	t->retained_bytes += mq_message_bytes(m);
	if (!index_retained_set(t->retained, m->m.topic, r, &old))
		old = r;
	drop(t, old);
}

void mq_retained_version(struct mq_tenant *t, struct str topic, uint64_t version, bool gone)
{
	struct mq_retained *r = index_retained_get(t->retained, topic);

	if (gone)
		remember_gone(t, topic, version);
	if (r && r->version < version && gone)
		drop(t, index_retained_remove(t->retained, topic));
	else if (r && r->version < version)
		r->version = version;
}

/* --- to new subscriptions ----------------------------------------------------------------------------------------- */

static void replay_free(struct mq_replay *r)
{
	index_retained_close(&r->cursor);
	list_remove(&r->node);
	mem_free(r);
}

static void replays_free(struct mq_replays *all)
{
	all->session->replays = NULL;
	list_remove(&all->node);
	mem_free(all);
}

void mq_replay_begin(struct mq_session *s, struct str filter, unsigned qos, uint32_t identifier)
{
	struct index_retained_cursor *cursor = index_retained_open(s->tenant->retained, filter);
	struct mq_replay *r;

	if (!cursor)
		return;
	if (!s->replays) {
		s->replays = mem_new(struct mq_replays);
		s->replays->session = s;
		list_init(&s->replays->all);
		list_init(&s->replays->node);
	}
	r = mem_new(struct mq_replay);
	r->cursor = cursor;
	r->qos = (uint8_t)qos;
	r->identifier = identifier;
	list_push_back(&s->replays->all, &r->node);
	mq_replay_wake(s);
}

void mq_replay_end(struct mq_session *s)
{
	if (!s->replays)
		return;
	list_for_each_safe (n, &s->replays->all)
		replay_free(list_entry(n, struct mq_replay, node));
	replays_free(s->replays);
}

static bool waits(const struct mq_session *s)
{
	return mq_queue_count(&s->queue) > 0 || (s->lasts && (s->lasting->box.count > 0 || s->lasting->box.behind)) ||
	       mq_deliver_blocked(s);
}

void mq_replay_wake(struct mq_session *s)
{
	struct mq_broker *b = s->tenant->broker;

	if (!s->replays || !list_unlinked(&s->replays->node) || waits(s))
		return;
	list_push_back(&b->replays, &s->replays->node);
	net_defer(b->net, &b->replay_task);
}

static void deliver_one(struct mq_session *s, const struct mq_replay *replay, struct mq_retained *r)
{
	struct mqtt_delivery d = { .qos = replay->qos < r->qos ? replay->qos : r->qos, .retain = true }; /* [MQTT-3.3.1-8] */
	struct mq_publication p = { .m = r->message->m, .expires_ms = r->message->expires_ms, .asked = true };

	if (mq_withheld(s, r->message->m.topic))
		return;
	if (!mq_message_expiry(p.expires_ms, net_now(s->tenant->broker->net), &d)) {
		struct str topic = r->message->m.topic;

		metric_inc(&mq_metrics.dropped_expired);
		drop(s->tenant, index_retained_remove(s->tenant->retained, topic));
		return;
	}
	p.kept = mq_message_ref(r->message);
	d.subscription_ids = &replay->identifier;
	d.subscription_id_count = replay->identifier != 0;
	mq_deliver(s, &p, &d, NULL);
	mq_publication_end(&p);
}

static void read_some(struct mq_replays *all)
{
	struct mq_replay *r = list_entry(all->all.next, struct mq_replay, node);
	struct mq_session *s = all->session;
	void *values[READ_AT_ONCE];
	/* What is read must be sent: no more than the window has room for. */
	uint32_t room = s->receive_max - mq_inflight_count(&s->inflight);
	size_t n = index_retained_read(r->cursor, values, r->qos && room < READ_AT_ONCE ? room : READ_AT_ONCE, STEPS_AT_ONCE);

	for (size_t i = 0; i < n; i++)
		deliver_one(s, r, values[i]);
	if (index_retained_done(r->cursor))
		replay_free(r);
	if (list_empty(&all->all))
		replays_free(all);
}

/* By turns, one part each. */
void mq_replay_on_task(struct net_task *t)
{
	struct mq_broker *b = (struct mq_broker *)((char *)t - offsetof(struct mq_broker, replay_task));

	for (unsigned i = 0; i < READS_A_TURN && !list_empty(&b->replays); i++) {
		struct mq_replays *next = list_entry(b->replays.next, struct mq_replays, node);
		struct mq_session *s = next->session;

		list_remove(&next->node);
		read_some(next);
		if (s->replays && !waits(s))
			list_push_back(&b->replays, &s->replays->node);
	}
	if (!list_empty(&b->replays))
		net_defer(b->net, &b->replay_task);
}
