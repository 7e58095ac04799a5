# SPDX-License-Identifier: Apache-2.0
"""What was accepted for another server arrives there once, in order, whichever instance of s2s is killed and however long the other server is away."""
import os
import signal
import time

import pytest

from peers import Prosody, Starling
from xmpp import Client


@pytest.fixture
def pair(authority, dns):
    one, two = Starling("a.example.net", authority, dns, scale="s2s=2"), Starling("b.example.net", authority, dns)
    try:
        yield one, two
    finally:
        one.close()
        two.close()


def managed(server, name):
    """A client with stream management: what the server has acknowledged is in .acked."""
    c = Client(server, timeout=30).login(name, "secret")
    c.send("<enable xmlns='urn:xmpp:sm:3'/>")
    c.wait(lambda e: e.tag == "{urn:xmpp:sm:3}enabled")
    return c


def acknowledged(c, count, timeout=40):
    """Waits until the server has counted so many stanzas."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        c.send("<r xmlns='urn:xmpp:sm:3'/>")
        h = int(c.wait(lambda e: e.tag == "{urn:xmpp:sm:3}a", timeout).get("h"))
        if h >= count:
            return
    raise AssertionError("not acknowledged")


def bodies(c, count, timeout=40):
    return [c.wait_message(timeout=timeout).findtext("{jabber:client}body") for _ in range(count)]


def test_an_instance_is_killed(pair, users):
    one, two = pair
    receiver = users.login(two)
    one.register("sender")
    sender = managed(one, "sender")
    expected = ["m%d" % i for i in range(60)]
    with one.flock.expect("ended", "restarting", "slot .* is another"):
        for i, body in enumerate(expected):
            sender.message(receiver.bare, body)
            if i in (20, 40):
                os.kill(one.flock.pid("s2s-%d" % (i // 20)), signal.SIGKILL)
        acknowledged(sender, len(expected))
        assert bodies(receiver, len(expected)) == expected
        receiver.nothing(lambda e: e.tag.endswith("message"))
        one.flock.wait_healthy()
    sender.close()


def test_the_other_server_is_away(pair, users):
    one, two = pair
    # Of what the test before has killed an instance may hear only now.
    with one.flock.expect("slot .* is another"):
        receiver = users.login(two, "away")
        sender = users.login(one)
        sender.message(receiver.bare, "before")
        receiver.wait_message("before")
        receiver.close()
        two.flock.down()
        one.register("keeper")
        keeper = managed(one, "keeper")
        for i in range(5):
            keeper.message(receiver.bare, "waits %d" % i)
        acknowledged(keeper, 5)  # in the store by now
    # The one that had them goes, too.
    with one.flock.expect("ended", "restarting", "slot .* is another"):
        for name in ("s2s-1", "s2s-2"):
            os.kill(one.flock.pid(name), signal.SIGKILL)
        one.flock.wait_healthy()
        two.flock.up("s2s=1")
        again = Client(two, timeout=40).login("away", "secret")
        again.online()
        assert bodies(again, 5) == ["waits %d" % i for i in range(5)]
    again.close()
    keeper.close()


def test_prosody_is_away(authority, dns, users):
    prosody = Prosody("c.example.net", authority, dns)
    one = Starling("d.example.net", authority, dns)
    try:
        sender, receiver = users.login(one), users.login(prosody, "away")
        sender.message(receiver.bare, "before")
        receiver.wait_message("before")
        prosody.kill()
        for i in range(5):
            sender.message(receiver.user_jid, "waits %d" % i)
        sender.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=sender.host)
        prosody.start()
        again = Client(prosody, timeout=40).login("away", "secret")
        again.online()
        got = bodies(again, 5)
        if got[0] == "before":  # it was killed before it could acknowledge that one
            got = got[1:] + bodies(again, 1)
        assert got == ["waits %d" % i for i in range(5)]
        again.close()
    finally:
        one.close()
        prosody.close()
