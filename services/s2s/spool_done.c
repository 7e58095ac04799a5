/* SPDX-License-Identifier: Apache-2.0
 *
 * spool_done: rows out of the store when nobody needs them any more, some turns' worth together. A slot is not given up before all of its were answered:
 * under the next owner's epoch they would be refused, and what they name sent again. */
#include "services/s2s/s2s.h"

#include "common/base/mem.h"
#include "ipc/gen/storage.client.h"

#define DONE_MAX 500u

/* What a call that failed had, the next one takes again: rows that are gone are passed over. */
struct dones {
	struct list_node node; /* waiting in s2s->dones */
	struct s2s *s2s;
	uint64_t epoch; /* under which it was sent */
	uint32_t slot;
	size_t count;
	uint64_t ids[DONE_MAX];
	char queue[];
};

/* The slot is another's now, who has the rows; not one of ours under a newer epoch. */
static bool lost(const struct dones *d, int code)
{
	const struct s2s_slot *slot = &d->s2s->slots[d->slot];
	bool ours = slot->state == S2S_SLOT_OWNED || slot->state == S2S_SLOT_LEAVING;

	return code == STARLING__CODE__CODE_FENCED && !(ours && (slot->renew || slot->epoch != d->epoch));
}

static void on_done(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	struct dones *d = ctx;
	struct s2s *s2s = d->s2s;
	uint32_t slot = d->slot;

	(void)reply;
	if (!ipc_ok(result) && !s2s->stopped && !lost(d, result->code)) {
		list_push_back(&s2s->dones, &d->node); /* sent at the next tick */
		return;
	}
	s2s->slots[slot].dones--;
	mem_free(d);
	if (!s2s->stopped)
		s2s_owner_left(s2s, slot);
}

static void send_dones(struct dones *d)
{
	Starling__SpoolDoneRequest request = STARLING__SPOOL_DONE_REQUEST__INIT;
	Starling__Fence fence = STARLING__FENCE__INIT;

	fence.slot = d->slot;
	fence.epoch = d->epoch = d->s2s->slots[d->slot].epoch;
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
		l->s2s->slots[l->slot].dones++;
	}
	d->ids[d->count++] = id;
}

/* At each tick. */
void s2s_spool_flush(struct s2s *s2s)
{
	struct list_node all;

	list_take(&s2s->dones, &all);
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
