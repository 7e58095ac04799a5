#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Breaks a server, or two that federate, while a crowd of clients talks through it, then checks the history of every message. docs/reliability.md
says what it proves.

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
from pair import Border
from report import table
from servers import PASSWORD, SCALES, SERVERS
from stanza import home

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
    """server: one that runs already and is left running; None: one of its own, or a pair."""

    def __init__(self, args, server=None):
        self.args, self.own = args, server is None
        self.servers = {"": server} if server else {}   # by site (plan.py)
        self.border = None
        self.history = args.history or tempfile.mkdtemp(prefix="chaos-")
        self.noted, self.workers, self.links, self.liar, self.liar_port = [], [], None, None, None
        self.unwell = []        # what was not well again after the last fault
        self.complaints = []    # what was in the servers' logs that no fault explains
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
        a = self.args
        sites = [{"host": s.host, "address": s.address, "port": self.liar_port or s.port, "children": s.children_file, "edge_role": s.edge_role}
                 for s in self.servers.values()]
        return {"seed": a.seed, "part": part, "parts": a.processes, "users": a.users, "first": a.first, "kinds": a.kinds, "rate": a.rate,
                "history": self.history, "start": self.started, "drain": a.drain, "sites": sites, "password": PASSWORD}

    async def progress(self):
        last, turns = 0, 0
        while True:
            await asyncio.sleep(1)
            for server in self.servers.values() if self.workers else ():
                server.pids()  # for one whose supervisor that is
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
        nem = nemesis.Nemesis(self.servers, self.tell, self.links.tell if self.links else None, self.note)
        await self.phase("load")
        start, again = loop.time(), []
        await nem.run(faults, start)
        # A kind that found no victim (it was being started again) gets another chance.
        while late := [f for f in nemesis.missing(faults, self.noted) if f not in again]:
            again.append(late[0])
            await nem.inflict(late[0])
        await asyncio.sleep(max(start + self.args.minutes * 60 - loop.time(), 0))

    async def begin(self):
        a = self.args
        if self.own:
            await self.build()
            await asyncio.gather(*(asyncio.to_thread(server.up, self.users_of(site)) for site, server in self.servers.items()))
        if a.lie:
            server = self.servers[""]
            self.liar = await Worker.start("liar.py", json.dumps({"target": [server.address, server.port], "lie": a.lie}))
            self.liar_port = int(await self.liar.phase("ready"))
        self.started = time.monotonic()
        for part in range(a.processes):
            self.workers.append(await Worker.start("crowd.py", json.dumps(self.config(part))))

    async def build(self):
        if self.args.pair:
            self.border = await asyncio.to_thread(Border, self.args.bin)
            self.servers = self.border.servers
        else:
            self.servers = {"": SERVERS[self.args.server](binaries=self.args.bin)}
        links = {nemesis.link_name(site, name): link for site, server in self.servers.items() for name, link in server.links.items()}
        links.update(self.border.links if self.border else {})
        if links:
            self.links = await Worker.start("proxy.py", json.dumps(links))
            ports = json.loads(await self.links.phase("ready"))
            if self.border:
                self.border.open(ports)

    def users_of(self, site):
        sites = list(self.servers)
        return [u for u in self.users() if sites[home(u, len(sites))] == site]

    def users(self):
        return ["u%02d" % (self.args.first + i) for i in range(self.args.users)]

    def plan(self):
        a = self.args
        return [] if a.no_faults else plan.make(a.seed, a.minutes * 60, scales(a), a.interval, a.only)

    async def run(self):
        a = self.args
        crowd.setup(self.history, {"seed": a.seed, "users": a.users, "first": a.first, "kinds": a.kinds, "servers": len(scales(a))})
        faults = self.plan()
        print("seed %d, %.1f minutes, %d users, %d messages/s, %d faults; history in %s" % (
            a.seed, a.minutes, a.users, a.rate, len(faults), self.history), flush=True)
        shown = asyncio.get_running_loop().create_task(self.progress())
        try:
            await self.begin()
            with contextlib.ExitStack() as expected:
                for server in self.servers.values() if self.own else ():
                    expected.enter_context(server.expect_faults())
                await self.inflict(faults)
                await self.come_to_rest()
                await self.phase("collect")
                if self.own:
                    await asyncio.to_thread(sql.look, self.servers.values(), self.history)
        finally:
            shown.cancel()
            await self.end()
        return self.judge(faults)

    async def come_to_rest(self):
        """All is well, all is acknowledged, and nothing waits between servers."""
        await asyncio.gather(*(asyncio.to_thread(self.recover, site, server) for site, server in self.servers.items()))
        await self.phase("drain")
        if self.border:
            deadline = time.monotonic() + self.args.drain
            while any([await asyncio.to_thread(sql.spooled, server) for server in self.servers.values()]):
                if time.monotonic() > deadline:
                    self.unwell.append("stanzas for the other server still wait in the store")
                    break
                await asyncio.sleep(0.2)
            await self.phase("quiet")

    def recover(self, site, server):
        try:
            server.wait_healthy()
        except AssertionError as complaint:
            self.unwell.append(str(complaint))
            with open(os.path.join(self.history, "unwell" + site), "w") as f:
                f.write("%s\n%s" % (complaint, server.postmortem()))

    async def end(self):
        """What was started last ends first."""
        for w in self.workers + ([self.liar] if self.liar else []):
            await w.quit()
        self.log.close()
        if self.own:
            await asyncio.gather(*(asyncio.to_thread(self.close, site, server) for site, server in self.servers.items()))
        if self.links:
            await self.links.quit()
        if self.border:
            self.border.close()

    def close(self, site, server):
        server.save_logs(os.path.join(self.history, "logs", site))
        try:
            server.close()
        except AssertionError as complaint:
            self.complaints.append(str(complaint))

    def judge(self, faults):
        """(verdict, what makes the run invalid)"""
        checker = Checker(self.history)
        verdict = checker.run()
        for text in self.unwell:
            verdict.violation("unwell", text[:2000])
        for text in self.complaints:
            verdict.violation("logs", text[:20000])
        text = table(verdict, checker, nemesis.summary(self.noted))
        print(text, flush=True)
        with open(os.path.join(self.history, "verdict.md"), "w") as f:
            f.write(text + "\n")
        missing = [plan.text(f) for f in nemesis.missing(faults, self.noted)]
        return verdict, missing or ([] if verdict.counts["acked"] else ["nothing was acknowledged"])


def scales(args):
    """Of each server its instances."""
    return SCALES if args.pair else (SERVERS[args.server].scale,)


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--bin", help="folder with the daemons")
    p.add_argument("--server", choices=sorted(SERVERS), default="starling")
    p.add_argument("--pair", action="store_true", help="two flocks that federate, half of the users on each; what is between them breaks, too")
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
    if args.pair and (args.server != "starling" or args.lie):
        parser.error("--pair: of starlings, to whose users nobody lies")
    if args.pair and args.users < 4:
        parser.error("--users: four at least, to talk to each other on both sides")
    if args.only and not plan.make(1, 60, scales(args), args.interval, args.only):
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
        print("history kept: %s    again: chaos.py %s--seed %d --minutes %g --users %d --rate %g" % (
            run.history, "--pair " if args.pair else "", args.seed, args.minutes, args.users, args.rate))
        sys.exit(1)
    if invalid:
        print("not a valid run: %s" % "; ".join(invalid))
        sys.exit(2)
    if not args.history:
        shutil.rmtree(run.history)


if __name__ == "__main__":
    main()
