# SPDX-License-Identifier: Apache-2.0
"""Runs of xmpp_load against a system, what they cost, and the figures and rows of messages, which a server alone and a federated pair have alike."""
import contextlib
import json
import os
import statistics
import subprocess

from clocks import cpu_by_name, cpu_us
from systems import PASSWORD, ROOT

KINDS = (("", "archived", ""), ("passing_", "no-store", "<no-store xmlns='urn:xmpp:hints'/>"))  # XEP-0334


class Load:
    """One run against a system, with clocks read around its busy part."""

    def __init__(self, args, system, mode, **keys):
        keys = {**system.target, "password": PASSWORD, "prefix": "load", **keys}
        command = [os.path.join(ROOT, args.build, "bench/xmpp_load"), mode] + ["%s=%s" % kv for kv in keys.items()]
        self.system = system
        pin = ["taskset", "-c", "1"] if args.pin else []
        self.process = subprocess.Popen(pin + command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, universal_newlines=True)
        ready = self.process.stdout.readline().split()
        if not ready or ready[0] != "READY":
            raise SystemExit("the load did not get ready: %r" % ready)
        self.ready = int(ready[1])

    def go(self):
        pids = self.system.pids()
        before, names = cpu_us(pids), cpu_by_name(pids)
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        result = json.loads(self.process.stdout.readline())
        result["cpu_us"] = cpu_us(pids) - before
        result["by_name"] = {name: spent - names.get(name, 0) for name, spent in cpu_by_name(pids).items()}
        if result["bounced"]:
            raise SystemExit("%s: %d messages came back" % (self.system.name, result["bounced"]))
        return result

    def end(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write("end\n")
            self.process.stdin.close()
        self.process.wait(30)


def run(args, system, mode, **keys):
    load = Load(args, system, mode, **keys)
    try:
        return load.go()
    finally:
        load.end()


def take_turns(args, systems, mode, **keys):
    """Rounds of all systems, {name: results}; in turn, so that whatever else the machine does meets each of them."""
    results = {system.name: [] for system in systems}
    for _ in range(args.rounds):
        for system in systems:
            results[system.name].append(run(args, system, mode, users=args.users, seconds=args.seconds, size=64, tls=args.tls, **keys))
    return results


def message_figures(args, systems, prefix, rate):
    """At saturation and at a rate, archived and not: {name: figures}; keys begin with the prefix."""
    figures = {system.name: {} for system in systems}
    for kind, _, extra in KINDS:
        key = prefix + kind
        for name, rounds in take_turns(args, systems, "chat", window=args.window, extra=extra).items():
            figures[name][key + "chat_us"] = statistics.median(r["cpu_us"] / max(r["delivered_all"], 1) for r in rounds)
            figures[name][key + "by_name"] = {n: c / max(rounds[-1]["delivered_all"], 1) for n, c in sorted(rounds[-1]["by_name"].items()) if c > 0}
            figures[name][key + "chat_rate"] = statistics.median(r["delivered"] / r["seconds"] for r in rounds)
        for name, rounds in take_turns(args, systems, "rate", rate=rate, extra=extra).items():
            figures[name][key + "p50_us"] = statistics.median(r["p50_us"] for r in rounds)
            figures[name][key + "p99_us"] = statistics.median(r["p99_us"] for r in rounds)
            figures[name][key + "rate_us"] = statistics.median(r["cpu_us"] / max(r["delivered_all"], 1) for r in rounds)
    return figures


def message_rows(prefix, rate, wanted):
    """For the table: key, text, unit, format, what is wanted. wanted: five marks for each kind."""
    rows = []
    for (kind, what, _), marks in zip(KINDS, wanted):
        rows += zip((prefix + kind + key for key in ("chat_us", "chat_rate", "p50_us", "p99_us", "rate_us")),
                    ("%s%s: %s" % (prefix.replace("_", ", "), what, text) for text in (
                        "CPU of all processes, per delivered message", "delivered messages at saturation", "latency at {:,} messages/s, median".format(rate),
                        "latency at {:,} messages/s, 99th percentile".format(rate), "CPU per message at {:,} messages/s".format(rate))),
                    ("us", "1/s", "us", "us", "us"), ("%.1f", "%.0f", "%.0f", "%.0f", "%.1f"), marks)
    return rows
