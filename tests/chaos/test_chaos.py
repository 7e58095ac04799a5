# SPDX-License-Identifier: Apache-2.0
"""Two minutes of chaos, with every kind of fault once, on the sanitizers' build: little load, but the whole of it. `make chaos` is the long run.

On a pair that federates: it has all faults that a flock alone has, and those of the border."""
import os
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PROGRAM = os.path.join(HERE, "chaos.py")


def run(*args, timeout=420):
    return subprocess.run([sys.executable, PROGRAM, *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True,
                          timeout=timeout)


def test_every_fault_once():
    binaries = os.environ.get("STARLING_BIN") or os.path.join(ROOT, "build/debug/bin")
    seed = os.environ.get("STARLING_CHAOS_SEED", "1")
    result = run("--pair", "--bin", binaries, "--minutes", "2", "--users", "8", "--rate", "30", "--seed", seed)
    print(result.stdout)
    assert result.returncode == 0, result.stdout[-6000:]


@pytest.mark.parametrize("args, says", [
    (["--only", "nonsense"], "no fault"),
    (["--minutes", "0"], "minutes"),
    (["--users", "1"], "users"),
    (["--server", "nonsense"], "invalid choice"),
    (["--pair", "--users", "2"], "users"),
    (["--pair", "--server", "prosody"], "--pair"),
    (["--pair", "--lie", "swaps"], "--pair"),
    (["--bin", "/nonexistent"], "starlingctl"),
])
def test_wrong_usage_is_refused(args, says):
    result = run(*args)
    assert result.returncode == 2 and says in result.stdout, result.stdout
