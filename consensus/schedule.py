"""Who leads a round: integer draws by power, without the authors that reputation excludes.

Guards: the leaders of a slot are a function of the epoch seed, the round and the agreed commit
prefix, bit for bit alike on every machine. Draws are rejection-sampled from SHA-256, never a
float and never a library shuffle (Sui's own specification notes that its f32 weights are no
stable protocol definition). The k leaders of a round are distinct authors, or one block would
fill two slots and be delivered twice.

Exclusion follows Sui's schedule v3 and HammerHead (arXiv:2309.12713): after each window the
authors whose blocks voted least for committed leaders leave the draw for the next window.
"""

import msgspec

from consensus.commit import CommittedSubDag
from consensus.committee import EpochContext
from consensus.dag import Vertex
from primitives.hashing import Domain, tagged_hash
from primitives.ids import AuthorityIndex, CommitIndex, Digest, Round
from primitives.order import quantile

DRAW_SPACE = 2**64
LEADERS_CACHED_MAX = 1_024


class ScheduleRecord(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a restarted node needs to elect as before: the state at a schedule boundary."""

    boundary_index: CommitIndex
    excluded: tuple[AuthorityIndex, ...]


class LeaderSchedule:
    """The leaders of every round, for one window of commits."""

    def __init__(self, context: EpochContext, record: ScheduleRecord) -> None:
        self.record = record
        self._context = context
        excluded = dict.fromkeys(record.excluded)
        self._allowed = tuple(a for a in context.committee.indices if a not in excluded)
        self._cache: dict[int, tuple[AuthorityIndex, ...]] = {}

    def leaders(self, number: int) -> tuple[AuthorityIndex, ...]:
        """Return the leaders of round `number`, in slot order."""
        cached = self._cache.get(number)
        if cached is None:
            if len(self._cache) >= LEADERS_CACHED_MAX:
                self._cache.clear()
            cached = self._cache[number] = self._draw_leaders(number)
        return cached

    def _draw_leaders(self, number: int) -> tuple[AuthorityIndex, ...]:
        powers = self._context.committee.powers
        candidates = list(self._allowed)
        leaders = []
        for place in range(self._context.parameters.leaders_per_round):
            point = self._draw(number, place, sum(powers[author] for author in candidates))
            for author in candidates:
                point -= powers[author]
                if point < 0:
                    leaders.append(author)
                    candidates.remove(author)
                    break
        return tuple(leaders)

    def _draw(self, number: int, place: int, total: int) -> int:
        """Return an unbiased draw in [0, total)."""
        limit = DRAW_SPACE - DRAW_SPACE % total
        counter = 0
        while True:
            message = b"".join(
                (
                    self._context.seed,
                    number.to_bytes(8, "big"),
                    place.to_bytes(4, "big"),
                    counter.to_bytes(4, "big"),
                )
            )
            point = int.from_bytes(tagged_hash(Domain.LEADER_DRAW, message)[:8], "big")
            if point < limit:
                return point % total
            counter += 1


class Reputation:
    """Scores of the current window: votes of committed blocks for committed leaders.

    Everything counted lies inside committed sub-DAGs of the window, so a restarted node that
    replays the window has the same scores. Carrying anything across the boundary that is not
    in `ScheduleRecord` would be a fork (aptos-core issue 19644).
    """

    def __init__(self, context: EpochContext) -> None:
        self._context = context
        self._votes = [0] * context.committee.size
        self._equivocators = 0
        self._leader_bits: dict[Round, int] = {}

    def record(
        self, leader: Vertex, vertices: list[Vertex], *, sub_dag: CommittedSubDag, floor: int
    ) -> None:
        """Count one commit, linearised with the GC round `floor`.

        Parents at or below the floor may or may not have been in this node's memory, so votes
        for them never count.
        """
        bits = self._leader_bits
        bits[leader.round] = bits.get(leader.round, 0) | 1 << leader.bit
        for vertex in vertices:
            if vertex.round - 1 > floor:
                hits = vertex.parents & bits.get(Round(vertex.round - 1), 0)
                self._votes[vertex.author] += hits.bit_count()
        for ref in sub_dag.commit.void:
            self._equivocators |= 1 << ref.author
        for number in [number for number in bits if number <= floor]:
            del bits[number]

    def conclude(self, index: CommitIndex, digest: Digest) -> ScheduleRecord:
        """Return the schedule that follows the boundary commit `index` with this digest.

        Excluded are the lowest scores, equivocators first of all, as long as the score is less
        than three quarters of the median, the excluded power stays within f, and enough authors
        remain to fill a round.
        """
        committee = self._context.committee
        scores = [
            0 if self._equivocators >> author & 1 else self._votes[author]
            for author in committee.indices
        ]
        median = quantile(scores, numerator=1, denominator=2)
        excluded: list[AuthorityIndex] = []
        power = 0
        spare = committee.size - self._context.parameters.leaders_per_round
        for author in sorted(
            committee.indices, key=lambda author: (scores[author], _tie(digest, author))
        ):
            if scores[author] * 4 >= median * 3 or len(excluded) == spare:
                break
            if power + committee.powers[author] <= committee.faulty_power_max:
                power += committee.powers[author]
                excluded.append(author)
        return ScheduleRecord(index, tuple(sorted(excluded)))


def first_schedule(context: EpochContext) -> LeaderSchedule:
    """Return the schedule that an epoch starts with: everybody may lead."""
    return LeaderSchedule(context, ScheduleRecord(CommitIndex(0), ()))


def _tie(digest: Digest, author: AuthorityIndex) -> Digest:
    return tagged_hash(Domain.SCHEDULE_TIE, digest + author.to_bytes(8, "big"))
