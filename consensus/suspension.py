"""Blocks that wait for ancestors, within bounds that no peer can stretch.

Guards: every suspended block lacks at least one accepted ancestor above GC; the refs that are
waited for and not here themselves are exactly `wanted`. Overflow evicts what is farthest above
the frontier: evicting the lowest first would let garbage push out the one parent that
everything waits for (sui issue 24473). GC never reclaims future rounds, so the caps must.
"""

import heapq

from consensus.block import Block, BlockRef
from consensus.dag import Dag
from consensus.parameters import Tuning
from primitives.ids import AuthorityIndex, Round

HEAP_SLACK = 64


class _Waiting:
    """A suspended block and the number of refs it still waits for."""

    __slots__ = ("block", "missing_count")

    def __init__(self, block: Block, missing_count: int) -> None:
        self.block = block
        self.missing_count = missing_count


class Suspension:
    """Suspended blocks by ref, and who waits for what."""

    def __init__(self, dag: Dag, *, size: int, tuning: Tuning) -> None:
        self._dag = dag
        self._per_author_max = tuning.suspended_per_author_max
        self._missing_max = tuning.missing_max
        self._waiting: dict[BlockRef, _Waiting] = {}
        self._children: dict[BlockRef, dict[BlockRef, None]] = {}
        self._by_author: list[dict[BlockRef, None]] = [{} for _ in range(size)]
        self._farthest: list[tuple[int, BlockRef]] = []
        self.wanted: dict[BlockRef, None] = {}

    def __len__(self) -> int:
        """Return the number of suspended blocks."""
        return len(self._waiting)

    def get(self, ref: BlockRef) -> Block | None:
        """Return the suspended block of that ref."""
        waiting = self._waiting.get(ref)
        return None if waiting is None else waiting.block

    def of_author(self, author: AuthorityIndex) -> list[Block]:
        """Return the suspended blocks of one author."""
        return [self._waiting[ref].block for ref in self._by_author[author]]

    def slot(self, number: Round, author: AuthorityIndex) -> list[Block]:
        """Return the suspended blocks of one slot."""
        return [self._waiting[ref].block for ref in self._by_author[author] if ref.round == number]

    def add(self, block: Block, missing: list[BlockRef]) -> list[BlockRef]:
        """Suspend a block; return the refs that were not wanted before, to be fetched."""
        ref = block.ref
        mine = self._by_author[ref.author]
        if len(mine) >= self._per_author_max:
            highest = max(mine)
            if highest < ref:
                return []
            self._evict(highest)
        self._waiting[ref] = _Waiting(block, len(missing))
        mine[ref] = None
        heapq.heappush(self._farthest, (-ref.round, ref))
        self.wanted.pop(ref, None)
        fresh = []
        for parent in missing:
            self._children.setdefault(parent, {})[ref] = None
            if parent not in self._waiting and parent not in self.wanted:
                self.wanted[parent] = None
                fresh.append(parent)
        while len(self.wanted) > self._missing_max:
            self._evict_farthest()
        self._trim_heap()
        return [parent for parent in fresh if parent in self.wanted]

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

    def _evict_farthest(self) -> None:
        while self._farthest:
            _, ref = heapq.heappop(self._farthest)
            if ref in self._waiting:
                self._evict(ref)
                return

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
        del self._waiting[ref]
        del self._by_author[ref.author][ref]

    def _trim_heap(self) -> None:
        if len(self._farthest) > 2 * len(self._waiting) + HEAP_SLACK:
            self._farthest = [(-ref.round, ref) for ref in self._waiting]
            heapq.heapify(self._farthest)
