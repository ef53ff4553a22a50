"""A chain with so many commits and participants that a page which drew them all would stand still.

The transactions, the contracts, the disk and the API are real; consensus alone is missing.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from node.contracts.standard import standard_contracts
from node.federation import calls
from tests.chain.founded import genesis_file
from tests.rpc.stage import Stage, open_stage

COMMITS: Final = 10_000
PEOPLE: Final = tuple(f"participant-{number:03}" for number in range(500))
AT_ONCE: Final = 2
"""Registrations of one commit; more would exceed its gas."""


@asynccontextmanager
async def crowded(folder: Path) -> AsyncIterator[Stage]:
    """Run the node."""
    genesis = genesis_file(contracts=standard_contracts(), names=PEOPLE)
    async with open_stage(folder, genesis=genesis) as stage:
        # A round watch looks at every commit; there is no round to be seen.
        stage.is_blind = True
        await _register(stage)
        while stage.chain.head.height < COMMITS:
            await stage.commit()
        yield stage


async def _register(stage: Stage) -> None:
    for first in range(0, len(PEOPLE), AT_ONCE):
        batch = [
            stage.proposer.sign(calls.register(name), sender=name)
            for name in PEOPLE[first : first + AT_ONCE]
        ]
        await stage.commit(*batch)
