/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/offline.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "ipc/gen/storage.client.h"
#include "services/session-manager/account.h"
#include "services/session-manager/bounce.h"
#include "services/session-manager/counters.h"
#include "services/session-manager/later.h"
#include "services/session-manager/offline_impl.h"
#include "services/session-manager/ownership.h"
#include "services/session-manager/route.h"
#include "services/session-manager/sm.h"

#define KEY_SIZE 16

struct offline *offline_of(struct account *a)
{
	if (!a->offline) {
		a->offline = mem_new(struct offline);
		list_init(&a->offline->appends);
	}
	return a->offline;
}

void offline_free(struct offline **o)
{
	if (!*o)
		return;
	list_for_each_safe (n, &(*o)->appends) {
		struct parcel *c = list_entry(n, struct parcel, node);

		parcel_free(&c);
	}
	mem_free(*o);
	*o = NULL;
}

static void append_next(struct account *a);

static void append_done(struct account *a)
{
	struct offline *o = a->offline;
	struct parcel *c = list_entry(o->appends.next, struct parcel, node);

	o->append_attempts = 0;
	parcel_free(&c);
	append_next(a);
	if (!o->appending)
		offline_settle(a);
}

static void append_again(void *ctx)
{
	struct account *a = ctx;

	a->offline->appending = false;
	append_next(a);
	account_unpin(a);
}

/* Why a message was not kept, and what its sender is told (RFC 6121 section 8.5.2.2.1, XEP-0160 section 3). */
static const char *refusal(int code)
{
	switch (code) {
	case CODE(NOT_FOUND):
	case CODE(LIMIT):
	case CODE(INVALID):
		return "service-unavailable";
	default:
		return NULL;
	}
}

static void on_appended(const struct ipc_result *result, const Starling__OfflineAppendReply *reply, void *ctx)
{
	struct account *a = ctx;
	struct offline *o = a->offline;
	const char *condition = refusal(result->code);

	(void)reply;
	if (a->dead || a->sm->stopping) {
		account_unpin(a);
		return;
	}
	if (!ipc_ok(result) && !condition) {
		if (result->code == CODE(FENCED))
			ownership_fenced(a->sm, a->slot);
		later_run(a->sm, later_backoff_ms(o->append_attempts++), append_again, a);
		return;
	}
	o->appending = false;
	if (condition) {
		bounce(a->sm, &list_entry(o->appends.next, struct parcel, node)->packet, condition, NULL);
	} else {
		metric_inc(&counters.offline_stored);
		offline_stored(a);
	}
	append_done(a);
	account_unpin(a);
}

/* Names the append, so that a resubmission after a failover stores nothing twice. */
static void make_key(const struct packet *p, uint8_t out[KEY_SIZE])
{
	uint64_t words[2] = { p->key.stream, p->key.number };

	for (int i = 0; i < KEY_SIZE; i++)
		out[i] = (uint8_t)(words[i / 8] >> 8 * (i % 8));
}

static void append_next(struct account *a)
{
	struct offline *o = a->offline;
	struct parcel *c;
	uint8_t key[KEY_SIZE];
	Starling__Fence fence = STARLING__FENCE__INIT;
	Starling__OfflineAppendRequest request = STARLING__OFFLINE_APPEND_REQUEST__INIT;
	struct ipc_opts opts = { 0 };

	if (o->appending || list_empty(&o->appends) || a->dead || a->sm->stopping)
		return;
	c = list_entry(o->appends.next, struct parcel, node);
	fence.slot = a->slot;
	fence.epoch = ownership_epoch(a->sm, a->slot);
	request.account = a->bare_text;
	request.meta = &c->meta;
	request.time_us = c->time_us;
	request.max = (uint32_t)a->sm->options->offline_max;
	request.fence = &fence;
	make_key(&c->packet, key);
	request.key = (ProtobufCBinaryData){ KEY_SIZE, key };
	opts.payload = c->packet.bytes;
	opts.trace = c->packet.trace;
	o->appending = true;
	account_pin(a);
	call_storage_offline_append(a->sm->bus, ipc_any("storage"), &opts, &request, on_appended, a);
}

void offline_store(struct account *a, const struct packet *p)
{
	struct offline *o = offline_of(a);
	struct packet named = *p;
	struct parcel *c;

	if (named.key.stream == 0)
		named.key = (struct packet_key){ random_u64(), 0 };
	c = parcel_new(a->sm, &named);
	c->time_us = clock_wall_us();
	list_push_back(&o->appends, &c->node);
	append_next(a);
}

void offline_abandon(struct account *a)
{
	struct offline *o = a->offline;

	if (!o)
		return;
	o->stream = 0;
	while (!list_empty(&o->appends)) {
		struct parcel *c = list_entry(o->appends.next, struct parcel, node);

		list_remove(&c->node);
		route_again(c);
	}
}
