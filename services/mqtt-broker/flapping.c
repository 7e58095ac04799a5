/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-broker/flapping.h"

#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/mqtt/index_hash.h"
#include "ipc/gen/mqtt.server.h"
#include "services/mqtt-broker/metrics.h"
#include "services/mqtt-broker/several.h"
#include "services/mqtt-broker/wire.h"

#define SETS      2048u
#define WAYS      8u
#define KEY_MAX   512u              /* of what is hashed: the rest of a longer name does not matter */
#define BANS_MOST (MQ_BANS_MAX / 2) /* the others are the operator's */

struct counted {
	uint64_t hash; /* keyed; 0: free */
	uint64_t since_ms : 44, times : 20;
};

struct mq_flapping {
	struct index_key key;
	struct counted sets[SETS][WAYS];
};

struct mq_flapping *mq_flapping_new(void)
{
	struct mq_flapping *f = mem_new(struct mq_flapping);

	random_bytes(&f->key, sizeof(f->key));
	return f;
}

void mq_flapping_free(struct mq_flapping **f)
{
	mem_free(*f);
	*f = NULL;
}

/* How little is lost with it. */
static uint64_t worth(const struct counted *it, uint64_t now_ms, uint64_t window_ms)
{
	return it->hash && now_ms - it->since_ms <= window_ms ? it->times : 0;
}

/* Its place, or that of whoever has been counted least, and of those, longest ago. So nobody is forgotten for many others who come once. */
static struct counted *find(struct mq_flapping *f, uint64_t hash, uint64_t now_ms, uint64_t window_ms)
{
	struct counted *set = f->sets[(hash >> 1) % SETS], *least = &set[0];

	for (uint32_t i = 0; i < WAYS; i++) {
		uint64_t one = worth(&set[i], now_ms, window_ms), other = worth(least, now_ms, window_ms);

		if (set[i].hash == hash)
			return &set[i];
		if (one < other || (one == other && set[i].since_ms < least->since_ms))
			least = &set[i];
	}
	return least;
}

bool mq_flapping_count(struct mq_flapping *f, struct str name, uint64_t now_ms, uint64_t window_ms, uint32_t limit)
{
	uint64_t hash = index_siphash(&f->key, name, 1, 3) | 1;
	struct counted *it = find(f, hash, now_ms, window_ms);

	if (it->hash != hash || now_ms - it->since_ms > window_ms)
		*it = (struct counted){ .hash = hash, .since_ms = now_ms };
	if (++it->times <= limit)
		return false;
	*it = (struct counted){ 0 };
	return true;
}

/* --- the broker --------------------------------------------------------------------------------------------------- */

void mq_flapping_configure(struct mq_broker *b)
{
	const struct mq_config *cfg = b->config;
	bool on = cfg->flapping_client || cfg->flapping_address;

	if (on && !b->flapping)
		b->flapping = mq_flapping_new();
	else if (!on)
		mq_flapping_free(&b->flapping);
}

static bool counts(struct mq_broker *b, char kind, struct str host, struct str text, int64_t limit)
{
	char name[KEY_MAX];
	size_t n = 0;

	if (limit == 0)
		return false;
	name[n++] = kind;
	if (host.n < sizeof(name) - n) {
		memcpy(name + n, host.p, host.n);
		n += host.n;
	}
	name[n++] = '/';
	if (text.n > sizeof(name) - n)
		text.n = sizeof(name) - n;
	memcpy(name + n, text.p, text.n);
	return mq_flapping_count(b->flapping, str_make(name, n + text.n), net_now(b->net), (uint64_t)b->config->flapping_window_ms,
	                         (uint32_t)limit);
}

/* A connection that has ended, of this broker or another. */
struct flapped {
	const struct log_ctx *log;
	struct mq_tenant *tenant;
	struct str id;
	const char *user; /* NULL: none */
	const struct net_addr *address;
};

/* It is not kept for the next start: it is over soon. */
static void ban(const struct flapped *o, const struct mq_whom *whom, const char *by, struct metric *metric)
{
	struct mq_broker *b = o->tenant->broker;
	int64_t now_s = clock_wall_us() / 1000000;
	struct err e = { 0 };

	/* Perhaps it ends for one, of the operator, which is not to be made a shorter one. */
	if (mq_bans_has(&b->bans, o->id, o->user, o->address, now_s))
		return;
	if (b->bans.count >= BANS_MOST) {
		log_info(o->log, "not banned for connecting and ending all the time: there are %u bans already", b->bans.count);
		return;
	}
	if (mq_bans_add(&b->bans, whom, now_s + b->config->flapping_ban_ms / 1000, &e) < 0)
		return;
	metric_inc(metric);
	log_info(o->log, "banned for connecting and ending all the time by=%s", by);
}

/* As it is counted: the address, or the /64 of an IPv6 address. */
static const char *network(const struct net_addr *a, char *out, size_t n)
{
	char text[NET_ADDR_TEXT_MAX];
	struct net_addr low = *a;

	if (net_addr_is_v4(a))
		return net_addr_text(a, out);
	memset(low.ip + 8, 0, 8);
	snprintf(out, n, "%s/64", net_addr_text(&low, text));
	return out;
}

/* A client identifier is banned with its user, or else its address, so that nobody can lock out another by the name. */
static void count(const struct flapped *o)
{
	struct mq_broker *b = o->tenant->broker;
	char address[NET_ADDR_TEXT_MAX + 4];
	uint8_t key[16];

	network(o->address, address, sizeof(address));
	net_addr_key(o->address, key);
	if (counts(b, 'c', o->tenant->name, o->id, b->config->flapping_client))
		ban(o, &(struct mq_whom){ o->id.p, o->user, o->user ? NULL : address }, "client", &mq_metrics.flapping_client);
	if (counts(b, 'a', STR(""), str_make((const char *)key, sizeof(key)), b->config->flapping_address))
		ban(o, &(struct mq_whom){ .address = address }, "address", &mq_metrics.flapping_address);
}

static void tell(const struct flapped *o)
{
	struct mq_broker *b = o->tenant->broker;
	Starling__MqttFlappedEvent event = STARLING__MQTT_FLAPPED_EVENT__INIT;
	struct ipc_opts opts = mq_wire_opts(b);
	char *name = mq_wire_name(o->tenant, o->id);

	event.name = name;
	event.user = (char *)(uintptr_t)(o->user ? o->user : "");
	event.address = (ProtobufCBinaryData){ sizeof(o->address->ip), (uint8_t *)(uintptr_t)o->address->ip };
	list_for_each (n, &b->several->peers)
		send_mqtt_flapped(b->bus, ipc_instance(list_entry(n, struct mq_peer, node)->instance), &opts, &event);
	mem_free(name);
}

/* Who drains sends them all off itself. */
void mq_flapped(struct mq_client *c)
{
	struct flapped o;

	if (!c->broker->flapping || c->state != MQ_LIVE || c->broker->draining || !c->session || !c->conn)
		return;
	o = (struct flapped){ mq_log(c), c->tenant, c->session->id, c->session->user, conn_peer(c->conn) };
	count(&o);
	tell(&o);
}

void on_mqtt_flapped(struct ipc_call *call, const Starling__MqttFlappedEvent *event)
{
	struct mq_broker *b = ipc_call_daemon(call);
	struct net_addr address = { 0 };
	struct flapped o = { .log = b->log, .user = event->user[0] ? event->user : NULL, .address = &address };

	o.tenant = mq_wire_tenant(b, str_from(event->name), &o.id);
	if (!b->flapping || !o.tenant || event->address.len != sizeof(address.ip))
		return;
	memcpy(address.ip, event->address.data, sizeof(address.ip));
	count(&o);
}
