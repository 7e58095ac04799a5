# SPDX-License-Identifier: Apache-2.0
"""Whom an operator lets the flock speak with, and by which proof, changed while it runs: what is open and what waits follows."""
import contextlib
import time

import pytest

from flock import Failed
from raw import DIALBACK_OFFER, EXTERNAL_OFFER, SM_OFFER, db_error, message
from xmpp import error_of, local

SETTINGS = {"deny": [], "certificate_domains": []}
SELF_SIGNED = dict(self_signed=True)


@pytest.fixture
def user(wild, users):
    return users.login(wild.starling)


@pytest.fixture
def policy(wild):
    """policy(deny=[...]) takes effect at once; afterwards all is as it was."""
    def set_to(**settings):
        changed.update({key: {"proof": "dialback"}.get(key, []) for key in settings})
        wild.starling.flock.configure({"services": {"s2s": settings}})
        wild.starling.flock.ctl("reload", "s2s")

    changed = {}
    yield set_to
    if changed:
        set_to(**dict(changed))


def comes(wild, user, name):
    """A stream of that server, and a message over it."""
    o = wild.origin(name).proved(wild.certificate(name))
    o.send(message("a@" + name, user.jid, "from " + name))
    user.wait_message("from " + name)
    return o


def goes(user, server, text="hello"):
    user.message("a@" + server.domain, text)
    server.wait_message(text)


def refused(wild, name):
    o = wild.origin(name)
    o.send(o.header())
    o.ended_by("policy-violation")


def bounced(user, name, condition="policy-violation"):
    """A message, a question and a presence: the first two come back."""
    user.presence(to="a@" + name)
    sent = user.message("a@" + name, "no")
    error = user.wait(lambda e: e.get("id") == sent and local(e) == "message")
    assert error_of(error)[0] == condition and error.get("from") == "a@" + name
    assert error_of(user.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=name))[0] == condition


# --- who ----------------------------------------------------------------------------------------------------------------


def test_deny_and_allow_again(wild, user, policy):
    server = wild.server()
    goes(user, server)
    comes(wild, user, server.domain)
    policy(deny=[server.domain])
    refused(wild, server.domain)
    bounced(user, server.domain)
    comes(wild, user, wild.fresh())
    policy(deny=[])
    comes(wild, user, server.domain)
    goes(user, server, "again")


def test_denied_while_streams_are_open(wild, user, policy):
    """Both directions end with the reload; other domains notice nothing."""
    server, other = wild.server(), wild.server()
    goes(user, server)
    goes(user, other)
    inbound, bystander = comes(wild, user, server.domain), comes(wild, user, wild.fresh())
    policy(deny=[server.domain])
    inbound.ended_by("policy-violation")
    assert server.errors.get(timeout=10) == "policy-violation"
    bounced(user, server.domain)
    bystander.send(message("a@" + bystander.name, user.jid, "still here"))
    user.wait_message("still here")
    goes(user, other, "over the same stream")
    assert other.connections == 1


def test_one_of_several_domains_of_a_stream(wild, user, policy):
    """XEP-0220: a stream may speak for several; one of them that is denied ends it, and it may come again for the others."""
    good, bad = wild.server(), wild.server()
    o = wild.origin(good.domain).secure()
    assert o.dialback().get("type") == o.dialback(sender=bad.domain).get("type") == "valid"
    policy(deny=[bad.domain])
    o.ended_by("policy-violation")
    o = wild.origin(good.domain).secure()
    assert o.dialback().get("type") == "valid"
    assert db_error(o.dialback(sender=bad.domain)) == "policy-violation"
    o.send(message("a@" + good.domain, user.jid, "alone"))
    user.wait_message("alone")


def test_what_waits_for_a_denied_domain_comes_back(wild, user, policy):
    """Also what is in the store: it would go out at the next attempt."""
    server = wild.server(on={"header": lambda stream, header: None})
    sent = [user.message("a@" + server.domain, "waits %d" % i) for i in range(3)]
    deadline = time.monotonic() + 20
    while not [link for link in wild.starling.links(server.domain) if link["spooled"] == 3]:
        assert time.monotonic() < deadline, wild.starling.links(server.domain)
        time.sleep(0.05)
    policy(deny=[server.domain])
    for one in sent:
        assert user.wait(lambda e, one=one: local(e) == "message" and e.get("id") == one).get("type") == "error"
    server.mend()
    policy(deny=[])
    user.message("a@" + server.domain, "afterwards")
    assert server.got.get(timeout=20).findtext("{jabber:server}body") == "afterwards"


def test_below_a_domain(wild, user, policy):
    policy(deny=["*.evil.example.net"])
    refused(wild, wild.fresh("evil.example.net"))
    bounced(user, wild.fresh("evil.example.net"))
    comes(wild, user, wild.fresh("notevil.example.net"))


def test_allow_list(wild, user, policy):
    """Nobody else, in either direction; and deny goes before allow."""
    good, other = wild.server(wild.fresh("good.example.net")), wild.server()
    worst = wild.fresh("good.example.net")
    goes(user, other)
    policy(allow=["*.good.example.net"], deny=[worst])
    assert other.errors.get(timeout=10) == "policy-violation"
    goes(user, good)
    comes(wild, user, good.domain)
    for name in (other.domain, worst):
        refused(wild, name)
        bounced(user, name)
    policy(allow=[])
    goes(user, other, "again")


def test_the_own_domains_need_no_list(wild, users, policy):
    a, b = users.login(wild.starling), users.login(wild.starling)
    policy(allow=["nobody.example.net"])
    a.message(b.bare, "at home")
    b.wait_message("at home")


@pytest.mark.parametrize("wrong", [["Evil.Example.net"], ["*"], ["a@example.net"]])
def test_a_list_that_cannot_be_read_changes_nothing(wild, user, policy, wrong):
    """Reload says so, and what was in force stays."""
    name = wild.fresh()
    policy(deny=[name])
    with wild.starling.flock.expect("configuration", "reload", "services.s2s"):
        with contextlib.suppress(Failed):
            policy(deny=wrong)
        refused(wild, name)
        comes(wild, user, wild.fresh())
    policy(deny=[])


# --- by which proof -----------------------------------------------------------------------------------------------------


def by_dialback(wild, name):
    return wild.origin(name).secure().dialback()


def test_certificates_only_with_exceptions(wild, user, policy):
    old, new = wild.server(wild.fresh("old.example.net"), offer=DIALBACK_OFFER + SM_OFFER), wild.server(offer=DIALBACK_OFFER + SM_OFFER)
    for server in (old, new):
        server.certificate = wild.certificate(server.domain, **SELF_SIGNED)
    policy(proof="certificate", dialback_domains=["*.old.example.net"])
    assert by_dialback(wild, old.domain).get("type") == "valid"
    goes(user, old)
    assert db_error(by_dialback(wild, new.domain)) == "policy-violation"
    user.message("a@" + new.domain, "patience")
    assert new.errors.get(timeout=10) == "policy-violation"
    assert "certificate is required" in wild.starling.links(new.domain)[0]["error"]
    policy(proof="dialback", dialback_domains=[])
    assert by_dialback(wild, new.domain).get("type") == "valid"
    new.wait_message("patience")


def test_one_domain_needs_a_certificate_from_now_on(wild, user, policy):
    """What dialback has proved ends; with a certificate it comes again."""
    server = wild.server(offer=DIALBACK_OFFER + EXTERNAL_OFFER + SM_OFFER)
    goes(user, server)
    certified = comes(wild, user, server.domain)
    inbound = wild.origin(server.domain).secure()
    assert inbound.dialback().get("type") == "valid"
    policy(certificate_domains=[server.domain])
    inbound.ended_by("policy-violation")
    certified.send(message("a@" + server.domain, user.jid, "certified"))
    user.wait_message("certified")
    goes(user, server, "over the same stream")
    assert server.connections == 1


def test_the_way_there_needs_a_certificate_from_now_on(wild, user, policy, tmp_path):
    name = wild.fresh()
    server = wild.server(name, certificate=wild.authority.issue(str(tmp_path), name, **SELF_SIGNED), offer=DIALBACK_OFFER + SM_OFFER)
    goes(user, server)
    policy(certificate_domains=[name])
    assert server.errors.get(timeout=10) == "policy-violation"
    user.message("a@" + name, "patience")
    assert server.errors.get(timeout=10) == "policy-violation"
    server.certificate = wild.certificate(name)
    server.wait_message("patience")
