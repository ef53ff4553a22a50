"""The real rounds machine with a cast of trainers and validators, driven in one thread.

What is accepted, refused and why, weighed, paid and slashed is decided by `fl.rules.round.tick`
alone; this file makes the calls that nodes would make, in an order of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from fl.rules import calls, scorecard
from fl.rules.calls import Call, Chain, CreateTask, Moment
from fl.rules.effects import Anomaly, Effect, Reason, RoundEnded
from fl.rules.errors import RefusedCallError
from fl.rules.phase import Phase
from fl.rules.round import tick
from fl.rules.scorecard import Place, Record
from fl.rules.state import Identity, Round, Standing, State, Task
from primitives.hashing import sha256
from primitives.ids import Address, Height, Power, TimestampMs

SALT: Final = bytes(32)
BOND: Final = 1_000_000
REWARD: Final = 1_000_000_000
WINDOW_MS: Final = 10_000
NO_RADIUS: Final = 1 << 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the task of a benchmark sets; `CreateTask` says what each field means."""

    epsilon: int = 0
    band_min: int = 20
    harm: int = 100
    clip: int = NO_RADIUS
    clip_min: int = 1 << 8
    guard_bounds: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Submission:
    """What a trainer sends: content by digest, and whether it is late, as a copy is."""

    trainer: int
    root: bytes
    is_late: bool = False


@cache
def _address(kind: str, index: int) -> Address:
    return Address(sha256(f"{kind} {index}".encode()))


@dataclass(slots=True)
class Court:
    """One task on one chain; every method makes the calls of one phase."""

    trainers: int
    validators: int
    terms: Terms
    rounds: int
    state: State = field(default_factory=State)
    effects: list[Effect] = field(default_factory=list)
    _chain: Chain = field(default_factory=lambda: Chain(()))
    _now_ms: int = 1_000_000
    _height: int = 10

    def create(self) -> None:
        """Create and fund the task."""
        self._chain = self._made_chain()
        terms = self.terms
        action = CreateTask(
            document=sha256(b"document"),
            model=sha256(b"model"),
            reward=REWARD,
            bond=BOND,
            slots=self.trainers,
            epsilon=terms.epsilon,
            band_min=terms.band_min,
            harm=terms.harm,
            clip=terms.clip,
            clip_min=terms.clip_min,
            windows=(WINDOW_MS,) * 7,
            guard_bounds=terms.guard_bounds,
        )
        self._call(_address("sponsor", 0), action, value=REWARD * self.rounds)

    @property
    def task(self) -> Task:
        """The task."""
        return self.state.tasks[0]

    @property
    def running(self) -> Round:
        """The round."""
        assert self.task.running is not None
        return self.task.running

    @property
    def phase(self) -> Phase | None:
        """Where the round stands; None once it is over."""
        return None if self.task.running is None else self.task.running.phase

    def is_in(self, phase: Phase) -> bool:
        """Tell whether the round waits in this phase."""
        return self.phase is phase

    def standing(self, trainer: int) -> Standing:
        """Return what the chain remembers of a trainer."""
        return self.task.standings.get(
            Identity(_address("trainer", trainer), Height(1)), Standing()
        )

    def earned(self, trainer: int) -> int:
        """Return all that a trainer earned so far; nothing of it is claimed before the end."""
        return self.standing(trainer).vesting.total

    def submit(self, submissions: Sequence[Submission]) -> list[int]:
        """Open a round, commit, reveal and attest; return the trainers by update.

        Who is in quarantine is turned away, and does not appear.
        """
        self._call(_address("anyone", 0), calls.OpenRound(0))
        taken: list[Submission] = []
        for late in (False, True):
            self._height += 1
            due = [one for one in submissions if one.is_late is late]
            taken += [one for one in due if self._commit(one)]
        self._close()
        # Without a single commitment the round is over by now.
        self._step()
        for one in taken:
            reveal = calls.Reveal(0, one.root, SALT)
            self._call(_address("trainer", one.trainer), reveal)
        held = (1 << len(taken)) - 1
        for index in range(self.validators):
            self._vote(index, Phase.AVAILABILITY, calls.Attest(0, held))
        return [one.trainer for one in taken]

    def score(self, cards: Mapping[int, Sequence[Record]], *, silent: int = 0) -> None:
        """Commit and reveal scorecards by validator; the last `silent` ones reveal nothing."""
        written = {
            index: b"".join(scorecard.write_record(record) for record in records)
            for index, records in cards.items()
        }
        for index, card in written.items():
            place = Place(0, self.running.number, _address("validator", index))
            commitment = scorecard.commit_scores(place, card=card, salt=SALT)
            self._vote(index, Phase.SCORE_COMMIT, calls.CommitScores(0, commitment))
        for index, card in written.items():
            if index < self.validators - silent:
                self._vote(index, Phase.SCORE_REVEAL, calls.RevealScores(0, card, SALT))
        if self.phase is Phase.SCORE_REVEAL:
            self._close()
        self._step()

    def weights(self) -> list[int]:
        """Return the Q16 weight of each update."""
        return [update.weight for update in self.running.updates]

    def norms(self) -> list[int]:
        """Return the agreed norm of each update that has a weight."""
        return [one.judged.norm for one in self.running.updates if one.weight and one.judged]

    def guard(self, aggregate: bytes, reports: Mapping[int, tuple[int, ...]]) -> None:
        """Vote for an aggregate and report on it."""
        for index in reports:
            self._vote(index, Phase.AGGREGATE, calls.Vote(0, aggregate))
        for index, changes in reports.items():
            self._vote(index, Phase.GUARD, calls.Report(0, changes))
        self._step()

    def outcome(self) -> RoundEnded:
        """Return how the last round ended."""
        return next(one for one in reversed(self.effects) if isinstance(one, RoundEnded))

    def reasons(self, trainer: int) -> list[Reason]:
        """Return why updates of a trainer were refused, in order."""
        address = _address("trainer", trainer)
        return [
            one.reason
            for one in self.effects
            if isinstance(one, Anomaly) and one.trainer == address
        ]

    def _commit(self, one: Submission) -> bool:
        address = _address("trainer", one.trainer)
        place = Place(0, self.running.number, address)
        commitment = scorecard.commit_update(place, root=one.root, salt=SALT)
        try:
            self._call(address, calls.Commit(0, commitment), value=BOND)
        except RefusedCallError:
            return False
        return True

    def _vote(self, index: int, phase: Phase, action: calls.TaskAction) -> None:
        # A phase may have ended with the call before this one.
        if self.phase is phase:
            self._call(_address("validator", index), action)

    def _close(self) -> None:
        self._now_ms = self.running.deadline_ms
        self._height += 1
        self._call(_address("anyone", 0), calls.Advance(0, 1))

    def _step(self) -> None:
        while self.phase in {Phase.SELECT, Phase.SETTLE}:
            self._height += 1
            self._call(_address("anyone", 0), calls.Advance(0, 16))

    def _call(self, sender: Address, action: calls.Action, *, value: int = 0) -> None:
        self._now_ms += 1
        moment = Moment(TimestampMs(self._now_ms), Height(self._height))
        call = Call(sender, value, moment, action)
        self.state, effects = tick(self.state, call, chain=self._chain)
        self.effects.extend(effects)

    def _made_chain(self) -> Chain:
        seats = range(self.validators)
        everybody = [_address("trainer", index) for index in range(self.trainers)]
        everybody += [_address("validator", index) for index in seats]
        return Chain(
            tuple((_address("validator", index), Power(100)) for index in seats),
            {address: Height(1) for address in everybody},
        )
