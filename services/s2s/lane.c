/* SPDX-License-Identifier: Apache-2.0
 *
 * lane: stanzas for the accounts of one slot, in order: some on the way to the slot's owner at a time, each naming the epoch under which that owner has
 * the slot (stanza.proto), so that none of those behind a refused one can be taken. After a failure the lane waits until all on the way were answered,
 * then sends what is left again, to whoever owns the slot then. */
#include "services/s2s/s2s.h"

#include "common/base/mem.h"
#include "ipc/gen/stanza.client.h"
#include "services/s2s/metrics.h"

#define ON_THE_WAY_MAX 64u
#define DEADLINE_MS    60000u
#define PAUSE_MS       200u
#define PAUSE_MAX_MS   2000u
#define GIVE_UP_MS     30000u /* for what no stream counts: errors to our own users */

enum letter_state { LETTER_WAITING, LETTER_SENT, LETTER_FAILED };

struct letter {
	struct list_node node;
	struct s2s_lane *lane;
	struct s2s_stream *stream; /* counted; NULL: an error of our own */
	uint64_t number;
	Starling__StanzaMeta meta;
	struct str bytes;
	struct s2s_key key; /* again: the other server says so */
	uint64_t trace, since_ms;
	uint8_t state;
	bool again;
};

struct s2s_lane {
	struct s2s *s2s;
	uint32_t slot;
	struct list_node letters;
	uint32_t on_the_way, attempts;
	uint64_t owner, epoch, pause_until_ms;
	bool broken;
};

static void pump(struct s2s_lane *l);

static char *place(char **at, const char *text)
{
	size_t n = strlen(text) + 1;
	char *copy = memcpy(*at, text, n);

	*at += n;
	return copy;
}

static struct letter *letter_new(struct s2s_lane *l, const Starling__StanzaMeta *m, struct str bytes)
{
	size_t texts =
	        strlen(m->from) + strlen(m->to) + strlen(m->id) + strlen(m->child_name) + strlen(m->child_ns) + strlen(m->origin_id) + 6;
	struct letter *e = mem_zalloc(sizeof(*e) + texts + bytes.n);
	char *at = (char *)(e + 1);

	e->lane = l;
	e->meta = *m;
	e->meta.from = place(&at, m->from);
	e->meta.to = place(&at, m->to);
	e->meta.id = place(&at, m->id);
	e->meta.child_name = place(&at, m->child_name);
	e->meta.child_ns = place(&at, m->child_ns);
	e->meta.origin_id = place(&at, m->origin_id);
	memcpy(at, bytes.p, bytes.n);
	e->bytes = str_make(at, bytes.n);
	return e;
}

/* handled: its account's owner has it, or nobody ever will. */
static void letter_free(struct letter *e, bool handled)
{
	struct s2s_stream *s = e->stream;

	list_remove(&e->node);
	if (s && handled)
		s2s_ack_handled(s, e->number);
	if (s)
		s2s_stream_unref(s);
	mem_free(e);
}

static void pause_if_quiet(struct s2s_lane *l)
{
	uint64_t wait = (uint64_t)PAUSE_MS << (l->attempts < 4 ? l->attempts : 4);

	if (!l->broken || l->on_the_way > 0 || l->pause_until_ms)
		return;
	l->attempts++;
	l->pause_until_ms = net_now(l->s2s->net) + (wait < PAUSE_MAX_MS ? wait : PAUSE_MAX_MS);
}

static void on_routed(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	struct letter *e = ctx;
	struct s2s_lane *l = e->lane;

	(void)reply;
	l->on_the_way--;
	if (l->s2s->stopped) {
		letter_free(e, false);
		return;
	}
	if (ipc_ok(result)) {
		l->attempts = 0;
		letter_free(e, true);
	} else if (result->code == STARLING__CODE__CODE_INVALID || result->code == STARLING__CODE__CODE_UNSUPPORTED) {
		log_warn(l->s2s->log, "slot %u: a stanza was refused: %s", (unsigned)l->slot, result->text);
		letter_free(e, true);
	} else {
		e->state = LETTER_FAILED;
		l->broken = true;
		if (!e->stream && net_now(l->s2s->net) - e->since_ms > GIVE_UP_MS)
			letter_free(e, false);
	}
	if (l->broken)
		pause_if_quiet(l);
	else
		pump(l);
}

static bool send_letter(struct letter *e, uint64_t owner, uint64_t epoch)
{
	struct s2s_lane *l = e->lane;
	Starling__RouteRequest request = STARLING__ROUTE_REQUEST__INIT;
	struct ipc_opts opts = { .deadline_ms = DEADLINE_MS, .trace = e->trace, .payload = e->bytes };

	request.meta = &e->meta;
	request.hops = 1;
	/* A stanza to the host itself is served by its sender's slot, which no epoch guards. */
	request.epoch = jid_view_local(str_from(e->meta.to)).n ? epoch : 0;
	request.key_stream = e->key.stream;
	request.key_number = e->key.number;
	request.again = e->again;
	/* A repetition of ours is as old as this letter; one of the other server's only that server knows. */
	if (e->again && (!e->key.again || e->key.age_s > 0))
		request.age_ms = net_now(l->s2s->net) - e->since_ms + e->key.age_s * 1000 + 1;
	e->state = LETTER_SENT;
	e->again = true;
	l->on_the_way++;
	return call_stanza_route(l->s2s->bus, ipc_instance(owner), &opts, &request, on_routed, e) == IPC_SENT;
}

static void pump(struct s2s_lane *l)
{
	uint64_t epoch = 0, owner;

	if (l->broken || l->s2s->stopped || list_empty(&l->letters))
		return;
	owner = ipc_bus_slot_owner(l->s2s->bus, l->slot, &epoch);
	if (owner == 0) {
		l->broken = true;
		pause_if_quiet(l);
		return;
	}
	/* Those that are still with a former owner come first. */
	if (l->on_the_way > 0 && (owner != l->owner || epoch != l->epoch))
		return;
	l->owner = owner;
	l->epoch = epoch;
	list_for_each_safe (n, &l->letters) {
		struct letter *e = list_entry(n, struct letter, node);

		if (l->on_the_way >= ON_THE_WAY_MAX)
			return;
		if (e->state == LETTER_WAITING && !send_letter(e, owner, epoch)) {
			l->broken = true;
			return;
		}
	}
}

static struct s2s_lane *lane_of(struct s2s *s2s, uint32_t slot)
{
	struct s2s_lane *l = s2s->lanes[slot];

	if (l)
		return l;
	l = s2s->lanes[slot] = mem_new(struct s2s_lane);
	l->s2s = s2s;
	l->slot = slot;
	list_init(&l->letters);
	return l;
}

void s2s_lane_send(struct s2s *s2s, struct s2s_stream *from, uint64_t number, const Starling__StanzaMeta *meta, struct str bytes,
                   const struct s2s_key *key)
{
	struct str to = str_from(meta->to);
	struct s2s_lane *l = lane_of(s2s, hash_slot(jid_view_local(to).n ? to : jid_view_bare(str_from(meta->from))));
	struct letter *e = letter_new(l, meta, bytes);

	e->stream = from ? s2s_stream_ref(from) : NULL;
	e->number = number;
	if (key)
		e->key = *key;
	e->again = e->key.again;
	e->trace = s2s_trace(s2s);
	e->since_ms = net_now(s2s->net);
	list_push_back(&l->letters, &e->node);
	pump(l);
}

/* At each tick. */
void s2s_lanes_wake(struct s2s *s2s)
{
	uint64_t now_ms = net_now(s2s->net);

	for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
		struct s2s_lane *l = s2s->lanes[slot];

		if (!l || !l->pause_until_ms || now_ms < l->pause_until_ms)
			continue;
		l->pause_until_ms = 0;
		l->broken = false;
		list_for_each (n, &l->letters)
			list_entry(n, struct letter, node)->state = LETTER_WAITING;
		pump(l);
	}
}

/* Calls have ended, and their answers were heard. */
void s2s_lanes_fini(struct s2s *s2s)
{
	for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
		struct s2s_lane *l = s2s->lanes[slot];

		if (!l)
			continue;
		list_for_each_safe (n, &l->letters)
			letter_free(list_entry(n, struct letter, node), false);
		mem_free(l);
		s2s->lanes[slot] = NULL;
	}
}
