#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The two demo accounts of `make run` log in over verified TLS and talk, with nothing but Python's own library.

usage: chat.py STATE_DIR [HOST [PORT]]
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../system"))

from xmpp import Client  # noqa: E402


class Place:
    def __init__(self, state, host="localhost", port="5222"):
        self.state, self.host, self.port, self.tls_port, self.address = state, host, int(port), int(port) + 1, "127.0.0.1"

    def ca(self, host=None):
        return os.path.join(self.state, "tls/ca.pem")


def main():
    place = Place(*sys.argv[1:])
    with open(os.path.join(place.state, "demo-password")) as f:
        password = f.read().strip()
    alice, bob = (Client(place).login(name, password).online() for name in ("alice", "bob"))
    alice.message(bob.jid, "hello bob")
    bob.wait_message("hello bob")
    bob.message(alice.jid, "hello alice")
    alice.wait_message("hello alice")
    alice.close()
    bob.close()
    print("alice and bob have talked")


main()
