# SPDX-License-Identifier: Apache-2.0
"""Broken servers: a real one, and between it and its clients somebody who lies (liar.py). The checker must find each lie, and nothing in an honest one.

STARLING_CHAOS_SERVER names the server (servers.py). All lies are told at the same time, each to users of its own.
"""
import asyncio
import os

import pytest

from chaos import Run, arguments
from liar import LIES
from servers import SERVERS

USERS = 4
# What the lie may look like: the first must be found, the others may be.
FOUND = {
    "none": (),
    "acks-early": ("lost",),
    "forgets": ("undelivered", "missed"),
    "stores-twice": ("doubled",),
    "delivers-twice": ("doubled",),
    "swaps": ("reordered",),
    "invents": ("phantom",),
    "loses-archive": ("lost", "misnamed"),
    "takes-back": ("protocol",),
}


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    server = SERVERS[os.environ.get("STARLING_CHAOS_SERVER", "starling")](proxied=False)
    runs = {}
    for i, lie in enumerate(LIES):
        args = arguments().parse_args(["--lie", lie, "--no-faults", "--minutes", "0.15", "--rate", "12", "--seed", "1", "--drain", "20",
                                       "--users", str(USERS), "--history", str(tmp_path_factory.mktemp(lie))])
        args.first, args.kinds = i * USERS, ["steady"]
        runs[lie] = Run(args, server)

    async def tell():
        return await asyncio.gather(*(run.run() for run in runs.values()))

    try:
        server.up(["u%02d" % i for i in range(USERS * len(LIES))])
        results = asyncio.run(tell())
    finally:
        server.close()
    return {lie: verdict for lie, (verdict, _) in zip(runs, results)}


@pytest.mark.parametrize("lie", FOUND)
def test_a_lie_is_found(verdicts, lie):
    found = {kind for kind, n in verdicts[lie].violations.items() if n}
    assert found <= set(FOUND[lie]) and (not FOUND[lie] or FOUND[lie][0] in found), verdicts[lie].examples


def test_all_lies_are_tested():
    assert set(FOUND) == set(LIES)
