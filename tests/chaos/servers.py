# SPDX-License-Identifier: Apache-2.0
"""The servers that can be put to the test: a flock of Starling's, or prosody, for comparison and for trying out the test itself."""
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))

from flock import Flock, free_offset, merge  # noqa: E402

SCALE = {"c2s-edge": 3, "router": 2, "session-manager": 2, "auth": 2, "storage": 2}
# Of a pair that federates: a big one, whose remote domains move between instances, and a small one.
SCALES = ({**SCALE, "s2s": 2}, {"c2s-edge": 2, "router": 2, "session-manager": 2, "auth": 1, "storage": 1, "s2s": 1})
PASSWORD = "secret"
# What daemons may say when others die, hang or vanish. A sanitizer's report is never expected. "User request" PostgreSQL calls its own time-out (nobody else cancels
# anything) when it had been stopped for longer than that.
EXPECTED = (r"(?i)lost|ended|unavailable|refused|reconnect|closed|gone|timed? ?out|unhealthy|not reachable|down|no such file|exited|killed|died|"
            r"restart|terminat|stall|lease|epoch|owner|claim|stale|no answer|behind|slow|abort|reset|broken|away|again|recover|unexpected eof|in use|another|due to user request",)


def wait_for_port(port, seconds=20):
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def stat(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()
    except OSError:
        return ["gone"] + ["0"] * 20


def process_state(pid):
    return stat(pid)[0]


def cpu_ticks(pid):
    return sum(map(int, stat(pid)[11:13]))


def wait_channel(pid):
    try:
        with open("/proc/%d/wchan" % pid) as f:
            return f.read() or "?"
    except OSError:
        return "?"


class Starling:
    """Links from storage to PostgreSQL and from session-manager to Redis go through sockets in `links`, which proxies listen at (proxy.py)."""
    name, edge_role, scale = "starling", "c2s-edge", SCALE

    def __init__(self, binaries=None, scale=None, proxied=True, host="chaos.test", services=None):
        """services: settings of daemons, beside those that every run has."""
        self.scale = dict(scale or SCALE)
        all_services = {
            "auth": {"iterations": 4096, "throttle": {"failures_per_minute": 0}},
            "c2s-edge": {"tls": {"required": False}, "limits": {"logins_per_address": 0, "connect_rate": 100000, "connect_burst": 100000}},
            "session-manager": {"offline_max": 0},
        }
        merge(all_services, services or {})
        self.flock = Flock(binaries=binaries, hosts=(host,), settings={"services": all_services})
        self.host, self.port, self.address = self.flock.host, self.flock.port, "127.0.0.1"
        self.s2s_port, self.tls = 5269 + self.flock.offset, os.path.join(self.flock.state, "tls")
        run = os.path.join(self.flock.state, "run")
        self.links = {}
        if proxied:
            folder = os.path.join(run, "links")
            os.mkdir(folder, 0o711)
            self.links = {"postgres": (os.path.join(folder, ".s.PGSQL.5432"), os.path.join(run, "pg", ".s.PGSQL.5432")),
                          "redis": (os.path.join(folder, "redis.sock"), os.path.join(run, "redis.sock"))}
            self.flock.configure({"services": {"storage": {"dsn": "host=%s user=starling dbname=starling" % folder}},
                                  "redis": {"url": "unix://" + os.path.join(folder, "redis.sock")}})

    @property
    def children_file(self):
        return os.path.join(self.flock.state, "run", "children")

    @property
    def postgres(self):
        """How to look into its database; past the proxies."""
        return self.flock.postgres

    @property
    def redis_socket(self):
        return os.path.join(self.flock.state, "run", "redis.sock")

    def up(self, users):
        self.flock.up(",".join("%s=%d" % pair for pair in self.scale.items()))
        for user in users:
            self.flock.register(user, PASSWORD)

    def pids(self):
        """{instance: pid} of all that runs."""
        return self.flock.children()

    def wait_healthy(self):
        self.flock.wait_healthy(90)

    def postmortem(self):
        """Of each process: its state, where it sleeps, and the CPU time that it took in a second."""
        before = {name: cpu_ticks(pid) for name, pid in self.pids().items()}
        time.sleep(1)
        return "".join("%-20s pid %-7d state %s, %s, %d ticks in a second\n" % (
            name, pid, process_state(pid), wait_channel(pid), cpu_ticks(pid) - before.get(name, 0)) for name, pid in sorted(self.pids().items()))

    def expect_faults(self):
        return self.flock.expect(*EXPECTED)

    def save_logs(self, folder):
        shutil.copytree(os.path.join(self.flock.state, "log"), folder, dirs_exist_ok=True)

    def close(self):
        self.flock.close()


class Prosody:
    """One process, started privately. Its accounts are files."""
    name, edge_role, links, scale = "prosody", "prosody", {}, {"prosody": 1}
    config = """
pidfile = "{folder}/prosody.pid"
data_path = "{folder}/data"
run_as_root = true
daemonize = false
log = {{ info = "{folder}/prosody.log" }}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {port} }}
s2s_ports = {{ }}
modules_enabled = {{ "saslauth", "disco", "roster", "ping", "carbons", "smacks", "mam", "posix" }}
modules_disabled = {{ "s2s", "tls", "limits" }}
authentication = "internal_plain"
storage = "internal"
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
max_archive_query_results = 200
storage_archive_item_limit = 1000000
smacks_max_queue_size = 100000
smacks_max_old_sessions = 1000
default_archive_policy = true
VirtualHost "chaos.test"
"""

    def __init__(self, **_):
        self.folder = tempfile.mkdtemp(prefix="prosody-")
        self.port, self.address, self.host = 5222 + free_offset(), "127.0.0.1", "chaos.test"
        self.process, self.closing = None, False
        with open(os.path.join(self.folder, "prosody.cfg.lua"), "w") as f:
            f.write(self.config.format(folder=self.folder, port=self.port))

    @property
    def children_file(self):
        return os.path.join(self.folder, "children")

    def start(self):
        self.process = subprocess.Popen(["lua5.4", "/usr/bin/prosody", "-F", "--config", os.path.join(self.folder, "prosody.cfg.lua")],
                                        cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(self.children_file, "w") as f:
            f.write("prosody - - %d\n" % self.process.pid)

    def up(self, users):
        accounts = os.path.join(self.folder, "data", "chaos%2etest", "accounts")
        os.makedirs(accounts)
        for user in users:
            with open(os.path.join(accounts, user + ".dat"), "w") as f:
                f.write('return { ["password"] = "%s"; };\n' % PASSWORD)
        self.start()
        wait_for_port(self.port)

    def pids(self):
        """Also its supervisor: who asks for the pids finds a dead one started again."""
        if self.process.poll() is not None and not self.closing:
            self.start()
        return {"prosody": self.process.pid}

    def wait_healthy(self):
        self.pids()
        wait_for_port(self.port)

    def save_logs(self, folder):
        os.makedirs(folder, exist_ok=True)
        shutil.copy(os.path.join(self.folder, "prosody.log"), folder)

    def postmortem(self):
        return ""

    def expect_faults(self):
        return contextlib.nullcontext()

    def close(self):
        self.closing = True
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


SERVERS = {"starling": Starling, "prosody": Prosody}
