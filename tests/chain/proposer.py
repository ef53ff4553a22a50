"""Commits as consensus would hand them over, if the validators proposed in turn and all agreed."""

from collections.abc import Sequence

from consensus.block import BLOCK_VERSION, Block, Header, payload_root, sign_block
from consensus.commit import Commit, CommittedSubDag, commit_digest, genesis_commit_digest
from consensus.committee import EpochContext
from node.chain.chain import Chain
from node.chain.feed import CommitExecuted
from node.execution.local_chain import key_named
from node.ledger.account import read_account
from node.ledger.checkpoint import Certificate, Checkpoint, bitmap_of, sign_checkpoint
from node.ledger.staking.queries import seats_of
from node.ledger.transaction import (
    SIGNED_TRANSACTION_CODEC,
    Action,
    Transaction,
    sign_transaction,
)
from primitives.ids import AuthorityIndex, CommitIndex, Digest, Gas, Grain, Round, TimestampMs
from primitives.keys import PrivateKey
from tests.chain.founded import address_of

GAS_LIMIT = Gas(20_000_000)
TIP = Grain(0)
KEYS_MADE = 64
CONSENSUS_KEYS: dict[bytes, PrivateKey] = {
    key.public.raw: key
    for key in (key_named(f"validator-{number} consensus") for number in range(KEYS_MADE))
}


class Proposer:
    """Orders payload on a chain and has it executed.

    Attributes:
        now_ms: what the next commit is stamped with.
    """

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.now_ms = TimestampMs(chain.head.time_ms)
        self._nonces: dict[str, int] = {}

    async def commit(self, *payload: bytes, pause_ms: int = 100) -> CommitExecuted:
        """Have the next commit executed, some time after the last."""
        executed = await self.chain.execute(self.order(*payload, pause_ms=pause_ms))
        assert executed is not None, "a commit that was just ordered is new"
        return executed

    async def send(self, action: Action, *, sender: str = "alice") -> CommitExecuted:
        """Have a commit with one transaction executed."""
        return await self.commit(self.sign(action, sender=sender))

    def order(self, *payload: bytes, pause_ms: int = 100) -> CommittedSubDag:
        """Return the next commit, with one block."""
        self.now_ms = TimestampMs(self.now_ms + pause_ms)
        chain, context = self.chain, self.chain.context()
        return sub_dag(
            context,
            index=CommitIndex(chain.head.commit_index + 1),
            previous=last_digest(chain),
            payload=payload,
            time_ms=self.now_ms,
        )

    def sign(self, action: Action, *, sender: str) -> bytes:
        """Return a transaction that may enter after those that were signed here before it."""
        with self.chain.view() as view:
            stored = read_account(view, address_of(sender)).nonce
        nonce = max(stored, self._nonces.get(sender, 0))
        self._nonces[sender] = nonce + 1
        transaction = Transaction(
            chain_id=self.chain.chain_id,
            sender=address_of(sender),
            nonce=nonce,
            gas_limit=GAS_LIMIT,
            fee_per_gas_max=Grain(2 * self.chain.head.base_fee),
            tip_per_gas=TIP,
            valid_until=TimestampMs(self.now_ms + 3_000_000),
            action=action,
        )
        return SIGNED_TRANSACTION_CODEC.encode(sign_transaction(transaction, key_named(sender)))

    def certify(self, checkpoint: Checkpoint | None) -> Certificate:
        """Return the certificate of a checkpoint, signed by the first quorum of its epoch."""
        assert checkpoint is not None, "the commit has no checkpoint"
        seats = seats_of(self.chain.members_of(checkpoint.epoch))
        signers: list[AuthorityIndex] = []
        quorum, power = sum(seat.power for seat in seats) * 2 // 3 + 1, 0
        for author, seat in enumerate(seats):
            if power < quorum:
                signers.append(AuthorityIndex(author))
                power += seat.power
        return certificate_of(
            checkpoint,
            signers=signers,
            keys=[CONSENSUS_KEYS[seats[author].consensus_key] for author in signers],
            seat_count=len(seats),
        )


def certificate_of(
    checkpoint: Checkpoint,
    *,
    signers: Sequence[AuthorityIndex],
    keys: Sequence[PrivateKey],
    seat_count: int,
) -> Certificate:
    """Return a certificate with the signatures of some keys."""
    votes = [
        sign_checkpoint(checkpoint, author=author, key=key)
        for author, key in zip(signers, keys, strict=True)
    ]
    return Certificate(
        checkpoint,
        bitmap_of(tuple(signers), seat_count=seat_count),
        tuple(vote.signature for vote in votes),
    )


def last_digest(chain: Chain) -> Digest:
    """Return what the next commit of a chain names as the one before."""
    head = chain.head
    if head.commit_index == 0:
        return genesis_commit_digest(chain.context().genesis_digest)
    record = chain.record_at(head.height)
    assert record is not None, "the newest commit keeps its record"
    return record.commit_digest


def sub_dag(
    context: EpochContext,
    *,
    index: CommitIndex,
    previous: Digest,
    payload: tuple[bytes, ...],
    time_ms: TimestampMs,
) -> CommittedSubDag:
    """Return a commit of one block, by the validator whose turn it is."""
    block = signed_block(context, payload, round_number=Round(index), time_ms=time_ms)
    commit = Commit(
        genesis=context.genesis_digest,
        index=index,
        previous=previous,
        timestamp_ms=time_ms,
        leader=block.ref,
        blocks=(block.ref,),
        void=(),
    )
    return CommittedSubDag(commit, digest=commit_digest(commit), blocks=(block,))


def signed_block(
    context: EpochContext, payload: tuple[bytes, ...], *, round_number: Round, time_ms: TimestampMs
) -> Block:
    """Return a block that stands alone."""
    author = AuthorityIndex(round_number % context.committee.size)
    key = CONSENSUS_KEYS[context.committee.authorities[author].public_key]
    header = Header(
        version=BLOCK_VERSION,
        genesis=context.genesis_digest,
        epoch=context.epoch,
        round=round_number,
        author=author,
        timestamp_ms=time_ms,
        ancestors=(),
        payload_root=payload_root(payload),
        payload_bytes=sum(map(len, payload)),
        payload_count=len(payload),
        commit_votes=(),
        reports=(),
    )
    return sign_block(header, payload, key)
