/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/roster_delta.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "ipc/gen/storage.client.h"
#include "services/session-manager/account.h"
#include "services/session-manager/packet.h"
#include "services/session-manager/roster.h"
#include "services/session-manager/roster_impl.h"
#include "services/session-manager/session.h"
#include "services/session-manager/sm.h"

struct delta {
	struct account *account;
	struct iq *iq;
	uint64_t stream, since;
	void (*whole)(struct iq *iq, const struct roster *r);
};

static int by_version(const void *a, const void *b)
{
	uint64_t x = (*(Starling__RosterItem *const *)a)->version, y = (*(Starling__RosterItem *const *)b)->version;

	return x < y ? -1 : x > y;
}

/* In order of version, so that a client that loses its connection halfway knows where it stands; removals, whose versions are not known,
 * come first under the old one. */
static void push_changes(struct delta *d, struct session *s, const Starling__RosterReply *reply)
{
	struct roster *changed = roster_new(NULL);

	for (size_t i = 0; i < reply->n_removed; i++)
		roster_push_removed_to(s, reply->removed[i], d->since);
	if (reply->n_items)
		qsort(reply->items, reply->n_items, sizeof(*reply->items), by_version);
	for (size_t i = 0; i < reply->n_items; i++) {
		const struct roster_item *item = roster_load_item(changed, reply->items[i]);

		if (!item->hidden)
			roster_push_to(s, item);
	}
	roster_free(&changed);
}

static void on_changes(const struct ipc_result *result, const Starling__RosterReply *reply, void *ctx)
{
	struct delta *d = ctx;
	struct account *a = d->account;
	struct session *s = a->dead || a->sm->stopping ? NULL : session_find(a->sm, d->stream);

	if (!ipc_ok(result) || !s) {
		iq_fail(d->iq, ipc_ok(result) ? CODE(WRONG_OWNER) : result->code);
	} else if (reply->complete) {
		d->whole(d->iq, a->roster);
	} else {
		iq_result(d->iq, STR(""));
		push_changes(d, s, reply);
	}
	mem_free(d);
	account_unpin(a);
}

void roster_delta_send(struct account *a, struct iq *iq, uint64_t since, void (*whole)(struct iq *iq, const struct roster *r))
{
	struct delta *d = mem_new(struct delta);
	Starling__RosterLoadRequest request = STARLING__ROSTER_LOAD_REQUEST__INIT;

	d->account = a;
	d->iq = iq;
	d->stream = iq->stream;
	d->since = since;
	d->whole = whole;
	account_pin(a);
	request.account = a->bare_text;
	request.since = since;
	call_storage_roster_load(a->sm->bus, ipc_any("storage"), NULL, &request, on_changes, d);
}
