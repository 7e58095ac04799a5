/* SPDX-License-Identifier: Apache-2.0
 *
 * bus_for_test: a server of auth and edge and a client on one loop, for the tests of the bus and the router. Included once a program. */
#ifndef SERVICES_ROUTER_BUS_FOR_TEST_H
#define SERVICES_ROUTER_BUS_FOR_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ipc/gen/admin.client.h"
#include "ipc/gen/auth.client.h"
#include "ipc/gen/edge.client.h"
#include "services/router/flock_for_test.h"

static struct test_flock flock;

/* --- a server of auth and edge ------------------------------------------------------------------------------------ */

struct server {
	struct ipc_call *held[16];
	unsigned held_count;
	unsigned events;
	uint64_t expect;
	unsigned out_of_order;
};

static inline void on_mechanisms(struct ipc_call *call, const ProtobufCMessage *m)
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

static inline void on_sasl(struct ipc_call *call, const ProtobufCMessage *m)
{
	struct server *s = ipc_call_daemon(call);

	(void)m;
	s->held[s->held_count++ % 16] = call;
}

static inline void on_deliver(struct ipc_call *call, const ProtobufCMessage *m)
{
	struct server *s = ipc_call_daemon(call);

	s->out_of_order += ((const Starling__DeliverEvent *)m)->delivery != ++s->expect;
	s->events++;
}

static struct ipc_method auth_methods[2], edge_methods[2];
static const struct ipc_interface auth = { 3, 2, "auth", auth_methods, 2 }, edge = { 6, 2, "edge", edge_methods, 2 };
static const struct ipc_interface *const serves[] = { &auth, &edge };

static inline void make_interfaces(void)
{
	auth_methods[0] = *ipc_method_find(METHOD_AUTH_MECHANISMS);
	auth_methods[0].handler = on_mechanisms;
	auth_methods[1] = *ipc_method_find(METHOD_AUTH_SASL);
	auth_methods[1].handler = on_sasl;
	edge_methods[0] = *ipc_method_find(METHOD_EDGE_ACCEPTED);
	edge_methods[1] = *ipc_method_find(METHOD_EDGE_DELIVER);
	edge_methods[1].handler = on_deliver;
}

/* Whether servers take direct connections. */
static const char *server_link = "";

static inline struct ipc_bus *server_new(struct server *s, const char *role, uint32_t window)
{
	struct ipc_config config = { .serves = serves, .serve_count = 2, .window = window, .link = server_link };
	struct ipc_bus *bus = flock_bus(&flock, role, role, &config, NULL, s);

	assert_non_null(bus);
	ipc_bus_set_state(bus, STARLING__INSTANCE_STATE__INSTANCE_READY);
	return bus;
}

/* --- a client ----------------------------------------------------------------------------------------------------- */

struct client {
	struct ipc_bus *bus;
	uint64_t only; /* instance whose loss and resets are counted; 0: any */
	unsigned joined, lost, reset, high, low;
	unsigned done;
	int code;
	char text[64], payload[16];
};

static inline void on_joined(void *ctx)
{
	((struct client *)ctx)->joined++;
}

static inline void on_lost(uint64_t instance, const char *role, void *ctx)
{
	struct client *c = ctx;

	(void)role;
	c->lost += c->only == 0 || c->only == instance;
}

static inline void on_reset(uint64_t instance, void *ctx)
{
	struct client *c = ctx;

	c->reset += c->only == 0 || c->only == instance;
}

static inline void on_pressure(uint64_t instance, bool high, void *ctx)
{
	struct client *c = ctx;

	(void)instance;
	*(high ? &c->high : &c->low) += 1;
}

static const struct ipc_bus_hooks hooks = { .on_joined = on_joined, .on_lost = on_lost, .on_reset = on_reset, .on_pressure = on_pressure };

static inline void client_new(struct client *c, uint32_t queue)
{
	struct ipc_config config = { .queue_records = queue };

	*c = (struct client){ 0 };
	c->bus = flock_bus(&flock, "c2s-edge", "c2s-edge", &config, &hooks, c);
	assert_non_null(c->bus);
	assert_true(flock_run(&flock, &c->joined, 1, 5000));
}

/* Until the client sees an instance of the role that is ready. */
static inline uint64_t client_find(struct client *c, const char *role)
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

static inline void on_done(const struct ipc_result *result, const ProtobufCMessage *reply, void *ctx)
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

static inline int call_with(struct client *c, struct ipc_target to, uint32_t method, struct ipc_opts opts)
{
	Starling__MechanismsRequest request;

	opts.payload = STR("ballast");
	starling__mechanisms_request__init(&request);
	request.host = (char *)"example.org";
	c->done = 0;
	c->code = -1;
	return ipc_call(c->bus, to, &opts, method, &request.base, on_done, c);
}

static inline int call(struct client *c, struct ipc_target to, uint32_t method, uint32_t deadline_ms)
{
	return call_with(c, to, method, (struct ipc_opts){ .deadline_ms = deadline_ms });
}

static inline int deliver(struct client *c, uint64_t instance, uint64_t number)
{
	Starling__DeliverEvent event;

	starling__deliver_event__init(&event);
	event.delivery = number;
	return send_edge_deliver(c->bus, ipc_instance(instance), NULL, &event);
}

static inline void end(struct ipc_bus *bus)
{
	ipc_bus_free(&bus);
	flock_run(&flock, NULL, 0, 50);
}

/* --- the flock ---------------------------------------------------------------------------------------------------- */

static inline int flock_setup(void **state)
{
	static const char *const roles[] = { "router", "auth", "storage", "session-manager", "c2s-edge", "unlisted", NULL };

	(void)state;
	make_interfaces();
	flock_make(&flock, roles);
	flock.router = flock_start_router(&flock, "r1");
	return 0;
}

static inline int flock_teardown(void **state)
{
	int status = flock_end(flock.router, SIGTERM);

	(void)state;
	flock_remove(&flock);
	assert_int_equal(status, 0);
	return 0;
}

#endif
