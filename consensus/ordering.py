"""Decisions to commits: committer, linearizer, schedule and reputation moved in step.

Guards: a commit changes the schedule only at its boundary, and nothing decided with the old
schedule survives the boundary. Own decisions and certified commits of others go through the
same steps, so a restarted, a lagging and an ordinary node hold the same state after commit i.
"""

from collections import deque

from consensus.commit import Commit, CommittedSubDag
from consensus.committee import EpochContext
from consensus.committer import Committer, SlotDecision
from consensus.dag import Dag, Vertex
from consensus.errors import CommitChainError
from consensus.linearizer import Linearizer
from consensus.schedule import LeaderSchedule, Reputation, ScheduleRecord, first_schedule
from primitives.ids import CommitIndex, Digest, Round


class OrderedCommit:
    """A commit as it was installed, with the schedule that it begins, if it is a boundary."""

    __slots__ = ("schedule", "sub_dag")

    def __init__(self, sub_dag: CommittedSubDag, schedule: ScheduleRecord | None) -> None:
        self.sub_dag = sub_dag
        self.schedule = schedule


class Ordering:
    """The agreed order as far as this node can tell."""

    def __init__(self, context: EpochContext, dag: Dag) -> None:
        self._context = context
        self._window = context.parameters.schedule_window
        self._dag = dag
        self._reputation = Reputation(context)
        self.schedule = first_schedule(context)
        self.linearizer = Linearizer(context, dag)
        self._decided: deque[SlotDecision] = deque()
        self._accepted_seen = 0
        self.committer = Committer(dag, committee=context.committee, leaders=self.schedule.leaders)

    def advance(self) -> OrderedCommit | None:
        """Install the next commit that the DAG decides; None when there is none yet."""
        if not self._decided and self._dag.accepted_count != self._accepted_seen:
            self._accepted_seen = self._dag.accepted_count
            self._decided.extend(self.committer.decide())
        while self._decided:
            decision = self._decided.popleft()
            self.committer.take(decision)
            if decision.leader is not None:
                floor = self.linearizer.floor
                sub_dag, vertices = self.linearizer.extend(decision.leader)
                return self._settle(sub_dag, vertices, floor=floor)
        return None

    def adopt(self, commit: Commit, digest: Digest) -> OrderedCommit:
        """Install a certified commit whose blocks are accepted.

        Raises:
            CommitChainError: it is not what its leader yields, or no leader of that round.
        """
        leader = commit.leader
        slots = self.schedule.leaders(leader.round)
        if leader.author not in slots:
            raise CommitChainError(f"{leader.author} does not lead round {leader.round}")
        floor = self.linearizer.floor
        sub_dag, vertices = self.linearizer.adopt(commit, digest)
        self.committer.advance_to(leader.round, slots.index(leader.author))
        self._forget_decisions()
        return self._settle(sub_dag, vertices, floor=floor)

    def resume_at_boundary(self, commit: Commit, digest: Digest, record: ScheduleRecord) -> None:
        """Continue after the stored commit that `record` follows, on restart."""
        self.schedule = LeaderSchedule(self._context, record)
        self.linearizer.resume(index=CommitIndex(commit.index), digest=digest, commit=commit)
        self.committer.restart_after(commit.leader.round, leaders=self.schedule.leaders)

    def _settle(
        self, sub_dag: CommittedSubDag, vertices: list[Vertex], *, floor: Round
    ) -> OrderedCommit:
        leader = self._dag.get(sub_dag.commit.leader)
        assert leader is not None
        self._reputation.record(leader, vertices, sub_dag=sub_dag, floor=floor)
        if sub_dag.index % self._window != 0:
            return OrderedCommit(sub_dag, None)
        record = self._reputation.conclude(sub_dag.index, sub_dag.digest)
        self._reputation = Reputation(self._context)
        self.schedule = LeaderSchedule(self._context, record)
        self.committer.restart_after(leader.round, leaders=self.schedule.leaders)
        self._forget_decisions()
        return OrderedCommit(sub_dag, record)

    def _forget_decisions(self) -> None:
        """Decide anew: the cursor or the schedule moved under what was decided before."""
        self._decided.clear()
        self._accepted_seen = 0
