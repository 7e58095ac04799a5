/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-broker/flapping.h"

#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/mqtt/index_hash.h"
#include "services/mqtt-broker/metrics.h"
#include "services/mqtt-broker/mq.h"

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

/* It is not kept for the next start: it is over soon. */
static void ban(struct mq_client *c, const struct mq_whom *whom, const char *by, struct metric *metric)
{
	struct mq_broker *b = c->broker;
	int64_t now_s = clock_wall_us() / 1000000;
	struct err e = { 0 };

	/* Perhaps it ends for one, of the operator, which is not to be made a shorter one. */
	if (mq_bans_has(&b->bans, c->session->id, c->session->user, conn_peer(c->conn), now_s))
		return;
	if (b->bans.count >= BANS_MOST) {
		log_info(mq_log(c), "not banned for connecting and ending all the time: there are %u bans already", b->bans.count);
		return;
	}
	if (mq_bans_add(&b->bans, whom, now_s + b->config->flapping_ban_ms / 1000, &e) < 0)
		return;
	metric_inc(metric);
	log_info(mq_log(c), "banned for connecting and ending all the time by=%s", by);
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

/* Who drains sends them all off itself. A client identifier is banned with its user, or else its address, so that nobody can lock out another by the name. */
void mq_flapped(struct mq_client *c)
{
	struct mq_broker *b = c->broker;
	const struct mq_config *cfg = b->config;
	char address[NET_ADDR_TEXT_MAX + 4];
	uint8_t key[16];

	if (!b->flapping || c->state != MQ_LIVE || b->draining || !c->session || !c->conn)
		return;
	network(conn_peer(c->conn), address, sizeof(address));
	net_addr_key(conn_peer(c->conn), key);
	if (counts(b, 'c', c->tenant->name, c->session->id, cfg->flapping_client))
		ban(c, &(struct mq_whom){ c->session->id.p, c->session->user, c->session->user ? NULL : address }, "client",
		    &mq_metrics.flapping_client);
	if (counts(b, 'a', STR(""), str_make(key, sizeof(key)), cfg->flapping_address))
		ban(c, &(struct mq_whom){ .address = address }, "address", &mq_metrics.flapping_address);
}
