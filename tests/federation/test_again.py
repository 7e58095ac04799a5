# SPDX-License-Identifier: Apache-2.0
"""What comes again across the border is known by its name (docs/decisions/0032-federation.md), whoever had it in between."""
import os
import signal

import pytest

from peers import Starling
from raw import message
from xmpp import Client, local

KEY = "<key xmlns='urn:starling:s2s:0' s='00000000000000ab' n='%d'%s/></message>"


@pytest.fixture
def user(wild, users):
    return users.login(wild.starling)


def keyed(sender, user, number, more=""):
    return message(sender, user.jid, "n%d" % number).replace("</message>", KEY % (number, more))


def test_the_first_try_behind_the_second(wild, user):
    """A stream that hung and was given up says at last what has long come over another."""
    name = wild.fresh()
    certificate = wild.certificate(name)
    old, new = wild.origin(name).proved(certificate), wild.origin(name).proved(certificate)
    for n in (1, 2):
        new.send(keyed("a@" + name, user, n, " again='1' age='5'"))
    assert [user.wait_message().findtext("{jabber:client}body") for _ in range(2)] == ["n1", "n2"]
    for n in (1, 2, 3):
        old.send(keyed("a@" + name, user, n))
    assert user.wait_message().findtext("{jabber:client}body") == "n3"
    user.nothing(lambda e: local(e) == "message")


def test_nobody_names_the_messages_of_others(wild, user):
    for _ in range(2):
        name = wild.fresh()
        wild.origin(name).proved(wild.certificate(name)).send(keyed("a@" + name, user, 1, " again='1'"))
        assert user.wait_message("n1").get("from") == "a@" + name


@pytest.mark.parametrize("told", [True, False])
def test_names_on_the_way_back(wild, user, told):
    """Over a stream that the other server made (XEP-0288): if it says that it knows them."""
    name = wild.fresh()
    o = wild.origin(name).secure(wild.certificate(name))
    o.send("<bidi xmlns='urn:xmpp:bidi'>%s</bidi>" % ("<key xmlns='urn:starling:s2s:0'/>" if told else ""))
    assert local(o.external()) == "success"
    o.open()
    o.send("<enable xmlns='urn:xmpp:sm:3'/>")
    o.wait_named("enabled")
    user.message("a@" + name, "back")
    assert (o.wait_named("message").find("{urn:starling:s2s:0}key") is not None) == told


def test_a_question_of_the_other_server_waits_for_what_it_wrote_before(wild, user):
    """Without stream management it takes the answer for our word that we have all that; RFC 6120 orders nothing but a pair of addresses."""
    name = wild.fresh()
    flock = wild.starling.flock
    o = wild.origin(name).secure(wild.certificate(name))
    o.send("<bidi xmlns='urn:xmpp:bidi'/>")
    assert local(o.external()) == "success"
    o.open()

    def ask(question):
        o.send("<iq type='get' id='%s' from='%s' to='%s'><ping xmlns='urn:xmpp:ping'/></iq>" % (question, name, user.host))

    def answered(question, timeout=None):
        return o.wait(lambda e: local(e) == "iq" and e.get("id") == question, timeout)

    ask("before")
    answered("before")
    frozen = [flock.pid(storage) for storage in flock.names("storage")]
    with flock.expect(r"event loop stalled"):
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            o.send(message("a@" + name, user.jid, "waits"))
            ask("behind")
            with pytest.raises(AssertionError, match="did not come"):
                answered("behind", 1)
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
        answered("behind")
        user.wait_message("waits")


@pytest.fixture(scope="module")
def pair(authority, dns):
    one, two = Starling("e.example.net", authority, dns), Starling("f.example.net", authority, dns)
    try:
        yield one, two
    finally:
        one.close()
        two.close()


def log_in(server, resume=False):
    """With stream management; resume: a session that nobody has is asked for first."""
    c = Client(server, timeout=30).secure()
    c.sasl("SCRAM-SHA-256", "forgetful", "secret")
    c.open()
    if resume:
        c.send("<resume xmlns='urn:xmpp:sm:3' previd='nobody-s' h='0'/>")
        assert local(c.next()) == "failed"
    c.bind("r")
    c.send("<enable xmlns='urn:xmpp:sm:3'/>")
    c.wait(lambda e: local(e) == "enabled")
    return c


def test_a_client_that_could_not_resume(pair, users):
    """It sends again what was not acknowledged, under the same origin-id (XEP-0359), in a session that has nothing in common with the former."""
    one, two = pair
    receiver = users.login(two)
    one.register("forgetful")
    origin = "<origin-id xmlns='urn:xmpp:sid:0' id='o1'/>"
    first = log_in(one)
    first.message(receiver.bare, "once", extra=origin, id="o1")
    receiver.wait_message("once")
    first.abort()
    second = log_in(one, resume=True)
    second.message(receiver.bare, "once", extra=origin, id="o1")
    second.message(receiver.bare, "and more")
    assert receiver.wait_message().findtext("{jabber:client}body") == "and more"
    second.close()
