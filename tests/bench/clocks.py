# SPDX-License-Identifier: Apache-2.0
"""What processes have used so far: CPU time and memory, from /proc."""
import contextlib
import glob


def descendants(root):
    """root and all processes below it."""
    children = {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        with contextlib.suppress(OSError):
            with open(path) as f:
                rest = f.read().rsplit(")", 1)[1].split()
            children.setdefault(int(rest[1]), []).append(int(path.split("/")[2]))
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue += children.get(pid, [])
    return found


def cpu_us(pids):
    """CPU time of processes so far, from the scheduler's nanoseconds."""
    total = 0
    for pid in pids:
        for path in glob.glob("/proc/%d/task/*/schedstat" % pid):
            with contextlib.suppress(OSError):
                with open(path) as f:
                    total += int(f.read().split()[0])
    return total / 1000


def cpu_by_name(pids):
    """The same by program."""
    total = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            with open("/proc/%d/comm" % pid) as f:
                name = f.read().strip()
            total[name] = total.get(name, 0) + cpu_us([pid])
    return total


def pss_kib(pids):
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            with open("/proc/%d/smaps_rollup" % pid) as f:
                total += sum(int(line.split()[1]) for line in f if line.startswith("Pss:"))
    return total
