# SPDX-License-Identifier: Apache-2.0
"""One TCP connection of a device: bytes in, first-level elements out. It can be made deaf or mute."""
import asyncio
import xml.etree.ElementTree as ET


class Link(asyncio.Protocol):
    """One TCP connection. Once it is not the device's any more, what comes over it is ignored."""

    def __init__(self, device):
        self.device, self.transport, self.parser = device, None, None
        self.mute = self.deaf = False
        self.count_in = 0

    def connection_made(self, transport):
        self.transport = transport
        self.restart()

    def restart(self):
        self.parser, self.depth, self.root = ET.XMLPullParser(("start", "end")), 0, None
        self.send("<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='%s'>"
                  % self.device.place.host)

    def send(self, text):
        if not self.mute and not self.transport.is_closing():
            self.transport.write(text.encode())

    def data_received(self, data):
        if self.deaf or self.device.link is not self:
            return
        parser = self.parser
        try:
            parser.feed(data)
            events = list(parser.read_events())
        except ET.ParseError as broken:
            self.device.log.add("P", "not XML: %s" % broken)
            self.device.lose("bad XML")
            return
        for event, element in events:
            if event == "start":
                self.depth += 1
                if self.depth == 1:
                    self.root = element
                continue
            self.depth -= 1
            if self.depth == 1:
                self.root.clear()
                self.device.on_element(element)
                if self.parser is not parser or self.device.link is not self:
                    return
            elif self.depth == 0:
                self.device.lose("stream ended")

    def connection_lost(self, exc):
        if self.device.link is self:
            self.device.lose("closed" if exc is None else type(exc).__name__)
