"""What of a DAG is shown: blocks, leader slots and twins; pure, from what others read.

Guards: nothing here changes consensus or waits for it. A block is drawn once and remembered while
the largest picture has it. How a leader was decided is read off the DAG as it is now: a quorum of
certificates counts as a direct commit, whether it or an anchor was there first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from consensus.block import BlockRef, Header
from consensus.committee import Committee, EpochContext
from consensus.dag import Dag, RoundVertices, Vertex
from node.rpc.dag_history import LeaderCommit
from node.rpc.dag_schemas import DagBlock, LeaderSlot, Twins
from primitives.ids import AuthorityIndex, Digest

ROUNDS_MAX: Final = 60
"""Of a picture."""

_VOTES_AT: Final = 1
_CERTIFICATES_AT: Final = 2
_ENOUGH: Final = -1
"""In place of a count of certificates: they are a quorum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """What a picture shows.

    Args:
        committed: round of the last committed leader, 0 before the first.
    """

    first: int
    last: int
    committed: int
    blocks: tuple[DagBlock, ...]
    leaders: tuple[LeaderSlot, ...]
    twins: tuple[Twins, ...]


@dataclass(frozen=True, slots=True)
class _Noted:
    """Who leads a round.

    Args:
        window: number of the schedule that says so; the first one is 0.
    """

    window: int
    leaders: tuple[AuthorityIndex, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """What of the order is known.

    Args:
        commits: the newest first.
        executed: index of the last commit that was executed.
        height: after it.
    """

    context: EpochContext
    commits: Sequence[LeaderCommit]
    executed: int
    height: int

    def height_of(self, commit: LeaderCommit) -> int | None:
        """Return the height of a commit, None if it is not executed yet."""
        above = self.executed - commit.index
        return self.height - above if above >= 0 else None

    def window_of(self, index: int) -> int:
        """Return the number of the schedule in force after a commit."""
        return index // self.context.parameters.schedule_window


class CoreView(Protocol):
    """What is read of a running core; `consensus.core.Core` has it."""

    @property
    def dag(self) -> Dag:
        """Return the accepted blocks."""
        ...

    @property
    def commit_index(self) -> int:
        """Return the index of the last commit that was installed."""
        ...

    def leaders(self, number: int) -> tuple[AuthorityIndex, ...]:
        """Return the leaders of a round under the schedule in force."""
        ...


class CoreDrawing:
    """Draws the DAG of a running core; belongs to the event loop, which runs the core."""

    def __init__(self) -> None:
        self._genesis = b""
        self._blocks: dict[bytes, DagBlock] = {}
        self._direct: dict[bytes, int] = {}
        self._drawn: dict[int, _Noted] = {}

    def draw(self, core: CoreView, ordered: Ordered, *, rounds: int) -> Sketch:
        """Return the last rounds, up to `ROUNDS_MAX`."""
        if ordered.context.genesis_digest != self._genesis:
            self._genesis = ordered.context.genesis_digest
            self._blocks, self._direct, self._drawn = {}, {}, {}
        dag = core.dag
        last = int(dag.highest_round)
        first = max(1, dag.gc_round + 1, last - rounds + 1)
        rows = [(number, dag.round(number)) for number in range(first, last + 1)]
        commits = [one for one in ordered.commits if one.index <= core.commit_index]
        windows = _windows(ordered, commits, rounds=range(first, last + 1))
        self._note_leaders(core, ordered, windows)
        sketch = Sketch(
            first=first,
            last=last,
            committed=commits[0].leader.round if commits else 0,
            blocks=tuple(self._drawn_blocks(rows)),
            leaders=tuple(self._slots(dag, ordered, commits, windows=windows)),
            twins=tuple(_twins(rows)),
        )
        self._forget(last - ROUNDS_MAX)
        return sketch

    def _drawn_blocks(self, rows: Sequence[tuple[int, RoundVertices]]) -> list[DagBlock]:
        found: list[DagBlock] = []
        for _, row in rows:
            for vertex in row.by_bit:
                if vertex is None:
                    continue
                drawn = self._blocks.get(vertex.digest)
                if drawn is None:
                    drawn = self._blocks[vertex.digest] = _block(vertex)
                elif drawn.is_committed is not vertex.committed:
                    drawn = msgspec.structs.replace(drawn, is_committed=vertex.committed)
                    self._blocks[vertex.digest] = drawn
                found.append(drawn)
        return found

    def _note_leaders(self, core: CoreView, ordered: Ordered, windows: Mapping[int, int]) -> None:
        """Note who leads the rounds of the schedule in force; those before it were noted then."""
        running = ordered.window_of(int(core.commit_index))
        for number, window in windows.items():
            if window == running:
                self._drawn[number] = _Noted(window, core.leaders(number))

    def _slots(
        self,
        dag: Dag,
        ordered: Ordered,
        commits: Sequence[LeaderCommit],
        *,
        windows: Mapping[int, int],
    ) -> list[LeaderSlot]:
        committed = {(int(one.leader.round), int(one.leader.author)): one for one in commits}
        found: list[LeaderSlot] = []
        is_decided = False
        # From the newest slot down: below the last commit every slot is decided.
        for number in reversed(windows):
            of_round = [one for one in commits if one.leader.round == number]
            drawn = self._leaders_of(number, of_round, ordered=ordered, window=windows[number])
            for offset in reversed(range(len(drawn))):
                author = drawn[offset]
                commit = committed.get((number, author))
                if commit is None:
                    verdict = "skipped" if is_decided else "undecided"
                    block = next(iter(dag.round(number).slot(AuthorityIndex(author))), None)
                    found.append(_open(number, offset, author, verdict=verdict, block=block))
                else:
                    is_decided = True
                    how = self._how(dag, ordered.context.committee, commit.leader)
                    found.append(_committed(commit, offset, how=how, ordered=ordered))
        return found[::-1]

    def _leaders_of(
        self, number: int, commits: Sequence[LeaderCommit], *, ordered: Ordered, window: int
    ) -> tuple[AuthorityIndex, ...]:
        """Return who had the slots of a round, as far as it is known."""
        noted = self._drawn.get(number)
        if noted is None or noted.window != window:
            return tuple(one.leader.author for one in reversed(commits))
        if commits and ordered.window_of(commits[0].index) != window:
            # The schedule changed with this commit; the slots after it are void.
            return noted.leaders[: noted.leaders.index(commits[0].leader.author) + 1]
        return noted.leaders

    def _how(self, dag: Dag, committee: Committee, leader: BlockRef) -> str:
        """Tell whether a quorum of authors certifies a committed block."""
        certifying = dag.round(leader.round + _CERTIFICATES_AT)
        if not committee.is_quorum(certifying.authors):
            # Both rules take a quorum of this round: others decided it.
            return "committed"
        seen = self._direct.get(leader.digest)
        # More certificates may come, but none goes.
        if seen != _ENOUGH and seen != len(certifying.arrivals):
            is_direct = _is_certified(dag, committee, leader)
            self._direct[leader.digest] = _ENOUGH if is_direct else len(certifying.arrivals)
        return "direct" if self._direct[leader.digest] == _ENOUGH else "indirect"

    def _forget(self, floor: int) -> None:
        """Keep only what is above a round; the next picture may be a larger one."""
        self._blocks = {name: one for name, one in self._blocks.items() if one.round > floor}
        self._direct = {name: one for name, one in self._direct.items() if name in self._blocks}
        self._drawn = {number: one for number, one in self._drawn.items() if number > floor}


def _windows(ordered: Ordered, commits: Sequence[LeaderCommit], *, rounds: range) -> dict[int, int]:
    """Return the number of the schedule that decides each round.

    A round is decided with the first commit at or above it, under the schedule before that commit.
    """
    index = int(commits[0].index) if commits else 0
    newest_first = list(commits)
    found: dict[int, int] = {}
    for number in reversed(rounds):
        while newest_first and newest_first[0].leader.round >= number:
            index = int(newest_first.pop(0).index) - 1
        found[number] = ordered.window_of(index)
    return dict(sorted(found.items()))


def draw_commits(ordered: Ordered, headers: Mapping[Digest, Header], *, rounds: int) -> Sketch:
    """Return the last rounds as far as they are committed, for a node without a seat."""
    commits = ordered.commits
    last = int(commits[0].leader.round) if commits else 0
    first = max(1, last - rounds + 1)
    refs = sorted(
        (ref for one in commits for ref in one.blocks if ref.round >= first),
        key=lambda ref: (ref.round, ref.author),
    )
    bits = _bits_of(refs, size=ordered.context.committee.size)
    blocks = [
        _stored_block(ref, headers[ref.digest], bits) for ref in refs if ref.digest in headers
    ]
    return Sketch(
        first=first,
        last=last,
        committed=last,
        blocks=tuple(sorted(blocks, key=lambda block: (block.round, block.bit))),
        leaders=tuple(
            _committed(one, 0, how="committed", ordered=ordered)
            for one in reversed(commits)
            if one.leader.round >= first
        ),
        twins=tuple(_stored_twins(refs)),
    )


def _is_certified(dag: Dag, committee: Committee, leader: BlockRef) -> bool:
    vertex = dag.get(leader)
    if vertex is None:
        return False
    voting, certifying = (
        dag.round(leader.round + _VOTES_AT),
        dag.round(leader.round + _CERTIFICATES_AT),
    )
    votes = sum(1 << one.bit for one in voting.arrivals if one.parents >> vertex.bit & 1)
    certifiers = 0
    for one in certifying.arrivals:
        if committee.is_quorum(voting.authors_of(one.parents & votes)):
            certifiers |= 1 << one.author
    return committee.is_quorum(certifiers)


def _block(vertex: Vertex) -> DagBlock:
    header = vertex.block.header
    mask, parents = vertex.parents, list[int]()
    while mask:
        lowest = mask & -mask
        parents.append(lowest.bit_length() - 1)
        mask ^= lowest
    return DagBlock(
        round=vertex.round,
        seat=vertex.author,
        bit=vertex.bit,
        digest=vertex.digest.hex(),
        parents=tuple(parents),
        weak=vertex.weak,
        transactions=header.payload_count,
        time_ms=header.timestamp_ms,
        is_committed=vertex.committed,
    )


def _bits_of(refs: Sequence[BlockRef], *, size: int) -> dict[bytes, int]:
    """Give each block its place in its round: that of its seat, or one above for a twin."""
    taken: dict[int, list[BlockRef]] = {}
    bits: dict[bytes, int] = {}
    for ref in refs:
        row = taken.setdefault(ref.round, [])
        is_twin = any(other.author == ref.author for other in row)
        twins = sum(bits[other.digest] >= size for other in row)
        bits[ref.digest] = size + twins if is_twin else ref.author
        row.append(ref)
    return bits


def _stored_block(ref: BlockRef, header: Header, bits: Mapping[bytes, int]) -> DagBlock:
    # An ancestor that is not in the picture is taken for the first block of its slot.
    places = [
        (one.round, bits.get(one.digest, one.author)) for one in header.ancestors if one.round
    ]
    return DagBlock(
        round=ref.round,
        seat=ref.author,
        bit=bits[ref.digest],
        digest=ref.digest.hex(),
        parents=tuple(sorted(bit for number, bit in places if number == ref.round - 1)),
        weak=tuple((number, bit) for number, bit in places if number < ref.round - 1),
        transactions=header.payload_count,
        time_ms=header.timestamp_ms,
        is_committed=True,
    )


def _committed(commit: LeaderCommit, offset: int, *, how: str, ordered: Ordered) -> LeaderSlot:
    return LeaderSlot(
        round=commit.leader.round,
        offset=offset,
        seat=commit.leader.author,
        verdict=how,
        digest=commit.leader.digest.hex(),
        commit_index=commit.index,
        height=ordered.height_of(commit),
    )


def _open(
    number: int, offset: int, author: int, *, verdict: str, block: Vertex | None
) -> LeaderSlot:
    return LeaderSlot(
        round=number,
        offset=offset,
        seat=author,
        verdict=verdict,
        digest=None if block is None else block.digest.hex(),
        commit_index=None,
        height=None,
    )


def _twins(rows: Sequence[tuple[int, RoundVertices]]) -> list[Twins]:
    refs = [one.ref for _, row in rows if row.has_twins for one in row.arrivals]
    return _stored_twins(refs)


def _stored_twins(refs: Sequence[BlockRef]) -> list[Twins]:
    slots: dict[tuple[int, int], list[str]] = {}
    for ref in refs:
        slots.setdefault((ref.round, ref.author), []).append(ref.digest.hex())
    return [
        Twins(round=number, seat=seat, digests=tuple(digests))
        for (number, seat), digests in sorted(slots.items())
        if len(digests) > 1
    ]
