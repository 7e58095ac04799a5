# SPDX-License-Identifier: Apache-2.0
"""What happened, on disk: one append-only file for each device, one for each user's archive, one for the faults.

A line is a tag, milliseconds since the start of the run, and fields, with tabs between them. Devices write

    N incarnation           from here on messages are numbered anew: what was not acknowledged is given up
    C how edge              connected: `bound` or `resumed` (XEP-0198), at that edge
    L why                   the connection is gone
    S recipient number      about to be sent for the first time
    R recipient number      about to be sent again
    A recipient number      acknowledged by the server: covered by <a h/>, <resumed h/> or <failed h/>
    D key id kind flag      delivered. kind: p plain, c carbon of a received one, s carbon of a sent one;
                            flag: - live, d delayed (XEP-0203), e before the own presence came back
    E key condition         came back as an error
    P what                  delivered, but nothing that anybody could have sent
    V what                  the server broke XEP-0198

and archives `M key id`, in the order in which the server gives them. Nothing is read back while it is written.

The key of a message is DEVICE.INCARNATION/RECIPIENT/NUMBER, such as u03.d1.0/u05/17; numbers start at 1 without gaps. Its body is the key and padding
that follows from it, so that a checker knows each byte that may be delivered.
"""
import json
import os
import re
import zlib

KEY = re.compile(r"(u\d+)\.(\w+)\.(\d+)/(u\d+)/(\d+)")
DEVICES, ARCHIVES = "devices", "archives"


def make_key(sender, recipient, number):
    """sender: DEVICE.INCARNATION"""
    return "%s/%s/%d" % (sender, recipient, number)


def make_body(key):
    return key + " " + "." * (zlib.crc32(key.encode()) % 200)


def key_of(body):
    """The key of a body that is as some client wrote it; None: of no such body."""
    key = body.split(" ", 1)[0] if body else ""
    return key if KEY.fullmatch(key) and make_body(key) == body else None


def split_key(key):
    """(device with incarnation, recipient, number)"""
    sender, recipient, number = key.split("/")
    return sender, recipient, int(number)


class Log:
    """One file, written by one process."""

    def __init__(self, path, now):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.file = open(path, "a", buffering=1 << 16, encoding="utf-8")
        self.now = now

    def add(self, tag, *fields):
        self.file.write("\t".join([tag, str(self.now()), *map(str, fields)]) + "\n")

    def flush(self):
        self.file.flush()

    def close(self):
        self.file.close()


def device_log(folder, device, now):
    return Log(os.path.join(folder, DEVICES, device), now)


def archive_log(folder, user, now):
    return Log(os.path.join(folder, ARCHIVES, user), now)


def read(path):
    """Lines of a file as lists of fields; the time is a number."""
    with open(path, encoding="utf-8") as f:
        for line in f:
            fields = line.rstrip("\n").split("\t")
            fields[1] = int(fields[1])
            yield fields


def names(folder, kind):
    path = os.path.join(folder, kind)
    return sorted(os.listdir(path)) if os.path.isdir(path) else []


def devices_of(folder, user):
    return [d for d in names(folder, DEVICES) if d.split(".")[0] == user]


def users(folder):
    return sorted({d.split(".")[0] for d in names(folder, DEVICES)} | set(names(folder, ARCHIVES)))


def save_setup(folder, setup):
    """What the checker must know of the run: {"strict": [users none of whose devices may miss a message], ...}."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "setup.json"), "w") as f:
        json.dump(setup, f, indent=1)


def load_setup(folder):
    with open(os.path.join(folder, "setup.json")) as f:
        return json.load(f)
