# SPDX-License-Identifier: Apache-2.0
"""Links to a real mosquitto: both directions and versions, TLS, and what waits while one of the three is away or killed."""
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

import paho.mqtt.client as paho
import pytest

from conftest import LOST

TIMEOUT = 30
MOSQUITTO = os.environ.get("MOSQUITTO") or shutil.which("mosquitto") or "/usr/sbin/mosquitto"


class Client:
    """Of either broker; what it gets, in order. lasting: with a session that is kept."""

    def __init__(self, port, name, user=None, topics=(), qos=2):
        self.got, self.change = [], threading.Condition()
        self.client = paho.Client(client_id=name, protocol=paho.MQTTv311)
        self.client.max_queued_messages_set(0)
        if user:
            self.client.username_pw_set(user, "secret")
        self.client.on_message = self.on_message
        ready = threading.Event()
        self.client.on_subscribe = lambda *args: ready.set()
        self.client.on_connect = lambda *args: self.client.subscribe([(t, qos) for t in topics]) if topics else ready.set()
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert ready.wait(TIMEOUT)

    def on_message(self, client, userdata, m):
        with self.change:
            self.got.append((m.topic, m.payload.decode(), m.qos, bool(m.retain)))
            self.change.notify_all()

    def wait(self, condition):
        with self.change:
            assert self.change.wait_for(lambda: condition(self.got), TIMEOUT), self.got[-5:]
            return list(self.got)

    def publish(self, topic, payload, qos=1, retain=False):
        self.client.publish(topic, payload, qos, retain).wait_for_publish(TIMEOUT)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


class Mosquitto:
    def __init__(self, folder, extra=""):
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            two.bind(("127.0.0.1", 0))
            self.port, self.tls_port = one.getsockname()[1], two.getsockname()[1]
        self.conf = os.path.join(folder, "mosquitto.conf")
        self.log = os.path.join(folder, "mosquitto.log")
        with open(self.conf, "w") as f:
            f.write("listener %d 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location %s/\nmax_queued_messages 100000\nuser root\n" % (self.port, folder))
            f.write(extra.replace("PORT", str(self.tls_port)))
        self.start()

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([MOSQUITTO, "-c", self.conf], stdout=log, stderr=log)
        deadline = time.monotonic() + TIMEOUT
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                assert self.process.poll() is None and time.monotonic() < deadline, open(self.log).read()
                time.sleep(0.05)

    def stop(self):
        """In order: it writes its sessions to the disk."""
        self.process.terminate()
        self.process.wait(TIMEOUT)


class Bridge:
    """The daemon, beside the flock's, with its log among theirs. lines: None: there is one already, with the file that both have."""

    def __init__(self, flock, lines, name="mqtt-bridge-1"):
        self.flock, self.name = flock, name
        if lines is not None:
            self.configure(lines)
        self.start()

    def configure(self, lines):
        flock = self.flock
        with open(os.path.join(flock.state, "bridge.password"), "w") as f:
            f.write("secret\n")
        with open(os.path.join(flock.state, "bridges.conf"), "w") as f:
            f.write("bridge far\nstate bridges/far\n" + lines)
        flock.configure({"services": {"mqtt-bridge": {"bridges": "bridges.conf", "local": {"user": "romeo", "password_file": "bridge.password"},
                                                      "retry": {"min": "200ms", "max": "500ms"}}}})

    def start(self):
        flock = self.flock
        with open(os.path.join(flock.state, "log", self.name + ".log"), "ab") as log:
            self.process = subprocess.Popen([os.path.join(flock.binaries, "mqtt-bridge"), "--config", os.path.join(flock.state, "starling.yml"), "--instance", self.name],
                                            stderr=log, cwd=flock.state, env={**os.environ, "STARLING_PORT_OFFSET": str(flock.offset)})

    def up(self):
        """How many links it has."""
        return figure(self.flock, self.name, "starling_mqtt_bridge_up")

    def kill(self):
        self.process.kill()
        self.process.wait(TIMEOUT)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(TIMEOUT) == 0


def figure(flock, name, metric):
    """What a daemon beside the flock's says of itself now; 0 before it has said where."""
    for url in re.findall(r"metrics=(http://\S+)", flock.log(name))[-1:]:
        with contextlib.suppress(ConnectionRefusedError, urllib.error.URLError):  # a former life's
            with urllib.request.urlopen(url) as f:
                return int(re.search(r"^%s (\d+)$" % re.escape(metric), f.read().decode(), re.M)[1])
    return 0


def forget(flock, name):
    """Ends the session that a link leaves here."""
    Client(flock.mqtt["tcp"], name, "romeo").close()


@pytest.fixture
def bridged(flock, roomy, tmp_path):
    """A function: starts mosquitto and a bridge to it with these lines; then (mosquitto, bridge, a client here, a client there) once it is up."""
    with contextlib.ExitStack() as stack, flock.expect(LOST):
        stack.callback(forget, flock, "starling.test.far")

        def make(lines, topics, extra=""):
            far = Mosquitto(str(tmp_path), extra)
            stack.callback(far.process.kill)
            stack.callback(far.stop)
            there = Client(far.port, "there", topics=[*topics, "bridges/far"])
            here = Client(flock.mqtt["tcp"], "here", "juliet", topics)
            stack.callback(there.close)
            stack.callback(here.close)
            bridge = Bridge(flock, lines.replace("PORT2", str(far.tls_port)).replace("PORT", str(far.port)))
            stack.callback(lambda: bridge.process.poll() is None and bridge.stop())
            there.wait(lambda got: ("bridges/far", "1") in [m[:2] for m in got])
            return far, bridge, here, there
        yield make


def of(got, topic):
    return [m[1:] for m in got if m[0] == topic]


TLS = "listener PORT 127.0.0.1\ncafile %(ca)s\ncertfile %(cert)s\nkeyfile %(key)s\nrequire_certificate true\n"


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_both_ways(flock, bridged, version):
    """Over TLS with a client's certificate in 5.0. Topics are renamed, QoS and retain stay, and what goes both ways comes to each side once."""
    tls = {"ca": flock.ca(), "cert": os.path.join(flock.state, "tls", "starling.test.pem"), "key": os.path.join(flock.state, "tls", "starling.test.key")}
    lines = "protocol %s\ntopic a/# out 2 \"\" from/here/\ntopic b/# in 2 from/there/\ntopic both/# both 2\n" % version
    if version == "5":
        lines += "address 127.0.0.1:PORT2\ntls %s starling.test\ncertificate %s\n" % (tls["ca"], tls["cert"])
    else:
        lines += "address 127.0.0.1:1 127.0.0.1:PORT\n"  # nobody is at the first
    far, bridge, here, there = bridged(lines, ["from/#", "both/#"], TLS % tls if version == "5" else "")
    for qos in (0, 1, 2):
        here.publish("a/%d" % qos, "out", qos, retain=qos == 1)
        there.publish("b/%d" % qos, "in", qos)
        here.publish("both/1", "out %d" % qos, qos)
        there.publish("both/2", "in %d" % qos, qos)
    # What circles would be here twice by the time that messages sent behind it have come back: each side's end goes through both brokers.
    here.publish("both/end", "1", 2)
    there.publish("both/end", "2", 2)
    for client in (here, there):
        client.wait(lambda got: len(of(got, "both/end")) == 2)
    there.wait(lambda got: len([m for m in got if m[0].startswith("from/here/")]) == 3)
    here.wait(lambda got: len([m for m in got if m[0].startswith("from/there/")]) == 3)
    for qos in (0, 1, 2):
        assert of(there.got, "from/here/a/%d" % qos) == [("out", qos, False)]
        assert of(here.got, "from/there/b/%d" % qos) == [("in", qos, False)]
    for client in (here, there):
        assert sorted(of(client.got, "both/1")) == [("out %d" % q, q, False) for q in (0, 1, 2)]
        assert sorted(of(client.got, "both/2")) == [("in %d" % q, q, False) for q in (0, 1, 2)]
    later = Client(far.port, "later", topics=["from/here/a/1"])
    try:
        assert later.wait(len) == [("from/here/a/1", "out", 1, True)]
    finally:
        later.close()
    here.publish("a/1", "", 1, retain=True)
    bridge.stop()
    there.wait(lambda got: of(got, "bridges/far")[-1][0] == "0")


def test_mosquitto_is_the_bridge(flock, roomy, tmp_path):
    """Which says so in CONNECT: what goes both ways comes to each side once, and retained stays so."""
    far = Mosquitto(str(tmp_path), "connection here\naddress 127.0.0.1:%d\nremote_username romeo\nremote_password secret\ntopic turn/# both 2\n"
                    "remote_clientid turned\nbridge_protocol_version mqttv311\nnotification_topic turn/state\n" % flock.mqtt["tcp"])
    here = Client(flock.mqtt["tcp"], "turn-here", "juliet", ["turn/#"])
    there = Client(far.port, "turn-there", topics=["turn/#"])
    try:
        here.wait(lambda got: ("turn/state", "1") in [m[:2] for m in got])
        # Its state comes before its subscriptions are made.
        while not of(there.got, "turn/ready"):
            here.publish("turn/ready", "", 1)
            time.sleep(0.05)
        here.publish("turn/1", "in", 1, retain=True)
        there.publish("turn/2", "out", 2)
        here.publish("turn/end", "1", 2)
        there.publish("turn/end", "2", 2)
        for client in (here, there):
            client.wait(lambda got: len(of(got, "turn/end")) == 2)
            assert (of(client.got, "turn/1"), of(client.got, "turn/2")) == ([("in", 1, False)], [("out", 2, False)])
        later = Client(far.port, "turn-later", topics=["turn/1"])
        try:
            assert later.wait(len) == [("turn/1", "in", 1, True)]
        finally:
            later.close()
        here.publish("turn/1", "", 1, retain=True)
    finally:
        here.close()
        there.close()
        far.stop()
        forget(flock, "turned")


def flow(client, topic, stop, sent):
    """Publishes until told to stop; what the broker has taken goes into sent."""
    n = 0
    while not stop.is_set():
        client.publish(topic, str(n), 2)
        sent.append(str(n))
        n += 1


def test_killed(flock, bridged):
    """kill -9 of the bridge in the middle of it: each message, with QoS 2, arrives once, both ways."""
    far, bridge, here, there = bridged("protocol 5\naddress 127.0.0.1:PORT\ntopic out/# out 2\ntopic in/# in 2\n", ["out/#", "in/#"])
    stop, sent = threading.Event(), {"out/x": [], "in/x": []}
    threads = [threading.Thread(target=flow, args=(*args, stop, sent[args[1]])) for args in ((here, "out/x"), (there, "in/x"))]
    for t in threads:
        t.start()
    for n in range(3):
        for client, topic in ((there, "out/x"), (here, "in/x")):
            before = len(of(client.got, topic))
            client.wait(lambda got: len(of(got, topic)) > before + 10)
        bridge.kill()
        bridge.start()
    stop.set()
    for t in threads:
        t.join()
    for client, topic in ((there, "out/x"), (here, "in/x")):
        last = sent[topic][-1]
        client.wait(lambda got: last in [m[0] for m in of(got, topic)])
        came = [m[0] for m in of(client.got, topic)]
        assert came == sent[topic], (topic, came[:120])


def eventually(condition):
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


LINKS = ["far", "two", "three", "four"]


def test_two_divide_the_links(flock, bridged):
    """Each link is one's, and goes to the other when that is killed, comes back, or ends in order: each message, with QoS 2, arrives once."""
    lines = "".join("%saddress 127.0.0.1:PORT\ntopic %s/# out 2\n" % ("" if link == "far" else "bridge %s\n" % link, link) for link in LINKS)
    far, one, here, there = bridged(lines, ["%s/#" % link for link in LINKS])
    stop, sent = threading.Event(), {link + "/x": [] for link in LINKS}
    threads = [threading.Thread(target=flow, args=(here, topic, stop, sent[topic])) for topic in sent]
    eventually(lambda: one.up() == 4)
    for t in threads:
        t.start()

    def goes_on():
        before = {topic: len(of(there.got, topic)) for topic in sent}
        there.wait(lambda got: all(len(of(got, topic)) > before[topic] + 5 for topic in sent))

    two = Bridge(flock, None, "mqtt-bridge-2")
    try:
        eventually(lambda: (one.up(), two.up()) == (2, 2))
        goes_on()
        two.kill()
        eventually(lambda: one.up() == 4)
        goes_on()
        two.start()
        eventually(lambda: (one.up(), two.up()) == (2, 2))
        goes_on()
        one.stop()
        eventually(lambda: two.up() == 4)
        goes_on()
    finally:
        stop.set()
        for t in threads:
            t.join()
        try:
            last = {topic: sent[topic][-1] for topic in sent}
            there.wait(lambda got: all(last[topic] in [m[0] for m in of(got, topic)] for topic in sent))
        finally:
            two.stop()
            for link in LINKS[1:]:
                forget(flock, "starling.test." + link)
    for topic in sent:
        assert [m[0] for m in of(there.got, topic)] == sent[topic], topic


def test_remote_away(flock, bridged):
    """What is published here while the remote broker is away waits here, and nobody is told that it arrived; it does when that is back."""
    far, bridge, here, there = bridged("protocol 3.1.1\naddress 127.0.0.1:PORT\ntopic out/# out 1\n", ["out/#"])
    there.close()
    here.publish("out/x", "before")
    far.stop()
    for n in range(50):
        here.publish("out/x", str(n))
    far.start()
    again = Client(far.port, "again", topics=["out/#"])
    try:
        here.publish("out/x", "last")
        got = again.wait(lambda got: "last" in [m[1] for m in got])
    finally:
        again.close()
    assert [m[1] for m in got if m[1].isdigit()] == [str(n) for n in range(50)]


def test_refused_password(flock, bridged, tmp_path):
    """An account that is not there is said once, and tried again."""
    with open(os.path.join(flock.state, "wrong.password"), "w") as f:
        f.write("wrong\n")
    with flock.expect("refused: Bad User Name or Password"):
        far = Mosquitto(str(tmp_path))
        bridge = Bridge(flock, "address 127.0.0.1:%d\nlocal-user romeo wrong.password\ntopic x out 1\n" % far.port)
        try:
            deadline = time.monotonic() + TIMEOUT
            while "Bad User Name or Password" not in flock.log("mqtt-bridge-1"):
                assert time.monotonic() < deadline
                time.sleep(0.05)
        finally:
            far.stop()
            bridge.stop()
