"""Draw DAGs as text, build real blocks from them, and read decisions back as values.

    r1: all
    r2: A <- all; B C <- all -A; D <- A1 B1 C1
    r3: B C D <- all; A' A <- all -D D1

Each statement is `authors <- ancestors`; without an arrow the ancestors are `all`. Rounds are
parted by a new line or by `/`. Authors and ancestors are words:

    all       every author who has a block there (as authors: everybody)
    quorum    the last authors, as few as hold a quorum
    edge      the first author of `quorum`;  short  the others of it, less than a quorum
    rest      the authors before `quorum`, which hold at most f
    A         one author;  A'  a twin of A's block (A'' a third one)
    -A -edge  without these
    A2 B2'    as ancestors: these very blocks, also of older rounds (weak links)

An author that a line leaves out is silent. The own previous block is always an ancestor, as
rule 2.2.3 demands, whether drawn or not. Round 0 is the implicit genesis. Every block must pass
the real verifier, except one marked `!`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from consensus.block import (
    BLOCK_VERSION,
    EMPTY_PAYLOAD_ROOT,
    HEADER_CODEC,
    Block,
    BlockRef,
    Header,
    SignedBlock,
    genesis_ref,
    header_digest,
)
from consensus.committee import Committee, EpochContext
from consensus.committer import Committer, LeadersOf, SlotDecision
from consensus.dag import Dag
from consensus.parameters import Parameters
from consensus.verifier import BlockVerifier
from primitives.ids import AuthorityIndex, Round, TimestampMs
from tests.dsl.committee import PARAMETERS, context_of

ROUND_MS = 100
WORD = re.compile(r"(-?)([A-Z])(\d*)('*)(!?)")


@dataclass(frozen=True, slots=True)
class Decision:
    """A slot decision in words: `commit A3'`, `skip B2`, `undecided C4`."""

    verdict: str
    name: str


def commit(name: str) -> Decision:
    """Say that the slot is committed with the block of this name."""
    return Decision("commit", name)


def skip(name: str) -> Decision:
    """Say that the slot is skipped."""
    return Decision("skip", name)


def undecided(name: str) -> Decision:
    """Say that the slot is not put out."""
    return Decision("undecided", name)


class Drawing:
    """Blocks by name, each after its ancestors."""

    def __init__(self, context: EpochContext) -> None:
        self.context = context
        self.blocks: dict[str, Block] = {}
        self.names: dict[BlockRef, str] = {}
        self._verifier = BlockVerifier(context)

    def __getitem__(self, name: str) -> Block:
        return self.blocks[name]

    def find(self, number: int, author: int, *, twin: int = 0) -> Block | None:
        """Return a block by its place, or None."""
        return self.blocks.get(name_of(number, author, twin))

    def ref(self, number: int, author: int, *, twin: int = 0) -> BlockRef:
        """Return the ref of a drawn block, or of the genesis block of round 0."""
        if number == 0:
            return genesis_ref(self.context.genesis_digest, AuthorityIndex(author))
        return self.blocks[name_of(number, author, twin)].ref

    def previous(self, number: int, author: int) -> BlockRef:
        """Return the author's highest block below a round, the first of twins."""
        while (number := number - 1) > 0:
            block = self.find(number, author)
            if block is not None:
                return block.ref
        return self.ref(0, author)

    def add(
        self,
        number: int,
        author: int,
        *,
        ancestors: Iterable[BlockRef],
        twin: int = 0,
        timestamp_ms: int | None = None,
        is_valid: bool = True,
    ) -> Block:
        """Add a block; puts the own ancestor first and the others in order of author."""
        refs = {ref.author: ref for ref in ancestors}
        own = refs.pop(AuthorityIndex(author), None) or self.previous(number, author)
        stamp = number * ROUND_MS + author if timestamp_ms is None else timestamp_ms
        header = Header(
            version=BLOCK_VERSION,
            genesis=self.context.genesis_digest,
            epoch=self.context.epoch,
            round=Round(number),
            author=AuthorityIndex(author),
            timestamp_ms=TimestampMs(stamp + 10 * twin),
            ancestors=(own, *(refs[other] for other in sorted(refs))),
            payload_root=EMPTY_PAYLOAD_ROOT,
            payload_bytes=0,
            payload_count=0,
            commit_votes=(),
            reports=(),
        )
        raw = HEADER_CODEC.encode(header)
        signed = SignedBlock(raw, bytes(64))
        if is_valid:
            block = self._verifier.parse(signed)
        else:
            ref = BlockRef(header.round, header.author, header_digest(raw))
            block = Block(ref=ref, header=header, signed=signed)
        name = name_of(number, author, twin)
        assert name not in self.blocks, f"{name} is drawn twice"
        self.blocks[name] = block
        self.names[block.ref] = name
        return block

    def dag(self, blocks: Iterable[Block] | None = None) -> Dag:
        """Return a DAG with all blocks, or with these, in this order."""
        dag = Dag(self.context.committee.size)
        for block in self.blocks.values() if blocks is None else blocks:
            assert not dag.missing(block), f"{self.names[block.ref]} before an ancestor"
            dag.add(block)
        return dag

    def cone(self, *names: str) -> list[Block]:
        """Return these blocks and all below them, in drawn order."""
        reached = {self.blocks[name].ref for name in names}
        for block in reversed(self.blocks.values()):
            if block.ref in reached:
                reached.update(block.header.ancestors)
        return [block for block in self.blocks.values() if block.ref in reached]

    def name(self, decision: SlotDecision) -> Decision:
        """Put a decision of the committer in words."""
        if decision.leader is None:
            return skip(name_of(decision.round, decision.author))
        return commit(self.names[decision.leader.ref])


def name_of(number: int, author: int, twin: int = 0) -> str:
    """Return the name of a block: letter of the author, round, one prime per twin."""
    return f"{letter(author)}{number}" + "'" * twin


def letter(author: int) -> str:
    """Return the letter of an author."""
    return chr(ord("A") + author)


def draw(
    text: str, *, powers: Sequence[int] = (1,) * 4, parameters: Parameters = PARAMETERS
) -> Drawing:
    """Build what the text shows; see the notation above."""
    drawing = Drawing(context_of(powers, parameters=parameters))
    for line in filter(None, map(str.strip, text.replace("/", "\n").splitlines())):
        label, _, statements = line.partition(":")
        number = int(label.removeprefix("r"))
        for statement in statements.split(";"):
            _draw_statement(drawing, number, statement)
    return drawing


def _draw_statement(drawing: Drawing, number: int, statement: str) -> None:
    left, _, right = statement.partition("<-")
    groups = _groups(drawing.context.committee)
    authors: dict[tuple[int, int], bool] = {}
    for name in _names(left, groups):
        if name.has_minus:
            authors.pop((name.author, name.twin), None)
        else:
            authors[name.author, name.twin] = not name.has_mark
    links = _links(drawing, number, right or "all", groups)
    for (author, twin), is_valid in authors.items():
        drawing.add(number, author, ancestors=links, twin=twin, is_valid=is_valid)


def _links(
    drawing: Drawing, number: int, words: str, groups: dict[str, tuple[int, ...]]
) -> list[BlockRef]:
    chosen: dict[int, BlockRef] = {}
    for name in _names(words, groups):
        place = name.number or number - 1
        if name.has_minus:
            chosen.pop(name.author, None)
        elif not name.is_grouped or place == 0 or drawing.find(place, name.author) is not None:
            chosen[name.author] = drawing.ref(place, name.author, twin=name.twin)
    return list(chosen.values())


@dataclass(frozen=True, slots=True)
class _Word:
    """A name as it was written; round 0 stands for none."""

    author: int
    number: int
    twin: int
    has_minus: bool
    has_mark: bool
    is_grouped: bool = False


def _names(words: str, groups: dict[str, tuple[int, ...]]) -> Iterator[_Word]:
    for word in words.split():
        group = groups.get(word.removeprefix("-"))
        if group is None:
            yield _parse(word)
            continue
        has_minus = word.startswith("-")
        yield from (
            _Word(author, 0, 0, has_minus, has_mark=False, is_grouped=True) for author in group
        )


def _parse(word: str) -> _Word:
    match = WORD.fullmatch(word)
    assert match is not None, f"cannot read {word!r}"
    minus, author, number, primes, mark = match.groups()
    return _Word(ord(author) - ord("A"), int(number or 0), len(primes), bool(minus), bool(mark))


def _groups(committee: Committee) -> dict[str, tuple[int, ...]]:
    first = committee.size
    mask = 0
    while not committee.is_quorum(mask):
        first -= 1
        mask |= 1 << first
    everyone = range(committee.size)
    return {
        "all": tuple(everyone),
        "quorum": tuple(everyone[first:]),
        "rest": tuple(everyone[:first]),
        "edge": (first,),
        "short": tuple(everyone[first + 1 :]),
    }


def slots(text: str, *, size: int) -> LeadersOf:
    """Return a schedule with these leader slots, such as "A1 B1 A4".

    A schedule has as many slots in every round, so the lowest other authors fill the gaps.
    """
    by_round: dict[int, tuple[int, ...]] = {}
    for word in text.split():
        name = _parse(word)
        by_round[name.number] = (*by_round.get(name.number, ()), name.author)
    count = max(map(len, by_round.values()))

    def leaders(number: int) -> tuple[AuthorityIndex, ...]:
        named = by_round.get(number, ())
        others = (author for author in range(size) if author not in named)
        return tuple(map(AuthorityIndex, (*named, *others)))[:count]

    return leaders


def rotation(size: int, count: int) -> LeadersOf:
    """Return a schedule in which `count` authors lead each round, A first in round 1."""

    def leaders(number: int) -> tuple[AuthorityIndex, ...]:
        return tuple(AuthorityIndex((number - 1 + place) % size) for place in range(count))

    return leaders


def committer_of(drawing: Drawing, dag: Dag, leaders: LeadersOf) -> Committer:
    """Return a committer over the DAG."""
    return Committer(dag, committee=drawing.context.committee, leaders=leaders)


def decided(
    drawing: Drawing, leaders: LeadersOf, *, blocks: Iterable[Block] | None = None
) -> list[Decision]:
    """Return what the committer puts out for the drawing, or for these of its blocks."""
    committer = committer_of(drawing, drawing.dag(blocks), leaders)
    return [drawing.name(decision) for decision in committer.decide()]


def decisions(
    drawing: Drawing, leader_slots: str, *, blocks: Iterable[Block] | None = None
) -> list[Decision]:
    """Return what is put out about each of these leader slots, given in slot order."""
    names = leader_slots.split()
    leaders = slots(leader_slots, size=drawing.context.committee.size)
    found = {
        decision.name.rstrip("'"): decision for decision in decided(drawing, leaders, blocks=blocks)
    }
    return [found.get(name, undecided(name)) for name in names]
