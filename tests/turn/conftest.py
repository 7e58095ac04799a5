# SPDX-License-Identifier: Apache-2.0
"""One relay for all tests that need no other settings. After every test its log is checked."""
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))

from relay import Relay  # noqa: E402

@pytest.fixture(scope="session")
def relay_session():
    relay = Relay().up()
    try:
        yield relay
    finally:
        relay.close()


@pytest.fixture
def relay(relay_session):
    yield relay_session
    relay_session.flock.check()


@pytest.fixture
def special():
    """A function that makes a relay with other settings."""
    made = []

    def make(settings):
        made.append(Relay(settings))
        return made[-1].up()

    yield make
    for relay in made:
        relay.close()
