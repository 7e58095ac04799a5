/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/append.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/xmpp/jid.h"
#include "ipc/gen/storage.client.h"
#include "services/session-manager/account.h"
#include "services/session-manager/catchup.h"
#include "services/session-manager/deliver.h"
#include "services/session-manager/later.h"
#include "services/session-manager/ownership.h"
#include "services/session-manager/peer_version.h"
#include "services/session-manager/route.h"
#include "services/session-manager/sm.h"

#define APPENDERS   32u
#define GROUP_MAX   64u
#define STORES_MAX  64u
#define DEADLINE_MS 15000
/* Instances of storage that have a log. */
#define LOG_VERSION (METHOD_STORAGE_LOG_APPEND & 0xff)

enum item_state { ITEM_WAITING, ITEM_SENT, ITEM_DONE, ITEM_FAILED };

struct item {
	struct list_node node;
	struct appender *appender;
	struct account *account; /* pinned */
	struct parcel *parcel;
	append_fn done;
	enum item_state state;
	bool stored; /* false: it only stands in line */
	bool outgoing;
	bool sent;      /* only its copies stand in line */
	uint64_t epoch; /* sent under it */
	uint64_t doubt; /* what became of it under this epoch is not known: it goes again under a higher one; 0: nothing */
	struct append_result result;
};

struct appender {
	struct sm *sm;
	struct list_node items;
	uint32_t index, on_the_way, attempts;
	bool broken; /* something failed: pause, then what is left goes again */
	bool pausing;
	bool soon; /* something came in this turn of the loop: sent at its end, all of it together */
};

static void pump(struct appender *ap);

/* --- the line --- */

static void item_free(struct item *i)
{
	struct account *a = i->account;

	if (!list_unlinked(&i->node))
		list_remove(&i->node);
	a->appending--;
	parcel_free(&i->parcel);
	mem_free(i);
	account_unpin(a);
}

static void finish(struct item *i)
{
	struct account *a = i->account;
	struct parcel *parcel = i->parcel;
	struct append_result result = i->result;
	append_fn done = i->done;

	i->parcel = NULL;
	account_pin(a);
	item_free(i);
	done(a, &parcel->packet, &result);
	parcel_free(&parcel);
	if (!a->dead && a->appending == 0)
		catchup_committed(a);
	account_unpin(a);
}

/* What is done leaves from the head of the line, in order. */
static void leave(struct appender *ap)
{
	while (!list_empty(&ap->items) && !ap->sm->stopping) {
		struct item *i = list_entry(ap->items.next, struct item, node);

		if (i->stored && i->state != ITEM_DONE)
			return;
		finish(i);
	}
}

static void resume(void *ctx)
{
	struct appender *ap = ctx;

	ap->pausing = ap->broken = false;
	if (ap->sm->stopping)
		return;
	list_for_each (n, &ap->items) {
		struct item *i = list_entry(n, struct item, node);

		if (i->state == ITEM_FAILED)
			i->state = ITEM_WAITING;
	}
	pump(ap);
}

static void pause_then_again(struct appender *ap)
{
	if (ap->pausing || ap->sm->stopping)
		return;
	ap->pausing = true;
	later_again(ap->sm, ap->attempts++, resume, ap);
}

/* --- to the store --- */

/* The message itself is refused: that is how it ends. Anything else will pass. */
static bool is_final(int code)
{
	return code == CODE(NOT_FOUND) || code == CODE(LIMIT) || code == CODE(INVALID);
}

static void on_appended(const struct ipc_result *result, const Starling__LogAppendReply *reply, void *ctx)
{
	struct item *i = ctx;
	struct appender *ap = i->appender;

	ap->on_the_way--;
	if (!i->parcel) {
		item_free(i); /* abandoned meanwhile */
	} else if (ipc_ok(result)) {
		ap->attempts = 0;
		i->state = ITEM_DONE;
		i->result.id = reply->id;
		i->result.duplicate = reply->duplicate;
	} else if (is_final(result->code)) {
		i->state = ITEM_DONE;
		i->result.code = result->code;
	} else {
		if (result->code == CODE(FENCED) && !ap->sm->stopping && !i->account->dead)
			ownership_fenced(ap->sm, i->account->slot);
		/* Refused, nothing was done; else it may still be on its way into the log. */
		if (result->code != CODE(FENCED) && result->code != CODE(OVERLOAD))
			i->doubt = i->epoch;
		i->state = ITEM_FAILED;
		i->parcel->packet.again = true;
		ap->broken = true;
	}
	leave(ap);
	if (ap->on_the_way > 0)
		return;
	if (ap->broken)
		pause_then_again(ap);
	else
		pump(ap);
}

static void send_item(struct item *i, uint64_t store)
{
	struct account *a = i->account;
	const struct packet *p = &i->parcel->packet;
	struct str from = jid_view_bare(str_from(p->meta->from));
	char sender[JID_TEXT_MAX + 1];
	Starling__Fence fence = STARLING__FENCE__INIT;
	Starling__LogAppendRequest request = STARLING__LOG_APPEND_REQUEST__INIT;
	struct ipc_opts opts = { .deadline_ms = DEADLINE_MS, .in_line = true, .trace = p->trace, .payload = p->bytes };

	memcpy(sender, from.p, from.n);
	sender[from.n] = '\0';
	fence.slot = a->slot;
	fence.epoch = i->epoch = ownership_epoch(a->sm, a->slot);
	request.sender = p->archive_sender ? sender : (char *)protobuf_c_empty_string;
	request.recipient = i->outgoing ? (char *)protobuf_c_empty_string : a->bare_text;
	request.archived = !i->outgoing && i->result.archived;
	request.meta = (Starling__StanzaMeta *)p->meta;
	request.fence = &fence;
	request.key_stream = p->key.stream;
	request.key_number = p->key.number;
	request.check = p->again;
	request.check_origin = p->check_origin;
	request.check_age_ms = packet_age_ms(p, p->again);
	request.max_waiting = !i->outgoing && !deliver_any_reader(a) ? (uint32_t)a->sm->options->offline_max : 0;
	i->state = ITEM_SENT;
	i->appender->on_the_way++;
	call_storage_log_append(a->sm->bus, ipc_instance(store), &opts, &request, on_appended, i);
}

static bool has_log(const Starling__Registration *r)
{
	return peer_version(r, STARLING__INTERFACE__INTERFACE_STORAGE) >= LOG_VERSION;
}

/* One of those that are ready, by the appender's number, so that all are used. */
static uint64_t choose_store(const struct appender *ap)
{
	const Starling__Registration *all[STORES_MAX];
	uint64_t stores[STORES_MAX];
	uint32_t n = ipc_bus_instances(ap->sm->bus, "storage", all, STORES_MAX), usable = 0;

	for (uint32_t i = 0; i < n && i < STORES_MAX; i++) {
		if (all[i]->state == STARLING__INSTANCE_STATE__INSTANCE_READY && has_log(all[i]))
			stores[usable++] = all[i]->instance;
	}
	return usable ? stores[(ap->index + ap->attempts) % usable] : 0;
}

/* Not to be sent before the slot's epoch has risen: then the store refuses what may still come of the first try. */
static bool in_doubt(const struct item *i)
{
	const struct account *a = i->account;
	uint64_t epoch = ownership_epoch(a->sm, a->slot);

	if (i->doubt == 0 || epoch > i->doubt)
		return false;
	ownership_bump(a->sm, a->slot);
	return true;
}

static void pump(struct appender *ap)
{
	uint64_t store;
	uint32_t sent = 0;

	if (ap->on_the_way > 0 || ap->broken || ap->pausing || ap->sm->stopping)
		return;
	leave(ap);
	if (list_empty(&ap->items))
		return;
	store = choose_store(ap);
	if (store == 0) {
		pause_then_again(ap);
		return;
	}
	list_for_each (n, &ap->items) {
		struct item *i = list_entry(n, struct item, node);

		if (sent == GROUP_MAX)
			return;
		if (!i->stored || i->state != ITEM_WAITING)
			continue;
		if (in_doubt(i)) {
			if (sent == 0)
				pause_then_again(ap);
			else
				ap->broken = true; /* looked at again when those sent were answered */
			return;
		}
		send_item(i, store);
		sent++;
	}
}

static struct item *stand_in_line(struct account *a, const struct packet *p, append_fn done)
{
	struct sm *sm = a->sm;
	struct item *i = mem_new(struct item);

	i->appender = &sm->appenders[a->slot % APPENDERS];
	i->account = a;
	i->done = done;
	i->parcel = parcel_new(sm, p);
	account_pin(a);
	a->appending++;
	list_push_back(&i->appender->items, &i->node);
	return i;
}

void append(struct account *a, const struct packet *p, bool outgoing, bool archived, append_fn done)
{
	struct packet named = *p;
	struct item *i;

	/* So that a second try of ours is recognised, too. */
	if (named.key.stream == 0)
		named.key = (struct packet_key){ random_u64() | 1, 0 };
	if (!named.again && named.first_ms == 0)
		named.first_ms = clock_mono_ms();
	i = stand_in_line(a, &named, done);
	i->stored = true;
	i->outgoing = outgoing;
	i->result.archived = archived;
	i->appender->soon = true;
	sm_turn_soon(a->sm);
}

void append_flush(struct sm *sm)
{
	for (uint32_t i = 0; i < APPENDERS; i++) {
		if (!sm->appenders[i].soon)
			continue;
		sm->appenders[i].soon = false;
		pump(&sm->appenders[i]);
	}
}

void append_behind(struct account *a, const struct packet *p, append_fn fn)
{
	struct append_result nothing = { 0 };

	if (a->appending == 0)
		fn(a, p, &nothing);
	else
		stand_in_line(a, p, fn);
}

void append_behind_sent(struct account *a, const struct packet *p, uint64_t log_id, append_fn fn)
{
	struct append_result result = { .id = log_id };
	struct item *i;

	if (a->appending == 0) {
		fn(a, p, &result);
		return;
	}
	i = stand_in_line(a, p, fn);
	i->sent = true;
	i->result = result;
}

/* The next owner finds in the log what is committed, and the store refuses what would come after its first write: so all of it may be presented there. */
void append_abandon(struct account *a)
{
	struct appender *ap = &a->sm->appenders[a->slot % APPENDERS];

	account_pin(a);
	list_for_each_safe (n, &ap->items) {
		struct item *i = list_entry(n, struct item, node);
		struct parcel *parcel = i->parcel;
		bool sent = i->sent;

		if (i->account != a)
			continue;
		list_remove(&i->node);
		i->parcel = NULL;
		parcel->packet.again = parcel->packet.again || i->state != ITEM_WAITING;
		if (i->state != ITEM_SENT)
			item_free(i);
		if (sent) {
			receipt_fail(parcel->packet.receipt, CODE(WRONG_OWNER));
			parcel_free(&parcel);
		} else {
			route_again(parcel);
		}
	}
	account_unpin(a);
}

/* --- life --- */

void append_init(struct sm *sm)
{
	sm->appenders = mem_zalloc(APPENDERS * sizeof(*sm->appenders));
	for (uint32_t i = 0; i < APPENDERS; i++) {
		sm->appenders[i].sm = sm;
		sm->appenders[i].index = i;
		list_init(&sm->appenders[i].items);
	}
}

/* Calls have ended, and their answers were heard. */
void append_fini(struct sm *sm)
{
	for (uint32_t k = 0; k < APPENDERS; k++) {
		list_for_each_safe (n, &sm->appenders[k].items)
			item_free(list_entry(n, struct item, node));
	}
	mem_free(sm->appenders);
	sm->appenders = NULL;
}
