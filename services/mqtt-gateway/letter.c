/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-gateway/letter.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "ipc/gen/stanza.client.h"
#include "ipc/runtime/lane.h"
#include "services/mqtt-gateway/gateway.h"
#include "services/mqtt-gateway/metrics.h"

#define DEADLINE_MS  60000u /* the owner answers when the message is durable: it may wait for its store */
#define PAUSE_MS     200u
#define PAUSE_MAX_MS 2000u

struct letter {
	struct ipc_lane_item base;
	struct letter_lane *lane;
	struct entry *entry; /* NULL: nobody waits for it, and it is not tried again */
	Starling__StanzaMeta meta;
	struct str bytes;
	const char *rule; /* its name */
	uint64_t key_stream, key_number, trace, since_ms;
	bool again;   /* may have been sent before, by whomever */
	bool ours;    /* all that is known of that is what we did */
	bool calling; /* an answer is awaited */
};

struct letter_lane {
	struct ipc_lane base;
	struct letters *all;
	uint32_t slot;
	struct wheel_timer pause;
};

static struct letter_lane *lane_of(struct ipc_lane *l)
{
	return list_entry(l, struct letter_lane, base);
}

static struct letter *letter_of(struct ipc_lane_item *i)
{
	return list_entry(i, struct letter, base);
}

static char *place(char **at, const char *text)
{
	size_t n = strlen(text) + 1;
	char *copy = memcpy(*at, text, n);

	*at += n;
	return copy;
}

static struct letter *letter_new(struct letter_lane *l, const struct rule *r, const struct to_user *m, const char *from, const char *to)
{
	struct str bytes = buf_str(&m->bytes);
	size_t texts = strlen(from) + strlen(to) + strlen(m->id) + strlen(r->name) + 4;
	struct letter *e = mem_zalloc(sizeof(*e) + texts + bytes.n);
	char *at = (char *)(e + 1);

	e->lane = l;
	e->meta = (Starling__StanzaMeta)STARLING__STANZA_META__INIT;
	e->meta.kind = STARLING__STANZA_KIND__STANZA_MESSAGE;
	e->meta.type = (Starling__StanzaType)r->type;
	e->meta.from = place(&at, from);
	e->meta.to = place(&at, to);
	e->meta.id = place(&at, m->id);
	e->meta.flags = m->flags;
	e->rule = place(&at, r->name);
	memcpy(at, bytes.p, bytes.n);
	e->bytes = str_make(at, bytes.n);
	e->key_stream = m->key_stream;
	e->key_number = m->key_number;
	return e;
}

/* done: nobody has to send it again. */
static void letter_free(struct letter *e, bool done)
{
	struct letters *all = e->lane->all;
	struct entry *entry = e->entry;

	list_remove(&e->base.node);
	all->count--;
	mem_free(e);
	if (entry && done)
		intake_settled(&all->gateway->intake, entry);
}

/* --- the way ------------------------------------------------------------------------------------------------------ */

static enum ipc_lane_answer take_answer(struct letter *e, const struct ipc_result *result)
{
	struct gateway *g = e->lane->all->gateway;

	e->calling = false;
	if (ipc_ok(result)) {
		metric_inc(&gateway_metrics.to_user);
		letter_free(e, true);
		return IPC_LANE_TAKEN;
	}
	if (result->code == STARLING__CODE__CODE_INVALID || result->code == STARLING__CODE__CODE_UNSUPPORTED) {
		log_warn(g->log, "rule %s: a message to %s was refused: %s", e->rule, e->meta.to, result->text);
		metric_inc(&gateway_metrics.refused);
		letter_free(e, true);
		return IPC_LANE_REFUSED;
	}
	/* Who does not wait for it gets it from the broker again, or had it with QoS 0. */
	if (!e->entry)
		letter_free(e, false);
	return IPC_LANE_FAILED;
}

static void on_routed(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	struct letter *e = ctx;
	struct letter_lane *l = e->lane;

	(void)reply;
	ipc_lane_answered(&l->base, take_answer(e, result));
	gateway_look(l->all->gateway);
}

static enum ipc_lane_sent send_letter(struct ipc_lane *lane, struct ipc_lane_item *item, uint64_t owner, uint64_t epoch)
{
	struct gateway *g = lane_of(lane)->all->gateway;
	struct letter *e = letter_of(item);
	Starling__RouteRequest request = STARLING__ROUTE_REQUEST__INIT;
	struct ipc_opts opts = { .deadline_ms = DEADLINE_MS, .in_line = true, .trace = e->trace, .payload = e->bytes };

	request.meta = &e->meta;
	request.hops = 1;
	request.epoch = epoch;
	request.key_stream = e->key_stream;
	request.key_number = e->key_number;
	request.again = e->again && e->key_stream;
	/* How long ago an earlier gateway sent it nobody knows. */
	if (request.again && e->ours)
		request.age_ms = net_now(g->net) - e->since_ms + 1;
	e->ours = e->ours || !e->again;
	e->again = e->calling = true;
	return call_stanza_route(g->bus, ipc_instance(owner), &opts, &request, on_routed, e) == IPC_SENT ? IPC_LANE_SENT : IPC_LANE_STUCK;
}

static uint64_t receiver(struct ipc_lane *lane, uint64_t *out_epoch)
{
	return ipc_bus_slot_owner(lane_of(lane)->all->gateway->bus, lane_of(lane)->slot, out_epoch);
}

static void pause_lane(struct ipc_lane *lane, uint32_t attempts)
{
	uint64_t wait = (uint64_t)PAUSE_MS << (attempts < 4 ? attempts : 4);

	net_timer_set(lane_of(lane)->all->gateway->net, &lane_of(lane)->pause, wait < PAUSE_MAX_MS ? wait : PAUSE_MAX_MS);
}

static void on_pause_over(struct wheel_timer *t)
{
	ipc_lane_go_on(&list_entry(t, struct letter_lane, pause)->base);
}

static const struct ipc_lane_ops lane_ops = { receiver, send_letter, pause_lane, NULL, NULL };

static struct letter_lane *lane_for(struct letters *all, uint32_t slot)
{
	struct letter_lane *l = all->lanes[slot];

	if (l)
		return l;
	l = all->lanes[slot] = mem_new(struct letter_lane);
	ipc_lane_init(&l->base, &lane_ops, &all->gateway->stopped);
	l->all = all;
	l->slot = slot;
	wheel_timer_init(&l->pause, on_pause_over);
	return l;
}

void letter_send(struct letters *all, const struct rule *r, const struct to_user *m, size_t number, struct entry *entry, bool again)
{
	const char *to = m->to[number].text;
	struct letter_lane *l = lane_for(all, hash_slot(str_from(to)));
	struct gateway *g = all->gateway;
	struct buf from = { 0 };
	struct letter *e;

	buf_printf(&from, "%s@%s", r->address, g->domain);
	buf_append_char(&from, '\0');
	e = letter_new(l, r, m, from.p, to);
	buf_fini(&from);
	e->entry = entry;
	e->again = again;
	e->trace = random_u64();
	e->since_ms = net_now(g->net);
	all->count++;
	ipc_lane_add(&l->base, &e->base);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

void letters_init(struct letters *all, struct gateway *g)
{
	*all = (struct letters){ .gateway = g };
}

void letters_forget(struct letters *all)
{
	for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
		if (!all->lanes[slot])
			continue;
		list_for_each_safe (n, &all->lanes[slot]->base.items) {
			struct letter *e = letter_of(list_entry(n, struct ipc_lane_item, node));

			e->entry = NULL;
			if (!e->calling)
				letter_free(e, false);
		}
	}
}

void letters_fini(struct letters *all)
{
	for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
		struct letter_lane *l = all->lanes[slot];

		if (!l)
			continue;
		net_timer_cancel(all->gateway->net, &l->pause);
		while (!list_empty(&l->base.items))
			letter_free(letter_of(list_entry(l->base.items.next, struct ipc_lane_item, node)), false);
		mem_free(l);
		all->lanes[slot] = NULL;
	}
}
