# SPDX-License-Identifier: Apache-2.0
"""A real ICE agent (aioice): two of them that have no way to each other but the relay."""
import asyncio
import time

import pytest

import stun

aioice = pytest.importorskip("aioice")


async def connect(relay, transport, names):
    """Two agents that know only each other's relayed candidates. Host addresses are private here, and so no peers of the relay's."""
    agents = []
    for i, name in enumerate(names):
        user, password = stun.rest_credentials(relay.secret, name)
        agents.append(aioice.Connection(ice_controlling=i == 0, turn_server=("127.0.0.1", relay.port), turn_username=user, turn_password=password,
                                        turn_transport=transport, use_ipv6=False))
    for agent in agents:
        await agent.gather_candidates()
    for agent, other in zip(agents, reversed(agents)):
        for candidate in other.local_candidates:
            if candidate.type == "relay":
                await agent.add_remote_candidate(candidate)
        await agent.add_remote_candidate(None)
        agent.remote_username, agent.remote_password = other.local_username, other.local_password
    await asyncio.wait_for(asyncio.gather(*(a.connect() for a in agents)), 30)
    return agents


async def talk(agents, count):
    a, b = agents
    for i in range(count):
        await a.send(b"from a %d" % i)
        await b.send(b"from b %d" % i)
        assert await asyncio.wait_for(b.recv(), 10) == b"from a %d" % i
        assert await asyncio.wait_for(a.recv(), 10) == b"from b %d" % i


@pytest.mark.parametrize("transport", ("udp", "tcp"))
def test_two_agents(relay, transport):
    names = ["ice-%s-%s@turn.test" % (transport, n) for n in "ab"]

    async def run():
        agents = await connect(relay, transport, names)
        await talk(agents, 50)
        for name in names:
            it, = relay.list(name)
            assert it["packets_to_peer"] >= 50 and it["packets_to_client"] >= 50
        for agent in agents:
            await agent.close()

    asyncio.run(run())
    deadline = time.monotonic() + 10
    while any(relay.list(n) for n in names) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(relay.list(n) for n in names)  # they end what they have made
