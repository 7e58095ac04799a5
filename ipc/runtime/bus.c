/* SPDX-License-Identifier: Apache-2.0
 *
 * bus: building up, ending, and the handles on the loop. One turn of the loop: what waited for this turn (idle), flush (prepare), sleep, read. */
#include <errno.h>
#include <stdlib.h>
#include <zmq.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "ipc/runtime/bus_core.h"
#include "ipc/runtime/listen.h"

#define QUICK_TICK_MS   50u
#define LINGER_MS       1000
#define ROUTER_RETRY_MS 2000u

struct ipc_target ipc_instance(uint64_t instance)
{
	return (struct ipc_target){ .kind = IPC_TO_INSTANCE, .instance = instance };
}

struct ipc_target ipc_any(const char *role)
{
	return (struct ipc_target){ .kind = IPC_TO_ANY, .role = role };
}

struct ipc_target ipc_slot(const char *role, uint32_t slot)
{
	return (struct ipc_target){ .kind = IPC_TO_SLOT, .role = role, .slot = slot };
}

static void on_later(uv_idle_t *handle)
{
	struct ipc_bus *bus = handle->data;

	uv_idle_stop(handle);
	if (bus->direct)
		direct_settle(bus->direct);
	membership_report(bus);
	receive_local(bus);
	if (bus->news_count > 0 || !list_empty(&bus->calls.failed) || bus->local_count > 0)
		bus_later(bus);
}

void bus_later(struct ipc_bus *bus)
{
	uv_idle_start(&bus->later, on_later);
}

static void on_prepare(uv_prepare_t *handle)
{
	struct ipc_bus *bus = handle->data;

	send_owing(bus);
	membership_announce(bus);
	for (unsigned i = 0; i < DIRECTORY_LINKS; i++)
		if (bus->links[i])
			link_prepare(bus->links[i]);
	if (bus->direct)
		direct_prepare(bus->direct);
}

static void on_deadlines(uv_timer_t *handle)
{
	struct ipc_bus *bus = handle->data;

	bus->deadlines_armed_ms = UINT64_MAX;
	bus->stats.calls_timed_out += calls_sweep(&bus->calls, bus_now(bus));
	send_arm_deadlines(bus);
}

void send_arm_deadlines(struct ipc_bus *bus)
{
	uint64_t next = calls_next_ms(&bus->calls), now = bus_now(bus);

	if (next >= bus->deadlines_armed_ms)
		return;
	bus->deadlines_armed_ms = next;
	uv_timer_start(&bus->deadlines, on_deadlines, next > now ? next - now : 0, 0);
}

/* In the first turn of the loop: by then the daemon is the user that owns its files. */
static void open_direct(struct ipc_bus *bus)
{
	char *endpoint = bus->link_endpoint;

	bus->link_endpoint = NULL;
	if (endpoint && direct_open(bus, endpoint))
		registration_set_link(bus, bus->direct->endpoint);
	mem_free(endpoint);
}

static void on_tick(uv_timer_t *handle)
{
	struct ipc_bus *bus = handle->data;
	bool quick;

	open_direct(bus);
	membership_tick(bus, bus_now(bus));
	quick = !membership_complete(bus) || bus->directory.limbo > 0;
	uv_timer_start(handle, on_tick, quick ? QUICK_TICK_MS : bus->heartbeat_ms, 0);
}

void bus_tick_soon(struct ipc_bus *bus)
{
	if (!bus->closing)
		uv_timer_start(&bus->tick, on_tick, 0, 0);
}

static int load_keys(struct ipc_bus *bus, const struct ipc_config *config, struct err *e)
{
	size_t n = 0;

	if (keypair_read(config->key_file, &bus->key, e) != 0 || allow_read(config->allow_file, &bus->allow, e) != 0)
		return -1;
	bus->allow_file = mem_strdup(config->allow_file);
	bus->base.server_keys = mem_zalloc((bus->allow.count + 1) * sizeof(*bus->base.server_keys));
	for (size_t i = 0; i < bus->allow.count; i++)
		if (strcmp(bus->allow.items[i].role, "router") == 0)
			memcpy(bus->base.server_keys[n++], bus->allow.items[i].key, KEYS_Z85 + 1);
	bus->base.server_key_count = n;
	return n > 0 ? 0 : err_set(e, "%s names no key of a router", config->allow_file);
}

static void free_keys(struct ipc_bus *bus)
{
	mem_free(bus->base.server_keys);
	mem_free(bus->allow_file);
	allow_fini(&bus->allow);
	keypair_wipe(&bus->key);
}

int ipc_bus_reload_keys(struct ipc_bus *bus, struct err *e)
{
	struct allow fresh;

	if (allow_read(bus->allow_file, &fresh, e) != 0)
		return -1;
	allow_fini(&bus->allow);
	bus->allow = fresh;
	if (bus->direct)
		direct_revoke(bus->direct);
	return 0;
}

static void start_handles(struct ipc_bus *bus)
{
	uv_prepare_init(bus->loop, &bus->prepare);
	uv_idle_init(bus->loop, &bus->later);
	uv_timer_init(bus->loop, &bus->tick);
	uv_timer_init(bus->loop, &bus->deadlines);
	bus->prepare.data = bus->later.data = bus->tick.data = bus->deadlines.data = bus;
	bus->handles = 4;
	uv_prepare_start(&bus->prepare, on_prepare);
	bus_tick_soon(bus);
}

struct ipc_bus *ipc_bus_new(uv_loop_t *loop, const struct ipc_config *config, const struct ipc_bus_hooks *hooks, void *ctx, struct err *e)
{
	struct ipc_bus *bus = mem_new(struct ipc_bus);
	const char *debug = getenv("STARLING_IPC_DEBUG");
	char endpoint[512];

	if (load_keys(bus, config, e) != 0) {
		free_keys(bus);
		mem_free(bus);
		return NULL;
	}
	bus->loop = loop;
	bus->ctx = ctx;
	if (hooks)
		bus->hooks = *hooks;
	bus->debug = debug && strcmp(debug, "1") == 0;
	bus->instance = random_u64();
	bus->window = config->window ? config->window : FLOW_WINDOW;
	bus->queue_limit = config->queue_records ? config->queue_records : FLOW_QUEUE;
	bus->heartbeat_ms = 1000;
	bus->deadlines_armed_ms = UINT64_MAX;
	bus->arena = arena_new(16384);
	bus->zmq = zmq_ctx_new();
	list_init(&bus->owing);
	list_init(&bus->serving);
	calls_init(&bus->calls);
	directory_init(&bus->directory, &membership_directory_events, bus);
	for (uint32_t i = 0; i < config->serve_count; i++)
		bus->serves[config->serves[i]->number % BUS_INTERFACES] = config->serves[i];
	registration_init(bus, config);
	bus->base.loop = loop;
	bus->base.zmq = bus->zmq;
	bus->base.instance = bus->instance;
	bus->base.key = &bus->key;
	bus->base.what = "router";
	bus->base.retry_max_ms = ROUTER_RETRY_MS;
	bus->base.events = &membership_link_events;
	bus->base.ctx = bus;
	if (listen_link_endpoint(config->link, config->routers, config->router_count, bus->instance, endpoint, sizeof(endpoint)))
		bus->link_endpoint = mem_strdup(endpoint);
	start_handles(bus);
	bus->discover = discover_new(loop, config->routers, config->router_count, membership_found, bus);
	return bus;
}

void ipc_bus_set_ctx(struct ipc_bus *bus, void *ctx)
{
	bus->ctx = ctx;
}

void ipc_bus_end_calls(struct ipc_bus *bus)
{
	if (bus->ending)
		return;
	bus->ending = true;
	bus->hooks = (struct ipc_bus_hooks){ 0 };
	for (uint32_t i = 0; i < bus->calls.cap; i++)
		if (bus->calls.slab[i]->id)
			calls_fail_later(&bus->calls, bus->calls.slab[i], STARLING__CODE__CODE_PEER_LOST, "this daemon ends");
	while (calls_run_failed(&bus->calls))
		;
}

static void on_closed(uv_handle_t *handle)
{
	struct ipc_bus *bus = handle->data;

	if (--bus->handles == 0)
		mem_free(bus);
}

static void free_memory(struct ipc_bus *bus)
{
	directory_fini(&bus->directory);
	calls_fini(&bus->calls);
	registration_fini(bus);
	arena_free(&bus->arena);
	buf_fini(&bus->local);
	buf_fini(&bus->scratch);
	for (uint32_t i = 0; i < bus->news_count; i++)
		mem_free(bus->news[i].role);
	mem_free(bus->news);
	for (uint32_t i = 0; i < bus->held_count; i++)
		mem_free(bus->held[i]);
	mem_free(bus->held);
	mem_free(bus->link_endpoint);
	free_keys(bus);
}

void ipc_bus_free(struct ipc_bus **pbus)
{
	struct ipc_bus *bus = *pbus;

	if (!bus)
		return;
	*pbus = NULL;
	ipc_bus_end_calls(bus);
	bus->closing = true;
	serve_fini(bus);
	if (bus->direct)
		direct_prepare(bus->direct);
	membership_leave(bus);
	direct_close(bus, LINGER_MS);
	discover_free(&bus->discover);
	for (unsigned i = 0; i < DIRECTORY_LINKS; i++)
		link_free(&bus->links[i], LINGER_MS);
	zmq_ctx_term(bus->zmq);
	free_memory(bus);
	uv_close((uv_handle_t *)&bus->prepare, on_closed);
	uv_close((uv_handle_t *)&bus->later, on_closed);
	uv_close((uv_handle_t *)&bus->tick, on_closed);
	uv_close((uv_handle_t *)&bus->deadlines, on_closed);
}

uint64_t ipc_bus_instance(const struct ipc_bus *bus)
{
	return bus->instance;
}

bool ipc_bus_joined(const struct ipc_bus *bus)
{
	for (unsigned i = 0; i < DIRECTORY_LINKS; i++)
		if (bus->links[i] && bus->links[i]->state == LINK_JOINED)
			return true;
	return false;
}
