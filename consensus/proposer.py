"""What an own block says: ancestors, payload, commit votes, reports.

Guards: the own previous block comes first, then at most one block per other author, by author;
an author whose twins are both accepted here is left out for the rest of the epoch, as long as
the others hold a quorum. A leader is
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

    @property
    def has_payload(self) -> bool:
        """Tell whether items wait for an own block."""
        return bool(self._pending)

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

    def ancestors(self, target: Round, *, excluded: int) -> tuple[BlockRef, ...]:
        """Choose the ancestors of a block of a round that the clock allows.

        The excluded authors are left out if the rest holds a quorum of parents. They must come
        in otherwise: honest nodes that lawfully skipped round target - 1 will never fill it.
        """
        row = self._dag.round(target - 1)
        if target > 1 and not self._context.committee.is_quorum(row.authors & ~excluded):
            excluded = 0
        refs = [self._own_previous(target)]
        for author in self._context.committee.indices:
            if author != self._own and not excluded >> author & 1:
                ref = self._newest_ref(author, target)
                if ref is not None:
                    refs.append(ref)
        return tuple(refs)

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
            # Never held back to the last own stamp: after a forward jump of our clock that would
            # keep our blocks from the future, and off every stream, until true time catches up.
            timestamp_ms=TimestampMs(max(wall_ms, 0)),
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
        for ref in own_last.header.ancestors:
            self._included[ref.author] = max(self._included[ref.author], ref.round)

    def _newest_ref(self, author: AuthorityIndex, target: Round) -> BlockRef | None:
        """Return an author's newest block below `target` that no own block names yet."""
        if target == 1:
            return genesis_ref(self._context.genesis_digest, author)
        vertex = self._dag.latest_below(author, target)
        if vertex is None or vertex.round <= self._included[author]:
            return None
        is_stale = vertex.round < target - self._context.parameters.gc_depth
        return None if is_stale or vertex.round <= self._dag.gc_round else vertex.ref

    def _own_previous(self, target: Round) -> BlockRef:
        vertex = self._dag.latest_below(self._own, target)
        if vertex is None:
            return genesis_ref(self._context.genesis_digest, self._own)
        return vertex.ref
