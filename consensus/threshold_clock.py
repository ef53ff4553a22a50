"""The highest round that a quorum of parents makes possible; not the round to propose in.

Source: Sui `threshold_clock.rs`. A block of a higher round moves the clock at once: it carries a
quorum of its own round minus one, and its cone is accepted. Proposing straight at the clock is
what lets an adversary stall the chain for ever; `pacemaker` picks the target.
"""

from consensus.committee import Committee
from primitives.ids import AuthorityIndex, Round


class ThresholdClock:
    """Counts authors at the frontier; moves forward only."""

    def __init__(self, committee: Committee) -> None:
        self._committee = committee
        self._authors = 0
        self.round = Round(1)

    def observe(self, number: Round, author: AuthorityIndex) -> None:
        """Count one accepted block."""
        if number < self.round:
            return
        if number > self.round:
            self.round = number
            self._authors = 0
        self._authors |= 1 << author
        if self._committee.is_quorum(self._authors):
            self.round = Round(number + 1)
            self._authors = 0

    def has_quorum_at(self, number: Round) -> bool:
        """Tell whether a quorum of blocks of round `number` is accepted."""
        return number < self.round
