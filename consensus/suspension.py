"""Blocks that wait for ancestors, within bounds that no peer can stretch.

Guards: every suspended block lacks at least one accepted ancestor above GC; the refs that are
waited for and not here themselves are exactly `wanted`. GC never reclaims future rounds, so
caps must. Every cap is per author, blocks and the refs they lack alike: an author that invents
ancestors runs into its own cap and crowds out nobody. One cap for all, with eviction of what is
farthest above the frontier, let four forged blocks below the frontier starve every honest one.
Within an author the farthest goes first: evicting the lowest would let garbage push out the
one parent that everything waits for (sui issue 24473).
"""

from consensus.block import Block, BlockRef
from consensus.parameters import Tuning
from primitives.ids import AuthorityIndex, Round


class _Waiting:
    """A suspended block, the number of refs it lacked, and of those it still waits for."""

    __slots__ = ("block", "lacked_count", "missing_count")

    def __init__(self, block: Block, missing_count: int) -> None:
        self.block = block
        self.lacked_count = missing_count
        self.missing_count = missing_count


class Suspension:
    """Suspended blocks by ref, and who waits for what."""

    def __init__(self, *, size: int, tuning: Tuning) -> None:
        self._blocks_max = tuning.suspended_per_author_max
        self._lacked_max = tuning.missing_per_author_max
        self._waiting: dict[BlockRef, _Waiting] = {}
        self._children: dict[BlockRef, dict[BlockRef, None]] = {}
        self._by_author: list[dict[BlockRef, None]] = [{} for _ in range(size)]
        self._lacked = [0] * size
        self.wanted: dict[BlockRef, None] = {}

    def __len__(self) -> int:
        """Return the number of suspended blocks."""
        return len(self._waiting)

    def get(self, ref: BlockRef) -> Block | None:
        """Return the suspended block of that ref."""
        waiting = self._waiting.get(ref)
        return None if waiting is None else waiting.block

    def holds(self, author: AuthorityIndex) -> bool:
        """Tell whether any block of an author is suspended."""
        return bool(self._by_author[author])

    def of_author(self, author: AuthorityIndex) -> list[Block]:
        """Return the suspended blocks of one author."""
        return [self._waiting[ref].block for ref in self._by_author[author]]

    def slot(self, number: Round, author: AuthorityIndex) -> list[Block]:
        """Return the suspended blocks of one slot."""
        return [self._waiting[ref].block for ref in self._by_author[author] if ref.round == number]

    def add(self, block: Block, missing: list[BlockRef]) -> list[BlockRef]:
        """Suspend a block; return the refs that were not wanted before, to be fetched."""
        ref = block.ref
        if not self._make_room(ref, len(missing)):
            return []
        self._waiting[ref] = _Waiting(block, len(missing))
        self._by_author[ref.author][ref] = None
        self._lacked[ref.author] += len(missing)
        self.wanted.pop(ref, None)
        fresh = []
        for parent in missing:
            self._children.setdefault(parent, {})[ref] = None
            if parent not in self._waiting and parent not in self.wanted:
                self.wanted[parent] = None
                fresh.append(parent)
        return fresh

    def release(self, ref: BlockRef) -> list[Block]:
        """Note that `ref` is accepted or below GC; return the blocks that wait no longer."""
        self.wanted.pop(ref, None)
        ready = []
        for child in self._children.pop(ref, ()):
            waiting = self._waiting[child]
            waiting.missing_count -= 1
            if waiting.missing_count == 0:
                self._forget(child)
                ready.append(waiting.block)
        return ready

    def collect(self, gc_round: Round) -> list[Block]:
        """Drop what is at or below GC; return the blocks that this frees."""
        for ref in sorted(ref for ref in self._waiting if ref.round <= gc_round):
            self._drop(ref)
        ready = []
        for ref in sorted(ref for ref in self._children if ref.round <= gc_round):
            ready += self.release(ref)
        return ready

    def _make_room(self, ref: BlockRef, missing_count: int) -> bool:
        """Evict the author's farthest blocks; False if the new one would be the farthest."""
        mine = self._by_author[ref.author]
        while mine and (
            len(mine) >= self._blocks_max
            or self._lacked[ref.author] + missing_count > self._lacked_max
        ):
            farthest = max(mine)
            if farthest < ref:
                return False
            self._evict(farthest)
        return True

    def _evict(self, ref: BlockRef) -> None:
        """Drop a block that others may wait for: then its ref is wanted again."""
        self._drop(ref)
        if ref in self._children:
            self.wanted[ref] = None

    def _drop(self, ref: BlockRef) -> None:
        block = self._waiting[ref].block
        self._forget(ref)
        for parent in block.header.ancestors:
            children = self._children.get(parent)
            if children is None or ref not in children:
                continue
            del children[ref]
            if not children:
                del self._children[parent]
                self.wanted.pop(parent, None)

    def _forget(self, ref: BlockRef) -> None:
        waiting = self._waiting.pop(ref)
        self._lacked[ref.author] -= waiting.lacked_count
        del self._by_author[ref.author][ref]
