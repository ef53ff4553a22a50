"""A hamlet: nodes of one chain in one process, each with its own blobs, wallet and duties.

The chain is a real one with one proposer for all; peers meet in memory. Time of the chain runs
faster than the clock, and a round is ready once every trainer has committed.
"""

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from fl.jobs.subject import ExampleSource, ModelKind
from fl.rules.phase import Phase
from fl.worker.machine import MachineClock
from node.blobs.aside import at_once
from node.blobs.fetcher import BlobFetcher
from node.blobs.sealed import SealedUpdates
from node.blobs.server import BlobServer
from node.blobs.store import BlobStore
from node.chain.chain import Chain
from node.chain.feed import CommitExecuted
from node.chain.reader import ContractReader
from node.contracts.standard import standard_contracts
from node.duties.equipment import Equipment
from node.duties.notes import Notebook
from node.duties.planner import Planner, Tuning
from node.duties.ports import Worker
from node.duties.publishing import PublishedTask, TaskOrder, Windows, publish_task
from node.duties.room import Circle, StoreRoom
from node.duties.salts import Salts
from node.duties.scene import Learning
from node.duties.situation import Role
from node.duties.steward import Steward, Wishes
from node.duties.wallet import Fees, Wallet
from node.execution.local_chain import key_named
from node.federation import calls
from node.federation.views import FederationReader
from node.ledger.account import read_account
from node.ledger.admission import (
    EntryContext,
    NonceRule,
    check_entry,
    check_signature,
    read_transaction,
)
from node.ledger.chain import read_chain
from node.ledger.transaction import Call, transaction_id
from p2p.host import Host
from p2p.wire.peer_id import PeerId
from primitives.ids import Address, Digest, Gas
from primitives.keys import PublicKey
from tests.chain.founded import SMALL_STAKES, address_of, chain_at, genesis_file
from tests.chain.proposer import Proposer
from tests.duties.toy import ToyWorker, target_of
from tests.p2p.town import Town, meet

ALL_ROLES: Final = frozenset(Role)
# What each may do when its turn comes, others may have done a moment before. Chain time runs ten
# times as fast as the clock here, so turns are short.
RACES: Final = {
    "vm-trap-reverted reverted: a round is running",
    "vm-trap-reverted reverted: not in this phase",
}
COMMIT_S: Final = 0.004
COMMIT_MS: Final = 40
PAYLOAD_MAX: Final = 8
"""Of the gas that a commit has, a call takes up to a tenth."""

WINDOWS: Final = Windows(
    training=60_000,
    reveal=10_000,
    availability=10_000,
    scoring=20_000,
    score_reveal=10_000,
    aggregation=10_000,
    guard=10_000,
)
ORDER: Final = TaskOrder(
    title="toy",
    source="toy",
    kind=ModelKind.CLASSIFICATION,
    label_names=("a", "b"),
    windows=WINDOWS,
    slots=8,
)
LEARNING: Final = Learning(train=ExampleSource(spec="own"), held_out=ExampleSource(spec="held out"))
REGISTER_GAS: Final = Gas(3_000_000)


@functools.cache
def founded(validators: int) -> bytes:
    return genesis_file(
        validators=validators, parameters=SMALL_STAKES, contracts=standard_contracts()
    )


@dataclass
class Square:
    """Where everybody hands in transactions, and one proposer orders them.

    Attributes:
        arrived: is set whenever one came.
        unheard: by sender and method, what gets lost on the way.
        failed: transactions that were executed in vain, but for lost races.
    """

    chain: Chain
    proposer: Proposer
    waiting: list[bytes] = field(default_factory=list)
    ordered: set[bytes] = field(default_factory=set)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    unheard: set[tuple[Address, str]] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)

    async def submit(self, raw: bytes) -> Digest:
        with self.chain.view() as state:
            chain = read_chain(state)
            signed = read_transaction(raw, limits=self.chain.parameters.limits)
            account = read_account(state, signed.transaction.sender)
        context = EntryContext(
            chain_id=self.chain.chain_id,
            now_ms=chain.time_ms,
            base_fee=chain.base_fee,
            limits=self.chain.parameters.limits,
            nonce_rule=NonceRule.WINDOW,
        )
        size_bytes = len(raw)
        check_entry(signed.transaction, size_bytes=size_bytes, account=account, context=context)
        check_signature(signed, account=account)
        action = signed.transaction.action
        method = action.method if isinstance(action, Call) else ""
        is_known = raw in self.waiting or raw in self.ordered
        is_lost = (signed.transaction.sender, method) in self.unheard
        if not is_known and not is_lost:
            self.waiting.append(raw)
            self.arrived.set()
        return transaction_id(signed.transaction)

    async def run(self) -> None:
        while True:
            await self.commit()
            await asyncio.sleep(COMMIT_S)

    async def commit(self) -> CommitExecuted:
        """Order what waits and have it executed."""
        payload, self.waiting = self.waiting[:PAYLOAD_MAX], self.waiting[PAYLOAD_MAX:]
        self.ordered.update(payload)
        executed = await self.proposer.commit(*payload, pause_ms=COMMIT_MS)
        failed = [f"{one.code} {one.trap}" for one in executed.receipts if one.code]
        self.failed.extend(one for one in failed if one not in RACES)
        return executed


@dataclass
class Villager:
    """One node."""

    name: str
    host: Host
    store: BlobStore
    equipment: Equipment
    steward: Steward

    @property
    def who(self) -> Address:
        return self.equipment.who


@dataclass
class Hamlet:
    """All nodes, and the chain."""

    folder: Path
    square: Square
    reader: FederationReader
    town: Town
    stack: AsyncExitStack
    group: asyncio.TaskGroup
    villagers: list[Villager] = field(default_factory=list)
    running: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    trainers: int = 0

    async def settle(
        self,
        name: str,
        worker: Worker,
        *,
        roles: frozenset[Role] = ALL_ROLES,
        learning: Learning = LEARNING,
        tuning: Tuning | None = None,
    ) -> Villager:
        """Add a node; its duties do not run yet."""
        number = len(self.villagers) + 1
        host = await self.stack.enter_async_context(self.town.open(number))
        folder = self.folder / name
        store = self.stack.enter_context(
            BlobStore.open(
                folder / "blobs",
                chain_id=self.square.chain.chain_id,
                node_id=name.encode(),
                clock=MachineClock(),
            )
        )
        for other in self.villagers:
            await meet(host, other.host)
        equipment = Equipment(
            reader=self.reader,
            wallet=Wallet(
                key_named(name),
                chain=self.square.chain,
                submit=self.square.submit,
                fees=Fees(resend_ms=200),
            ),
            blobs=self._room(name, host, store),
            notebook=Notebook(folder / "duties"),
            worker=worker,
            salts=Salts(key_named(name)),
            learning=learning,
        )
        villager = Villager(name, host, store, equipment, self.steward(equipment, roles, tuning))
        self.villagers.append(villager)
        return villager

    def steward(
        self,
        equipment: Equipment,
        roles: frozenset[Role],
        tuning: Tuning | None = None,
        *,
        wishes: Wishes = Wishes(),  # noqa: B008 - frozen
    ) -> Steward:
        chain = self.square.chain
        return Steward(
            equipment,
            planner=Planner(roles=roles, tuning=tuning or Tuning()),
            chain=chain,
            committee=lambda: tuple(member.operator for member in chain.members()),
            clock=MachineClock(),
            wishes=wishes,
        )

    def start(self, villager: Villager) -> None:
        """Let the duties of a node run."""
        task = self.group.create_task(villager.steward.run(), name=villager.name)
        self.running[villager.name] = task

    async def stop(self, villager: Villager) -> None:
        """End the duties of a node, as its death would, and forget all but its files."""
        task = self.running.pop(villager.name)
        task.cancel()
        await asyncio.wait([task])
        own = villager.equipment
        notebook = Notebook(self.folder / villager.name / "duties")
        wallet = Wallet(own.wallet.key, chain=own.wallet.chain, submit=own.wallet.submit)
        villager.equipment = replace(own, notebook=notebook, wallet=wallet)
        villager.steward = self.steward(villager.equipment, villager.steward.roles)

    async def register(self, *villagers: Villager) -> None:
        """Give nodes the identities that trainers need."""
        async with asyncio.TaskGroup() as group:
            for villager in villagers:
                call = calls.register(villager.name)
                group.create_task(villager.equipment.wallet.carry_out(call, gas_limit=REGISTER_GAS))
        self.trainers += len(villagers)

    async def offer(self, sponsor: Villager, order: TaskOrder = ORDER) -> PublishedTask:
        """Have a node offer a task, whose rounds wait for all trainers if it says no number."""
        own = sponsor.equipment
        return await publish_task(
            replace(order, ready=order.ready or self.trainers),
            worker=own.worker,
            blobs=own.blobs,
            wallet=own.wallet,
            folder=self.folder / "published",
        )

    async def until(self, condition: Callable[[], bool], *, limit_s: float = 60) -> None:
        """Wait for something to become so."""
        async with asyncio.timeout(limit_s):
            while not condition():
                await self.square.chain.feed.wait_for(lambda _: True)

    def version(self, task: int = 0) -> int:
        return self.reader.task(task).version

    def has_promised(self, villager: Villager, task: int = 0) -> bool:
        """Tell whether the chain waits for the scorecard of a node."""
        running = self.reader.round(task)
        if running is None or running.phase is not Phase.SCORE_REVEAL:
            return False
        seat = running.seat_of(villager.who)
        return seat is not None and seat.has_committed

    def phase(self, task: int = 0) -> Phase | None:
        running = self.reader.round(task)
        return None if running is None else running.phase

    def _room(self, name: str, host: Host, store: BlobStore) -> StoreRoom:
        chain_id = self.square.chain.chain_id
        BlobServer(host, store, chain_id=chain_id, aside=at_once)
        fetcher = BlobFetcher(host, store, chain_id=chain_id, aside=at_once)
        circle = Circle(
            operator=address_of(name),
            consensus_key=key_named(f"{name} consensus"),
            recipients=self._recipients,
            peers=lambda: self._others(host),
            random_bytes=lambda size: Digest(key_named(name).public.raw)[:size].ljust(size, b"x"),
        )
        return StoreRoom(
            store=store,
            fetcher=fetcher,
            envelopes=SealedUpdates(fetcher, chain_id=chain_id),
            circle=circle,
            deadline_ms=3_000,
        )

    def _recipients(self, seats: Sequence[Address]) -> Sequence[tuple[Address, PublicKey]]:
        members = self.square.chain.members()
        keys = {one.operator: PublicKey(one.keys.consensus_key) for one in members}
        return [(seat, keys[seat]) for seat in seats if seat in keys]

    def _others(self, host: Host) -> list[PeerId]:
        return [one.host.peer_id for one in self.villagers if one.host is not host]


@asynccontextmanager
async def hamlet(folder: Path, *, validators: int = 3) -> AsyncIterator[Hamlet]:
    """Run a chain with nobody on it yet."""
    async with AsyncExitStack() as stack:
        chain = stack.enter_context(chain_at(folder / "chain", genesis=founded(validators)))
        square = Square(chain, Proposer(chain))
        reader = FederationReader(ContractReader(chain))
        async with asyncio.TaskGroup() as group:
            place = Hamlet(folder, square, reader, Town(), stack, group)
            ordering = group.create_task(square.run(), name="square")
            try:
                yield place
            finally:
                for task in (ordering, *place.running.values()):
                    task.cancel()


@asynccontextmanager
async def at_work(
    folder: Path, *workers: ToyWorker, order: TaskOrder = ORDER
) -> AsyncIterator[Hamlet]:
    """Run a hamlet of validators that also train, at work on a first task."""
    async with hamlet(folder, validators=len(workers)) as place:
        nodes = [await place.settle(f"validator-{n}", one) for n, one in enumerate(workers)]
        await place.register(*nodes)
        await place.offer(nodes[0], order)
        for node in nodes:
            place.start(node)
        yield place


def toy(number: int) -> ToyWorker:
    """Return the worker of an organisation."""
    return ToyWorker(target_of(number))
