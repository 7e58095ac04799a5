# SPDX-License-Identifier: Apache-2.0
"""Carries out a plan of faults (plan.py) against a server."""
import asyncio
import os
import signal
import socket

import plan
from proxy import BACK, THERE

APPEAR_S = 20       # how long to wait for a process that is being started again


def family(pid):
    """A process and all below it: PostgreSQL is many."""
    parents = {}
    for p in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % p) as f:
                parents.setdefault(int(f.read().rsplit(")", 1)[1].split()[1]), []).append(int(p))
        except OSError:
            continue
    out, left = [], [pid]
    while left:
        out.append(left.pop())
        left += parents.get(out[-1], [])
    return out


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def link_name(site, target):
    """By it the proxies know a link (proxy.py)."""
    return "%s.%s" % (site, target) if site else target


class Nemesis:
    """servers: by site (plan.py); tell: sends a command to all client processes; links: commands to the link proxies (or None); note: is told each
    fault that happened."""

    def __init__(self, servers, tell, links, note):
        self.servers, self.tell, self.links, self.note = servers, tell, links, note
        self.stopped = {}       # pid: how many stops hold it
        self.ended = []         # tasks of faults that last

    async def run(self, faults, start):
        loop = asyncio.get_running_loop()
        for f in faults:
            await asyncio.sleep(max(start + f.at - loop.time(), 0))
            self.ended.append(loop.create_task(self.inflict(f)))
        await asyncio.gather(*self.ended)

    async def inflict(self, f):
        if f.target == "clients":
            self.tell("%s %s" % (f.action, f.share) + (" %s" % f.length if f.length else ""))
        elif f.target == "border":
            await getattr(self, "border_" + f.action)(f)
        elif f.action in ("cut", "silence"):
            self.links("%s %s" % (f.action, link_name(f.site, f.targets[0])) + (" %s" % f.length if f.length else ""))
            await asyncio.sleep(f.length)
        else:
            pids = [await self.pid(f.site, name) for name in f.targets]
            if None in pids:
                self.note(f, "none there")
                return
            self.note(f, "done")
            await getattr(self, f.action)(f, pids)
            return
        self.note(f, "done")

    # --- between two servers --------------------------------------------------------------------------------------------

    def ways(self, command, *more):
        for site in plan.SITES:
            self.links(" ".join((command, link_name(site, "border"), *map(str, more))))

    async def border_cut(self, f):
        self.ways("cut", f.length)
        await asyncio.sleep(f.length)

    async def border_cut_one_way(self, f):
        """Who connects to that side; the connections that it makes itself stand."""
        self.links("cut %s %s" % (link_name(f.site, "border"), f.length))
        await asyncio.sleep(f.length)

    async def border_silence(self, f):
        self.ways("silence", f.length)
        await asyncio.sleep(f.length)

    async def border_silence_one_way(self, f):
        """Nothing reaches that side: neither what others say over their connections, nor what they answer over its own."""
        for site in plan.SITES:
            self.links("silence %s %s %d" % (link_name(site, "border"), f.length, THERE if site == f.site else BACK))
        await asyncio.sleep(f.length)

    async def border_lose(self, f):
        """What was said in the silence is never heard: the connections are reset before it ends."""
        self.ways("silence", f.length)
        await asyncio.sleep(max(f.length - 0.5, 0))
        self.ways("cut", 1)
        await asyncio.sleep(1)

    async def border_freeze(self, f):
        """Meanwhile new connections serve; what the old ones held arrives when it ends."""
        self.ways("freeze", f.length)
        await asyncio.sleep(f.length)

    # --- processes ------------------------------------------------------------------------------------------------------

    async def pid(self, site, name):
        for _ in range(APPEAR_S * 5):
            pid = self.servers[site].pids().get(name)
            if pid and alive(pid):
                return pid
            await asyncio.sleep(0.2)
        return None

    def signal(self, pids, number):
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    async def kill(self, f, pids):
        self.signal(pids, signal.SIGKILL)

    async def term(self, f, pids):
        self.signal(pids, signal.SIGTERM)

    async def int(self, f, pids):
        self.signal(pids, signal.SIGINT)

    async def stop(self, f, pids):
        everybody = [p for pid in pids for p in family(pid)]
        for p in everybody:
            self.stopped[p] = self.stopped.get(p, 0) + 1
        self.signal(everybody, signal.SIGSTOP)
        try:
            await asyncio.sleep(f.length)
        finally:
            for p in everybody:
                self.stopped[p] -= 1
            self.signal([p for p in everybody if not self.stopped[p]], signal.SIGCONT)

    async def flush(self, f, pids):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(2)
            try:
                s.connect(self.servers[f.site].redis_socket)
                s.sendall(b"FLUSHALL\r\n")
                s.recv(64)
            except OSError:
                pass  # it hangs by another fault; the kill empties it as well
        await asyncio.sleep(1)
        self.signal(pids, signal.SIGKILL)


def summary(noted):
    """[(fault, target, times)] of what happened."""
    out = {}
    for f, result in noted:
        if result == "done":
            out[(f.target, f.name)] = out.get((f.target, f.name), 0) + 1
    return [(name, target.replace("*", ""), n) for (target, name), n in sorted(out.items())]


def missing(faults, noted):
    """Of kinds that were planned and never happened."""
    there = {(f.name, f.target) for f, result in noted if result == "done"}
    return [f for f in faults if (f.name, f.target) not in there]
