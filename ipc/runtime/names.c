/* SPDX-License-Identifier: Apache-2.0
 *
 * names: the contract by number, for logs and tools; and the bus's counters. */
#include "ipc/runtime/bus_core.h"

const struct ipc_method *ipc_method_find(uint32_t method)
{
	uint32_t n = method & 0xff;

	for (uint32_t i = 0; i < ipc_contract_count; i++)
		if (ipc_contract[i]->number == method >> 8)
			return n >= 1 && n <= ipc_contract[i]->count ? &ipc_contract[i]->methods[n - 1] : NULL;
	return NULL;
}

const char *ipc_code_name(int code)
{
	const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(&starling__code__descriptor, code);

	return v ? v->name + strlen("CODE_") : "UNKNOWN";
}

void ipc_bus_stats(const struct ipc_bus *bus, struct ipc_stats *out)
{
	*out = bus->stats;
	out->calls_open = bus->calls.open;
	out->frames_in = bus->closed_frames_in;
	out->frames_out = bus->closed_frames_out;
	out->bytes_in = bus->closed_bytes_in;
	out->bytes_out = bus->closed_bytes_out;
	out->routers = 0;
	for (unsigned i = 0; i < DIRECTORY_LINKS; i++) {
		const struct link *l = bus->links[i];

		if (!l)
			continue;
		out->routers += l->state == LINK_JOINED;
		out->frames_in += l->frames_in;
		out->frames_out += l->frames_out;
		out->bytes_in += l->bytes_in;
		out->bytes_out += l->bytes_out;
	}
	if (bus->direct)
		direct_stats(bus->direct, out);
}
