/* SPDX-License-Identifier: Apache-2.0
 *
 * membership: joining every router, staying joined, and what the directory's news mean for calls, credit and the daemon's hooks. */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "ipc/gen/bus.client.h"
#include "ipc/runtime/bus_core.h"

#define SILENT_TICKS 3u

/* --- links ------------------------------------------------------------------------------------------------------ */

static void link_opened(struct link *l, void *ctx)
{
	struct ipc_bus *bus = ctx;

	send_router(bus, l, STARLING__KIND__KIND_CALL, METHOD_BUS_JOIN, 1, &bus->self.base);
}

static void link_went_down(struct link *l, const char *why, void *ctx)
{
	struct ipc_bus *bus = ctx;

	if (!bus->ending && l->state == LINK_JOINED)
		log_info(NULL, "router lost endpoint=%s router=%016llx why=%s", l->endpoint, (unsigned long long)l->router, why);
	if (l->state == LINK_JOINED)
		directory_link_lost(&bus->directory, l->index, bus_now(bus));
	/* A link that was closed as a duplicate of this one is needed now. */
	for (unsigned i = 0; i < DIRECTORY_LINKS; i++)
		if (bus->links[i] && bus->links[i]->state == LINK_DUPLICATE && bus->links[i]->router == l->router)
			bus->links[i]->state = LINK_DOWN;
	bus_tick_soon(bus);
}

static void link_framed(struct link *l, struct str frame, void *ctx)
{
	receive_frame(ctx, (struct origin){ .link = l }, frame);
}

const struct link_events membership_link_events = { link_opened, link_framed, link_went_down };

static struct link *link_by_endpoint(const struct ipc_bus *bus, const char *endpoint)
{
	for (unsigned i = 0; i < DIRECTORY_LINKS; i++)
		if (bus->links[i] && strcmp(bus->links[i]->endpoint, endpoint) == 0)
			return bus->links[i];
	return NULL;
}

static void link_add(struct ipc_bus *bus, const char *endpoint)
{
	for (unsigned i = 0; i < DIRECTORY_LINKS; i++) {
		if (bus->links[i])
			continue;
		bus->links[i] = link_new(&bus->base, i, endpoint);
		return;
	}
	log_warn(NULL, "more than %u routers, ignored endpoint=%s", DIRECTORY_LINKS, endpoint);
}

void membership_found(const char *const *endpoints, uint32_t count, void *ctx)
{
	struct ipc_bus *bus = ctx;

	for (unsigned i = 0; i < DIRECTORY_LINKS; i++)
		if (bus->links[i])
			bus->links[i]->unwanted = true;
	for (uint32_t i = 0; i < count; i++) {
		struct link *l = link_by_endpoint(bus, endpoints[i]);

		if (l)
			l->unwanted = false;
		else
			link_add(bus, endpoints[i]);
	}
	if (!membership_complete(bus))
		bus_tick_soon(bus);
}

/* An endpoint that discovery lost sight of is kept as long as its connection stands: a name server's hiccup must not cut the flock. */
static void reap(struct ipc_bus *bus, unsigned i)
{
	struct link *l = bus->links[i];

	if (!l->unwanted || (l->state != LINK_DOWN && l->state != LINK_DUPLICATE))
		return;
	bus->closed_frames_in += l->frames_in;
	bus->closed_frames_out += l->frames_out;
	bus->closed_bytes_in += l->bytes_in;
	bus->closed_bytes_out += l->bytes_out;
	link_free(&bus->links[i], 0);
}

bool membership_complete(const struct ipc_bus *bus)
{
	for (unsigned i = 0; i < DIRECTORY_LINKS; i++)
		if (bus->links[i] && bus->links[i]->state != LINK_JOINED && bus->links[i]->state != LINK_DUPLICATE)
			return false;
	return true;
}

static void heartbeat(struct ipc_bus *bus, struct link *l)
{
	Starling__HeartbeatEvent event;

	if (l->state != LINK_JOINED)
		return;
	/* Counted in turns of our own timer, so that a stall of this process is not taken for the router's silence. */
	if (++l->silent_ticks > SILENT_TICKS) {
		link_drop(l, "silent");
		return;
	}
	starling__heartbeat_event__init(&event);
	event.revision = bus->self.revision;
	send_router(bus, l, STARLING__KIND__KIND_EVENT, METHOD_BUS_HEARTBEAT, 0, &event.base);
}

void membership_tick(struct ipc_bus *bus, uint64_t now_ms)
{
	bool beat = now_ms >= bus->heartbeat_at_ms;

	for (unsigned i = 0; i < DIRECTORY_LINKS; i++) {
		if (!bus->links[i])
			continue;
		if (beat)
			heartbeat(bus, bus->links[i]);
		link_tick(bus->links[i], now_ms);
		reap(bus, i);
	}
	if (beat) {
		bus->heartbeat_at_ms = now_ms + bus->heartbeat_ms - 1;
		send_tick(bus, now_ms);
	}
	if (bus->direct)
		direct_tick(bus->direct, now_ms);
	directory_tick(&bus->directory, now_ms);
}

void membership_announce(struct ipc_bus *bus)
{
	if (!bus->announce)
		return;
	bus->announce = false;
	/* Also where the first Join is not answered yet: that router would keep what it said, such as STARTING. */
	for (unsigned i = 0; i < DIRECTORY_LINKS; i++)
		if (bus->links[i] && (bus->links[i]->state == LINK_JOINED || bus->links[i]->state == LINK_OPEN))
			send_router(bus, bus->links[i], STARLING__KIND__KIND_CALL, METHOD_BUS_JOIN, 1, &bus->self.base);
}

void membership_leave(struct ipc_bus *bus)
{
	Starling__Empty empty;

	starling__empty__init(&empty);
	for (unsigned i = 0; i < DIRECTORY_LINKS; i++) {
		if (!bus->links[i] || bus->links[i]->state != LINK_JOINED)
			continue;
		send_router(bus, bus->links[i], STARLING__KIND__KIND_EVENT, METHOD_BUS_LEAVE, 0, &empty.base);
		link_flush(bus->links[i]);
	}
}

/* --- what routers say ------------------------------------------------------------------------------------------- */

static void on_join_reply(struct ipc_bus *bus, struct link *l, const Starling__JoinReply *reply)
{
	if (l->state == LINK_JOINED)
		return; /* to a later announcement */
	/* Two addresses of one router: the router took the newer connection for ours, so the older one is the duplicate. */
	for (unsigned i = 0; i < DIRECTORY_LINKS; i++)
		if (bus->links[i] && bus->links[i] != l && bus->links[i]->state == LINK_JOINED && bus->links[i]->router == reply->router)
			link_set_duplicate(bus->links[i], reply->router);
	link_set_joined(l, reply->router);
	if (reply->heartbeat_ms >= 10 && reply->heartbeat_ms <= 60000)
		bus->heartbeat_ms = reply->heartbeat_ms;
	log_info(NULL, "router joined endpoint=%s router=%016llx", l->endpoint, (unsigned long long)reply->router);
}

static void on_join_failure(struct link *l, const struct envelope *e)
{
	if (e->code == STARLING__CODE__CODE_NOT_FOUND) {
		link_drop(l, "the router had lost us");
		return;
	}
	if (!l->complained)
		log_warn(NULL, "router refuses us endpoint=%s code=%s text=%.*s", l->endpoint, ipc_code_name(e->code), STR_ARG(e->text));
	l->complained = true;
	link_drop(l, "refused");
}

static void on_directory(struct ipc_bus *bus, struct link *l, const Starling__DirectoryEvent *event)
{
	if (l->state != LINK_JOINED)
		return;
	directory_merge(&bus->directory, l->index, event, bus_now(bus));
	if (!directory_index(&bus->directory) && bus->was_joined)
		return;
	IDMAP_EACH(&bus->directory.peers, i)
	{
		send_pump(bus, bus->directory.peers.cells[i].value);
	}
	membership_report(bus);
	if (!bus->was_joined) {
		bus->was_joined = true;
		if (bus->hooks.on_joined)
			bus->hooks.on_joined(bus->ctx);
	}
	if (bus->hooks.on_directory)
		bus->hooks.on_directory(bus->ctx);
}

void membership_record(struct ipc_bus *bus, struct link *l, const struct envelope *e, const struct frame_record *r)
{
	const struct ipc_method *method = ipc_method_find(e->method);
	const ProtobufCMessage *m = NULL;

	if (e->kind == STARLING__KIND__KIND_FAILURE && e->method == METHOD_BUS_JOIN) {
		on_join_failure(l, e);
		return;
	}
	if (method && (e->kind == STARLING__KIND__KIND_REPLY || e->kind == STARLING__KIND__KIND_EVENT))
		m = codec_unpack(bus->arena, e->kind == STARLING__KIND__KIND_REPLY ? method->reply : method->request, r->body);
	if (!m) {
		bus->stats.malformed++;
		return;
	}
	if (e->kind == STARLING__KIND__KIND_REPLY && e->method == METHOD_BUS_JOIN)
		on_join_reply(bus, l, (const Starling__JoinReply *)m);
	else if (e->kind == STARLING__KIND__KIND_EVENT && e->method == METHOD_BUS_DIRECTORY)
		on_directory(bus, l, (const Starling__DirectoryEvent *)m);
	else if (e->kind == STARLING__KIND__KIND_EVENT && e->method == METHOD_BUS_UNDELIVERABLE)
		losses_undeliverable(bus, (const Starling__UndeliverableEvent *)m);
}

/* --- what the directory means ----------------------------------------------------------------------------------- */

static void add_news(struct ipc_bus *bus, int kind, const struct peer *p)
{
	bus->news = mem_realloc(bus->news, (bus->news_count + 1) * sizeof(*bus->news));
	bus->news[bus->news_count++] = (struct bus_news){ kind, p->instance, mem_strdup(p->registration->role) };
	bus_later(bus);
}

static void peer_came(struct peer *p, void *ctx)
{
	struct ipc_bus *bus = ctx;

	p->flow.limit = bus->queue_limit;
	send_held(bus, p);
}

static void peer_gone(struct peer *p, void *ctx)
{
	if (p->pair)
		pair_free(p->pair, 0);
	losses_gone(ctx, p);
	add_news(ctx, NEWS_LOST, p);
}

void membership_reset(struct ipc_bus *bus, struct peer *p, const struct breach *b)
{
	losses_broken(bus, p, b);
	add_news(bus, NEWS_RESET, p);
}

static void peer_broken(struct peer *p, uint64_t links, void *ctx)
{
	/* Where both directions are direct, routers may come and go. */
	if (!path_settled(&p->path))
		membership_reset(ctx, p, &(struct breach){ .links = links, .out = way_leads_through(p, links) });
	way_broken(ctx, p, links);
}

const struct directory_events membership_directory_events = { peer_came, peer_gone, peer_broken };

static void mend(struct ipc_bus *bus, const struct bus_news *news)
{
	struct peer *p = directory_find(&bus->directory, news->instance);

	if (p)
		p->severed = false;
}

static void run_news(struct ipc_bus *bus)
{
	struct bus_news *news = bus->news;
	uint32_t count = bus->news_count;

	if (count == 0)
		return;
	directory_index(&bus->directory);
	bus->news = NULL;
	bus->news_count = 0;
	for (uint32_t i = 0; i < count; i++)
		mend(bus, &news[i]);
	for (uint32_t i = 0; i < count; i++) {
		if (news[i].kind == NEWS_LOST && bus->hooks.on_lost)
			bus->hooks.on_lost(news[i].instance, news[i].role, bus->ctx);
		else if (news[i].kind == NEWS_RESET && bus->hooks.on_reset)
			bus->hooks.on_reset(news[i].instance, bus->ctx);
		mem_free(news[i].role);
	}
	mem_free(news);
}

/* All at once: between the two a record could be sent by somebody who does not know what was lost before it. */
void membership_report(struct ipc_bus *bus)
{
	run_news(bus);
	calls_run_failed(&bus->calls);
}

/* --- reading the directory -------------------------------------------------------------------------------------- */

uint32_t ipc_bus_instances(const struct ipc_bus *bus, const char *role, const Starling__Registration **out, uint32_t max)
{
	uint32_t n = 0;

	IDMAP_EACH(&bus->directory.peers, i)
	{
		const struct peer *p = bus->directory.peers.cells[i].value;

		if (n < max && (!role || strcmp(p->registration->role, role) == 0))
			out[n++] = p->registration;
	}
	return n;
}

const Starling__Registration *ipc_bus_find(const struct ipc_bus *bus, uint64_t instance)
{
	const struct peer *p = directory_find(&bus->directory, instance);

	return p ? p->registration : NULL;
}

uint64_t ipc_bus_slot_owner(const struct ipc_bus *bus, uint32_t slot, uint64_t *out_epoch)
{
	const struct peer *p = directory_slot(&bus->directory, NULL, slot);

	if (out_epoch)
		*out_epoch = p ? bus->directory.epochs[slot] : 0;
	return p ? p->instance : 0;
}

uint64_t ipc_bus_domain_instance(const struct ipc_bus *bus, struct str domain)
{
	/* Only the turn-taking counter changes. */
	const struct peer *p = directory_domain((struct directory *)&bus->directory, domain);

	return p ? p->instance : 0;
}
