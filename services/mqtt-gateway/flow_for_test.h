/* SPDX-License-Identifier: Apache-2.0
 *
 * flow_for_test: for unit tests, the bus and the broker replaced by functions that answer as the test says. Included once by each test program:
 * it defines what would come from libstarling. */
#ifndef MQTT_GATEWAY_FLOW_FOR_TEST_H
#define MQTT_GATEWAY_FLOW_FOR_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "common/base/mem.h"
#include "common/daemon/daemon_for_test.h"
#include "common/mqtt/mqtt_for_test.h"
#include "ipc/gen/stanza.server.h"
#include "ipc/runtime/ipc_for_test.h"
#include "services/mqtt-gateway/metrics.h"
#include "services/mqtt-gateway/stanza.h"

/* A test program need not use all of it. */
#pragma GCC diagnostic ignored "-Wunused-function"

#define CALLS   32
#define CODE(c) STARLING__CODE__CODE_##c
#define TYPE(t) STARLING__STANZA_TYPE__TYPE_##t

struct ipc_call {
	struct str payload;
	int code; /* -1: not answered */
};

static struct {
	struct gateway g;
	struct gateway_config config;
	struct mqtt_link_events none;
	struct buf out; /* to the broker */
	bool trusted, nobody;
	struct {
		Starling__RouteRequest *request;
		char *payload;
		ipc_done_fn done;
		void *ctx;
	} calls[CALLS]; /* in order; answered ones are taken out */
	size_t call_count;
	struct ipc_call requests[8];
	Starling__Registration instances[3]; /* of gateways */
	uint32_t instance_count;
	uint64_t instance; /* ours */
} f;

/* --- the bus -------------------------------------------------------------------------------------------------------- */

int ipc_call(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts, uint32_t method, const ProtobufCMessage *request,
             ipc_done_fn done, void *ctx)
{
	(void)bus, (void)to, (void)method;
	assert_true(f.call_count < CALLS);
	f.calls[f.call_count].request = (Starling__RouteRequest *)ipc_copy_for_test(request);
	f.calls[f.call_count].payload = mem_strndup(opts->payload.p, opts->payload.n);
	f.calls[f.call_count].done = done;
	f.calls[f.call_count++].ctx = ctx;
	return IPC_SENT;
}

uint64_t ipc_bus_slot_owner(const struct ipc_bus *bus, uint32_t slot, uint64_t *out_epoch)
{
	(void)bus, (void)slot;
	*out_epoch = 3;
	return f.nobody ? 0 : 7;
}

uint64_t ipc_bus_domain_instance(const struct ipc_bus *bus, struct str domain)
{
	(void)bus, (void)domain;
	return 9;
}

uint32_t ipc_bus_instances(const struct ipc_bus *bus, const char *role, const Starling__Registration **out, uint32_t max)
{
	(void)bus, (void)role;
	for (uint32_t i = 0; i < f.instance_count && i < max; i++)
		out[i] = &f.instances[i];
	return f.instance_count;
}

uint64_t ipc_bus_instance(const struct ipc_bus *bus)
{
	(void)bus;
	return f.instance;
}

const Starling__Registration *ipc_bus_find(const struct ipc_bus *bus, uint64_t instance)
{
	static Starling__Registration r = STARLING__REGISTRATION__INIT;

	(void)bus;
	for (uint32_t i = 0; i < f.instance_count; i++) {
		if (f.instances[i].instance == instance)
			return &f.instances[i];
	}
	r.role = (char *)(f.trusted ? "session-manager" : "c2s-edge");
	return &r;
}

void ipc_bus_set_domains(struct ipc_bus *bus, const char *const *domains, uint32_t count)
{
	(void)bus, (void)domains, (void)count;
}

void *ipc_call_daemon(const struct ipc_call *call)
{
	(void)call;
	return &f.g;
}

uint64_t ipc_call_source(const struct ipc_call *call)
{
	(void)call;
	return 7;
}

uint64_t ipc_call_trace(const struct ipc_call *call)
{
	(void)call;
	return 1;
}

struct str ipc_call_payload(const struct ipc_call *call)
{
	return call->payload;
}

void ipc_fail(struct ipc_call *call, int code, const char *fmt, ...)
{
	(void)fmt;
	assert_int_equal(call->code, -1);
	call->code = code;
}

void ipc_reply(struct ipc_call *call, const ProtobufCMessage *reply)
{
	(void)reply;
	assert_int_equal(call->code, -1);
	call->code = 0;
}

/* The call of that place is answered. */
static void answer(size_t at, int code)
{
	struct ipc_result result = { .code = code, .text = "" };
	ipc_done_fn done = f.calls[at].done;
	Starling__Empty empty = STARLING__EMPTY__INIT;
	void *ctx = f.calls[at].ctx;

	assert_true(at < f.call_count);
	protobuf_c_message_free_unpacked(&f.calls[at].request->base, NULL);
	mem_free(f.calls[at].payload);
	memmove(&f.calls[at], &f.calls[at + 1], (--f.call_count - at) * sizeof(f.calls[0]));
	done(&result, code ? NULL : &empty.base, ctx);
}

/* --- the broker ----------------------------------------------------------------------------------------------------- */

static struct buf *output(struct mqtt_client *c, void *ctx)
{
	(void)c, (void)ctx;
	return &f.out;
}

/* What it has been sent since: packets as packet_text has them, with | between them. */
static void got(const char *text)
{
	struct buf b = { 0 };

	for (char one[300]; *text;) {
		size_t n = strcspn(text, "|");

		snprintf(one, sizeof(one), "%.*s", (int)n, text);
		packet_text(&b, one);
		text += n + (text[n] == '|');
	}
	assert_int_equal(f.out.n - f.out.start, b.n);
	assert_memory_equal(f.out.p ? f.out.p + f.out.start : "", b.p ? b.p : "", b.n);
	buf_clear(&f.out);
	buf_fini(&b);
}

static void publish_as(const char *topic, const char *payload, uint16_t id, bool dup)
{
	struct mqtt_publish p = { .qos = id > 0, .dup = dup, .packet_id = id, .topic = str_from(topic), .payload = str_from(payload) };

	intake_publish(&f.g.intake, &p);
}

static void puback(uint16_t id, uint8_t reason)
{
	struct mqtt_ack a = { .packet_id = id, .reason = reason };

	assert_true(orders_acked(&f.g.orders, &a));
}

static void connected(bool present)
{
	f.g.link.client.state = MQTT_CLIENT_LIVE;
	f.g.link.client.present = present;
	f.g.state = GATEWAY_UP;
	f.g.working = true;
	orders_connected(&f.g.orders);
}

static void disconnected(void)
{
	f.g.link.client.state = MQTT_CLIENT_ENDED;
	f.g.state = GATEWAY_WAITING;
	intake_disconnected(&f.g.intake);
	orders_disconnected(&f.g.orders);
}

/* --- users ---------------------------------------------------------------------------------------------------------- */

static void say(unsigned number, Starling__StanzaKind kind, Starling__StanzaType type, uint32_t flags, const char *from, const char *to,
                const char *bytes)
{
	Starling__RouteRequest route = STARLING__ROUTE_REQUEST__INIT;
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;

	meta.kind = kind;
	meta.type = type;
	meta.flags = flags;
	meta.from = (char *)from;
	meta.to = (char *)to;
	meta.id = (char *)"i";
	route.meta = &meta;
	f.requests[number] = (struct ipc_call){ .payload = str_from(bytes), .code = -1 };
	on_stanza_route(&f.requests[number], &route);
}

static void write_to(unsigned number, const char *to, const char *text)
{
	char bytes[200];

	snprintf(bytes, sizeof(bytes), "<message id='i' type='chat'><body>%s</body></message>", text);
	say(number, STARLING__STANZA_KIND__STANZA_MESSAGE, TYPE(CHAT), STANZA_BODY, "juliet@example.org/balcony", to, bytes);
}

/* The last stanza that was sent is an error with this condition; it is taken, and the request of that number answered. */
static void refused(unsigned number, const char *condition)
{
	const char *payload;

	assert_int_equal(f.requests[number].code, -1);
	assert_true(f.call_count > 0);
	payload = f.calls[f.call_count - 1].payload;
	assert_int_equal(f.calls[f.call_count - 1].request->meta->type, TYPE(ERROR));
	if (!strstr(payload, condition))
		assert_string_equal(payload, condition);
	answer(f.call_count - 1, 0);
	assert_int_equal(f.requests[number].code, 0);
}

/* --- fixture -------------------------------------------------------------------------------------------------------- */

static const char file[] = "to-user a\ntopic a/+\nto $1@example.org\n"
                           "to-user two\ntopic two\nto x@example.org y@example.org\n"
                           "to-user zero\ntopic zero\nto x@example.org\nqos 0\n"
                           "to-topic lamp\nusers juliet@example.org\ntopic l/$user\n"
                           "to-topic zero-lamp\nusers @example.org\ntopic z\nqos 0\nretain yes\n";

static int set_up(void **state)
{
	static const struct mqtt_client_events events = { .output = output };
	static char *hosts[] = { (char *)"example.org" };
	struct err e;

	(void)state;
	memset(&f, 0, sizeof(f));
	uv_loop_init(&skeleton.loop);
	skeleton.shared.hosts = (struct config_list){ hosts, 1 };
	f.config = (struct gateway_config){ .window = 2, .body_bytes = 20, .orders = 4, .orders_bytes = 1 << 20, .publish_ms = 1000000 };
	f.trusted = true;
	f.g.config = &f.config;
	f.g.log = &skeleton.log;
	f.g.net = net_loop_new(&skeleton.loop);
	f.g.env.net = f.g.net;
	f.g.domain = (char *)"things.example.org";
	f.g.rules = rules_parse(str_from(file), &skeleton.shared.hosts, &e);
	assert_non_null(f.g.rules);
	broker_init(&f.g);
	mqtt_client_init(&f.g.link.client, &events, NULL);
	f.g.link.client.peer = (struct mqtt_peer){ .version = MQTT_5, .server = true };
	f.g.link.client.qos_max = 2;
	f.g.link.client.retains = true;
	f.g.link.client.receive_max = 65535;
	intake_init(&f.g.intake, &f.g);
	orders_init(&f.g.orders, &f.g);
	connected(true);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	while (f.call_count > 0)
		answer(0, CODE(PEER_LOST));
	f.g.stopped = true;
	broker_fini(&f.g);
	intake_fini(&f.g.intake);
	orders_fini(&f.g.orders);
	rules_free(&f.g.rules);
	buf_fini(&f.out);
	net_loop_free(&f.g.net);
	uv_run(&skeleton.loop, UV_RUN_DEFAULT);
	return uv_loop_close(&skeleton.loop);
}

/* Until something is sent. */
static void wait_for_call(void)
{
	for (int i = 0; i < 1000 && f.call_count == 0; i++)
		uv_run(&skeleton.loop, UV_RUN_ONCE);
	assert_true(f.call_count > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define LAMP       "lamp@things.example.org"

#endif
