# SPDX-License-Identifier: Apache-2.0
"""Which process serves a connection: instances share their ports, so that only the kernel knows. Read from /proc (Linux)."""
import os

ESTABLISHED = "01"


class Edges:
    """children: file in which a supervisor lists its processes (name first, pid fourth); only those of `role` are looked at."""

    def __init__(self, children, role):
        self.children, self.role = children, role
        self.sockets = {}       # inode: name

    def name(self, transport):
        """The name of the instance at the other end; "?" when it cannot be told."""
        try:
            inode = self.inode(transport.get_extra_info("sockname")[1], transport.get_extra_info("peername")[1])
        except (TypeError, OSError):
            return "?"
        if inode is None:
            return "?"
        if inode not in self.sockets:
            self.sockets = {}
            for name, pid in self.pids():
                self.look(name, pid)
        return self.sockets.get(inode, "?")

    def inode(self, ours, theirs):
        wanted = (":%04X" % theirs, ":%04X" % ours)
        with open("/proc/net/tcp") as f:
            for line in f:
                fields = line.split()
                if fields[1].endswith(wanted[0]) and fields[2].endswith(wanted[1]) and fields[3] == ESTABLISHED:
                    return fields[9]
        return None

    def pids(self):
        try:
            with open(self.children) as f:
                rows = [line.split() for line in f]
        except OSError:
            return []
        return [(r[0], int(r[3])) for r in rows if r[0].startswith(self.role)]

    def look(self, name, pid):
        folder = "/proc/%d/fd" % pid
        try:
            for fd in os.listdir(folder):
                target = os.readlink(os.path.join(folder, fd))
                if target.startswith("socket:["):
                    self.sockets[target[8:-1]] = name
        except OSError:
            pass
