#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the C stubs of an interface from the descriptors that protoc wrote.

usage: stubs.py DESCRIPTOR_SET OUT_DIR

For each service it writes <service>.client.c/.h (typed callers), <service>.server.c/.h (a dispatch table that names every handler,
so that a missing one is a link error) and, for all, contract.c (names for logs and tools). A method's number is its place.
"""
import os
import re
import sys

from google.protobuf import descriptor_pb2

IDEMPOTENT = descriptor_pb2.MethodOptions.IDEMPOTENT
NOTHING = ".starling.Nothing"
NOTE = "/* Made by ipc/gen/stubs.py from ipc/proto/%s. Do not edit. */\n"


def snake(name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def c_type(full):
    return "Starling__" + full.rsplit(".", 1)[1]


def c_prefix(full):
    return "starling__" + snake(full.rsplit(".", 1)[1])


class Method:
    def __init__(self, service, number, proto):
        self.name = proto.name
        self.number = number
        self.event = proto.output_type == NOTHING
        self.idempotent = proto.options.idempotency_level == IDEMPOTENT
        self.request, self.reply = c_type(proto.input_type), c_type(proto.output_type)
        self.request_desc = c_prefix(proto.input_type) + "__descriptor"
        self.reply_desc = c_prefix(proto.output_type) + "__descriptor"
        self.full = f"{service.lower()}_{snake(proto.name)}"
        self.const = f"{service.upper()}_{snake(proto.name).upper()}"


class Service:
    def __init__(self, proto_file, proto, number):
        self.name, self.lower, self.number = proto.name, proto.name.lower(), number
        self.base = os.path.basename(proto_file.name)
        self.pb = proto_file.name.replace(".proto", ".pb-c.h")
        self.methods = [Method(proto.name, i + 1, m) for i, m in enumerate(proto.method)]
        self.version = len(self.methods)  # methods only add, so their count is the interface's version


def client_header(s):
    out = [NOTE % s.base, "#pragma once\n", '#include "ipc/runtime/bus.h"\n', f'#include "{s.pb}"\n',
           '#include "ipc/proto/types.pb-c.h"\n\n', f"enum {{\n"]
    out += [f"\tMETHOD_{m.const} = {s.number} * 256 + {m.number},\n" for m in s.methods]
    out.append("};\n")
    for m in s.methods:
        if m.event:
            out.append(f"\nint send_{m.full}(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts, const {m.request} *event);\n")
            continue
        out.append(f"\ntypedef void (*{m.full}_fn)(const struct ipc_result *result, const {m.reply} *reply, void *ctx);\n")
        out.append(f"int call_{m.full}(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts, const {m.request} *request, {m.full}_fn done, void *ctx);\n")
    return "".join(out)


def client_source(s):
    out = [NOTE % s.base, f'#include "ipc/gen/{s.lower}.client.h"\n']
    for m in s.methods:
        if m.event:
            out.append(f"""
int send_{m.full}(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts, const {m.request} *event)
{{
	return ipc_send(bus, to, opts, METHOD_{m.const}, &event->base);
}}
""")
            continue
        # The typed callback and its ctx travel in one small heap cell through the untyped runtime.
        out.append(f"""
struct {m.full}_cell {{
	{m.full}_fn done;
	void *ctx;
}};

static void {m.full}_done(const struct ipc_result *result, const ProtobufCMessage *reply, void *ctx)
{{
	struct {m.full}_cell cell = *(struct {m.full}_cell *)ctx;

	mem_free(ctx);
	if (cell.done)
		cell.done(result, (const {m.reply} *)reply, cell.ctx);
}}

int call_{m.full}(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts, const {m.request} *request, {m.full}_fn done, void *ctx)
{{
	struct {m.full}_cell *cell = mem_new(struct {m.full}_cell);

	cell->done = done;
	cell->ctx = ctx;
	return ipc_call(bus, to, opts, METHOD_{m.const}, &request->base, {m.full}_done, cell);
}}
""")
    out.insert(2, '#include "common/base/mem.h"\n')
    return "".join(out)


def server_header(s):
    out = [NOTE % s.base, "#pragma once\n", '#include "ipc/runtime/bus.h"\n', f'#include "{s.pb}"\n', '#include "ipc/proto/types.pb-c.h"\n\n',
           f"extern const struct ipc_interface {s.lower}_interface;\n"]
    for m in s.methods:
        out.append(f"\nvoid on_{m.full}(struct ipc_call *call, const {m.request} *request);\n")
        if not m.event:
            out.append(f"void reply_{m.full}(struct ipc_call *call, const {m.reply} *reply);\n")
    return "".join(out)


def table(s, handlers):
    rows = []
    for m in s.methods:
        handler = f"{m.full}_handle" if handlers else "NULL"
        rows.append(f'\t{{ "{s.lower}.{m.name}", &{m.request_desc}, &{m.reply_desc}, {str(m.event).lower()}, {str(m.idempotent).lower()}, {handler} }},\n')
    return "".join(rows)


def server_source(s):
    out = [NOTE % s.base, f'#include "ipc/gen/{s.lower}.server.h"\n']
    for m in s.methods:
        out.append(f"""
static void {m.full}_handle(struct ipc_call *call, const ProtobufCMessage *request)
{{
	on_{m.full}(call, (const {m.request} *)request);
}}
""")
        if not m.event:
            out.append(f"""
void reply_{m.full}(struct ipc_call *call, const {m.reply} *reply)
{{
	ipc_reply(call, &reply->base);
}}
""")
    out.append(f"\nstatic const struct ipc_method methods[] = {{\n{table(s, True)}}};\n")
    out.append(f'\nconst struct ipc_interface {s.lower}_interface = {{ {s.number}, {s.version}, "{s.lower}", methods, {len(s.methods)} }};\n')
    return "".join(out)


def contract_source(services):
    out = [NOTE % "", '#include "ipc/runtime/bus.h"\n', '#include "ipc/proto/types.pb-c.h"\n']
    out += [f'#include "{s.pb}"\n' for s in services]
    for s in services:
        out.append(f"\nstatic const struct ipc_method {s.lower}_methods[] = {{\n{table(s, False)}}};\n")
        out.append(f'static const struct ipc_interface {s.lower}_names = {{ {s.number}, {s.version}, "{s.lower}", {s.lower}_methods, {len(s.methods)} }};\n')
    out.append("\nconst struct ipc_interface *const ipc_contract[] = {\n")
    out += [f"\t&{s.lower}_names,\n" for s in services]
    out.append(f"}};\nconst uint32_t ipc_contract_count = {len(services)};\n")
    return "".join(out)


def main():
    descriptor_set = descriptor_pb2.FileDescriptorSet()
    with open(sys.argv[1], "rb") as f:
        descriptor_set.ParseFromString(f.read())
    numbers = {}
    for proto_file in descriptor_set.file:
        for enum in proto_file.enum_type:
            if enum.name == "Interface":
                numbers = {v.name.removeprefix("INTERFACE_"): v.number for v in enum.value}
    services = [Service(f, s, numbers[s.name.upper()]) for f in descriptor_set.file for s in f.service]
    services.sort(key=lambda s: s.number)
    os.makedirs(sys.argv[2], exist_ok=True)
    files = {"contract.c": contract_source(services)}
    for s in services:
        files[f"{s.lower}.client.h"] = client_header(s)
        files[f"{s.lower}.client.c"] = client_source(s)
        files[f"{s.lower}.server.h"] = server_header(s)
        files[f"{s.lower}.server.c"] = server_source(s)
    for name, text in files.items():
        with open(os.path.join(sys.argv[2], name), "w") as f:
            f.write(text)


main()
