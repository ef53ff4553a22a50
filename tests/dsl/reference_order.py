"""The whole agreed order a second time: commits, schedule boundaries and reputation, slowly.

Sections 2.7, 2.11 and 3.6 of the consensus document over `reference.Reference`. The draws alone
are those of the product; golden vectors hold them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from consensus.block import Block, BlockRef
from consensus.commit import Commit, commit_digest, genesis_commit_digest
from consensus.committee import EpochContext
from consensus.schedule import LeaderSchedule, ScheduleRecord, first_schedule
from primitives.hashing import Domain, tagged_hash
from primitives.ids import CommitIndex, Digest
from tests.dsl.reference import Reference, SubDag


@dataclass(frozen=True, slots=True)
class Step:
    """One commit with its digest, and the schedule that it begins, if it is a boundary."""

    commit: Commit
    digest: Digest
    record: ScheduleRecord | None


def expected_order(blocks: Sequence[Block], context: EpochContext) -> list[Step]:
    """Return everything that a node with these blocks puts out."""
    window = context.parameters.schedule_window
    schedule = first_schedule(context)
    leaders: list[BlockRef] = []
    steps: list[Step] = []
    after = 0
    while True:
        reference = Reference(
            blocks, powers=context.committee.powers, leaders=schedule.leaders, after=after
        )
        decided = [status.leader for _, status in reference.decided() if status.leader is not None]
        chosen = decided[: window - len(leaders) % window]
        leaders += chosen
        sub_dags = reference.linearise(leaders, gc_depth=context.parameters.gc_depth)
        for sub_dag in sub_dags[len(steps) :]:
            steps.append(_step(sub_dag, steps, context))
        if not chosen or len(leaders) % window != 0:
            return steps
        record = _conclude(blocks, sub_dags, steps[-1], context)
        steps[-1] = Step(steps[-1].commit, steps[-1].digest, record)
        schedule = LeaderSchedule(context, record)
        after = leaders[-1].round


def _step(sub_dag: SubDag, before: list[Step], context: EpochContext) -> Step:
    genesis = context.genesis_digest
    commit = Commit(
        genesis=genesis,
        index=len(before) + 1,
        previous=before[-1].digest if before else genesis_commit_digest(genesis),
        timestamp_ms=sub_dag.timestamp_ms,
        leader=sub_dag.leader,
        blocks=sub_dag.blocks,
        void=sub_dag.void,
    )
    return Step(commit, commit_digest(commit), None)


def _conclude(
    blocks: Sequence[Block], sub_dags: list[SubDag], boundary: Step, context: EpochContext
) -> ScheduleRecord:
    """Exclude the authors whose committed blocks of the window voted least for its leaders."""
    committee, parameters = context.committee, context.parameters
    by_ref = {block.ref: block for block in blocks}
    first = len(sub_dags) - parameters.schedule_window
    scores = [0] * committee.size
    liars: set[int] = set()
    for place, sub_dag in list(enumerate(sub_dags))[first:]:
        floor = max(0, sub_dags[place - 1].leader.round - parameters.gc_depth) if place else 0
        leaders = {other.leader for other in sub_dags[first : place + 1]}
        for ref in sub_dag.blocks:
            for voted in leaders & set(by_ref[ref].header.ancestors):
                if voted.round == ref.round - 1 and voted.round > floor:
                    scores[ref.author] += 1
        liars |= {ref.author for ref in sub_dag.void}
    scores = [0 if author in liars else score for author, score in enumerate(scores)]
    median = sorted(scores)[(committee.size + 1) // 2 - 1]
    ties = [_tie(boundary.digest, author) for author in range(committee.size)]
    excluded: list[int] = []
    for author in sorted(range(committee.size), key=lambda author: (scores[author], ties[author])):
        power = sum(committee.powers[other] for other in [*excluded, author])
        is_low = scores[author] * 4 < median * 3
        leave_enough = committee.size - len(excluded) > parameters.leaders_per_round
        if is_low and leave_enough and power <= committee.faulty_power_max:
            excluded.append(author)
    members = tuple(committee.indices[author] for author in sorted(excluded))
    return ScheduleRecord(CommitIndex(boundary.commit.index), members)


def _tie(digest: Digest, author: int) -> Digest:
    return tagged_hash(Domain.SCHEDULE_TIE, digest + author.to_bytes(8, "big"))
