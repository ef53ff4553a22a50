"""The commit rule and the linearisation a second time: slow, and written from the text alone.

Sections 2.8 and 2.10 of the consensus document as recursive definitions over plain sets. It
shares no code with `consensus/` besides the block types: no masks, no tallies, no memory
between two questions, no GC. The real committer must agree with it on every view.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from consensus.block import Block, BlockRef

Schedule = Callable[[int], Sequence[int]]


@dataclass(frozen=True, slots=True)
class Slot:
    """A leader slot; `offset` is its place among the leaders of the round."""

    round: int
    offset: int
    author: int


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of a slot: a leader, or that there is none, or (both empty) nothing."""

    leader: BlockRef | None = None
    is_skipped: bool = False

    @property
    def is_decided(self) -> bool:
        """Tell whether the slot is committed or skipped."""
        return self.is_skipped or self.leader is not None


UNDECIDED = Status()
SKIPPED = Status(is_skipped=True)


@dataclass(frozen=True, slots=True)
class SubDag:
    """One commit: leader, blocks in order, blocks of taken slots, and the median time."""

    leader: BlockRef
    blocks: tuple[BlockRef, ...]
    void: tuple[BlockRef, ...]
    timestamp_ms: int


class Reference:
    """Everything that can be said of one view under one schedule."""

    def __init__(
        self, blocks: Iterable[Block], *, powers: Sequence[int], leaders: Schedule, after: int = 0
    ) -> None:
        self._blocks = {block.ref: block for block in blocks}
        self._powers = powers
        self._quorum = sum(powers) - (sum(powers) - 1) // 3
        highest = max((ref.round for ref in self._blocks), default=0)
        self._slots = [
            Slot(number, offset, author)
            for number in range(after + 1, highest + 1)
            for offset, author in enumerate(leaders(number))
        ]

    def decided(self) -> list[tuple[Slot, Status]]:
        """Return the longest prefix of slots without an undecided one."""
        prefix = []
        for slot in self._slots:
            status = self.status(slot)
            if not status.is_decided:
                break
            prefix.append((slot, status))
        return prefix

    def status(self, slot: Slot) -> Status:
        """Return the verdict on a slot: direct, else by its anchor."""
        direct = self.direct(slot)
        return direct if direct.is_decided else self._by_anchor(slot)

    def direct(self, slot: Slot) -> Status:
        """Return the verdict by votes and certificates alone."""
        candidates = self._in_slot(slot.round, slot.author)
        voting = self._of_round(slot.round + 1)
        blames = {ref for ref in voting if not self._ancestors(ref) & candidates}
        if self._is_quorum(blames):
            return SKIPPED
        for leader in candidates:
            if self._is_quorum(self._certificates(leader)):
                return Status(leader)
        return UNDECIDED

    def cone(self, top: BlockRef) -> set[BlockRef]:
        """Return `top` and everything reachable through ancestors."""
        reached: set[BlockRef] = set()
        waiting = [top]
        while waiting:
            ref = waiting.pop()
            if ref in self._blocks and ref not in reached:
                reached.add(ref)
                waiting.extend(self._blocks[ref].header.ancestors)
        return reached

    def _by_anchor(self, slot: Slot) -> Status:
        later = self._slots[self._slots.index(slot) + 1 :]
        for candidate in later:
            if candidate.round < slot.round + 3:
                continue
            anchor = self.status(candidate)
            if anchor.is_skipped:
                continue
            if anchor.leader is None:
                return UNDECIDED
            cone = self.cone(anchor.leader)
            for leader in self._in_slot(slot.round, slot.author):
                if self._certificates(leader) & cone:
                    return Status(leader)
            return SKIPPED
        return UNDECIDED

    def _certificates(self, leader: BlockRef) -> set[BlockRef]:
        """Return the blocks two rounds above whose parents hold a quorum of votes."""
        votes = {ref for ref in self._of_round(leader.round + 1) if leader in self._ancestors(ref)}
        above = self._of_round(leader.round + 2)
        return {ref for ref in above if self._is_quorum(votes & self._ancestors(ref))}

    def _is_quorum(self, refs: set[BlockRef]) -> bool:
        return sum(self._powers[author] for author in {ref.author for ref in refs}) >= self._quorum

    def _ancestors(self, ref: BlockRef) -> set[BlockRef]:
        return set(self._blocks[ref].header.ancestors)

    def _of_round(self, number: int) -> set[BlockRef]:
        return {ref for ref in self._blocks if ref.round == number}

    def _in_slot(self, number: int, author: int) -> set[BlockRef]:
        return {ref for ref in self._of_round(number) if ref.author == author}

    def linearise(self, leaders: Iterable[BlockRef], *, gc_depth: int) -> list[SubDag]:
        """Return the sub-DAGs of these leaders, committed in this order."""
        delivered: set[BlockRef] = set()
        taken: set[tuple[int, int]] = set()
        commits: list[SubDag] = []
        for leader in leaders:
            floor = max(0, commits[-1].leader.round - gc_depth) if commits else 0
            fresh = {ref for ref in self.cone(leader) - delivered if ref.round > floor}
            blocks = sorted(fresh, key=lambda ref: (ref.round, ref.author, ref.digest))
            void = []
            for ref in blocks:
                if (ref.round, ref.author) in taken:
                    void.append(ref)
                taken.add((ref.round, ref.author))
            delivered |= fresh
            before = commits[-1].timestamp_ms if commits else 0
            stamp = max(before, self._median_ms(leader, before=before))
            commits.append(SubDag(leader, tuple(blocks), tuple(void), stamp))
        return commits

    def _median_ms(self, leader: BlockRef, *, before: int) -> int:
        """Return the lower median over one stamp per unit of power of the leader's parents."""
        stamps = [
            self._blocks[ref].header.timestamp_ms
            for ref in self._ancestors(leader)
            if ref.round == leader.round - 1 and ref in self._blocks
            for _ in range(self._powers[ref.author])
        ]
        return sorted(stamps)[(len(stamps) - 1) // 2] if stamps else before
