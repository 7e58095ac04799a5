/* SPDX-License-Identifier: Apache-2.0
 *
 * adopt_one: one session that was let go and that nobody may have taken since: its client has gone away meanwhile, or an answer was lost. The store is asked for
 * what nobody alive owns in its slot (adopt.c), as far as its name. */
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "services/mqtt-broker/lasting.h"
#include "services/mqtt-broker/several.h"
#include "services/mqtt-broker/wire.h"

#define PAGE     500u
#define RETRY_MS 512u

struct single {
	struct list_node node;
	struct mq_broker *broker;
	char *name, *after; /* the last name that was read */
	struct wheel_timer timer;
	bool again; /* it is wanted anew: what is on its way may have been too early */
};

static void ask_one(struct single *o);

static void on_single_timer(struct wheel_timer *t)
{
	ask_one(list_entry(t, struct single, timer));
}

static void single_free(struct single *o)
{
	list_remove(&o->node);
	net_timer_cancel(o->broker->net, &o->timer);
	mem_free(o->name);
	mem_free(o->after);
	mem_free(o);
}

/* The longest name that is before it: its own without the last character. */
static void start_before(struct single *o)
{
	size_t n = strlen(o->name);

	o->again = false;
	mem_free(o->after);
	while (n > 0 && ((unsigned char)o->name[n - 1] & 0xc0) == 0x80)
		n--;
	o->after = mem_strndup(o->name, n > 0 ? n - 1 : 0);
}

/* True: there may be more before its name. */
static bool take_page(struct single *o, const Starling__MqttAdoptReply *reply)
{
	bool more = !reply->complete && reply->n_sessions > 0;

	for (size_t i = 0; i < reply->n_sessions; i++) {
		mq_adopt_load(o->broker, reply->sessions[i]);
		more &= strcmp(reply->sessions[i]->name, o->name) != 0;
	}
	if (more) {
		mem_free(o->after);
		o->after = mem_strdup(reply->sessions[reply->n_sessions - 1]->name);
	}
	return more;
}

/* One that is being opened is said to be here when it is. */
static void settle_one(struct single *o)
{
	struct str id;
	struct mq_tenant *t = mq_wire_tenant(o->broker, str_from(o->name), &id);
	struct mq_session *s = t ? mq_names_get(&t->sessions, id) : NULL;

	if (s && s->lasting && s->lasting->state == MQ_LASTING_READY)
		mq_settle_name(s);
	else if (t && !s && mq_ghost_find(t, id))
		mq_ghost_elsewhere(mq_ghost_find(t, id));
}

static void on_one(const struct ipc_result *result, const Starling__MqttAdoptReply *reply, void *ctx)
{
	struct single *o = ctx;
	struct mq_broker *b = o->broker;

	if (b->stopped) {
		single_free(o);
		return;
	}
	if (!ipc_ok(result)) {
		net_timer_set(b->net, &o->timer, RETRY_MS);
		return;
	}
	if (take_page(o, reply)) {
		ask_one(o);
		return;
	}
	if (o->again) {
		start_before(o);
		ask_one(o);
		return;
	}
	settle_one(o);
	single_free(o);
	mq_adopt_look(b);
}

static void ask_one(struct single *o)
{
	struct mq_broker *b = o->broker;
	Starling__MqttAdoptRequest request = STARLING__MQTT_ADOPT_REQUEST__INIT;
	struct ipc_opts opts = mq_wire_opts(b);
	uint32_t slot = (uint32_t)(hash_fnv1a64(str_from(o->name)) % SLOT_COUNT);
	uint64_t alive[MQ_BROKERS_MAX];

	request.slots = &slot;
	request.n_slots = 1;
	request.instance = ipc_bus_instance(b->bus);
	request.alive = alive;
	request.n_alive = mq_alive(b, alive, MQ_BROKERS_MAX);
	request.after = o->after;
	request.limit = PAGE;
	call_storage_mqtt_adopt(b->bus, ipc_any("storage"), &opts, &request, on_one, o);
}

void mq_adopt_name(struct mq_broker *b, const char *name)
{
	struct single *o;

	list_for_each (n, &b->several->singles) {
		o = list_entry(n, struct single, node);
		if (strcmp(o->name, name) == 0) {
			o->again = true;
			return;
		}
	}
	o = mem_new(struct single);
	list_push_back(&b->several->singles, &o->node);
	o->broker = b;
	o->name = mem_strdup(name);
	wheel_timer_init(&o->timer, on_single_timer);
	start_before(o);
	ask_one(o);
}

void mq_adopt_names_end(struct mq_broker *b)
{
	while (!list_empty(&b->several->singles))
		single_free(list_entry(b->several->singles.next, struct single, node));
}
