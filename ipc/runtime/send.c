/* SPDX-License-Identifier: Apache-2.0
 *
 * send: from a target to a frame. The sender resolves the target; which way leads there is way.c. */
#include "common/base/mem.h"
#include "ipc/runtime/bus_core.h"

#define ROUTE_IDLE_MS 1000u
#define HOLD_BYTES    (1u << 20)

static struct peer *resolve(struct ipc_bus *bus, struct ipc_target to, uint32_t method)
{
	if (!bus->was_joined || bus->ending)
		return NULL;
	switch (to.kind) {
	case IPC_TO_INSTANCE:
		return directory_find(&bus->directory, to.instance);
	case IPC_TO_ANY:
		return directory_any(&bus->directory, to.role, method);
	case IPC_TO_SLOT:
		return directory_slot(&bus->directory, to.role, to.slot);
	}
	return NULL;
}

/* Writes the record into the frame under construction. */
static bool put(struct ipc_bus *bus, const struct way *w, struct peer *p, const struct post *post)
{
	if (!record_write(w->out, &post->envelope, post->message, post->payload))
		return false;
	bus->stats.records_out++;
	bus->stats.direct_out += w->pair != NULL;
	p->last_sent_ms = bus_now(bus);
	way_wrote(w);
	return true;
}

static int put_local(struct ipc_bus *bus, const struct post *post)
{
	if (bus->local_count >= bus->queue_limit)
		return IPC_FULL;
	if (!record_write(&bus->local, &post->envelope, post->message, post->payload))
		return IPC_FULL;
	bus->local_count++;
	bus->stats.records_out++;
	bus_later(bus);
	return IPC_SENT;
}

void send_tell_pressure(struct ipc_bus *bus, const struct peer *p, enum flow_pressure pressure)
{
	if (pressure != FLOW_SAME && bus->hooks.on_pressure)
		bus->hooks.on_pressure(p->instance, pressure == FLOW_HIGH, bus->ctx);
}

static int put_waiting(struct ipc_bus *bus, struct peer *p, const struct post *post)
{
	struct flow_waiting w = { .call = post->call ? post->call->id : 0,
		                  .deadline_ms = post->call ? post->call->deadline_ms : 0,
		                  .in_line = post->in_line };
	struct str frame;

	if (flow_full(&p->flow)) {
		bus->stats.queue_full++;
		return IPC_FULL;
	}
	buf_clear(&bus->scratch);
	if (!record_write(&bus->scratch, &post->envelope, post->message, post->payload))
		return IPC_FULL;
	frame = buf_str(&bus->scratch);
	bus->stats.queued++;
	send_tell_pressure(bus, p, flow_push(&p->flow, &w, str_make(frame.p + FRAME_HEAD, frame.n - FRAME_HEAD)));
	return IPC_SENT;
}

/* May a record that needs credit go out now? What is held while the path switches is bounded like any queue. */
static bool is_open(const struct peer *p, const struct way *w)
{
	return flow_open(&p->flow) && (w->out != &p->hold || p->hold.n < HOLD_BYTES);
}

/* Accepted, and lost with what went before it. */
static int lose(struct ipc_bus *bus, const struct post *post)
{
	if (post->call) {
		bus->stats.calls_lost++;
		calls_fail_later(&bus->calls, post->call, STARLING__CODE__CODE_PEER_LOST, "the connection has just broken");
		bus_later(bus);
	}
	return IPC_SENT;
}

int send_post(struct ipc_bus *bus, struct peer *p, struct post *post)
{
	bool credit = envelope_needs_credit(&post->envelope), found;
	struct way w;

	post->envelope.source = bus->instance;
	post->envelope.destination = p->instance;
	if (bus->debug)
		debug_message(bus, "->", p->self ? "self" : path_name(&p->path), &post->envelope, post->message, post->payload.n);
	if (p->self)
		return put_local(bus, post);
	pair_want(bus, p);
	if (credit && p->severed)
		return lose(bus, post);
	found = way_find(bus, p, &w);
	if (credit && (!found || p->flow.queued > 0 || !is_open(p, &w)))
		return put_waiting(bus, p, post);
	if (!found)
		return IPC_NOBODY; /* an answer to whom our last router took along: its call has ended there */
	if (!put(bus, &w, p, post))
		return IPC_FULL;
	p->flow.outstanding += credit;
	if (post->call)
		post->call->route = w.route;
	return IPC_SENT;
}

/* A waiting record goes out; a call's envelope is written anew, for its time left has shrunk. */
static void put_waited(struct ipc_bus *bus, const struct way *way, const struct flow_waiting *w, struct str record, struct call *call)
{
	struct frame_reader reader = { (const uint8_t *)record.p, record.n };
	struct frame_record r;
	struct envelope e;
	uint64_t now = bus_now(bus);

	if (!call) {
		frame_append(way->out, record);
		return;
	}
	frame_next(&reader, &r);
	envelope_read(r.envelope, &e);
	e.deadline_ms = w->deadline_ms > now ? (uint32_t)(w->deadline_ms - now) : 1;
	record_write_raw(way->out, &e, r.body, r.payload);
	call->route = way->route;
}

void send_pump(struct ipc_bus *bus, struct peer *p)
{
	struct flow_waiting w;
	struct str record;
	struct way way;

	if (p->flow.queued == 0 || !way_find(bus, p, &way))
		return;
	while (is_open(p, &way) && flow_peek(&p->flow, &w, &record)) {
		struct call *call = w.call ? calls_find(&bus->calls, w.call) : NULL;

		if (!w.call || call || w.in_line) {
			put_waited(bus, &way, &w, record, call);
			p->flow.outstanding++;
			bus->stats.records_out++;
			bus->stats.direct_out += way.pair != NULL;
			p->last_sent_ms = bus_now(bus);
		}
		bus->stats.queued--;
		enum flow_pressure pressure = flow_pop(&p->flow);
		way_wrote(&way);
		send_tell_pressure(bus, p, pressure);
	}
}

void send_router(struct ipc_bus *bus, struct link *l, int kind, uint32_t method, uint64_t call, const ProtobufCMessage *message)
{
	struct envelope e = { .kind = kind, .method = method, .source = bus->instance, .call = call };

	if (call)
		e.deadline_ms = BUS_DEADLINE_MS;
	if (bus->debug)
		debug_message(bus, "->", "router", &e, message, 0);
	record_write(&l->out, &e, message, (struct str){ NULL, 0 });
	bus->stats.records_out++;
}

/* --- credit for what we consumed -------------------------------------------------------------------------------- */

void send_consumed(struct ipc_bus *bus, uint64_t source)
{
	struct peer *p = directory_find(&bus->directory, source);

	if (p && !p->self && flow_consumed(&p->flow, bus->window) && list_unlinked(&p->owing))
		list_push_back(&bus->owing, &p->owing);
}

static void grant(struct ipc_bus *bus, struct peer *p)
{
	struct post post = { .envelope = { .kind = STARLING__KIND__KIND_CREDIT, .credit = p->flow.owed } };

	if (p->held || p->flow.owed == 0)
		return;
	if (send_post(bus, p, &post) == IPC_SENT)
		p->flow.owed = 0;
}

void send_owing(struct ipc_bus *bus)
{
	while (!list_empty(&bus->owing)) {
		struct peer *p = list_entry(bus->owing.next, struct peer, owing);

		list_remove(&p->owing);
		grant(bus, p);
	}
}

void send_tick(struct ipc_bus *bus, uint64_t now_ms)
{
	IDMAP_EACH(&bus->directory.peers, i)
	{
		struct peer *p = bus->directory.peers.cells[i].value;

		grant(bus, p);
		way_remind(bus, p);
		/* Nothing is on the way: the hash may choose again, so that a router that came later gets its share. */
		if (p->route >= 0 && p->flow.outstanding == 0 && p->flow.queued == 0 && list_empty(&p->calls) &&
		    now_ms - p->last_sent_ms > ROUTE_IDLE_MS)
			p->route = -1;
	}
}

static bool is_held(const struct ipc_bus *bus, const char *role)
{
	for (uint32_t i = 0; i < bus->held_count; i++)
		if (strcmp(bus->held[i], role) == 0)
			return true;
	return false;
}

void send_held(struct ipc_bus *bus, struct peer *p)
{
	p->held = is_held(bus, p->registration->role);
	if (!p->held && p->flow.owed > 0)
		grant(bus, p);
}

void ipc_bus_hold(struct ipc_bus *bus, const char *role, bool hold)
{
	if (is_held(bus, role) == hold)
		return;
	if (hold) {
		bus->held = mem_realloc(bus->held, (bus->held_count + 1) * sizeof(char *));
		bus->held[bus->held_count++] = mem_strdup(role);
	}
	for (uint32_t i = 0; !hold && i < bus->held_count; i++) {
		if (strcmp(bus->held[i], role) != 0)
			continue;
		mem_free(bus->held[i]);
		bus->held[i] = bus->held[--bus->held_count];
		break;
	}
	IDMAP_EACH(&bus->directory.peers, i)
	{
		send_held(bus, bus->directory.peers.cells[i].value);
	}
}

/* --- for generated code ----------------------------------------------------------------------------------------- */

static const struct ipc_opts no_opts;

int ipc_call(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts, uint32_t method, const ProtobufCMessage *request,
             ipc_done_fn done, void *ctx)
{
	const struct ipc_opts *o = opts ? opts : &no_opts;
	uint32_t deadline_ms = o->deadline_ms ? o->deadline_ms : BUS_DEADLINE_MS;
	struct call *call = calls_open(&bus->calls, ipc_method_find(method), method, done, ctx, bus_now(bus), bus_now(bus) + deadline_ms);
	struct peer *p = resolve(bus, to, method);
	struct post post = { .message = request, .payload = o->payload, .call = call, .in_line = o->in_line };
	int rc = IPC_NOBODY;

	if (p) {
		call->instance = p->instance;
		list_push_back(&p->calls, &call->peer);
		post.envelope = (struct envelope){
			.kind = STARLING__KIND__KIND_CALL, .method = method, .call = call->id, .deadline_ms = deadline_ms, .trace = o->trace
		};
		rc = send_post(bus, p, &post);
	}
	if (rc == IPC_SENT) {
		if (call->deadline_ms < bus->deadlines_armed_ms)
			send_arm_deadlines(bus);
		return rc;
	}
	if (rc == IPC_NOBODY)
		calls_fail_later(&bus->calls, call, STARLING__CODE__CODE_UNAVAILABLE, "nobody serves this now");
	else
		calls_fail_later(&bus->calls, call, STARLING__CODE__CODE_OVERLOAD, "the queue to the instance is full");
	if (bus->ending)
		calls_run_failed(&bus->calls);
	else
		bus_later(bus);
	return rc;
}

int ipc_send(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts, uint32_t method, const ProtobufCMessage *event)
{
	const struct ipc_opts *o = opts ? opts : &no_opts;
	struct peer *p = resolve(bus, to, method);
	struct post post = { .envelope = { .kind = STARLING__KIND__KIND_EVENT, .method = method, .trace = o->trace },
		             .message = event,
		             .payload = o->payload };

	return p ? send_post(bus, p, &post) : IPC_NOBODY;
}
