/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-broker/queueing.h"

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "services/mqtt-broker/lasting.h"
#include "services/mqtt-broker/metrics.h"
#include "services/mqtt-broker/several.h"
#include "services/mqtt-broker/wire.h"

#define AT_ONCE      1000u /* sessions in one call (mqtt_store.proto, MqttQueueRequest) */
#define RETRY_MIN_MS 256u
#define RETRY_MAX_MS 4096u
#define EARLY_MS     64u /* it is tried sooner, when what it is to be behind has been settled */
#define STORAGES_MAX 64u

/* One session's share: a row. */
struct mq_target {
	struct list_node node; /* of the session's pending ones */
	struct mq_queueing *of;
	struct mq_session *session; /* a reference; NULL: settled */
	uint64_t seq;
	uint64_t row; /* number of the session in the store: it may end before it is told */
	uint32_t *ids;
	uint32_t id_count;
	uint8_t qos;
	bool retain;
};

struct mq_queueing {
	struct list_node node; /* of the broker's */
	struct mq_broker *broker;
	struct mq_tenant *tenant;
	struct mq_message *message;
	struct mq_wait *wait;
	struct wheel_timer retry;
	uint64_t key_origin, key_number;
	size_t bytes;
	uint32_t n, first, last; /* targets; those from first to last are being sent */
	uint32_t retry_ms;
	uint8_t qos;
	bool retain, again, doubt; /* as the publication says; a call's answer was lost */
	bool tried, early;         /* asked for more than once; it came before what it is to be behind */
	struct mq_target targets[];
};

static void on_retry(struct wheel_timer *t);

struct mq_queueing *mq_queueing_new(struct mq_tenant *t, struct mq_publication *p, uint32_t most, bool shared, struct mq_wait *wait)
{
	/* Under another name: a session may get the one beside the other. */
	const uint64_t own = shared ? UINT64_C(0x7368617265640000) : 0;
	struct mq_queueing *q = mem_zalloc(sizeof(*q) + most * sizeof(struct mq_target));
	struct mq_broker *b = t->broker;

	q->broker = b;
	q->tenant = t;
	q->message = mq_publication_keep(p);
	q->qos = p->qos;
	q->retain = p->retain;
	q->key_origin = (p->key_origin ? p->key_origin : ipc_bus_instance(b->bus)) ^ own;
	q->key_number = p->key_origin ? p->key_number : ++b->key;
	q->again = p->again;
	q->wait = wait;
	q->bytes = sizeof(*q) + mq_message_bytes(q->message);
	wheel_timer_init(&q->retry, on_retry);
	list_push_back(&b->queueings, &q->node);
	mq_wait_open(wait);
	mq_storing(b, (int64_t)q->bytes);
	return q;
}

/* --- rows --------------------------------------------------------------------------------------------------------- */

void mq_queueing_add(struct mq_queueing *q, struct mq_session *s, const struct mqtt_delivery *d)
{
	struct mq_target *t = &q->targets[q->n++];
	struct mq_lasting *l = s->lasting;

	t->of = q;
	t->session = mq_session_ref(s);
	t->seq = l->box.next_seq++;
	t->row = l->fence.session;
	t->qos = d->qos;
	t->retain = d->retain;
	t->id_count = d->subscription_id_count;
	if (t->id_count)
		t->ids = mem_memdup(d->subscription_ids, t->id_count * sizeof(uint32_t));
	list_push_back(&l->pending, &t->node);
	l->queued++;
	mq_outbox_push(&l->box, t->seq, q->message, d, (uint64_t)q->broker->config->output_bytes);
}

/* Forgets it, whatever became of it. Who was too early for it has its turn. */
static void forget(struct mq_target *t)
{
	struct list_node *next = t->node.next;

	if (!t->session->ended && next != &t->session->lasting->pending) {
		struct mq_queueing *q = list_entry(next, struct mq_target, node)->of;

		if (q->early)
			net_timer_set(q->broker->net, &q->retry, 0);
	}
	list_remove(&t->node);
	mem_free(t->ids);
	t->ids = NULL;
	mq_session_unref(&t->session);
}

static void settle(struct mq_target *t, enum mq_item_state state)
{
	struct mq_session *s = mq_session_ref(t->session);
	uint64_t seq = t->seq;

	forget(t);
	if (!s->ended) {
		if (state == MQ_ITEM_VOID && s->lasting->queued > 0)
			s->lasting->queued--;
		mq_outbox_settle(&s->lasting->box, seq, state);
		mq_stored_more(s);
	}
	mq_session_unref(&s);
}

/* The queue has a message of this name. If it may be of a call of ours whose answer was lost, the store alone knows whether it has this seq. */
static void settle_duplicate(struct mq_target *t, bool doubt)
{
	struct mq_session *s;
	uint64_t seq = t->seq;

	if (!doubt) {
		settle(t, MQ_ITEM_VOID);
		return;
	}
	s = mq_session_ref(t->session);
	forget(t);
	if (!s->ended) {
		mq_outbox_doubt(&s->lasting->box, seq);
		mq_stored_more(s);
	}
	mq_session_unref(&s);
}

/* --- the call ----------------------------------------------------------------------------------------------------- */

static void call(struct mq_queueing *q);
static void queueing_free(struct mq_queueing *q);

static void finish(struct mq_queueing *q, enum mqtt_reason reason)
{
	struct mq_wait *wait = q->wait;

	q->wait = NULL;
	mq_storing(q->broker, -(int64_t)q->bytes);
	queueing_free(q);
	mq_wait_close(wait, reason);
}

/* Whoever waits for it is told that it is over. */
static void queueing_free(struct mq_queueing *q)
{
	struct mq_wait *wait;

	for (uint32_t i = 0; i < q->n; i++) {
		if (q->targets[i].session)
			forget(&q->targets[i]);
	}
	net_timer_cancel(q->broker->net, &q->retry);
	list_remove(&q->node);
	mq_message_unref(&q->message);
	wait = q->wait;
	mem_free(q);
	mq_wait_close(wait, MQTT_SERVER_SHUTTING_DOWN);
}

void mq_queueings_end(struct mq_broker *b)
{
	while (!list_empty(&b->queueings))
		queueing_free(list_entry(b->queueings.next, struct mq_queueing, node));
}

static bool has(const uint64_t *list, size_t n, uint64_t session)
{
	for (size_t i = 0; i < n; i++) {
		if (list[i] == session)
			return true;
	}
	return false;
}

/* False: it was too early. */
static bool settle_reply(struct mq_queueing *q, struct mq_target *t, const Starling__MqttQueueReply *reply)
{
	struct mq_session *s = t->session;
	bool early = has(reply->early, reply->n_early, t->row), fenced = has(reply->fenced, reply->n_fenced, t->row);

	if (!s->ended && early)
		return false;
	if (s->ended || fenced) {
		/* It has no row here. Where the session is now, if it is, it has to be found anew. */
		if ((early || fenced) && (!s->ended || s->elsewhere))
			mq_wait_moved(q->wait);
		mq_session_ref(s);
		forget(t);
		mq_lasting_lost(s);
		mq_session_unref(&s);
	} else if (has(reply->duplicates, reply->n_duplicates, t->row)) {
		settle_duplicate(t, q->doubt);
	} else {
		settle(t, MQ_ITEM_READY);
	}
	return true;
}

uint64_t mq_pending_first(const struct mq_lasting *l)
{
	return list_empty(&l->pending) ? l->box.next_seq : list_entry(l->pending.next, struct mq_target, node)->seq;
}

static void retry(struct mq_queueing *q)
{
	q->retry_ms = q->retry_ms ? q->retry_ms * 2 : RETRY_MIN_MS;
	if (q->retry_ms > RETRY_MAX_MS)
		q->retry_ms = RETRY_MAX_MS;
	net_timer_set(q->broker->net, &q->retry, q->retry_ms);
}

static void on_retry(struct wheel_timer *t)
{
	struct mq_queueing *q = list_entry(t, struct mq_queueing, retry);

	q->tried = true;
	q->early = false;
	call(q);
}

/* The store does not take it, and will not: nobody has it by us, and its publisher is told. */
static void give_up(struct mq_queueing *q, const struct ipc_result *result)
{
	log_error(q->broker->log, "the store refuses a message: %s %s", ipc_code_name(result->code), result->text);
	for (uint32_t i = 0; i < q->n; i++) {
		if (q->targets[i].session)
			settle(&q->targets[i], MQ_ITEM_VOID);
	}
	finish(q, MQTT_IMPLEMENTATION_SPECIFIC);
}

static void on_queued(const struct ipc_result *result, const Starling__MqttQueueReply *reply, void *ctx)
{
	struct mq_queueing *q = ctx;
	bool early = false;

	if (!ipc_ok(result)) {
		metric_inc(&mq_metrics.store_failed);
		q->doubt |= mq_wire_doubtful(result->code);
		if (mq_wire_passing(result->code))
			retry(q);
		else
			give_up(q, result);
		return;
	}
	q->retry_ms = 0;
	for (uint32_t i = q->first; i < q->last; i++) {
		if (q->targets[i].session)
			early |= !settle_reply(q, &q->targets[i], reply);
	}
	if (early) {
		q->early = true;
		net_timer_set(q->broker->net, &q->retry, EARLY_MS);
		return;
	}
	q->first = q->last;
	call(q);
}

/* What nobody has answered for may not be there, or never be: a row that stood before it then would be sent before it. */
static uint64_t behind(const struct mq_target *t)
{
	const struct list_node *before = t->node.prev;

	return before == &t->session->lasting->pending ? 0 : list_entry(before, struct mq_target, node)->seq;
}

static void fill(struct mq_target *t, Starling__MqttQueued *row, Starling__MqttFence *fence)
{
	Starling__MqttQueued empty = STARLING__MQTT_QUEUED__INIT;
	Starling__MqttFence no_fence = STARLING__MQTT_FENCE__INIT;

	*fence = no_fence;
	fence->session = t->session->lasting->fence.session;
	fence->epoch = t->session->lasting->fence.epoch;
	*row = empty;
	row->fence = fence;
	row->seq = t->seq;
	row->qos = t->qos;
	row->retain = t->retain;
	row->identifiers = t->ids;
	row->n_identifiers = t->id_count;
	row->behind = behind(t);
}

/* The next targets that somebody is still there for, into rows. How many. */
static uint32_t choose(struct mq_queueing *q, Starling__MqttQueued *rows, Starling__MqttFence *fences, Starling__MqttQueued **list)
{
	uint32_t n = 0;

	for (q->last = q->first; q->last < q->n && n < AT_ONCE; q->last++) {
		struct mq_target *t = &q->targets[q->last];

		if (t->session && t->session->ended) {
			if (t->session->elsewhere)
				mq_wait_moved(q->wait);
			forget(t);
		}
		if (!t->session)
			continue;
		fill(t, &rows[n], &fences[n]);
		list[n] = &rows[n];
		n++;
	}
	return n;
}

/* All that is asked for the first time goes to the same one, so that it comes in its order. */
static struct ipc_target storage_for(const struct mq_queueing *q)
{
	const Starling__Registration *all[STORAGES_MAX];
	uint32_t n = ipc_bus_instances(q->broker->bus, "storage", all, STORAGES_MAX), best = STORAGES_MAX;
	uint64_t highest = 0;

	for (uint32_t i = 0; i < n && i < STORAGES_MAX; i++) {
		uint64_t pair[2] = { all[i]->instance, ipc_bus_instance(q->broker->bus) };
		uint64_t hash = hash_fnv1a64(str_make((const char *)pair, sizeof(pair)));

		if (all[i]->state == STARLING__INSTANCE_STATE__INSTANCE_READY && hash >= highest) {
			highest = hash;
			best = i;
		}
	}
	return q->tried || best == STORAGES_MAX ? ipc_any("storage") : ipc_instance(all[best]->instance);
}

static void call(struct mq_queueing *q)
{
	uint32_t most = q->n - q->first < AT_ONCE ? q->n - q->first : AT_ONCE;
	Starling__MqttQueueRequest request = STARLING__MQTT_QUEUE_REQUEST__INIT;
	Starling__MqttQueued *rows = mem_alloc((most + 1) * sizeof(*rows)), **list = mem_alloc((most + 1) * sizeof(*list));
	Starling__MqttFence *fences = mem_alloc((most + 1) * sizeof(*fences));
	uint32_t n = choose(q, rows, fences, list);
	struct ipc_opts opts = mq_wire_opts(q->broker);
	struct mq_wire wire;

	if (n > 0) {
		mq_wire_init(&wire, q->tenant, q->message, q->qos, q->retain, false);
		opts.payload = wire.payload;
		request.message = &wire.message;
		request.to = list;
		request.n_to = n;
		request.key_origin = q->key_origin;
		request.key_number = q->key_number;
		/* Tried again, somebody else may have been faster: its publisher, from another broker. */
		request.again = q->again || q->doubt || q->tried;
		call_storage_mqtt_queue(q->broker->bus, storage_for(q), &opts, &request, on_queued, q);
		mq_wire_fini(&wire);
	}
	mem_free(rows);
	mem_free(list);
	mem_free(fences);
	if (n == 0)
		finish(q, MQTT_SUCCESS);
}

void mq_queueing_send(struct mq_queueing *q)
{
	call(q);
}
