#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Two slixmpp clients log in over TLS, each exchanges a message with the other, over given ports; each verifies the certificate.

usage: chat.py CA_FILE HOST PASSWORD PORT [PORT]     accounts alice and bob; the second port, for bob, is the first when absent
"""
import asyncio
import sys

import slixmpp


class Peer(slixmpp.ClientXMPP):
    def __init__(self, jid, password, ca):
        super().__init__(jid, password)
        self.ca_certs = ca
        self.online = asyncio.get_event_loop().create_future()
        self.received = asyncio.get_event_loop().create_future()
        self.add_event_handler("session_start", self.start)
        # Not failed_auth: that comes for each mechanism, and it goes on with the next.
        self.add_event_handler("failed_all_auth", lambda _: self.fail("login refused"))
        self.add_event_handler("message", lambda m: self.received.done() or self.received.set_result((str(m["from"].bare), m["body"])))

    def fail(self, why):
        if not self.online.done():
            self.online.set_exception(AssertionError("%s: %s" % (self.boundjid, why)))

    async def start(self, _):
        self.send_presence()
        await self.get_roster()
        if not self.online.done():
            self.online.set_result(True)


async def chat(ca, host, password, port, other_port):
    alice, bob = Peer("alice@" + host, password, ca), Peer("bob@" + host, password, ca)
    alice.connect(("127.0.0.1", port))
    bob.connect(("127.0.0.1", other_port))
    await asyncio.gather(alice.online, bob.online)
    alice.send_message("bob@" + host, "hello bob")
    assert await bob.received == ("alice@" + host, "hello bob")
    bob.send_message("alice@" + host, "hello alice")
    assert await alice.received == ("bob@" + host, "hello alice")
    await asyncio.gather(alice.disconnect(), bob.disconnect())


def main():
    ca, host, password, *ports = sys.argv[1:]
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(asyncio.wait_for(chat(ca, host, password, int(ports[0]), int(ports[-1])), 60))
    print("alice and bob have talked over port " + " and ".join(ports))


if __name__ == "__main__":
    main()
