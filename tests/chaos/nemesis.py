# SPDX-License-Identifier: Apache-2.0
"""Carries out a plan of faults (plan.py) against a server."""
import asyncio
import os
import signal
import socket

import plan

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


class Nemesis:
    """tell: sends a command to all client processes; links: commands to the link proxies (or None); note: is told each fault that happened."""

    def __init__(self, server, tell, links, note):
        self.server, self.tell, self.links, self.note = server, tell, links, note
        self.stopped = {}       # pid: how many stops hold it
        self.ended = []         # tasks of faults that last

    async def run(self, faults, start):
        loop = asyncio.get_running_loop()
        for f in faults:
            await asyncio.sleep(max(start + f.at - loop.time(), 0))
            self.ended.append(loop.create_task(self.inflict(f)))
        await asyncio.gather(*self.ended)

    async def inflict(self, f):
        if f.action in ("reset", "hole"):
            self.tell("%s %s" % (f.action, f.share) + (" %s" % f.length if f.length else ""))
        elif f.action in ("cut", "silence"):
            self.links("%s %s" % (f.action, f.targets[0]) + (" %s" % f.length if f.length else ""))
            await asyncio.sleep(f.length)
        else:
            pids = [await self.pid(name) for name in f.targets]
            if None in pids:
                self.note(f, "none there")
                return
            self.note(f, "done")
            await getattr(self, f.action)(pids, f.length)
            return
        self.note(f, "done")

    async def pid(self, name):
        for _ in range(APPEAR_S * 5):
            pid = self.server.pids().get(name)
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

    async def kill(self, pids, _):
        self.signal(pids, signal.SIGKILL)

    async def term(self, pids, _):
        self.signal(pids, signal.SIGTERM)

    async def int(self, pids, _):
        self.signal(pids, signal.SIGINT)

    async def stop(self, pids, length):
        everybody = [p for pid in pids for p in family(pid)]
        for p in everybody:
            self.stopped[p] = self.stopped.get(p, 0) + 1
        self.signal(everybody, signal.SIGSTOP)
        try:
            await asyncio.sleep(length)
        finally:
            for p in everybody:
                self.stopped[p] -= 1
            self.signal([p for p in everybody if not self.stopped[p]], signal.SIGCONT)

    async def flush(self, pids, _):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(2)
            try:
                s.connect(self.server.redis_socket)
                s.sendall(b"FLUSHALL\r\n")
                s.recv(64)
            except OSError:
                pass  # it hangs by another fault; the kill empties it as well
        await asyncio.sleep(1)
        self.signal(pids, signal.SIGKILL)


def summary(noted):
    """[(fault, target's role, times)] of what happened."""
    out = {}
    for f, result in noted:
        if result == "done":
            role = "+".join(t.rsplit("-", 1)[0] if t.rsplit("-", 1)[-1].isdigit() else t for t in f.targets)
            out[(role, f.name)] = out.get((role, f.name), 0) + 1
    return [(name, role, n) for (role, name), n in sorted(out.items())]


def missing(faults, noted):
    """Kinds that were planned and never happened."""
    there = {(f.name, f.action, tuple(t.rsplit("-", 1)[0] for t in f.targets)) for f, result in noted if result == "done"}
    return sorted({plan.text(f) for f in faults if (f.name, f.action, tuple(t.rsplit("-", 1)[0] for t in f.targets)) not in there})
