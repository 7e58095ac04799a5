#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Proves that contract.py can fail: breaks copies of the real contract on purpose, one way at a time.

usage: contract_test.py DESCRIPTOR_SET
"""
import sys

from google.protobuf import descriptor_pb2

import contract

Field = descriptor_pb2.FieldDescriptorProto


def message(d, name):
    return next(m for f in d.file for m in f.message_type if m.name == name)


def enum(d, name):
    return next(e for f in d.file for e in f.enum_type if e.name == name)


def service(d, name):
    return next(s for f in d.file for s in f.service if s.name == name)


def field(d, message_name, number):
    return next(f for f in message(d, message_name).field if f.number == number)


def drop(items, index):
    del items[index]


def retype(d):
    field(d, "Envelope", 5).type = Field.TYPE_STRING


def repeat(d):
    field(d, "Envelope", 5).label = Field.LABEL_REPEATED


def rename(d):
    field(d, "Envelope", 5).name = "correlation"


def renumber(d):
    field(d, "Envelope", 5).number = 99


def swap_numbers(d):
    a, b = field(d, "Envelope", 5), field(d, "Envelope", 6)
    a.number, b.number = b.number, a.number


def remove_field(d):
    drop(message(d, "Envelope").field, 4)


def retype_message_field(d):
    field(d, "DeliverEvent", 2).type_name = ".starling.Empty"


def into_oneof(d):
    m = message(d, "Envelope")
    m.oneof_decl.add().name = "either"
    field(d, "Envelope", 5).oneof_index = 0


def remove_message(d):
    for f in d.file:
        for i, m in enumerate(f.message_type):
            if m.name == "Fence":
                drop(f.message_type, i)
                return


def remove_value(d):
    drop(enum(d, "Code").value, 3)


def rename_value(d):
    enum(d, "Code").value[3].name = "CODE_ELSE"


def renumber_interface(d):
    value = next(v for v in enum(d, "Interface").value if v.name == "INTERFACE_AUTH")
    value.number = 99


def reorder_methods(d):
    methods = service(d, "Auth").method
    first = descriptor_pb2.MethodDescriptorProto.FromString(methods[0].SerializeToString())
    methods[0].CopyFrom(methods[1])
    methods[1].CopyFrom(first)


def remove_last_method(d):
    drop(service(d, "Auth").method, -1)


def insert_method(d):
    methods = service(d, "Auth").method
    methods.insert(0, descriptor_pb2.MethodDescriptorProto(name="New", input_type=".starling.Empty", output_type=".starling.Empty"))


def change_request(d):
    service(d, "Auth").method[0].input_type = ".starling.Empty"


def call_becomes_event(d):
    service(d, "Auth").method[0].output_type = ".starling.Nothing"


def no_longer_idempotent(d):
    service(d, "Auth").method[0].ClearField("options")


def reserve(d, message_name, number):
    r = message(d, message_name).reserved_range.add()
    r.start, r.end = number, number + 1


def give_up_properly(d):
    remove_field(d)
    reserve(d, "Envelope", 5)


def add_things(d):
    message(d, "Envelope").field.add(name="later", number=200, type=Field.TYPE_STRING, label=Field.LABEL_OPTIONAL)
    enum(d, "Code").value.add(name="CODE_LATER", number=200)
    service(d, "Auth").method.add(name="Later", input_type=".starling.Empty", output_type=".starling.Empty")
    d.file[0].message_type.add(name="LaterEvent")


BREAKING = [retype, repeat, rename, renumber, swap_numbers, remove_field, retype_message_field, into_oneof, remove_message, remove_value, rename_value,
            renumber_interface, reorder_methods, remove_last_method, insert_method, change_request, call_becomes_event, no_longer_idempotent]
COMPATIBLE = [give_up_properly, add_things]


def copy(d):
    return descriptor_pb2.FileDescriptorSet.FromString(d.SerializeToString())


def main():
    with open(sys.argv[1], "rb") as f:
        real = descriptor_pb2.FileDescriptorSet.FromString(f.read())
    locked = contract.facts_of(real)
    assert contract.broken(locked, locked) == []
    for change in BREAKING:
        changed = copy(real)
        change(changed)
        if not contract.broken(locked, contract.facts_of(changed)):
            sys.exit(f"contract_test: {change.__name__} was not noticed")
    for change in COMPATIBLE:
        changed = copy(real)
        change(changed)
        facts = contract.facts_of(changed)
        if contract.broken(locked, facts):
            sys.exit(f"contract_test: {change.__name__} was refused: {contract.broken(locked, facts)}")
        if facts == locked:
            sys.exit(f"contract_test: {change.__name__} changed nothing")
    # A number that was given up never comes back, neither with its old meaning nor with a new one.
    given_up = copy(real)
    give_up_properly(given_up)
    for again in (real, copy(real)):
        if again is not real:
            rename(again)
        if not contract.broken(contract.facts_of(given_up), contract.facts_of(again)):
            sys.exit("contract_test: a reserved number was used again unnoticed")


main()
