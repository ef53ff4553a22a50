"""Blocks and checkpoints that validators of a local chain signed and should not have."""

import msgspec

from consensus.block import BLOCK_VERSION, Block, Header, genesis_ref, payload_root, sign_block
from consensus.committee import EpochContext
from consensus.evidence import EVIDENCE_CODEC, prove_equivocation
from node.execution.epochs import read_context
from node.execution.local_chain import LocalChain, key_named
from node.ledger.chain import read_chain
from node.ledger.checkpoint import Checkpoint, CheckpointVote, sign_checkpoint
from node.ledger.conflict import CONFLICT_CODEC, prove_conflict
from node.ledger.parameters import read_parameters
from node.ledger.staking.records import Members
from node.ledger.staking.tables import read_committee
from node.ledger.transaction import Evidence, EvidenceKind
from primitives.hashing import sha256
from primitives.ids import AuthorityIndex, CommitIndex, Digest, Epoch, Height, Round, TimestampMs
from primitives.keys import PrivateKey


def committee_of(chain: LocalChain, *, epoch: int = 0) -> Members:
    """Return the committee of an epoch of the chain."""
    return read_committee(chain.state, Epoch(epoch))


def context_of(chain: LocalChain, *, epoch: int = 0) -> EpochContext:
    """Return the epoch as consensus knows it; the chain has had a commit in it."""
    return read_context(
        chain.state,
        chain_id=chain.chain_id,
        epoch=Epoch(epoch),
        parameters=read_parameters(chain.state),
        members=committee_of(chain, epoch=epoch),
    )


def operator_name(chain: LocalChain, author: int, *, epoch: int = 0) -> str:
    """Return the name of the account whose validator has the seat."""
    operator = committee_of(chain, epoch=epoch)[author].operator
    names = (f"validator-{number}" for number in range(100))
    return next(name for name in names if chain.account(name) == operator)


def consensus_key(chain: LocalChain, author: int, *, epoch: int = 0) -> PrivateKey:
    """Return the key that the seat signs with."""
    return key_named(f"{operator_name(chain, author, epoch=epoch)} consensus")


def signed_block(
    chain: LocalChain, *, author: int, round_number: int = 1, label: int = 0, epoch: int = 0
) -> Block:
    """Return a block of the seat; labels make blocks of one slot differ."""
    context = context_of(chain, epoch=epoch)
    header = Header(
        version=BLOCK_VERSION,
        genesis=context.genesis_digest,
        epoch=context.epoch,
        round=Round(round_number),
        author=AuthorityIndex(author),
        timestamp_ms=TimestampMs(label),
        ancestors=tuple(
            genesis_ref(context.genesis_digest, other) for other in context.committee.indices
        ),
        payload_root=payload_root(()),
        payload_bytes=0,
        payload_count=0,
        commit_votes=(),
        reports=(),
    )
    return sign_block(header, (), consensus_key(chain, author, epoch=epoch))


def equivocation(chain: LocalChain, *, author: int, epoch: int = 0) -> Evidence:
    """Return the action that reports two blocks of one slot."""
    one, other = (signed_block(chain, author=author, label=n, epoch=epoch) for n in (1, 2))
    raw = EVIDENCE_CODEC.encode(prove_equivocation(one, other))
    return Evidence(EvidenceKind.EQUIVOCATION, raw)


def tampered(action: Evidence, **changes: object) -> Evidence:
    """Return the report of an equivocation with parts of its proof replaced."""
    proof = EVIDENCE_CODEC.decode(action.proof)
    raw = EVIDENCE_CODEC.encode(msgspec.structs.replace(proof, **changes))
    return Evidence(action.kind, raw)


def checkpoint_vote(chain: LocalChain, *, author: int, label: int) -> CheckpointVote:
    """Return the vote of the seat for a checkpoint of commit 1 with a root of its own."""
    checkpoint = Checkpoint(
        chain_id=chain.chain_id,
        epoch=read_chain(chain.state).epoch,
        number=0,
        commit_index=CommitIndex(1),
        height=Height(1),
        commit_digest=Digest(bytes(32)),
        timestamp_ms=chain.now_ms,
        state_root=sha256(bytes([label])),
        receipts_root=Digest(bytes(32)),
        previous=Digest(bytes(32)),
        next_committee=None,
    )
    key = consensus_key(chain, author)
    return sign_checkpoint(checkpoint, author=AuthorityIndex(author), key=key)


def two_faced(chain: LocalChain, *, author: int) -> Evidence:
    """Return the action that reports two checkpoints for one commit."""
    votes = (checkpoint_vote(chain, author=author, label=label) for label in (1, 2))
    conflict = prove_conflict(*votes)
    return Evidence(EvidenceKind.CONFLICTING_CHECKPOINTS, CONFLICT_CODEC.encode(conflict))
