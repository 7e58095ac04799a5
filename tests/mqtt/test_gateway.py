# SPDX-License-Identifier: Apache-2.0
"""Messages between MQTT topics and XMPP users: both ways, refusals, presence, and what arrives when the gateway or the broker is killed."""
import json
import os
import re
import signal
import subprocess
import threading
import time

import pytest

from test_bridge import TIMEOUT, Client as Mqtt, eventually, figure, forget
from xmpp import NS_CLIENT, Client, error_of, local, q

DISCO_INFO = "http://jabber.org/protocol/disco#info"
RULES = """
to-user alarms
	topic alarms/+/+
	to $1@starling.test
	from alarm
	body "$2: $payload"
to-user json
	topic json
	to ${to}@starling.test romeo@starling.test
	subject ${kind}
	body json:text.en
	type normal
to-topic lamp
	users juliet@starling.test @second.test
	topic homes/$user/lamp
	retain yes
to-topic bell
	users @starling.test
	topic homes/$user/$name
	payload json
to-topic closed
	users @starling.test
	topic closed/x
"""


def write(flock, name, text):
    with open(os.path.join(flock.state, name), "w") as f:
        f.write(text)


class Gateway:
    """The daemon, beside the flock's, with its log among theirs."""

    def __init__(self, flock, name="mqtt-gateway-1"):
        self.flock, self.name, self.lives, self.ups = flock, name, 0, 0

    def launch(self):
        flock = self.flock
        self.lives += 1
        with open(os.path.join(flock.state, "log", self.name + ".log"), "ab") as log:
            self.process = subprocess.Popen([os.path.join(flock.binaries, "mqtt-gateway"), "--config", os.path.join(flock.state, "starling.yml"), "--instance",
                                             self.name], stderr=log, cwd=flock.state, env={**os.environ, "STARLING_PORT_OFFSET": str(flock.offset)})

    def start(self):
        self.launch()
        self.wait_up()

    def start_second(self):
        """While another one is at work."""
        self.launch()
        self.wait_log(lambda log: log.count(" ready ") >= self.lives)

    def wait_log(self, condition):
        deadline = time.monotonic() + TIMEOUT
        while not condition(self.flock.log(self.name)):
            assert self.process.poll() is None and time.monotonic() < deadline, self.flock.tails()
            time.sleep(0.05)

    def wait_up(self):
        """Once more than before."""
        self.ups += 1
        self.wait_log(lambda log: log.count(" subscribed") >= self.ups)

    def reload(self, rules, works=True):
        write(self.flock, "gateway.conf", rules)
        self.process.send_signal(signal.SIGHUP)
        if works:
            self.wait_up()

    def kill(self):
        self.process.kill()
        self.process.wait(TIMEOUT)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(TIMEOUT) == 0

    def figure(self, name):
        return figure(self.flock, self.name, "starling_mqtt_gateway_" + name)


@pytest.fixture(scope="module")
def gateway(flock_session):
    flock = flock_session
    write(flock, "gateway.conf", RULES)
    write(flock, "gateway.password", "secret\n")
    flock.configure({"services": {"mqtt-gateway": {"rules": "gateway.conf", "local": {"user": "romeo", "password_file": "gateway.password"}, "limits": {"body": "1KiB"},
                                                   "retry": {"min": "200ms", "max": "500ms"}}}})
    it = Gateway(flock)
    it.start()
    try:
        yield it
        it.end()
        forget(flock, "mqtt-gateway.starling.test")
    finally:
        it.kill()


@pytest.fixture
def device(flock, gateway, name):
    client = Mqtt(flock.mqtt["tcp"], name, "juliet", ["homes/#"], 1)
    yield client
    client.close()


@pytest.fixture
def login(flock, gateway):
    """A function that logs somebody in, and is there."""
    clients = []

    def make(user):
        clients.append(Client(flock).login(user, "secret").online())
        return clients[-1]
    yield make
    for client in clients:
        client.close()


def body(message):
    return message.findtext(q(NS_CLIENT, "body"))


def refusal(client, stanza_id):
    return error_of(client.wait(lambda e: local(e) == "message" and e.get("id") == stanza_id and e.get("type") == "error"))


# --- from topics to users ------------------------------------------------------------------------------------------------


def test_alarms(device, login):
    """To who is there, to who comes later, by JSON to two at once."""
    juliet = login("juliet")
    device.publish("alarms/Juliet/door", "it's <open> \xe9")
    device.publish("alarms/romeo/door", "open")
    device.publish("json", json.dumps({"to": "juliet", "kind": "fire", "text": {"en": "Fire!", "it": "Fuoco!"}}))
    message = juliet.wait_message()
    assert (message.get("from"), message.get("type"), body(message)) == ("alarm@things.starling.test", "chat", "door: it's <open> \xe9")
    message = juliet.wait_message()
    assert (message.get("from"), message.get("type"), body(message)) == ("json@things.starling.test", None, "Fire!")
    assert message.findtext(q(NS_CLIENT, "subject")) == "fire"
    romeo = login("romeo")
    assert [body(romeo.wait_message()) for _ in range(2)] == ["door: open", "Fire!"]


def test_what_does_not_arrive(flock, gateway, device, login):
    """Is acknowledged, counted, and said once for each rule; what comes behind it arrives."""
    figures = ["dropped_total{reason=\"%s\"}" % r for r in ("address", "payload", "too-large", "empty", "refused")]
    before = [gateway.figure(f) for f in figures]
    juliet = login("juliet")
    for topic, payload in (("alarms/juliet@evil.test/door", "x"), ("alarms/a b/door", "x"), ("json", "no JSON"), ("alarms/juliet/door", "x" * 2000), ("json", "{\"text\":{\"en\":\"\"},\"kind\":1}"),
                           ("alarms/nobody/door", "x"), ("alarms/nobody/door", "y"), ("alarms/juliet/door", "last")):
        device.publish(topic, payload)
    assert body(juliet.wait_message()) == "door: last"
    deadline = time.monotonic() + TIMEOUT
    while [gateway.figure(f) for f in figures] != [b + n for b, n in zip(before, (2, 1, 1, 1, 2))]:
        assert time.monotonic() < deadline, (before, [gateway.figure(f) for f in figures])
        time.sleep(0.05)
    log = flock.log("mqtt-gateway-1")
    assert log.count("rule alarms: a message to nobody@starling.test came back") == 1
    assert log.count("rule alarms: a topic or payload that gives no valid address") == 1


def test_killed(roomy, gateway, device, login):
    """kill -9 in the middle of 200, three times: none is missing, and since the log knows their names, none is there twice."""
    juliet = login("juliet")
    sent = ["x: %d" % n for n in range(200)]
    thread = threading.Thread(target=lambda: [device.publish("alarms/juliet/x", str(n)) for n in range(200)])
    thread.start()
    got = []
    for _ in range(3):
        got += [body(juliet.wait_message()) for _ in range(40)]
        gateway.kill()
        gateway.start()  # meanwhile the broker takes messages for its session
    thread.join()
    got += [body(juliet.wait_message()) for _ in range(80)]
    juliet.nothing(lambda e: local(e) == "message")
    assert got == sent


def test_one_stands_by(flock, roomy, gateway, device, login):
    """A second instance does nothing, until the first is killed, or ends in order: then it goes on with what waits, and none of 200 is missing or there twice."""
    juliet = login("juliet")
    second = Gateway(flock, "mqtt-gateway-2")
    sent = ["x: %d" % n for n in range(200)]
    thread = threading.Thread(target=lambda: [device.publish("alarms/juliet/x", str(n)) for n in range(200)])
    got = []
    try:
        second.start_second()
        thread.start()
        for leaves, takes, how in ((gateway, second, gateway.kill), (second, gateway, second.end)):
            got += [body(juliet.wait_message()) for _ in range(50)]
            assert (leaves.figure("connected"), takes.figure("connected")) == (1, 0)
            how()
            takes.wait_up()
            eventually(lambda: juliet.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to="things.starling.test").get("type") == "result")
            juliet.message("bell@things.starling.test", leaves.name)
            device.wait(lambda topics: any(leaves.name in m[1] for m in topics))
            leaves.start_second()
        got += [body(juliet.wait_message()) for _ in range(100)]
        juliet.nothing(lambda e: local(e) == "message")
        assert got == sent
    finally:
        thread.join()
        second.end()
    assert gateway.figure("connected") == 1


# --- from users to topics ------------------------------------------------------------------------------------------------


def test_to_topics(flock, device, login):
    juliet = login("juliet")
    juliet.message("lamp@things.starling.test", "on & off")
    stanza_id = juliet.message("bell@things.starling.test/mqtt", "ring \"twice\"\n\xe9")
    got = device.wait(lambda got: len(got) == 2)
    assert got[0] == ("homes/juliet/lamp", "on & off", 1, False)
    assert got[1][0] == "homes/juliet/bell"
    assert json.loads(got[1][1]) == {"from": "juliet@starling.test", "id": stanza_id, "body": "ring \"twice\"\n\xe9"}
    later = Mqtt(flock.mqtt["tcp"], "later", "juliet", ["homes/juliet/lamp"])
    try:
        assert later.wait(len) == [("homes/juliet/lamp", "on & off", 1, True)]
        later.publish("homes/juliet/lamp", "", retain=True)
    finally:
        later.close()


def test_refusals(device, login):
    juliet, romeo = login("juliet"), login("romeo")
    for client, name, text, condition in ((romeo, "lamp", "on", "forbidden"), (juliet, "lamps", "on", "item-not-found"), (juliet, "alarm", "on", "service-unavailable"),
                                          (juliet, "lamp", "x" * 2000, "not-acceptable"), (juliet, "closed", "x", "not-allowed")):
        assert refusal(client, client.message(name + "@things.starling.test", text))[0] == condition
    # Neither chat states nor errors are answered, and both go nowhere.
    juliet.send("<message to='lamps@things.starling.test' type='chat' id='state'><active xmlns='http://jabber.org/protocol/chatstates'/></message>")
    juliet.message("lamps@things.starling.test", "x", kind="error", id="error")
    juliet.message("bell@things.starling.test", "end")
    assert [json.loads(m[1])["body"] for m in device.wait(len)] == ["end"]
    juliet.nothing(lambda e: e.get("id") in ("state", "error"))


def test_broker_away(flock, gateway, kill, login):
    """A message waits for the broker, and is there when that is back."""
    juliet = login("juliet")
    kill(then=lambda: juliet.message("lamp@things.starling.test", "meanwhile"))
    gateway.wait_up()
    device = Mqtt(flock.mqtt["tcp"], "again", "juliet", ["homes/juliet/lamp"])
    try:
        assert device.wait(len)[0][:2] == ("homes/juliet/lamp", "meanwhile")
        device.publish("alarms/juliet/end", "x")
        assert body(juliet.wait_message()) == "end: x"
        juliet.nothing(lambda e: e.get("type") == "error")
        device.publish("homes/juliet/lamp", "", retain=True)
    finally:
        device.close()


# --- what a contact is ---------------------------------------------------------------------------------------------------


def test_a_contact(login):
    """It can be subscribed to by who may, is there at each login, and goes when it is not wanted any more."""
    lamp, alarm = "lamp@things.starling.test", "alarm@things.starling.test"
    juliet, romeo = login("juliet"), login("romeo")
    romeo.presence(to=lamp, type="subscribe")
    romeo.wait_presence(lamp, "unsubscribed")
    for contact in (lamp, alarm):
        juliet.presence(to=contact, type="subscribe")
        juliet.wait_presence(contact, "subscribed")
        assert juliet.wait_presence(contact).get("from") == contact + "/mqtt"
    juliet.close()
    juliet = login("juliet")
    for contact in (lamp, alarm):
        assert juliet.wait_presence(contact).get("from") == contact + "/mqtt"
    assert juliet.roster()[lamp].get("subscription") == "to"
    juliet.presence(to=lamp, type="unsubscribe")
    juliet.wait_presence(lamp, "unavailable")
    assert juliet.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=alarm + "/mqtt").get("type") == "result"
    for to, identity in (("things.starling.test", ("component", "generic")), (lamp, ("client", "bot"))):
        query = juliet.iq("get", "<query xmlns='%s'/>" % DISCO_INFO, to=to).find(q(DISCO_INFO, "query"))
        found = query.find(q(DISCO_INFO, "identity"))
        assert (found.get("category"), found.get("type")) == identity
        assert DISCO_INFO in {f.get("var") for f in query if local(f) == "feature"}
    assert error_of(romeo.iq("get", "<query xmlns='%s'/>" % DISCO_INFO, to=lamp))[0] == "service-unavailable"
    assert error_of(juliet.iq("set", "<query xmlns='jabber:iq:register'/>", to="things.starling.test"))[0] == "service-unavailable"
    assert error_of(juliet.iq("get", "<query xmlns='%s' node='x'/>" % DISCO_INFO, to="things.starling.test"))[0] == "item-not-found"


# --- the operator --------------------------------------------------------------------------------------------------------


def test_reload(flock, gateway, device, login):
    """SIGHUP reads the rules again, and keeps them when there is an error; --check-config finds it before."""
    juliet = login("juliet")
    gateway.reload("to-user news\n\ttopic news\n\tto juliet@starling.test\n")
    device.publish("news", "hot")
    assert body(juliet.wait_message()) == "hot"
    assert refusal(juliet, juliet.message("lamp@things.starling.test", "on"))[0] == "item-not-found"
    with flock.expect("the old one stays in force"):
        gateway.reload("to-user news\n\ttopic news\n\tto juliet@elsewhere.test\n", works=False)
        gateway.wait_log(lambda log: "line 3: to needs an account of this server" in log)
    result = flock.run("--config", os.path.join(flock.state, "starling.yml"), "--check-config", binary="mqtt-gateway")
    assert result.returncode == 78 and "line 3: to needs an account of this server" in result.stderr
    device.publish("news", "again")
    assert body(juliet.wait_message()) == "again"
    gateway.reload(RULES)
