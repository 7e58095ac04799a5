#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a relayed file costs: --gib gibibytes from one client to another through proxy65, --runs times. Prints the time that passed and the relay's CPU seconds for each
gibibyte, and its memory in the end. Sender and receiver run on the same machine, in this process."""
import argparse
import os
import socket
import sys
import threading
import time

from clocks import cpu_us, pss_kib

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/system"))

from flock import Flock  # noqa: E402
from socks import NS_BYTESTREAMS, Socks, hash_of  # noqa: E402
from xmpp import Client, q  # noqa: E402


def send(end, size):
    block = bytes(1 << 20)
    for _ in range(size >> 20):
        end.send(block)
    end.sock.shutdown(socket.SHUT_WR)


def transfer(people, sid, size):
    """Seconds until the last byte."""
    juliet, romeo = people
    relay = "proxy." + juliet.host
    host, = juliet.iq("get", "<query xmlns='%s'/>" % NS_BYTESTREAMS, to=relay).find(q(NS_BYTESTREAMS, "query"))
    place, name = (host.get("host"), int(host.get("port"))), hash_of(sid, juliet.jid, romeo.jid)
    with Socks(place).join(name) as target, Socks(place).join(name) as requester:
        juliet.iq("set", "<query xmlns='%s' sid='%s'><activate>%s</activate></query>" % (NS_BYTESTREAMS, sid, romeo.jid), to=relay)
        thread, began, left, buffer = threading.Thread(target=send, args=(requester, size)), time.monotonic(), size, bytearray(1 << 20)
        thread.start()
        while left > 0:
            n = target.sock.recv_into(buffer)
            assert n > 0, "the stream ended early"
            left -= n
        thread.join()
        return time.monotonic() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", default=os.path.join(ROOT, "build/release/bin"))
    parser.add_argument("--gib", type=int, default=4)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    flock = Flock(binaries=options.bin, settings={"services": {"proxy65": {"announce": {"host": "127.0.0.1"}}}})
    try:
        flock.up(scale="proxy65=1")
        for user in ("juliet", "romeo"):
            flock.register(user, "secret")
        people = [Client(flock).login(user, "secret").online() for user in ("juliet", "romeo")]
        relay = flock.pid("proxy65-1")
        for run in range(options.runs):
            before = cpu_us([relay])
            seconds = transfer(people, "run%d" % run, options.gib << 30)
            print("%.1f s, %.0f MiB/s, relay: %.2f CPU s for each GiB" % (
                seconds, (options.gib << 10) / seconds, (cpu_us([relay]) - before) / 1e6 / options.gib))
        print("relay: %.1f MiB" % (pss_kib([relay]) / 1024))
    finally:
        flock.close()


main()
