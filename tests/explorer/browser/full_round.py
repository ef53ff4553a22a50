"""A round as large as the rules allow: a hundred updates, each judged by sixty-four validators.

Everybody signs and the contracts judge; consensus alone is missing.
"""

import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from typing_extensions import override

from fl.rules.limits import SEATS_MAX, UPDATES_MAX
from fl.rules.scorecard import Place
from node.contracts.standard import standard_contracts
from node.federation import calls
from node.ledger.transaction import Action
from primitives.ids import Grain
from tests.chain.founded import address_of, genesis_file
from tests.fl import cast
from tests.fl.cast import OK_REPORT, SALT, Opinion
from tests.rpc.offers import create_task
from tests.rpc.played import Played
from tests.rpc.stage import Stage, open_stage

TRAINERS: Final = tuple(f"clinic-{number:03}" for number in range(UPDATES_MAX))
SEATS: Final = tuple(f"validator-{number}" for number in range(SEATS_MAX))
HARMFUL: Final = frozenset(range(9, UPDATES_MAX, 10))
AT_ONCE: Final = 2
"""Transactions of one commit; more might exceed its gas."""

STEPS: Final = 16


@asynccontextmanager
async def full_round(folder: Path) -> AsyncIterator[Stage]:
    """Run the node after the round; every tenth update was harmful."""
    names = ("alice", "bob", *TRAINERS)
    genesis = genesis_file(validators=SEATS_MAX, contracts=standard_contracts(), names=names)
    async with open_stage(folder, genesis=genesis) as stage:
        await _each(stage, TRAINERS, calls.register)
        await stage.send(create_task(rounds=2), sender="alice")
        played = _Everybody(stage, trainers=TRAINERS)
        await played.train()
        await played.judge()
        await played.agree()
        yield stage


class _Everybody(Played):
    """The steps of a round, several of them in a commit."""

    @override
    async def train(self, *, silent: Sequence[str] = ()) -> None:
        await self.stage.send(calls.open_round(self.task), sender=SEATS[0])
        number = self.running.number

        def commitment(name: str) -> Action:
            place = Place(self.task, number, address_of(name))
            made = cast.update_commitment(place, root=cast.root_of(name))
            return calls.commit(self.task, commitment=made, bond=Grain(self.bond))

        await _each(self.stage, TRAINERS, commitment)
        await self.until("reveal")
        await _each(
            self.stage,
            TRAINERS,
            lambda name: calls.reveal(self.task, root=cast.root_of(name), salt=SALT),
        )
        await self.until("availability")

    async def judge(self) -> None:
        held = (1 << UPDATES_MAX) - 1
        await _each(self.stage, SEATS, lambda _: calls.attest(self.task, held=held))
        await self.until("score commit")
        number = self.running.number
        cards = {name: cast.card(_opinions(seat)) for seat, name in enumerate(SEATS)}

        def sealed(name: str) -> Action:
            place = Place(self.task, number, address_of(name))
            made = cast.score_commitment(place, scores=cards[name])
            return calls.commit_scores(self.task, commitment=made)

        await _each(self.stage, SEATS, sealed)
        await _each(
            self.stage,
            SEATS,
            lambda name: calls.reveal_scores(self.task, card=cards[name], salt=SALT),
        )
        while self.running.phase.value == "select":
            await self._step()

    async def agree(self) -> None:
        aggregate = cast.aggregate_of([one.weight for one in self.running.updates])
        await _each(self.stage, SEATS, lambda _: calls.vote(self.task, aggregate=aggregate))
        await _each(self.stage, SEATS, lambda _: calls.report(self.task, changes=OK_REPORT))
        while self.stage.context.federation.round(self.task) is not None:
            await self._step()

    async def _step(self) -> None:
        """Have the contract do what comes next; its own calls have too little gas for so many."""
        await self.stage.send(calls.advance(self.task, steps=STEPS), sender=SEATS[0])


async def _each(stage: Stage, names: Sequence[str], action: Callable[[str], Action]) -> None:
    for first in range(0, len(names), AT_ONCE):
        batch = [
            stage.proposer.sign(action(name), sender=name)
            for name in names[first : first + AT_ONCE]
        ]
        executed = await stage.commit(*batch)
        assert all(not receipt.code for receipt in executed.receipts), executed.receipts


def _opinions(seat: int) -> list[Opinion]:
    chance = random.Random(seat)
    return [
        Opinion(alone=chance.randint(-900, -700), left_out=-400)
        if index in HARMFUL
        else Opinion(alone=chance.randint(60, 140) + index, left_out=chance.randint(20, 60))
        for index in range(UPDATES_MAX)
    ]
