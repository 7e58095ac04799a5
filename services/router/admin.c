/* SPDX-License-Identifier: Apache-2.0
 *
 * admin: what is asked of any daemon (admin.proto). The router is a service of the flock like the others: it joins itself over its own socket, so that
 * it stands in the directory, has the common runtime's credit and deadlines, and needs no second way to answer calls. Other routers it never joins. */
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "common/daemon/admin.h"
#include "ipc/gen/admin.client.h"
#include "services/router/router.h"

static void on_status(struct ipc_call *call, const ProtobufCMessage *request)
{
	struct router *r = ipc_call_daemon(call);
	struct arena *a = arena_new(0);
	Starling__StatusReply reply;

	(void)request;
	starling__status_reply__init(&reply);
	daemon_admin_status(r->daemon, a, &reply);
	ipc_reply(call, &reply.base);
	arena_free(&a);
}

static void reply_empty(struct ipc_call *call)
{
	Starling__Empty empty;

	starling__empty__init(&empty);
	ipc_reply(call, &empty.base);
}

static void on_log_level(struct ipc_call *call, const ProtobufCMessage *request)
{
	struct router *r = ipc_call_daemon(call);
	struct err e;

	if (daemon_admin_log_level(r->daemon, ((const Starling__LogLevelRequest *)request)->level, &e) != 0)
		ipc_fail(call, STARLING__CODE__CODE_INVALID, "%s", e.text);
	else
		reply_empty(call);
}

static void on_reload(struct ipc_call *call, const ProtobufCMessage *request)
{
	struct router *r = ipc_call_daemon(call);
	struct err e;

	(void)request;
	if (daemon_admin_reload(r->daemon, &e) != 0)
		ipc_fail(call, STARLING__CODE__CODE_INVALID, "%s", e.text);
	else
		reply_empty(call);
}

static void on_drain(struct ipc_call *call, const ProtobufCMessage *request)
{
	struct router *r = ipc_call_daemon(call);

	(void)request;
	reply_empty(call);
	daemon_admin_drain(r->daemon);
}

static void on_unsupported(struct ipc_call *call, const ProtobufCMessage *request)
{
	(void)request;
	ipc_fail(call, STARLING__CODE__CODE_UNSUPPORTED, "not at a router");
}

static const struct {
	uint32_t method;
	ipc_handler_fn handler;
} handlers[] = {
	{ METHOD_ADMIN_STATUS, on_status }, { METHOD_ADMIN_LOG_LEVEL, on_log_level },   { METHOD_ADMIN_RELOAD, on_reload },
	{ METHOD_ADMIN_DRAIN, on_drain },   { METHOD_ADMIN_CONNECTED, on_unsupported }, { METHOD_ADMIN_KICK, on_unsupported },
};
#define HANDLERS (sizeof(handlers) / sizeof(*handlers))

/* The first endpoint that is bound, as one connects to it from this machine. */
static void own_endpoint(const struct router *r, char *out, size_t n)
{
	char last[512] = "";
	size_t last_n = sizeof(last) - 1;
	const char *port;

	zmq_getsockopt(zsock_socket(r->socket), ZMQ_LAST_ENDPOINT, last, &last_n);
	port = strrchr(last, ':');
	if (strncmp(last, "tcp://0.0.0.0:", 14) == 0)
		snprintf(out, n, "tcp://127.0.0.1%s", port);
	else if (strncmp(last, "tcp://[::]:", 11) == 0)
		snprintf(out, n, "tcp://[::1]%s", port);
	else
		snprintf(out, n, "%s", last);
}

static void on_joined(void *ctx)
{
	struct router *r = ctx;

	ipc_bus_set_state(r->bus, STARLING__INSTANCE_STATE__INSTANCE_READY);
	daemon_ready(r->daemon);
}

static void make_interface(struct router *r)
{
	for (size_t i = 0; i < HANDLERS && i < sizeof(r->admin_methods) / sizeof(*r->admin_methods); i++) {
		r->admin_methods[i] = *ipc_method_find(handlers[i].method);
		r->admin_methods[i].handler = handlers[i].handler;
	}
	r->admin = (struct ipc_interface){ METHOD_ADMIN_STATUS >> 8, HANDLERS, "admin", r->admin_methods, HANDLERS };
}

int admin_open(struct router *r, struct err *e)
{
	static const struct ipc_bus_hooks hooks = { .on_joined = on_joined };
	const struct ipc_interface *serves[] = { &r->admin };
	char endpoint[512], key_file[512], allow_file[512];
	const char *routers[] = { endpoint };
	struct ipc_config config = { .role = "router",
		                     .name = daemon_name(r->daemon),
		                     .version = daemon_version(),
		                     .routers = routers,
		                     .router_count = 1,
		                     .key_file = key_file,
		                     .allow_file = allow_file,
		                     .serves = serves,
		                     .serve_count = 1,
		                     .metrics_url = daemon_metrics_url(r->daemon) };

	make_interface(r);
	own_endpoint(r, endpoint, sizeof(endpoint));
	snprintf(key_file, sizeof(key_file), "%s/router.key", r->shared->keys_dir);
	snprintf(allow_file, sizeof(allow_file), "%s/allow", r->shared->keys_dir);
	r->bus = ipc_bus_new(r->loop, &config, &hooks, r, e);
	if (!r->bus)
		return -1;
	/* One number for both: who calls the router's instance reaches this bus. */
	r->instance = ipc_bus_instance(r->bus);
	return 0;
}

void admin_close(struct router *r)
{
	ipc_bus_free(&r->bus);
}
