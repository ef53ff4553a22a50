"""What is due for one task: from the chain, the belongings of this node and the time, and no more.

    | phase        | a trainer                      | who has a seat                              |
    |--------------|--------------------------------|---------------------------------------------|
    | none         |                                | in turn: open the next round                |
    | COMMIT       | train, commit                  | replay what it missed                       |
    | REVEAL       | offer the update, reveal       |                                             |
    | AVAILABILITY | keep it offered                | fetch, attest                               |
    | SCORE_COMMIT |                                | fetch what it lacks, score, commit scores   |
    | SCORE_REVEAL |                                | reveal scores; score again if they are lost |
    | AGGREGATE    |                                | fetch what it lacks, aggregate, vote; then  |
    |              |                                | evaluate what it voted for                  |
    | GUARD        |                                | report; before that, if another aggregate   |
    |              |                                | has the quorum, fetch and evaluate that     |
    | any          | claim what has vested          | in turn: advance what stands still          |

A duty is in the plan for as long as it is due, so whoever carries plans out starts what is new in
one and breaks off what is no longer: the chain went on without it. Nothing is planned for a phase
whose deadline has passed but to advance it. Guards: the same inputs give the same plan, so a node
that forgets everything but its files goes on where it was.
"""

from dataclasses import dataclass, field
from typing import Final

from fl.rules.phase import Phase
from node.duties.duty import Duty, Plan, Step, Trouble, bits_of
from node.duties.situation import Belongings, Deed, Role, RunningRound, Situation

_EMPTY_ROUNDS_SHIFT_MAX: Final = 6

OF_NO_ROUND: Final = frozenset({Step.FETCH_DOCUMENT, Step.FETCH_MODEL, Step.REPLAY, Step.CLAIM})
"""What goes on whatever round runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """When to do what may be done at several times.

    Args:
        pause_empty_ms: at least so long nobody opens a round after one without an update; after
            two twice as long as after one, and so on up to 64 times.
        turn_ms: how long a validator is left alone with what everybody may do, before the next.
        stall_ms: after which a phase that should have ended stands still.
        claim_min: grains that are worth a transaction.
    """

    pause_empty_ms: int = 1_000
    turn_ms: int = 2_000
    stall_ms: int = 1_500
    claim_min: int = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """Plans for one node; without state."""

    roles: frozenset[Role]
    tuning: Tuning = field(default_factory=Tuning)

    def plan(self, situation: Situation, belongings: Belongings, *, now_ms: int) -> Plan:
        """Return what is due, in order of urgency.

        Args:
            situation: the newest that the chain says.
            belongings: of this node, for the task and its running round.
            now_ms: chain time.
        """
        draft = _Draft(situation, belongings, now_ms=now_ms, tuning=self.tuning, roles=self.roles)
        draft.fill()
        kept = (duty for duty in draft.duties if duty.step not in belongings.given_up)
        return Plan(tuple(kept), frozenset(draft.troubles))


class _Draft:
    """One plan in the making."""

    def __init__(
        self,
        situation: Situation,
        belongings: Belongings,
        *,
        now_ms: int,
        tuning: Tuning,
        roles: frozenset[Role],
    ) -> None:
        self.duties: list[Duty] = []
        self.troubles: set[Trouble] = set()
        self._chain = situation
        self._own = belongings
        self._now_ms = now_ms
        self._tuning = tuning
        self._roles = roles

    def fill(self) -> None:
        running = self._chain.round
        if running is None:
            self._between_rounds()
        elif self._is_overdue(running):
            self._advance(running)
        else:
            self._take_part(running)
        if self._chain.claimable >= self._tuning.claim_min:
            self._add(Step.CLAIM)

    def _take_part(self, running: RunningRound) -> None:
        if Role.TRAINER in self._roles:
            self._train(running)
        if self._has_seat(running):
            self._serve(running)

    # Between two rounds.

    def _between_rounds(self) -> None:
        chain = self._chain
        if Role.VALIDATOR not in self._roles or chain.who not in chain.committee:
            return
        self._follow()
        # A round that pays nothing costs gas and work, and anybody may create a task without money.
        is_paid = 0 < chain.reward <= chain.escrow
        if chain.is_closing or not is_paid:
            return
        place = (chain.committee.index(chain.who) - chain.rounds) % len(chain.committee)
        turn_ms = self._own.idle_since_ms + self._pause_ms() + place * self._tuning.turn_ms
        if self._now_ms >= turn_ms:
            self.duties.append(Duty(step=Step.OPEN_ROUND, task=chain.task, round=chain.rounds))

    def _pause_ms(self) -> int:
        pause_ms, empty = self._chain.round_pause_ms, self._own.empty_rounds
        if empty == 0:
            return pause_ms
        return max(pause_ms, self._tuning.pause_empty_ms) << min(empty, _EMPTY_ROUNDS_SHIFT_MAX)

    def _is_overdue(self, running: RunningRound) -> bool:
        return running.phase.window is not None and self._now_ms >= running.deadline_ms

    def _advance(self, running: RunningRound) -> None:
        """Plan to push what the chain's own wake-ups left lying; each seat has its turn."""
        if not self._has_seat(running):
            return
        seats = running.seats
        place = (seats.index(self._chain.who) - self._chain.serial) % len(seats)
        waited_ms = self._now_ms - running.deadline_ms
        if waited_ms >= self._tuning.stall_ms + place * self._tuning.turn_ms:
            self._add(Step.ADVANCE)

    # Trainers.

    def _train(self, running: RunningRound) -> None:
        if self._needs_model():
            self._add(Step.FETCH_MODEL)
        entry = next((one for one in running.entries if one.trainer == self._chain.who), None)
        match running.phase:
            case Phase.COMMIT if entry is None:
                self._contribute()
            case Phase.REVEAL if entry is not None and not entry.root:
                self._reveal()
            case Phase.AVAILABILITY | Phase.SCORE_COMMIT if entry is not None and entry.root:
                self._offer(entry.root)
            case _:
                pass

    def _contribute(self) -> None:
        if not self._chain.registered_at:
            self.troubles.add(Trouble.NOT_REGISTERED)
        elif self._chain.is_quarantined:
            self.troubles.add(Trouble.QUARANTINED)
        elif self._own.update_root:
            self._add(Step.COMMIT_UPDATE)
        elif not self._needs_model():
            self._add(Step.TRAIN)

    def _reveal(self) -> None:
        if not self._own.update_root:
            self.troubles.add(Trouble.LOST_UPDATE)
            return
        # Nobody may look for it before it can be had.
        self._add(Step.REVEAL_UPDATE if self._own.is_offered else Step.OFFER)

    def _offer(self, root: bytes) -> None:
        if not self._own.is_offered and self._own.update_root == root:
            self._add(Step.OFFER)

    # Validators.

    def _serve(self, running: RunningRound) -> None:
        self._act(running)
        self._follow()

    def _act(self, running: RunningRound) -> None:
        match running.phase:
            case Phase.COMMIT | Phase.REVEAL:
                pass
            case Phase.AVAILABILITY:
                self._hold(running)
            case Phase.SCORE_COMMIT:
                self._promise(running)
            case Phase.SCORE_REVEAL:
                self._show(running)
            case Phase.AGGREGATE:
                self._vote(running)
            case Phase.GUARD:
                self._guard(running)
            case Phase.SELECT | Phase.SETTLE:
                self._advance(running)

    def _hold(self, running: RunningRound) -> None:
        wanted = [i for i, one in enumerate(running.entries) if one.root]
        wanted = [i for i in wanted if not running.held >> i & 1]
        missing = self._missing(running, wanted)
        here = [index for index in wanted if index not in missing]
        if missing:
            self._add(Step.FETCH_UPDATES, bits=bits_of(missing))
        # One transaction for all; whoever withholds an update delays no other beyond the half.
        is_late = self._now_ms >= running.deadline_ms - running.window_ms // 2
        if here and (is_late or not missing):
            self._add(Step.ATTEST, bits=bits_of(here))

    def _promise(self, running: RunningRound) -> None:
        if Deed.PROMISED in running.deeds:
            return
        if self._own.has_card:
            self._add(Step.COMMIT_SCORES)
        else:
            self._judge(running)

    def _show(self, running: RunningRound) -> None:
        if Deed.PROMISED not in running.deeds or Deed.CARDED in running.deeds:
            return
        if self._own.has_card:
            self._add(Step.REVEAL_SCORES)
            return
        self.troubles.add(Trouble.LOST_SCORECARD)
        # The same examples and model give the same scores again on most machines.
        self._judge(running)

    def _judge(self, running: RunningRound) -> None:
        available = running.available()
        if Role.SCORER not in self._roles or Step.JUDGE in self._own.given_up:
            self.troubles.add(Trouble.CANNOT_SCORE)
        elif self._is_equipped(running, available):
            self._add(Step.JUDGE, bits=bits_of(available))

    def _vote(self, running: RunningRound) -> None:
        has_voted = Deed.VOTED in running.deeds
        if running.rung in self._own.candidates:
            if not has_voted:
                self._add(Step.VOTE)
            self._foresee(running)
        elif not has_voted and self._is_equipped(running, running.weighted()):
            self._add(Step.AGGREGATE, bits=bits_of(running.weighted()))

    def _foresee(self, running: RunningRound) -> None:
        """Plan to evaluate the own candidate, which should get the quorum, while votes travel."""
        can_score = Role.SCORER in self._roles and Step.EVALUATE not in self._own.given_up
        if can_score and running.rung not in self._own.reports:
            self._add(Step.EVALUATE)

    def _guard(self, running: RunningRound) -> None:
        if Deed.REPORTED in running.deeds:
            return
        if running.rung in self._own.reports:
            self._add(Step.REPORT)
        elif Role.SCORER not in self._roles or Step.EVALUATE in self._own.given_up:
            self.troubles.add(Trouble.CANNOT_SCORE)
        elif self._needs_model():
            self._add(Step.FETCH_MODEL)
        else:
            self._add(Step.EVALUATE if self._own.has_aggregate else Step.FETCH_CANDIDATE)

    def _is_equipped(self, running: RunningRound, indices: list[int]) -> bool:
        """Tell whether updates, model and history are at hand; plan to get what is not."""
        missing = self._missing(running, indices)
        if missing:
            self._add(Step.FETCH_UPDATES, bits=bits_of(missing))
        return self._follow() and not missing

    def _follow(self) -> bool:
        """Plan to get the history of the model; tell whether it is at hand."""
        if self._needs_model():
            self._add(Step.FETCH_MODEL)
            return False
        if self._own.known_version < self._chain.version:
            self._add(Step.REPLAY)
            if self._own.is_history_beyond_reach:
                self.troubles.add(Trouble.HISTORY_BEYOND_REACH)
            return False
        return True

    def _missing(self, running: RunningRound, indices: list[int]) -> list[int]:
        return [i for i in indices if running.entries[i].root not in self._own.holdings]

    def _needs_model(self) -> bool:
        return not self._own.has_model

    def _has_seat(self, running: RunningRound) -> bool:
        return Role.VALIDATOR in self._roles and self._chain.who in running.seats

    def _add(self, step: Step, *, bits: int = 0) -> None:
        running = self._chain.round
        number, rung = (
            (self._chain.rounds, 0) if running is None else (running.number, running.rung)
        )
        duty = Duty(step=step, task=self._chain.task, round=number, rung=rung, bits=bits)
        if duty not in self.duties:
            self.duties.append(duty)
