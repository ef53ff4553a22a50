"""Validators are killed one after another; the chain stays one chain.

This has a network to itself: a validator that lost its journal, as one of `test_consensus` does,
signs nothing before the next epoch, and a second one that is missing then leaves no quorum.
"""

import asyncio
import random

import pytest

from devnet.local.network import LocalNetwork
from tests.chaos.checks import agrees, goes_on, nobody_was_slashed, others

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.slow
async def test_twenty_kills_at_random_moments_part_nobody(network: LocalNetwork) -> None:
    dice = random.Random(7)
    for _ in range(20):
        victim = f"node-{dice.randrange(4)}"
        await asyncio.sleep(dice.random() * 2)
        await network.kill(victim)
        await goes_on(network, *others(network, victim), by=1)
        await network.restart(victim)
        await goes_on(network, by=1)
        await agrees(network)
    await nobody_was_slashed(network)
