#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""turn-relay and Debian's coturn side by side on loopback: `make turn-bench`, or tests/bench/turn.py [--rounds N] [--seconds N] [--json FILE].

Both with one relay thread, long-term credentials, UDP unless said otherwise, pinned to core 0; the load (build/bench/turn_load) on core 1. They are up at the same time and take turns, round by
round. Prints a table: the median of the rounds. Nothing here passes or fails. turnutils_uclient's own figures can be had with --uclient.
"""
import argparse
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests/system"), os.path.join(ROOT, "tests/turn")]

from relay import Relay  # noqa: E402

USER, PASSWORD = "juliet", "balcony"
# name: options of turn_load
CASES = {
    "thin, saturation: 1,000 flows of 172 bytes, window 1": {"flows": 1000, "size": 172, "window": 1},
    "thin, 50,000 packets/s: 1,000 flows of 172 bytes": {"flows": 1000, "size": 172, "rate": 25000},
    "fat: 8 flows of 1,200 bytes, window 64": {"flows": 8, "size": 1200, "window": 64},
    "100 flows of 172 bytes, window 4": {"flows": 100, "size": 172, "window": 4},
    "fat, TCP: 8 flows of 1,200 bytes, window 16": {"flows": 8, "size": 1200, "window": 16, "transport": "tcp"},
}


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def pin(pid, core):
    for task in os.listdir("/proc/%d/task" % pid):
        os.sched_setaffinity(int(task), {core})


class Starling:
    name = "turn-relay"

    def __init__(self, binaries):
        os.environ["STARLING_BIN"] = binaries
        self.relay = Relay({"workers": 1, "addresses": ["127.0.0.1"], "limits": {"rate": 0, "packets": 0, "user_allocations": 1000000, "address_allocations": 1000000,
                                                                                    "allocations": 1000000}})
        self.relay.up()
        self.port, self.pid = self.relay.port, self.relay.flock.pid("turn-relay-1")

    def renew(self):
        pass

    def stop(self):
        self.relay.close()


class Coturn:
    name = "coturn"

    def __init__(self):
        self.folder, self.port = tempfile.mkdtemp(prefix="coturn-"), free_port()
        self.process = subprocess.Popen(
            ["turnserver", "-n", "-L", "127.0.0.1", "-E", "127.0.0.1", "-p", str(self.port), "-m", "1", "--lt-cred-mech", "-u", "%s:%s" % (USER, PASSWORD), "-r", "bench",
             "--no-tls", "--no-dtls", "--no-cli", "--allow-loopback-peers", "--log-file", self.folder + "/log", "--simple-log", "--pidfile", self.folder + "/pid",
             "--userdb", self.folder + "/db", "--min-port", "20000", "--max-port", "48000"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.pid = self.process.pid
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise SystemExit("coturn does not start")

    def renew(self):
        """Clients at ports that an earlier run's had are at times answered without REALM and NONCE."""
        self.stop()
        self.__init__()

    def stop(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def load(server, **options):
    command = ["taskset", "-c", "1", os.path.join(ROOT, "build/bench/turn_load"), "port=%d" % server.port, "pid=%d" % server.pid, "user=" + USER, "password=" + PASSWORD,
               *("%s=%s" % o for o in options.items())]
    pin(server.pid, 0)
    result = subprocess.run(command, stdout=subprocess.PIPE, universal_newlines=True, timeout=300)
    if result.returncode:
        raise SystemExit("turn_load failed at %s: %s" % (server.name, options))
    return json.loads(result.stdout)


def uclient(server, seconds):
    """What coturn's client says of 100 flows: packets and round trip, not CPU."""
    peer = subprocess.Popen(["turnutils_peer", "-p", "3480", "-L", "127.0.0.1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        out = subprocess.run(["turnutils_uclient", "-p", str(server.port), "-u", USER, "-w", PASSWORD, "-e", "127.0.0.1", "-c", "-n", str(seconds * 50), "-m", "100", "-l", "170",
                              "127.0.0.1"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, timeout=300).stdout
    finally:
        peer.kill()
        peer.wait()
    return re.findall(r"(?:Total lost packets.*|Average round trip delay.*|Average jitter.*)", out)


def median(rows, key):
    return statistics.median(r[key] for r in rows)


def measure(servers, args):
    results = {s.name: {} for s in servers}
    for title, options in [*CASES.items(), ("allocations", None)]:
        rows = {s.name: [] for s in servers}
        for _ in range(args.rounds):
            for server in servers:
                if options is None:
                    server.renew()
                rows[server.name].append(load(server, memory=1, flows=args.allocations) if options is None else load(server, seconds=args.seconds, **options))
        for name, r in rows.items():
            results[name][title] = {key: median(r, key) for key in r[0]}
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--allocations", type=int, default=2000)
    parser.add_argument("--bin", default=os.path.join(ROOT, "build/release/bin"))
    parser.add_argument("--uclient", action="store_true")
    parser.add_argument("--json")
    args = parser.parse_args()
    servers = [Starling(args.bin), Coturn()]
    try:
        results = measure(servers, args)
        for title in (*CASES, "allocations"):
            print(title)
            for key in results["coturn"][title]:
                ours, theirs = results["turn-relay"][title][key], results["coturn"][title][key]
                print("  %-20s turn-relay %12.3f   coturn %12.3f   ratio %.2f" % (key, ours, theirs, ours / theirs if theirs else float("nan")))
        for server in servers if args.uclient else []:
            print(server.name, *uclient(server, args.seconds), sep="\n  ")
        if args.json:
            with open(args.json, "w") as f:
                json.dump(results, f, indent=1)
    finally:
        for server in servers:
            server.stop()


if __name__ == "__main__":
    main()
