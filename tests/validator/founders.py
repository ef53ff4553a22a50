"""Four validators with real chains whose hosts meet in memory, in real time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from consensus.parameters import Tuning
from node.chain.chain import Chain
from node.execution.local_chain import key_named
from node.ledger.genesis import GENESIS_CODEC
from node.ledger.parameters import LedgerParameters
from node.ledger.transaction import Evidence
from node.signatures.checks import foresee_nothing
from node.validator.validator import Surroundings, Validator
from p2p.host import Host
from primitives.ids import AuthorityIndex
from tests.chain.founded import SMALL_STAKES, address_of, chain_at, genesis_file
from tests.p2p.town import Town, identity_of
from tests.sync.village import RealClock

QUICK: Final = Tuning(min_round_delay_ms=20)
COUNT: Final = 4


class Purse:
    """Payload as a mempool would hand it over; keeps what comes back."""

    def __init__(self) -> None:
        self.submit: Callable[[tuple[bytes, ...]], Awaitable[None]] | None = None
        self.came_back: list[bytes] = []
        self.seat: AuthorityIndex | None = None

    def attach_proposer(
        self,
        submit: Callable[[tuple[bytes, ...]], Awaitable[None]],
        *,
        seat: AuthorityIndex,
        seats: int,
    ) -> None:
        assert seat < seats
        self.submit, self.seat = submit, seat

    def detach_proposer(self) -> None:
        self.submit = self.seat = None

    def returned(self, items: tuple[bytes, ...]) -> None:
        self.came_back += items


@dataclass
class Founder:
    """One of the validators; it holds its seat while it runs."""

    number: int
    host: Host
    folder: Path
    genesis: bytes
    chain: Chain
    purse: Purse = field(default_factory=Purse)
    published: list[bytes] = field(default_factory=list)
    accused: list[Evidence] = field(default_factory=list)

    def validator(self) -> Validator:
        """Return what holds the seat of this founder."""

        async def accuse(evidence: Evidence) -> None:
            self.accused.append(evidence)

        surroundings = Surroundings(
            host=self.host,
            payload=self.purse,
            publish=self.published.append,
            accuse=accuse,
            foresee=foresee_nothing,
            clock=RealClock(),
            tuning=QUICK,
            folder=self.folder,
        )
        return Validator(self.chain, key_named(f"validator-{self.number} consensus"), surroundings)

    @asynccontextmanager
    async def ruling(self) -> AsyncIterator[Validator]:
        """Hold the seat for a while."""
        validator = self.validator()
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(validator.run(), name=f"founder {self.number}")
            try:
                yield validator
            finally:
                running.cancel()


@asynccontextmanager
async def founders(
    folder: Path,
    *,
    count: int = COUNT,
    parameters: LedgerParameters = SMALL_STAKES,
) -> AsyncIterator[Sequence[Founder]]:
    """Yield validators that know where the others are; none of them runs."""
    genesis = genesis_of(count, parameters=parameters)
    town = Town()
    async with AsyncExitStack() as stack:
        made = []
        for number in range(count):
            place = folder / f"founder-{number}"
            place.mkdir()
            host = await stack.enter_async_context(town.open(number + 1))
            chain = stack.enter_context(chain_at(place, genesis=genesis))
            made.append(Founder(number, host, place, genesis, chain))
        for one in made:
            for other in made:
                if other is not one:
                    one.host.peers.add_addresses(other.host.peer_id, other.host.addresses, now_ms=0)
        yield made


def genesis_of(count: int, *, parameters: LedgerParameters = SMALL_STAKES) -> bytes:
    """Return a genesis file whose validators are the hosts 1 to `count` of a town."""
    plain = GENESIS_CODEC.decode(genesis_file(validators=count, parameters=parameters))
    numbers = {address_of(f"validator-{number}"): number for number in range(count)}
    validators = tuple(
        replace(one, node_key=identity_of(numbers[one.operator] + 1).public_key)
        for one in plain.validators
    )
    return GENESIS_CODEC.encode(replace(plain, validators=validators))


async def until(holds: Callable[[], object], *, limit_s: float = 30) -> None:
    """Wait in real time, in steps that grow."""
    step_s = 0.005
    async with asyncio.timeout(limit_s):
        while not holds():
            await asyncio.sleep(step_s)
            step_s = min(0.05, 1.1 * step_s)
