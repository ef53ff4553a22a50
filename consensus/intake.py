"""From verified blocks to vertices: ingress rules, suspension, acceptance, equivocation.

Ingress rules differ from validity: they read local state (our clock, our frontier), so breaking
one drops a block but proves nothing against its author, and a block that is an ancestor of
another is taken however it fares here. Per-slot caps hold for what an author streams; a twin
that others built on must stay fetchable (IOTA issues 12539, 12758).
"""

from collections import deque

from consensus.block import Block, BlockRef
from consensus.committee import EpochContext
from consensus.dag import Dag, Links, Vertex
from consensus.events import Origin
from consensus.evidence import EquivocationWatch, Evidence
from consensus.fetcher import Fetcher, FetchPlan
from consensus.parameters import Tuning
from consensus.suspension import Suspension
from consensus.threshold_clock import ThresholdClock
from primitives.clock import Instant
from primitives.ids import AuthorityIndex, Round

ACCEPTED_PER_SLOT_MAX = 2
"""Blocks of one slot that come in without being an ancestor of another block."""


class Intake:
    """Owns the DAG and everything that feeds it.

    Attributes:
        excluded: mask of authors with twins in our DAG; own blocks do not build on them any
            more (objective and permanent within the epoch; lean-dag, DoS rule).
        required: blocks of certified commits; let in even where their slot is taken.
    """

    def __init__(self, context: EpochContext, *, own: AuthorityIndex, tuning: Tuning) -> None:
        size = context.committee.size
        self._own = own
        self._authors = context.committee.indices
        self._tuning = tuning
        self._round_ahead_max = 2 * context.parameters.gc_depth + tuning.round_margin
        self._queue: deque[tuple[Block, AuthorityIndex]] = deque()
        self._queued: dict[tuple[Round, AuthorityIndex], list[Block]] = {}
        self.dag = Dag(size)
        self.suspension = Suspension(size=size, tuning=tuning)
        self.fetcher = Fetcher(own=own, size=size, tuning=tuning)
        self.clock = ThresholdClock(context.committee)
        self.watch = EquivocationWatch()
        self.excluded = 0
        self._evidence: list[tuple[AuthorityIndex, Evidence]] = []
        self.required: dict[BlockRef, None] = {}

    @property
    def backlog(self) -> int:
        """Return how many blocks `drain` has not taken yet."""
        return len(self._queue)

    def take_evidence(self) -> list[tuple[AuthorityIndex, Evidence]]:
        """Return the proofs that were not taken yet, with the author of each."""
        taken, self._evidence = self._evidence, []
        return taken

    def knows(self, ref: BlockRef) -> bool:
        """Tell whether the block is accepted, suspended or about to be either."""
        return (
            self.dag.get(ref) is not None
            or any(block.ref == ref for block in self._queued.get((ref.round, ref.author), ()))
            or self.suspension.get(ref) is not None
        )

    def offer(self, block: Block, peer: AuthorityIndex, *, origin: Origin, now: Instant) -> bool:
        """Queue a block if the ingress rules let it in; tell whether it was let in."""
        ref = block.ref
        is_first = self._is_first(ref)
        if ref.round <= self.dag.gc_round or (not is_first and self.knows(ref)):
            if self.watch.expects(ref):
                self._observe(block, [])
            return False
        slot = [] if is_first else self._slot_blocks(ref)
        if slot or self.watch.expects(ref):
            self._observe(block, slot)
        is_needed = ref in self.suspension.wanted or ref in self.required
        if not is_needed and not self._may_enter(block, slot, origin, now):
            return False
        self._enqueue(block, peer)
        return True

    def drain(self, *, now: Instant) -> tuple[list[Vertex], FetchPlan]:
        """Accept or suspend queued blocks; return new vertices, parents first, and requests.

        At most `novelty_max` blocks are accepted at once, so that a hidden sub-DAG revealed
        late cannot hold up the node; `backlog` says whether to come again.
        """
        accepted: list[Vertex] = []
        unseen: FetchPlan = {}
        while self._queue and len(accepted) < self._tuning.novelty_max:
            block, peer = self._dequeue()
            links = self.dag.resolve(block)
            if links.missing:
                unseen.setdefault(peer, []).extend(self.suspension.add(block, links.missing))
            elif block.ref.round > self.dag.gc_round:
                accepted.append(self._accept(block, links, peer))
        plan: FetchPlan = {}
        for peer, refs in unseen.items():
            still = [ref for ref in refs if ref in self.suspension.wanted and not self.knows(ref)]
            plan |= self.fetcher.ask(still, peer, now_ms=now.monotonic_ms)
        return accepted, plan

    def accept(self, block: Block, peer: AuthorityIndex) -> Vertex:
        """Add a block whose ancestors are present; queue what it releases."""
        return self._accept(block, self.dag.resolve(block), peer)

    def _accept(self, block: Block, links: Links, peer: AuthorityIndex) -> Vertex:
        vertex = self.dag.link(block, links)
        if vertex.bit != vertex.author:
            self.excluded |= 1 << vertex.author
        self.clock.observe(vertex.round, vertex.author)
        self.fetcher.arrived(block.ref)
        self._enqueue_released(self.suspension.release(block.ref), peer)
        return vertex

    def collect(self, gc_round: Round) -> list[Vertex]:
        """Move the GC round; return the vertices that will never be committed."""
        lost = self.dag.collect(gc_round)
        self._enqueue_released(self.suspension.collect(gc_round), self._own)
        return lost

    def frontier(self) -> tuple[int, ...]:
        """Return the highest accepted round of every author."""
        latest = map(self.dag.latest, self._authors)
        return tuple(0 if vertex is None else vertex.round for vertex in latest)

    def _enqueue_released(self, blocks: list[Block], peer: AuthorityIndex) -> None:
        for block in blocks:
            self._enqueue(block, peer)

    def _enqueue(self, block: Block, peer: AuthorityIndex) -> None:
        self._queue.append((block, peer))
        self._queued.setdefault((block.round, block.author), []).append(block)

    def _dequeue(self) -> tuple[Block, AuthorityIndex]:
        block, peer = self._queue.popleft()
        slot = self._queued[block.round, block.author]
        slot.remove(block)
        if not slot:
            del self._queued[block.round, block.author]
        return block, peer

    def _may_enter(self, block: Block, slot: list[Block], origin: Origin, now: Instant) -> bool:
        if block.ref.round > self.dag.highest_round + self._round_ahead_max:
            return False
        if slot and not self._fills_slot(block, slot, origin):
            return False
        ahead_ms = block.header.timestamp_ms - now.wall_ms
        return origin is not Origin.STREAM or ahead_ms <= self._tuning.drift_max_ms

    def _fills_slot(self, block: Block, slot: list[Block], origin: Origin) -> bool:
        """Tell whether a twin may come in: relayed, ready to be accepted, the second at most.

        Whoever relays it decided with it. Where the others closed the epoch no new block will
        ever name it, and a forged twin that waits in its slot would lock this node out of the
        closing commit for good.
        """
        suspended = self.suspension.slot(block.round, block.author)
        is_full = len(slot) - len(suspended) >= ACCEPTED_PER_SLOT_MAX
        return origin is Origin.RELAYED and not is_full and not self.dag.missing(block)

    def _observe(self, block: Block, slot: list[Block]) -> None:
        evidence = self.watch.observe(block, slot)
        if evidence is not None:
            self._evidence.append((block.author, evidence))

    def _is_first(self, ref: BlockRef) -> bool:
        """Tell of most blocks, quickly, that neither they nor twins of theirs are here."""
        return (
            self.dag.round(ref.round).by_bit[ref.author] is None
            and (ref.round, ref.author) not in self._queued
            and not self.suspension.holds(ref.author)
        )

    def _slot_blocks(self, ref: BlockRef) -> list[Block]:
        """Return what fills a slot, queued blocks too: twins may come in one message."""
        blocks = [vertex.block for vertex in self.dag.round(ref.round).slot(ref.author)]
        blocks += self._queued.get((ref.round, ref.author), ())
        return blocks + self.suspension.slot(ref.round, ref.author)
