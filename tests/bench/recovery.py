#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How long a kill is felt: kill -9 of one instance, or of all of a role, in a flock with two of each daemon; then, from the kill on, the time until

  message   what one client says is accepted, and has reached another (both were there before, and their edges live unless an edge was killed)
  login     somebody else has logged in, bound and has his presence back
  new       what he says has reached somebody

Each kill has a flock of its own, since a supervisor waits longer before each restart. Prints median and worst in seconds; ends with 1 when something did not come back.
"""
import argparse
import os
import shutil
import signal
import statistics
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/system"))

from flock import Flock  # noqa: E402
from xmpp import Client, Closed, StreamError  # noqa: E402

DAEMONS = ("router", "auth", "storage", "session-manager", "c2s-edge")
SCALE = ",".join("%s=2" % d for d in DAEMONS)
STORES = ("redis", "postgres")
PASSWORD = "secret"
PATIENCE = 60
COLUMNS = ("message", "login", "new")
GONE = (OSError, Closed, StreamError, AssertionError)


def again(what, since):
    """Until it works: a client whose connection or login breaks tries again."""
    while True:
        try:
            return what()
        except GONE:
            if time.monotonic() - since > PATIENCE:
                raise
            time.sleep(0.02)


class Pair:
    """Two who talk, each with a connection that it makes anew when it breaks."""

    def __init__(self, flock):
        self.flock = flock
        self.clients = {}

    def client(self, user):
        if user not in self.clients:
            self.clients[user] = Client(self.flock, timeout=PATIENCE).login(user, PASSWORD).online()
        return self.clients[user]

    def __call__(self, sender, recipient, what):
        """What the sender does is done, whoever of them has to log in again for it."""
        try:
            a, b = self.client(sender), self.client(recipient)
            what(a, b)
        except GONE:
            for user in (sender, recipient):
                self.clients.pop(user, None)
            raise


def say(a, b):
    """The answer to the ping comes behind the message: what was written to a connection that has just died is not waited for."""
    text = "at %r" % time.monotonic()
    a.message(b.jid, text)
    a.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=a.host)
    b.wait_message(text)


def measure(binaries, role, every):
    flock = Flock(binaries=binaries)
    try:
        flock.up(SCALE)
        for user in ("one", "two", "three"):
            flock.register(user, PASSWORD)
        pair = Pair(flock)
        pair("one", "two", say)
        names = [row["name"] for row in flock.status() if row["role"] == role]
        victims = [flock.children()[name] for name in (names if every else names[:1])]
        begin = time.monotonic()
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        took = []
        for step in (lambda: pair("one", "two", say), lambda: pair.client("three"), lambda: pair("three", "two", say)):
            again(step, begin)
            took.append(time.monotonic() - begin)
        return took
    finally:
        flock.down()
        shutil.rmtree(flock.directory, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=os.path.join(ROOT, "build/release/bin"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", help="these roles, with commas")
    args = parser.parse_args()
    print("| killed | " + " | ".join("%s: median, worst" % c for c in COLUMNS) + " |")
    print("|---|" + "---:|" * len(COLUMNS))
    for role in (args.only.split(",") if args.only else DAEMONS + STORES):
        for every in ((True,) if role in STORES else (False, True)):
            rows = [measure(args.bin, role, every) for _ in range(args.rounds)]
            cells = ["%.1f, %.1f" % (statistics.median(column), max(column)) for column in zip(*rows)]
            print("| %s%s | %s |" % (role, "" if role in STORES else ", both" if every else ", one of two", " | ".join(cells)), flush=True)


if __name__ == "__main__":
    main()
