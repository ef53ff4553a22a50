"""The commit rule: which leader blocks are final, read off the local DAG alone.

Theory of operation (Mysticeti-C, arXiv:2310.14821, wave of three, every round pipelined):

    round r      leader block L in slot s = (r, A)
    round r + 1  a block votes for L iff L is its ancestor; it blames s iff it has none in s
    round r + 2  a block certifies L iff its ancestors that vote for L hold a quorum

    direct    skip s    if a quorum of authors blames s
              commit L  if a quorum of authors certifies L
    indirect  the anchor of s is the first slot in order from round r + 3 on that is not skipped;
              if it is committed with block B: commit L iff a certificate for L lies in B's cone,
              else skip s; if it is undecided, so is s

Facts that safety rests on (machine-checked in gdanezis/lean-dag, `LeanDag/Mysticeti.lean`):
M3, a directly skipped block has no certificate anywhere; M2, after a direct commit every block
of a round >= r + 3 has a certificate in its cone (the bound is tight, hence anchors at r + 3);
M5', at most one twin of a slot is certifiable. None needs a network assumption. All counts are
of distinct authors' power; votes are for the exact block, never for the slot.

Decisions come out as the longest decided prefix in slot order. The cursor advances over skips
as well as commits, or trailing skips would come out again.
"""

import enum
from collections.abc import Callable

from typing_extensions import override

from consensus.committee import Committee
from consensus.dag import Dag, RoundVertices, Vertex
from consensus.parameters import WAVE_LENGTH
from primitives.ids import AuthorityIndex, Round

LeadersOf = Callable[[int], tuple[AuthorityIndex, ...]]


class Verdict(enum.Enum):
    """What is known of a leader slot."""

    UNDECIDED = "undecided"
    COMMIT = "commit"
    SKIP = "skip"


class SlotDecision:
    """A decided slot: committed with a block, or skipped.

    Args:
        offset: place of the slot among the leaders of its round.
        leader: the committed vertex; None exactly when the slot is skipped.
    """

    __slots__ = ("author", "leader", "offset", "round")

    def __init__(
        self, number: Round, offset: int, *, author: AuthorityIndex, leader: Vertex | None
    ) -> None:
        self.round = number
        self.offset = offset
        self.author = author
        self.leader = leader

    @override
    def __repr__(self) -> str:
        """Show slot and verdict."""
        what = "skip" if self.leader is None else f"commit {self.leader.digest.hex()[:8]}"
        return f"SlotDecision({self.round}/{self.offset} by {self.author}: {what})"


class _Slot:
    """Running tallies of one leader slot; each vertex is counted once, in order of arrival."""

    __slots__ = (
        "_certifying_seen",
        "_voting_seen",
        "author",
        "blames",
        "certificates",
        "certifiers",
        "leader",
        "verdict",
        "voters",
    )

    def __init__(self, author: AuthorityIndex) -> None:
        self.author = author
        self.verdict = Verdict.UNDECIDED
        self.leader: Vertex | None = None
        self.blames = 0
        """Mask of authors."""
        self.voters: dict[int, int] = {}
        """Candidate bit to mask of vertices at r + 1."""
        self.certificates: dict[int, int] = {}
        """Candidate bit to mask of vertices at r + 2."""
        self.certifiers: dict[int, int] = {}
        """Candidate bit to mask of authors at r + 2."""
        self._voting_seen = 0
        self._certifying_seen = 0

    def is_current(self, voting: RoundVertices, certifying: RoundVertices) -> bool:
        """Tell whether everything that arrived is counted."""
        return self._voting_seen == len(voting.arrivals) and self._certifying_seen == len(
            certifying.arrivals
        )

    def count_votes(self, candidates: list[Vertex], voting: RoundVertices) -> None:
        """Count the vertices of round r + 1 that arrived since the last call."""
        if self._voting_seen == len(voting.arrivals):
            return
        slot_mask = 0
        for candidate in candidates:
            slot_mask |= 1 << candidate.bit
        for vertex in voting.arrivals[self._voting_seen :]:
            # One ancestor per author, so at most one bit is left. A twin that arrives later
            # cannot be an ancestor of a vertex that was accepted before it.
            voted = vertex.parents & slot_mask
            if voted:
                bit = voted.bit_length() - 1
                self.voters[bit] = self.voters.get(bit, 0) | 1 << vertex.bit
            else:
                self.blames |= 1 << vertex.author
        self._voting_seen = len(voting.arrivals)

    def count_certificates(
        self, voting: RoundVertices, certifying: RoundVertices, committee: Committee
    ) -> None:
        """Count the vertices of round r + 2 that arrived since the last call."""
        for vertex in certifying.arrivals[self._certifying_seen :]:
            for bit, voters in self.voters.items():
                if committee.is_quorum(voting.authors_of(vertex.parents & voters)):
                    self.certificates[bit] = self.certificates.get(bit, 0) | 1 << vertex.bit
                    self.certifiers[bit] = self.certifiers.get(bit, 0) | 1 << vertex.author
        self._certifying_seen = len(certifying.arrivals)


class Committer:
    """Decides leader slots in order; idempotent, and a pure function of DAG and schedule.

    Args:
        leaders: the schedule in force; replaced through `restart_after`.
    """

    def __init__(self, dag: Dag, *, committee: Committee, leaders: LeadersOf) -> None:
        self._dag = dag
        self._committee = committee
        self._leaders = leaders
        self._per_round = len(leaders(1))
        self._slots: dict[tuple[int, int], _Slot] = {}
        self.cursor = (Round(0), COMMITTEE_OFFSET_END)
        self.conflict: tuple[Vertex, Vertex] | None = None
        """Two certified twins: more than f power is faulty. Set once, never cleared."""

    @property
    def decided_round(self) -> Round:
        """Return the highest round up to which every leader slot is decided."""
        number, offset = self.cursor
        if offset + 1 >= self._per_round:
            return number
        return Round(number - 1)

    def leaders(self, number: int) -> tuple[AuthorityIndex, ...]:
        """Return the leaders of a round under the schedule in force, in slot order."""
        return self._leaders(number)

    def restart_after(self, number: Round, *, leaders: LeadersOf) -> None:
        """Take a new schedule from round `number` + 1 on and forget what the old one decided.

        The slots of round `number` that the old schedule left open are void: they are reused by
        neither schedule. Deciding past the boundary with the old one would fork.
        """
        self._leaders = leaders
        self.cursor = (number, COMMITTEE_OFFSET_END)
        self._slots.clear()

    def advance_to(self, number: Round, offset: int) -> None:
        """Move the cursor onto a slot that is known to be decided (a certified commit)."""
        self.cursor = max(self.cursor, (number, offset))
        self._drop_decided()

    def take(self, decision: SlotDecision) -> None:
        """Move the cursor over one decision that the caller has acted on."""
        self.cursor = (decision.round, decision.offset)
        self._drop_decided()

    def decide(self) -> list[SlotDecision]:
        """Return the decided slots right after the cursor, in order; moves nothing.

        The same view gives the same answer however often and whenever it is asked.
        """
        if not self._may_be_ripe():
            return []
        order = self._open_slots()
        for place in range(len(order) - 1, -1, -1):
            number, offset = order[place]
            slot = self._slot(number, offset)
            if slot.verdict is Verdict.UNDECIDED:
                self._decide_directly(number, slot)
            if slot.verdict is Verdict.UNDECIDED:
                self._decide_by_anchor(number, slot, order=order, after=place)
        decisions = []
        for number, offset in order:
            slot = self._slot(number, offset)
            if slot.verdict is Verdict.UNDECIDED or self.conflict is not None:
                break
            decisions.append(
                SlotDecision(Round(number), offset, author=slot.author, leader=slot.leader)
            )
        return decisions

    def has_opinion_quorum(self, number: int) -> bool:
        """Tell whether every leader slot of a round has a visible quorum of votes or of blames.

        Then a block two rounds above can certify it or witness the skip (pacemaker, C1).
        """
        voting = self._dag.round(number + 1)
        for offset, author in enumerate(self._leaders(number)):
            if (number, offset) <= self.cursor:
                continue
            slot = self._slots.get((number, offset))
            if slot is None:
                slot = self._slots[number, offset] = _Slot(author)
            slot.count_votes(self._dag.round(number).slot(author), voting)
            opinions = [slot.blames, *map(voting.authors_of, slot.voters.values())]
            if not any(map(self._committee.is_quorum, opinions)):
                return False
        return True

    def has_leaders(self, number: int) -> bool:
        """Tell whether every leader slot of a round has an accepted block."""
        authors = self._dag.round(number).authors
        return all(authors >> author & 1 for author in self._leaders(number))

    def _may_be_ripe(self) -> bool:
        """Tell whether a look at all open slots may yield anything; most blocks decide nothing.

        Nothing comes out before the slot after the cursor is decided. That takes a quorum that
        certifies or blames it, or an anchor, which a quorum certifies in its turn. Twins are
        always looked at, as two that are certified raise the alarm from any slot.
        """
        dag, committee = self._dag, self._committee
        number, offset = self._next_slot()
        if number <= dag.twins_round or number + 2 * WAVE_LENGTH <= dag.highest_round + 1:
            return True
        if committee.is_quorum(dag.round(number + WAVE_LENGTH - 1).authors):
            return True
        voting = dag.round(number + 1)
        if not committee.is_quorum(voting.authors):
            return False
        slot = self._slot(number, offset)
        slot.count_votes(dag.round(number).slot(slot.author), voting)
        return committee.is_quorum(slot.blames)

    def _next_slot(self) -> tuple[int, int]:
        number, offset = self.cursor
        return (number, offset + 1) if offset + 1 < self._per_round else (number + 1, 0)

    def _open_slots(self) -> list[tuple[int, int]]:
        """List the slots after the cursor that the DAG could decide, in order."""
        first_round, cursor_offset = self.cursor
        order = []
        for number in range(first_round, self._dag.highest_round):
            first_offset = cursor_offset + 1 if number == first_round else 0
            order += [(number, offset) for offset in range(first_offset, self._per_round)]
        return order

    def _slot(self, number: int, offset: int) -> _Slot:
        slot = self._slots.get((number, offset))
        if slot is None:
            slot = self._slots[number, offset] = _Slot(self._leaders(number)[offset])
        return slot

    def _decide_directly(self, number: int, slot: _Slot) -> None:
        dag, committee = self._dag, self._committee
        voting, certifying = dag.round(number + 1), dag.round(number + WAVE_LENGTH - 1)
        # A quorum that votes or blames comes before any certificate and any skip; until it is
        # here, nothing needs to be counted.
        if not committee.is_quorum(voting.authors):
            return
        if not slot.is_current(voting, certifying):
            slot.count_votes(dag.round(number).slot(slot.author), voting)
            slot.count_certificates(voting, certifying, committee)
            self._watch_for_conflict(number, slot)
        # Judge even if nothing is new: `has_opinion_quorum` may have counted the last votes.
        if committee.is_quorum(slot.blames):
            slot.verdict = Verdict.SKIP
            return
        for bit, authors in slot.certifiers.items():
            if committee.is_quorum(authors):
                slot.leader = dag.round(number).by_bit[bit]
                slot.verdict = Verdict.COMMIT

    def _decide_by_anchor(
        self, number: int, slot: _Slot, *, order: list[tuple[int, int]], after: int
    ) -> None:
        """Settle a slot by the first slot from round + 3 on that is not skipped."""
        for place in range(after + 1, len(order)):
            anchor_round, anchor_offset = order[place]
            if anchor_round < number + WAVE_LENGTH:
                continue
            anchor = self._slot(anchor_round, anchor_offset)
            if anchor.verdict is Verdict.SKIP:
                continue
            if anchor.leader is not None:
                self._settle(number, slot, anchor.leader)
            return

    def _settle(self, number: int, slot: _Slot, anchor: Vertex) -> None:
        cone = self._dag.reaches(anchor, number + WAVE_LENGTH - 1)
        slot.verdict = Verdict.SKIP
        for bit, certificates in slot.certificates.items():
            if certificates & cone:
                slot.leader = self._dag.round(number).by_bit[bit]
                slot.verdict = Verdict.COMMIT

    def _watch_for_conflict(self, number: int, slot: _Slot) -> None:
        if len(slot.certificates) > 1 and self.conflict is None:
            row = self._dag.round(number)
            first, second, *_ = (row.by_bit[bit] for bit in sorted(slot.certificates))
            assert first is not None
            assert second is not None
            self.conflict = (first, second)

    def _drop_decided(self) -> None:
        for key in [key for key in self._slots if key <= self.cursor]:
            del self._slots[key]


COMMITTEE_OFFSET_END = 2**31
"""An offset past every slot of a round: the cursor stands at the end of that round."""
