"""Catching up by commits: what the others agreed on, certified by the votes in their blocks.

Guards: a commit is installed only if a quorum of authors voted for its digest or for that of a
later commit that chains to it. Votes detect lag and certify; nothing waits for them. Answers
may stop short of what was asked: a server sends the prefix whose last commit it can certify.
Source: Sui `commit_syncer.rs`; peer choice by voted index from IOTA issue 12484.
"""

from collections.abc import Iterable

from consensus.block import Block, BlockRef, CommitVote
from consensus.commit import Commit, commit_digest
from consensus.committee import EpochContext
from consensus.errors import CommitCertificateError, CommitChainError, CommitRangeError
from consensus.messages import CommitRequestMessage
from consensus.parameters import Tuning
from primitives.ids import AuthorityIndex, CommitIndex, Digest

DIGESTS_KEPT = 1_000
STALL_TICKS = 4


class _Range:
    """A range in flight."""

    __slots__ = ("count", "deadline_ms", "peer")

    def __init__(self, peer: AuthorityIndex, count: int, deadline_ms: int) -> None:
        self.peer = peer
        self.count = count
        self.deadline_ms = deadline_ms


class CommitSync:
    """Votes of others, ranges in flight, and certified commits that wait for their blocks."""

    def __init__(self, context: EpochContext, *, own: AuthorityIndex, tuning: Tuning) -> None:
        self._context = context
        self._committee = context.committee
        self._own = own
        self._tuning = tuning
        self._voted: list[CommitVote | None] = [None] * context.committee.size
        self._digests: dict[CommitIndex, Digest] = {}
        self._mismatched = 0
        self._ranges: dict[int, _Range] = {}
        self._certified: dict[int, tuple[Commit, Digest]] = {}
        self._source = own
        self._rotation = int(own)
        self._stalled_ticks = 0
        self._index_at_tick = CommitIndex(0)
        self.quorum_index = CommitIndex(0)

    def observe(self, block: Block) -> bool:
        """Count a verified block's commit votes; tell whether validity power contradicts us."""
        author = block.author
        for vote in block.header.commit_votes:
            latest = self._voted[author]
            if latest is None or vote.index > latest.index:
                self._voted[author] = vote
            own = self._digests.get(vote.index)
            if own is not None and own != vote.digest:
                self._mismatched |= 1 << author
        return self._committee.power_of(self._mismatched) >= self._committee.validity

    def installed(self, index: CommitIndex, digest: Digest) -> bool:
        """Note an own commit; tell whether validity power voted for another one there."""
        self._digests[index] = digest
        self._digests.pop(CommitIndex(index - DIGESTS_KEPT), None)
        self._certified.pop(index, None)
        for author, vote in enumerate(self._voted):
            if vote is not None and vote.index == index and vote.digest != digest:
                self._mismatched |= 1 << author
        return self._committee.power_of(self._mismatched) >= self._committee.validity

    def is_lagging(self, index: CommitIndex) -> bool:
        """Tell whether live blocks are too far ahead to be of use (more than five batches)."""
        return self.quorum_index - index > 5 * self._tuning.commit_batch

    def tick(
        self, index: CommitIndex, *, now_ms: int
    ) -> list[tuple[AuthorityIndex, CommitRequestMessage]]:
        """Plan requests when lagging, or when nothing was committed for a few ticks."""
        self.quorum_index = self._quorum_index()
        self._stalled_ticks = 0 if index > self._index_at_tick else self._stalled_ticks + 1
        self._index_at_tick = index
        requests = self.plan(index, now_ms=now_ms)
        is_idle = not (requests or self._ranges or self._certified)
        is_alone = self._committee.size == 1
        if is_idle and not is_alone and self._stalled_ticks >= STALL_TICKS:
            self._stalled_ticks = 0
            last = CommitIndex(index + self._tuning.commit_batch)
            requests = self._plan_ranges(index, last, now_ms=now_ms)
        return requests

    def plan(
        self, index: CommitIndex, *, now_ms: int
    ) -> list[tuple[AuthorityIndex, CommitRequestMessage]]:
        """Plan requests for all that a quorum has beyond us, if that is a batch or more."""
        for first in [first for first, at in self._ranges.items() if at.deadline_ms <= now_ms]:
            del self._ranges[first]
        # An answer may come after we made its commits ourselves; left here, it would look like
        # progress under way and silence every later stall.
        for stale in [stale for stale in self._certified if stale <= index]:
            del self._certified[stale]
        if self.quorum_index - index < self._tuning.commit_batch or self._committee.size == 1:
            return []
        return self._plan_ranges(index, self.quorum_index, now_ms=now_ms)

    def accept(
        self,
        peer: AuthorityIndex,
        commits: tuple[Commit, ...],
        certifiers: Iterable[Block],
    ) -> None:
        """Take a peer's answer, whose certifying blocks are verified.

        Raises:
            InvalidCommitError: it was not asked for, is no chain, or is not certified.
        """
        first = commits[0].index if commits else 0
        asked = self._ranges.get(first)
        if asked is None or asked.peer != peer:
            raise CommitRangeError(f"{len(commits)} commits from {first} were not asked for")
        if len(commits) > asked.count:
            raise CommitRangeError(f"{len(commits)} commits, asked for {asked.count}")
        digests = self._check_chain(commits)
        self._check_certificate(commits[-1], digests[-1], certifiers)
        del self._ranges[first]
        self._source = peer
        for commit, digest in zip(commits, digests, strict=True):
            self._certified[commit.index] = (commit, digest)

    def refused(self, peer: AuthorityIndex) -> None:
        """Free the ranges of a peer that answered with nothing or with nonsense."""
        for first in [first for first, at in self._ranges.items() if at.peer == peer]:
            del self._ranges[first]

    @property
    def source(self) -> AuthorityIndex:
        """Return who sent the newest certified commits: it holds their blocks."""
        return self._source

    def next_certified(self, index: CommitIndex) -> tuple[Commit, Digest] | None:
        """Return the certified commit after `index`, if it is here."""
        return self._certified.get(index + 1)

    @property
    def has_certified(self) -> bool:
        """Tell whether certified commits wait for their blocks."""
        return bool(self._certified)

    def discard(self) -> None:
        """Forget certified commits that turned out not to chain to ours."""
        self._certified.clear()

    def needed_refs(self, index: CommitIndex, *, count_max: int) -> list[BlockRef]:
        """Return refs of the next certified commits, in order, up to a count."""
        refs: list[BlockRef] = []
        while len(refs) < count_max and (entry := self.next_certified(index)) is not None:
            refs.extend(entry[0].blocks)
            index = CommitIndex(index + 1)
        return refs[:count_max]

    def _plan_ranges(
        self, index: CommitIndex, last: CommitIndex, *, now_ms: int
    ) -> list[tuple[AuthorityIndex, CommitRequestMessage]]:
        batch = self._tuning.commit_batch
        plan = []
        first = index + 1
        while first <= last and len(self._ranges) < self._tuning.commit_requests_max:
            if first - index > batch * self._tuning.commit_requests_max:
                break
            if first in self._certified:
                first += 1
                continue
            if first not in self._ranges:
                upto = min(first + batch - 1, last)
                peer = self._next_peer(upto)
                deadline_ms = now_ms + 2 * self._tuning.fetch_timeout_ms
                self._ranges[first] = _Range(peer, upto - first + 1, deadline_ms)
                genesis = self._context.genesis_digest
                plan.append((peer, CommitRequestMessage(genesis, first, upto)))
            first += batch
        return plan

    def _next_peer(self, index: int) -> AuthorityIndex:
        """Rotate over the peers, those first that voted for `index` or beyond."""
        size = self._committee.size
        order = [AuthorityIndex((self._rotation + step) % size) for step in range(1, size + 1)]
        peers = [author for author in order if author != self._own]
        ahead = [a for a in peers if (vote := self._voted[a]) is not None and vote.index >= index]
        # Beyond the quorum's index only liars may claim to be, and would be asked for ever.
        chosen = (ahead if index <= self.quorum_index else peers)[0]
        self._rotation = int(chosen)
        return chosen

    def _quorum_index(self) -> CommitIndex:
        """Return the greatest index that authors with a quorum of power voted for or beyond."""
        ranked = sorted(
            ((vote.index, author) for author, vote in enumerate(self._voted) if vote), reverse=True
        )
        power = 0
        for index, author in ranked:
            power += self._committee.powers[author]
            if power >= self._committee.quorum:
                return index
        return CommitIndex(0)

    def _check_chain(self, commits: tuple[Commit, ...]) -> list[Digest]:
        digests: list[Digest] = []
        for place, commit in enumerate(commits):
            if commit.genesis != self._context.genesis_digest:
                raise CommitChainError(f"commit {commit.index} of another epoch")
            if place and commit.index != commits[place - 1].index + 1:
                raise CommitChainError(f"commit {commit.index} after {commits[place - 1].index}")
            if place and commit.previous != digests[-1]:
                raise CommitChainError(f"commit {commit.index} does not name its predecessor")
            digests.append(commit_digest(commit))
        return digests

    def _check_certificate(
        self, commit: Commit, digest: Digest, certifiers: Iterable[Block]
    ) -> None:
        wanted = CommitVote(CommitIndex(commit.index), digest)
        voters = 0
        for block in certifiers:
            if wanted in block.header.commit_votes:
                voters |= 1 << block.author
        power = self._committee.power_of(voters)
        if power < self._committee.quorum:
            raise CommitCertificateError(
                f"votes for commit {commit.index} hold {power}, quorum {self._committee.quorum}"
            )
