#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A device and a user talk through the gateway: what alice publishes by MQTT reaches bob as a message, and what he writes to the lamp comes to its topic.

usage: things.py CA_FILE HOST PASSWORD XMPP_PORT MQTT_PORT
"""
import asyncio
import sys

import paho.mqtt.client as paho

from chat import Peer


class Device(paho.Client):
    """Over TLS, with the certificate verified for the host's name, which only the certificate knows here."""

    def __init__(self, ca, host, password, port, topic):
        super().__init__(client_id="device", protocol=paho.MQTTv311)
        self.loop_, self.came = asyncio.get_event_loop(), asyncio.get_event_loop().create_future()
        self.subscribed = self.loop_.create_future()
        self.username_pw_set("alice@" + host, password)
        self.tls_set(ca)
        self.tls_insecure_set(True)
        self.on_connect = lambda *_: self.subscribe(topic, 1)
        self.on_subscribe = lambda *_: self.tell(self.subscribed, True)
        self.on_message = lambda _, __, m: self.tell(self.came, (m.topic, m.payload))
        self.connect("127.0.0.1", port)
        self.loop_start()

    def tell(self, future, value):
        self.loop_.call_soon_threadsafe(lambda: future.done() or future.set_result(value))


async def talk(ca, host, password, port, mqtt_port):
    bob = Peer("bob@" + host, password, ca)
    bob.connect(("127.0.0.1", port))
    device = Device(ca, host, password, mqtt_port, "homes/bob/lamp")
    await asyncio.gather(bob.online, device.subscribed)
    device.publish("alarms/bob", "smoke", 1)
    assert await bob.received == ("alarms@things." + host, "smoke")
    bob.send_message("lamp@things." + host, "off")
    assert await device.came == ("homes/bob/lamp", b"off")
    device.loop_stop()
    await bob.disconnect()


def main():
    ca, host, password, port, mqtt_port = sys.argv[1:]
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(asyncio.wait_for(talk(ca, host, password, int(port), int(mqtt_port)), 60))
    print("a device and bob have talked through the gateway")


main()
