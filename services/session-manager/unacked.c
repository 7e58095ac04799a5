/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/unacked.h"

#include "common/base/mem.h"
#include "ipc/proto/edge.pb-c.h"
#include "services/session-manager/kept.h"

#define CAP_MIN 4u

static void grow(struct unacked *u)
{
	uint32_t cap = u->cap ? u->cap * 2 : CAP_MIN;
	struct unacked_entry *ring = mem_alloc(cap * sizeof(*ring));

	for (uint32_t i = 0; i < u->count; i++)
		ring[i] = *unacked_at(u, i);
	mem_free(u->ring);
	u->ring = ring;
	u->cap = cap;
	u->head = 0;
}

/* Idle sessions hold no memory for it. */
static void release(struct unacked *u)
{
	if (u->count > 0 || u->cap == 0)
		return;
	mem_free(u->ring);
	u->ring = NULL;
	u->cap = u->head = 0;
}

static size_t size_of(const struct unacked_entry *e)
{
	return e->copy ? e->copy->size : 0;
}

void unacked_push(struct unacked *u, uint64_t log_id, uint32_t form, struct kept *copy, bool sent)
{
	if (u->count == u->cap)
		grow(u);
	*unacked_at(u, u->count++) = (struct unacked_entry){ .log_id = log_id & (UINT64_MAX >> 8), .form = form & 0xff, .copy = copy };
	u->bytes += copy ? copy->size : 0;
	if (sent && u->sent + 1 == u->count)
		u->sent = u->count;
}

static void drop_first(struct unacked *u)
{
	struct unacked_entry *e = unacked_at(u, 0);

	u->bytes -= size_of(e);
	kept_unref(e->copy);
	u->head = (u->head + 1) & (u->cap - 1);
	u->count--;
}

void unacked_ack(struct unacked *u, uint64_t number, unacked_fn fn, void *ctx)
{
	while (u->sent > 0 && u->acked < number) {
		struct unacked_entry e = *unacked_at(u, 0);

		u->acked++;
		u->sent--;
		if (fn)
			fn(&e, ctx);
		drop_first(u);
	}
	release(u);
}

void unacked_rewind(struct unacked *u, uint64_t number)
{
	uint64_t keep = number > u->acked ? number - u->acked : 0;

	if (keep >= u->sent)
		return;
	u->sent = (uint32_t)keep;
	u->turn++;
}

void unacked_skip(struct unacked *u)
{
	struct unacked_entry gone;

	if (!unacked_waiting(u))
		return;
	gone = *unacked_at(u, u->sent);
	for (uint32_t i = u->sent; i + 1 < u->count; i++)
		*unacked_at(u, i) = *unacked_at(u, i + 1);
	u->count--;
	u->bytes -= size_of(&gone);
	kept_unref(gone.copy);
	release(u);
}

bool unacked_has(const struct unacked *u, uint64_t log_id)
{
	for (uint32_t i = 0; i < u->count; i++) {
		const struct unacked_entry *e = unacked_at(u, i);

		if (e->log_id == log_id &&
		    (e->form == STARLING__DELIVER_FORM__FORM_PLAIN || e->form == STARLING__DELIVER_FORM__FORM_DELAYED))
			return true;
	}
	return false;
}

void unacked_clear(struct unacked *u, unacked_fn fn, void *ctx)
{
	while (u->count > 0) {
		struct unacked_entry e = *unacked_at(u, 0);

		if (fn)
			fn(&e, ctx);
		drop_first(u);
	}
	u->sent = 0;
	release(u);
}
