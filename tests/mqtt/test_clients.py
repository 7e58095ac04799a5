# SPDX-License-Identifier: Apache-2.0
"""Real clients: paho-mqtt over every transport, and mosquitto's commands."""
import queue
import ssl
import subprocess

import paho.mqtt.client as paho
import pytest

TIMEOUT = 20


class Paho:
    def __init__(self, flock, kind, version, name):
        self.messages, self.connected, self.granted = queue.Queue(), queue.Queue(), queue.Queue()
        self.client = paho.Client(client_id=name, protocol=version, transport="websockets" if kind.startswith("ws") else "tcp")
        self.client.username_pw_set("romeo", "secret")
        self.client.on_connect = lambda client, userdata, flags, reason, *more: self.connected.put(reason)
        self.client.on_subscribe = lambda client, userdata, mid, granted, *more: self.granted.put([int(getattr(g, "value", g)) for g in granted])
        self.client.on_message = lambda client, userdata, message: self.messages.put(message)
        if kind.startswith("ws"):
            self.client.ws_set_options(path="/mqtt")
        if kind in ("tls", "wss"):
            self.client.tls_set(flock.ca(), cert_reqs=ssl.CERT_REQUIRED)
            self.client.tls_insecure_set(True)  # the certificate is the host's, the address is not
        self.client.connect(flock.address, flock.mqtt[kind])
        self.client.loop_start()
        assert str(self.connected.get(timeout=TIMEOUT)) in ("0", "Success")

    def subscribe(self, topic, qos):
        self.client.subscribe(topic, qos)
        return self.granted.get(timeout=TIMEOUT)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def client(flock):
    clients = []

    def make(kind, version, name):
        clients.append(Paho(flock, kind, version, name))
        return clients[-1]
    yield make
    for c in clients:
        c.close()


# [MQTT-4.2-1] [MQTT-6.0.0-4] [MQTT311-4.2.0-1] [MQTT311-6.0.0-4]
@pytest.mark.parametrize("kind", ["tcp", "tls", "ws", "wss"])
@pytest.mark.parametrize("version", [paho.MQTTv31, paho.MQTTv311, paho.MQTTv5])
def test_paho(client, kind, version):
    a, b = client(kind, version, "a"), client("tcp", paho.MQTTv5, "b")
    topic = "paho/%s/%d" % (kind, version)
    assert b.subscribe(topic, 2) == [2]
    for qos in (0, 1, 2):
        payload = b"%d" % qos * 1000
        a.client.publish(topic, payload, qos).wait_for_publish()
        m = b.messages.get(timeout=TIMEOUT)
        assert (m.topic, m.payload, m.qos) == (topic, payload, qos)


# [MQTT-4.6.0-5] [MQTT-4.6.0-6] [MQTT311-4.6.0-5] [MQTT311-4.6.0-6]
def test_many_in_order(client):
    a, b = client("tcp", paho.MQTTv311, "a"), client("tls", paho.MQTTv311, "b")
    b.subscribe("order", 1)
    for i in range(10):
        a.client.publish("order", b"%d" % i, 1).wait_for_publish()
    assert [b.messages.get(timeout=TIMEOUT).payload for _ in range(10)] == [b"%d" % i for i in range(10)]


@pytest.mark.parametrize("version", ["mqttv31", "mqttv311", "mqttv5"])
def test_mosquitto(flock, version):
    common = ["-h", flock.address, "-p", str(flock.mqtt["tcp"]), "-u", "romeo", "-P", "secret", "-V", version]
    subprocess.run(["mosquitto_pub", *common, "-t", "mosquitto/" + version, "-m", "hello", "-q", "1", "-r"], check=True, timeout=TIMEOUT)
    got = subprocess.run(["mosquitto_sub", *common, "-t", "mosquitto/" + version, "-q", "1", "-C", "1", "-W", str(TIMEOUT)], check=True, stdout=subprocess.PIPE,
                         timeout=2 * TIMEOUT)
    assert got.stdout == b"hello\n"
    subprocess.run(["mosquitto_pub", *common, "-t", "mosquitto/" + version, "-n", "-q", "1", "-r"], check=True, timeout=TIMEOUT)


@pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])
def test_mosquitto_comes_back(flock, version):
    """mosquitto_sub -c leaves a session, which has what came meanwhile."""
    common = ["-h", flock.address, "-p", str(flock.mqtt["tcp"]), "-u", "romeo", "-P", "secret", "-V", version]
    topic, keeps = "back/" + version, ["-c", "-i", "back-" + version, *(["-x", "3600"] if version == "mqttv5" else [])]
    subprocess.run(["mosquitto_sub", *common, *keeps, "-t", topic, "-q", "2", "-E"], check=True, timeout=TIMEOUT)
    for qos in ("1", "2"):
        subprocess.run(["mosquitto_pub", *common, "-t", topic, "-m", "with " + qos, "-q", qos], check=True, timeout=TIMEOUT)
    got = subprocess.run(["mosquitto_sub", *common, *keeps, "-t", topic, "-q", "2", "-C", "2", "-W", str(TIMEOUT)], check=True, stdout=subprocess.PIPE,
                         timeout=2 * TIMEOUT)
    assert got.stdout == b"with 1\nwith 2\n"
