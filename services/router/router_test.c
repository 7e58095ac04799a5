/* SPDX-License-Identifier: Apache-2.0
 *
 * router_test: the bus and the router together: buses in this process, a real router in a child process, Unix sockets, CURVE. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ipc/gen/admin.client.h"
#include "ipc/gen/auth.client.h"
#include "ipc/gen/edge.client.h"
#include "services/router/flock_for_test.h"

#define EVENTS 100000u

static struct test_flock flock;
static pid_t victim;

/* --- a server of auth and edge ------------------------------------------------------------------------------------ */

struct server {
	struct ipc_call *held[16];
	unsigned held_count;
	unsigned events;
	uint64_t expect;
	unsigned out_of_order;
};

static void on_mechanisms(struct ipc_call *call, const ProtobufCMessage *m)
{
	const Starling__MechanismsRequest *request = (const Starling__MechanismsRequest *)m;
	char *names[] = { request->host };
	Starling__MechanismsReply reply;

	starling__mechanisms_reply__init(&reply);
	reply.n_mechanisms = 1;
	reply.mechanisms = names;
	ipc_reply_payload(call, ipc_call_payload(call));
	ipc_reply(call, &reply.base);
}

static void on_sasl(struct ipc_call *call, const ProtobufCMessage *m)
{
	struct server *s = ipc_call_daemon(call);

	(void)m;
	s->held[s->held_count++ % 16] = call;
}

static void on_deliver(struct ipc_call *call, const ProtobufCMessage *m)
{
	struct server *s = ipc_call_daemon(call);

	s->out_of_order += ((const Starling__DeliverEvent *)m)->delivery != ++s->expect;
	s->events++;
}

static struct ipc_method auth_methods[2], edge_methods[2];
static const struct ipc_interface auth = { 3, 2, "auth", auth_methods, 2 }, edge = { 6, 2, "edge", edge_methods, 2 };
static const struct ipc_interface *const serves[] = { &auth, &edge };

static void make_interfaces(void)
{
	auth_methods[0] = *ipc_method_find(METHOD_AUTH_MECHANISMS);
	auth_methods[0].handler = on_mechanisms;
	auth_methods[1] = *ipc_method_find(METHOD_AUTH_SASL);
	auth_methods[1].handler = on_sasl;
	edge_methods[0] = *ipc_method_find(METHOD_EDGE_ACCEPTED);
	edge_methods[1] = *ipc_method_find(METHOD_EDGE_DELIVER);
	edge_methods[1].handler = on_deliver;
}

static struct ipc_bus *server_new(struct server *s, const char *role, uint32_t window)
{
	struct ipc_config config = { .serves = serves, .serve_count = 2, .window = window };
	struct ipc_bus *bus = flock_bus(&flock, role, role, &config, NULL, s);

	assert_non_null(bus);
	ipc_bus_set_state(bus, STARLING__INSTANCE_STATE__INSTANCE_READY);
	return bus;
}

/* --- a client ----------------------------------------------------------------------------------------------------- */

struct client {
	struct ipc_bus *bus;
	unsigned joined, lost, reset, high, low;
	unsigned done;
	int code;
	char text[64], payload[16];
};

static void on_joined(void *ctx)
{
	((struct client *)ctx)->joined++;
}

static void on_lost(uint64_t instance, const char *role, void *ctx)
{
	(void)instance;
	(void)role;
	((struct client *)ctx)->lost++;
}

static void on_reset(uint64_t instance, void *ctx)
{
	(void)instance;
	((struct client *)ctx)->reset++;
}

static void on_pressure(uint64_t instance, bool high, void *ctx)
{
	struct client *c = ctx;

	(void)instance;
	*(high ? &c->high : &c->low) += 1;
}

static const struct ipc_bus_hooks hooks = { .on_joined = on_joined, .on_lost = on_lost, .on_reset = on_reset, .on_pressure = on_pressure };

static void client_new(struct client *c, uint32_t queue)
{
	struct ipc_config config = { .queue_records = queue };

	*c = (struct client){ 0 };
	c->bus = flock_bus(&flock, "c2s-edge", "c2s-edge", &config, &hooks, c);
	assert_non_null(c->bus);
	assert_true(flock_run(&flock, &c->joined, 1, 5000));
}

/* Until the client sees an instance of the role that is ready. */
static uint64_t client_find(struct client *c, const char *role)
{
	const Starling__Registration *list[8];

	for (int i = 0; i < 500; i++) {
		uint32_t n = ipc_bus_instances(c->bus, role, list, 8);

		for (uint32_t k = 0; k < n; k++)
			if (list[k]->state == STARLING__INSTANCE_STATE__INSTANCE_READY)
				return list[k]->instance;
		flock_run(&flock, NULL, 0, 10);
	}
	return 0;
}

static void on_done(const struct ipc_result *result, const ProtobufCMessage *reply, void *ctx)
{
	struct client *c = ctx;

	assert_int_equal(reply != NULL, ipc_ok(result));
	c->done++;
	c->code = result->code;
	snprintf(c->text, sizeof(c->text), "%s", result->text);
	snprintf(c->payload, sizeof(c->payload), "%.*s", STR_ARG(result->payload));
	if (reply && reply->descriptor == &starling__mechanisms_reply__descriptor)
		snprintf(c->text, sizeof(c->text), "%s", ((const Starling__MechanismsReply *)reply)->mechanisms[0]);
	if (reply && reply->descriptor == &starling__status_reply__descriptor)
		snprintf(c->text, sizeof(c->text), "%s", ((const Starling__StatusReply *)reply)->role);
}

static int call(struct client *c, struct ipc_target to, uint32_t method, uint32_t deadline_ms)
{
	Starling__MechanismsRequest request;
	struct ipc_opts opts = { .deadline_ms = deadline_ms, .payload = STR("ballast") };

	starling__mechanisms_request__init(&request);
	request.host = (char *)"example.org";
	c->done = 0;
	c->code = -1;
	return ipc_call(c->bus, to, &opts, method, &request.base, on_done, c);
}

static int deliver(struct client *c, uint64_t instance, uint64_t number)
{
	Starling__DeliverEvent event;

	starling__deliver_event__init(&event);
	event.delivery = number;
	return send_edge_deliver(c->bus, ipc_instance(instance), NULL, &event);
}

static void end(struct ipc_bus *bus)
{
	ipc_bus_free(&bus);
	flock_run(&flock, NULL, 0, 50);
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

static void test_calls(void **state)
{
	struct server s = { 0 };
	struct ipc_bus *server = server_new(&s, "auth", 0);
	struct client c;
	uint64_t instance;

	(void)state;
	client_new(&c, 0);
	instance = client_find(&c, "auth");
	assert_int_equal(instance, ipc_bus_instance(server));
	assert_int_equal(call(&c, ipc_any("auth"), METHOD_AUTH_MECHANISMS, 0), IPC_SENT);
	assert_int_equal(c.done, 0); /* never before the call returned */
	assert_true(flock_run(&flock, &c.done, 1, 2000));
	assert_int_equal(c.code, 0);
	assert_string_equal(c.text, "example.org");
	assert_string_equal(c.payload, "ballast");

	assert_int_equal(call(&c, ipc_instance(instance), METHOD_AUTH_CHECK_ACCOUNT, 0), IPC_SENT);
	assert_true(flock_run(&flock, &c.done, 1, 2000));
	assert_int_equal(c.code, STARLING__CODE__CODE_UNSUPPORTED);

	assert_int_equal(call(&c, ipc_any("muc"), METHOD_AUTH_MECHANISMS, 0), IPC_NOBODY);
	assert_int_equal(c.done, 0);
	assert_true(flock_run(&flock, &c.done, 1, 2000));
	assert_int_equal(c.code, STARLING__CODE__CODE_UNAVAILABLE);
	end(c.bus);
	end(server);
}

static void test_invalid(void **state)
{
	struct server s = { 0 };
	struct ipc_bus *server = server_new(&s, "auth", 0);
	struct client c;
	Starling__Progress wrong;

	(void)state;
	client_new(&c, 0);
	client_find(&c, "auth");
	starling__progress__init(&wrong);
	wrong.stream = 1; /* a number where the request has a string */
	assert_int_equal(ipc_call(c.bus, ipc_any("auth"), NULL, METHOD_AUTH_MECHANISMS, &wrong.base, on_done, &c), IPC_SENT);
	assert_true(flock_run(&flock, &c.done, 1, 2000));
	assert_int_equal(c.code, STARLING__CODE__CODE_INVALID);
	end(c.bus);
	end(server);
}

static void test_timeout_once(void **state)
{
	struct server s = { 0 };
	struct ipc_bus *server = server_new(&s, "auth", 0);
	struct client c;
	uint64_t before;

	(void)state;
	client_new(&c, 0);
	client_find(&c, "auth");
	before = clock_mono_ms();
	call(&c, ipc_any("auth"), METHOD_AUTH_SASL, 80);
	assert_true(flock_run(&flock, &c.done, 1, 2000));
	assert_int_equal(c.code, STARLING__CODE__CODE_TIMEOUT);
	assert_in_range(clock_mono_ms() - before, 79, 400);
	assert_int_equal(s.held_count, 1);
	ipc_fail(s.held[0], STARLING__CODE__CODE_EXISTS, "late");
	flock_run(&flock, NULL, 0, 100);
	assert_int_equal(c.done, 1);
	end(c.bus);
	end(server);
}

/* More calls than the window allows, answered only later: what the queue holds is called off when its time is over. */
static void test_waiting_calls_time_out(void **state)
{
	struct server s = { 0 };
	struct ipc_bus *server = server_new(&s, "auth", 4);
	struct client c;
	unsigned answered = 0;

	(void)state;
	client_new(&c, 0);
	client_find(&c, "auth");
	for (int i = 0; i < 10; i++)
		call(&c, ipc_any("auth"), METHOD_AUTH_SASL, 150);
	assert_true(flock_run(&flock, &c.done, 10, 2000));
	assert_int_equal(s.held_count, 4);
	for (; answered < 4; answered++)
		ipc_fail(s.held[answered], STARLING__CODE__CODE_EXISTS, "late");
	call(&c, ipc_any("auth"), METHOD_AUTH_MECHANISMS, 1000);
	assert_true(flock_run(&flock, &c.done, 1, 2000));
	assert_int_equal(c.code, 0);
	assert_int_equal(s.held_count, 4);
	end(c.bus);
	end(server);
}

static void test_events_by_credit(void **state)
{
	struct server s = { 0 };
	struct ipc_bus *server = server_new(&s, "storage", 16);
	struct ipc_stats stats;
	struct client c;
	uint64_t to;

	(void)state;
	client_new(&c, EVENTS);
	to = client_find(&c, "storage");
	for (uint64_t i = 1; i <= EVENTS; i++)
		assert_int_equal(deliver(&c, to, i), IPC_SENT);
	assert_int_equal(c.high, 1);
	ipc_bus_stats(c.bus, &stats);
	assert_int_equal(stats.queued, EVENTS - 16);
	assert_true(flock_run(&flock, &s.events, EVENTS, 60000));
	assert_int_equal(s.out_of_order, 0);
	assert_int_equal(c.low, 1);
	ipc_bus_stats(c.bus, &stats);
	assert_int_equal(stats.queued, 0);
	end(c.bus);
	end(server);
}

static void test_full(void **state)
{
	struct server s = { 0 };
	struct ipc_bus *server = server_new(&s, "storage", 16);
	struct client c;
	uint64_t to;

	(void)state;
	client_new(&c, 100);
	to = client_find(&c, "storage");
	for (uint64_t i = 1; i <= 116; i++)
		assert_int_equal(deliver(&c, to, i), IPC_SENT);
	assert_int_equal(deliver(&c, to, 117), IPC_FULL);
	assert_int_equal(call(&c, ipc_instance(to), METHOD_AUTH_MECHANISMS, 0), IPC_FULL);
	assert_true(flock_run(&flock, &c.done, 1, 2000));
	assert_int_equal(c.code, STARLING__CODE__CODE_OVERLOAD);
	assert_true(flock_run(&flock, &s.events, 116, 5000));
	end(c.bus);
	end(server);
}

static void test_hold(void **state)
{
	struct server s = { 0 };
	struct ipc_bus *server = server_new(&s, "storage", 16);
	struct client c;
	uint64_t to;

	(void)state;
	client_new(&c, 0);
	to = client_find(&c, "storage");
	ipc_bus_hold(server, "c2s-edge", true);
	for (uint64_t i = 1; i <= 200; i++)
		deliver(&c, to, i);
	flock_run(&flock, NULL, 0, 600);
	assert_int_equal(s.events, 16);
	ipc_bus_hold(server, "c2s-edge", false);
	assert_true(flock_run(&flock, &s.events, 200, 5000));
	end(c.bus);
	end(server);
}

static void test_self(void **state)
{
	struct server s = { 0 };
	struct ipc_bus *server = server_new(&s, "auth", 0);
	struct client c = { .bus = server };

	(void)state;
	while (!ipc_bus_joined(server))
		flock_run(&flock, NULL, 0, 10);
	flock_run(&flock, NULL, 0, 50);
	call(&c, ipc_instance(ipc_bus_instance(server)), METHOD_AUTH_MECHANISMS, 0);
	assert_int_equal(c.done, 0);
	assert_true(flock_run(&flock, &c.done, 1, 1000));
	assert_int_equal(c.code, 0);
	for (uint64_t i = 1; i <= 100; i++)
		deliver(&c, ipc_bus_instance(server), i);
	assert_int_equal(s.events, 0);
	assert_true(flock_run(&flock, &s.events, 100, 1000));
	assert_int_equal(s.out_of_order, 0);
	end(server);
}

static void test_slots(void **state)
{
	struct server s1 = { 0 }, s2 = { 0 };
	struct ipc_bus *a = server_new(&s1, "storage", 0), *b = server_new(&s2, "storage", 0);
	const uint32_t slots[] = { 1, 2 };
	const uint64_t old[] = { 5, 5 }, newer[] = { 6, 6 };
	uint64_t epoch;
	struct client c;

	(void)state;
	client_new(&c, 0);
	ipc_bus_claim_slots(a, slots, old, 2);
	flock_run(&flock, NULL, 0, 100);
	assert_int_equal(ipc_bus_slot_owner(c.bus, 1, &epoch), ipc_bus_instance(a));
	assert_int_equal(epoch, 5);
	ipc_bus_claim_slots(b, slots, newer, 1);
	flock_run(&flock, NULL, 0, 100);
	assert_int_equal(ipc_bus_slot_owner(c.bus, 1, &epoch), ipc_bus_instance(b));
	assert_int_equal(ipc_bus_slot_owner(c.bus, 2, &epoch), ipc_bus_instance(a));
	assert_int_equal(ipc_bus_slot_owner(c.bus, 3, &epoch), 0);
	assert_int_equal(call(&c, ipc_slot("storage", 1), METHOD_AUTH_MECHANISMS, 0), IPC_SENT);
	assert_true(flock_run(&flock, &c.done, 1, 1000));
	assert_int_equal(c.code, 0);
	end(b);
	assert_int_equal(ipc_bus_slot_owner(c.bus, 1, &epoch), ipc_bus_instance(a));
	end(c.bus);
	end(a);
}

static void test_router_admin(void **state)
{
	struct client c;
	uint64_t router;

	(void)state;
	client_new(&c, 0);
	router = client_find(&c, "router");
	assert_true(router != 0);
	call(&c, ipc_instance(router), METHOD_ADMIN_STATUS, 0);
	assert_true(flock_run(&flock, &c.done, 1, 2000));
	assert_int_equal(c.code, 0);
	assert_string_equal(c.text, "router");
	end(c.bus);
}

static void test_wrong_key(void **state)
{
	struct client c = { 0 };

	(void)state;
	c.bus = flock_bus(&flock, "auth", "unlisted", NULL, &hooks, &c);
	assert_false(flock_run(&flock, &c.joined, 1, 1000));
	assert_false(ipc_bus_joined(c.bus));
	assert_int_equal(call(&c, ipc_any("auth"), METHOD_AUTH_MECHANISMS, 0), IPC_NOBODY);
	end(c.bus);
	assert_int_equal(c.done, 1);
}

static void test_wrong_role(void **state)
{
	struct client c = { 0 };

	(void)state;
	c.bus = flock_bus(&flock, "storage", "auth", NULL, &hooks, &c);
	assert_false(flock_run(&flock, &c.joined, 1, 1000));
	assert_false(ipc_bus_joined(c.bus));
	end(c.bus);
}

/* Ends without a word: the router's probe finds out. */
static void test_peer_killed(void **state)
{
	struct client c;
	uint64_t instance, before;

	(void)state;
	client_new(&c, 0);
	instance = client_find(&c, "session-manager");
	assert_true(instance != 0);
	call(&c, ipc_instance(instance), METHOD_AUTH_SASL, 30000);
	flock_run(&flock, NULL, 0, 50);
	assert_int_equal(c.done, 0);
	before = clock_mono_ms();
	kill(victim, SIGKILL);
	assert_true(flock_run(&flock, &c.done, 1, 5000));
	assert_int_equal(c.code, STARLING__CODE__CODE_PEER_LOST);
	assert_in_range(clock_mono_ms() - before, 0, 1000);
	assert_true(flock_run(&flock, &c.lost, 1, 1000));
	assert_null(ipc_bus_find(c.bus, instance));
	assert_int_equal(call(&c, ipc_instance(instance), METHOD_AUTH_SASL, 0), IPC_NOBODY);
	end(c.bus);
	waitpid(victim, NULL, 0);
}

/* A router that is killed takes calls with it, but nobody is dead, and what is sent meanwhile waits. */
static void test_router_killed(void **state)
{
	struct server s = { 0 };
	struct ipc_bus *server = server_new(&s, "storage", 16);
	struct client c;
	uint64_t to;

	(void)state;
	client_new(&c, 0);
	to = client_find(&c, "storage");
	call(&c, ipc_instance(to), METHOD_AUTH_SASL, 30000);
	flock_run(&flock, NULL, 0, 100);
	assert_int_equal(s.held_count, 1);
	flock_end(flock.router, SIGKILL);
	assert_true(flock_run(&flock, &c.done, 1, 3000));
	assert_int_equal(c.code, STARLING__CODE__CODE_PEER_LOST);
	assert_true(c.reset >= 1);
	for (uint64_t i = 1; i <= 40; i++)
		assert_int_equal(deliver(&c, to, i), IPC_SENT);
	flock.router = flock_start_router(&flock, "r1");
	assert_true(flock_run(&flock, &s.events, 40, 5000));
	assert_int_equal(s.out_of_order, 0);
	assert_int_equal(c.lost, 0 + (c.lost > 0)); /* the router itself may be counted */
	assert_non_null(ipc_bus_find(c.bus, to));
	ipc_fail(s.held[0], STARLING__CODE__CODE_EXISTS, "late");
	end(c.bus);
	end(server);
}

/* --- the flock ---------------------------------------------------------------------------------------------------- */

static void victim_run(void)
{
	struct server s = { 0 };

	uv_loop_init(&flock.loop); /* the parent's would be shared */
	server_new(&s, "session-manager", 0);
	alarm(300);
	uv_run(&flock.loop, UV_RUN_DEFAULT);
	_exit(1);
}

static int setup(void **state)
{
	static const char *const roles[] = { "router", "auth", "storage", "session-manager", "c2s-edge", "unlisted", NULL };

	(void)state;
	make_interfaces();
	flock_make(&flock, roles);
	flock.router = flock_start_router(&flock, "r1");
	victim = fork();
	if (victim == 0)
		victim_run();
	return 0;
}

static int teardown(void **state)
{
	int status = flock_end(flock.router, SIGTERM);

	(void)state;
	flock_remove(&flock);
	assert_int_equal(status, 0);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_invalid),
		cmocka_unit_test(test_timeout_once),
		cmocka_unit_test(test_waiting_calls_time_out),
		cmocka_unit_test(test_events_by_credit),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_hold),
		cmocka_unit_test(test_self),
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_router_admin),
		cmocka_unit_test(test_wrong_key),
		cmocka_unit_test(test_wrong_role),
		cmocka_unit_test(test_peer_killed),
		cmocka_unit_test(test_router_killed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
