# SPDX-License-Identifier: Apache-2.0
"""Asking an archive (XEP-0313), and messages to fill it with: for the tests of what users see of the message log."""
import re
import time

from xmpp import NS_CLIENT, NS_DELAY, error_of, local, q

MAM = "urn:xmpp:mam:2"
RSM = "http://jabber.org/protocol/rsm"
SID = "urn:xmpp:sid:0"
FORWARD = "urn:xmpp:forward:0"
CARBONS = "urn:xmpp:carbons:2"
SM = "urn:xmpp:sm:3"
RETRACT = "urn:xmpp:message-retract:1"
OFFLINE = "http://jabber.org/protocol/offline"
DISCO_INFO = "http://jabber.org/protocol/disco#info"
STAMP = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
HINT = "<%s xmlns='urn:xmpp:hints'/>"


# --- asking -------------------------------------------------------------------------------------------------------------

class Result:
    def __init__(self, carrier):
        result = carrier.find(q(MAM, "result"))
        forwarded = result.find(q(FORWARD, "forwarded"))
        self.carrier, self.id, self.queryid = carrier, result.get("id"), result.get("queryid")
        self.stamp = forwarded.find(q(NS_DELAY, "delay")).get("stamp")
        self.message = forwarded.find(q(NS_CLIENT, "message"))
        self.body = self.message.findtext(q(NS_CLIENT, "body"))


class Page(list):
    """The results of a query, and what its answer says."""

    def __init__(self, c, answer):
        fin = answer.find(q(MAM, "fin"))
        assert fin is not None, answer
        carriers = [e for e in c.reader.elements if local(e) == "message" and e.find(q(MAM, "result")) is not None]
        c.reader.elements = [e for e in c.reader.elements if e not in carriers]
        super().__init__(Result(e) for e in carriers)
        rsm = fin.find(q(RSM, "set"))
        first = rsm.find(q(RSM, "first"))
        self.complete = fin.get("complete") == "true"
        self.first = None if first is None else first.text
        self.index = None if first is None else int(first.get("index"))
        self.last = rsm.findtext(q(RSM, "last"))
        self.count = int(rsm.findtext(q(RSM, "count")))

    @property
    def bodies(self):
        return [r.body for r in self]

    @property
    def ids(self):
        return [r.id for r in self]


def field(var, *values):
    return "<field var='%s'>%s</field>" % (var, "".join("<value>%s</value>" % v for v in values))


def form(fields, form_type=MAM):
    return "<x xmlns='jabber:x:data' type='submit'>%s%s</x>" % (field("FORM_TYPE", form_type), fields)


def rsm(content):
    return "<set xmlns='%s'>%s</set>" % (RSM, content)


def ask(c, content="", attributes="", to=None):
    return c.iq("set", "<query xmlns='%s'%s>%s</query>" % (MAM, attributes, content), to=to)


def query(c, fields="", page="", extra="", attributes=""):
    return Page(c, ask(c, (form(fields) if fields else "") + (rsm(page) if page else "") + extra, attributes))


def refused(c, content="", attributes="", to=None):
    answer = ask(c, content, attributes, to)
    assert not [e for e in answer.skipped if e.find(q(MAM, "result")) is not None]
    return error_of(answer)[0]


# --- messages -----------------------------------------------------------------------------------------------------------

def stanza_ids(message):
    return {e.get("by"): e.get("id") for e in message.findall(q(SID, "stanza-id"))}


def talk(a, b, bodies):
    for body in bodies:
        a.message(b.jid, body)
        b.wait_message(body)


def settle(c):
    """All that this client has sent is committed or delivered: the server says so (XEP-0198)."""
    if not hasattr(c, "managed_from"):
        c.send("<enable xmlns='%s'/>" % SM)
        c.wait(lambda e: e.tag == q(SM, "enabled"))
        c.managed_from = c.count
    c.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=c.host)
    deadline = time.monotonic() + c.timeout
    while True:
        c.send("<r xmlns='%s'/>" % SM)
        if int(c.wait(lambda e: e.tag == q(SM, "a")).get("h")) >= c.count - c.managed_from:
            return
        assert time.monotonic() < deadline, "not accepted in time"


def left_messages(sender, to, bodies, extra=""):
    """For somebody who is away; they wait when this returns."""
    for body in bodies:
        sender.message(to, body, extra=extra)
    settle(sender)


def numbered(n, prefix="m"):
    return ["%s%d" % (prefix, i) for i in range(1, n + 1)]


def carbons(c, on=True):
    assert c.iq("set", "<%s xmlns='%s'/>" % ("enable" if on else "disable", CARBONS)).get("type") == "result"


def copy(c, which, body, kind="chat"):
    """The copied message; the carrier is checked."""
    def match(e):
        return local(e) == "message" and e.find(q(CARBONS, which)) is not None and any(b.text == body for b in e.iter(q(NS_CLIENT, "body")))

    carrier = c.wait(match)
    assert (carrier.get("from"), carrier.get("to"), carrier.get("type")) == (c.bare, c.jid, kind)
    return carrier.find("%s/%s/%s" % (q(CARBONS, which), q(FORWARD, "forwarded"), q(NS_CLIENT, "message")))
