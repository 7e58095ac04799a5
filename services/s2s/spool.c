/* SPDX-License-Identifier: Apache-2.0
 *
 * spool: what the store keeps of a link (ipc/proto/storage.proto). A row is taken out when the other server has the stanza, some together. What comes
 * back from the store at a change of owner may have been sent before. */
#include "services/s2s/s2s.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/xmpp/jid.h"
#include "ipc/gen/storage.client.h"
#include "services/s2s/metrics.h"

#define DEADLINE_MS 15000u
#define PAGE        100u
#define DONE_MAX    500u

static bool fence_of(const struct s2s_link *l, Starling__Fence *out)
{
	starling__fence__init(out);
	out->slot = l->slot;
	out->epoch = l->s2s->slots[l->slot].epoch;
	return out->epoch != 0;
}

static void check_fenced(struct s2s_link *l, const struct ipc_result *result)
{
	if (result->code == STARLING__CODE__CODE_FENCED && !l->s2s->stopped)
		s2s_owner_fenced(l->s2s, l->slot);
}

/* --- in ----------------------------------------------------------------------------------------------------------- */

static void stored(struct s2s_item *i, uint64_t id)
{
	struct s2s_link *l = i->link;

	i->spool_id = id;
	l->spooled++;
	metric_inc(&s2s_metrics.spooled);
	s2s_item_answer(i);
	if (i->gone) { /* acknowledged, or bounced, meanwhile */
		s2s_spool_done(l, id);
		s2s_item_remove(i);
	} else if (i->drop) {
		if (id > l->fetched_to)
			l->more_in_store = true;
		s2s_item_remove(i);
	} else if (id > l->fetched_to) {
		l->fetched_to = id;
	}
}

static void on_appended(const struct ipc_result *result, const Starling__SpoolAppendReply *reply, void *ctx)
{
	struct s2s_item *i = ctx;
	struct s2s_link *l = i->link;
	bool drop = i->drop;

	i->spooling = false;
	l->appending--;
	if (ipc_ok(result)) {
		stored(i, reply->id);
	} else if (i->gone) {
		s2s_item_remove(i);
	} else if (result->code == STARLING__CODE__CODE_LIMIT || result->code == STARLING__CODE__CODE_INVALID) {
		s2s_item_bounce(i, "resource-constraint", "too much waits for this server");
	} else {
		drop = false; /* tried again at the next tick */
		check_fenced(l, result);
	}
	if (drop)
		l->dropping--;
	if (ipc_ok(result) && l->appending == 0)
		s2s_link_pump(l);
}

static void append(struct s2s_item *i)
{
	struct s2s_link *l = i->link;
	const struct s2s_config *c = l->s2s->config;
	Starling__SpoolAppendRequest request = STARLING__SPOOL_APPEND_REQUEST__INIT;
	Starling__Fence fence;
	struct ipc_opts opts = { .deadline_ms = DEADLINE_MS, .payload = i->bytes };

	if (!fence_of(l, &fence))
		return;
	request.domain = l->queue;
	request.meta = &i->meta;
	request.extra = (ProtobufCBinaryData){ i->extra.n, (uint8_t *)(uintptr_t)i->extra.p };
	request.time_us = i->time_us;
	request.key_stream = i->key_stream;
	request.key_number = i->key_number;
	request.again = i->again || i->tried;
	request.max_count = (uint32_t)c->spool_count;
	request.max_bytes = (uint64_t)c->spool_bytes;
	request.fence = &fence;
	i->spooling = i->tried = true;
	l->appending++;
	call_storage_spool_append(l->s2s->bus, ipc_any("storage"), &opts, &request, on_appended, i);
}

/* In order: those that are younger, and all behind them, wait. The next group goes when this one is answered. */
void s2s_spool_append(struct s2s_link *l, uint64_t older_than_ms)
{
	uint64_t now_ms = net_now(l->s2s->net);
	uint32_t n = 0;

	if (l->appending > 0 || l->leaving_ms)
		return;
	list_for_each_safe (node, &l->items) {
		struct s2s_item *i = list_entry(node, struct s2s_item, node);

		if (i->spool_id || i->spooling)
			continue;
		if (!i->drop && now_ms - i->taken_ms < older_than_ms)
			return;
		if (!i->drop && !s2s_item_keeps(i)) {
			s2s_item_answer(i); /* nobody waits longer for what means nothing later */
			continue;
		}
		append(i);
		if (++n == PAGE)
			return;
	}
}

/* --- out again ---------------------------------------------------------------------------------------------------- */

static void take_entry(struct s2s_link *l, const Starling__SpoolEntry *e)
{
	struct s2s_item *i = s2s_item_new(l, e->meta, str_make((const char *)e->stanza.data, e->stanza.len),
	                                  str_make((const char *)e->extra.data, e->extra.len));

	i->spool_id = e->id;
	i->key_stream = e->key_stream;
	i->key_number = e->key_number;
	i->time_us = e->time_us;
	i->again = true;
	list_push_back(&l->items, &i->node);
	l->count++;
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
	if (l->hopeless) {
		list_for_each_safe (n, &l->items)
			s2s_item_bounce(list_entry(n, struct s2s_item, node), "remote-server-not-found", l->error);
		l->hopeless = l->more_in_store;
		if (l->hopeless) {
			s2s_spool_fetch(l);
			return;
		}
	}
	s2s_link_pump(l);
}

void s2s_spool_fetch(struct s2s_link *l)
{
	Starling__SpoolFetchRequest request = STARLING__SPOOL_FETCH_REQUEST__INIT;

	if (l->fetching || l->leaving_ms)
		return;
	l->fetching = true;
	request.domain = l->queue;
	request.after = l->fetched_to;
	request.limit = PAGE;
	call_storage_spool_fetch(l->s2s->bus, ipc_any("storage"), NULL, &request, on_fetched, l);
}

/* --- done --------------------------------------------------------------------------------------------------------- */

/* What a call that failed had, the next one takes again: rows that are gone are passed over. */
struct dones {
	struct list_node node; /* waiting in s2s->dones */
	struct s2s *s2s;
	uint32_t slot;
	size_t count;
	uint64_t ids[DONE_MAX];
	char queue[];
};

static void on_done(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	struct dones *d = ctx;

	(void)reply;
	if (ipc_ok(result) || d->s2s->stopped || result->code == STARLING__CODE__CODE_FENCED)
		mem_free(d);
	else
		list_push_back(&d->s2s->dones, &d->node); /* sent at the next tick */
}

static void send_dones(struct dones *d)
{
	Starling__SpoolDoneRequest request = STARLING__SPOOL_DONE_REQUEST__INIT;
	Starling__Fence fence = STARLING__FENCE__INIT;

	fence.slot = d->slot;
	fence.epoch = d->s2s->slots[d->slot].epoch;
	request.domain = d->queue;
	request.ids = d->ids;
	request.n_ids = d->count;
	request.fence = &fence;
	call_storage_spool_done(d->s2s->bus, ipc_any("storage"), NULL, &request, on_done, d);
}

void s2s_spool_done(struct s2s_link *l, uint64_t id)
{
	struct dones *d = NULL;
	size_t n = strlen(l->queue) + 1;

	if (l->spooled > 0)
		l->spooled--;
	list_for_each (node, &l->s2s->dones) {
		struct dones *other = list_entry(node, struct dones, node);

		if (other->count < DONE_MAX && strcmp(other->queue, l->queue) == 0)
			d = other;
	}
	if (!d) {
		d = mem_alloc(sizeof(*d) + n);
		*d = (struct dones){ .s2s = l->s2s, .slot = l->slot };
		memcpy(d->queue, l->queue, n);
		list_init(&d->node);
		list_push_back(&l->s2s->dones, &d->node);
	}
	d->ids[d->count++] = id;
}

/* Some turns' worth together, at each tick. */
void s2s_spool_flush(struct s2s *s2s)
{
	struct list_node all;

	list_init(&all);
	while (!list_empty(&s2s->dones)) {
		struct list_node *n = s2s->dones.next;

		list_remove(n);
		list_push_back(&all, n);
	}
	while (!list_empty(&all)) {
		struct dones *d = list_entry(all.next, struct dones, node);

		list_remove(&d->node);
		send_dones(d);
	}
}

void s2s_spool_fini(struct s2s *s2s)
{
	while (!list_empty(&s2s->dones)) {
		struct dones *d = list_entry(s2s->dones.next, struct dones, node);

		list_remove(&d->node);
		mem_free(d);
	}
}

/* --- what a new owner finds --------------------------------------------------------------------------------------- */

void s2s_spool_found(struct s2s *s2s, const Starling__SpoolDomain *d)
{
	struct str queue = str_from(d->domain);
	const char *slash = memchr(queue.p, '/', queue.n);
	struct s2s_link *l;

	if (!slash)
		return;
	l = s2s_link_get(s2s, str_make(slash + 1, (size_t)(queue.p + queue.n - slash - 1)), str_make(queue.p, (size_t)(slash - queue.p)));
	l->spooled = d->count;
	l->more_in_store = true;
	s2s_link_pump(l);
}
