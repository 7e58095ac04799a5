/* SPDX-License-Identifier: Apache-2.0 */
#include "services/proxy65/bytestream.h"

#include <string.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "services/proxy65/metrics.h"

#define TURN_BYTES (1u << 20) /* from one connection in one turn of the loop: others want their turn, too */
#define LEAST      16384u     /* with a limited rate: what is worth a system call */
#define WAKE_MS    250u

/* --- finding --- */

static struct list_node *bucket_of(struct proxy65 *proxy, const char *dst)
{
	char keyed[sizeof(proxy->seed) + SOCKS5_DST];

	memcpy(keyed, &proxy->seed, sizeof(proxy->seed));
	memcpy(keyed + sizeof(proxy->seed), dst, SOCKS5_DST);
	return &proxy->streams[hash_fnv1a64(str_make(keyed, sizeof(keyed))) % PROXY65_BUCKETS];
}

static struct bytestream *find(struct proxy65 *proxy, const char *dst)
{
	list_for_each (n, bucket_of(proxy, dst)) {
		struct bytestream *b = list_entry(n, struct bytestream, node);

		if (strcmp(b->dst, dst) == 0)
			return b;
	}
	return NULL;
}

/* --- coming and going before activation --- */

static void on_wake(struct wheel_timer *t);
static void on_idle(struct wheel_timer *t);

static struct bytestream *bytestream_new(struct proxy65 *proxy, const char *dst)
{
	struct bytestream *b = mem_new(struct bytestream);

	b->proxy = proxy;
	memcpy(b->dst, dst, SOCKS5_DST);
	wheel_timer_init(&b->wake, on_wake);
	wheel_timer_init(&b->idle, on_idle);
	list_push_back(bucket_of(proxy, dst), &b->node);
	return b;
}

static void bytestream_free(struct bytestream *b)
{
	net_timer_cancel(b->proxy->net, &b->wake);
	net_timer_cancel(b->proxy->net, &b->idle);
	list_remove(&b->node);
	mem_free(b);
}

bool bytestream_join(struct proxy65 *proxy, struct peer *peer, const char *dst)
{
	struct bytestream *b = find(proxy, dst);

	if (b && b->peers[0] && b->peers[1])
		return false;
	if (!b)
		b = bytestream_new(proxy, dst);
	b->peers[b->peers[0] ? 1 : 0] = peer;
	peer->stream = b;
	return true;
}

void bytestream_leave(struct peer *peer)
{
	struct bytestream *b = peer->stream;

	peer->stream = NULL;
	b->peers[b->peers[0] == peer ? 0 : 1] = NULL;
	if (!b->peers[0] && !b->peers[1])
		bytestream_free(b);
}

/* --- moving bytes --- */

/* With limited rates not less than is worth it: else it waits until there is more. */
static size_t budget(struct bytestream *b, uint64_t now_ms)
{
	uint64_t rate = (uint64_t)b->proxy->config->stream_rate, least = LEAST;
	uint64_t mine = rate ? (uint64_t)bucket_level(&b->tokens, (double)rate, (double)rate, now_ms) : UINT64_MAX;
	uint64_t users = user_allowance(&b->proxy->users, b->user, now_ms), all = mine < users ? mine : users, left;

	if (rate && rate / 4 < least)
		least = rate / 4;
	if (b->proxy->users.limits.rate && b->proxy->users.limits.rate / 4 < least)
		least = b->proxy->users.limits.rate / 4;
	if (all < least)
		return 0;
	left = user_left(&b->proxy->users, b->user, now_ms);
	all = left < all ? left : all;
	return all < TURN_BYTES ? (size_t)all : TURN_BYTES;
}

/* False: with them its user is over the quota. */
static bool moved(struct bytestream *b, size_t bytes, uint64_t now_ms)
{
	uint64_t rate = (uint64_t)b->proxy->config->stream_rate;

	if (bytes == 0)
		return true;
	b->bytes += bytes;
	b->last_ms = now_ms;
	metric_add(&proxy65_metrics.bytes, (double)bytes);
	if (rate)
		bucket_take(&b->tokens, (double)rate, (double)rate, (double)bytes, now_ms);
	return user_moved(&b->proxy->users, b->user, bytes, now_ms);
}

/* Nothing more comes from there, and nobody is there to read. */
static void broken(struct bytestream *b, int i)
{
	flow_end_from(&b->flows[i]);
	flow_end_to(&b->flows[!i]);
}

/* Runs the flow as far as it goes. False: the stream must end, in the way told. */
static bool run_flow(struct bytestream *b, int i, enum bytestream_end *out_how)
{
	uint64_t now_ms = net_now(b->proxy->net);
	size_t allowed = budget(b, now_ms), bytes;
	enum flow_state state = flow_run(&b->flows[i], &b->proxy->pipes, allowed, &bytes);

	*out_how = BYTESTREAM_QUOTA;
	if (!moved(b, bytes, now_ms))
		return false;
	*out_how = BYTESTREAM_BROKEN;
	switch (state) {
	case FLOW_BROKEN_FROM:
		broken(b, i);
		return true;
	case FLOW_BROKEN_TO:
		broken(b, !i);
		return true;
	case FLOW_NO_PIPE:
		log_warn(b->proxy->log, "no descriptor is left for a pipe: a stream ends");
		return false;
	case FLOW_TOKENS:
		/* That was its share of this turn: level-triggered, it is called again at once. */
		if (bytes >= TURN_BYTES)
			b->flows[i].state = FLOW_READ;
		return true;
	default:
		return true;
	}
}

static void watch(struct bytestream *b)
{
	bool shaped = false;

	for (int i = 0; i < 2; i++) {
		int events = 0;

		if (b->flows[i].state == FLOW_READ)
			events |= UV_READABLE;
		if (b->flows[!i].state == FLOW_WRITE)
			events |= UV_WRITABLE;
		shaped = shaped || b->flows[i].state == FLOW_TOKENS;
		peer_watch(b->peers[i], events);
	}
	if (shaped)
		net_timer_set(b->proxy->net, &b->wake, WAKE_MS);
}

static void run(struct bytestream *b)
{
	enum bytestream_end how;

	/* A second time where something broke meanwhile: what is there still goes out, and then the end. */
	for (int k = 0; k < 4; k++) {
		const struct flow *f = &b->flows[k & 1];

		if (k >= 2 && (!f->eof || f->state == FLOW_DONE || f->state == FLOW_WRITE))
			continue;
		if (!run_flow(b, k & 1, &how)) {
			bytestream_end(b, how);
			return;
		}
	}
	if (b->flows[0].state == FLOW_DONE && b->flows[1].state == FLOW_DONE)
		bytestream_end(b, BYTESTREAM_DONE);
	else
		watch(b);
}

static void on_wake(struct wheel_timer *t)
{
	run(list_entry(t, struct bytestream, wake));
}

void bytestream_ready(struct peer *peer, bool is_broken)
{
	struct bytestream *b = peer->stream;

	/* Reading ends by itself, behind what is still there. */
	if (is_broken)
		flow_end_to(&b->flows[b->peers[0] == peer ? 1 : 0]);
	run(b);
}

/* --- from activation to the end --- */

static void on_idle(struct wheel_timer *t)
{
	struct bytestream *b = list_entry(t, struct bytestream, idle);
	uint64_t quiet_ms = net_now(b->proxy->net) - b->last_ms, limit_ms = (uint64_t)b->proxy->config->idle_ms;

	if (quiet_ms >= limit_ms)
		bytestream_end(b, BYTESTREAM_IDLE);
	else
		net_timer_set(b->proxy->net, &b->idle, limit_ms - quiet_ms);
}

static void begin(struct bytestream *b, struct user *user)
{
	struct proxy65 *proxy = b->proxy;
	uint64_t now_ms = net_now(proxy->net);

	b->active = true;
	b->user = user;
	b->last_ms = now_ms;
	bucket_fill(&b->tokens, (double)proxy->config->stream_rate, now_ms);
	for (int i = 0; i < 2; i++) {
		b->flows[i] = (struct flow){ .from = b->peers[i]->fd, .to = b->peers[!i]->fd };
		peer_relay(b->peers[i]);
	}
	proxy->active++;
	net_timer_set(proxy->net, &b->idle, (uint64_t)proxy->config->idle_ms);
	watch(b);
}

/* XEP-0065 section 10.1: bytes from before are not delivered; and so it shows whether both are still there. */
static bool both_there(struct bytestream *b)
{
	for (int i = 0; i < 2; i++) {
		struct peer *peer = b->peers[i];
		bool last = !b->peers[!i];

		if (!peer || peer_ignore_early(peer))
			continue;
		peer_free(peer);
		if (last)
			return false; /* and the stream with it */
	}
	return b->peers[0] && b->peers[1];
}

enum activation bytestream_activate(struct proxy65 *proxy, const char *dst, struct str jid)
{
	struct bytestream *b = find(proxy, dst);
	enum user_verdict why;
	struct user *user;

	if (!b)
		return ACTIVATION_NOBODY;
	if (b->active)
		return ACTIVATION_TWICE;
	if (proxy->draining)
		return ACTIVATION_DRAINING;
	if (!both_there(b))
		return ACTIVATION_ALONE;
	user = user_enter(&proxy->users, jid, net_now(proxy->net), &why);
	if (!user)
		return why == USER_QUOTA ? ACTIVATION_QUOTA : ACTIVATION_STREAMS;
	begin(b, user);
	return ACTIVATION_OK;
}

void bytestream_end(struct bytestream *b, enum bytestream_end how)
{
	static struct metric *const counts[] = {
		[BYTESTREAM_DONE] = &proxy65_metrics.ended_done, [BYTESTREAM_BROKEN] = &proxy65_metrics.ended_broken,
		[BYTESTREAM_IDLE] = &proxy65_metrics.ended_idle, [BYTESTREAM_QUOTA] = &proxy65_metrics.ended_quota,
		[BYTESTREAM_STOP] = &proxy65_metrics.ended_stop,
	};
	struct proxy65 *proxy = b->proxy;
	struct peer *peers[2] = { b->peers[0], b->peers[1] };

	metric_inc(counts[how]);
	log_debug(proxy->log, "stream ended user=%s bytes=%llu", b->user->jid, (unsigned long long)b->bytes);
	for (int i = 0; i < 2; i++)
		flow_end_to(&b->flows[i]);
	user_leave(b->user);
	proxy->active--;
	bytestream_free(b);
	for (int i = 0; i < 2; i++)
		peer_free(peers[i]);
}
