"""The part of the chain that waits for the disk: executes commits, one durable write for each.

Guards: what a commit leaves (state, receipts, record with checkpoint, index) is in one transaction
of the database; a commit executes once, in its place, and only if it follows the one before; one
that the disk had no room for left nothing and may be given again. Belongs to one thread.
"""

from dataclasses import dataclass

from consensus.commit import Commit, CommittedSubDag, genesis_commit_digest
from node.chain.certified import check_against_certificate
from node.chain.committees import Committees
from node.chain.errors import (
    CommitForkError,
    CommitGapError,
    ForeignEpochError,
    StateDivergedError,
)
from node.chain.feed import CommitExecuted
from node.chain.head import Head
from node.chain.limits import ChainLimits
from node.chain.opening import newest_record
from node.chain.pruning import Pruner
from node.chain.record import COMMIT_RECORD_CODEC, CommitRecord
from node.execution.commit import (
    Closing,
    CommitInput,
    CommitOutcome,
    Machine,
    apply_commit,
)
from node.ledger.chain import CHAIN_CODEC, CHAIN_KEY, ChainRecord, read_chain
from node.ledger.checkpoint import checkpoint_digest
from node.storage.environment import Environment
from node.storage.history import record_at
from node.storage.receipt_index import put_index
from node.storage.state_store import PreparedCommit, StateStore
from node.storage.state_tables import COMMIT_RECORDS
from node.storage.writer import Writer
from primitives.ids import CommitIndex, Digest, Epoch, Height

EPOCHS_REPEATED_MAX = 2
"""Epochs before the running one whose commits are known to be repeats when they come again."""


@dataclass(frozen=True, slots=True)
class Executed:
    """A durable commit, and the head after it."""

    commit: CommitExecuted
    head: Head


class Executor:
    """Executes commits on what is stored; `open` makes one."""

    def __init__(
        self,
        environment: Environment,
        writer: Writer,
        store: StateStore,
        *,
        machine: Machine,
        limits: ChainLimits,
    ) -> None:
        self._environment = environment
        self._writer = writer
        self._store = store
        self._machine = machine
        self._pruner = Pruner(limits)
        self.committees = Committees()
        self._divergence: StateDivergedError | None = None
        with store.view() as view:
            self._chain = read_chain(view)
            self._record = newest_record(view, path=environment.path)
            self.committees.begin(view, last_checkpoint=self._record.last_checkpoint)

    @property
    def head(self) -> Head:
        """Return the head after the last durable commit."""
        return _head(self._chain, self._record, root=self._store.root)

    def execute(self, sub_dag: CommittedSubDag, *, closing: Closing) -> Executed | None:
        """Execute the next commit and make it durable; None if it was executed before.

        Raises:
            InvalidCommitError: it does not follow from what was executed; the class says why.
            StateDivergedError: the committee certified another result.
            DiskReserveError: nothing of it was written; give it again later.
            StorageError: nothing of it was written, and nothing ever will be.
        """
        if self._divergence is not None:
            raise self._divergence
        if self._was_executed(sub_dag):
            return None
        commit = CommitInput(
            sub_dag=sub_dag, last_checkpoint=self._record.last_checkpoint, closing=closing
        )
        with self._store.view_to_execute() as view:
            outcome = apply_commit(view, commit, machine=self._machine)
        prepared = self._store.prepare(
            outcome.height, outcome.changes, receipts=outcome.encoded_receipts, record=b""
        )
        record = self._record_of(sub_dag, outcome, prepared)
        after = _chain_after(outcome)
        self._complete(prepared, outcome, record=record, running=after.epoch)
        self._writer.write(prepared.batch)
        self._store.adopt(prepared)
        self._chain, self._record = after, record
        if outcome.next_members is not None:
            self._turn()
        self._compare(outcome.height, record)
        return Executed(_event(outcome, record, root=prepared.root), self.head)

    def _was_executed(self, sub_dag: CommittedSubDag) -> bool:
        """Tell whether a commit was executed; otherwise it is the next one.

        Raises:
            InvalidCommitError: it is neither.
        """
        commit, epoch, last = sub_dag.commit, self._chain.epoch, self._chain.commit_index
        context = self.committees.known(epoch)
        assert context is not None, "the running epoch is known"
        if commit.genesis != context.genesis_digest:
            self._check_past(commit)
            return True
        if not 1 <= commit.index <= last + 1:
            raise CommitGapError(epoch=epoch, expected=last + 1, actual=commit.index)
        if commit.index == last + 1:
            genesis = genesis_commit_digest(context.genesis_digest)
            expected = self._record.commit_digest if last else genesis
            if commit.previous != expected:
                raise CommitForkError(
                    epoch=epoch, index=last, expected=expected, actual=commit.previous
                )
            return False
        self._check_repeat(sub_dag)
        return True

    def _check_past(self, commit: Commit) -> None:
        """Check that a commit is of an epoch that ended here."""
        running = self._chain.epoch
        with self._store.view() as view:
            for epoch in range(running - 1, max(-1, running - 1 - EPOCHS_REPEATED_MAX), -1):
                if self.committees.past(view, Epoch(epoch)).genesis_digest == commit.genesis:
                    return
        raise ForeignEpochError(genesis=commit.genesis, epoch=running)

    def _check_repeat(self, sub_dag: CommittedSubDag) -> None:
        """Check that a commit of the running epoch is the one that was executed in its place."""
        height = Height(self._chain.height - (self._chain.commit_index - sub_dag.index))
        with self._environment.snapshot() as snapshot:
            raw = record_at(snapshot, height)
        # Pruned, or from before the snapshot that this chain began with.
        if raw is None:
            return
        record = COMMIT_RECORD_CODEC.decode(raw)
        if record.commit_digest != sub_dag.digest:
            raise CommitForkError(
                epoch=record.epoch,
                index=sub_dag.index,
                expected=record.commit_digest,
                actual=sub_dag.digest,
            )

    def _record_of(
        self, sub_dag: CommittedSubDag, outcome: CommitOutcome, prepared: PreparedCommit
    ) -> CommitRecord:
        checkpoint = outcome.checkpoint(prepared.root)
        last = self._record.last_checkpoint
        return CommitRecord(
            epoch=self._chain.epoch,
            commit_index=sub_dag.index,
            commit_digest=sub_dag.digest,
            time_ms=_chain_after(outcome).time_ms,
            last_checkpoint=last if checkpoint is None else checkpoint_digest(checkpoint),
            checkpoint=checkpoint,
        )

    def _complete(
        self,
        prepared: PreparedCommit,
        outcome: CommitOutcome,
        *,
        record: CommitRecord,
        running: Epoch,
    ) -> None:
        """Add to the write of the state what the chain keeps beside it, and what it forgets."""
        batch = prepared.batch
        # The last write of a key counts. So the record takes the place of the one that was given
        # before the root was known, and what is indexed again is not pruned with its old place.
        batch.put(COMMIT_RECORDS, outcome.height, COMMIT_RECORD_CODEC.encode(record))
        with self._environment.snapshot() as snapshot:
            self._pruner.prune(snapshot, batch, height=outcome.height, running=running)
        put_index(batch, outcome.height, outcome.receipts)

    def _compare(self, height: Height, record: CommitRecord) -> None:
        """Compare what was written with a certificate that was there first.

        This is done after the write, as certificates are compared after theirs: one sees both. Who
        gave the commit may have gone, so whoever gives the next one is told as well.
        """
        try:
            with self._environment.snapshot() as snapshot:
                check_against_certificate(snapshot, height, record.checkpoint)
        except StateDivergedError as error:
            self._divergence = error
            raise

    def _turn(self) -> None:
        with self._store.view() as view:
            self.committees.begin(view, last_checkpoint=self._record.last_checkpoint)


def _chain_after(outcome: CommitOutcome) -> ChainRecord:
    raw = outcome.changes[CHAIN_KEY]
    assert raw is not None, "every commit writes the record of the chain"
    return CHAIN_CODEC.decode_own(raw)


def _head(chain: ChainRecord, record: CommitRecord, *, root: Digest) -> Head:
    return Head(
        epoch=chain.epoch,
        commit_index=CommitIndex(chain.commit_index),
        height=chain.height,
        time_ms=chain.time_ms,
        state_root=root,
        base_fee=chain.base_fee,
        checkpoint_count=chain.checkpoint_count,
        last_checkpoint=record.last_checkpoint,
    )


def _event(outcome: CommitOutcome, record: CommitRecord, *, root: Digest) -> CommitExecuted:
    return CommitExecuted(
        epoch=record.epoch,
        commit_index=record.commit_index,
        height=outcome.height,
        time_ms=record.time_ms,
        digest=record.commit_digest,
        state_root=root,
        receipts=outcome.receipts,
        checkpoint=record.checkpoint,
        next_members=outcome.next_members,
    )
