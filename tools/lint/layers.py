#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that includes never go upward, and that a service never includes another's headers.

usage: layers.py FILE...

Layers, lowest first: common/base, the other libraries of common/, ipc/, common/daemon, services/. Tests and fuzz targets stand above all.
Quoted includes are written from the repository root.
"""
import posixpath
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"')
NAMES = ["common/base", "the libraries of common/", "ipc/", "common/daemon", "services/", "tests"]
BASE, LIBRARY, IPC, DAEMON, SERVICE, TESTS = range(6)


def layer(path):
    """Number of the layer that a path belongs to; None when it is none of ours."""
    parts = path.split("/")
    if parts[0] == "common" and len(parts) > 2:
        return {"base": BASE, "daemon": DAEMON}.get(parts[1], LIBRARY)
    return {"ipc": IPC, "services": SERVICE, "tests": TESTS}.get(parts[0])


def problem(path, included):
    """What is wrong with `included` in the file at `path`, or None."""
    mine, theirs = layer(path), layer(included)
    if theirs is None or posixpath.normpath(included) != included:
        return f'"{included}" is not written from the repository root'
    if mine == TESTS:
        return None
    if theirs > mine:
        return f'"{included}" is in {NAMES[theirs]}, above {NAMES[mine]}'
    if mine == SERVICE and theirs == SERVICE and path.split("/")[1] != included.split("/")[1]:
        return f'"{included}" belongs to another service'
    return None


def self_test():
    good = [("common/base/buf.c", "common/base/buf.h"), ("common/xmpp/jid.c", "common/text/utf8.h"), ("ipc/runtime/bus.c", "common/base/mem.h"),
            ("common/daemon/admin.c", "ipc/gen/admin.server.h"), ("services/auth/sasl.c", "services/auth/sasl.h"),
            ("services/auth/sasl.c", "common/daemon/daemon.h"), ("tests/fuzz/xml.c", "services/auth/sasl.h")]
    bad = [("common/base/buf.c", "common/text/utf8.h"), ("common/base/buf.c", "ipc/runtime/bus.h"), ("common/redis/redis.c", "common/daemon/metrics.h"),
           ("ipc/runtime/bus.c", "common/daemon/daemon.h"), ("common/daemon/admin.c", "services/auth/sasl.h"),
           ("services/auth/sasl.c", "services/router/router.h"), ("services/auth/sasl.c", "sasl.h"),
           ("services/auth/sasl.c", "services/auth/../router/router.h")]
    for path, included in good:
        assert problem(path, included) is None, (path, included)
    for path, included in bad:
        assert problem(path, included), (path, included)


def main():
    self_test()
    failed = False
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as f:
            for number, line in enumerate(f, 1):
                match = INCLUDE.match(line)
                what = problem(path, match[1]) if match else None
                if what:
                    print(f"{path}:{number}: {what}")
                    failed = True
    sys.exit(1 if failed else 0)


main()
