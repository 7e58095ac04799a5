# SPDX-License-Identifier: Apache-2.0
"""starlingctl init, up and down with stand-ins for the daemons: what supervision promises, whatever it supervises."""
import base64
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import time

import pytest

from flock import ROOT, SANITIZER

pytestmark = pytest.mark.single  # makes its own, of every scale

ROLES = ["router", "storage", "auth", "session-manager", "c2s-edge", "s2s", "mqtt-broker"]
# Becomes ready, and ends on SIGTERM. The environment of a test makes one of them misbehave.
STAND_IN = """#!/bin/sh
role=$(basename "$0")
echo "$*" >>"$STARLING_DIR/../calls"
[ "$role" = "$BROKEN" ] && { echo "cannot start" >&2; exit ${BROKEN_STATUS:-3}; }
if [ "$role" = "$STUBBORN" ]; then trap '' TERM; else trap 'echo "$role" >>"$STARLING_DIR/../ended"; exit 0' TERM; fi
[ "$role" = "$SILENT" ] || printf x >&3
exec 3>&-
while :; do sleep 0.2; done
"""


@pytest.fixture
def box(tmp_path):
    box = Box(str(tmp_path))
    yield box
    box.close()


class Box:
    def __init__(self, path):
        self.path, self.state, self.bin = path, path + "/state", path + "/bin"
        os.mkdir(self.bin)
        source = os.path.abspath(os.environ.get("STARLING_BIN") or os.path.join(ROOT, "build/debug/bin"))
        shutil.copy(source + "/starlingctl", self.bin)
        for role in ROLES:
            with open("%s/%s" % (self.bin, role), "w") as f:
                f.write(STAND_IN)
            os.chmod("%s/%s" % (self.bin, role), 0o755)

    def ctl(self, *args, status=0, **env):
        result = subprocess.run([self.bin + "/starlingctl", args[0], "--dir", self.state, *args[1:]], env={**os.environ, **env}, timeout=60,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
        assert result.returncode == status, result
        assert not SANITIZER.search(result.stderr), result.stderr
        return result

    def init(self):
        self.ctl("init", "--domain", "a.test")
        self.edit("postgres: private", "postgres: external")
        return self

    def edit(self, old, new):
        with open(self.state + "/starling.yml") as f:
            text = f.read()
        assert old in text
        with open(self.state + "/starling.yml", "w") as f:
            f.write(text.replace(old, new))

    def up(self, *args, **kwargs):
        return self.ctl("up", "--detach", *args, **kwargs)

    def children(self):
        """{name: {state, pid, restarts}}"""
        with open(self.state + "/run/children") as f:
            rows = [line.split() for line in f]
        return {r[0]: {"state": r[2], "pid": int(r[3]), "restarts": int(r[5])} for r in rows}

    def wait_child(self, name, condition, timeout=20):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            child = self.children()[name]
            if condition(child):
                return child
            time.sleep(0.05)
        raise AssertionError("%s: %r" % (name, child))

    def log(self, name="supervisor"):
        with open("%s/log/%s.log" % (self.state, name)) as f:
            return f.read()

    def close(self):
        if os.path.exists(self.state + "/starling.yml"):
            self.ctl("down")
        log = self.state + "/log/supervisor.log"
        assert not os.path.exists(log) or not SANITIZER.search(self.log()), self.log()


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# --- init ------------------------------------------------------------------------------------------------------------------


def test_init_makes_a_complete_folder(box):
    box.ctl("init", "--domain", "a.test", "--domain", "b.test")
    for name in ["router", "storage", "auth", "session-manager", "c2s-edge", "s2s", "mqtt-broker", "proxy65", "turn-relay", "mqtt-bridge", "mqtt-gateway", "starlingctl"]:
        path = "%s/keys/%s.key" % (box.state, name)
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        with open(path) as f:
            keys = dict(line.split() for line in f)
        with open(box.state + "/keys/allow") as f:
            assert "%s %s\n" % (name, keys["public"]) in f.read()
        assert len(keys["secret"]) == 40
    with open(box.state + "/keys/auth-seal.key") as f:
        assert len(base64.b64decode(f.read())) == 32
    assert stat.S_IMODE(os.stat(box.state + "/keys/turn.secrets").st_mode) == 0o600
    with open(box.state + "/keys/turn.secrets") as f:
        assert re.fullmatch(r"[a-z0-9]{40}\n", f.read())
    assert stat.S_IMODE(os.stat(box.state + "/keys/auth-seal.key").st_mode) == 0o600
    for host in ["a.test", "b.test"]:
        assert stat.S_IMODE(os.stat("%s/tls/%s.key" % (box.state, host)).st_mode) == 0o600
        result = subprocess.run(["openssl", "verify", "-CAfile", box.state + "/tls/ca.pem", "-purpose", "sslserver", "-verify_hostname", host,
                                 "%s/tls/%s.pem" % (box.state, host)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert result.returncode == 0, result.stdout
    assert not os.listdir(box.state + "/pg") and not os.listdir(box.state + "/run")  # nothing was started


def test_init_refuses_to_overwrite(box):
    box.init()
    with open(box.state + "/keys/auth.key") as f:
        before = f.read()
    box.ctl("init", "--domain", "a.test", status=2)
    with open(box.state + "/keys/auth.key") as f:
        assert f.read() == before


def test_init_missing_adds_and_changes_nothing(box):
    box.init()
    with open(box.state + "/keys/auth.key") as f:
        before = f.read()
    os.unlink(box.state + "/keys/storage.key")
    box.edit("  - a.test\n", "  - a.test\n  - new.test\n")
    box.ctl("init", "--missing")
    assert os.path.exists(box.state + "/keys/storage.key") and os.path.exists(box.state + "/tls/new.test.pem")
    with open(box.state + "/keys/auth.key") as f:
        assert f.read() == before
    with open(box.state + "/keys/allow") as f:
        assert f.read().count("storage ") == 2
    with open(box.state + "/tls/ca.pem") as f:
        assert f.read().count("BEGIN CERTIFICATE") == 2


@pytest.mark.parametrize("domain", ["Upper.test", "../escape", "a b", "", ".dot", "a..b", "a.test,DNS:b.test"])
def test_init_refuses_what_is_no_domain(box, domain):
    box.ctl("init", "--domain", domain, status=1)
    assert not os.path.exists(box.state + "/starling.yml")


# --- up and down -------------------------------------------------------------------------------------------------------------


def test_up_starts_in_order_and_down_stops_in_reverse(box):
    box.init().up("--scale", "c2s-edge=2,router=2", "--port-offset", "7")
    names = {"redis", "router-1", "router-2", "storage-1", "auth-1", "session-manager-1", "c2s-edge-1", "c2s-edge-2", "s2s-1", "mqtt-broker-1"}
    children = box.children()
    assert set(children) == names and all(c["state"] == "ready" for c in children.values())
    with open(box.path + "/calls") as f:
        instances = re.findall(r"--instance (\S+)", f.read())
    assert set(instances[:2]) == {"router-1", "router-2"} and instances[2] == "storage-1"
    assert set(instances[3:5]) == {"auth-1", "session-manager-1"} and set(instances[5:]) == {"c2s-edge-1", "c2s-edge-2", "s2s-1", "mqtt-broker-1"}
    box.ctl("down")
    with open(box.path + "/ended") as f:
        ended = f.read().split()
    assert sorted(ended[:4]) == ["c2s-edge", "c2s-edge", "mqtt-broker", "s2s"] and set(ended[4:6]) == {"auth", "session-manager"}
    assert ended[6:] == ["storage", "router", "router"]
    assert not any(alive(c["pid"]) for c in children.values())
    assert "warn" not in box.log() and "error" not in box.log()
    box.ctl("down")  # nothing to do is no failure


def test_two_supervisors_cannot_share_a_folder(box):
    box.init().up()
    assert "runs already" in box.up(status=2).stderr


def test_what_dies_is_started_again_with_back_off(box):
    box.init().up()
    for life, low, high in [(1, 0.8, 1.3), (2, 1.6, 2.5)]:
        pid = box.children()["auth-1"]["pid"]
        os.kill(pid, signal.SIGKILL)
        died = time.monotonic()
        child = box.wait_child("auth-1", lambda c: c["state"] == "ready" and c["pid"] != pid)
        assert child["restarts"] == life and low - 0.1 < time.monotonic() - died < high + 0.4
    assert box.log().count("auth-1 ended (signal 9") == 2
    assert all(c["restarts"] == 0 for n, c in box.children().items() if n != "auth-1")


def test_up_says_what_is_not_ready_and_leaves_nothing(box):
    box.init()
    box.edit("    redis: private ", "    ready_timeout: 2s\n    redis: private ")
    result = box.up(status=1, BROKEN="auth")
    assert "not ready after 2 s" in result.stderr and "auth-1" in result.stderr and "/log" in result.stderr
    assert "cannot start" in box.log("auth-1")
    assert not os.path.exists(box.state + "/run/children")
    # What its configuration is wrong for is not tried again, nor waited for.
    box.edit("ready_timeout: 2s", "ready_timeout: 30s")
    start = time.monotonic()
    result = box.up(status=1, BROKEN="auth", BROKEN_STATUS="78")
    assert "auth-1 refuses its configuration" in result.stderr and time.monotonic() - start < 15
    box.edit("ready_timeout: 30s", "ready_timeout: 2s")
    # A daemon that runs but never says that it is ready is not ready either.
    assert "storage-1" in box.up(status=1, SILENT="storage").stderr


def test_what_ignores_sigterm_is_killed(box):
    box.init()
    with open(box.state + "/starling.yml", "a") as f:
        f.write("\ndrain: 0s\n")
    box.up(STUBBORN="storage")
    pid = box.children()["storage-1"]["pid"]
    start = time.monotonic()
    box.ctl("down")
    assert 4.5 < time.monotonic() - start < 10 and not alive(pid)
    assert "storage-1 does not end by itself, killed" in box.log()


def test_a_killed_supervisor_leaves_nothing_to_the_next(box):
    box.init().up()
    children = box.children()
    with open(box.state + "/run/supervisor.pid") as f:
        os.kill(int(f.read()), signal.SIGKILL)
    time.sleep(0.2)
    assert alive(children["storage-1"]["pid"])  # the flock itself goes on
    box.up()
    assert not any(alive(c["pid"]) for c in children.values())
    with open(box.state + "/run/supervisor.pid") as f:
        os.kill(int(f.read()), signal.SIGKILL)
    children = box.children()
    box.ctl("down")
    assert not any(alive(c["pid"]) for c in children.values())


def test_foreground_names_lines_and_stops_on_sigint(box):
    box.init()
    with open(box.path + "/then", "w") as f:
        f.write("#!/bin/sh\necho ready in $STARLING_DIR\n")
    os.chmod(box.path + "/then", 0o755)
    with open(box.path + "/err", "w") as err:
        up = subprocess.Popen([box.bin + "/starlingctl", "up", "--dir", "state", "--when-ready", "./then"], stdin=subprocess.DEVNULL, cwd=box.path,
                              stdout=subprocess.PIPE, stderr=err, universal_newlines=True)
    assert up.stdout.readline() == "ready in %s\n" % box.state
    os.kill(up.pid, signal.SIGINT)
    assert up.wait(timeout=30) == 0
    up.stdout.close()
    with open(box.path + "/err") as f:
        text = f.read()
    assert re.search(r"^redis +\S", text, re.M) and not SANITIZER.search(text)


def test_missing_program(box):
    os.unlink(box.bin + "/auth")
    assert "bin/auth" in box.init().up(status=64).stderr


def test_status_without_a_router_shows_what_the_supervisor_runs(box):
    box.init().up()
    result = box.ctl("status", "--json", "--timeout", "300ms", status=69)
    rows = {r["name"]: r for r in json.loads(result.stdout)["instances"]}
    assert rows["redis"]["healthy"] and not rows["router-1"]["healthy"] and rows["router-1"]["health"] == "not on the bus"


# --- words -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("args", [["register", "alice"], ["nonsense"], ["status", "--nonsense"], ["up", "--scale", "c2s=2"], ["log-level", "loud"],
                                  ["register", "alice@a.test", "a.test", "x"]])
def test_wrong_usage(box, args):
    box.init()
    box.ctl(*args, status=64)


def test_commands_without_a_flock(box):
    box.ctl("status", status=1)  # no such folder
    box.init()
    result = box.ctl("registered-users", "a.test", "--timeout", "300ms", "--json", status=69)
    assert json.loads(result.stdout)["status"] == 69
