/* SPDX-License-Identifier: Apache-2.0
 *
 * link: what goes from one local domain to one remote domain, in order. The items of a link are first those that were sent, then those that wait; rows that
 * are in the store alone come behind them, and what comes while there are such rows goes behind those. */
#include "services/s2s/s2s.h"

#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "services/s2s/metrics.h"

#define FETCH_BELOW 200u /* so few items, and the next page comes from the store */

/* --- the table ---------------------------------------------------------------------------------------------------- */

static struct list_node *bucket(const struct s2s *s2s, struct str local, struct str remote)
{
	uint64_t h = hash_fnv1a64(remote) * 31 + hash_fnv1a64(local);

	return &s2s->buckets[(h ^ h >> 32) % S2S_BUCKETS];
}

struct s2s_link *s2s_link_find(const struct s2s *s2s, struct str local, struct str remote)
{
	list_for_each (n, bucket(s2s, local, remote)) {
		struct s2s_link *l = list_entry(n, struct s2s_link, of_bucket);

		if (str_is(remote, l->remote) && str_is(local, l->local))
			return l;
	}
	return NULL;
}

struct s2s_link *s2s_link_get(struct s2s *s2s, struct str local, struct str remote)
{
	struct s2s_link *l = s2s_link_find(s2s, local, remote);

	if (l)
		return l;
	l = mem_new(struct s2s_link);
	l->s2s = s2s;
	l->local = mem_strndup(local.p, local.n);
	l->remote = mem_strndup(remote.p, remote.n);
	l->slot = hash_slot(remote);
	l->queue = mem_alloc(local.n + remote.n + 2);
	snprintf(l->queue, local.n + remote.n + 2, "%s/%s", l->remote, l->local);
	l->log = (struct log_ctx){ .parent = s2s->log, .key = "remote", .value = l->remote };
	l->since_ms = net_now(s2s->net);
	list_init(&l->items);
	list_init(&l->leftovers);
	list_init(&l->verifies);
	list_push_back(&s2s->links, &l->node);
	list_push_back(bucket(s2s, local, remote), &l->of_bucket);
	s2s->link_count++;
	s2s->slots[l->slot].links++;
	return l;
}

void s2s_link_free(struct s2s_link *l)
{
	struct s2s *s2s = l->s2s;
	uint32_t slot = l->slot;

	s2s_attempt_cancel(l);
	s2s_dialback_fail(l, "remote-connection-failed");
	list_remove(&l->node);
	list_remove(&l->of_bucket);
	s2s->link_count--;
	s2s->slots[slot].links--;
	mem_free(l->local);
	mem_free(l->remote);
	mem_free(l->queue);
	mem_free(l);
	if (!s2s->stopped)
		s2s_owner_left(s2s, slot);
}

/* The one place where a link's state changes. */
void s2s_link_set_state(struct s2s_link *l, enum s2s_link_state state)
{
	l->state = (uint8_t)state;
	l->since_ms = net_now(l->s2s->net);
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

/* From the end that is nearer: as a rule hundreds are sent, and one waits. */
static struct list_node *first_waiting(struct s2s_link *l)
{
	uint32_t waiting = l->count - l->sent;
	struct list_node *n = &l->items;

	if (l->sent < waiting) {
		for (uint32_t i = 0; i <= l->sent; i++)
			n = n->next;
		return n;
	}
	for (uint32_t i = 0; i < waiting; i++)
		n = n->prev;
	return n;
}

static void send_waiting(struct s2s_link *l)
{
	const struct s2s_config *c = l->s2s->config;
	struct s2s_stream *s = l->out;
	struct list_node *n = first_waiting(l);

	while (n != &l->items && l->sent < (uint64_t)c->unacked && conn_queued(s->conn) < (size_t)c->output_bytes) {
		struct s2s_item *i = list_entry(n, struct s2s_item, node);

		n = n->next;
		if (i->drop)
			return; /* rows that only the store has come before it */
		/* Without stream management nothing but the store keeps it until the other server has answered; what means nothing when it is late goes as it is. */
		if (!s->managed && !i->spool_id && s2s_item_keeps(i)) {
			s2s_spool_append(l, 0);
			return;
		}
		s2s_write(s, i);
		i->state = S2S_ITEM_SENT;
		l->sent++;
	}
}

void s2s_link_pump(struct s2s_link *l)
{
	if (l->s2s->stopped)
		return;
	if (l->more_in_store && l->count < FETCH_BELOW)
		s2s_spool_fetch(l);
	if (l->out && l->state == S2S_LINK_OPEN) {
		if (s2s_stream_speaks(l->out))
			send_waiting(l);
		return;
	}
	if ((l->state == S2S_LINK_IDLE || (l->state == S2S_LINK_RESTING && l->verify_count > 0 && l->failures < 2)) &&
	    (l->count > l->sent || l->verify_count > 0 || l->more_in_store))
		s2s_attempt_start(l);
}

void s2s_link_push(struct s2s_link *l, struct s2s_item *i)
{
	list_push_back(&l->items, &i->node);
	l->count++;
	/* Behind what only the store has. */
	if (l->more_in_store || l->dropping > 0 || l->count > (uint64_t)l->s2s->config->link_stanzas) {
		i->drop = true;
		l->dropping++;
		s2s_spool_append(l, 0);
	} else {
		s2s_link_pump(l);
	}
}

/* Sent again by an owner whose call has ended without an answer, here or at an instance that died when it had a row. */
struct s2s_item *s2s_link_known(const struct s2s_link *l, const Starling__RouteRequest *r)
{
	const struct list_node *const lists[] = { &l->items, &l->leftovers };

	for (size_t k = 0; k < 2 && r->again && r->key_stream && !l->leaving_ms; k++) {
		list_for_each (n, lists[k]) {
			struct s2s_item *i = list_entry(n, struct s2s_item, node);

			if (i->key_number == r->key_number && i->key_stream == r->key_stream && strcmp(i->meta.to, r->meta->to) == 0)
				return i;
		}
	}
	return NULL;
}

/* The first that was sent is with the other server. */
void s2s_link_acked(struct s2s_link *l)
{
	struct s2s_item *i = list_empty(&l->items) ? NULL : list_entry(l->items.next, struct s2s_item, node);

	if (i && i->state == S2S_ITEM_SENT)
		s2s_item_done(i);
}

/* --- streams come and go ------------------------------------------------------------------------------------------ */

void s2s_link_open(struct s2s_link *l, struct s2s_stream *s)
{
	l->out = s;
	s2s_attempt_cancel(l);
	l->failures = 0;
	l->error[0] = '\0';
	s2s_link_set_state(l, S2S_LINK_OPEN);
	log_info(&s->log, "stream to %s from %s proof=%s %s%s%s", l->remote, l->local,
	         s->proof == S2S_PROOF_CERTIFICATE ? "certificate" : "dialback",
	         conn_tls(s->conn) ? SSL_get_version(conn_tls(s->conn)) : "in clear", s->managed ? ", managed" : "",
	         s->bidi ? ", both ways" : "");
	s2s_dialback_ask(l);
	s2s_link_pump(l);
}

/* An answer to a question, or a presence, that comes minutes late is worse than none. */
static void drop_stale(struct s2s_link *l)
{
	list_for_each_safe (n, &l->items) {
		struct s2s_item *i = list_entry(n, struct s2s_item, node);

		if (s2s_item_keeps(i))
			continue;
		if (i->meta.kind == STARLING__STANZA_KIND__STANZA_PRESENCE)
			s2s_item_done(i);
		else
			s2s_item_bounce(i, "remote-server-timeout", l->error);
	}
}

static void rest(struct s2s_link *l)
{
	const struct s2s_config *c = l->s2s->config;
	uint64_t wait = (uint64_t)c->retry_min_ms << (l->failures < 16 ? l->failures : 16);

	if (wait > (uint64_t)c->retry_max_ms)
		wait = (uint64_t)c->retry_max_ms;
	l->failures++;
	l->next_ms = net_now(l->s2s->net) + wait / 2 + random_u64() % (wait / 2 + 1);
	s2s_link_set_state(l, S2S_LINK_RESTING);
}

/* Sent and not acknowledged: over the next stream, and marked, since it may have arrived. */
static void take_back(struct s2s_link *l)
{
	list_for_each (n, &l->items) {
		struct s2s_item *i = list_entry(n, struct s2s_item, node);

		if (i->state != S2S_ITEM_SENT)
			break;
		i->state = S2S_ITEM_WAITING;
		i->again = true;
	}
	l->sent = 0;
}

void s2s_link_lost(struct s2s_link *l, const char *why)
{
	bool was_open = l->state == S2S_LINK_OPEN;

	l->out = NULL;
	take_back(l);
	if (was_open) {
		s2s_link_set_state(l, S2S_LINK_IDLE);
		s2s_link_pump(l);
		return;
	}
	if (s2s_attempt_next(l))
		return;
	s2s_attempt_cancel(l);
	s2s_link_failed(l, why, false);
}

/* None of the ways to the other server led there. decided: there is no such server. */
void s2s_link_failed(struct s2s_link *l, const char *why, bool decided)
{
	snprintf(l->error, sizeof(l->error), "%s", why);
	log_info(&l->log, "no stream to %s: %s failures=%u", l->remote, why, (unsigned)l->failures + 1);
	metric_inc(&s2s_metrics.failed);
	rest(l);
	s2s_dialback_fail(l, decided ? "remote-server-not-found" : "remote-connection-failed");
	if (!decided) {
		drop_stale(l);
		return;
	}
	list_for_each_safe (n, &l->items)
		s2s_item_bounce(list_entry(n, struct s2s_item, node), "remote-server-not-found", why);
	l->hopeless = l->more_in_store;
	if (l->hopeless)
		s2s_spool_fetch(l);
}

bool s2s_link_wake(struct s2s_link *l)
{
	if (l->state != S2S_LINK_RESTING)
		return false;
	l->failures = 0;
	l->next_ms = net_now(l->s2s->net);
	return true;
}

/* --- time --------------------------------------------------------------------------------------------------------- */

static void expire(struct s2s_link *l)
{
	int64_t before = clock_wall_us() - l->s2s->config->spool_age_ms * 1000;

	list_for_each_safe (n, &l->items) {
		struct s2s_item *i = list_entry(n, struct s2s_item, node);

		if (i->time_us >= before)
			break;
		if (i->state == S2S_ITEM_WAITING)
			s2s_item_bounce(i, "remote-server-timeout", l->error);
	}
}

static bool over(const struct s2s_link *l, uint64_t now_ms)
{
	return l->count == 0 && l->verify_count == 0 && !l->out && !l->attempt && !l->more_in_store && !l->fetching && l->appending == 0 &&
	       l->unsure == 0 && (l->state != S2S_LINK_RESTING || now_ms >= l->next_ms);
}

/* False: it is gone. */
void s2s_link_tick(struct s2s_link *l, uint64_t now_ms)
{
	if (l->leaving_ms) {
		s2s_link_leave_tick(l, now_ms);
		return;
	}
	s2s_dialback_expire(l, now_ms);
	expire(l);
	s2s_spool_append(l, (uint64_t)l->s2s->config->spool_after_ms);
	if (l->state == S2S_LINK_RESTING && now_ms >= l->next_ms) {
		if (over(l, now_ms)) {
			s2s_link_free(l);
			return;
		}
		s2s_link_set_state(l, S2S_LINK_IDLE);
	}
	if (l->state == S2S_LINK_IDLE && over(l, now_ms))
		s2s_link_free(l);
	else
		s2s_link_pump(l);
}
