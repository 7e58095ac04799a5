# SPDX-License-Identifier: Apache-2.0
"""XEP-0215: services outside of XMPP, credentials for relays, and pushes when the list changes."""
import base64
import calendar
import hashlib
import hmac
import os
import time

import pytest
import zmq

from border import Border, join
from flock import SANITIZER, Flock
from xmpp import Client, error_of, local, q

pytestmark = pytest.mark.single  # the answer of one owner, and pushes to its own sessions

NS = "urn:xmpp:extdisco:2"
DISCO_INFO = "http://jabber.org/protocol/disco#info"
LIFETIME = 3600

STUN = "type=stun host=stun.starling.test name=\"Who am I?\" name.de=\"Wer bin ich?\""
TURN = "type=turn host=turn.starling.test port=3478 transport=udp"
TURNS = "type=turns host=turn.starling.test port=443"
OTHER = "type=turn host=other.example.net secret_file=other.secrets"
FTP = "type=ftp host=192.0.2.7 port=21 transport=tcp username=guest password_file=guest.password"
USUAL = [STUN, TURN, TURNS, OTHER, FTP]


def write_key_file(flock, name, text):
    with open(os.path.join(flock.state, "keys", name), "w") as f:
        f.write(text)


@pytest.fixture(scope="module")
def served():
    flock = Flock(settings={"services": {"auth": {"iterations": 4096}, "session-manager": {"external": {"lifetime": "1h"}}}})
    write_key_file(flock, "other.secrets", "of another relay\n")
    write_key_file(flock, "guest.password", "<guest's>\n")
    flock.configure({"services": {"session-manager": {"external": {"services": USUAL}}}})
    flock.up()
    try:
        for user in ("juliet", "romeo"):
            flock.register(user, "secret")
        yield flock
    finally:
        flock.close()


@pytest.fixture
def flock(served):
    yield served
    offer(served, USUAL)
    served.check()


@pytest.fixture
def juliet(flock):
    client = Client(flock).login("juliet", "secret").online()
    yield client
    client.close()


@pytest.fixture
def romeo(flock):
    client = Client(flock).login("romeo", "secret").online()
    yield client
    client.close()


def offer(flock, lines):
    flock.configure({"services": {"session-manager": {"external": {"services": lines}}}})
    flock.ctl("reload", "session-manager")


def secrets_of(flock):
    with open(os.path.join(flock.state, "keys", "turn.secrets")) as f:
        return f.read().split()


def mac(secret, username):
    return base64.b64encode(hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()).decode()


def ask(client, type_=None, lang=None):
    """The services as dictionaries of their attributes, by type, host and port."""
    stanza_id = client.new_id()
    client.send("<iq type='get' id='%s' to='%s'%s><services xmlns='%s'%s/></iq>" % (
        stanza_id, client.host, " xml:lang='%s'" % lang if lang else "", NS, " type='%s'" % type_ if type_ else ""))
    answer = client.wait(lambda e: local(e) == "iq" and e.get("id") == stanza_id)
    assert answer.get("type") == "result"
    services = answer.find(q(NS, "services"))
    assert services.get("type") == type_
    return by_place(services)


def by_place(parent):
    return {(s.get("type"), s.get("host"), s.get("port")): dict(s.attrib) for s in parent}


def credentials(client, attributes):
    return client.iq("get", "<credentials xmlns='%s'><service %s/></credentials>" % (NS, attributes), to=client.host)


def check_made_for(service, client, secret):
    """Valid for about an hour, for that account, by that secret; and `expires` says the same."""
    expiry, _, account = service["username"].partition(":")
    assert account == client.bare and service["restricted"] == "true"
    assert abs(int(expiry) - time.time() - LIFETIME) < 60
    assert service["password"] == mac(secret, service["username"])
    assert calendar.timegm(time.strptime(service["expires"][:19], "%Y-%m-%dT%H:%M:%S")) == int(expiry) and service["expires"].endswith("Z")


def wait_push(client):
    """A push, answered: (type asked for, its services)."""
    push = client.wait(lambda e: local(e) == "iq" and e.get("type") == "set" and e.find(q(NS, "services")) is not None)
    assert push.get("from") == client.host and push.get("to") == client.jid
    client.send("<iq type='result' id='%s' to='%s'/>" % (push.get("id"), client.host))
    services = push.find(q(NS, "services"))
    return services.get("type"), by_place(services)


def is_push(e):
    return local(e) == "iq" and e.get("type") == "set"


# --- the list ------------------------------------------------------------------------------------------------------------


def test_it_is_announced(juliet):
    query = juliet.iq("get", "<query xmlns='%s'/>" % DISCO_INFO, to=juliet.host).find(q(DISCO_INFO, "query"))
    assert NS in {f.get("var") for f in query}


def test_all_services(flock, juliet):
    got = ask(juliet)
    assert set(got) == {("stun", "stun.starling.test", "3478"), ("turn", "turn.starling.test", "3478"), ("turns", "turn.starling.test", "443"),
                        ("turn", "other.example.net", "3478"), ("ftp", "192.0.2.7", "21")}
    assert got["stun", "stun.starling.test", "3478"] == {"type": "stun", "host": "stun.starling.test", "port": "3478", "transport": "udp", "name": "Who am I?"}
    own, = secrets_of(flock)
    check_made_for(got["turn", "turn.starling.test", "3478"], juliet, own)
    check_made_for(got["turns", "turn.starling.test", "443"], juliet, own)
    check_made_for(got["turn", "other.example.net", "3478"], juliet, "of another relay")
    assert got["turns", "turn.starling.test", "443"]["transport"] == "tcp"
    assert got["ftp", "192.0.2.7", "21"] == {"type": "ftp", "host": "192.0.2.7", "port": "21", "transport": "tcp", "restricted": "true", "username": "guest",
                                            "password": "<guest's>"}


def test_credentials_are_each_account_s_own(juliet, romeo):
    place = ("turn", "turn.starling.test", "3478")
    mine, his = ask(juliet)[place], ask(romeo)[place]
    assert mine["username"].endswith(":" + juliet.bare) and his["username"].endswith(":" + romeo.bare)
    assert mine["password"] != his["password"]


def test_by_type(juliet):
    assert {t for t, _, _ in ask(juliet, "turn")} == {"turn"} and len(ask(juliet, "turn")) == 2
    assert ask(juliet, "xmpp") == {}


def test_names_in_the_client_s_language(juliet):
    place = ("stun", "stun.starling.test", "3478")
    assert ask(juliet, "stun", "de")[place]["name"] == "Wer bin ich?"
    assert ask(juliet, "stun", "de-CH")[place]["name"] == "Wer bin ich?"
    assert ask(juliet, "stun", "fr")[place]["name"] == "Who am I?"


def test_requests_that_are_refused(juliet):
    for kind, child, condition in (("get", "<services xmlns='%s' type=''/>", "bad-request"), ("set", "<services xmlns='%s'/>", "service-unavailable"),
                                   ("get", "<credentials xmlns='%s'/>", "bad-request")):
        assert error_of(juliet.iq(kind, child % NS, to=juliet.host))[0] == condition, child
    assert error_of(juliet.iq("get", "<services xmlns='%s'/>" % NS, to=juliet.bare))[0] == "service-unavailable"


# --- credentials ---------------------------------------------------------------------------------------------------------


def test_credentials_for_one_service(flock, juliet):
    answer = credentials(juliet, "host='turn.starling.test' type='turn'")
    service, = answer.find(q(NS, "credentials"))
    check_made_for(service.attrib, juliet, secrets_of(flock)[0])
    service, = credentials(juliet, "host='192.0.2.7' type='ftp' port='21'").find(q(NS, "credentials"))
    assert (service.get("username"), service.get("password")) == ("guest", "<guest's>")


def test_credentials_of_several_ports(flock, juliet):
    """XEP-0215 section 3.3: more than one service may match; the port tells them apart."""
    offer(flock, [TURN, TURN.replace("3478", "3479")])
    assert len(credentials(juliet, "host='turn.starling.test' type='turn'").find(q(NS, "credentials"))) == 2
    service, = credentials(juliet, "host='turn.starling.test' type='turn' port='3479'").find(q(NS, "credentials"))
    assert service.get("port") == "3479"


@pytest.mark.parametrize("attributes, condition", [
    ("host='turn.starling.test' type='turn' port='1'", "item-not-found"), ("host='nowhere.test' type='turn'", "item-not-found"),
    ("host='turn.starling.test' type='ftp'", "item-not-found"), ("host='stun.starling.test' type='stun'", "item-not-found"),
    ("host='turn.starling.test'", "bad-request"), ("type='turn'", "bad-request"), ("host='turn.starling.test' type='turn' port='0'", "bad-request"),
    ("host='turn.starling.test' type='turn' port='65537'", "bad-request"), ("host='turn.starling.test' type='turn' port='-1'", "bad-request")])
def test_no_credentials(juliet, attributes, condition):
    assert error_of(credentials(juliet, attributes))[0] == condition


def test_users_of_other_servers_get_none(flock):
    with Border(flock) as border:
        for child in ("<services xmlns='%s'/>", "<credentials xmlns='%s'><service host='turn.starling.test' type='turn'/></credentials>"):
            answer = border.iq("get", child % NS, "mallory@elsewhere.test/x", flock.host)
            assert error_of(answer) == ("forbidden", "auth")
            assert b"password" not in b"".join(p for _, p in border.taken)


# --- changes -------------------------------------------------------------------------------------------------------------


def test_changes_are_pushed_to_those_who_asked(flock, juliet, romeo):
    ask(juliet, "turn")
    offer(flock, [STUN, TURN.replace("3478", "3500"), TURNS + " name=New", OTHER])
    type_, changes = wait_push(juliet)
    assert type_ == "turn"
    assert {p: c["action"] for p, c in changes.items()} == {("turn", "turn.starling.test", "3478"): "delete", ("turn", "turn.starling.test", "3500"): "add"}
    assert "password" not in changes["turn", "turn.starling.test", "3478"]
    check_made_for(changes["turn", "turn.starling.test", "3500"], juliet, secrets_of(flock)[0])
    juliet.nothing(is_push)
    romeo.nothing(is_push)


def test_who_asked_for_all_is_told_of_all(flock, juliet):
    ask(juliet)
    offer(flock, [STUN + " name.fr=Moi", TURN, OTHER, FTP, "type=stun host=new.starling.test"])
    type_, changes = wait_push(juliet)
    assert type_ is None
    assert {p: c["action"] for p, c in changes.items()} == {
        ("stun", "stun.starling.test", "3478"): "modify", ("turns", "turn.starling.test", "443"): "delete", ("stun", "new.starling.test", "3478"): "add"}


def test_nothing_changed(flock, juliet):
    """The next push is about the next change alone."""
    ask(juliet)
    offer(flock, USUAL)
    offer(flock, USUAL[:-1])
    _, changes = wait_push(juliet)
    assert {p: c["action"] for p, c in changes.items()} == {("ftp", "192.0.2.7", "21"): "delete"}
    juliet.nothing(is_push)


def test_another_secret(flock, juliet):
    """The first of the file issues; who asked gets new credentials at once."""
    before = secrets_of(flock)
    ask(juliet, "turn")
    try:
        write_key_file(flock, "turn.secrets", "newest\n" + "\n".join(before) + "\n")
        flock.ctl("reload", "session-manager")
        _, changes = wait_push(juliet)
        change, = changes.values()
        assert change["action"] == "modify" and change["host"] == "turn.starling.test"
        check_made_for(change, juliet, "newest")
        check_made_for(ask(juliet, "turn")["turn", "turn.starling.test", "3478"], juliet, "newest")
    finally:
        write_key_file(flock, "turn.secrets", "\n".join(before) + "\n")


def relay_key(flock):
    """Of the role turn-relay, which a flock may not know yet."""
    path = os.path.join(flock.state, "keys", "turn-relay.key")
    if os.path.exists(path):
        return None
    public, secret = zmq.curve_keypair()
    with open(os.path.join(flock.state, "keys", "allow"), "a") as f:
        f.write("turn-relay %s\n" % public.decode())
    flock.ctl("reload")
    return public, secret


def test_relays_of_the_flock_come_and_go(flock, juliet):
    offer(flock, ["type=turn host=*", "type=stun host=* transport=udp"])
    assert ask(juliet) == {}
    relay = join(flock, "turn-relay", key=relay_key(flock), public_address="relay.starling.test:3479")
    try:
        _, changes = wait_push(juliet)
        assert {p: c["action"] for p, c in changes.items()} == {("turn", "relay.starling.test", "3479"): "add", ("stun", "relay.starling.test", "3479"): "add"}
        check_made_for(changes["turn", "relay.starling.test", "3479"], juliet, secrets_of(flock)[0])
    finally:
        relay.close()
    _, changes = wait_push(juliet)
    assert {c["action"] for c in changes.values()} == {"delete"} and len(changes) == 2
    assert ask(juliet) == {}


def test_a_bad_list_leaves_the_old_one(flock, juliet):
    ask(juliet)
    flock.configure({"services": {"session-manager": {"external": {"services": ["type=turn"]}}}})
    answer = flock.run("reload", "--dir", flock.state, "session-manager")
    assert answer.returncode != 0 and not SANITIZER.search(answer.stderr)
    assert len(ask(juliet)) == len(USUAL)


@pytest.mark.parametrize("line, why", [
    ("type=turn", "type and host are needed"), ("turn.starling.test", "key=value is needed"), ("type=turn host=a.test port=0", "port:"),
    ("type=turn host=a.test secret_file=missing", "missing: No such file"), ("type=turn host=a.test username=x", "go together"),
    ("type=turn host=a.test color=red", "there is no 'color'"), ("type=stun host='a'", "host:")])
def test_lines_that_are_refused(flock, line, why):
    flock.configure({"services": {"session-manager": {"external": {"services": [line]}}}})
    result = flock.run("--check-config", "--config", os.path.join(flock.state, "starling.yml"), binary="session-manager")
    assert result.returncode == 78 and why in result.stderr, result.stderr
