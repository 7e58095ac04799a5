/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/session.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "services/session-manager/account.h"
#include "services/session-manager/edge.h"
#include "services/session-manager/ownership.h"
#include "services/session-manager/sm.h"

struct session *session_find(struct sm *sm, uint64_t stream)
{
	for (struct table_node *n = table_first(&sm->streams, table_hash_u64(stream)); n; n = table_next(n)) {
		struct session *s = table_entry(n, struct session, by_stream);

		if (s->stream == stream)
			return s;
	}
	return NULL;
}

struct session *session_by_resource(struct account *a, struct str resource)
{
	list_for_each (n, &a->sessions) {
		struct session *s = list_entry(n, struct session, of_account);

		if (str_eq(s->resource, resource))
			return s;
	}
	return NULL;
}

struct session *session_new(struct account *a, struct str resource, uint64_t stream, uint64_t edge_instance)
{
	struct session *s = mem_new(struct session);

	s->account = a;
	s->stream = stream;
	s->full_text = mem_alloc(a->bare.n + resource.n + 2);
	memcpy(s->full_text, a->bare.p, a->bare.n);
	s->full_text[a->bare.n] = '/';
	memcpy(s->full_text + a->bare.n + 1, resource.p, resource.n);
	s->full_text[a->bare.n + 1 + resource.n] = '\0';
	s->full = str_make(s->full_text, a->bare.n + 1 + resource.n);
	s->resource = str_make(s->full_text + a->bare.n + 1, resource.n);
	s->since_us = clock_wall_us();
	list_init(&s->progress);
	list_init(&s->unsaved);
	list_init(&s->lazy);
	list_init(&s->behind);
	list_init(&s->services_node);
	list_push_back(&a->sessions, &s->of_account);
	s->edge = edge_get(a->sm, edge_instance);
	list_push_back(&s->edge->sessions, &s->of_edge);
	table_insert(&a->sm->streams, &s->by_stream, table_hash_u64(stream));
	account_touch(a);
	return s;
}

/* Without a record that says since when: a record that an edge kept (Edge.Remember) may be old. */
#define RECORD_MS 3600000u
/* Clocks of two machines, and of the store. */
#define CLOCKS_MS 60000u

/* That was done before we took the slot, and before the client's connection ended. */
static uint64_t guess(const struct session *s, uint64_t now)
{
	uint64_t ago = now - ownership_since_ms(s->account->sm, s->account->slot), parked = 0;
	int64_t parked_us = s->parked_until_us - s->resume_s * INT64_C(1000000), wall_us = clock_wall_us();

	if (s->parked_until_us && parked_us < wall_us)
		parked = (uint64_t)(wall_us - parked_us) / 1000;
	ago = (parked > ago ? parked : ago) + RECORD_MS;
	return ago < now ? now - ago : 1;
}

void session_expect_again(struct session *s)
{
	uint64_t now = clock_mono_ms(), since = window_since(&s->window, now);

	s->tried = s->window.accepted + WINDOW_SIZE;
	if (since == 0)
		s->tried_since_ms = guess(s, now);
	else
		s->tried_since_ms = since > CLOCKS_MS ? since - CLOCKS_MS : 1;
}

void session_move(struct session *s, uint64_t edge_instance)
{
	struct edge *old = s->edge;

	if (old->instance == edge_instance)
		return;
	list_remove(&s->of_edge);
	if (!list_unlinked(&s->progress))
		list_remove(&s->progress);
	if (!list_unlinked(&s->behind))
		list_remove(&s->behind);
	s->edge = edge_get(s->account->sm, edge_instance);
	list_push_back(&s->edge->sessions, &s->of_edge);
	edge_drop_if_unused(s->account->sm, old);
}

void session_free(struct session *s)
{
	struct account *a = s->account;

	while (s->directed) {
		struct directed *d = s->directed;

		s->directed = d->next;
		mem_free(d);
	}
	table_remove(&a->sm->streams, &s->by_stream);
	list_remove(&s->of_account);
	list_remove(&s->of_edge);
	if (!list_unlinked(&s->progress))
		list_remove(&s->progress);
	if (!list_unlinked(&s->unsaved))
		list_remove(&s->unsaved);
	if (!list_unlinked(&s->lazy))
		list_remove(&s->lazy);
	if (!list_unlinked(&s->behind))
		list_remove(&s->behind);
	if (!list_unlinked(&s->services_node))
		list_remove(&s->services_node);
	edge_drop_if_unused(a->sm, s->edge);
	unacked_clear(&s->list, NULL, NULL);
	window_fini(&s->window);
	mem_free(s->presence);
	mem_free(s->address);
	mem_free(s->full_text);
	mem_free(s);
	account_touch(a);
}

void session_set_presence(struct session *s, struct str bytes, int priority, uint32_t flags)
{
	mem_free(s->presence);
	s->presence = bytes.n ? mem_memdup(bytes.p, bytes.n) : NULL;
	s->presence_n = (uint32_t)bytes.n;
	s->presence_flags = flags;
	s->available = bytes.n > 0;
	s->priority = (int8_t)(s->available ? priority : 0);
	if (!session_takes_messages(s)) {
		s->from = 0;
		s->catchup.reader = false;
	}
}

uint32_t session_count(const struct account *a)
{
	uint32_t count = 0;

	list_for_each (n, &a->sessions)
		count++;
	return count;
}

bool session_add_directed(struct session *s, struct str jid)
{
	struct directed *d;

	for (d = s->directed; d; d = d->next) {
		if (str_is(jid, d->jid))
			return true;
	}
	if (s->directed_count >= (uint32_t)s->account->sm->options->directed_max)
		return false;
	d = mem_alloc(sizeof(*d) + jid.n + 1);
	memcpy(d->jid, jid.p, jid.n);
	d->jid[jid.n] = '\0';
	d->next = s->directed;
	s->directed = d;
	s->directed_count++;
	return true;
}

void session_drop_directed(struct session *s, struct str jid)
{
	for (struct directed **at = &s->directed; *at; at = &(*at)->next) {
		struct directed *d = *at;

		if (!str_is(jid, d->jid))
			continue;
		*at = d->next;
		mem_free(d);
		s->directed_count--;
		return;
	}
}
