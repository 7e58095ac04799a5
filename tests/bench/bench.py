#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The flock and Debian's ejabberd, side by side in one run on loopback: `make bench`.

Both keep an archive of every message for both sides, in PostgreSQL with fsync, and everything else there, too. For each system in turn, for messages that
are archived and for such as are not (no-store, XEP-0334): CPU microseconds of all its processes, databases included, per delivered message, messages a
second at saturation, latency at a fixed rate; then CPU milliseconds a SCRAM-SHA-256 login, memory (PSS) an idle session with and without TLS. Then the same
messages between two servers of each kind that federate (--only federation; --only alone is what comes before). The load comes from xmpp_load (built by
make). Servers are pinned to core 0, the load to core 1, unless --unpinned. Nothing here passes or fails by time: it prints a table, and JSON with --json FILE.
"""
import argparse
import contextlib
import json
import time

import federation
from clocks import pss_kib
from load import KINDS, Load, message_figures, message_rows, run
from systems import Ejabberd, Starling, Surroundings

HOST = "bench.test"
RATE = 1000


def measure(args, kinds, surroundings):
    """Servers alone, one after the other: {name: figures}."""
    return {kind.name: measure_one(args, kind, surroundings) for kind in kinds}


def measure_one(args, kind, surroundings):
    system = kind(args, HOST, surroundings, False)
    try:
        system.register("load", range(max(args.users, args.idle)))
        # First, against fresh processes: what a load leaves behind in a heap would serve the idle ones for nothing.
        fresh = pss_kib(system.pids())
        figures = {"idle_kib": idle_kib(args, system, fresh, 0), "idle_tls_kib": idle_kib(args, system, fresh, 1)}
        figures.update(message_figures(args, [system], "", RATE)[kind.name])
        run(args, system, "login", users=args.users, count=args.users, tls=1)  # the first ones pay the client's PBKDF2
        result = run(args, system, "login", users=args.users, count=args.logins, tls=1)
    finally:
        system.stop()
    figures["login_tls_ms"] = result["cpu_us"] / 1000 / max(result["logins"], 1)
    figures["login_tls_rate"] = result["logins"] / result["seconds"]
    figures["failed_logins"] = result["failed"]
    return figures


def idle_kib(args, system, fresh, secure):
    load = Load(args, system, "idle", users=args.idle, tls=secure, parallel=32)
    time.sleep(6)  # caches and buffers of the login settle; what a crowd needed is given back (services/c2s-edge/crowd.c)
    each = (pss_kib(system.pids()) - fresh) / max(load.ready, 1)
    load.go()
    load.end()
    time.sleep(1)
    return each


ROWS = message_rows("", RATE, (("0.1", "8", "1.5 ms", "5 ms", ""), ("0.33", "", "0.5 ms", "3 ms", ""))) + [
    ("login_tls_ms", "CPU per SCRAM-SHA-256 login with TLS 1.3", "ms", "%.2f", "0.25"),
    ("login_tls_rate", "logins", "1/s", "%.0f", ""),
    ("idle_kib", "memory (PSS) per idle session, no TLS", "KiB", "%.1f", "0.125"),
    ("idle_tls_kib", "memory (PSS) per idle session, TLS 1.3", "KiB", "%.1f", "0.25")]
PARTS = {"alone": measure, "federation": federation.measure}


def show(args, results):
    """The table, of what was measured, and where the microseconds went."""
    names = list(results)
    print("| figure | unit | %s |" % " | ".join([*names, "ratio", "wanted"]))
    print("|---|---|%s" % ("---|" * (len(names) + 2)))
    for key, text, unit, form, wanted in ROWS + federation.rows(args):
        values = [results[n].get(key) for n in names]
        if all(v is None for v in values):
            continue
        cells = ["-" if v is None else form % v for v in values]
        ratio = "%.2f" % (values[0] / values[1]) if len(values) == 2 and all(values) else ""
        print("| %s | %s | %s |" % (text, unit, " | ".join([*cells, ratio, wanted])))
    for name in names:
        for prefix in ("", federation.PREFIX):
            for kind, what, _ in KINDS:
                spent = results[name].get(prefix + kind + "by_name", {})
                if spent:
                    print("%s, %s%s, us a message at saturation: %s" % (
                        name, prefix.replace("_", ", "), what, ", ".join("%s %.1f" % i for i in spent.items() if i[1] >= 0.05)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--only", choices=list(PARTS), help="one part: servers alone, or pairs that federate")
    parser.add_argument("--system", choices=["starling", "ejabberd"], help="one system")
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=6)
    parser.add_argument("--window", type=int, default=4, help="messages in circulation in each pair")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--logins", type=int, default=2000)
    parser.add_argument("--idle", type=int, default=2000)
    parser.add_argument("--federation-rate", type=int, default=100, help="messages a second between two servers, for latency")
    parser.add_argument("--tls", type=int, default=0, help="chat over TLS")
    parser.add_argument("--scale", default="")
    parser.add_argument("--unpinned", dest="pin", action="store_false")
    parser.add_argument("--json")
    args = parser.parse_args()
    if args.users % 2:
        parser.error("--users: pairs are wanted, so an even number")
    kinds = [kind for kind in (Starling, Ejabberd) if args.system in (None, kind.name)]
    results = {kind.name: {} for kind in kinds}
    with contextlib.closing(Surroundings()) as surroundings:
        for part, measure_part in PARTS.items():
            if args.only not in (None, part):
                continue
            for name, figures in measure_part(args, kinds, surroundings).items():
                results[name].update(figures)
    show(args, results)
    if args.json:
        with open(args.json, "w") as f:
            json.dump(results, f, indent=1)


if __name__ == "__main__":
    main()
