#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""mqtt-broker beside Debian's mosquitto and ejabberd's MQTT, in one run on loopback: `make mqtt-bench`, or tests/bench/mqtt.py [--rounds N] [--ms N] [--idle N] [--only NAME,...] [--rows TEXT]
[--json FILE]. --rows: only those with this text in their name.

All are up at the same time, pinned to core 0, and take turns, round by round (ejabberd has one alone); the load (build/bench/mqtt_load, MQTT 3.1.1, 64 bytes) is on core 1 and counts every delivery: with QoS 1 and 2 none may be
missing or come twice. What is compared is CPU time (user and system, from the scheduler) of all the server's processes for each delivered message: it hardly depends on what else the machine does.
mosquitto keeps nothing and asks for no password; our broker and ejabberd's do neither here, but for the row of lasting sessions, where ours answers when PostgreSQL has the message (fsync).
Two brokers beside one: the one has 50 pairs of clients, the two have 100, which the kernel spreads over both as they connect, so that about half of the pairs cross; how many messages did, the brokers' counters tell. The load has the other core, so nothing is measured on two: what two cores would carry
follows from the CPU time of both brokers for each delivery, their threads for ZeroMQ included, and from how evenly it is divided, since neither waits for the other. A busy loop shares core 0 with them: so they, and not the load, are what is slow, and a turn of theirs finds as much to do as it would at full load.
--mosquitto: where its program is. One of them that is not installed is left out. Nothing here passes or fails by time.
"""
import argparse
import collections
import contextlib
import json
import os
import pwd
import re
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request

import systems
from clocks import cpu_us, descendants, pss_kib
from systems import ROOT, Flock, free_port

# name: options of mqtt_load
SHAPES = {
    "fan-out 1 to 1000": {"pubs": 1, "subs": 1000, "window": 2},
    "fan-in 100 to 1": {"pubs": 100, "subs": 1, "window": 2},
    "pairs 50 to 50": {"pubs": 50, "subs": 50, "window": 8},
}
CONNECTS = 4000
LASTING, SEVERAL = "QoS 1 into 50 lasting sessions", "two brokers with 100 pairs beside one with 50"


class Starling:
    name = "starling"

    def __init__(self, args, brokers=1):
        broker = {"anonymous": True, "tls": {"required": False}, "sys": {"interval": "0"}, "limits": {"connect_rate": 0}}
        self.flock = Flock(binaries=os.path.join(ROOT, args.build, "release/bin"), settings={"log": {"level": "warn" if brokers == 1 else "info"}, "services": {"mqtt-broker": broker}})
        os.sched_setaffinity(0, {0})
        try:
            self.flock.up("mqtt-broker=%d,c2s-edge=0,session-manager=0" % brokers)
        finally:
            os.sched_setaffinity(0, range(os.cpu_count()))
        self.target = {"port": 1883 + self.flock.offset}
        self.brokers = [self.flock.pid("mqtt-broker-%d" % (i + 1)) for i in range(brokers)]
        with open(os.path.join(self.flock.state, "run", "supervisor.pid")) as f:
            self.root = int(f.read().split()[0])

    def pids(self):
        return descendants(self.root)

    def holders(self):
        return self.brokers

    def crossed(self):
        """Messages that the brokers have sent each other so far; only of several."""
        total = 0
        for name in self.flock.names("mqtt-broker"):
            with urllib.request.urlopen(re.findall(r"metrics=(http://\S+)", self.flock.log(name))[-1]) as reply:
                total += sum(float(n) for n in re.findall(r'^starling_mqtt_peer_messages_total\{direction="sent"\} (\S+)', reply.read().decode(), re.M))
        return total

    def stop(self):
        self.flock.down()
        shutil.rmtree(self.flock.directory, ignore_errors=True)

    close = stop


class Mosquitto:
    name = "mosquitto"

    def __init__(self, args):
        self.folder, port = tempfile.mkdtemp(prefix="mosquitto-"), free_port()
        with open(self.folder + "/conf", "w") as f:
            f.write("listener %d 127.0.0.1\nallow_anonymous true\npersistence false\nmax_queued_messages 0\nmax_inflight_messages 0\nset_tcp_nodelay true\nsys_interval 0\n"
                    "log_type error\nuser %s\n" % (port, pwd.getpwuid(os.getuid()).pw_name))
        self.process = subprocess.Popen(["taskset", "-c", "0", args.mosquitto, "-c", self.folder + "/conf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.target = {"port": port}
        wait_for(port, self.process)

    def pids(self):
        return [self.process.pid]

    holders = pids

    def stop(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Ejabberd(systems.Ejabberd):
    """Its accounts cannot be done without: all clients are one user's, whose password is kept in clear, so that checking it costs little."""
    name = "ejabberd"

    def __init__(self, args):
        self.surroundings, self.mqtt = systems.Surroundings(), free_port()
        args.pin = True
        super().__init__(args, "bench.test", self.surroundings, False)
        self.target = {"port": self.mqtt, "user": "load@bench.test", "password": systems.PASSWORD}
        systems.register_in_band(self.host, self.port, "load")
        wait_for(self.mqtt, self.process)

    target = None

    def config(self):
        listen = "listen:\n  - port: %d\n    ip: \"127.0.0.1\"\n    module: mod_mqtt\n    backlog: 1000\n" % self.mqtt
        text = super().config().replace("listen:\n", listen, 1).replace("modules:\n", "modules:\n  mod_mqtt: {max_queue: infinity}\n", 1)
        return text.replace("auth_password_format: scram", "auth_password_format: plain")

    def holders(self):
        return descendants(self.process.pid)

    def stop(self):
        super().stop()
        self.surroundings.close()


def wait_for(port, process):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.05)
    raise SystemExit("a server does not start")


class Load:
    """One run; clients are connected when it is there."""

    def __init__(self, args, system, **keys):
        command = ["taskset", "-c", "1", os.path.join(ROOT, args.build, "bench/mqtt_load")] + ["%s=%s" % kv for kv in {**system.target, **keys}.items()]
        self.system = system
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, universal_newlines=True)
        if self.process.stdout.readline() != "READY\n":
            raise SystemExit("%s: the load did not get ready: %s" % (system.name, keys))

    def go(self):
        pids = self.system.pids()
        before = {pid: cpu_us([pid]) for pid in pids}
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("%s: the load failed" % self.system.name)
        result = json.loads(line)
        result["by_name"], result["by_pid"] = collections.Counter(), {}
        for pid in pids:  # without those that have ended meanwhile, as PostgreSQL's helpers do
            with contextlib.suppress(OSError):
                with open("/proc/%d/comm" % pid) as f:
                    name = f.read().strip()
                result["by_pid"][pid] = cpu_us([pid]) - before[pid]
                result["by_name"][name] += result["by_pid"][pid]
        result["cpu_us"] = sum(result["by_name"].values())
        return result

    def end(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait(30)


def run(args, system, **keys):
    load = Load(args, system, **keys)
    try:
        return load.go()
    finally:
        load.end()


def traffic(args, system, **keys):
    result = run(args, system, ms=args.ms, **keys)
    if result["twice"] or keys["qos"] and (result["lost"] or not result["idle"]):
        raise SystemExit("%s: %s: %s" % (system.name, keys, result))
    return result


def idle_kib(args, system):
    """Of the processes that have the connections, for each with one subscription."""
    before = pss_kib(system.holders())
    load = Load(args, system, idle=args.idle)
    time.sleep(0.5)  # what connecting took is given back
    each = (pss_kib(system.holders()) - before) / args.idle
    load.end()
    return each


class Table(dict):
    """{row: {name: figure}}, printed as it grows."""

    def __init__(self, every):
        super().__init__()
        self.names = [s.name for s in every]
        print("%-42s" % "" + "".join("%14s" % n for n in [*self.names, "ratio"]), flush=True)

    def __setitem__(self, title, figures):
        super().__setitem__(title, figures)
        ratio = "%14.2f" % (figures["starling"] / figures["mosquitto"]) if {"starling", "mosquitto"} <= set(figures) else ""
        print("%-42s" % title + "".join("%14.2f" % figures[n] for n in self.names) + ratio, flush=True)


def wanted(args, title):
    return args.rows in title


def measure(args, every):
    rows = Table(every)
    if wanted(args, title := "idle memory, KiB a connection"):
        rows[title] = {s.name: idle_kib(args, s) for s in every}
    if wanted(args, title := "connect and disconnect, us"):
        connects = {s.name: [] for s in every}
        for _ in range(args.rounds):
            for s in every:
                result = run(args, s, connects=CONNECTS if s.name != "ejabberd" else CONNECTS // 10)
                connects[s.name].append(result["cpu_us"] / result["connects"])
        rows[title] = {name: statistics.median(r) for name, r in connects.items()}
    for shape, options in SHAPES.items():
        for qos in range(3):
            if not wanted(args, title := "%s, QoS %d, us a delivery" % (shape, qos)):
                continue
            spent = {s.name: [] for s in every}
            for i in range(args.rounds):
                for s in every if i == 0 else [s for s in every if s.name != "ejabberd"]:
                    result = traffic(args, s, qos=qos, **options)
                    spent[s.name].append(result["cpu_us"] / max(result["delivered"], 1))
            rows[title] = {name: statistics.median(r) for name, r in spent.items()}
    return rows


def owners(port, pids, count):
    """Ports of 127.0.0.2 by the process that the kernel gives their connections to, `count` for each."""
    sockets, found = {}, {pid: [] for pid in pids}
    for own in range(20000, 20000 + 4 * len(pids) * count):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.bind(("127.0.0.2", own))
        s.connect(("127.0.0.1", port))
        sockets["0200007F:%04X" % own] = s
    time.sleep(0.5)  # until they are accepted
    inodes = {}
    with open("/proc/net/tcp") as f:
        for line in f:
            fields = line.split()
            if fields[2] in sockets:
                inodes["socket:[%s]" % fields[9]] = int(fields[2][-4:], 16)
    for pid in pids:
        for fd in os.listdir("/proc/%d/fd" % pid):
            with contextlib.suppress(OSError):
                own = inodes.get(os.readlink("/proc/%d/fd/%s" % (pid, fd)))
                if own:
                    found[pid].append(own)
    for s in sockets.values():
        s.close()
    if min(len(ports) for ports in found.values()) < count:
        raise SystemExit("the kernel does not spread connections over the brokers")
    return found


def places(owned, pairs, crossing):
    """The clients' ports: publishers at each broker by turns, and so many of four of the subscribers at another one than their publisher."""
    at = [iter(ports) for ports in owned.values()]
    pubs = [i % 2 for i in range(pairs)]
    subs = [pubs[i] ^ (i // 2 % 4 < crossing) for i in range(pairs)]
    return ",".join(str(next(at[k])) for k in pubs + subs)


def several(args):
    """Pairs at one broker and at two, by turns; at two with none, half and all of them apart."""
    figures = {}
    with contextlib.ExitStack() as stack:
        one, two = (stack.enter_context(contextlib.closing(Starling(args, n))) for n in (1, 2))
        owned = owners(two.target["port"], two.brokers, 100)
        busy = subprocess.Popen(["taskset", "-c", "0", sys.executable, "-c", "while True: pass"])
        stack.callback(busy.wait)
        stack.callback(busy.kill)
        for qos in range(3):
            spent, crossed = collections.defaultdict(list), collections.defaultdict(list)
            for i in range(args.rounds + 1):
                for crossing in (None, 0, 2, 4):
                    s, pairs, keys = (one, 50, {}) if crossing is None else (two, 100, {"from": places(owned, 100, crossing)})
                    before = two.crossed()
                    result = traffic(args, s, qos=qos, pubs=pairs, subs=pairs, window=8, **keys)
                    n, ours = max(result["delivered"], 1), [result["by_pid"][pid] for pid in s.brokers]
                    if i > 0:  # connections between brokers are made with the first messages
                        spent[crossing].append(max(ours) / n)
                        crossed[crossing].append((two.crossed() - before) / n)
            cost = {crossing: statistics.median(x) for crossing, x in spent.items()}
            for crossing, name in ((0, "none"), (2, "half"), (4, "all")):
                figures["QoS %d, %s apart" % (qos, name)] = {"one broker, us": cost[None], "the busier of two, us": cost[crossing], "crossed": statistics.median(crossed[crossing]),
                                                             "two cores, times one": cost[None] / cost[crossing]}
    return figures


def lasting(args, system):
    """QoS 1 into sessions that last: every acknowledgement is durable."""
    result = traffic(args, system, qos=1, pubs=50, subs=50, window=32, lasting=1, prefix="lasting")
    names, n = result["by_name"], result["delivered"]
    ours = names.get("mqtt-broker", 0) + names.get("storage", 0)
    return {"messages/s": n / result["seconds"], "broker, us": names.get("mqtt-broker", 0) / n, "storage, us": names.get("storage", 0) / n,
            "messages/s and core of both": n / ours * 1e6, "PostgreSQL, us": sum(spent for name, spent in names.items() if "postgres" in name) / n}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--ms", type=int, default=800)
    parser.add_argument("--idle", type=int, default=5000)
    parser.add_argument("--rows", default="")
    parser.add_argument("--only", default="starling,mosquitto,ejabberd")
    parser.add_argument("--mosquitto", default=shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin"))
    parser.add_argument("--json")
    args = parser.parse_args()
    args.scale = ""
    there = {"starling": True, "mosquitto": args.mosquitto, "ejabberd": shutil.which("ejabberdctl", path=os.environ["PATH"] + ":/usr/sbin")}
    with contextlib.ExitStack() as stack:
        every = []
        for kind in (Starling, Mosquitto, Ejabberd):
            if kind.name not in args.only.split(","):
                continue
            if not there[kind.name]:
                print("%s is not installed" % kind.name, file=sys.stderr)
                continue
            every.append(kind(args))
            stack.callback(every[-1].stop)
        rows = measure(args, every)
        kept = {s.name: lasting(args, s) for s in every if s.name == "starling" and wanted(args, LASTING)}
        for figures in kept.values():
            print("%s: " % LASTING + ", ".join("%s %.1f" % kv for kv in figures.items()), flush=True)
    both = several(args) if "starling" in args.only.split(",") and wanted(args, SEVERAL) else {}
    for qos, figures in both.items():
        print("%s, %s: " % (SEVERAL, qos) + ", ".join("%s %.2f" % kv for kv in figures.items()), flush=True)
    if args.json:
        with open(args.json, "w") as f:
            json.dump({**rows, "lasting": kept, "several": both}, f, indent=1)


main()
