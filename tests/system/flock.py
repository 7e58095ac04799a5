# SPDX-License-Identifier: Apache-2.0
"""A real flock for tests: state folder, private PostgreSQL and Redis, all daemons, on ports of its own, run by starlingctl.

Flock.check() reads what the daemons logged since the last check and fails on sanitizer reports, leaks, and warnings or errors that no
expect() announced. What it started, it ends.
"""
import contextlib
import json
import os
import random
import re
import shutil
import socket
import subprocess
import tempfile
import time

import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SANITIZER = re.compile(r"(Address|Leak|Thread|UndefinedBehavior)Sanitizer|runtime error:")
COMPLAINT = re.compile(r'^\S+ (warn|error) |"level": ?"(warn|error)"')
POSTGRES = re.compile(r" (ERROR|FATAL|PANIC): ")
# A connection attempt while the private PostgreSQL starts, stops or recovers is not a finding.
POSTGRES_OK = re.compile(r"the database system is (starting up|shutting down|in recovery|not yet accepting connections)|terminating .* due to administrator command"
                         r"|connection to client lost")


class Failed(Exception):
    def __init__(self, args, result):
        self.code, self.out, self.err = result.returncode, result.stdout, result.stderr
        super().__init__("starlingctl %s: status %d\n%s%s" % (" ".join(args), self.code, self.out, self.err))


def free_offset():
    """An offset at which the standard ports are free now."""
    for _ in range(200):
        offset = random.randrange(5000, 23500, 10)
        if 1883 + offset == 8883:
            continue  # mosquitto's clients speak TLS there unasked
        with contextlib.ExitStack() as stack:
            try:
                for port in (5222, 5223, 5269, 1883, 8883, 8083, 8084, 7777, 3478, 5349):
                    probe = stack.enter_context(socket.socket())
                    probe.bind(("127.0.0.1", port + offset))
                return offset
            except OSError:
                continue
    raise AssertionError("no free ports")


def merge(into, other):
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value


def has_ended(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


class Flock:
    """settings: merged into starling.yml before the first start."""
    unless_said = ("s2s=0", "mqtt-broker=0")  # tests/federation and tests/mqtt have flocks of their own

    def __init__(self, directory=None, binaries=None, hosts=("starling.test", "second.test"), settings=None):
        self.own_directory = directory is None
        self.directory = directory or tempfile.mkdtemp(prefix="starling-")
        self.state = os.path.join(self.directory, "state")
        self.binaries = os.path.abspath(binaries or os.environ.get("STARLING_BIN") or os.path.join(ROOT, "build/debug/bin"))
        self.hosts = list(hosts)
        self.host = self.hosts[0]
        self.offset = free_offset()
        self.port, self.tls_port = 5222 + self.offset, 5223 + self.offset
        self.address = "127.0.0.1"
        self.running = False
        self.seen = {}          # log file: bytes read
        self.expected = []
        self.complaints = []
        self.settings = settings or {}
        self.ctl("init", *[a for h in self.hosts for a in ("--domain", h)])
        # Sanitizers on a busy machine make turns of the loop long; what is a stall in production is none here.
        self.configure({"stall_warn": "2s", **self.settings})

    # --- running ------------------------------------------------------------------------------------------------------

    def run(self, *args, stdin=None, timeout=90, binary="starlingctl"):
        """Runs a program of the flock; returns the CompletedProcess."""
        env = {**os.environ, "STARLING_DIR": self.state}
        # Leaks of a short-lived tool count as well: its exit status tells.
        return subprocess.run([os.path.join(self.binaries, binary), *args], input=stdin, env=env, timeout=timeout,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, cwd=self.directory)

    def ctl(self, *args, stdin=None, timeout=90):
        """starlingctl COMMAND --dir ... ARGS; its output. Raises Failed (with .code) unless the status is 0."""
        command = [args[0], "--dir", self.state, *args[1:]]
        result = self.run(*command, stdin=stdin, timeout=timeout)
        if result.returncode != 0 or SANITIZER.search(result.stderr):
            raise Failed(command, result)
        return result.stdout

    def ctl_json(self, *args):
        return json.loads(self.ctl(args[0], "--json", *args[1:]))

    def configure(self, settings):
        """Changes starling.yml; takes effect at the next up, or reload."""
        path = os.path.join(self.state, "starling.yml")
        with open(path) as f:
            config = yaml.safe_load(f)
        merge(config, settings)
        with open(path, "w") as f:
            yaml.safe_dump(config, f)

    def setting(self, service, key):
        """What the test set for a daemon; None: its default."""
        return self.settings.get("services", {}).get(service, {}).get(key)

    def up(self, scale=None):
        scale = scale if scale is not None else os.environ.get("STARLING_SCALE", "")
        scale = ",".join(filter(None, (scale, *(said for said in self.unless_said if said.split("=")[0] not in scale))))
        extra = ["--scale", scale]
        try:
            self.ctl("up", "--detach", "--port-offset", str(self.offset), *extra, timeout=120)
        except Failed as failed:
            raise AssertionError("%s\n%s" % (failed, self.tails())) from None
        self.running = True
        return self

    def down(self):
        if self.running:
            self.running = False
            self.ctl("down", timeout=120)

    def close(self):
        """Down, a last check that includes leaks at exit, and the folder is removed unless something was wrong."""
        self.down()
        self.check()
        if self.own_directory and not self.complaints:
            shutil.rmtree(self.directory, ignore_errors=True)

    def status(self):
        """The rows of starlingctl status, also when some are unwell."""
        return json.loads(self.run("status", "--dir", self.state, "--json").stdout)["instances"]

    def pid(self, name, timeout=60):
        """Of a process that the supervisor runs. One that has ended is waited for: it is started anew."""
        deadline = time.monotonic() + timeout
        while not (pid := self.children().get(name)):
            assert time.monotonic() < deadline, "%s does not run\n%s" % (name, self.tails())
            time.sleep(0.05)
        return pid

    def wait_replaced(self, name, pid, timeout=60):
        """Until the supervisor has seen that the process ended, said so, and started another."""
        deadline = time.monotonic() + timeout
        while self.pid(name, timeout) == pid:
            assert time.monotonic() < deadline, "%s was not started anew\n%s" % (name, self.tails())
            time.sleep(0.05)

    def wait_noticed(self, timeout=10):
        """Until the supervisor has seen, and said, which of its processes have ended."""
        deadline = time.monotonic() + timeout
        with contextlib.suppress(FileNotFoundError):  # it does not run
            while any(has_ended(pid) for pid in self.children().values()) and time.monotonic() < deadline:
                time.sleep(0.02)

    def children(self):
        """Pids of all that the supervisor runs, databases too: {name: pid}. Not of what has ended: that pid would be 0, and to os.kill everybody."""
        with open(os.path.join(self.state, "run", "children")) as f:
            rows = [line.split() for line in f]
        return {row[0]: int(row[3]) for row in rows if int(row[3]) > 1}

    def names(self, role):
        return [i["name"] for i in self.status() if i["role"] == role]

    def wait_healthy(self, timeout=60):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.run("status", "--dir", self.state).returncode == 0:
                return
            time.sleep(0.2)
        raise AssertionError("the flock did not recover:\n" + self.run("status", "--dir", self.state).stdout + self.tails())

    @property
    def postgres(self):
        """How to look into its database, past the daemons."""
        return "host=%s user=starling dbname=starling" % os.path.join(self.state, "run", "pg")

    # --- what clients need ---------------------------------------------------------------------------------------------

    def ca(self, host=None):
        """PEM file to trust: the certificates of all hosts."""
        return os.path.join(self.state, "tls", "ca.pem")

    def register(self, user, password, host=None):
        self.ctl("register", user, host or self.host, "-", stdin=password + "\n")

    # --- logs ----------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def expect(self, *patterns):
        """Within (and until the next check) complaints that match one of these regular expressions are all right."""
        self.check()
        self.expected += [re.compile(p) for p in patterns]
        try:
            yield
        finally:
            self.wait_noticed()
            fresh = self.fresh_complaints()
            del self.expected[len(self.expected) - len(patterns):]
            self.complaints += fresh

    def log(self, name):
        with open(os.path.join(self.state, "log", name + ".log"), errors="replace") as f:
            return f.read()

    def tails(self, lines=15):
        folder = os.path.join(self.state, "log")
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        return "\n".join("--- %s\n%s" % (n, "\n".join(self.log(n[:-4]).splitlines()[-lines:])) for n in names if n.endswith(".log"))

    def fresh_complaints(self):
        folder = os.path.join(self.state, "log")
        found = []
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            path = os.path.join(folder, name)
            with open(path, "rb") as f:
                f.seek(self.seen.get(name, 0))
                data = f.read()
            data = data[:data.rfind(b"\n") + 1]
            self.seen[name] = self.seen.get(name, 0) + len(data)
            text = data.decode("utf-8", "replace")
            if SANITIZER.search(text):
                found.append("%s:\n%s" % (name, text[-8000:]))
                continue
            for line in text.splitlines():
                if name.startswith("postgres"):
                    bad = POSTGRES.search(line) and not POSTGRES_OK.search(line)
                elif name.startswith("redis"):
                    bad = False
                else:
                    bad = COMPLAINT.search(line)
                if bad and not any(e.search(line) for e in self.expected):
                    found.append("%s: %s" % (name, line))
        return found

    def check(self):
        """Fails on anything unexpected in the logs since the last check."""
        fresh = self.complaints + self.fresh_complaints()
        self.complaints = []
        if fresh:
            raise AssertionError("unexpected in the logs:\n" + "\n".join(fresh))
