# SPDX-License-Identifier: Apache-2.0
"""A flock whose instances are of two builds. `up` finds the daemons beside starlingctl; in this folder each is a script that looks up which
build its instance is to be (builds/INSTANCE) and becomes that. So one instance can be exchanged as an operator would: install, drain, wait."""
import os
import shutil
import subprocess
import tempfile
import time

from flock import ROOT, Failed, Flock

ROLES = ("router", "storage", "auth", "session-manager", "c2s-edge")
# As starlingctl runs it: --config FILE --instance NAME --ready-fd N.
LAUNCHER = """#!/bin/sh
exec %s/builds/$4/${0##*/} "$@"
"""


def new_binaries():
    return os.path.abspath(os.environ.get("STARLING_BIN") or os.path.join(ROOT, "build/debug/bin"))


def old_binaries():
    """Of the release before; built when it is not there yet."""
    build = os.environ.get("STARLING_BUILD") or os.path.join(ROOT, "build")
    result = subprocess.run([os.path.join(ROOT, "tools/build-old"), build], stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


class Mixed(Flock):
    """hand: whose starlingctl makes the state folder and supervises."""

    def __init__(self, hand="new", **options):
        self.folder = tempfile.mkdtemp(prefix="starling-mixed-")
        self.sources = {"old": old_binaries(), "new": new_binaries()}
        os.mkdir(os.path.join(self.folder, "builds"))
        for role in ROLES:
            path = os.path.join(self.folder, role)
            with open(path, "w") as f:
                f.write(LAUNCHER % self.folder)
            os.chmod(path, 0o755)
        self.registered = set()
        self.install_hand(hand)
        if hand == "old":
            self.unless_said = ()  # it knows no s2s, and no mqtt-broker
        os.chmod(self.folder, 0o755)
        super().__init__(binaries=self.folder, **options)

    def install_hand(self, build):
        """It looks for daemons where it lies itself, so it is a copy."""
        path = os.path.join(self.folder, "starlingctl")
        if os.path.exists(path):
            os.unlink(path)
        shutil.copy(os.path.join(self.sources[build], "starlingctl"), path)

    def install(self, name, build):
        """What the instance is from its next start on; None: it cannot start."""
        path = os.path.join(self.folder, "builds", name)
        if os.path.lexists(path):
            os.unlink(path)
        if build:
            os.symlink(self.sources[build], path)

    def build_of(self, name):
        """Of the process that runs."""
        program = os.path.dirname(os.readlink("/proc/%d/exe" % self.pid(name)))
        return next(b for b, folder in self.sources.items() if os.path.realpath(folder) == program)

    def up_mixed(self, scale, builds):
        """scale: {role: count}, 1 without it; builds: {role or instance: "old" or "new"}."""
        for role in ROLES:
            for k in range(1, scale.get(role, 1) + 1):
                name = "%s-%d" % (role, k)
                self.install(name, builds.get(name) or builds[role])
        self.up(",".join("%s=%d" % pair for pair in scale.items()))

    def drain(self, name):
        """The hand of the release before asks the routers that it has joined within a tenth of a second, and so may not know the other one yet."""
        for again in range(20, -1, -1):
            try:
                self.ctl("drain", name, "--timeout", "30s")
                return
            except Failed as failure:
                if "there is no instance" not in str(failure) or not again:
                    raise

    def replace(self, name, build, timeout=60):
        """One instance after the other, as docs/operations.md says."""
        before = self.pid(name)
        self.install(name, build)
        self.drain(name)
        deadline = time.monotonic() + timeout
        while True:
            row = next((i for i in self.status() if i["name"] == name), None)
            if row and row["pid"] not in (0, before) and row["healthy"]:
                break
            assert time.monotonic() < deadline, "%s did not come back:\n%s" % (name, self.tails())
            time.sleep(0.1)
        assert self.build_of(name) == build

    def close(self):
        super().close()
        shutil.rmtree(self.folder, ignore_errors=True)
