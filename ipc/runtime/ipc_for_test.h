/* SPDX-License-Identifier: Apache-2.0
 *
 * ipc_for_test: what every fake of the bus has alike. Included once a program, which must not have the real one as well. */
#ifndef IPC_RUNTIME_IPC_FOR_TEST_H
#define IPC_RUNTIME_IPC_FOR_TEST_H

#include "common/base/mem.h"
#include "ipc/runtime/bus.h"

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

const char *ipc_code_name(int code)
{
	(void)code;
	return "CODE";
}

/* As it comes out at the other end. The caller's. */
static inline ProtobufCMessage *ipc_copy_for_test(const ProtobufCMessage *m)
{
	size_t n = protobuf_c_message_get_packed_size(m);
	uint8_t *p = mem_alloc(n + 1);
	ProtobufCMessage *copy;

	protobuf_c_message_pack(m, p);
	copy = protobuf_c_message_unpack(m->descriptor, NULL, n, p);
	mem_free(p);
	return copy;
}

#endif
