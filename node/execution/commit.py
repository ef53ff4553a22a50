"""Execute commits: the one function from an agreed order to an agreed state.

Everything here follows from the state before and the committed sub-DAG alone, so every node gets
the same changes and receipts. The order inside a commit is fixed: twins are punished, due calls
run, transactions execute as consensus ordered them, fees settle, and if the epoch is over it turns.

A state that a transaction leaves is never seen half done: the caller writes all changes of a commit
at once, and the checkpoint is signed only after they are on disk.
"""

import enum
from dataclasses import dataclass
from typing import Final

import msgspec

from consensus.commit import CommittedSubDag
from node.execution.epochs import forget_epoch, has_epoch, opening_record, write_epoch
from node.execution.evidence import punish_twins
from node.execution.facts import CommitFacts
from node.execution.library import Library
from node.execution.transactions import SignatureCheck, TransactionRunner, check_now
from node.execution.wake_ups import run_due_calls
from node.execution.warm_code import warm_digests
from node.ledger.account import SystemAccount, balance_of
from node.ledger.chain import ChainRecord, read_chain, write_chain
from node.ledger.checkpoint import Checkpoint
from node.ledger.committee import seats_digest
from node.ledger.fees import collect_tips, next_fee
from node.ledger.overlay import Overlay, StateReader
from node.ledger.parameters import read_parameters
from node.ledger.receipt import RECEIPT_CODEC, Receipt, encoded_receipts_root
from node.ledger.staking.attendance import record_commit
from node.ledger.staking.boundary import end_epoch
from node.ledger.staking.queries import seats_of
from node.ledger.staking.records import Members
from node.ledger.staking.tables import read_committee
from node.ledger.supply import burn, count_burned
from node.vm.engine import Engine
from primitives.hashing import Domain, tagged_hash
from primitives.ids import (
    AuthorityIndex,
    CommitIndex,
    Digest,
    Epoch,
    Height,
    TimestampMs,
)

NO_ROOT = Digest(bytes(32))


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What executes, the same for every commit of a node.

    Args:
        engine: both give the same results; a node takes the fast one.
        check: of signatures.
    """

    engine: Engine
    library: Library
    check: SignatureCheck = check_now

    def recall(self, state: StateReader) -> None:
        """Load the code that the state expects in memory; for a node that has just started.

        Without it the first calls after the start load it, and nobody pays for that: it takes some
        ten seconds if the chain is full of large contracts.
        """
        for digest in warm_digests(state):
            self.engine.prepare(self.library.load(state, digest).module)


class Closing(enum.Enum):
    """What consensus says about the end of the epoch, beside the time, which the chain knows."""

    BY_TIME = "by-time"
    """The epoch ends with this commit if its time has come."""

    FORCED = "forced"
    """Consensus closed the epoch with this commit because operators agreed on it."""


HEARTBEAT_MS: Final = 2_000
"""The first commit in each such span of the chain's time gets a checkpoint, whatever it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitInput:
    """One commit to execute.

    Args:
        last_checkpoint: digest of the last checkpoint, zeros before the first.
        closing: `FORCED` if and only if consensus reported that it closed the epoch here; what
            number operators had agreed on is for consensus alone to judge.
    """

    sub_dag: CommittedSubDag
    last_checkpoint: Digest
    closing: Closing = Closing.BY_TIME


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitOutcome:
    """What a commit does.

    Args:
        changes: of the state, by ascending key; None means deleted.
        receipts: one for each scheduled call that ran and each payload item, in this order; the
            items of a block after too many faulty ones have one together.
        encoded_receipts: the same receipts, as the root commits to them and the disk keeps them.
        draft: the checkpoint without its state root, None for a commit that gets none.
        next_members: the committee of the next epoch, if this commit closed one.
    """

    height: Height
    changes: dict[bytes, bytes | None]
    receipts: tuple[Receipt, ...]
    encoded_receipts: tuple[bytes, ...]
    draft: Checkpoint | None
    next_members: Members | None

    def checkpoint(self, state_root: Digest) -> Checkpoint | None:
        """Return the checkpoint to sign, once the tree has the root of the new state."""
        if self.draft is None:
            return None
        return msgspec.structs.replace(self.draft, state_root=state_root)


def apply_commit(state: StateReader, commit: CommitInput, *, machine: Machine) -> CommitOutcome:
    """Execute the next commit over the state that the commits before it left."""
    overlay = Overlay(state)
    chain = read_chain(overlay)
    facts = _facts(overlay, chain, commit)
    _open_epoch(overlay, facts, chain, commit)
    authors = _honest_authors(overlay, facts, commit.sub_dag)
    runner = TransactionRunner(
        overlay, facts=facts, engine=machine.engine, library=machine.library, check=machine.check
    )
    receipts = run_due_calls(overlay, facts=facts, runner=runner)
    receipts += _run_payload(runner, commit.sub_dag)
    record_commit(overlay, authors)
    collect_tips(overlay, runner.tips)
    count_burned(overlay, runner.burned)
    _burn_what_was_given_up(overlay)
    closes = _closes(facts, chain, commit)
    members = _turn_epoch(overlay, facts) if closes else None
    encoded = tuple(map(RECEIPT_CODEC.encode, receipts))
    draft = _draft(facts, chain, commit, receipts=encoded, members=members)
    _close_commit(overlay, facts, commit, runner=runner, draft=draft)
    return CommitOutcome(
        height=Height(facts.height + 1),
        changes=overlay.changes(),
        receipts=tuple(receipts),
        encoded_receipts=encoded,
        draft=draft,
        next_members=members,
    )


def _facts(overlay: Overlay, chain: ChainRecord, commit: CommitInput) -> CommitFacts:
    agreed = commit.sub_dag.commit
    assert agreed.index == chain.commit_index + 1, "commits execute in order, once each"
    return CommitFacts(
        chain_id=chain.chain_id,
        epoch=chain.epoch,
        height=chain.height,
        time_ms=TimestampMs(max(agreed.timestamp_ms, chain.time_ms)),
        beacon=tagged_hash(Domain.BEACON, commit.sub_dag.digest),
        base_fee=chain.base_fee,
        parameters=read_parameters(overlay),
        members=read_committee(overlay, chain.epoch),
    )


def _open_epoch(
    overlay: Overlay, facts: CommitFacts, chain: ChainRecord, commit: CommitInput
) -> None:
    """Store what evidence about this epoch will be judged by, at its first commit."""
    if has_epoch(overlay, facts.epoch):
        return
    record = opening_record(
        chain, parameters=facts.parameters, last_checkpoint=commit.last_checkpoint
    )
    write_epoch(overlay, facts.epoch, record)


def _honest_authors(
    overlay: Overlay, facts: CommitFacts, sub_dag: CommittedSubDag
) -> tuple[AuthorityIndex, ...]:
    """Punish the authors of twins; return the authors of the blocks that count."""
    void = dict.fromkeys(sub_dag.commit.void)
    if void:
        twins = tuple(dict.fromkeys(ref.author for ref in void))
        punish_twins(overlay, facts=facts, authors=twins)
    return tuple(ref.author for ref in sub_dag.commit.blocks if ref not in void)


def _run_payload(runner: TransactionRunner, sub_dag: CommittedSubDag) -> list[Receipt]:
    void = dict.fromkeys(sub_dag.commit.void)
    return [
        receipt
        for block in sub_dag.blocks
        if block.ref not in void
        for receipt in runner.run_block(block.signed.payload, name=block.ref.digest)
    ]


def _burn_what_was_given_up(overlay: Overlay) -> None:
    given_up = balance_of(overlay, SystemAccount.BURNED.address)
    if given_up:
        burn(overlay, owner=SystemAccount.BURNED.address, amount=given_up)


def _closes(facts: CommitFacts, chain: ChainRecord, commit: CommitInput) -> bool:
    closes_at_ms = chain.epoch_started_ms + facts.parameters.epoch_duration_ms
    return commit.closing is Closing.FORCED or facts.time_ms >= closes_at_ms


def _turn_epoch(overlay: Overlay, facts: CommitFacts) -> Members:
    term = facts.term
    members = end_epoch(overlay, term=term).members
    expired = facts.epoch - term.parameters.evidence_window_epochs
    if expired >= 0:
        forget_epoch(overlay, Epoch(expired))
    return members


def _draft(
    facts: CommitFacts,
    chain: ChainRecord,
    commit: CommitInput,
    *,
    receipts: tuple[bytes, ...],
    members: Members | None,
) -> Checkpoint | None:
    # An idle chain commits several times a second; signatures for nothing would be its only load.
    # But time is news as well: who follows certificates would send what has long expired.
    is_heartbeat = facts.time_ms // HEARTBEAT_MS > chain.time_ms // HEARTBEAT_MS
    if not (receipts or is_heartbeat) and members is None:
        return None
    return Checkpoint(
        chain_id=facts.chain_id,
        epoch=facts.epoch,
        number=chain.checkpoint_count,
        commit_index=commit.sub_dag.index,
        height=Height(facts.height + 1),
        commit_digest=commit.sub_dag.digest,
        timestamp_ms=facts.time_ms,
        state_root=NO_ROOT,
        receipts_root=encoded_receipts_root(receipts),
        previous=commit.last_checkpoint,
        next_committee=None if members is None else seats_digest(seats_of(members)),
    )


def _close_commit(
    overlay: Overlay,
    facts: CommitFacts,
    commit: CommitInput,
    *,
    runner: TransactionRunner,
    draft: Checkpoint | None,
) -> None:
    """Write what the chain knows about itself after this commit."""
    chain = read_chain(overlay)
    after = msgspec.structs.replace(
        chain,
        height=Height(facts.height + 1),
        commit_index=commit.sub_dag.index,
        time_ms=facts.time_ms,
        base_fee=next_fee(
            facts.base_fee, gas_used=runner.gas_used, parameters=facts.parameters.fees
        ),
        checkpoint_count=chain.checkpoint_count + (draft is not None),
        last_checkpoint=commit.last_checkpoint,
    )
    if draft is not None and draft.next_committee is not None:
        after = msgspec.structs.replace(
            after,
            epoch=Epoch(facts.epoch + 1),
            commit_index=CommitIndex(0),
            epoch_started_ms=facts.time_ms,
        )
    write_chain(overlay, after)
