"""When to propose, and in which round: the repaired pacemaker.

The flaw it repairs: if correct nodes jump to the highest possible round without producing the
rounds between, votes and certificates can be missing for ever, even in a synchronous network
(Qiu, Xiao, Shao, S&P 2026; Starfish, ePrint 2025/567). So every round is produced in order; a
round may be left out only once the slots two rounds below it are decided.

    target t = max(own last round + 1, min(decided round + 3, clock)), if the clock allows it
    propose at t once a quorum of round t - 1 is here, and
      C1  the leaders of t - 1 are here, and every slot of t - 2 has a quorum of votes or blames
          visible at t - 1 (our block can then certify it or witness the skip); or
      C2  2 * Delta passed since that quorum was here; no other round restarts this timer; or
      C3  a quorum of round t itself is here: we are late, do not wait.

Delta is measured: the least delay within which authors holding a quorum of power delivered
their recent leader blocks (the median of each) after we were ready. A quorum order statistic,
not a percentile over slots: less than a third of the power cannot stretch it by leading late on
purpose. Medians, because an arrival also holds what the leader itself waited for; with the
greatest instead, one withholding leader among n per round slowed every node tenfold. It doubles
after rounds without a commit and shrinks slowly after commits. A fixed 2 * Delta is enough
after GST (lean-dag, `Delay = 2Δ`).

While nothing waits for its commit, or so much that larger blocks are cheaper, everybody proposes
later; the timer of C2 starts later by the same, and so does what arrivals are measured from.
"""

from collections import deque

from consensus.committee import Committee
from consensus.parameters import Tuning
from primitives.ids import AuthorityIndex, Round
from primitives.order import quantile

ARRIVALS_KEPT = 8
READY_ROUNDS_KEPT = 64
COMMITS_PER_SHRINK = 8
BACKOFF_MAX = 6


class Pacemaker:
    """Chooses the round to propose in and the time to do it."""

    def __init__(self, committee: Committee, tuning: Tuning) -> None:
        self._committee = committee
        self._tuning = tuning
        self._ready_ms: dict[Round, int] = {}
        self._arrivals: list[deque[int]] = [deque(maxlen=ARRIVALS_KEPT) for _ in committee.indices]
        self._medians: dict[AuthorityIndex, int] = {}
        self._measured_ms: int | None = None
        self._backoff = 0
        self._rounds_since_commit = 0
        self._commits_since_shrink = 0

    @property
    def delta_ms(self) -> int:
        """Return the present estimate of the message delay, in milliseconds."""
        tuning = self._tuning
        measured_ms = self._measured_ms
        base = tuning.delta_initial_ms if measured_ms is None else measured_ms
        base = min(max(base, tuning.delta_min_ms), tuning.delta_max_ms)
        return min(base << self._backoff, tuning.delta_max_ms)

    def target(self, *, proposed: Round, decided: Round, clock: Round) -> Round | None:
        """Return the round to propose in next, or None while the clock does not allow one."""
        # Without the inner bound a directly skipped slot stalls the chain: it is decided while
        # the clock stands at decided + 2, and everybody would wait for decided + 3.
        wanted = max(proposed + 1, min(decided + 3, clock)) if decided > 0 else proposed + 1
        return Round(wanted) if wanted <= clock else None

    def note_clock(self, clock: Round, *, now_ms: int) -> None:
        """Note that every round up to `clock` is ready, as of now where it was not before."""
        if clock in self._ready_ms:
            return
        self._ready_ms[clock] = now_ms
        while len(self._ready_ms) > READY_ROUNDS_KEPT:
            del self._ready_ms[min(self._ready_ms)]

    def ready_ms(self, target: Round, *, now_ms: int) -> int:
        """Return since when `target` is ready."""
        since = self._ready_ms.get(target)
        if since is None:
            # The clock jumped over the target; it is ready since the jump, or was forgotten.
            later = [at for number, at in self._ready_ms.items() if number > target]
            since = self._ready_ms[target] = min(later, default=now_ms)
        return since

    def note_leader(
        self, number: Round, author: AuthorityIndex, *, now_ms: int, paced_ms: int
    ) -> None:
        """Measure how long after readiness for round `number` + 1 its leader's block came.

        At a slower pace we are ready no sooner than `paced_ms`, and neither is the leader.
        """
        ready_ms = self._ready_ms.get(Round(number + 1))
        arrivals = self._arrivals[author]
        arrivals.append(0 if ready_ms is None else max(0, now_ms - max(ready_ms, paced_ms)))
        median_ms = quantile(arrivals, numerator=1, denominator=2)
        if median_ms != self._medians.get(author):
            self._medians[author] = median_ms
            self._measured_ms = self._measure_ms()

    def note_proposal(self) -> None:
        """Count a proposal; too many in a row without a commit double Delta."""
        self._rounds_since_commit += 1
        if self._rounds_since_commit >= self._tuning.backoff_after_rounds:
            self._rounds_since_commit = 0
            self._commits_since_shrink = 0
            self._backoff = min(self._backoff + 1, BACKOFF_MAX)

    def note_commit(self) -> None:
        """Count a commit; enough of them halve what back-off added."""
        self._rounds_since_commit = 0
        self._commits_since_shrink += 1
        if self._commits_since_shrink >= COMMITS_PER_SHRINK:
            self._commits_since_shrink = 0
            self._backoff = max(0, self._backoff - 1)

    def can_serve(self, *, has_leaders: bool, has_opinions: bool) -> bool:
        """Tell whether C1 holds: a block made now can vote, and certify or witness a skip."""
        return has_leaders and has_opinions

    def soonest_ms(
        self, *, now_ms: int, last_proposal_ms: int, delay_ms: int, is_late: bool
    ) -> int:
        """Return before when no proposal is due, whatever else holds."""
        return now_ms if is_late else max(now_ms, last_proposal_ms + delay_ms)

    def paced_ms(self, *, last_proposal_ms: int, delay_ms: int) -> int:
        """Return until when a slower pace makes everybody wait; 0 at the common one."""
        is_slower = delay_ms > self._tuning.min_round_delay_ms
        return last_proposal_ms + delay_ms if is_slower else 0

    def due_ms(
        self,
        target: Round,
        *,
        now_ms: int,
        last_proposal_ms: int,
        delay_ms: int,
        is_late: bool,
        can_serve: bool,
    ) -> int:
        """Return when to propose at `target`, at `now_ms` or later.

        `delay_ms` is the least time between two own proposals, `is_late` condition C3, `can_serve`
        condition C1; C2 is reckoned here.
        """
        soonest_ms = self.soonest_ms(
            now_ms=now_ms, last_proposal_ms=last_proposal_ms, delay_ms=delay_ms, is_late=is_late
        )
        if is_late or can_serve:
            return soonest_ms
        since_ms = self.ready_ms(target, now_ms=now_ms)
        # The leader waits as we do: only after that is it late.
        paced_ms = self.paced_ms(last_proposal_ms=last_proposal_ms, delay_ms=delay_ms)
        return max(soonest_ms, max(since_ms, paced_ms) + 2 * self.delta_ms)

    def _measure_ms(self) -> int | None:
        ranked = sorted((median_ms, author) for author, median_ms in self._medians.items())
        power = 0
        for delay_ms, author in ranked:
            power += self._committee.powers[author]
            if power >= self._committee.quorum:
                return delay_ms
        return None
