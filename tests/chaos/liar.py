# SPDX-License-Identifier: Apache-2.0
"""Makes a good server a broken one: stands between clients and server and tells one kind of lie, so that a test can see whether the checker finds it.

usage: liar.py '{"target": [ADDRESS, PORT], "lie": NAME}'      says `ready PORT`; ends when standard input does

What a lie adds or takes away is hidden from XEP-0198's counts of both sides: the broken server believes that all is well.
"""
import asyncio
import json
import re
import sys
from xml.parsers import expat

H = re.compile(rb"""(\bh=['"])(\d+)""")
STANZA = re.compile(rb"<(message|iq|presence)[\s/>]")
TOLD_EVERY = 7      # of what could be lied about, each so manieth is


class Splitter:
    """Bytes of a stream in, whole first-level elements out; the stream's own tags come as pieces, too."""

    def __init__(self):
        self.new_stream()

    def new_stream(self):
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler, self.parser.EndElementHandler = self.start, self.end
        self.data, self.base, self.depth, self.ends, self.at, self.leaf = b"", 0, 0, [], 0, False

    def start(self, name, attributes):
        self.depth += 1
        if self.depth == 1:
            self.ends.append(self.data.index(b">", self.parser.CurrentByteIndex - self.base) + 1 + self.base)
        elif self.depth == 2:
            self.at, self.leaf = self.parser.CurrentByteIndex, True
        else:
            self.leaf = False

    def end(self, name):
        self.depth -= 1
        if self.depth == 1:
            at = self.parser.CurrentByteIndex
            # Of <empty/> the end is where it ends, of others where </name> begins.
            empty = self.leaf and self.data[:at - self.base].endswith(b"/>") and b">" not in self.data[self.at - self.base:at - self.base - 1]
            self.ends.append(at if empty else self.data.index(b">", at - self.base) + 1 + self.base)

    def feed(self, data):
        if self.depth == 1 and data.lstrip().startswith((b"<?xml", b"<stream:stream")):
            self.new_stream()
        self.data += data
        self.ends = []
        try:
            self.parser.Parse(data)
        except expat.ExpatError:
            rest, self.data = self.data, b""
            return [rest]
        out, begin = [], 0
        for end in self.ends:
            out.append(self.data[begin:end - self.base])
            begin = end - self.base
        self.data = self.data[begin:]
        self.base += begin
        if self.depth <= 1 and self.data and b"</stream:stream" in self.data:
            out.append(self.data)
            self.base, self.data = self.base + len(self.data), b""
        return out


class Session:
    """What is hidden from both sides, over all connections of a managed stream: added to the h that goes up, and to the h that comes down."""

    def __init__(self):
        self.up = self.down = 0
        self.from_client = 0
        self.acked = 0  # the client was told so
        self.told = 0
        self.held = None


class Honest:
    """Also the base of lies: each gets a piece and says what is passed on in its place."""

    def upward(self, session, piece, link):
        return [piece]

    def downward(self, session, piece, link):
        return [piece]

    def turn(self, session):
        session.told += 1
        return session.told % TOLD_EVERY == 0


def at_least(piece, h):
    return H.sub(lambda m: m[1] + b"%d" % max(int(m[2]), h), piece, 1)


def is_chat(piece):
    return piece.startswith(b"<message") and b"<body" in piece and b"urn:xmpp:mam:2" not in piece


class AcksEarly(Honest):
    """Acknowledges what it has read, and dies before it did what was asked. Then the client has forgotten it."""

    def acknowledge(self, session, link):
        session.acked = session.from_client
        link.to_client(b"<a xmlns='urn:xmpp:sm:3' h='%d'/>" % session.acked)

    def upward(self, session, piece, link):
        if piece.startswith(b"<r "):
            self.acknowledge(session, link)
            return []
        if is_chat(piece) and self.turn(session):
            session.down += 1
            self.acknowledge(session, link)
            link.die()
            return []
        return [piece]

    def downward(self, session, piece, link):
        if piece.startswith(b"<resumed") and session.from_client < session.acked:
            # What the server had not read when the link died it never will.
            session.down += session.acked - session.from_client
            session.from_client = session.acked
            return [at_least(piece, session.acked)]
        return [] if piece.startswith(b"<a ") else [piece]


class Forgets(Honest):
    """Does not deliver some messages."""

    def downward(self, session, piece, link):
        if is_chat(piece) and self.turn(session):
            session.up += 1
            return []
        return [piece]


class StoresTwice(Honest):
    """Handles some messages twice, as after a failover that remembers nothing."""

    def upward(self, session, piece, link):
        if is_chat(piece) and self.turn(session):
            session.down -= 1
            return [piece, piece]
        return [piece]

    def downward(self, session, piece, link):
        if not piece.startswith(b"<a "):
            return [piece]
        # One that was on its way does not count the second copy yet.
        piece = at_least(piece, session.acked)
        session.acked = int(H.search(piece)[2])
        return [piece]


class DeliversTwice(Honest):
    """Delivers some messages a second time, under another id."""

    def downward(self, session, piece, link):
        if is_chat(piece) and self.turn(session):
            session.up -= 1
            return [piece, re.sub(rb"(<stanza-id\b[^>]*\bid=['\"])", rb"\1again", piece)]
        return [piece]


class Swaps(Honest):
    """Delivers some messages behind the next one."""

    def downward(self, session, piece, link):
        held, session.held = session.held, None
        if held:
            return [piece, held] if is_chat(piece) else [held, piece]
        if is_chat(piece):
            session.held = piece
            return []
        return [piece]


class Invents(Honest):
    """Delivers messages that nobody sent."""

    def downward(self, session, piece, link):
        if is_chat(piece) and self.turn(session):
            session.up -= 1
            return [piece, re.sub(rb"(<body[^>]*>[^/]*/u)", rb"\g<1>9", piece)]
        return [piece]


class LosesArchive(Honest):
    """Some messages are not in the archive."""

    def downward(self, session, piece, link):
        if b"urn:xmpp:mam:2" in piece and piece.startswith(b"<message") and self.turn(session):
            session.up += 1
            return []
        return [piece]


class TakesBack(Honest):
    """Acknowledges less than it did before."""

    def downward(self, session, piece, link):
        if piece.startswith(b"<a ") and self.turn(session):
            return [piece, H.sub(lambda m: m[1] + b"%d" % max(int(m[2]) - 1, 0), piece, 1)]
        return [piece]


LIES = {"none": Honest, "acks-early": AcksEarly, "forgets": Forgets, "stores-twice": StoresTwice, "delivers-twice": DeliversTwice, "swaps": Swaps,
        "invents": Invents, "loses-archive": LosesArchive, "takes-back": TakesBack}


class Pair:
    """A client's connection and the one to the server that stands for it."""

    def __init__(self, lie, sessions):
        self.lie, self.sessions, self.session = lie, sessions, Session()
        self.dead = False

    async def run(self, reader, writer, target):
        self.near, (server, self.far) = writer, await asyncio.open_connection(*target)
        await asyncio.gather(self.pump(reader, self.far, self.up), self.pump(server, writer, self.down))

    async def pump(self, source, sink, change):
        splitter = Splitter()
        try:
            while not self.dead and (data := await source.read(65536)):
                for piece in splitter.feed(data):
                    for out in change(piece):
                        if not self.dead:
                            sink.write(out)
                await sink.drain()
        except OSError:
            pass
        sink.close()

    def to_client(self, piece):
        self.near.write(piece)

    def die(self):
        """The client gets what was said so far, then its connection ends."""
        self.dead = True
        self.near.close()
        self.far.transport.abort()

    def shift(self, piece, by):
        return H.sub(lambda m: m[1] + b"%d" % (int(m[2]) + by), piece, 1)

    def up(self, piece):
        if piece.startswith(b"<resume "):
            self.session = self.sessions.get(re.search(rb"previd=['\"]([^'\"]+)", piece)[1], self.session)
        if piece.startswith((b"<a ", b"<resume ")):
            piece = self.shift(piece, self.session.up)
        if STANZA.match(piece):
            self.session.from_client += 1
        return self.lie.upward(self.session, piece, self)

    def down(self, piece):
        if piece.startswith(b"<enabled"):
            self.session = self.sessions[re.search(rb"\bid=['\"]([^'\"]+)", piece)[1]] = Session()
        if piece.startswith(b"<resumed"):
            # The client sends again what is behind this h.
            piece = self.shift(piece, self.session.down)
            self.session.from_client = int(H.search(piece)[2])
        elif piece.startswith((b"<a ", b"<failed")):
            piece = self.shift(piece, self.session.down)
        return self.lie.downward(self.session, piece, self)


async def main(config):
    lie, sessions = LIES[config["lie"]](), {}

    async def accept(reader, writer):
        try:
            await Pair(lie, sessions).run(reader, writer, config["target"])
        except OSError:
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    print("ready %d" % server.sockets[0].getsockname()[1], flush=True)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.readline()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
