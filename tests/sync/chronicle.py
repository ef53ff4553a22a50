"""A chain that grows as validators would let it grow, and the nodes that hold it."""

from collections.abc import Sequence

from consensus.block import (
    BLOCK_VERSION,
    Block,
    BlockRef,
    Header,
    genesis_ref,
    payload_root,
    sign_block,
)
from consensus.commit import Commit, CommittedSubDag, commit_digest
from consensus.committee import EpochContext
from consensus.events import StoreBlocks, StoreCommit
from node.chain.chain import Chain
from node.chain.feed import CommitExecuted
from node.execution.commit import Closing
from node.ledger.parameters import LedgerParameters
from node.ledger.transaction import Transfer
from node.storage.block_store import LmdbBlockStore
from primitives.ids import (
    Address,
    AuthorityIndex,
    CommitIndex,
    DurationMs,
    Grain,
    Round,
    TimestampMs,
)
from tests.chain.founded import SMALL_STAKES, address_of, genesis_file
from tests.chain.proposer import CONSENSUS_KEYS, Proposer, last_digest

EPOCH_MS = 500
STEP_MS = 100


def short_epochs(duration_ms: int = EPOCH_MS) -> LedgerParameters:
    """Return parameters with epochs of some milliseconds."""
    staking = SMALL_STAKES.staking
    return LedgerParameters(
        staking=staking,
        epoch_duration_ms=DurationMs(duration_ms),
        trusting_period_ms=DurationMs(duration_ms * staking.evidence_window_epochs),
    )


GENESIS = genesis_file()
GENESIS_OF_SHORT_EPOCHS = genesis_file(parameters=short_epochs())


class Chronicle:
    """Orders commits, and has every validator chain execute, store and certify them."""

    def __init__(self, *chains: Chain) -> None:
        self.chains = chains
        self._proposer = Proposer(chains[0])
        self._below: tuple[int, list[Block]] = (-1, [])

    async def grow(
        self, count: int, *, transfers_every: int = 1, closing: Closing = Closing.BY_TIME
    ) -> None:
        """Add commits; some of them have a transfer, and so a checkpoint and a certificate."""
        for number in range(1, count + 1):
            is_due = number % transfers_every == 0
            payload = (self.transfer(address_of("bob")),) if is_due else ()
            await self.commit(payload, closing=closing if number == count else Closing.BY_TIME)

    def transfer(self, recipient: Address) -> bytes:
        """Return a transfer to an account."""
        return self._proposer.sign(Transfer(recipient=recipient, amount=Grain(1)), sender="alice")

    async def commit(
        self, payload: tuple[bytes, ...], *, closing: Closing = Closing.BY_TIME
    ) -> CommitExecuted:
        """Add a commit of four blocks, the first of which has the payload."""
        self._proposer.now_ms = TimestampMs(self._proposer.now_ms + STEP_MS)
        sub_dag = self._order(payload)
        executed: CommitExecuted | None = None
        for chain in self.chains:
            store_in(chain, [sub_dag])
            executed = await chain.execute(sub_dag, closing=closing)
        assert executed is not None, "what was just ordered is new"
        if executed.checkpoint is not None:
            certificate = self._proposer.certify(executed.checkpoint)
            for chain in self.chains:
                await chain.add_certificate(certificate)
        return executed

    def _order(self, payload: tuple[bytes, ...]) -> CommittedSubDag:
        chain, context = self.chains[0], self.chains[0].context()
        index = CommitIndex(chain.head.commit_index + 1)
        epoch, below = self._below
        refs = [block.ref for block in below]
        if epoch != context.epoch:
            genesis = context.genesis_digest
            refs = [genesis_ref(genesis, author) for author in context.committee.indices]
        blocks = [
            sign(
                context,
                author,
                refs,
                payload=payload if author == 0 else (),
                now_ms=self._proposer.now_ms,
            )
            for author in context.committee.indices
        ]
        self._below = (context.epoch, blocks)
        commit = Commit(
            genesis=context.genesis_digest,
            index=index,
            previous=last_digest(chain),
            timestamp_ms=self._proposer.now_ms,
            leader=blocks[0].ref,
            blocks=tuple(sorted(block.ref for block in blocks)),
            void=(),
        )
        return CommittedSubDag(commit, digest=commit_digest(commit), blocks=tuple(blocks))


def sign(
    context: EpochContext,
    author: AuthorityIndex,
    below: Sequence[BlockRef],
    *,
    payload: tuple[bytes, ...],
    now_ms: int,
) -> Block:
    """Return a block on top of all blocks of the round below."""
    header = Header(
        version=BLOCK_VERSION,
        genesis=context.genesis_digest,
        epoch=context.epoch,
        round=Round(below[0].round + 1),
        author=author,
        timestamp_ms=TimestampMs(now_ms),
        ancestors=tuple(sorted(below, key=lambda ref: (ref.author != author, ref.author))),
        payload_root=payload_root(payload),
        payload_bytes=sum(map(len, payload)),
        payload_count=len(payload),
        commit_votes=(),
        reports=(),
    )
    key = CONSENSUS_KEYS[context.committee.authorities[author].public_key]
    return sign_block(header, payload, key)


def store_in(chain: Chain, sub_dags: Sequence[CommittedSubDag]) -> None:
    """Store sub-DAGs as consensus does."""
    store = LmdbBlockStore.open(chain.environment, chain.writer, chain.context())
    for sub_dag in sub_dags:
        store.append(StoreBlocks(sub_dag.blocks))
        store.append(StoreCommit(sub_dag.commit, sub_dag.digest, None))
    store.sync()
