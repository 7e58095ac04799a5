/* SPDX-License-Identifier: Apache-2.0
 *
 * pair: see pair.h. */
#include "ipc/runtime/pair.h"

#include <zmq.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "ipc/gen/link.client.h"
#include "ipc/runtime/bus_core.h"

#define RETRY_MAX_MS 30000u
#define KEPT_BYTES   (2u << 20) /* of a large frame's storage */
/* Routers find a frozen instance in three or four seconds; a connection that is cut off without a word is found later than that. */
#define HEARTBEAT_MS 2000

/* --- records of our own ----------------------------------------------------------------------------------------- */

static void say(struct pair *c, int kind, uint32_t method, uint64_t call, const ProtobufCMessage *message)
{
	struct envelope e = { .kind = kind, .method = method, .source = c->bus->instance, .destination = c->peer->instance, .call = call };

	if (c->bus->debug)
		debug_message(c->bus, "->", "direct", &e, message, 0);
	record_write(pair_out(c), &e, message, (struct str){ NULL, 0 });
	c->bus->stats.records_out++;
}

static void say_passed(struct pair *c)
{
	Starling__LinkMarkerEvent event = STARLING__LINK_MARKER_EVENT__INIT;

	event.connection = c->peer->path.connection;
	say(c, STARLING__KIND__KIND_EVENT, METHOD_LINK_PASSED, 0, &event.base);
}

static void stands(struct pair *c, uint64_t connection)
{
	struct peer *p = c->peer;

	c->up = true;
	p->lingers = true;
	c->bus->stats.links++;
	log_info(NULL, "direct connection peer=%s instance=%016llx", p->registration->name, (unsigned long long)p->instance);
	if (path_connected(&p->path, connection))
		say_passed(c);
	way_event(c->bus, p, PATH_UP);
}

/* --- a connection that we make ---------------------------------------------------------------------------------- */

static void on_open(struct link *l, void *ctx)
{
	struct pair *c = ctx;
	Starling__LinkOpenRequest request = STARLING__LINK_OPEN_REQUEST__INIT;

	(void)l;
	c->connection = random_u64() | 1;
	request.connection = c->connection;
	say(c, STARLING__KIND__KIND_CALL, METHOD_LINK_OPEN, 1, &request.base);
}

static void on_frame(struct link *l, struct str frame, void *ctx)
{
	struct pair *c = ctx;

	(void)l;
	receive_frame(c->bus, (struct origin){ .pair = c }, frame);
}

static void on_down(struct link *l, const char *why, void *ctx)
{
	if (l->state == LINK_JOINED)
		pair_lost(ctx, why);
}

static const struct link_events events = { on_open, on_frame, on_down };

/* The key that it announces must be one of its role's: it was a router that believed the role, and nobody yet the key. */
static bool takes_key(const struct ipc_bus *bus, const Starling__Registration *r, char key[KEYS_Z85 + 1])
{
	return r->link_key.len == 32 && zmq_z85_encode(key, r->link_key.data, 32) && allow_has(&bus->allow, r->role, key);
}

/* A Unix socket of another machine would lead nowhere, or to somebody else. */
static bool is_reachable(const struct ipc_bus *bus, const Starling__Registration *r)
{
	return strncmp(r->link, "ipc://", 6) != 0 || strcmp(r->host, bus->self.host) == 0;
}

void pair_want(struct ipc_bus *bus, struct peer *p)
{
	const Starling__Registration *r = p->registration;
	struct pair *c;

	if (p->pair || !bus->direct || bus->closing || bus->instance > p->instance || !*r->link || p->link_refused == r->revision)
		return;
	c = mem_new(struct pair);
	if (!is_reachable(bus, r) || !takes_key(bus, r, c->server_key[0])) {
		p->link_refused = r->revision;
		mem_free(c);
		return;
	}
	c->bus = bus;
	c->peer = p;
	c->base = bus->base;
	c->base.server_keys = c->server_key;
	c->base.server_key_count = 1;
	c->base.what = "instance";
	c->base.optional = true;
	c->base.retry_max_ms = RETRY_MAX_MS;
	c->base.heartbeat_ms = HEARTBEAT_MS;
	c->base.events = &events;
	c->base.ctx = c;
	c->link = link_new(&c->base, ROUTE_DIRECT, r->link);
	p->pair = c;
	list_push_back(&bus->direct->pairs, &c->all);
	link_tick(c->link, bus_now(bus));
}

/* --- a connection that they make -------------------------------------------------------------------------------- */

struct pair *pair_accept(struct ipc_bus *bus, struct peer *p, const uint8_t *id, size_t id_n, const char *user, uint64_t connection)
{
	struct pair *c = mem_new(struct pair);

	c->bus = bus;
	c->peer = p;
	memcpy(c->id, id, id_n);
	c->id_n = id_n;
	snprintf(c->user, sizeof(c->user), "%s", user);
	p->pair = c;
	list_push_back(&bus->direct->pairs, &c->all);
	say(c, STARLING__KIND__KIND_REPLY, METHOD_LINK_OPEN, 1, NULL);
	stands(c, connection);
	return c;
}

/* --- both ------------------------------------------------------------------------------------------------------- */

struct buf *pair_out(struct pair *c)
{
	return c->link ? &c->link->out : &c->out;
}

void pair_flush(struct pair *c)
{
	struct str frame = buf_str(&c->out);

	if (c->link) {
		link_flush(c->link);
		return;
	}
	if (frame.n <= FRAME_HEAD)
		return;
	if (c->failed || !direct_send(c->bus->direct, c->id, c->id_n, frame)) {
		/* Its end is dealt with in the next turn: who sends has its record accepted, and then lost. */
		c->failed = true;
		bus_later(c->bus);
	} else {
		c->frames_out++;
		c->bytes_out += frame.n;
	}
	buf_clear(&c->out);
	if (c->out.cap > KEPT_BYTES)
		buf_release(&c->out);
}

void pair_free(struct pair *c, int linger_ms)
{
	struct ipc_bus *bus = c->bus;

	if (c->up)
		bus->stats.links--;
	if (c->link) {
		c->frames_in = c->link->frames_in;
		c->frames_out = c->link->frames_out;
		c->bytes_in = c->link->bytes_in;
		c->bytes_out = c->link->bytes_out;
		link_free(&c->link, linger_ms);
	} else {
		direct_forget(bus->direct, c);
	}
	bus->closed_frames_in += c->frames_in;
	bus->closed_frames_out += c->frames_out;
	bus->closed_bytes_in += c->bytes_in;
	bus->closed_bytes_out += c->bytes_out;
	c->peer->pair = NULL;
	c->peer->lingers = false;
	list_remove(&c->all);
	buf_fini(&c->out);
	mem_free(c);
}

void pair_lost(struct pair *c, const char *why)
{
	struct ipc_bus *bus = c->bus;
	struct peer *p = c->peer;
	struct breach breach = { .direct = true, .out = p->path.out == PATH_DIRECT };
	bool stood = c->up;

	if (!bus->ending)
		log_info(NULL, "direct connection over peer=%s instance=%016llx why=%s", p->registration->name,
		         (unsigned long long)p->instance, why);
	bus->stats.links -= c->up;
	c->up = c->failed = false;
	p->lingers = false;
	if (!c->link)
		pair_free(c, 0);
	path_disconnected(&p->path);
	way_event(bus, p, PATH_DOWN);
	/* Also when nothing of ours went by it: the other end may have ended it to say that it has lost something (way_broken). */
	if (stood)
		membership_reset(bus, p, &breach);
	if (p->leaving) {
		p->limbo_until_ms = 1; /* it is gone with the next tick; not now, for our link may be on the stack */
		bus_tick_soon(bus);
	}
}

void pair_drop(struct pair *c, const char *why)
{
	if (c->link) {
		link_drop(c->link, why);
		return;
	}
	direct_refuse(c->bus->direct, c->id, c->id_n, c->peer->instance, 0, STARLING__CODE__CODE_NOT_FOUND, why);
	pair_lost(c, why);
}

/* --- what the other end says ------------------------------------------------------------------------------------ */

static void on_opened(struct pair *c)
{
	if (!c->link || c->link->state != LINK_OPEN)
		return;
	link_set_joined(c->link, c->peer->instance);
	stands(c, c->connection);
}

static void on_refused(struct pair *c, const struct envelope *e)
{
	if (c->link) {
		log_info(NULL, "direct connection refused peer=%s code=%s text=%.*s", c->peer->registration->name, ipc_code_name(e->code),
		         STR_ARG(e->text));
		link_drop(c->link, "refused");
		return;
	}
	/* We are in the middle of its frame: later. */
	c->failed = true;
	bus_later(c->bus);
}

static void on_marker(struct ipc_bus *bus, const struct envelope *e, const Starling__LinkMarkerEvent *event)
{
	struct peer *p = directory_find(&bus->directory, e->source);

	if (p && path_marked(&p->path, event->connection) && p->pair)
		say_passed(p->pair);
}

void pair_record(struct ipc_bus *bus, struct pair *c, const struct envelope *e, const struct frame_record *r)
{
	const Starling__LinkMarkerEvent *event = NULL;

	if (e->kind == STARLING__KIND__KIND_EVENT)
		event = (const Starling__LinkMarkerEvent *)codec_unpack(bus->arena, &starling__link_marker_event__descriptor, r->body);
	if (event && !c && e->method == METHOD_LINK_MARKER)
		on_marker(bus, e, event);
	else if (event && c && e->method == METHOD_LINK_PASSED && c->up && event->connection == c->peer->path.connection)
		way_event(bus, c->peer, PATH_ANSWERED);
	else if (c && e->method == METHOD_LINK_OPEN && e->kind == STARLING__KIND__KIND_REPLY)
		on_opened(c);
	else if (c && e->method == METHOD_LINK_OPEN && e->kind == STARLING__KIND__KIND_FAILURE)
		on_refused(c, e);
}
