# SPDX-License-Identifier: Apache-2.0
"""Links that can be cut: listens at Unix sockets and passes bytes on to others. A process of its own, so that nobody's pause is another's.

usage: proxy.py '{"NAME": [LISTEN, TARGET], ...}'      commands on standard input: cut NAME; silence NAME SECONDS; quit
"""
import asyncio
import json
import os
import sys


class Half(asyncio.Protocol):
    """One end of a connection; what comes goes to the other end, and waits while that one's buffer is full."""

    def __init__(self, link, other=None):
        self.link, self.other, self.transport = link, other, None
        self.early = []         # came before the other end was there

    def connection_made(self, transport):
        self.transport = transport
        self.link.halves.add(self)
        if self.other is None:
            asyncio.get_running_loop().create_task(self.link.connect(self))
        if self.link.silent:
            # Not at once: the transport begins to read after this call, whatever is said in it.
            asyncio.get_running_loop().call_soon(lambda: self.link.silent and transport.pause_reading())

    def data_received(self, data):
        if self.other is None:
            self.early.append(data)
        else:
            self.other.transport.write(data)

    def pause_writing(self):
        if self.other:
            self.other.transport.pause_reading()

    def resume_writing(self):
        if not self.link.silent:
            self.other.transport.resume_reading()

    def connection_lost(self, exc):
        self.link.halves.discard(self)
        if self.other and self.other.transport:
            self.other.transport.close() if exc is None else self.other.transport.abort()


class Link:
    def __init__(self, listen, target):
        self.listen, self.target = listen, target
        self.halves = set()
        self.silent = 0

    async def start(self):
        if os.path.exists(self.listen):
            os.unlink(self.listen)
        loop = asyncio.get_running_loop()
        await loop.create_unix_server(lambda: Half(self), self.listen)
        os.chmod(self.listen, 0o777)

    async def connect(self, near):
        far = Half(self, near)
        try:
            await asyncio.get_running_loop().create_unix_connection(lambda: far, self.target)
        except OSError:
            near.transport.abort()
            return
        near.other = far
        if near.transport.is_closing():
            far.transport.abort()
        for data in near.early:
            far.transport.write(data)
        near.early = []

    def cut(self):
        for half in list(self.halves):
            half.transport.abort()

    def silence(self, seconds):
        """Nothing passes, nobody is told."""
        self.silent += 1
        for half in self.halves:
            half.transport.pause_reading()
        asyncio.get_running_loop().call_later(seconds, self.speak)

    def speak(self):
        self.silent -= 1
        if not self.silent:
            for half in self.halves:
                if not half.transport.is_closing():
                    half.transport.resume_reading()


async def main(table):
    links = {name: Link(*pair) for name, pair in table.items()}
    for link in links.values():
        await link.start()
    print("ready", flush=True)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while True:
        words = (await reader.readline()).decode().split()
        if not words or words[0] == "quit":
            return
        getattr(links[words[1]], words[0])(*map(float, words[2:]))


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
