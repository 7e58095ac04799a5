/* SPDX-License-Identifier: Apache-2.0
 *
 * spool_fetch: stanzas out of the store again, by pages, in order: what a new owner finds, and what was too much for memory. They may have been sent
 * before. */
#include "services/s2s/s2s.h"

#include "ipc/gen/storage.client.h"

#define PAGE 100u

/* Behind what is here already; before what is yet to be appended. */
static void take_entry(struct s2s_link *l, const Starling__SpoolEntry *e)
{
	struct s2s_item *i = s2s_item_new(l, e->meta, str_make((const char *)e->stanza.data, e->stanza.len),
	                                  str_make((const char *)e->extra.data, e->extra.len));
	struct list_node *at = &l->items;

	i->spool_id = e->id;
	i->key_stream = e->key_stream;
	i->key_number = e->key_number;
	i->time_us = e->time_us;
	i->again = true;
	while (at->prev != &l->items && list_entry(at->prev, struct s2s_item, node)->drop)
		at = at->prev;
	list_insert_before(at, &i->node);
	l->count++;
}

/* True: there are more to come back, and they are asked for. */
static bool bounce_all(struct s2s_link *l)
{
	list_for_each_safe (n, &l->items)
		s2s_item_bounce(list_entry(n, struct s2s_item, node), "remote-server-not-found", l->error);
	l->hopeless = l->more_in_store;
	if (l->hopeless)
		s2s_spool_fetch(l);
	return l->hopeless;
}

static void on_fetched(const struct ipc_result *result, const Starling__SpoolFetchReply *reply, void *ctx)
{
	struct s2s_link *l = ctx;

	l->fetching = false;
	if (l->s2s->stopped)
		return;
	if (!ipc_ok(result) || l->leaving_ms)
		return; /* the next tick asks again, or ends it */
	for (size_t k = 0; k < reply->n_entries; k++) {
		const Starling__SpoolEntry *e = reply->entries[k];

		if (e->id <= l->fetched_to)
			continue;
		l->fetched_to = e->id;
		if (e->meta)
			take_entry(l, e);
		else
			s2s_spool_done(l, e->id);
	}
	l->more_in_store = !reply->complete;
	if (l->hopeless && bounce_all(l))
		return;
	if (l->dropping > 0)
		s2s_spool_append(l, 0); /* waited for this */
	s2s_link_pump(l);
}

/* Never while something is being appended, or may have been: a row could be of an item that is here. */
void s2s_spool_fetch(struct s2s_link *l)
{
	Starling__SpoolFetchRequest request = STARLING__SPOOL_FETCH_REQUEST__INIT;

	if (l->fetching || l->appending > 0 || l->unsure > 0 || l->leaving_ms)
		return;
	l->fetching = true;
	request.domain = l->queue;
	request.after = l->fetched_to;
	request.limit = PAGE;
	call_storage_spool_fetch(l->s2s->bus, ipc_any("storage"), NULL, &request, on_fetched, l);
}

void s2s_spool_found(struct s2s *s2s, const Starling__SpoolDomain *d)
{
	struct str queue = str_from(d->domain);
	const char *slash = memchr(queue.p, '/', queue.n);
	struct s2s_link *l;

	if (!slash)
		return;
	l = s2s_link_get(s2s, str_make(slash + 1, (size_t)(queue.p + queue.n - slash - 1)), str_make(queue.p, (size_t)(slash - queue.p)));
	l->leaving_ms = 0; /* it was another's for a moment; nothing of it is here any more */
	l->fetched_to = 0;
	l->spooled = d->count;
	l->more_in_store = true;
	s2s_link_pump(l);
}
