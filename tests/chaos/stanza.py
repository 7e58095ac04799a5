# SPDX-License-Identifier: Apache-2.0
"""Names of elements, and what makes a message one of ours."""
from history import key_of

CLIENT, SM, SASL, BIND = "{jabber:client}", "{urn:xmpp:sm:3}", "{urn:ietf:params:xml:ns:xmpp-sasl}", "{urn:ietf:params:xml:ns:xmpp-bind}"
STREAM, CARBONS, FORWARD, MAM = "{http://etherx.jabber.org/streams}", "{urn:xmpp:carbons:2}", "{urn:xmpp:forward:0}", "{urn:xmpp:mam:2}"
STANZA_ID, DELAY = "{urn:xmpp:sid:0}stanza-id", "{urn:xmpp:delay}delay"
STANZAS = {CLIENT + "message", CLIENT + "presence", CLIENT + "iq"}


def hash_of(key):
    return sum(key.encode())


def home(user, count):
    """Which of so many servers has the account. Not by parity alone, by which users have their devices (crowd.py)."""
    n = int(user[1:])
    return (n + n // 2) % count


def host_of(user, hosts):
    return hosts[home(user, len(hosts))]


def genuine(message, hosts):
    """The key of a message that has its own sender, recipient and body; None: it has not."""
    key = key_of(message.findtext(CLIENT + "body"))
    if key is None:
        return None
    sender, recipient, _ = key.split("/")
    user, name, _ = sender.split(".")
    if (message.get("from") != "%s@%s/%s" % (user, host_of(user, hosts), name) or
            message.get("to", "").split("/")[0] != "%s@%s" % (recipient, host_of(recipient, hosts))):
        return None
    return key
