# SPDX-License-Identifier: Apache-2.0
"""Two flocks federate."""
import pytest

from peers import Starling


@pytest.fixture(scope="module")
def pair(authority, dns):
    one, two = Starling("one.example.net", authority, dns), Starling("two.example.net", authority, dns)
    try:
        yield one, two
    finally:
        one.close()
        two.close()


def test_messages_both_ways(pair, users):
    a, b = users.login(pair[0]), users.login(pair[1])
    a.message(b.bare, "there")
    assert b.wait_message("there").get("from") == a.jid
    b.message(a.jid, "and back")
    assert a.wait_message("and back").get("from") == b.jid
