"""A node of one process behind its API: a real chain, mempool, host and blob store, on loopback.

Only consensus is missing: a test asks for the next commit, which takes what the mempool proposes.
"""

import asyncio
import functools
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from node.blobs.bounds import BlobBounds
from node.blobs.fetcher import BlobFetcher
from node.blobs.sealed import SealedUpdates
from node.blobs.store import BlobStore
from node.chain.chain import Chain
from node.chain.feed import CommitExecuted
from node.chain.reader import ContractReader
from node.contracts.standard import standard_contracts
from node.execution.local_chain import key_named
from node.federation.gathering import Gatherer
from node.federation.views import FederationReader
from node.ledger.receipt import ReceiptStatus
from node.ledger.transaction import SIGNED_TRANSACTION_CODEC, Action, SignedTransaction
from node.mempool.batch import transaction_topic
from node.mempool.ledger_view import ChainLedger
from node.mempool.mempool import Mempool
from node.rpc.client import NodeClient
from node.rpc.context import DutyView, NodeContext
from node.rpc.jwt import write_token
from node.rpc.limits import RpcLimits
from node.rpc.log_ring import LogRing
from node.rpc.round_shelf import RoundShelf
from node.rpc.round_watch import RoundWatch
from node.rpc.server import RpcServer, RpcSettings
from node.rpc.uploads import Uploads
from node.signatures.checks import SignatureChecks
from node.signatures.verified import VerifiedSignatures
from node.signatures.verifier import InlineVerifier
from node.storage.disk import DEFAULT_RESERVE, Reserve
from p2p.pubsub import PubSub
from primitives.ids import AuthorityIndex
from tests.chain.founded import NODE_ID, StillClock, address_of, genesis_file
from tests.chain.proposer import Proposer
from tests.p2p.town import Town

OPERATOR: Final = "validator-0"
PLENTY: Final = RpcLimits(rate_per_s=1_000_000, burst=1_000_000)


@functools.cache
def genesis_with_contracts() -> bytes:
    """Return a genesis file with the standard contracts; compiling them takes a second."""
    return genesis_file(contracts=standard_contracts())


@dataclass
class Stage:
    """The node and what a test does to it.

    Attributes:
        shutdowns: how often the node was asked to end.
        watch: follows rounds; it has seen a commit when `commit` returns.
        is_blind: it does not look.
    """

    clock: StillClock
    chain: Chain
    mempool: Mempool
    proposer: Proposer
    context: NodeContext
    server: RpcServer
    client: NodeClient
    shutdowns: list[bool]
    watch: RoundWatch
    folder: Path
    proposed: list[bytes] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    is_blind: bool = False

    @property
    def port(self) -> int:
        return int(self.server.url.rpartition(":")[2])

    def token(self, name: str = OPERATOR) -> str:
        """Return a token of a test account for its own key."""
        return write_token(
            key_named(name), chain_id=self.chain.chain_id, now_ms=self.clock.wall_ms()
        )

    @asynccontextmanager
    async def client_of(self, name: str = OPERATOR) -> AsyncIterator[NodeClient]:
        """Yield a client that shows tokens of a test account."""
        async with NodeClient(self.server.url, token=lambda: self.token(name)) as client:
            yield client

    def sign(self, action: Action, *, sender: str = "alice") -> SignedTransaction:
        return SIGNED_TRANSACTION_CODEC.decode(self.proposer.sign(action, sender=sender))

    async def propose(self, payload: tuple[bytes, ...]) -> None:
        self.proposed += payload
        self.came.set()

    async def commit_proposed(self, count: int) -> CommitExecuted:
        """Wait until the mempool has proposed so many transactions, and have them executed."""
        async with asyncio.timeout(10):
            while len(self.proposed) < count:
                self.came.clear()
                await self.came.wait()
        payload, self.proposed = self.proposed, []
        return await self.commit(*payload)

    async def commit(self, *payload: bytes) -> CommitExecuted:
        """Have a commit executed and its checkpoint certified."""
        executed = await self.proposer.commit(*payload)
        if executed.checkpoint is not None:
            await self.chain.add_certificate(self.proposer.certify(executed.checkpoint))
        self.clock.now_ms = executed.time_ms
        if not self.is_blind:
            self.watch.take(executed)
        return executed

    async def send(self, action: Action, *, sender: str = "alice") -> CommitExecuted:
        """Have a commit with one transaction executed and certified."""
        executed = await self.commit(self.proposer.sign(action, sender=sender))
        receipt = executed.receipts[-1]
        assert receipt.status is ReceiptStatus.DONE, f"{receipt.code}: {receipt.trap}"
        return executed


def open_chain(folder: Path, genesis: bytes | None, *, clock: StillClock) -> Chain:
    founded = genesis or genesis_with_contracts()
    return Chain.open(folder, genesis=founded, node_id=NODE_ID, clock=clock)


def open_blobs(folder: Path, chain: Chain, *, clock: StillClock) -> BlobStore:
    return BlobStore.open(
        folder / "blobs",
        chain_id=chain.chain_id,
        node_id=NODE_ID,
        clock=clock,
        bounds=BlobBounds(bytes_max=1 << 24, file_bytes_max=1 << 24),
    )


@asynccontextmanager
async def open_stage(
    folder: Path,
    *,
    genesis: bytes | None = None,
    limits: RpcLimits = PLENTY,
    origins: tuple[str, ...] = (),
    duties: DutyView | None = None,
    is_ready: Callable[[], bool] = lambda: True,
    reserve: Reserve = DEFAULT_RESERVE,
) -> AsyncIterator[Stage]:
    """Run a node with the standard contracts, or what another genesis has."""
    clock, shutdowns = StillClock(), list[bool]()
    async with AsyncExitStack() as stack:
        chain = stack.enter_context(open_chain(folder, genesis, clock=clock))
        blobs = stack.enter_context(open_blobs(folder, chain, clock=clock))
        host = await stack.enter_async_context(Town().open(1))
        pubsub = PubSub(host, [transaction_topic(chain.chain_id)])
        await stack.enter_async_context(pubsub)
        checks = SignatureChecks(InlineVerifier(), VerifiedSignatures())
        ledger = stack.enter_context(ChainLedger(chain))
        mempool = Mempool(ledger, pubsub, checks, clock=clock)
        contracts = ContractReader(chain)
        fetcher = BlobFetcher(host, blobs, chain_id=chain.chain_id)
        (folder / "uploads").mkdir()
        watch = RoundWatch(chain, RoundShelf(folder / "rounds", chain_id=chain.chain_id))
        context = NodeContext(
            name="test node",
            version="0.1.0",
            roles=("validator",),
            clock=clock,
            chain=chain,
            contracts=contracts,
            federation=FederationReader(contracts),
            mempool=mempool,
            started_ms=clock.monotonic_ms(),
            operator=address_of(OPERATOR),
            host=host,
            pubsub=pubsub,
            blobs=blobs,
            envelopes=SealedUpdates(fetcher, chain_id=chain.chain_id),
            gatherer=Gatherer(fetcher, deadline_ms=500),
            uploads=Uploads(folder / "uploads", reserve=reserve),
            rounds=watch,
            duties=duties,
            logs=LogRing(clock),
            is_ready=is_ready,
            request_shutdown=lambda: shutdowns.append(True),
        )
        settings = RpcSettings(port=0, limits=limits, origins=origins)
        server = await stack.enter_async_context(RpcServer(context, settings))
        client = await stack.enter_async_context(NodeClient(server.url))
        running = await stack.enter_async_context(asyncio.TaskGroup())
        follower = running.create_task(mempool.run(), name="mempool")
        stack.callback(follower.cancel)
        proposer = Proposer(chain)
        stage = Stage(
            clock, chain, mempool, proposer, context, server, client, shutdowns, watch, folder
        )
        mempool.attach_proposer(stage.propose, seat=AuthorityIndex(0), seats=1)
        yield stage
