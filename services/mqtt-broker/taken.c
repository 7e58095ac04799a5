/* SPDX-License-Identifier: Apache-2.0
 *
 * taken: messages that clients of other brokers published: to this broker's own sessions alone. One that is sent again while the first is on its way waits for
 * that; later, sessions that do not last and groups get no second copy, as long as its name is remembered. Nor do they of one that a client of this broker
 * published, and that comes again by another broker, to which the client has gone; or the other way round. */
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "ipc/gen/mqtt.server.h"
#include "services/mqtt-broker/metrics.h"
#include "services/mqtt-broker/route.h"
#include "services/mqtt-broker/several.h"
#include "services/mqtt-broker/wire.h"

#define SETS   2048u
#define WAYS   4u
#define GROUPS 6u /* of one message, here; further ones may get it again */

struct heard {
	uint64_t origin, number;
	uint32_t groups[GROUPS]; /* hashes of those that have it; 0: free */
	bool used;
};

struct mq_taken {
	struct mq_names now; /* struct taking by key */
	struct {
		struct heard ways[WAYS];
		uint32_t next;
	} sets[SETS];
};

struct taking {
	struct str name; /* key */
	struct mq_broker *broker;
	struct ipc_call *call; /* of whom sent it last */
	struct mq_wait *wait;
	uint64_t key[2];
	Starling__MqttGroup **missed; /* owned, as their texts are */
	size_t missed_n;
	uint32_t matched;
};

struct mq_taken *mq_taken_new(void)
{
	struct mq_taken *t = mem_new(struct mq_taken);

	mq_names_init(&t->now);
	return t;
}

void mq_taken_free(struct mq_taken **t)
{
	mq_names_fini(&(*t)->now);
	mem_free(*t);
	*t = NULL;
}

/* --- names -------------------------------------------------------------------------------------------------------- */

static struct heard *find(struct mq_taken *t, uint64_t origin, uint64_t number)
{
	uint64_t key[2] = { origin, number };
	__typeof__(&t->sets[0]) set = &t->sets[hash_fnv1a64(str_make((const char *)key, sizeof(key))) % SETS];

	for (uint32_t i = 0; i < WAYS; i++) {
		if (set->ways[i].used && set->ways[i].origin == origin && set->ways[i].number == number)
			return &set->ways[i];
	}
	set->ways[set->next % WAYS].used = false;
	return &set->ways[set->next++ % WAYS];
}

static struct heard *hear(struct mq_taken *t, uint64_t origin, uint64_t number, bool *out_first)
{
	struct heard *h = find(t, origin, number);

	*out_first = !h->used;
	if (!h->used)
		*h = (struct heard){ .origin = origin, .number = number, .used = true };
	return h;
}

bool mq_taken_own(struct mq_broker *b, uint64_t origin, uint64_t number)
{
	bool first;

	hear(b->several->taken, origin, number, &first);
	return first;
}

/* Both names are of the request or the pick, the filter with its host in front. */
static uint32_t group_hash(const char *group, const char *filter)
{
	uint64_t names[2] = { hash_fnv1a64(str_from(group)), hash_fnv1a64(str_from(filter)) },
	         h = hash_fnv1a64(str_make((const char *)names, sizeof(names)));

	return (uint32_t)(h >> 32 ^ h) | 1;
}

static bool has(const struct heard *h, uint32_t group)
{
	for (uint32_t i = 0; i < GROUPS; i++) {
		if (h->groups[i] == group)
			return true;
	}
	return false;
}

static void note(struct heard *h, uint32_t group)
{
	for (uint32_t i = 0; i < GROUPS; i++) {
		if (h->groups[i] == 0) {
			h->groups[i] = group;
			return;
		}
	}
}

bool mq_taken_group_had(struct mq_broker *b, uint64_t origin, uint64_t number, const char *group, const char *filter)
{
	bool first;

	return has(hear(b->several->taken, origin, number, &first), group_hash(group, filter));
}

void mq_taken_group_note(struct mq_broker *b, uint64_t origin, uint64_t number, const char *group, const char *filter)
{
	bool first;

	note(hear(b->several->taken, origin, number, &first), group_hash(group, filter));
}

/* --- the answer --------------------------------------------------------------------------------------------------- */

static void on_there(void *ctx, enum mqtt_reason reason)
{
	struct taking *o = ctx;
	Starling__MqttPublishReply reply = STARLING__MQTT_PUBLISH_REPLY__INIT;

	mq_names_remove(&o->broker->several->taken->now, o->name);
	reply.matched = o->matched;
	reply.moved = o->wait->moved;
	reply.missed = o->missed;
	reply.n_missed = o->missed_n;
	if (reason == MQTT_SERVER_SHUTTING_DOWN)
		ipc_fail(o->call, STARLING__CODE__CODE_UNAVAILABLE, "ends");
	else if (reason >= MQTT_UNSPECIFIED_ERROR)
		ipc_fail(o->call, STARLING__CODE__CODE_INVALID, "the store refuses it");
	else
		reply_mqtt_publish(o->call, &reply);
	for (size_t i = 0; i < o->missed_n; i++)
		starling__mqtt_group__free_unpacked(o->missed[i], NULL);
	mem_free(o->missed);
	mem_free(o);
}

static void miss(struct taking *o, const Starling__MqttGroup *g)
{
	Starling__MqttGroup *copy = mem_new(Starling__MqttGroup);

	starling__mqtt_group__init(copy);
	copy->filter = mem_strdup(g->filter);
	copy->group = mem_strdup(g->group);
	o->missed = mem_realloc(o->missed, (o->missed_n + 1) * sizeof(*o->missed));
	o->missed[o->missed_n++] = copy;
}

/* --- to whom it is for -------------------------------------------------------------------------------------------- */

/* False: of a host that is none of ours. */
static bool make(struct mq_broker *b, struct ipc_call *call, const Starling__MqttPublishRequest *r, struct mq_publication *p,
                 struct mq_tenant **out_tenant)
{
	struct mq_message *m = r->message ? mq_wire_message(b, r->message, ipc_call_payload(call), out_tenant) : NULL;
	struct str id = { 0 };

	if (!m)
		return false;
	if (r->message->publisher[0])
		mq_wire_tenant(b, str_from(r->message->publisher), &id);
	*p = (struct mq_publication){
		.m = m->m, .kept = m, .expires_ms = m->expires_ms, .qos = r->message->qos & 3, .retain = r->message->retain
	};
	p->publisher = id;
	p->by = mq_peer_find(b, ipc_call_source(call));
	p->key_origin = r->key_origin;
	p->key_number = r->key_number;
	p->again = r->again;
	p->no_groups = true;
	return true;
}

/* False: it has no member here. */
static bool to_group(struct mq_tenant *t, struct mq_publication *p, const Starling__MqttGroup *g, struct mq_wait *wait)
{
	struct str filter;

	return mq_wire_tenant(t->broker, str_from(g->filter), &filter) == t && mq_publish_group(t, p, wait, str_from(g->group), filter);
}

/* How many have it now. */
static uint32_t to_groups(struct mq_tenant *t, struct mq_publication *p, const Starling__MqttPublishRequest *r, struct taking *o,
                          struct heard *h)
{
	uint32_t n = 0;

	for (size_t i = 0; i < r->n_groups; i++) {
		const Starling__MqttGroup *g = r->groups[i];
		uint32_t hash = group_hash(g->group, g->filter);

		if (has(h, hash)) {
			n++;
		} else if (to_group(t, p, g, o->wait)) {
			note(h, hash);
			n++;
		} else {
			miss(o, g);
		}
	}
	return n;
}

void on_mqtt_publish_once(struct ipc_call *call, const Starling__MqttPublishRequest *request)
{
	struct mq_broker *b = ipc_call_daemon(call);
	struct mq_publication p;
	struct mq_tenant *t;

	if (!make(b, call, request, &p, &t))
		return;
	metric_inc(&mq_metrics.peer_received);
	p.qos = 0;
	mq_publish(t, &p, NULL);
	for (size_t k = 0; k < request->n_groups; k++)
		to_group(t, &p, request->groups[k], NULL);
	mq_publication_end(&p);
}

static void take(struct mq_broker *b, struct ipc_call *call, const Starling__MqttPublishRequest *r, struct mq_publication *p,
                 struct mq_tenant *t)
{
	bool first;
	struct heard *h = hear(b->several->taken, r->key_origin, r->key_number, &first);
	struct taking *o = mem_new(struct taking);
	struct mq_wait *wait = mq_wait_new(on_there, o);

	if (first)
		metric_inc(&mq_metrics.peer_received);
	o->broker = b;
	o->call = call;
	o->wait = wait;
	o->key[0] = r->key_origin;
	o->key[1] = r->key_number;
	o->name = str_make((const char *)o->key, sizeof(o->key));
	mq_names_put(&b->several->taken->now, o);
	p->only_lasting = !first;
	p->again = r->again || !first;
	o->matched = mq_publish(t, p, wait);
	o->matched += to_groups(t, p, r, o, h);
	mq_wait_close(wait, MQTT_SUCCESS);
}

void on_mqtt_publish(struct ipc_call *call, const Starling__MqttPublishRequest *request)
{
	struct mq_broker *b = ipc_call_daemon(call);
	uint64_t key[2] = { request->key_origin, request->key_number };
	struct taking *o = mq_names_get(&b->several->taken->now, str_make((const char *)key, sizeof(key)));
	struct mq_publication p;
	struct mq_tenant *t;

	if (o) {
		ipc_fail(o->call, STARLING__CODE__CODE_TIMEOUT, "asked again");
		o->call = call;
		mq_wait_moved(o->wait); /* who asks anew may mean those that have come since it was matched */
		return;
	}
	if (!make(b, call, request, &p, &t)) {
		Starling__MqttPublishReply none = STARLING__MQTT_PUBLISH_REPLY__INIT;

		/* Nobody here can have subscribed to it. */
		reply_mqtt_publish(call, &none);
		return;
	}
	if (p.qos == 0 || key[0] == 0)
		ipc_fail(call, STARLING__CODE__CODE_INVALID, "no name, or QoS 0");
	else
		take(b, call, request, &p, t);
	mq_publication_end(&p);
}
