/* SPDX-License-Identifier: Apache-2.0
 *
 * spool_append: stanzas into the store (ipc/proto/storage.proto), some together, in order.
 *
 * An append may end without a word: its storage hangs or dies, or loses PostgreSQL before it has seen the commit. Then nobody knows whether there is a row,
 * or will be: that storage may wake up and write it after the stanza has long been delivered, and the next owner would send it again. So nothing is
 * concluded before the slot's epoch has risen, which ends all writes under the former one (docs/decisions/0034-storage-spool.md); then the append is
 * repeated, by its key, and has one row. That goes for a stanza which is done with meanwhile, too: only then can its row be taken out. */
#include "services/s2s/s2s.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "ipc/gen/storage.client.h"
#include "services/s2s/metrics.h"

#define DEADLINE_MS 15000u
#define PAGE        100u
#define STORES_MAX  64u

/* --- answers ------------------------------------------------------------------------------------------------------ */

void s2s_item_settled(struct s2s_item *i)
{
	if (i->unsure)
		i->link->unsure--;
	i->unsure = false;
}

static void doubt(struct s2s_item *i)
{
	if (!i->unsure)
		i->link->unsure++;
	i->unsure = true;
	i->link->store_turn++;
}

static void check_fenced(const struct s2s_link *l, uint64_t epoch)
{
	const struct s2s_slot *slot = &l->s2s->slots[l->slot];

	/* Else it was a former epoch of ours. */
	if (!l->s2s->stopped && !slot->renew && epoch == slot->epoch)
		s2s_owner_fenced(l->s2s, l->slot);
}

static void stored(struct s2s_item *i, uint64_t id)
{
	struct s2s_link *l = i->link;

	s2s_item_settled(i);
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

static void refused(struct s2s_item *i, int code)
{
	if (code == STARLING__CODE__CODE_LIMIT || code == STARLING__CODE__CODE_INVALID) {
		s2s_item_settled(i);
		if (!i->gone) {
			s2s_item_bounce(i, "resource-constraint", "too much waits for this server");
			return;
		}
	} else if (code != STARLING__CODE__CODE_FENCED && code != STARLING__CODE__CODE_OVERLOAD) {
		doubt(i); /* also UNAVAILABLE: the store may have lost PostgreSQL after the commit */
	}
	if (i->gone && !i->unsure)
		s2s_item_remove(i);
}

static void on_appended(const struct ipc_result *result, const Starling__SpoolAppendReply *reply, void *ctx)
{
	struct s2s_item *i = ctx;
	struct s2s_link *l = i->link;
	uint64_t epoch = i->append_epoch;

	i->spooling = false;
	l->appending--;
	if (ipc_ok(result))
		stored(i, reply->id);
	else
		refused(i, result->code); /* tried again at the next tick */
	if (result->code == STARLING__CODE__CODE_FENCED)
		check_fenced(l, epoch);
	if (ipc_ok(result) && l->appending == 0)
		s2s_link_pump(l);
}

/* --- calls -------------------------------------------------------------------------------------------------------- */

static bool has_spool(const Starling__Registration *r)
{
	for (size_t i = 0; i < r->n_interfaces; i++) {
		if (r->interfaces[i]->interface == STARLING__INTERFACE__INTERFACE_STORAGE)
			return r->interfaces[i]->version >= (METHOD_STORAGE_SPOOL_APPEND & 0xff);
	}
	return false;
}

/* The same for a link as long as it does well: what two stores write at a time comes in any order. 0: there is none. */
static uint64_t choose_store(const struct s2s_link *l)
{
	const Starling__Registration *all[STORES_MAX];
	uint64_t stores[STORES_MAX];
	uint32_t n = ipc_bus_instances(l->s2s->bus, "storage", all, STORES_MAX), usable = 0;

	for (uint32_t i = 0; i < n && i < STORES_MAX; i++) {
		if (all[i]->state == STARLING__INSTANCE_STATE__INSTANCE_READY && has_spool(all[i]))
			stores[usable++] = all[i]->instance;
	}
	return usable ? stores[(l->slot + l->store_turn) % usable] : 0;
}

static void call_append(struct s2s_item *i, uint64_t store)
{
	struct s2s_link *l = i->link;
	const struct s2s_config *c = l->s2s->config;
	Starling__SpoolAppendRequest request = STARLING__SPOOL_APPEND_REQUEST__INIT;
	Starling__Fence fence = STARLING__FENCE__INIT;
	struct ipc_opts opts = { .deadline_ms = DEADLINE_MS, .in_line = true, .payload = i->bytes };

	if (!i->key_stream) { /* it must have a name to be asked for */
		i->key_stream = l->s2s->append_stream;
		i->key_number = ++l->s2s->append_number;
	}
	fence.slot = l->slot;
	fence.epoch = i->append_epoch = l->s2s->slots[l->slot].epoch;
	request.domain = l->queue;
	request.meta = &i->meta;
	request.extra = (ProtobufCBinaryData){ i->extra.n, (uint8_t *)(uintptr_t)i->extra.p };
	request.time_us = i->time_us;
	request.key_stream = i->key_stream;
	request.key_number = i->key_number;
	request.again = i->again || i->unsure;
	request.max_count = (uint32_t)c->spool_count;
	request.max_bytes = (uint64_t)c->spool_bytes;
	request.fence = &fence;
	i->spooling = true;
	l->appending++;
	call_storage_spool_append(l->s2s->bus, ipc_instance(store), &opts, &request, on_appended, i);
}

/* False: not now, and none behind it. */
static bool append(struct s2s_item *i, uint64_t store)
{
	struct s2s_link *l = i->link;
	const struct s2s_slot *slot = &l->s2s->slots[l->slot];

	if (i->unsure && i->append_epoch == slot->epoch)
		s2s_owner_renew(l->s2s, l->slot);
	if (store == 0 || slot->epoch == 0 || slot->renew)
		return false;
	call_append(i, store);
	return true;
}

/* Nothing else of the link before: what is behind these must not come before them. */
static void append_unsure(struct s2s_link *l, uint64_t store)
{
	struct list_node *const lists[] = { &l->leftovers, &l->items };

	for (size_t k = 0; k < sizeof(lists) / sizeof(*lists); k++) {
		list_for_each_safe (n, lists[k]) {
			struct s2s_item *i = list_entry(n, struct s2s_item, node);

			if (i->unsure && !append(i, store))
				return;
		}
	}
}

/* In order: those that are younger, and all behind them, wait. The next group goes when this one is answered. Never while rows are being fetched: such a
 * row could be of an item that is here. */
void s2s_spool_append(struct s2s_link *l, uint64_t older_than_ms)
{
	uint64_t now_ms = net_now(l->s2s->net), store;
	uint32_t n = 0;

	if (l->appending > 0 || l->fetching)
		return;
	store = choose_store(l);
	if (l->unsure > 0)
		append_unsure(l, store);
	if (l->unsure > 0 || l->leaving_ms)
		return;
	list_for_each_safe (node, &l->items) {
		struct s2s_item *i = list_entry(node, struct s2s_item, node);

		if (i->spool_id)
			continue;
		if (!i->drop && now_ms - i->taken_ms < older_than_ms)
			return;
		if (!i->drop && !s2s_item_keeps(i)) {
			s2s_item_answer(i); /* nobody waits longer for what means nothing later */
			continue;
		}
		if (!append(i, store) || ++n == PAGE)
			return;
	}
}
