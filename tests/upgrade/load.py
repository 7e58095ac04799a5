# SPDX-License-Identifier: Apache-2.0
"""Users under a steady load, and what became of every message. Each is a thread with a blocking client that works with any release: it sends numbered
messages, reads what comes, and comes back when its connection ends. A message counts as accepted when the answer to a ping sent behind it is
there, for the server handles what one client sends in order."""
import collections
import itertools
import socket
import threading
import time

from edges import Edges
from xmpp import NS_CLIENT, NS_DELAY, Client, Closed, StreamError, local, q

PASSWORD = "secret"
TICK = 0.1              # a message each
PING_EVERY = 5          # messages
LOGIN_PATIENCE = 60

Got = collections.namedtuple("Got", "body delayed archive_id edge time")
Break = collections.namedtuple("Break", "user edge time reason")


class History:
    """Filled by all threads; appending is atomic."""

    def __init__(self):
        self.sent = {}                              # body: recipient
        self.accepted = set()                       # bodies
        self.got = collections.defaultdict(list)    # user: what came, in order
        self.breaks, self.refused = [], []
        self.steps = []                             # (time, what the test did)

    def step(self, what):
        self.steps.append((time.monotonic(), what))

    def story(self, body):
        """For people: each arrival of a message, and during which step."""
        return "%s: %s" % (body, "; ".join("at %s %.2f s into %r%s, id %s" % (
            g.edge, g.time - self.during(g)[0], self.during(g)[1], ", delayed" if g.delayed else "", g.archive_id)
            for g in self.got[self.sent[body]] if g.body == body))

    def during(self, got):
        return max(s for s in self.steps if s[0] <= got.time)

    def lost(self):
        return sorted(b for b in self.accepted if b not in {g.body for g in self.got[self.sent[b]]})

    def doubled(self):
        """More than once, and not as the same message (its place in the archive names it)."""
        return sorted(b for b, gots in self.arrivals() if len(gots) > 1 and (len({g.archive_id for g in gots}) > 1 or gots[0].archive_id is None))

    def again(self):
        """More than once as the same message; in the order of their last arrival."""
        gots = sorted((gots[-1].time, b) for b, gots in self.arrivals() if len(gots) > 1 and len({g.archive_id for g in gots}) == 1)
        return [b for _, b in gots]

    def arrivals(self):
        found = collections.defaultdict(list)
        for all_got in self.got.values():
            for g in all_got:
                found[g.body].append(g)
        return found.items()

    def phantoms(self):
        return sorted(g.body for user, all_got in self.got.items() for g in all_got if self.sent.get(g.body) != user)

    def reordered(self):
        """Not marked as delayed, and for the first time behind a later one of the same sender."""
        found, last, seen = [], {}, set()
        for user, all_got in self.got.items():
            for g in all_got:
                sender, number = g.body.rsplit(" ", 1)
                if g.body in seen:
                    continue
                seen.add(g.body)
                if int(number) < last.get((user, sender), 0) and not g.delayed:
                    found.append((user, g.body))
                last[user, sender] = max(last.get((user, sender), 0), int(number))
        return found


class User(threading.Thread):
    """name: the account. to: accounts it writes to, in turn. visits: does not stay, but looks in, takes what waits, and goes."""

    def __init__(self, flock, history, name, to=(), visits=False):
        super().__init__(name=name, daemon=True)
        self.flock, self.history, self.user, self.visits = flock, history, name, visits
        self.to = itertools.cycle(to) if to else None
        self.client, self.edge = None, None
        self.first_edge = None      # that is to serve it at first; None: whichever the kernel says
        self.online = threading.Event()
        self.mute, self.done = threading.Event(), threading.Event()
        self.number, self.pending, self.pinged = 0, [], {}
        self.present = collections.defaultdict(set)     # bare JID: full JIDs that are available
        self.error = None

    # --- life ----------------------------------------------------------------------------------------------------------

    def run(self):
        try:
            while not self.done.is_set():
                self.connect()
                if self.visits:
                    self.look_in()
                else:
                    self.stay()
        except Exception as error:  # a thread's death is the test's failure
            self.error = error
        finally:
            self.online.set()

    def connect(self):
        """An instance that leaves may take a login along: it is tried again, a flock that takes none is an error."""
        deadline = time.monotonic() + LOGIN_PATIENCE
        while True:
            client = None
            try:
                client = Client(self.flock, timeout=10)
                self.present.clear()
                self.pending, self.pinged = [], {}
                client.login(self.user, PASSWORD, resource=self.user)
                self.edge = self.edge_of(client)
                if self.first_edge not in (None, self.edge):
                    client.close()
                    assert time.monotonic() < deadline, "%s is never served by %s" % (self.user, self.first_edge)
                    continue
                self.first_edge = None
                client.presence()
                self.client = client
                return
            except (OSError, Closed, StreamError, AssertionError) as error:
                if client:
                    client.abort()
                if time.monotonic() > deadline:
                    raise AssertionError("%s cannot log in: %r" % (self.user, error)) from error
                time.sleep(0.2)

    def edge_of(self, client):
        children = Edges(self.flock.state + "/run/children", "c2s-edge")
        return children.name(Transport(client.sock))

    def stay(self):
        """Until the connection ends, or all is done."""
        tick = time.monotonic()
        try:
            while not self.done.is_set():
                if time.monotonic() >= tick:
                    tick += TICK
                    self.say()
                self.read(max(tick - time.monotonic(), 0.001))
        except (OSError, Closed, StreamError) as error:
            if not self.done.is_set():
                self.history.breaks.append(Break(self.user, self.edge, time.monotonic(), repr(error)))
            self.client.abort()
        else:
            self.leave()
        finally:
            self.online.clear()

    def look_in(self):
        try:
            self.ping()
            while self.pinged:
                self.read(0.5)
            self.leave()
        except (OSError, Closed, StreamError):
            self.client.abort()
        self.online.clear()
        self.done.wait(0.7)

    def leave(self):
        self.client.close()
        self.take_all()

    # --- talk ----------------------------------------------------------------------------------------------------------

    def say(self):
        if self.to and not self.mute.is_set():
            self.number += 1
            body, recipient = "%s %d" % (self.user, self.number), next(self.to)
            self.history.sent[body] = recipient
            self.pending.append(body)
            self.client.message("%s@%s" % (recipient, self.flock.host), body)
        if self.pending and (self.mute.is_set() or self.number % PING_EVERY == 0):
            self.ping()

    def ping(self):
        name = "ping-%s" % self.client.new_id()
        self.pinged[name], self.pending = self.pending, []
        self.client.send("<iq type='get' id='%s' to='%s'><ping xmlns='urn:xmpp:ping'/></iq>" % (name, self.flock.host))

    def read(self, seconds):
        try:
            self.client.receive(seconds)
        except socket.timeout:
            pass
        finally:
            self.take_all()
        if self.client.reader.ended:
            raise Closed()

    def take_all(self):
        elements = self.client.reader.elements
        while elements:
            element = elements.pop(0)
            take = self.TAKES.get(local(element))
            if take:
                take(self, element)

    def take_message(self, m):
        body = m.findtext(q(NS_CLIENT, "body"))
        if m.get("type") == "error":
            self.history.refused.append((self.user, body))
        elif body:
            stanza_id = m.find("{urn:xmpp:sid:0}stanza-id")
            self.history.got[self.user].append(Got(body, m.find(q(NS_DELAY, "delay")) is not None, None if stanza_id is None else stanza_id.get("id"),
                                                   self.edge, time.monotonic()))

    def take_presence(self, p):
        bare = p.get("from", "").split("/")[0]
        if p.get("from") == self.client.jid and not p.get("type"):
            self.online.set()
        elif not p.get("type"):
            self.present[bare].add(p.get("from"))
        elif p.get("type") == "unavailable":
            self.present[bare].discard(p.get("from"))

    def take_iq(self, iq):
        if iq.get("type") == "result" and iq.get("id") in self.pinged:
            self.history.accepted.update(self.pinged.pop(iq.get("id")))

    def take_error(self, error):
        raise StreamError(error)

    TAKES = {"message": take_message, "presence": take_presence, "iq": take_iq, "error": take_error}


class Transport:
    """What Edges asks of asyncio's, for a socket."""

    def __init__(self, sock):
        self.sock = sock

    def get_extra_info(self, name):
        return getattr(self.sock, "get" + name)()


def wait_until(true, seconds, what):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, what() if callable(what) else what
        time.sleep(0.1)
