# SPDX-License-Identifier: Apache-2.0
"""Where the contract tests run. STARLING_DIR: the state folder of a live flock, whoever wrote its daemons. Without it a flock is started with
starlingctl for the roles that need one, and a router alone for the bus (STARLING_BIN: programs)."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile

import pytest
import yaml
import zmq

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
sys.path.append(os.path.join(ROOT, "tests/system"))

from starling_bus import Bus  # noqa: E402

ROLES = ("router", "storage", "auth", "session-manager", "c2s-edge", "s2s", "mqtt-broker", "proxy65", "turn-relay", "mqtt-bridge", "mqtt-gateway", "starlingctl")


def binary(name):
    return os.path.join(os.path.abspath(os.environ.get("STARLING_BIN") or os.path.join(ROOT, "build/debug/bin")), name)


def make_keys(folder):
    os.makedirs(folder)
    with open(os.path.join(folder, "allow"), "w", encoding="ascii") as allow:
        for role in ROLES:
            public, secret = (k.decode() for k in zmq.curve_keypair())
            allow.write("%s %s\n" % (role, public))
            with open(os.path.join(folder, role + ".key"), "w", encoding="ascii") as f:
                f.write("public %s\nsecret %s\n" % (public, secret))


@pytest.fixture(scope="session")
def router_dir():
    """A folder with a router to talk to."""
    if os.environ.get("STARLING_DIR"):
        yield os.environ["STARLING_DIR"]
        return
    folder = tempfile.mkdtemp(prefix="starling-bus-")
    os.mkdir(os.path.join(folder, "run"))
    make_keys(os.path.join(folder, "keys"))
    config = os.path.join(folder, "starling.yml")
    with open(config, "w", encoding="ascii") as f:
        f.write("hosts: [starling.test]\nstate_dir: .\nbus: {keys: keys, routers: ['ipc://%s/run/router.*.ipc']}\n" % folder)
    ready, ready_child = os.pipe()
    log = open(os.path.join(folder, "router.log"), "w+", encoding="utf-8")
    router = subprocess.Popen([binary("router"), "--config", config, "--instance", "router-1", "--ready-fd", str(ready_child)],
                              pass_fds=[ready_child], stderr=log)
    os.close(ready_child)
    try:
        assert os.read(ready, 1), "the router did not get ready"
        yield folder
    finally:
        os.close(ready)
        router.send_signal(signal.SIGTERM)
        status = router.wait(20)
        log.seek(0)
        text = log.read()
        log.close()
        shutil.rmtree(folder)
        assert status == 0, text
        assert "Sanitizer" not in text and "runtime error" not in text, text


@pytest.fixture(scope="session")
def state_dir():
    """A whole flock."""
    if os.environ.get("STARLING_DIR"):
        yield os.environ["STARLING_DIR"]
        return
    from flock import Flock
    flock = Flock(settings={"stall_warn": "5s"}).up()  # a busy machine is no finding here
    try:
        yield flock.state
        flock.check()
    finally:
        flock.close()


@pytest.fixture(scope="session")
def hosts(state_dir):
    with open(os.path.join(state_dir, "starling.yml"), encoding="utf-8") as f:
        return yaml.safe_load(f)["hosts"]


@pytest.fixture(scope="session")
def host(hosts):
    return hosts[0]


@pytest.fixture
def bus(state_dir):
    with Bus(state_dir, "starlingctl") as b:
        yield b
