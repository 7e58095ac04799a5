#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Breaks a server while a crowd of clients talks through it, then checks the history of every message. docs/reliability.md says what it proves.

usage: chaos.py --bin DIR [--minutes N] [--seed S] ...       exit status 0: the promise was kept; 1: it was not; 2: the run is not valid
"""
import argparse
import asyncio
import contextlib
import json
import os
import random
import shutil
import sys
import tempfile
import time

import crowd
import nemesis
import plan
import sql
from checker import Checker
from history import Log
from liar import LIES
from report import table
from servers import PASSWORD, SERVERS

HERE = os.path.dirname(os.path.abspath(__file__))


class Invalid(Exception):
    """The run says nothing about the server."""


class Worker:
    """A process of ours that takes commands on standard input and answers in lines."""

    def __init__(self, process, on_stats=None):
        self.process, self.on_stats = process, on_stats
        self.phases = asyncio.Queue()
        self.stats = {}
        self.reading = asyncio.get_running_loop().create_task(self.read())

    @classmethod
    async def start(cls, script, argument):
        return cls(await asyncio.create_subprocess_exec(sys.executable, os.path.join(HERE, script), argument, stdin=asyncio.subprocess.PIPE,
                                                        stdout=asyncio.subprocess.PIPE))

    async def read(self):
        async for line in self.process.stdout:
            if line.startswith(b"{"):
                news = json.loads(line)
                self.stats = news["stats"]
                if "phase" in news:
                    self.phases.put_nowait(news["phase"])
            else:
                self.phases.put_nowait(line.decode().strip())
        self.phases.put_nowait("")

    def tell(self, line):
        self.process.stdin.write((line + "\n").encode())

    async def phase(self, name):
        """Waits for the end of a phase; the rest of what was said of it."""
        got, _, rest = (await self.phases.get()).partition(" ")
        if got != name:
            raise Invalid("a process of the test ended in %s" % name)
        return rest

    async def quit(self):
        if self.process.returncode is None:
            self.tell("quit")
            try:
                await asyncio.wait_for(self.process.wait(), 10)
            except asyncio.TimeoutError:
                self.process.kill()
                await self.process.wait()
        await self.reading


class Run:
    """server: one that runs already and is left running; None: one of its own."""

    def __init__(self, args, server=None):
        self.args, self.server, self.own = args, server, server is None
        self.history = args.history or tempfile.mkdtemp(prefix="chaos-")
        self.noted, self.workers, self.links, self.liar = [], [], None, None
        self.unwell = ""        # what was not well again after the last fault
        self.complaint = ""     # what was in the server's logs that no fault explains
        self.started = time.monotonic()
        self.log = Log(os.path.join(self.history, "faults"), self.now)

    def now(self):
        return int((time.monotonic() - self.started) * 1000)

    def note(self, fault, result):
        self.noted.append((fault, result))
        self.log.add("F", result, plan.text(fault).strip())
        self.log.flush()

    def tell(self, line):
        for w in self.workers:
            w.tell(line)

    async def phase(self, name):
        self.tell(name)
        await asyncio.gather(*(w.phase(name) for w in self.workers))

    def config(self, part):
        a, s = self.args, self.server
        return {"seed": a.seed, "part": part, "parts": a.processes, "users": a.users, "first": a.first, "kinds": a.kinds, "rate": a.rate,
                "history": self.history, "start": self.started, "drain": a.drain, "host": s.host, "address": s.address, "port": self.port, "password": PASSWORD, "children": s.children_file, "edge_role": s.edge_role}

    async def progress(self):
        last, turns = 0, 0
        while True:
            await asyncio.sleep(1)
            if self.workers:
                self.server.pids()  # for a server whose supervisor that is
            turns += 1
            if turns % 10:
                continue
            sums = {}
            for w in self.workers:
                for name, n in w.stats.items():
                    sums[name] = sums.get(name, 0) + n
            if sums:
                print("%6.0f s  %d sent, %d acked (%.0f/s), %d waiting, %d of %d online, %d faults" % (
                    self.now() / 1000, sums["sent"], sums["acked"], (sums["acked"] - last) / 10, sums["unacked"], sums["online"], sums["devices"],
                    len(self.noted)), flush=True)
                last = sums["acked"]

    async def inflict(self, faults):
        loop = asyncio.get_running_loop()
        nem = nemesis.Nemesis(self.server, self.tell, self.links.tell if self.links else None, self.note)
        await self.phase("load")
        start = loop.time()
        await nem.run(faults, start)
        # A kind that found no victim (it was being started again) gets another chance.
        for text in nemesis.missing(faults, self.noted):
            await nem.inflict(next(f for f in faults if plan.text(f) == text))
        await asyncio.sleep(max(start + self.args.minutes * 60 - loop.time(), 0))

    async def begin(self):
        a = self.args
        if self.own:
            self.server = SERVERS[a.server](binaries=a.bin)
            if self.server.links:
                self.links = await Worker.start("proxy.py", json.dumps(self.server.links))
                await self.links.phase("ready")
            await asyncio.to_thread(self.server.up, self.users())
        self.port = self.server.port
        if a.lie:
            self.liar = await Worker.start("liar.py", json.dumps({"target": [self.server.address, self.port], "lie": a.lie}))
            self.port = int(await self.liar.phase("ready"))
        self.started = time.monotonic()
        for part in range(a.processes):
            self.workers.append(await Worker.start("crowd.py", json.dumps(self.config(part))))

    def users(self):
        return ["u%02d" % (self.args.first + i) for i in range(self.args.users)]

    def plan(self):
        a = self.args
        return [] if a.no_faults else plan.make(a.seed, a.minutes * 60, SERVERS[a.server].scale, a.interval, a.only)

    async def run(self):
        a = self.args
        crowd.setup(self.history, {"seed": a.seed, "users": a.users, "first": a.first, "kinds": a.kinds})
        faults = self.plan()
        print("seed %d, %.1f minutes, %d users, %d messages/s, %d faults; history in %s" % (
            a.seed, a.minutes, a.users, a.rate, len(faults), self.history), flush=True)
        shown = asyncio.get_running_loop().create_task(self.progress())
        try:
            await self.begin()
            with self.server.expect_faults() if self.own else contextlib.nullcontext():
                await self.inflict(faults)
                await asyncio.to_thread(self.recover)
                await self.phase("drain")
                await self.phase("collect")
                if self.own:
                    await asyncio.to_thread(sql.look, self.server, self.history)
        finally:
            shown.cancel()
            await self.end()
        return self.judge(faults)

    def recover(self):
        try:
            self.server.wait_healthy()
        except AssertionError as complaint:
            self.unwell = str(complaint)
            with open(os.path.join(self.history, "unwell"), "w") as f:
                f.write(self.unwell + "\n" + self.server.postmortem())

    async def end(self):
        """What was started last ends first."""
        for w in self.workers + ([self.liar] if self.liar else []):
            await w.quit()
        self.log.close()
        if self.own and self.server:
            await asyncio.to_thread(self.server.save_logs, os.path.join(self.history, "logs"))
            try:
                await asyncio.to_thread(self.server.close)
            except AssertionError as complaint:
                self.complaint = str(complaint)
        if self.links:
            await self.links.quit()

    def judge(self, faults):
        """(verdict, what makes the run invalid)"""
        checker = Checker(self.history)
        verdict = checker.run()
        if self.unwell:
            verdict.violation("unwell", self.unwell[:2000])
        if self.complaint:
            verdict.violation("logs", self.complaint[:20000])
        text = table(verdict, checker, nemesis.summary(self.noted))
        print(text, flush=True)
        with open(os.path.join(self.history, "verdict.md"), "w") as f:
            f.write(text + "\n")
        missing = nemesis.missing(faults, self.noted)
        return verdict, missing or ([] if verdict.counts["acked"] else ["nothing was acknowledged"])


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--bin", help="folder with the daemons")
    p.add_argument("--server", choices=sorted(SERVERS), default="starling")
    p.add_argument("--minutes", type=float, default=10)
    p.add_argument("--seed", type=int, default=random.randrange(1, 1 << 31))
    p.add_argument("--users", type=int, default=40)
    p.add_argument("--rate", type=float, default=360, help="messages a second over all users")
    p.add_argument("--processes", type=int, default=1, help="client processes")
    p.add_argument("--interval", type=float, default=14, help="seconds between faults")
    p.add_argument("--only", metavar="WORD", help="faults whose target or name holds this, such as session-manager or kill")
    p.add_argument("--drain", type=float, default=120, help="seconds in which all must be acknowledged in the end")
    p.add_argument("--no-faults", action="store_true")
    p.add_argument("--history", help="folder for the history, kept; otherwise a temporary one, kept when the promise was broken")
    p.add_argument("--lie", choices=sorted(LIES), help="between clients and server stands one that lies: the checker must find out")
    p.set_defaults(first=0, kinds=None)
    return p


def check(parser, args):
    if args.minutes <= 0:
        parser.error("--minutes: more than none")
    if args.users < 2:
        parser.error("--users: two at least, to talk to each other")
    if args.only and not plan.make(1, 60, SERVERS[args.server].scale, args.interval, args.only):
        parser.error("--only: no fault is called so (plan.py lists them)")
    if args.server == "starling" and args.bin and not os.access(os.path.join(args.bin, "starlingctl"), os.X_OK):
        parser.error("--bin: there is no starlingctl in %s" % args.bin)
    return args


def main():
    parser = arguments()
    args = check(parser, parser.parse_args())
    run = Run(args)
    try:
        verdict, invalid = asyncio.run(run.run())
    except (Invalid, ValueError) as error:
        print("not a valid run: %s; history in %s" % (error, run.history))
        sys.exit(2)
    if not verdict.ok:
        print("history kept: %s    again: chaos.py --seed %d --minutes %g --users %d --rate %g" % (
            run.history, args.seed, args.minutes, args.users, args.rate))
        sys.exit(1)
    if invalid:
        print("not a valid run: %s" % "; ".join(invalid))
        sys.exit(2)
    if not args.history:
        shutil.rmtree(run.history)


if __name__ == "__main__":
    main()
