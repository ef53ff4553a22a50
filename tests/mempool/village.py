"""Nodes with a mempool each that meet in virtual time, over one ledger."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from node.ledger.transaction import SIGNED_TRANSACTION_CODEC, SignedTransaction
from node.mempool.batch import transaction_topic
from node.mempool.ledger_view import LedgerView
from node.mempool.limits import DEFAULT_LIMITS, PoolLimits
from node.mempool.mempool import Mempool
from node.signatures.checks import SignatureChecks
from node.signatures.verified import VerifiedSignatures
from node.signatures.verifier import InlineVerifier
from p2p.host import Host
from p2p.pubsub import PubSub
from primitives.ids import AuthorityIndex
from tests.dsl.virtual_time import LoopClock
from tests.mempool.purse import CHAIN_ID
from tests.mempool.town import Town
from tests.p2p.town import Town as Network
from tests.p2p.town import meet, until

TOPIC = transaction_topic(CHAIN_ID)


@dataclass
class Node:
    """One node, and what it was asked to put into its blocks."""

    host: Host
    pubsub: PubSub
    mempool: Mempool
    ledger: LedgerView
    signatures: SignatureChecks
    fed: list[bytes] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)

    @property
    def town(self) -> Town:
        """The ledger of a node that was given none of its own."""
        assert isinstance(self.ledger, Town)
        return self.ledger

    def seat(self, own: int, *, seats: int) -> None:
        """Give the node a seat."""
        self.mempool.attach_proposer(self.take, seat=AuthorityIndex(own), seats=seats)

    async def take(self, items: tuple[bytes, ...]) -> None:
        self.fed += items
        self.steps.append(len(items))

    async def submit(self, signed: SignedTransaction) -> bytes:
        return await self.mempool.submit(SIGNED_TRANSACTION_CODEC.encode(signed))

    def has(self, *transactions: SignedTransaction) -> bool:
        """Tell whether the transactions wait here."""
        addresses = {signed.transaction.sender for signed in transactions}
        waiting = sum(len(self.mempool.pool.pending(address)) for address in addresses)
        return waiting >= len(transactions)


@dataclass
class Village:
    """Nodes that come one by one; each has its own view of the ledger."""

    network: Network
    stack: AsyncExitStack

    async def settle(
        self,
        number: int,
        *,
        ledger: LedgerView | None = None,
        signatures: SignatureChecks | None = None,
        limits: PoolLimits = DEFAULT_LIMITS,
    ) -> Node:
        """Start a node."""
        ledger = Town() if ledger is None else ledger
        host = await self.stack.enter_async_context(self.network.open(number))
        pubsub = await self.stack.enter_async_context(
            PubSub(host, (transaction_topic(ledger.chain_id),))
        )
        if signatures is None:
            signatures = SignatureChecks(InlineVerifier(), VerifiedSignatures())
        mempool = Mempool(ledger, pubsub, signatures, clock=LoopClock(), limits=limits)
        await self.stack.enter_async_context(_running(mempool))
        return Node(host, pubsub, mempool, ledger, signatures)

    async def befriend(self, one: Node, other: Node) -> None:
        """Let two nodes pass transactions to each other."""
        await meet(one.host, other.host)
        await until(lambda: _is_friend(one, other) and _is_friend(other, one))


def _is_friend(one: Node, other: Node) -> bool:
    return other.host.peer_id in one.pubsub.router.mesh_peers(TOPIC.name)


@asynccontextmanager
async def _running(mempool: Mempool) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(mempool.run(), name="mempool")
        await asyncio.sleep(0)
        yield
        running.cancel()


@asynccontextmanager
async def village() -> AsyncIterator[Village]:
    async with AsyncExitStack() as stack:
        yield Village(Network(), stack)
