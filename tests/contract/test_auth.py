# SPDX-License-Identifier: Apache-2.0
"""What any auth implementation must do (ipc/proto/auth.proto). Mechanisms that it does not offer are skipped, SCRAM-SHA-256 must be there.

STARLING_AUTH: name of the instance to test; without it any that is ready."""
import itertools
import os
import secrets

import pytest

from scram import HASHES, Scram
from starling_bus import METHODS, Bus, CallFailed, E, Record, auth_pb2, pack_frame, types_pb2

CONTINUE, SUCCESS, FAILURE = auth_pb2.SASL_CONTINUE, auth_pb2.SASL_SUCCESS, auth_pb2.SASL_FAILURE
BINDINGS = [("tls-exporter", b"exported"), ("tls-server-end-point", b"hash of the certificate")]
SCRAMS = sorted(HASHES)
PLUS = [m + "-PLUS" for m in SCRAMS]
addresses = ("198.51.%d.%d" % pair for pair in itertools.product(range(1, 255), range(1, 255)))  # a fresh one a test: limits count by address


class Auth:
    """One implementation under test, one client address."""

    def __init__(self, bus, host):
        self.bus, self.host, self.address = bus, host, next(addresses)
        name = os.environ.get("STARLING_AUTH")
        ready = [i for i, r in bus.instances("auth").items() if r.state == 1 and name in (None, r.name)]
        assert ready, "no auth instance is ready"
        self.instance = ready[0]
        self.accounts = []

    def call(self, method, request, **options):
        return self.bus.call(self.instance, "auth." + method, request, timeout=15, **options)

    def mechanisms(self, encrypted=True, bindings=("tls-exporter", "tls-server-end-point"), host=None):
        return list(self.call("Mechanisms", auth_pb2.MechanismsRequest(host=host or self.host, encrypted=encrypted, channel_bindings=bindings)).mechanisms)

    def create(self, name=None, password="pencil"):
        account = "%s@%s" % (name or "u" + secrets.token_hex(6), self.host)
        self.call("CreateAccount", auth_pb2.CreateAccountRequest(account=account, password=password, by_operator=True))
        self.accounts.append(account)
        return account

    def step(self, mechanism, data, state=b"", **changes):
        request = auth_pb2.SaslRequest(host=self.host, mechanism=mechanism, state=state, encrypted=True, address=self.address)
        for kind, value in changes.pop("bindings", BINDINGS):
            request.channel_bindings.add(type=kind, data=value)
        if data is not None:
            request.input, request.has_input = data, True
        for field, value in changes.items():
            setattr(request, field, value)
        return self.call("Sasl", request)

    def begin(self, mechanism, account, password="pencil", **bend):
        client = Scram(mechanism, account.split("@")[0], password, BINDINGS[0], **bend)
        reply = self.step(mechanism, client.first())
        assert reply.outcome == CONTINUE, reply
        return client, reply

    def scram(self, mechanism, account, password="pencil", **bend):
        client, reply = self.begin(mechanism, account, password, **bend)
        return client, self.step(mechanism, client.final(reply.output), reply.state)

    def logs_in(self, account, password):
        return self.scram("SCRAM-SHA-256", account, password)[1].outcome == SUCCESS


@pytest.fixture
def auth(bus, host):
    a = Auth(bus, host)
    yield a
    for account in a.accounts:
        try:
            a.call("RemoveAccount", auth_pb2.AccountRequest(account=account))
        except CallFailed:
            pass


def offered(auth, mechanism):
    if mechanism not in auth.mechanisms():
        pytest.skip("not offered")


def refused(reply, condition="not-authorized"):
    assert (reply.outcome, reply.condition) == (FAILURE, condition), reply
    assert not reply.account and not reply.state and not reply.output


# --- mechanisms -------------------------------------------------------------------------------------------------------

def test_mechanisms_over_tls(auth):
    names = auth.mechanisms()
    assert "SCRAM-SHA-256" in names and len(names) == len(set(names))
    plus = [names.index(m) for m in names if m.endswith("-PLUS")]
    assert not plus or max(plus) < min(names.index(m) for m in names if not m.endswith("-PLUS"))
    assert "PLAIN" not in names or names[-1] == "PLAIN"


def test_without_channel_binding_no_plus(auth):
    assert not any(m.endswith("-PLUS") for m in auth.mechanisms(bindings=[]))
    assert not any(m.endswith("-PLUS") for m in auth.mechanisms(bindings=["something-new"]))


def test_plain_is_offered_over_tls_only(auth):
    assert "PLAIN" not in auth.mechanisms(encrypted=False, bindings=[])


def test_host_that_is_not_served(auth):
    with pytest.raises(CallFailed) as failure:
        auth.mechanisms(host="elsewhere.invalid")
    assert failure.value.name == "INVALID"


# --- logging in -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("mechanism", SCRAMS + PLUS)
def test_scram(auth, mechanism):
    offered(auth, mechanism)
    account = auth.create()
    client, reply = auth.scram(mechanism, account)
    assert (reply.outcome, reply.account) == (SUCCESS, account), reply
    assert reply.has_output and reply.output == client.expected and not reply.state
    assert client.rounds >= 4096 and len(client.salt) >= 8


@pytest.mark.parametrize("binding", BINDINGS, ids=lambda b: b[0])
def test_each_channel_binding(auth, binding):
    offered(auth, "SCRAM-SHA-256-PLUS")
    account = auth.create()
    client = Scram("SCRAM-SHA-256-PLUS", account.split("@")[0], "pencil", binding)
    reply = auth.step("SCRAM-SHA-256-PLUS", client.first())
    assert auth.step("SCRAM-SHA-256-PLUS", client.final(reply.output), reply.state).outcome == SUCCESS


def test_plain(auth):
    offered(auth, "PLAIN")
    account = auth.create()
    user = account.split("@")[0]
    reply = auth.step("PLAIN", ("\0%s\0pencil" % user).encode())
    assert (reply.outcome, reply.account) == (SUCCESS, account)
    reply = auth.step("PLAIN", ("%s\0%s\0pencil" % (account, user)).encode())
    assert (reply.outcome, reply.account) == (SUCCESS, account)


def test_plain_without_tls_is_refused(auth):
    account = auth.create()
    reply = auth.step("PLAIN", ("\0%s\0pencil" % account.split("@")[0]).encode(), encrypted=False, bindings=[])
    assert reply.outcome == FAILURE and reply.condition in ("encryption-required", "invalid-mechanism")


def test_without_initial_response_there_is_an_empty_challenge(auth):
    account = auth.create()
    reply = auth.step("SCRAM-SHA-256", None)
    assert (reply.outcome, reply.output) == (CONTINUE, b"")
    client = Scram("SCRAM-SHA-256", account.split("@")[0], "pencil", BINDINGS[0])
    reply = auth.step("SCRAM-SHA-256", client.first(), reply.state)
    assert reply.outcome == CONTINUE
    assert auth.step("SCRAM-SHA-256", client.final(reply.output), reply.state).outcome == SUCCESS


def test_user_name_is_case_mapped(auth):
    account = auth.create()
    _, reply = auth.scram("SCRAM-SHA-256", account.upper())
    assert (reply.outcome, reply.account) == (SUCCESS, account)


def test_password_beyond_ascii(auth):
    account = auth.create(password="pässwörd €")
    assert auth.logs_in(account, "pässwörd €")
    assert not auth.logs_in(account, "passwoerd")


# --- refusals ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("mechanism", SCRAMS + PLUS)
def test_wrong_password(auth, mechanism):
    offered(auth, mechanism)
    refused(auth.scram(mechanism, auth.create(), "wrong")[1])


@pytest.mark.parametrize("password", ["wrong", "", "pencil ", "PENCIL"])
def test_plain_wrong_password(auth, password):
    offered(auth, "PLAIN")
    reply = auth.step("PLAIN", ("\0%s\0%s" % (auth.create().split("@")[0], password)).encode())
    refused(reply, reply.condition if password == "" else "not-authorized")  # an empty password may be malformed


def test_wrong_nonce(auth):
    account = auth.create()
    client, reply = auth.begin("SCRAM-SHA-256", account)
    final = client.final(reply.output, nonce=client.nonce)
    refused(auth.step("SCRAM-SHA-256", final, reply.state))
    client, reply = auth.begin("SCRAM-SHA-256", account)
    other, _ = auth.begin("SCRAM-SHA-256", account)
    refused(auth.step("SCRAM-SHA-256", client.final(reply.output, nonce=other.nonce + "x" * 24), reply.state))


def test_wrong_proof(auth):
    account = auth.create()
    for proof in ("AAAA", "A" * 43 + "="):
        client, reply = auth.begin("SCRAM-SHA-256", account)
        answer = auth.step("SCRAM-SHA-256", client.final(reply.output, proof=proof), reply.state)
        assert answer.outcome == FAILURE and answer.condition in ("not-authorized", "malformed-request")


def test_final_of_another_exchange(auth):
    account = auth.create()
    client, reply = auth.begin("SCRAM-SHA-256", account)
    recorded = client.final(reply.output)
    again = auth.step("SCRAM-SHA-256", client.first())  # the same client nonce: a replay
    assert again.outcome == CONTINUE and again.output != reply.output
    refused(auth.step("SCRAM-SHA-256", recorded, again.state))


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_unknown_user_looks_like_a_known_one(auth, mechanism):
    offered(auth, mechanism)
    ghost = "u%s@%s" % (secrets.token_hex(6), auth.host)
    known, wrong = auth.scram(mechanism, auth.create(), "wrong")
    unknown, reply = auth.scram(mechanism, ghost, "wrong")
    again, _ = auth.scram(mechanism, ghost, "wrong")
    refused(reply)
    assert (reply.condition, reply.text) == (wrong.condition, wrong.text)
    assert unknown.salt == again.salt and len(unknown.salt) == len(known.salt) and unknown.rounds == known.rounds
    assert len(unknown.server_nonce) == len(known.server_nonce)


def test_plain_unknown_user_looks_like_a_known_one(auth):
    offered(auth, "PLAIN")
    wrong = auth.step("PLAIN", ("\0%s\0wrong" % auth.create().split("@")[0]).encode())
    ghost = auth.step("PLAIN", ("\0u%s\0wrong" % secrets.token_hex(6)).encode())
    assert (wrong.outcome, wrong.condition, wrong.text) == (ghost.outcome, ghost.condition, ghost.text) == (FAILURE, "not-authorized", wrong.text)


def test_account_of_another_host(auth, hosts):
    if len(hosts) < 2:
        pytest.skip("one host only")
    account = auth.create()
    client = Scram("SCRAM-SHA-256", account.split("@")[0], "pencil", BINDINGS[0])
    reply = auth.step("SCRAM-SHA-256", client.first(), host=hosts[1])
    refused(auth.step("SCRAM-SHA-256", client.final(reply.output), reply.state, host=hosts[1]))


@pytest.mark.parametrize("mechanism", ["", "scram-sha-256", "DIGEST-MD5", "SCRAM-SHA-256 ", "x" * 3000])
def test_unknown_mechanism(auth, mechanism):
    refused(auth.step(mechanism, b"n,,n=a,r=b"), "invalid-mechanism")


@pytest.mark.parametrize("data", [
    b"", b"n", b"n,,", b"n,,n=,r=abc", b"n,,n=user", b"n,,r=abc,n=user", b"n,,m=ext,n=user,r=abc", b"x,,n=user,r=abc",
    b"n,,n=us=er,r=abc", b"n,,n=user,r=", b"n,,n=\xff\xfe,r=abc", b"n,,n=user,r=abc\0", b"\0\0\0", b"n,,n=" + b"a" * 70000 + b",r=abc",
])
def test_malformed_first_message(auth, data):
    reply = auth.step("SCRAM-SHA-256", data)
    assert reply.outcome == FAILURE and reply.condition in ("malformed-request", "not-authorized", "invalid-authzid"), reply


@pytest.mark.parametrize("data", [b"", b"c=biws", b"c=biws,r=x", b"p=AAAA", b"c=!!,r=x,p=AAAA", b"\xff" * 20, b"c=biws,r=x,p=" + b"A" * 70000])
def test_malformed_final_message(auth, data):
    _, reply = auth.begin("SCRAM-SHA-256", auth.create())
    answer = auth.step("SCRAM-SHA-256", data, reply.state)
    assert answer.outcome == FAILURE and answer.condition in ("malformed-request", "not-authorized"), answer


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0", b"user\0pencil", b"\0user\0pen\0cil", b"\0\xff\0pencil", b"\0user\0" + b"a" * 70000])
def test_malformed_plain(auth, data):
    offered(auth, "PLAIN")
    reply = auth.step("PLAIN", data)
    assert reply.outcome == FAILURE and reply.condition in ("malformed-request", "not-authorized"), reply


def test_authzid_of_another_user(auth):
    account, victim = auth.create(), auth.create()
    client = Scram("SCRAM-SHA-256", account.split("@")[0], "pencil", BINDINGS[0], authzid=victim)
    reply = auth.step("SCRAM-SHA-256", client.first())
    if reply.outcome == CONTINUE:
        reply = auth.step("SCRAM-SHA-256", client.final(reply.output), reply.state)
    refused(reply, "invalid-authzid")


def test_plain_authzid_of_another_user(auth):
    offered(auth, "PLAIN")
    account, victim = auth.create(), auth.create()
    refused(auth.step("PLAIN", ("%s\0%s\0pencil" % (victim, account.split("@")[0])).encode()), "invalid-authzid")


# --- channel binding --------------------------------------------------------------------------------------------------

def test_another_channel(auth):
    offered(auth, "SCRAM-SHA-256-PLUS")
    account = auth.create()
    client = Scram("SCRAM-SHA-256-PLUS", account.split("@")[0], "pencil", ("tls-exporter", b"of the man in the middle"))
    reply = auth.step("SCRAM-SHA-256-PLUS", client.first())
    refused(auth.step("SCRAM-SHA-256-PLUS", client.final(reply.output), reply.state))


def test_unknown_channel_binding_type(auth):
    offered(auth, "SCRAM-SHA-256-PLUS")
    client = Scram("SCRAM-SHA-256-PLUS", auth.create().split("@")[0], "pencil", ("tls-imaginary", b""))
    assert auth.step("SCRAM-SHA-256-PLUS", client.first()).outcome == FAILURE


def test_downgrade_is_noticed(auth):
    """The client could bind and believes that the server cannot, though it offers -PLUS (RFC 5802 section 6)."""
    offered(auth, "SCRAM-SHA-256-PLUS")
    client = Scram("SCRAM-SHA-256", auth.create().split("@")[0], "pencil", BINDINGS[0], flag="y")
    reply = auth.step("SCRAM-SHA-256", client.first())
    if reply.outcome == CONTINUE:
        reply = auth.step("SCRAM-SHA-256", client.final(reply.output), reply.state)
    refused(reply)


def test_flag_y_is_fine_where_nothing_can_be_bound(auth):
    client = Scram("SCRAM-SHA-256", auth.create().split("@")[0], "pencil", flag="y")
    reply = auth.step("SCRAM-SHA-256", client.first(), bindings=[])
    assert auth.step("SCRAM-SHA-256", client.final(reply.output), reply.state, bindings=[]).outcome == SUCCESS


@pytest.mark.parametrize("mechanism,flag", [("SCRAM-SHA-256", "p=tls-exporter"), ("SCRAM-SHA-256-PLUS", "n"), ("SCRAM-SHA-256-PLUS", "y")])
def test_flag_and_mechanism_must_agree(auth, mechanism, flag):
    offered(auth, mechanism)
    client = Scram(mechanism, auth.create().split("@")[0], "pencil", BINDINGS[0], flag=flag)
    reply = auth.step(mechanism, client.first())
    assert reply.outcome == FAILURE and reply.condition in ("malformed-request", "not-authorized")


# --- state ------------------------------------------------------------------------------------------------------------

def test_state_is_opaque_and_tamper_proof(auth):
    account = auth.create()
    client, reply = auth.begin("SCRAM-SHA-256", account)
    final = client.final(reply.output)
    for at in range(0, len(reply.state), max(1, len(reply.state) // 24)):
        bent = bytearray(reply.state)
        bent[at] ^= 1
        refused(auth.step("SCRAM-SHA-256", final, bytes(bent)))
        auth.address = next(addresses) if at % 5 == 0 else auth.address
        if at % 5 == 0:
            client, reply = auth.begin("SCRAM-SHA-256", account)
            final = client.final(reply.output)
    for bent in (reply.state[:-1], reply.state + b"\0", reply.state[1:], b"\0", secrets.token_bytes(200)):
        refused(auth.step("SCRAM-SHA-256", final, bent))


def test_final_without_state(auth):
    client, reply = auth.begin("SCRAM-SHA-256", auth.create())
    assert auth.step("SCRAM-SHA-256", client.final(reply.output)).outcome == FAILURE


@pytest.mark.parametrize("change", [
    {"mechanism": "SCRAM-SHA-512"}, {"mechanism": "SCRAM-SHA-256-PLUS"}, {"encrypted": False}, {"bindings": []},
    {"bindings": [("tls-exporter", b"another connection"), BINDINGS[1]]}, {"address": "203.0.113.9"},
], ids=lambda c: next(iter(c)))
def test_state_on_another_exchange(auth, change):
    client, reply = auth.begin("SCRAM-SHA-256", auth.create())
    change = dict(change)
    mechanism = change.pop("mechanism", "SCRAM-SHA-256")
    offered(auth, mechanism)
    refused(auth.step(mechanism, client.final(reply.output), reply.state, **change))


def test_state_on_another_host(auth, hosts):
    if len(hosts) < 2:
        pytest.skip("one host only")
    client, reply = auth.begin("SCRAM-SHA-256", auth.create())
    refused(auth.step("SCRAM-SHA-256", client.final(reply.output), reply.state, host=hosts[1]))


def test_any_instance_goes_on(bus, auth):
    account = auth.create()
    client, reply = auth.begin("SCRAM-SHA-256", account)
    final = client.final(reply.output)
    others = [i for i, r in bus.instances("auth").items() if r.state == 1 and i != auth.instance]
    if not others or os.environ.get("STARLING_AUTH"):
        pytest.skip("one instance only")
    auth.instance = others[0]
    assert auth.step("SCRAM-SHA-256", final, reply.state).outcome == SUCCESS


# --- accounts ---------------------------------------------------------------------------------------------------------

def code(auth, method, request):
    try:
        auth.call(method, request)
    except CallFailed as failure:
        return failure.name
    return "OK"


def test_create_check_remove(auth):
    account = auth.create()
    assert code(auth, "CheckAccount", auth_pb2.AccountRequest(account=account)) == "OK"
    assert code(auth, "CreateAccount", auth_pb2.CreateAccountRequest(account=account, password="x" * 10, by_operator=True)) == "EXISTS"
    assert auth.logs_in(account, "pencil")
    assert code(auth, "RemoveAccount", auth_pb2.AccountRequest(account=account)) == "OK"
    assert code(auth, "CheckAccount", auth_pb2.AccountRequest(account=account)) == "NOT_FOUND"
    assert code(auth, "RemoveAccount", auth_pb2.AccountRequest(account=account)) == "NOT_FOUND"
    assert not auth.logs_in(account, "pencil")


def test_change_password(auth):
    account = auth.create()
    assert code(auth, "ChangePassword", auth_pb2.ChangePasswordRequest(account=account, password="new pencil")) == "OK"
    assert auth.logs_in(account, "new pencil")
    assert not auth.logs_in(account, "pencil")
    assert code(auth, "ChangePassword", auth_pb2.ChangePasswordRequest(account="nobody@" + auth.host, password="new pencil")) == "NOT_FOUND"


@pytest.mark.parametrize("account", ["", "@HOST", "HOST", "a b@HOST", "a@b@HOST", "a/r@HOST", "user@HOST/resource", "user@elsewhere.invalid", "\ufffd\0@HOST",
                                     "x" * 1024 + "@HOST"])
def test_odd_accounts_are_invalid(auth, account):
    account = account.replace("HOST", auth.host)
    assert code(auth, "CreateAccount", auth_pb2.CreateAccountRequest(account=account, password="pencil", by_operator=True)) == "INVALID"


def test_empty_password_is_invalid(auth):
    account = "u%s@%s" % (secrets.token_hex(6), auth.host)
    assert code(auth, "CreateAccount", auth_pb2.CreateAccountRequest(account=account, password="", by_operator=True)) == "INVALID"
    assert code(auth, "CheckAccount", auth_pb2.AccountRequest(account=account)) == "NOT_FOUND"


def test_users_may_register_only_where_it_is_on(auth):
    request = auth_pb2.CreateAccountRequest(account="u%s@%s" % (secrets.token_hex(6), auth.host), password="a long enough password",
                                            address=auth.address)
    on = auth.call("Mechanisms", auth_pb2.MechanismsRequest(host=auth.host, encrypted=True)).registration
    assert code(auth, "CreateAccount", request) == ("OK" if on else "DENIED")
    auth.accounts.append(request.account)


def test_list_in_pages(auth):
    made = sorted(auth.create() for _ in range(5))
    seen, after = [], ""
    for _ in range(100000):
        page = auth.call("ListAccounts", auth_pb2.ListAccountsRequest(host=auth.host, after=after, limit=2))
        assert len(page.accounts) <= 2
        seen += page.accounts
        if page.complete:
            break
        after = page.accounts[-1]
    assert len(seen) == len(set(seen)) and set(made) <= set(seen)
    assert all(a.endswith("@" + auth.host) for a in seen)


# --- the bus's rules --------------------------------------------------------------------------------------------------

def test_unknown_method_and_undecodable_request(auth):
    bus = auth.bus
    for number, (method, body, want) in enumerate([(3 * 256 + 200, b"", "UNSUPPORTED"), (7 * 256 + 1, b"", "UNSUPPORTED"),
                                                   (METHODS["auth.Sasl"].number, b"\xff\xff", "INVALID")], 900000):
        bus.open[number] = auth.instance
        envelope = E.Envelope(kind=E.KIND_CALL, method=method, source=bus.instance, destination=auth.instance, call=number, deadline_ms=3000)
        bus.raw(bus.links[0], pack_frame([Record(envelope, body, b"")]))
        assert bus.pump_until(lambda n=number: n in bus.answers, 5)
        assert bus.answers.pop(number).name == want
        del bus.open[number]


def test_status(auth):
    reply = auth.bus.call(auth.instance, "admin.Status", types_pb2.Empty())
    assert reply.role == "auth" and reply.healthy


def test_serves_more_calls_than_its_window(state_dir, auth):
    with Bus(state_dir, "starlingctl") as other:
        window = other.instances()[auth.instance].window or 1024
        for _ in range(window + 10):
            other.call(auth.instance, "auth.Mechanisms", auth_pb2.MechanismsRequest(host=auth.host), timeout=10)
