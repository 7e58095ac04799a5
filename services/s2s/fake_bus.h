/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_bus: the bus for fake_spool.h, which includes it once. Calls are only written down. */
#ifndef S2S_FAKE_BUS_H
#define S2S_FAKE_BUS_H

void *ipc_call_daemon(const struct ipc_call *call)
{
	(void)call;
	return &fake.s2s;
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

int ipc_call(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts, uint32_t method, const ProtobufCMessage *request,
             ipc_done_fn done, void *ctx)
{
	struct fake_call *c = &fake.calls[fake.call_count++];

	(void)bus;
	assert_true(fake.call_count < FAKE_MAX);
	*c = (struct fake_call){ .method = method, .to = to.instance, .request = ipc_copy_for_test(request), .done = done, .ctx = ctx };
	c->payload = opts ? mem_strndup(opts->payload.p ? opts->payload.p : "", opts->payload.n) : NULL;
	return IPC_SENT;
}

uint64_t ipc_bus_instance(const struct ipc_bus *bus)
{
	(void)bus;
	return ME;
}

static const Starling__Registration *fake_instance(uint64_t instance)
{
	static Starling__InterfaceVersion version, *versions[] = { &version };
	static Starling__Registration all[3];
	Starling__Registration *r = &all[instance == ME ? 0 : instance == OTHER ? 1 : 2];

	starling__interface_version__init(&version);
	version.interface = STARLING__INTERFACE__INTERFACE_STORAGE;
	version.version = 100;
	starling__registration__init(r);
	r->instance = instance;
	r->name = (char *)(instance == ME ? "s2s-1" : "s2s-2");
	r->state = STARLING__INSTANCE_STATE__INSTANCE_READY;
	r->interfaces = versions;
	r->n_interfaces = 1;
	return r;
}

uint32_t ipc_bus_instances(const struct ipc_bus *bus, const char *role, const Starling__Registration **out, uint32_t max)
{
	(void)bus, (void)max;
	if (strcmp(role, "storage") == 0) {
		out[0] = fake_instance(STORE);
		return 1;
	}
	out[0] = fake_instance(ME);
	out[1] = fake_instance(OTHER);
	return fake.other_alive ? 2 : 1;
}

uint64_t ipc_bus_slot_owner(const struct ipc_bus *bus, uint32_t slot, uint64_t *out_epoch)
{
	(void)bus, (void)slot;
	*out_epoch = 0;
	return 0;
}

uint64_t ipc_bus_domain_instance(const struct ipc_bus *bus, struct str domain)
{
	(void)bus, (void)domain;
	return 0;
}

#endif
