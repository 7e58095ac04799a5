#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Keeps the contract between daemons compatible: version N and N+1 of every daemon work together.

usage: contract.py check|update DESCRIPTOR_SET LOCK

The lock is a text file with one line for everything that may not change. `check` fails when a line of it is no longer true, and when the
contract has something that is not yet in it. `update` adds what is new, and refuses like `check` to take anything back.

A field or an enum value may go when its number is `reserved` in its place; the lock remembers the number, which is then never used again.
"""
import sys

from google.protobuf import descriptor_pb2

Field = descriptor_pb2.FieldDescriptorProto
HEAD = """# What may not change in ipc/proto: made by tools/lint/contract.py, checked by make lint. After an addition: make contract-lock.
"""


def type_name(field, message):
    name = field.type_name.removeprefix(".starling.") if field.type_name else Field.Type.Name(field.type).removeprefix("TYPE_").lower()
    if field.label == Field.LABEL_REPEATED:
        name = "repeated " + name
    if field.HasField("oneof_index"):
        name += " in " + message.oneof_decl[field.oneof_index].name
    return name


def message_facts(message, prefix=""):
    name = prefix + message.name
    facts = {f"message {name}": ""}
    for field in message.field:
        facts[f"field {name} {field.number}"] = f"{field.name} {type_name(field, message)}"
    for reserved in message.reserved_range:
        for number in range(reserved.start, reserved.end):
            facts[f"field {name} {number}"] = "reserved"
    for nested in message.nested_type:
        facts |= message_facts(nested, name + ".")
    for enum in message.enum_type:
        facts |= enum_facts(enum, name + ".")
    return facts


def enum_facts(enum, prefix=""):
    name = prefix + enum.name
    facts = {f"enum {name}": ""}
    for value in enum.value:
        facts[f"value {name} {value.number}"] = value.name
    for reserved in enum.reserved_range:
        # Both ends are included here, unlike in messages.
        for number in range(reserved.start, reserved.end + 1):
            facts[f"value {name} {number}"] = "reserved"
    return facts


def service_facts(service, numbers):
    number = numbers[service.name.upper()]
    facts = {f"interface {number}": service.name}
    for place, method in enumerate(service.method, 1):
        request, reply = method.input_type.removeprefix(".starling."), method.output_type.removeprefix(".starling.")
        kind = "event" if reply == "Nothing" else "call"
        if method.options.idempotency_level == descriptor_pb2.MethodOptions.IDEMPOTENT:
            kind += " idempotent"
        facts[f"method {number}.{place}"] = f"{method.name} {request} {reply} {kind}"
    return facts


def facts_of(descriptors):
    """Everything that peers rely on: key to value. A key has a number or a name that is never given anew."""
    facts, numbers = {}, {}
    for file in descriptors.file:
        for enum in file.enum_type:
            if enum.name == "Interface":
                numbers = {v.name.removeprefix("INTERFACE_"): v.number for v in enum.value}
    for file in descriptors.file:
        for message in file.message_type:
            facts |= message_facts(message)
        for enum in file.enum_type:
            facts |= enum_facts(enum)
        for service in file.service:
            facts |= service_facts(service, numbers)
    return facts


def order(key):
    """Interfaces, then messages, then enums; numbers by value."""
    kind, *rest = key.split(" ")
    group = {"interface": 0, "method": 0, "message": 1, "field": 1, "enum": 2, "value": 2}[kind]
    if group == 0:
        number = [int(n) for n in rest[0].split(".")]
        return group, number, 0
    return group, [rest[0]], int(rest[1]) if len(rest) > 1 else -(2**40)


def write_lock(path, facts):
    with open(path, "w", encoding="utf-8") as f:
        f.write(HEAD)
        for key in sorted(facts, key=order):
            f.write(f"{key}: {facts[key]}".rstrip() + "\n")


def read_lock(path):
    facts = {}
    try:
        with open(path, encoding="utf-8") as f:
            for line in f:
                if not line.startswith("#") and line.strip():
                    key, _, value = line.rstrip("\n").partition(":")
                    facts[key] = value.strip()
    except FileNotFoundError:
        pass
    return facts


def may_become(key, then, now):
    """Only one thing may change: a field or value may be given up, by reserving its number."""
    return then == now or (now == "reserved" and key.split(" ")[0] in ("field", "value"))


def broken(locked, facts):
    """What is no longer true, as sentences."""
    out = []
    for key, then in locked.items():
        now = facts.get(key)
        if now is None and then == "reserved":
            out.append(f"{key} is no longer reserved")
        elif now is None:
            out.append(f"{key} ({then or 'empty'}) is gone; a field's or value's number must stay reserved")
        elif not may_become(key, then, now):
            out.append(f"{key} was '{then}' and is now '{now}'")
    return sorted(out)


def main():
    command, descriptor_path, lock_path = sys.argv[1:]
    descriptors = descriptor_pb2.FileDescriptorSet()
    with open(descriptor_path, "rb") as f:
        descriptors.ParseFromString(f.read())
    facts, locked = facts_of(descriptors), read_lock(lock_path)
    wrong = broken(locked, facts)
    for what in wrong:
        print(f"contract: {what}")
    if wrong:
        print("contract: daemons of the last version could not talk to these. Add instead of changing.")
        sys.exit(1)
    new = [key for key in facts if facts[key] != locked.get(key)]
    if command == "update":
        write_lock(lock_path, facts)
        return
    for key in sorted(new, key=order):
        print(f"contract: not in {lock_path} yet: {key}: {facts[key]}")
    if new:
        print("contract: the changes are compatible; run make contract-lock and commit it")
        sys.exit(1)


if __name__ == "__main__":
    main()
