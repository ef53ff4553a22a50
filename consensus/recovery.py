"""What a restarted core is rebuilt from.

Replay begins at the last schedule boundary and goes through the very steps that the running
node takes, so scores, cursor and GC come out identical; each stored commit must equal the one
that the stored blocks yield, or the store is damaged. A crash exactly on a boundary is covered
because a commit and the schedule it begins are one write (sui issue 17654).
"""

import msgspec

from consensus.block import Block
from consensus.commit import Commit, commit_digest
from consensus.intake import Intake
from consensus.ordering import OrderedCommit, Ordering
from consensus.schedule import ScheduleRecord
from consensus.signer import StoredJournal
from primitives.errors import InvalidCommitError, StorageError
from primitives.ids import AuthorityIndex, CommitIndex, Round


class StoredState(msgspec.Struct, frozen=True, kw_only=True):
    """The durable state of one epoch, as far as a restart needs it.

    Args:
        schedule: the record of the last boundary commit; None before the first.
        commits: by index and without a gap, up to the last stored one, from the first whose
            leader lies above `floor`; the boundary commit is the first that replay continues
            after, those before it only tell which blocks were committed already.
        blocks: all stored blocks above `floor`, parents before children.
        floor: leader round of the boundary commit minus the GC depth, at least 0.
    """

    schedule: ScheduleRecord | None
    commits: tuple[Commit, ...]
    blocks: tuple[Block, ...]
    floor: Round


class Durable(msgspec.Struct, frozen=True, kw_only=True):
    """Everything durable that a core is built from; the defaults are those of a first boot.

    Args:
        watermark: highest round of this epoch in the journal, 0 for none.
        close_at: the commit that operators agreed to close the epoch with, if they did.
    """

    state: StoredState
    journal: StoredJournal = StoredJournal.INTACT
    watermark: Round = Round(0)
    close_at: CommitIndex | None = None


EMPTY_STATE = StoredState(schedule=None, commits=(), blocks=(), floor=Round(0))


def replay(
    state: StoredState, *, intake: Intake, ordering: Ordering, own: AuthorityIndex
) -> list[OrderedCommit]:
    """Rebuild DAG and order from storage; return the replayed commits after the boundary.

    They were stored before, and are not to be delivered from here (`serving.undelivered`).

    Raises:
        StorageError: the stored blocks do not yield the stored commits.
    """
    boundary = CommitIndex(0) if state.schedule is None else state.schedule.boundary_index
    intake.collect(state.floor)
    for block in sorted(state.blocks, key=lambda block: block.ref):
        if block.round > state.floor and not intake.knows(block.ref):
            intake.accept(block, own)
    replayed = []
    for commit in state.commits:
        digest = commit_digest(commit)
        if commit.index > boundary:
            replayed.append(_adopt(commit, intake=intake, ordering=ordering))
            continue
        for ref in commit.blocks:
            vertex = intake.dag.get(ref)
            if vertex is not None and not vertex.committed:
                intake.dag.mark_committed(vertex)
        if commit.index == boundary and state.schedule is not None:
            ordering.resume_at_boundary(commit, digest, state.schedule)
    if boundary and ordering.linearizer.index < boundary:
        raise StorageError(f"boundary commit {boundary} is not stored")
    return replayed


def _adopt(commit: Commit, *, intake: Intake, ordering: Ordering) -> OrderedCommit:
    try:
        return ordering.adopt(commit, commit_digest(commit))
    except InvalidCommitError as error:
        raise StorageError(f"stored commit {commit.index} does not replay: {error}") from error
