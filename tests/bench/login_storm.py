#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Everybody comes back at once: so many users of one flock connect in the same moment, and log in with SCRAM-SHA-256 over TLS 1.3.

The flock has its default limits, one instance of each daemon unless --scale says otherwise; users come from --sources addresses of 127.0.0.0/8. They are copies of
one account, so that the load computes its PBKDF2 once. Prints how long it took, and CPU and memory of each program; ends with 1 when a login failed.
"""
import argparse
import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
import time

from clocks import cpu_us, descendants, pss_kib

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/system"))

from flock import Flock  # noqa: E402

HOST = "bench.test"
PASSWORD = "secret"
COPIES = """
INSERT INTO accounts (host, local) SELECT host, 'load' || n FROM accounts, generate_series(1, %d) n WHERE local = 'load0';
INSERT INTO credentials (account_id, hash, salt, iterations, stored_key, server_key)
    SELECT b.id, c.hash, c.salt, c.iterations, c.stored_key, c.server_key
    FROM accounts a JOIN credentials c ON c.account_id = a.id, accounts b WHERE a.local = 'load0' AND b.local <> 'load0';
ANALYZE;
"""


def make_accounts(flock, users):
    flock.register("load0", PASSWORD)
    subprocess.run(["psql", "-q", "-v", "ON_ERROR_STOP=1", "-h", os.path.join(flock.state, "run/pg"), "-U", "starling", "starling"], input=COPIES % (users - 1),
                   universal_newlines=True, check=True)


def peak_kib(pids):
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            with open("/proc/%d/status" % pid) as f:
                total += sum(int(line.split()[1]) for line in f if line.startswith("VmHWM:"))
    return total


class Programs:
    """What the supervisor runs, PostgreSQL with its backends; clocks and memory of each."""

    def __init__(self, flock):
        self.roots = flock.children()

    def read(self):
        families = {name: descendants(pid) for name, pid in self.roots.items()}
        return {name: {"cpu_us": cpu_us(pids), "pss_kib": pss_kib(pids), "peak_kib": peak_kib(pids)} for name, pids in families.items()}


def storm(args, flock):
    """One crowd; its figures."""
    command = [args.load, "storm", "host=" + HOST, "port=%d" % flock.port, "password=" + PASSWORD, "prefix=load", "tls=1", "users=%d" % args.users,
               "sources=%d" % args.sources, "seconds=%d" % args.patience]
    pin = ["taskset", "-c", "1"] if args.pin else []
    programs = Programs(flock)
    with subprocess.Popen(pin + command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, universal_newlines=True) as load:
        if not load.stdout.readline().startswith("READY"):
            raise SystemExit("the load did not get ready")
        before = programs.read()
        load.stdin.write("go\n")
        load.stdin.flush()
        result = json.loads(load.stdout.readline())
        after = programs.read()
        time.sleep(args.rest)
        rested = programs.read()
    result["failed"] = args.users - result["logins"]
    result["programs"] = {name: {"cpu_ms": (a["cpu_us"] - before[name]["cpu_us"]) / 1000, "before_mib": before[name]["pss_kib"] / 1024,
                                 "after_mib": a["pss_kib"] / 1024, "rested_mib": rested[name]["pss_kib"] / 1024, "peak_mib": a["peak_kib"] / 1024} for name, a in after.items()}
    return result


def show(result):
    print("%d logged in, %d failed, %.1f s; a login took %.1f s (median), %.1f s (99 %%), %.1f s (the last)" % (
        result["logins"], result["failed"], result["seconds"], result["p50_us"] / 1e6, result["p99_us"] / 1e6, result["max_us"] / 1e6))
    logins = max(result["logins"], 1)
    print("\n| program | CPU, s | CPU a login, ms | memory before, MiB | with all of them | a while later | peak |\n|---|---:|---:|---:|---:|---:|---:|")
    for name, p in result["programs"].items():
        print("| %s | %.1f | %.2f | %.1f | %.1f | %.1f | %.1f |" % (
            name, p["cpu_ms"] / 1000, p["cpu_ms"] / logins, p["before_mib"], p["after_mib"], p["rested_mib"], p["peak_mib"]))
    cpu = sum(p["cpu_ms"] for p in result["programs"].values())
    print("| all | %.1f | %.2f | %.1f | %.1f | %.1f | |" % (cpu / 1000, cpu / logins, *(
        sum(p[when] for p in result["programs"].values()) for when in ("before_mib", "after_mib", "rested_mib"))))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default=os.path.join(ROOT, "build/release/bin"))
    parser.add_argument("--load", default=os.path.join(ROOT, "build/bench/xmpp_load"))
    parser.add_argument("--users", type=int, default=10000)
    parser.add_argument("--sources", type=int, default=1000, help="addresses that they come from; 0: one")
    parser.add_argument("--patience", type=int, default=120, help="seconds until a login that has not ended has failed")
    parser.add_argument("--rounds", type=int, default=1, help="crowds, one after the other")
    parser.add_argument("--rest", type=float, default=6, help="seconds until memory is looked at once more")
    parser.add_argument("--scale", default="")
    parser.add_argument("--pin", action="store_true", help="the flock on core 0, the load on core 1")
    parser.add_argument("--json")
    args = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    flock = Flock(binaries=args.bin, hosts=(HOST,), settings={"stall_warn": "1s", "services": {"auth": {"iterations": 4096}}})
    if args.pin:
        os.sched_setaffinity(0, {0})
    try:
        flock.up(scale=args.scale)
        os.sched_setaffinity(0, range(os.cpu_count()))
        make_accounts(flock, args.users)
        results = [storm(args, flock) for _ in range(args.rounds)]
    finally:
        flock.down()
    for result in results:
        show(result)
    if args.json:
        with open(args.json, "w") as f:
            json.dump(results, f, indent=1)
    for complaint in flock.fresh_complaints():
        print("logged: " + complaint)
    shutil.rmtree(flock.directory, ignore_errors=True)
    return 1 if any(r["failed"] for r in results) else 0


if __name__ == "__main__":
    sys.exit(main())
