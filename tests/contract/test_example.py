# SPDX-License-Identifier: Apache-2.0
"""A replaced service: examples/auth-python takes the place of auth in a flock that has no other; it passes auth's tests, and clients log in."""
import asyncio
import os
import signal
import subprocess
import sys

import pytest

from starling_bus import Bus

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


@pytest.fixture(scope="module")
def flock():
    if os.environ.get("STARLING_DIR"):
        pytest.skip("starts a flock of its own")
    from flock import Flock
    flock = Flock(settings={"stall_warn": "5s"}).up(scale="auth=0")
    auth = subprocess.Popen([sys.executable, os.path.join(ROOT, "examples/auth-python/auth.py"), flock.state, "auth-python"], stderr=subprocess.PIPE,
                            universal_newlines=True)
    try:
        with Bus(flock.state, "starlingctl") as bus:
            assert bus.pump_until(lambda: any(r.state == 1 for r in bus.instances("auth").values()), 20)
        yield flock
    finally:
        auth.send_signal(signal.SIGTERM)
        _, errors = auth.communicate(timeout=20)
        flock.close()
        assert auth.returncode == 0 and not errors, errors


def test_passes_the_contract(flock):
    result = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", os.path.join(HERE, "test_auth.py")], cwd=ROOT,
                            env={**os.environ, "STARLING_DIR": flock.state, "STARLING_AUTH": "auth-python"}, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, universal_newlines=True, timeout=300)
    assert result.returncode == 0, result.stdout[-6000:]
    flock.check()


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_clients_log_in(flock, mechanism):
    from xmpp import Client
    user = "example-" + mechanism.lower()
    flock.register(user, "pencil")
    client = Client(flock)
    try:
        client.login(user, "pencil", mechanism=mechanism)
    finally:
        client.close()
    flock.check()


def test_slixmpp_logs_in(flock):
    """By PLAIN: left alone, it would try every -PLUS with tls-unique first, which nobody offers."""
    import slixmpp
    flock.register("slix", "pencil")

    async def story():
        client = slixmpp.ClientXMPP("slix@" + flock.host, "pencil", plugin_config={"feature_mechanisms": {"use_mech": "PLAIN"}})
        client.ca_certs = flock.ca()
        started = asyncio.get_event_loop().create_future()
        client.add_event_handler("session_start", lambda _: started.set_result(client.boundjid.bare))
        client.add_event_handler("failed_all_auth", lambda _: started.set_exception(AssertionError("refused")))
        client.connect((flock.address, flock.port))
        assert await started == "slix@" + flock.host
        await client.disconnect()

    asyncio.get_event_loop().run_until_complete(asyncio.wait_for(story(), 60))
    flock.check()
