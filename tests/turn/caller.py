# SPDX-License-Identifier: Apache-2.0
"""One party of a call (aiortc: ICE, DTLS, SRTP, SCTP), a program for test_calls.py: commands and answers are lines of JSON. It runs in a network of its own."""
import asyncio
import json
import sys

from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack

MESSAGES, FRAMES = 30, 20


def say(**what):
    print(json.dumps(what), flush=True)


class Call:
    """Both send audio; the caller sends messages as well, which the other sends back."""

    def __init__(self, server):
        self.pc = RTCPeerConnection(RTCConfiguration([RTCIceServer(urls=server["url"], username=server["user"], credential=server["password"])]))
        self.pc.addTrack(AudioStreamTrack())
        self.heard, self.echoed, self.tasks = asyncio.Event(), asyncio.Event(), []
        self.pc.on("track", lambda track: self.tasks.append(asyncio.ensure_future(self.listen(track))))
        self.pc.on("datachannel", lambda channel: channel.on("message", channel.send))

    async def listen(self, track):
        for _ in range(FRAMES):
            await track.recv()
        self.heard.set()

    def open_channel(self):
        channel, back = self.pc.createDataChannel("chat"), []

        def on_message(message):
            back.append(message)
            if back == ["message %d" % i for i in range(MESSAGES)]:
                self.echoed.set()

        channel.on("message", on_message)
        channel.on("open", lambda: [channel.send("message %d" % i) for i in range(MESSAGES)])

    async def describe(self, make):
        await self.pc.setLocalDescription(await make())
        say(sdp=self.pc.localDescription.sdp, type=self.pc.localDescription.type)

    async def take(self, line):
        await self.pc.setRemoteDescription(RTCSessionDescription(sdp=line["sdp"], type=line["type"]))

    async def close(self):
        await self.pc.close()
        for task in self.tasks:
            task.cancel()


async def main():
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    say(ready=True)
    while True:
        line = await lines.readline()
        if not line:
            return
        command = json.loads(line)
        call = Call(command)
        if command["calls"]:
            call.open_channel()
            await call.describe(call.pc.createOffer)
            await call.take(json.loads(await lines.readline()))
        else:
            call.echoed.set()
            await call.take(json.loads(await lines.readline()))
            await call.describe(call.pc.createAnswer)
        await asyncio.wait_for(asyncio.gather(call.heard.wait(), call.echoed.wait()), 40)
        say(done=True)
        # When the other has all as well. With a relay that is no more the end takes long: nobody answers the last requests.
        lost = json.loads(await lines.readline())["lost"]
        closing = asyncio.ensure_future(call.close())
        if not lost:
            await asyncio.wait_for(closing, 20)
        say(closed=True)


asyncio.run(main())
