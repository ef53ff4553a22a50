"""From committed leaders to sub-DAGs: every block exactly once, in one order.

Guards: the floor of commit i is the round of leader i - 1 minus the GC depth, a function of the
commit chain and never of local memory; nothing at or below it is emitted, nothing twice. The
older rule "stop at the author's last committed round" loses late blocks (Sui issue 20250).
"""

from collections.abc import Iterator

from consensus.block import BlockRef
from consensus.commit import (
    Commit,
    CommittedSubDag,
    commit_digest,
    commit_timestamp,
    genesis_commit_digest,
)
from consensus.committee import EpochContext
from consensus.dag import Dag, Vertex
from consensus.errors import CommitChainError
from primitives.ids import CommitIndex, Digest, Round, TimestampMs


class Linearizer:
    """Extends the commit chain, by own decision or by a certified commit of others."""

    def __init__(self, context: EpochContext, dag: Dag) -> None:
        self._context = context
        self._dag = dag
        self.index = CommitIndex(0)
        self.digest: Digest = genesis_commit_digest(context.genesis_digest)
        self.timestamp_ms = context.span.starts_at_ms
        self.leader_round = Round(0)

    @property
    def floor(self) -> Round:
        """Return the GC round: blocks at or below it will never be committed any more."""
        return Round(max(0, self.leader_round - self._context.parameters.gc_depth))

    def extend(self, leader: Vertex) -> tuple[CommittedSubDag, list[Vertex]]:
        """Commit the uncommitted cone of a decided leader."""
        assert not leader.committed, "a leader slot was decided twice"
        vertices = self._dag.uncommitted_cone(leader, floor=self.floor)
        commit = self._next_commit(leader, vertices)
        return self._install(commit, commit_digest(commit), vertices), vertices

    def adopt(self, commit: Commit, digest: Digest) -> tuple[CommittedSubDag, list[Vertex]]:
        """Install a certified commit whose blocks are all accepted.

        Raises:
            CommitChainError: it is not the one that our own DAG yields for that leader, which
                below f faults cannot happen to a certified commit.
        """
        leader = self._dag.get(commit.leader)
        if leader is None or leader.committed:
            raise CommitChainError(f"leader of commit {commit.index} is not an open block")
        vertices = self._dag.uncommitted_cone(leader, floor=self.floor)
        if self._next_commit(leader, vertices) != commit:
            raise CommitChainError(f"commit {commit.index} differs from the one its leader yields")
        return self._install(commit, digest, vertices), vertices

    def resume(self, *, index: CommitIndex, digest: Digest, commit: Commit) -> None:
        """Continue after a stored commit, on restart."""
        self.index = index
        self.digest = digest
        self.timestamp_ms = TimestampMs(commit.timestamp_ms)
        self.leader_round = commit.leader.round

    def _next_commit(self, leader: Vertex, vertices: list[Vertex]) -> Commit:
        parents = self._dag.round(leader.round - 1).select(leader.parents)
        return Commit(
            genesis=self._context.genesis_digest,
            index=self.index + 1,
            previous=self.digest,
            timestamp_ms=commit_timestamp(
                (vertex.block for vertex in parents),
                committee=self._context.committee,
                previous_ms=self.timestamp_ms,
            ),
            leader=leader.ref,
            blocks=tuple(vertex.ref for vertex in vertices),
            void=tuple(self._second_of_slot(vertices)),
        )

    def _second_of_slot(self, vertices: list[Vertex]) -> Iterator[BlockRef]:
        """Yield the blocks whose slot is filled by a block committed earlier, or listed before."""
        filled: dict[tuple[int, int], None] = {}
        for vertex in vertices:
            row = self._dag.round(vertex.round)
            if not row.has_twins:
                continue
            slot = (int(vertex.round), int(vertex.author))
            if slot in filled or row.authors_of(row.committed) >> vertex.author & 1:
                yield vertex.ref
            filled[slot] = None

    def _install(self, commit: Commit, digest: Digest, vertices: list[Vertex]) -> CommittedSubDag:
        floor = self.floor
        for vertex in vertices:
            assert vertex.round > floor, "emitted at or below the floor"
            self._dag.mark_committed(vertex)
        self.resume(index=CommitIndex(commit.index), digest=digest, commit=commit)
        return CommittedSubDag(
            commit, digest=digest, blocks=tuple(vertex.block for vertex in vertices)
        )
