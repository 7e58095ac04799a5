# SPDX-License-Identifier: Apache-2.0
"""Messages from server to server: two of the same kind, with a user of each pair on either, over TLS. All processes of both count."""
import contextlib

from load import message_figures, message_rows, run

HOSTS = ("one.bench.example.net", "two.bench.example.net")
PREFIX = "federated_"


class Two:
    """Looks like one server to the load: its users of even number are on the one, those of odd number on the other."""

    def __init__(self, kind, args, surroundings):
        self.name = kind.name
        self.servers = []
        try:
            for host in HOSTS:
                self.servers.append(kind(args, host, surroundings, True))
        except BaseException:
            self.stop()
            raise

    @property
    def target(self):
        one, two = self.servers
        return {"host": one.host, "port": one.port, "other_host": two.host, "other_port": two.port}

    def register(self, prefix, count):
        for first, server in enumerate(self.servers):
            server.register(prefix, range(first, count, 2))

    def pids(self):
        return [pid for server in self.servers for pid in server.pids()]

    def stop(self):
        with contextlib.ExitStack() as stack:
            for server in self.servers:
                stack.callback(server.stop)


def warm_up(args, two):
    """The first messages find the other server, and prove who is who."""
    if not run(args, two, "chat", users=2, window=1, seconds=5, tls=args.tls)["delivered_all"]:
        raise SystemExit("%s: no message came through" % two.name)


def measure(args, kinds, surroundings):
    """{name: figures}. All are up at a time, and take turns."""
    with contextlib.ExitStack() as stack:
        pairs = []
        for kind in kinds:
            pairs.append(Two(kind, args, surroundings))
            stack.callback(pairs[-1].stop)
            pairs[-1].register("load", args.users)
            warm_up(args, pairs[-1])
        return message_figures(args, pairs, PREFIX, args.federation_rate)


def rows(args):
    return message_rows(PREFIX, args.federation_rate, (("0.2", "5", "", "", ""), ("0.2", "5", "", "", "")))
