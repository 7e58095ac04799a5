/* SPDX-License-Identifier: Apache-2.0
 *
 * allocation: its beginning, its time and its end (RFC 8656 sections 6 to 8). */
#include "common/base/mem.h"
#include "services/turn-relay/mobility.h"

#define BURST_S 2.0 /* of the rates that an allocation may save up */

struct allocation *allocation_of(struct worker *w, const struct client *c)
{
	if (c->stream)
		return c->stream->allocation;
	return c->dtls ? *dtls_allocation(c->dtls) : table_find(w, &c->addr, c->udp);
}

static void on_expiry(struct wheel_timer *t);

/* --- its place ---------------------------------------------------------------------------------------------------- */

void allocation_enter(struct worker *w, struct allocation *a)
{
	const struct client *c = &a->client;

	a->worker = w;
	if (c->stream) {
		c->stream->allocation = a;
		stream_settled(c->stream);
	} else if (c->dtls) {
		*dtls_allocation(c->dtls) = a;
		dtls_settled(c->dtls);
	} else if (c->udp) {
		sock_from(&a->to, &c->addr);
		table_add(w, a);
	}
	list_push_back(&w->allocations, &a->node);
	w->allocation_count++;
	count_add(&w->counters, COUNT_ALLOCATIONS, 1);
}

/* Nobody is its client any more. */
static void part(struct allocation *a)
{
	const struct client c = a->client;

	a->client = (struct client){ .addr = c.addr };
	if (c.stream) {
		c.stream->allocation = NULL;
		stream_settled(c.stream);
	} else if (c.dtls) {
		*dtls_allocation(c.dtls) = NULL;
		dtls_settled(c.dtls);
	}
}

void allocation_leave(struct allocation *a)
{
	struct worker *w = a->worker;

	net_timer_cancel(w->net, &a->expiry);
	if (a->client.udp && !a->client.dtls)
		table_remove(w, a);
	part(a);
	list_remove(&a->node);
	w->allocation_count--;
	count_add(&w->counters, COUNT_ALLOCATIONS, (uint64_t)-1);
}

/* --- beginning and end -------------------------------------------------------------------------------------------- */

struct allocation *allocation_new(struct worker *w, const struct client *c, struct str account)
{
	const struct turn_config *config = w->shared->config;
	struct allocation *a = mem_new(struct allocation);

	a->client = *c;
	a->account = mem_strndup(account.p, account.n);
	a->since_ms = worker_now(w);
	a->serial = (uint64_t)w->index << 48 | ++w->serial;
	list_init(&a->dials);
	bucket_fill(&a->bytes, BURST_S * (double)config->bytes_a_second, a->since_ms);
	bucket_fill(&a->packets, BURST_S * (double)config->packets_a_second, a->since_ms);
	wheel_timer_init(&a->expiry, on_expiry);
	allocation_enter(w, a);
	return a;
}

void allocation_free(struct allocation *a)
{
	struct worker *w = a->worker;

	/* Datagrams for it that wait to go out have its sockets' numbers. */
	out_flush(w);
	tcp_relay_end(a);
	for (int i = 0; i < RELAYED_FAMILIES; i++)
		relayed_free(&a->relayed[i]);
	if (a->roaming)
		mobility_end(a);
	allocation_leave(a);
	quota_leave(w->shared->quota, str_from(a->account), &a->client.addr);
	peers_fini(&a->peers);
	mem_free(a->account);
	mem_free(a);
}

void allocation_client_gone(struct allocation *a)
{
	if (!a->roaming || a->worker->stopping) {
		allocation_free(a);
		return;
	}
	part(a);
	mobility_alone(a);
}

void allocation_drop_family(struct allocation *a, int family)
{
	out_flush(a->worker);
	relayed_free(&a->relayed[family]);
	peers_forget(&a->peers, family == RELAYED_V4);
	if (!a->relayed[RELAYED_V4] && !a->relayed[RELAYED_V6])
		allocation_free(a);
}

/* --- time --------------------------------------------------------------------------------------------------------- */

/* When the first of its relayed addresses ends. */
void allocation_watch(struct allocation *a)
{
	uint64_t now = worker_now(a->worker), first = UINT64_MAX;

	for (int i = 0; i < RELAYED_FAMILIES; i++) {
		if (a->relayed[i] && a->relayed[i]->until_ms < first)
			first = a->relayed[i]->until_ms;
	}
	net_timer_set(a->worker->net, &a->expiry, first > now ? first - now : 0);
}

uint64_t allocation_until_ms(const struct allocation *a)
{
	uint64_t last = 0;

	for (int i = 0; i < RELAYED_FAMILIES; i++) {
		if (a->relayed[i] && a->relayed[i]->until_ms > last)
			last = a->relayed[i]->until_ms;
	}
	return last;
}

static void on_expiry(struct wheel_timer *t)
{
	struct allocation *a = list_entry(t, struct allocation, expiry);
	uint64_t now = worker_now(a->worker);

	for (int i = 0; i < RELAYED_FAMILIES; i++) {
		bool last = !a->relayed[1 - i];

		if (!a->relayed[i] || a->relayed[i]->until_ms > now)
			continue;
		allocation_drop_family(a, i);
		if (last)
			return;
	}
	allocation_watch(a);
}

void allocation_set_lifetime(struct allocation *a, int family, uint32_t seconds)
{
	uint64_t until = worker_now(a->worker) + (uint64_t)seconds * 1000;

	for (int i = 0; i < RELAYED_FAMILIES; i++) {
		if (!a->relayed[i] || (family >= 0 && family != i))
			continue;
		a->relayed[i]->until_ms = until;
		if (a->tcp)
			relayed_watch(a->relayed[i]);
	}
	allocation_watch(a);
}

bool allocation_may(struct allocation *a, size_t bytes)
{
	const struct turn_config *c = a->worker->shared->config;
	uint64_t now = worker_now(a->worker);
	double rate = (double)c->bytes_a_second, packets = (double)c->packets_a_second;

	if ((rate > 0 && !bucket_take(&a->bytes, rate, BURST_S * rate, (double)bytes, now)) ||
	    (packets > 0 && !bucket_take(&a->packets, packets, BURST_S * packets, 1, now))) {
		count(&a->worker->counters, COUNT_DROP_RATE);
		return false;
	}
	return true;
}
