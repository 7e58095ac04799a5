# SPDX-License-Identifier: Apache-2.0
"""One client program of one user: logs in, manages its stream (XEP-0198), resumes or binds anew when its connection breaks, sends what was not
acknowledged again, and writes down what it did and saw. What it does when is crowd.py's business.

A plain device has no stream management; it gives up what was under way when its connection breaks (a new incarnation).
"""
import itertools
from collections import deque

from history import make_body, make_key
from link import Link
from scram import MECHANISMS, Scram
from stanza import BIND, CARBONS, CLIENT, DELAY, FORWARD, MAM, SASL, SM, STANZA_ID, STANZAS, STREAM, genuine, hash_of, host_of

ASK = "<r xmlns='urn:xmpp:sm:3'/>"
LOGIN_TIMEOUT = 15
NUMBERS = itertools.count()
WINDOW = 200  # sent and not acknowledged: then nothing new is sent


class Device:
    """place: where the server is (crowd.py); rng: this device's own dice; managed: with stream management."""

    def __init__(self, place, user, name, rng, log, managed=True, resume_s=0):
        self.place, self.user, self.name, self.rng, self.log = place, user, name, rng, log
        self.managed, self.resume_s = managed, resume_s
        self.jid = "%s@%s/%s" % (user, place.host, name)
        self.link = None
        self.state = "off"          # the handler of elements: on_STATE
        self.wanted = False         # should it be connected?
        self.live = False           # its own presence came back: all that is for the user comes here from now on
        self.incarnation = 0
        self.numbers = {}           # recipient: last number
        self.sm_id = None
        self.unacked = deque()      # in order: (recipient, number, key) of a message, (None, 0, text) of another stanza
        self.again = []             # messages to send again once there is a new session
        self.sent_h = self.seen_h = 0
        self.since_ask, self.asked_at = 0, None
        self.tries = 0
        self.timer = None
        self.edge = None
        self.counts = {"sent": 0, "acked": 0, "delivered": 0, "resumed": 0, "elsewhere": 0, "bound": 0, "failed": 0}
        self.last_delivery = 0.0
        self.queries = {}           # id of an IQ: function of its answer
        self.pages = None           # results of an archive query on their way
        self.log.add("N", 0)

    # --- connecting ---------------------------------------------------------------------------------------------------

    def start(self):
        self.wanted = True
        if self.link is None and self.timer is None:
            self.later(0, self.connect)

    def later(self, seconds, what):
        if self.timer:
            self.timer.cancel()
        self.timer = self.place.loop.call_later(seconds, what) if what else None

    def connect(self):
        self.timer = None
        if self.wanted and self.link is None:
            self.place.spawn(self.open())

    async def open(self):
        link = self.link = Link(self)
        self.state, self.live = "features", False
        self.later(LOGIN_TIMEOUT, lambda: self.lose("no login in time"))
        try:
            await self.place.loop.create_connection(lambda: link, self.place.address, self.place.port)
        except OSError as error:
            if self.link is link:
                self.lose(type(error).__name__)

    def lose(self, why, pause=None):
        """The connection is given up; comes back by itself when wanted."""
        link, self.link = self.link, None
        if link and link.transport:
            link.transport.abort()
        was, self.state, self.live = self.state, "off", False
        self.asked_at = None
        self.pages, queries, self.queries = None, self.queries, {}
        if was == "online":
            self.tries = 0
            self.log.add("L", why)
            if not self.sm_id:
                self.give_up()
        self.tries += 1
        for answered in queries.values():
            answered(None)
        if pause is None:
            pause = self.rng.uniform(0.1, min(0.5 * 1.5 ** self.tries, 4))
        self.later(pause, self.connect if self.wanted else None)

    def give_up(self):
        """Forget what is under way, as a program that crashed."""
        self.sm_id = None
        self.unacked.clear()
        self.again = []
        self.numbers = {}
        self.incarnation += 1
        self.log.add("N", self.incarnation)

    def leave(self):
        """A clean end (XEP-0198 section 7): what is not acknowledged by now never will be."""
        self.wanted = False
        if self.link is None or self.state != "online":
            self.lose("left")
            return
        if self.managed:
            self.link.send("<a xmlns='urn:xmpp:sm:3' h='%d'/>" % self.seen_h)
        self.link.send("</stream:stream>")
        link, self.link = self.link, None
        self.place.loop.call_later(2, link.transport.abort)
        self.state, self.live, self.asked_at = "off", False, None
        self.log.add("L", "left")
        self.give_up()

    def on_element(self, e):
        if e.tag == STREAM + "error":
            self.lose("stream error " + (e[0].tag.rsplit("}", 1)[-1] if len(e) else ""))
        else:
            getattr(self, "on_" + self.state)(e)

    def on_features(self, e):
        offered = [m.text for m in e.iter(SASL + "mechanism")]
        mechanism = next((m for m in MECHANISMS if m in offered), None)
        if mechanism is None:
            self.lose("no mechanism among %s" % offered)
            return
        self.scram = Scram(mechanism, self.user, self.place.password)
        self.state = "sasl"
        self.link.send("<auth xmlns='%s' mechanism='%s'>%s</auth>" % (SASL[1:-1], mechanism, self.scram.first()))

    def on_sasl(self, e):
        if e.tag == SASL + "challenge":
            self.link.send("<response xmlns='%s'>%s</response>" % (SASL[1:-1], self.scram.answer(e.text)))
        elif e.tag == SASL + "success":
            self.state = "bindable"
            self.link.restart()
        else:
            self.lose("login refused: " + (e[0].tag.rsplit("}", 1)[-1] if len(e) else ""))

    def on_bindable(self, e):
        if self.sm_id:
            self.state = "resuming"
            self.link.send("<resume xmlns='urn:xmpp:sm:3' h='%d' previd='%s'/>" % (self.seen_h, self.sm_id))
        else:
            self.bind()

    def bind(self):
        self.state = "binding"
        self.link.send("<iq type='set' id='bind'><bind xmlns='%s'><resource>%s</resource></bind></iq>" % (BIND[1:-1], self.name))

    def on_resuming(self, e):
        if e.tag == SM + "resumed":
            self.acknowledge(int(e.get("h")), "resumed")
            self.online("resumed")
            for entry in self.unacked:
                if entry[0]:
                    self.log.add("R", *entry[:2])
                self.link.send(self.stanza(entry))
            if self.unacked:
                self.ask()
        elif e.tag == SM + "failed":
            self.counts["failed"] += 1
            if e.get("h") is not None:
                self.acknowledge(int(e.get("h")), "failed")
            # Only item-not-found says that the session is gone for good. Others may pass; some clients wait, some do not.
            if e.find("{urn:ietf:params:xml:ns:xmpp-stanzas}item-not-found") is None and self.rng.random() < 0.5:
                self.lose("not resumed yet")
                return
            self.bind()

    def on_binding(self, e):
        if e.tag != CLIENT + "iq" or e.get("id") != "bind":
            return
        if e.get("type") != "result":
            self.lose("not bound")
            return
        if self.managed:
            self.state = "enabling"
            limit = " max='%d'" % self.resume_s if self.resume_s else ""
            self.link.send("<enable xmlns='urn:xmpp:sm:3' resume='true'%s/>" % limit)
        else:
            self.begin()

    def on_enabling(self, e):
        if e.tag == CLIENT + "message":  # to this resource, which is connected (RFC 6121 section 8.5.3.1); not counted yet
            self.on_message(e)
        elif e.tag == SM + "enabled":
            self.sm_id = e.get("id") if e.get("resume") in ("true", "1") else None
            self.sent_h = self.seen_h = 0
            self.again += [entry for entry in self.unacked if entry[0]]
            self.unacked.clear()
            self.begin()
        elif e.tag == SM + "failed":
            self.lose("not enabled")

    def begin(self):
        """A new session: carbons and presence, then what an older one left."""
        self.online("bound")
        self.put((None, 0, "<iq type='set' id='carbons'><enable xmlns='urn:xmpp:carbons:2'/></iq>"))
        self.put((None, 0, "<presence/>"))
        again, self.again = self.again, []
        for entry in again:
            self.log.add("R", *entry[:2])
            self.put(entry)
        if again:
            self.ask()

    def online(self, how):
        self.state, self.tries = "online", 0
        self.later(0, None)
        edge = self.place.edge_of(self.link.transport)
        self.counts["resumed" if how == "resumed" else "bound"] += 1
        if how == "resumed":
            self.counts["elsewhere"] += edge != self.edge
            self.live = True
        self.edge = edge
        self.log.add("C", how, edge)

    # --- sending ------------------------------------------------------------------------------------------------------

    def stanza(self, entry):
        recipient, _, key = entry
        if recipient is None:
            return key
        # One in six goes to a full JID, where it may be that nobody is.
        resource = "/d%d" % (int(key.rsplit("/", 1)[1]) % 2) if hash_of(key) % 6 == 0 else ""
        return ("<message to='%s@%s%s' type='chat' id='%s'><body>%s</body><origin-id xmlns='urn:xmpp:sid:0' id='%s'/></message>"
                % (recipient, host_of(recipient, self.place.hosts), resource, key, make_body(key), key))

    def put(self, entry):
        if self.managed:
            self.unacked.append(entry)
            self.sent_h = (self.sent_h + 1) & 0xFFFFFFFF
        self.link.send(self.stanza(entry))

    def can_send(self):
        return self.state == "online" and len(self.unacked) < WINDOW

    def message(self, recipient):
        number = self.numbers[recipient] = self.numbers.get(recipient, 0) + 1
        self.log.add("S", recipient, number)
        self.counts["sent"] += 1
        self.put((recipient, number, make_key("%s.%s.%d" % (self.user, self.name, self.incarnation), recipient, number)))
        self.since_ask += 1
        if self.since_ask >= 5:
            self.ask()

    def ask(self):
        if self.managed and self.state == "online" and self.asked_at is None:
            self.since_ask, self.asked_at = 0, self.place.loop.time()
            self.link.send(ASK)

    def tick(self):
        """Once a second."""
        if self.state != "online":
            return
        if self.asked_at is None:
            if self.unacked:
                self.ask()
        elif self.place.loop.time() - self.asked_at > self.place.patience:
            self.lose("no answer to <r/>")

    def acknowledge(self, h, where):
        done = (h - (self.sent_h - len(self.unacked))) & 0xFFFFFFFF
        if done > len(self.unacked):
            self.log.add("V", "%s h=%d, acknowledged before: %d, sent: %d" % (where, h, self.sent_h - len(self.unacked), self.sent_h))
            if where == "resumed":  # both count from here, or each later h would be misunderstood
                self.sent_h = (h + len(self.unacked)) & 0xFFFFFFFF
            return
        for _ in range(done):
            entry = self.unacked.popleft()
            if entry[0]:
                self.log.add("A", *entry[:2])
                self.counts["acked"] += 1

    # --- receiving ----------------------------------------------------------------------------------------------------

    def on_online(self, e):
        tag = e.tag
        if tag in STANZAS:
            self.seen_h = (self.seen_h + 1) & 0xFFFFFFFF
            if tag == CLIENT + "message":
                self.on_message(e)
            elif tag == CLIENT + "presence":
                self.live = self.live or e.get("from") == self.jid
            elif e.get("type") in ("result", "error"):
                self.queries.pop(e.get("id"), lambda answer: None)(e)
        elif tag == SM + "a":
            self.asked_at = None
            self.acknowledge(int(e.get("h")), "a")
        elif tag == SM + "r":
            self.link.send("<a xmlns='urn:xmpp:sm:3' h='%d'/>" % self.seen_h)

    def on_message(self, e):
        for child in e:
            if child.tag == CARBONS + "received" or child.tag == CARBONS + "sent":
                inner = child.find(FORWARD + "forwarded/" + CLIENT + "message")
                if e.get("from") != self.jid.split("/")[0] or inner is None:  # XEP-0280 section 11
                    self.log.add("P", "carbon from %s" % e.get("from"))
                    return
                self.delivered(inner, "s" if child.tag == CARBONS + "sent" else "c", e)
                return
            if child.tag == MAM + "result":
                if self.pages is not None and child.get("queryid") == self.pages[0]:
                    self.pages[1].append((child.get("id"), child.find(FORWARD + "forwarded/" + CLIENT + "message")))
                return
        self.delivered(e, "p", e)

    def delivered(self, message, kind, outer):
        body, stanza_id, delayed = message.findtext(CLIENT + "body"), "", False
        owner = self.jid.split("/")[0]
        for child in message:
            if child.tag == STANZA_ID and child.get("by") == owner:
                stanza_id = child.get("id")
            elif child.tag == DELAY:
                delayed = True
        if outer is not message:
            delayed = delayed or outer.find(DELAY) is not None
        if message.get("type") == "error":
            condition = next((c.tag.rsplit("}", 1)[-1] for c in message.iter() if "xmpp-stanzas" in c.tag), "")
            self.log.add("E", message.get("id"), condition)
            return
        self.last_delivery = self.place.loop.time()
        self.counts["delivered"] += 1
        key = genuine(message, self.place.hosts)
        if key is None:
            self.log.add("P", "from %s to %s: %r" % (message.get("from"), message.get("to"), body))
            return
        self.log.add("D", key, stanza_id, kind, "d" if delayed else "-" if self.live else "e")

    def query(self, payload, answered):
        """An IQ to the own account; answered(None) when the connection breaks first."""
        name = "q%d" % next(NUMBERS)
        self.queries[name] = answered
        self.put((None, 0, "<iq type='set' id='%s'>%s</iq>" % (name, payload)))
