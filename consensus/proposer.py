"""What an own block says: ancestors, payload, commit votes, reports.

Guards: the own previous block comes first, then at most one block per other author, by author;
an author whose twins are both accepted here is left out for the rest of the epoch. A leader is
never left out for its score (in Sui that exclusion can stop liveness).
"""

from collections import deque

from consensus.block import (
    BLOCK_VERSION,
    Block,
    BlockRef,
    CommitVote,
    EquivocationReport,
    Header,
    genesis_ref,
    payload_root,
)
from consensus.committee import EpochContext
from consensus.dag import Dag
from consensus.parameters import Tuning
from primitives.ids import AuthorityIndex, Round, TimestampMs


class Proposer:
    """Composes headers; owns the queue of payload for own blocks."""

    def __init__(
        self, context: EpochContext, dag: Dag, *, own: AuthorityIndex, tuning: Tuning
    ) -> None:
        self._context = context
        self._dag = dag
        self._own = own
        self._pending_bytes_max = tuning.pending_bytes_max
        self._pending: deque[bytes] = deque()
        self._pending_bytes = 0
        self._votes: deque[CommitVote] = deque(maxlen=context.committee.size)
        self._included = [Round(0)] * context.committee.size
        self._timestamp_ms = TimestampMs(0)

    def submit(self, items: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """Queue payload for own blocks; return the items that do not fit or are too large."""
        refused = []
        for item in items:
            is_large = len(item) > self._context.parameters.transaction_bytes_max
            if is_large or self._pending_bytes + len(item) > self._pending_bytes_max:
                refused.append(item)
            else:
                self._pending.append(item)
                self._pending_bytes += len(item)
        return tuple(refused)

    def vote(self, vote: CommitVote) -> None:
        """Queue a commit vote; the newest ones, up to the committee size, go out."""
        self._votes.append(vote)

    def surrender(self) -> tuple[bytes, ...]:
        """Return all queued payload, for instance because the epoch closed."""
        items = tuple(self._pending)
        self._pending.clear()
        self._pending_bytes = 0
        return items

    def ancestors(self, target: Round, *, excluded: int) -> tuple[BlockRef, ...] | None:
        """Choose the ancestors of a block of round `target`.

        Returns:
            None if, without the excluded authors, the parents hold no quorum.
        """
        oldest = max(target - self._context.parameters.gc_depth, self._dag.gc_round + 1)
        refs = [self._own_previous(target)]
        parents = 1 << self._own if refs[0].round == target - 1 else 0
        for author in self._context.committee.indices:
            if author == self._own or excluded >> author & 1:
                continue
            if target == 1:
                refs.append(genesis_ref(self._context.genesis_digest, author))
                parents |= 1 << author
                continue
            vertex = self._dag.latest_below(author, target)
            if vertex is None or vertex.round < oldest or vertex.round <= self._included[author]:
                continue
            refs.append(vertex.ref)
            if vertex.round == target - 1:
                parents |= 1 << author
        return tuple(refs) if self._context.committee.is_quorum(parents) else None

    def compose(
        self,
        target: Round,
        ancestors: tuple[BlockRef, ...],
        *,
        wall_ms: int,
        payload: tuple[bytes, ...],
        reports: tuple[EquivocationReport, ...],
    ) -> Header:
        """Build the header; what it carries is taken off the queues and counted as included."""
        self._timestamp_ms = TimestampMs(max(self._timestamp_ms, wall_ms, 0))
        for ref in ancestors:
            self._included[ref.author] = ref.round
        votes = tuple(self._votes)
        self._votes.clear()
        return Header(
            version=BLOCK_VERSION,
            genesis=self._context.genesis_digest,
            epoch=self._context.epoch,
            round=target,
            author=self._own,
            timestamp_ms=self._timestamp_ms,
            ancestors=ancestors,
            payload_root=payload_root(payload),
            payload_bytes=sum(map(len, payload)),
            payload_count=len(payload),
            commit_votes=votes,
            reports=reports,
        )

    def take_payload(self) -> tuple[bytes, ...]:
        """Take queued items, oldest first, up to the limits of one block."""
        limits = self._context.parameters
        items: list[bytes] = []
        total = 0
        while self._pending and len(items) < limits.transactions_max:
            if total + len(self._pending[0]) > limits.payload_bytes_max:
                break
            item = self._pending.popleft()
            total += len(item)
            items.append(item)
        self._pending_bytes -= total
        return tuple(items)

    def resume(self, own_last: Block) -> None:
        """Continue after an own block from before a restart."""
        self._timestamp_ms = TimestampMs(own_last.header.timestamp_ms)
        for ref in own_last.header.ancestors:
            self._included[ref.author] = max(self._included[ref.author], ref.round)

    def _own_previous(self, target: Round) -> BlockRef:
        vertex = self._dag.latest_below(self._own, target)
        if vertex is None:
            return genesis_ref(self._context.genesis_digest, self._own)
        return vertex.ref
