"""A validator signs two blocks for one slot: it pays for it, and nobody else notices."""

import asyncio
import sys
from typing import Final

import pytest

from devnet.local.network import LocalNetwork
from node.ledger.staking.parameters import WHOLE_BP, StakingParameters
from node.rpc.schemas import Validator
from tests.chaos.checks import LIMIT_S, LOOK_S, agrees, goes_on, others

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIAR: Final = "node-3"
COST_BP: Final = StakingParameters().slash_equivocation_bp


async def test_validator_that_signs_two_blocks_for_one_slot_is_slashed_and_the_chain_goes_on(
    network: LocalNetwork,
) -> None:
    before = await _seats(network)
    await network.stop(LIAR)
    home = network.folder / LIAR
    command = (sys.executable, "-m", "devnet.attacks.validator", "--folder", str(home))
    network.supervisor.start(LIAR, command)
    await network.wait_ready(LIAR, limit_s=LIMIT_S)
    after = await _until_slashed(network, stake=int(before[LIAR].stake))
    await goes_on(network, *others(network, LIAR))
    await agrees(network)
    assert after[LIAR].standing == "tombstoned"
    assert int(after[LIAR].stake) == int(before[LIAR].stake) * (WHOLE_BP - COST_BP) // WHOLE_BP
    for name in others(network, LIAR):
        assert after[name] == before[name], "nobody else pays"


async def _seats(network: LocalNetwork) -> dict[str, Validator]:
    found = await network.client("node-0").validators()
    names = {node.account: node.name for node in network.record.nodes}
    return {names[one.operator]: one for one in found.validators}


async def _until_slashed(network: LocalNetwork, *, stake: int) -> dict[str, Validator]:
    async with asyncio.timeout(LIMIT_S):
        while True:
            seats = await _seats(network)
            if int(seats[LIAR].stake) < stake:
                return seats
            await asyncio.sleep(LOOK_S)
