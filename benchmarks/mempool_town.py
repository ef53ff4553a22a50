"""A node without consensus: senders, a chain on disk, a mempool, and commits of what it proposes.

Everything is real: signatures and the child that checks them, gossip, the state on disk and the
executor; one block carries what the mempool handed over since the last.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from consensus.block import BLOCK_VERSION, Header, payload_root, sign_block
from consensus.commit import Commit, CommittedSubDag, commit_digest, genesis_commit_digest
from node.chain.chain import Chain
from node.ledger.genesis import (
    GENESIS_CODEC,
    Genesis,
    GenesisAccount,
    GenesisValidator,
    chain_id_of,
)
from node.ledger.parameters import LedgerParameters, LimitParameters
from node.ledger.transaction import (
    SIGNED_TRANSACTION_CODEC,
    Transaction,
    Transfer,
    sign_transaction,
)
from node.mempool.batch import transaction_topic
from node.mempool.ledger_view import ChainLedger
from node.mempool.mempool import Mempool
from node.running.clock import SystemClock
from node.signatures.checks import SignatureChecks
from node.signatures.service import SignatureService
from node.signatures.verified import VerifiedSignatures
from p2p.host import Host
from p2p.pubsub import PubSub
from p2p.transport import TcpTransport
from p2p.wire.identity import Identity
from p2p.wire.multiaddr import Multiaddr
from primitives.hashing import sha256
from primitives.ids import (
    Address,
    AuthorityIndex,
    CommitIndex,
    Digest,
    Gas,
    Grain,
    Round,
    TimestampMs,
)
from primitives.keys import PrivateKey

TIME_MS: Final = TimestampMs(1_000_000)
RICH: Final = Grain(10**15)
GAS_LIMIT: Final = Gas(20_000)
FEE_MAX: Final = Grain(100_000)
COMMIT_MS: Final = 50
LOOPBACK: Final = Multiaddr.of_tcp("127.0.0.1", 0)


def key_of(name: str) -> PrivateKey:
    """Return the key of a name."""
    return PrivateKey.from_seed(sha256(name.encode()))


class Senders:
    """Accounts with money, and their genesis."""

    def __init__(self, count: int) -> None:
        self._keys = [key_of(f"sender {number}") for number in range(count)]
        self._nonces = [0] * count
        self.genesis: Final = GENESIS_CODEC.encode(self._genesis())
        self._chain_id = chain_id_of(self.genesis)

    def transfers(self, rounds: int) -> list[list[bytes]]:
        """Return for each sender its next transfers."""
        return [[self._transfer(place) for _ in range(rounds)] for place in range(len(self._keys))]

    def _transfer(self, place: int) -> bytes:
        key, nonce = self._keys[place], self._nonces[place]
        self._nonces[place] += 1
        recipient = self._keys[(place * 7 + nonce) % len(self._keys)]
        transaction = Transaction(
            chain_id=self._chain_id,
            sender=Address(key.public.raw),
            nonce=nonce,
            gas_limit=GAS_LIMIT,
            fee_per_gas_max=FEE_MAX,
            tip_per_gas=Grain(0),
            valid_until=TimestampMs(TIME_MS + 3_600_000),
            action=Transfer(Address(recipient.public.raw), Grain(1)),
        )
        return SIGNED_TRANSACTION_CODEC.encode(sign_transaction(transaction, key))

    def _genesis(self) -> Genesis:
        addresses = sorted(key.public.raw for key in self._keys)
        validators = [f"validator {number}" for number in range(4)]
        return Genesis(
            name="benchmark",
            time_ms=TIME_MS,
            parameters=LedgerParameters(limits=LimitParameters(commit_gas_max=Gas(100_000_000))),
            accounts=tuple(GenesisAccount(Address(raw), RICH) for raw in addresses),
            validators=tuple(
                GenesisValidator(
                    operator=Address(key_of(name).public.raw),
                    consensus_key=key_of(f"{name} consensus").public.raw,
                    node_key=key_of(f"{name} node").public.raw,
                    commission_bp=0,
                    stake=RICH,
                )
                for name in validators
            ),
            contracts=(),
        )


@dataclass
class Node:
    """One node; `proposed` is what it put into blocks that are not committed yet."""

    host: Host
    pubsub: PubSub
    chain: Chain
    mempool: Mempool
    service: SignatureService
    proposed: list[bytes] = field(default_factory=list)
    has_proposed: asyncio.Event = field(default_factory=asyncio.Event)
    executed: int = 0
    previous: Digest | None = None

    async def take(self, items: tuple[bytes, ...]) -> None:
        """Take payload, as consensus would."""
        self.proposed += items
        self.has_proposed.set()

    def propose(self) -> None:
        """Be the one validator from now on."""
        self.mempool.attach_proposer(self.take, seat=AuthorityIndex(0), seats=1)

    async def commit_until(self, count: int) -> None:
        """Commit what is proposed until so many transactions were executed."""
        while self.executed < count:
            await asyncio.sleep(COMMIT_MS / 1_000)
            items, self.proposed = tuple(self.proposed), []
            sub_dag = self._sub_dag(items)
            event = await self.chain.execute(sub_dag)
            assert event is not None
            failures = {receipt.code for receipt in event.receipts if receipt.code}
            assert not failures, f"transactions failed: {failures}"
            self.executed += len(items)
            self.previous = sub_dag.digest

    def _sub_dag(self, payload: tuple[bytes, ...]) -> CommittedSubDag:
        context, head = self.chain.context(), self.chain.head
        index = CommitIndex(head.commit_index + 1)
        time_ms = TimestampMs(head.time_ms + COMMIT_MS)
        header = Header(
            version=BLOCK_VERSION,
            genesis=context.genesis_digest,
            epoch=context.epoch,
            round=Round(index),
            author=AuthorityIndex(0),
            timestamp_ms=time_ms,
            ancestors=(),
            payload_root=payload_root(payload),
            payload_bytes=sum(map(len, payload)),
            payload_count=len(payload),
            commit_votes=(),
            reports=(),
        )
        block = sign_block(header, payload, key_of("proposer"))
        commit = Commit(
            genesis=context.genesis_digest,
            index=index,
            previous=self.previous or genesis_commit_digest(context.genesis_digest),
            timestamp_ms=time_ms,
            leader=block.ref,
            blocks=(block.ref,),
            void=(),
        )
        return CommittedSubDag(commit, digest=commit_digest(commit), blocks=(block,))


@asynccontextmanager
async def running_node(folder: Path, senders: Senders, *, number: int = 0) -> AsyncIterator[Node]:
    """Run a node whose gossip listens on loopback."""
    clock = SystemClock()
    verified = VerifiedSignatures()
    identity = Identity.from_seed(sha256(b"host %d" % number))
    async with AsyncExitStack() as stack:
        chain = stack.enter_context(
            Chain.open(
                folder,
                genesis=senders.genesis,
                node_id=b"benchmark",
                clock=clock,
                check=verified.check,
            )
        )
        ledger = stack.enter_context(ChainLedger(chain))
        service = await stack.enter_async_context(SignatureService(clock=clock))
        host = Host(identity, transports=(TcpTransport(),), clock=clock, dice=Random(number))
        await stack.enter_async_context(host)
        await host.listen(LOOPBACK)
        pubsub = await stack.enter_async_context(PubSub(host, (transaction_topic(chain.chain_id),)))
        mempool = Mempool(ledger, pubsub, SignatureChecks(service, verified), clock=clock)
        await stack.enter_async_context(_running(mempool))
        while service.pid is None:  # noqa: ASYNC110 - a process changes it, which nobody tells of
            await asyncio.sleep(0.01)
        yield Node(host, pubsub, chain, mempool, service)


@asynccontextmanager
async def _running(mempool: Mempool) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(mempool.run(), name="mempool")
        await asyncio.sleep(0)
        yield
        running.cancel()
