# SPDX-License-Identifier: Apache-2.0
"""starlingctl against the real flock: what each command does, prints and ends with."""
import json
import os
import pwd
import re
import signal
import time

import pytest

from flock import Failed, Flock
from xmpp import Client, Closed, StreamError, local


def status_of(flock, *args, stdin=None):
    try:
        flock.ctl(*args, stdin=stdin)
        return 0
    except Failed as failed:
        return failed.code


def online(flock, user, resource=None):
    return Client(flock).login(user.name, user.password, resource).online()


# --- accounts ----------------------------------------------------------------------------------------------------------------


def test_register_login_and_listing(flock, account):
    user = account(password="näm&<'\" ")
    Client(flock).login(user.name, user.password).close()
    assert user.jid in flock.ctl("registered-users", flock.host).split()
    assert user.jid in flock.ctl_json("registered-users", flock.host)["accounts"]
    assert user.jid not in flock.ctl("registered-users", flock.hosts[1]).split()


def test_register_what_exists(flock, account):
    user = account(password="first")
    assert status_of(flock, "register", user.name, user.host, "second") == 2
    Client(flock).login(user.name, "first").close()  # and the old password stays


@pytest.mark.parametrize("name,host", [("us er", None), ("", None), ("a" * 1100, None), ("user", "elsewhere.test")])
def test_register_what_cannot_be(flock, name, host):
    assert status_of(flock, "register", name, host or flock.host, "secret") == 1
    assert not any("elsewhere" in a for a in flock.ctl("registered-users", flock.host).split())


def test_password_from_standard_input(flock):
    flock.ctl("register", "from-stdin", flock.host, stdin="line one\nline two\n")
    Client(flock).login("from-stdin", "line one").close()
    assert status_of(flock, "register", "nobody", flock.host, "-", stdin="") == 64


def test_change_password(flock, account):
    user = account(password="old")
    flock.ctl("change-password", user.name, user.host, "new")
    Client(flock).login(user.name, "new").close()
    c = Client(flock).secure()
    assert local(c.sasl("SCRAM-SHA-256", user.name, "old")) == "failure"
    c.abort()
    assert status_of(flock, "change-password", "nobody-here", flock.host, "x") == 2


def test_unregister(flock, account):
    user = account()
    flock.ctl("unregister", user.name, user.host)
    assert user.jid not in flock.ctl("registered-users", flock.host).split()
    c = Client(flock).secure()
    assert local(c.sasl("SCRAM-SHA-256", user.name, user.password)) == "failure"
    c.abort()
    assert status_of(flock, "unregister", user.name, user.host) == 2


# --- sessions ----------------------------------------------------------------------------------------------------------------


def test_connected_users(flock, account):
    user, other = account(), account(host=flock.hosts[1])
    c = online(flock, user, "phone")
    rows = {s["jid"]: s for s in flock.ctl_json("connected-users", flock.host)["sessions"]}
    assert user.jid + "/phone" in rows
    row = rows[user.jid + "/phone"]
    assert row["encrypted"] and row["available"] and row["address"].startswith("127.0.0.1") and row["edge"] and row["priority"] == 0
    assert user.jid + "/phone" in flock.ctl("connected-users")
    assert user.jid not in flock.ctl("connected-users", flock.hosts[1]) and other.jid not in flock.ctl("connected-users")
    c.close()
    deadline = time.monotonic() + 10
    while user.jid in flock.ctl("connected-users") and time.monotonic() < deadline:
        time.sleep(0.1)
    assert user.jid not in flock.ctl("connected-users")


def test_kick_ends_all_sessions_of_one_account(flock, account):
    user, bystander = account(), account()
    a, b, other = online(flock, user, "a"), online(flock, user, "b"), online(flock, bystander)
    assert flock.ctl_json("kick", user.name, user.host) == {"kicked": 2}
    for c in (a, b):
        with pytest.raises((StreamError, Closed)):
            while True:
                c.next()
        c.abort()
    assert other.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=flock.host).get("type") == "result"
    other.close()
    assert status_of(flock, "kick", user.name, user.host) == 2


# --- daemons -----------------------------------------------------------------------------------------------------------------


def test_status(flock):
    rows = flock.ctl_json("status")["instances"]
    assert {r["role"] for r in rows} >= {"router", "storage", "auth", "session-manager", "c2s-edge", "postgres", "redis"}
    for r in rows:
        assert r["healthy"] and r["supervised"] and r["memory_bytes"] > 0 and os.path.exists("/proc/%d" % r["pid"]), r
    daemons = [r for r in rows if r["role"] not in ("postgres", "redis")]
    assert len({r["version"] for r in daemons}) == 1 and daemons[0]["version"]
    lines = flock.ctl("status").splitlines()
    assert re.split(" {2,}", lines[0])[:4] == ["ROLE", "NAME", "PID", "VERSION"] and len(lines) == len(rows) + 1


def test_status_counts_connections(flock, account):
    def connections():
        return sum(r["connections"] for r in flock.ctl_json("status")["instances"] if r["role"] == "c2s-edge")
    before = connections()
    for _ in range(50):  # those of the tests before may be ending
        now = connections()
        if now == before:
            break
        before = now
    c = online(flock, account())
    assert connections() == before + 1
    c.close()


def test_log_level(flock):
    name = flock.names("auth")[0]
    assert flock.ctl_json("log-level", "debug", name)["instances"] == [{"name": name, "result": "OK", "text": ""}]
    assert "log level changed to=debug" in flock.log(name)
    told = {i["name"] for i in flock.ctl_json("log-level", "info")["instances"]}
    assert told == {r["name"] for r in flock.ctl_json("status")["instances"] if r["role"] not in ("postgres", "redis")}
    assert status_of(flock, "log-level", "debug", "no-such") == 2


def test_reload(flock):
    assert all(i["result"] == "OK" for i in flock.ctl_json("reload")["instances"])
    assert {i["name"] for i in flock.ctl_json("reload", "auth")["instances"]} == set(flock.names("auth"))


def test_drain(flock, account):
    """A new instance takes the place of a drained one; whoever has a session elsewhere notices nothing."""
    name = flock.names("auth")[-1]
    pid = flock.pid(name)
    with flock.expect("%s ended" % name):
        flock.ctl("drain", "--timeout", "30s", name)
        flock.wait_replaced(name, pid)
        flock.wait_healthy()
    online(flock, account()).close()


def test_drain_of_nobody(flock):
    with pytest.raises(Failed) as failed:
        flock.ctl("drain", "nobody-1")
    assert failed.value.code == 2


def test_a_broken_config_is_not_taken(flock, account):
    path = os.path.join(flock.state, "starling.yml")
    name = flock.names("auth")[0]
    with open(path) as f:
        good = f.read()
    pid = flock.pid(name)
    with flock.expect("nonsense_key"):
        with open(path, "a") as f:
            f.write("\nnonsense_key: 1\n")
        try:
            assert status_of(flock, "reload", "auth") == 1  # starlingctl reads the file itself
            os.kill(pid, signal.SIGHUP)                     # and so does the daemon, which says why not
            deadline = time.monotonic() + 10
            while "nonsense_key" not in flock.log(name) and time.monotonic() < deadline:
                time.sleep(0.05)
        finally:
            with open(path, "w") as f:
                f.write(good)
    assert "nonsense_key" in flock.log(name) and flock.pid(name) == pid
    user = account()
    Client(flock).login(user.name, user.password).close()


@pytest.mark.single
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_daemons_become_the_user_of_the_config():
    flock = Flock(settings={"user": "nobody"})
    with flock.expect("nobody cannot walk through " + flock.directory), pytest.raises(Failed, match="cannot walk through"):
        flock.ctl("up", "--detach")
    os.chmod(flock.directory, 0o711)
    flock.up()
    try:
        nobody = pwd.getpwnam("nobody").pw_uid
        for row in flock.status():
            uid = os.stat("/proc/%d" % row["pid"]).st_uid
            assert uid == (pwd.getpwnam("postgres").pw_uid if row["role"] == "postgres" else nobody), row
        flock.register("alice", "secret")
        Client(flock).login("alice", "secret").close()
        flock.ctl("reload")  # what is read again must be readable to that user
    finally:
        flock.close()


def test_json_errors_are_json(flock):
    try:
        flock.ctl("unregister", "--json", "nobody-here", flock.host)
    except Failed as failed:
        answer = json.loads(failed.out)
        assert failed.code == 2 and answer["status"] == 2 and "NOT_FOUND" in answer["error"]
    else:
        raise AssertionError("it did not fail")


def test_health_url(flock):
    url = re.search(r"http://\S+?(?=/metrics)", flock.log(flock.names("router")[0])).group(0)
    assert flock.run("health", url + "/healthz").returncode == 0
    assert flock.run("health", "http://127.0.0.1:1/healthz").returncode == 69
    assert flock.run("health", "https://127.0.0.1/").returncode == 64
