"""The accepted blocks of one epoch above the GC round, as a graph with bit masks.

Guards: the set is closed under ancestry down to `gc_round`; a vertex is added only after every
ancestor above it. Source: Sui `dag_state.rs`; votes as masks follow from "one ancestor per
author" (at most n parents, so a parent set of one round is one integer).

Theory of operation. Within a round every vertex owns a bit: the first block of a slot has its
author's index, every further twin the next free bit from n upwards. `Vertex.parents` is the
mask of its ancestors in the round just before, over that round's bits. A vote is then a bit
test, a certificate one AND, and the power of a set is a table lookup once twin bits are folded
back onto their authors (`RoundVertices.authors_of`), so that no author counts twice.
"""

from collections.abc import Iterator, Sequence

from consensus.block import Block, BlockRef
from primitives.ids import AuthorityIndex, Digest, Round


class Vertex:
    """An accepted block with its place in the graph; owned and mutated by `Dag` alone.

    Attributes:
        bit: place of this vertex in the masks of its round.
        parents: mask over the round just before.
        weak: (round, bit) of ancestors of older rounds, above GC when this was accepted; they
            never vote. Places, not vertices: a chain of references would outlive GC.
        committed: whether a sub-DAG of this epoch delivered it.
    """

    __slots__ = ("author", "bit", "block", "committed", "digest", "parents", "round", "weak")

    def __init__(
        self, block: Block, *, bit: int, parents: int, weak: tuple[tuple[int, int], ...]
    ) -> None:
        self.block = block
        self.round = block.ref.round
        self.author = block.ref.author
        self.digest = block.ref.digest
        self.bit = bit
        self.parents = parents
        self.weak = weak
        self.committed = False

    @property
    def ref(self) -> BlockRef:
        """Return the ref of the block."""
        return self.block.ref


class Links:
    """What the ancestors of a block are to this DAG.

    Attributes:
        parents: mask over the round just before.
        weak: (round, bit) of the older ones.
        missing: those above GC that are not accepted yet.
    """

    __slots__ = ("missing", "parents", "weak")

    def __init__(
        self, *, parents: int, weak: tuple[tuple[int, int], ...], missing: list[BlockRef]
    ) -> None:
        self.parents = parents
        self.weak = weak
        self.missing = missing


class RoundVertices:
    """The accepted vertices of one round.

    Attributes:
        arrivals: vertices in the order of acceptance; only ever appended to, so that tallies
            can resume where they stopped.
        by_bit: vertex of each bit; None where an author has no block yet.
        refs: theirs, side by side, as a look at a hundred vertices is a hundred cache misses.
        authors: mask of the authors with at least one block.
        committed: mask of the committed vertices.
    """

    __slots__ = ("_size", "_twin_authors", "arrivals", "authors", "by_bit", "committed", "refs")

    def __init__(self, size: int) -> None:
        self._size = size
        self._twin_authors: list[AuthorityIndex] = []
        self.arrivals: list[Vertex] = []
        self.by_bit: list[Vertex | None] = [None] * size
        self.refs: list[BlockRef | None] = [None] * size
        self.authors = 0
        self.committed = 0

    def next_bit(self, author: AuthorityIndex) -> int:
        """Return the bit that the next block of `author` will own."""
        return author if self.by_bit[author] is None else self._size + len(self._twin_authors)

    def append(self, vertex: Vertex) -> None:
        """Add a vertex that was built with `next_bit` of its author."""
        if vertex.bit < self._size:
            self.by_bit[vertex.bit] = vertex
            self.refs[vertex.bit] = vertex.ref
            self.authors |= 1 << vertex.bit
        else:
            self.by_bit.append(vertex)
            self.refs.append(vertex.ref)
            self._twin_authors.append(vertex.author)
        self.arrivals.append(vertex)

    @property
    def has_twins(self) -> bool:
        """Tell whether some author has more than one block here."""
        return bool(self._twin_authors)

    def authors_of(self, mask: int) -> int:
        """Fold a mask over vertex bits into a mask over authors."""
        twins = mask >> self._size
        if not twins:
            return mask
        authors = mask & ((1 << self._size) - 1)
        for place, author in enumerate(self._twin_authors):
            if twins >> place & 1:
                authors |= 1 << author
        return authors

    def slot(self, author: AuthorityIndex) -> list[Vertex]:
        """Return the blocks of one author in this round, first accepted first."""
        first = self.by_bit[author]
        if first is None:
            return []
        if not self._twin_authors:
            return [first]
        return [vertex for vertex in self.arrivals if vertex.author == author]

    def select(self, mask: int) -> Iterator[Vertex]:
        """Yield the vertices whose bits are set, by ascending bit."""
        while mask:
            lowest = mask & -mask
            vertex = self.by_bit[lowest.bit_length() - 1]
            assert vertex is not None
            yield vertex
            mask ^= lowest


class Dag:
    """Accepted vertices by round and by digest.

    Args:
        size: committee size.

    Attributes:
        accepted_count: vertices ever added; tells whether anything is new.
        twins_round: the highest round in which an author has more than one block; 0 for none.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._everyone = (1 << size) - 1
        self._bits = tuple(1 << author for author in range(size))
        self._by_digest: dict[Digest, Vertex] = {}
        self._rounds: dict[int, RoundVertices] = {}
        self._latest: list[Vertex | None] = [None] * size
        self._empty = RoundVertices(size)
        self.gc_round = Round(0)
        self.highest_round = Round(0)
        self.twins_round = Round(0)
        self.accepted_count = 0

    def __len__(self) -> int:
        """Return the number of vertices in memory."""
        return len(self._by_digest)

    def get(self, ref: BlockRef) -> Vertex | None:
        """Return the vertex that `ref` names in full, or None."""
        vertex = self._by_digest.get(ref.digest)
        if vertex is None or vertex.round != ref.round or vertex.author != ref.author:
            return None
        return vertex

    def round(self, number: int) -> RoundVertices:
        """Return the vertices of a round; an empty value where there are none."""
        return self._rounds.get(number, self._empty)

    def latest(self, author: AuthorityIndex) -> Vertex | None:
        """Return the author's accepted vertex of the highest round (the first of twins)."""
        return self._latest[author]

    def latest_below(self, author: AuthorityIndex, number: int) -> Vertex | None:
        """Return the author's highest vertex below round `number`, within memory."""
        vertex = self._latest[author]
        if vertex is None or vertex.round < number:
            return vertex
        for candidate in range(number - 1, self.gc_round, -1):
            vertex = self.round(candidate).by_bit[author]
            if vertex is not None:
                return vertex
        return None

    def missing(self, block: Block) -> list[BlockRef]:
        """Return the ancestors above GC that are not accepted yet."""
        return self.resolve(block).missing

    def resolve(self, block: Block) -> Links:
        """Look every ancestor of a block up, once."""
        ancestors = block.header.ancestors
        parent_round = block.ref.round - 1
        refs = self.round(parent_round).refs
        if len(ancestors) == self._size:
            # Often a block names everybody, in the order that a header must have.
            own = block.ref.author
            if [*ancestors] == [refs[own], *refs[:own], *refs[own + 1 : self._size]]:
                return Links(parents=self._everyone, weak=(), missing=[])
        floor, bits = self.gc_round, self._bits
        parents = 0
        weak: list[tuple[int, int]] = []
        missing: list[BlockRef] = []
        for ref in ancestors:
            # Nearly all are the first block of their slot in the round before.
            if refs[ref.author] == ref:
                parents |= bits[ref.author]
                continue
            number = ref.round
            if number <= floor:
                continue
            vertex = self.get(ref)
            if vertex is None:
                missing.append(ref)
            elif number == parent_round:
                parents |= 1 << vertex.bit
            else:
                weak.append((int(number), vertex.bit))
        return Links(parents=parents, weak=tuple(weak), missing=missing)

    def add(self, block: Block) -> Vertex:
        """Add a block whose ancestors above GC are all present, and return its vertex."""
        # On replay some may be missing all the same: they were at or below GC at the time.
        return self.link(block, self.resolve(block))

    def link(self, block: Block, links: Links) -> Vertex:
        """Add a block with the links that `resolve` just returned."""
        ref = block.ref
        row = self._rounds.get(ref.round)
        if row is None:
            row = self._rounds[ref.round] = RoundVertices(self._size)
        vertex = Vertex(block, bit=row.next_bit(ref.author), parents=links.parents, weak=links.weak)
        row.append(vertex)
        if vertex.bit != ref.author:
            self.twins_round = max(self.twins_round, ref.round)
        self._by_digest[vertex.digest] = vertex
        self.accepted_count += 1
        latest = self._latest[vertex.author]
        if latest is None or latest.round < vertex.round:
            self._latest[vertex.author] = vertex
        self.highest_round = max(self.highest_round, vertex.round)
        return vertex

    def reaches(self, top: Vertex, target_round: int) -> int:
        """Return the mask over `target_round` of the vertices in the cone of `top`."""
        reached = {int(top.round): 1 << top.bit}
        for number in range(top.round, target_round, -1):
            self._descend(reached, number)
        return reached.get(target_round, 0)

    def uncommitted_cone(self, top: Vertex, *, floor: int) -> list[Vertex]:
        """Return `top` and its ancestors above `floor` not yet committed, in commit order.

        The order is (round, author, digest). The walk stops at committed vertices: whatever
        lies below one was committed with it or before, or is at or below the floor.
        """
        reached = {int(top.round): 1 << top.bit}
        layers: list[list[Vertex]] = []
        for number in range(top.round, floor, -1):
            if number in reached:
                reached[number] &= ~self.round(number).committed
                layer = self._descend(reached, number)
                layer.sort(key=_slot_order)
                layers.append(layer)
            if not reached:
                break
        return [vertex for layer in reversed(layers) for vertex in layer]

    def _descend(self, reached: dict[int, int], number: int) -> list[Vertex]:
        """Take one round out of `reached`, add its vertices' ancestors, return the vertices."""
        layer = list(self.round(number).select(reached.pop(number, 0)))
        below = 0
        for vertex in layer:
            below |= vertex.parents
            for weak_round, weak_bit in vertex.weak:
                reached[weak_round] = reached.get(weak_round, 0) | 1 << weak_bit
        if below:
            reached[number - 1] = reached.get(number - 1, 0) | below
        return layer

    def mark_committed(self, vertex: Vertex) -> None:
        """Mark a vertex as delivered by a sub-DAG."""
        assert not vertex.committed, "committed twice"
        vertex.committed = True
        self._rounds[vertex.round].committed |= 1 << vertex.bit

    def collect(self, gc_round: Round) -> list[Vertex]:
        """Forget every round up to `gc_round`; return the vertices that were not committed."""
        lost = []
        for number in range(self.gc_round + 1, gc_round + 1):
            row = self._rounds.pop(number, None)
            if row is None:
                continue
            for vertex in row.arrivals:
                del self._by_digest[vertex.digest]
                if not vertex.committed:
                    lost.append(vertex)
        self.gc_round = max(self.gc_round, gc_round)
        return lost

    def above(self, number: int) -> Iterator[Vertex]:
        """Yield the vertices of rounds above `number`, lower rounds first."""
        for candidate in range(max(number, self.gc_round) + 1, self.highest_round + 1):
            yield from self.round(candidate).arrivals

    def beyond(self, frontier: Sequence[int]) -> Iterator[Vertex]:
        """Yield the vertices above the round that `frontier` has for their author, in order.

        Most rounds hold nothing new: they are above what a silent author had, and no other.
        """
        rising = sorted(zip(frontier, self._bits, strict=True))
        place = lacking = 0
        for number in range(max(rising[0][0], self.gc_round) + 1, self.highest_round + 1):
            while place < len(rising) and rising[place][0] < number:
                lacking |= rising[place][1]
                place += 1
            row = self.round(number)
            if row.authors & lacking:
                yield from (v for v in row.arrivals if frontier[v.author] < number)


def _slot_order(vertex: Vertex) -> tuple[AuthorityIndex, Digest]:
    return vertex.author, vertex.digest
