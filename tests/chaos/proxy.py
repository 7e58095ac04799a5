# SPDX-License-Identifier: Apache-2.0
"""Links that can be cut: listens and passes bytes on to others. A process of its own, so that nobody's pause is another's.

usage: proxy.py '{"NAME": [LISTEN, TARGET], ...}'      the path of a Unix socket, or a port of 127.0.0.1 (LISTEN 0: any)

Says `ready`, and the ports of links that listen at one, as JSON. Commands on standard input:

    cut NAME [SECONDS]          all connections are reset, and so long new ones at once
    silence NAME SECONDS [WAY]  nothing passes, nobody is told; then all that was said. WAY: 0 (to the target) or 1 (back), else both
    freeze NAME SECONDS         the same for the connections that are there; new ones are not disturbed
    ready                       says so again: what was told before has happened
    quit
"""
import asyncio
import json
import os
import socket
import struct
import sys

THERE, BACK = 0, 1
RESET = struct.pack("ii", 1, 0)     # SO_LINGER: the end is a RST


class Half(asyncio.Protocol):
    """One end of a connection; what comes goes to the other end, and waits while that one's buffer is full."""

    def __init__(self, link, other=None):
        self.link, self.other, self.transport = link, other, None
        self.way = THERE if other is None else BACK     # of what is read here
        self.frozen = 0
        self.choked = False     # the other end's buffer is full
        self.early = []         # came before the other end was there

    def connection_made(self, transport):
        self.transport = transport
        if self.link.refusing:
            self.abort()
            return
        self.link.halves.add(self)
        if self.other is None:
            asyncio.get_running_loop().create_task(self.link.connect(self))
        # Not at once: the transport begins to read after this call, whatever is said in it.
        asyncio.get_running_loop().call_soon(self.heed)

    def heed(self):
        """Reads, or does not, as the link says."""
        if self.transport.is_closing():
            return
        if self.frozen or self.choked or self.link.silent[self.way]:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def data_received(self, data):
        if self.other is None:
            self.early.append(data)
        else:
            self.other.transport.write(data)

    def pause_writing(self):
        self.choke(True)

    def resume_writing(self):
        self.choke(False)

    def choke(self, full):
        if self.other:
            self.other.choked = full
            self.other.heed()

    def abort(self):
        peer = self.transport.get_extra_info("socket")
        if peer.family == socket.AF_INET and not self.transport.is_closing():
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.transport.abort()

    def connection_lost(self, exc):
        self.link.halves.discard(self)
        if self.other and self.other.transport:
            self.other.transport.close() if exc is None else self.other.abort()


class Link:
    def __init__(self, listen, target):
        self.listen, self.target = listen, target
        self.halves = set()
        self.silent = [0, 0]    # by way: how many faults silence it
        self.refusing = 0

    async def start(self):
        """The port, where it listens at one."""
        loop = asyncio.get_running_loop()
        if isinstance(self.listen, int):
            server = await loop.create_server(lambda: Half(self), "127.0.0.1", self.listen)
            return server.sockets[0].getsockname()[1]
        if os.path.exists(self.listen):
            os.unlink(self.listen)
        await loop.create_unix_server(lambda: Half(self), self.listen)
        os.chmod(self.listen, 0o777)
        return None

    async def connect(self, near):
        far = Half(self, near)
        loop = asyncio.get_running_loop()
        try:
            if isinstance(self.target, int):
                await loop.create_connection(lambda: far, "127.0.0.1", self.target)
            else:
                await loop.create_unix_connection(lambda: far, self.target)
        except OSError:
            near.abort()
            return
        near.other = far
        if near.transport.is_closing():
            far.abort()
            return
        for data in near.early:
            far.transport.write(data)
        near.early = []

    def heed(self, halves):
        for half in halves:
            half.heed()

    def cut(self, seconds=0):
        self.refusing += 1
        for half in list(self.halves):
            half.abort()
        asyncio.get_running_loop().call_later(seconds, self.accept)

    def accept(self):
        self.refusing -= 1

    def silence(self, seconds, way=None):
        ways = (THERE, BACK) if way is None else (int(way),)
        self.hush(ways, 1)
        asyncio.get_running_loop().call_later(seconds, self.hush, ways, -1)

    def hush(self, ways, change):
        for way in ways:
            self.silent[way] += change
        self.heed(self.halves)

    def freeze(self, seconds):
        there = list(self.halves)
        self.stiffen(there, 1)
        asyncio.get_running_loop().call_later(seconds, self.stiffen, there, -1)

    def stiffen(self, halves, change):
        for half in halves:
            half.frozen += change
        self.heed(halves)


async def main(table):
    links = {name: Link(*pair) for name, pair in table.items()}
    ports = {name: await link.start() for name, link in links.items()}
    print("ready " + json.dumps({name: port for name, port in ports.items() if port}), flush=True)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while True:
        words = (await reader.readline()).decode().split()
        if not words or words[0] == "quit":
            return
        if words[0] == "ready":
            print("ready", flush=True)
            continue
        getattr(links[words[1]], words[0])(*map(float, words[2:]))


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
