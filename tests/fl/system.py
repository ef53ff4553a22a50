"""A rounds machine under test, and the reference as one: the contract on chain is to be another.

The protocol speaks in plain values, methods by name, so that a contract can stand behind it. Equal
calls must give equal answers, effects in equal order, and equal observations.
"""

import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Final, Protocol

from typing_extensions import override

from fl.rules import calls
from fl.rules.calls import Action, Call, Chain, Moment, Wake
from fl.rules.effects import Effect, ScheduleWake
from fl.rules.errors import RefusedCallError
from fl.rules.round import tick
from fl.rules.state import Identity, Round, Standing, State, money_held
from primitives.ids import Address

METHODS: Final[Mapping[str, type[Action]]] = {
    "create_task": calls.CreateTask,
    "top_up": calls.TopUp,
    "close_task": calls.CloseTask,
    "open_round": calls.OpenRound,
    "commit": calls.Commit,
    "reveal": calls.Reveal,
    "attest": calls.Attest,
    "commit_scores": calls.CommitScores,
    "reveal_scores": calls.RevealScores,
    "vote": calls.Vote,
    "report": calls.Report,
    "advance": calls.Advance,
    "claim": calls.Claim,
}


@dataclass(frozen=True, slots=True)
class Refused:
    """The call changed nothing, with the text of the rule that it broke."""

    rule: str


Answer = tuple[Effect, ...] | Refused


@dataclass(frozen=True, slots=True)
class RoundView:
    """What anybody can read of a running round."""

    number: int
    phase: str
    deadline_ms: int
    pot: int
    bonds: tuple[int, ...]
    trainers: tuple[bytes, ...]
    weights: tuple[int, ...]
    cursor: int
    rung: int
    level: int
    threshold: int


@dataclass(frozen=True, slots=True)
class TaskView:
    """What anybody can read of a task."""

    model: bytes
    version: int
    clip: int
    escrow: int
    rounds: int
    scored: int
    peak: int
    is_closing: bool
    is_closed: bool
    running: RoundView | None


@dataclass(frozen=True, slots=True)
class StandingView:
    """What anybody can read of an identity in a task."""

    reputation: int
    gain_average: int
    quarantined_until: int
    unpaid: int


class RoundsSystem(Protocol):
    """A rounds machine; the reference or the contract."""

    def set_chain(self, chain: Chain) -> None:
        """Change the committee and the registrations from now on."""
        ...

    def call(
        self,
        method: str,
        args: tuple[object, ...],
        *,
        sender: Address,
        value: int,
        moment: Moment,
    ) -> Answer:
        """Make one call in the commit of this moment."""
        ...

    def wake(self, moment: Moment) -> tuple[Effect, ...]:
        """Run the wake-ups that are due at the start of the commit of this moment."""
        ...

    def next_wake_ms(self) -> int | None:
        """Return when the next wake-up is due."""
        ...

    def balance(self) -> int:
        """Return the money that the machine holds."""
        ...

    def view_task(self, task: int) -> TaskView:
        """Return what can be read of a task."""
        ...

    def view_standing(self, task: int, identity: Identity) -> StandingView:
        """Return what can be read of an identity."""
        ...


class ReferenceSystem(RoundsSystem):
    """The Python reference, with a scheduler."""

    def __init__(self) -> None:
        self.state = State()
        self._chain = Chain(())
        self._due: list[tuple[int, int, ScheduleWake]] = []
        self._serials = count()

    @override
    def set_chain(self, chain: Chain) -> None:
        self._chain = chain

    @override
    def call(
        self,
        method: str,
        args: tuple[object, ...],
        *,
        sender: Address,
        value: int,
        moment: Moment,
    ) -> Answer:
        kind = METHODS[method]
        action = kind(**dict(zip(kind.__dataclass_fields__, args, strict=True)))  # type: ignore[arg-type]  # by name, as on chain
        try:
            return self._tick(Call(sender, value, moment, action))
        except RefusedCallError as error:
            return Refused(str(error))

    @override
    def wake(self, moment: Moment) -> tuple[Effect, ...]:
        due: list[ScheduleWake] = []
        while self._due and self._due[0][0] <= moment.now_ms:
            due.append(heapq.heappop(self._due)[2])
        return tuple(
            effect for one in due for effect in self._tick(Wake(moment, one.task, one.serial))
        )

    @override
    def next_wake_ms(self) -> int | None:
        return self._due[0][0] if self._due else None

    @override
    def balance(self) -> int:
        return money_held(self.state)

    @override
    def view_task(self, task: int) -> TaskView:
        one = self.state.tasks[task]
        return TaskView(
            model=one.model,
            version=one.version,
            clip=one.clip,
            escrow=one.escrow,
            rounds=one.rounds,
            scored=one.scored,
            peak=one.peak,
            is_closing=one.is_closing,
            is_closed=one.is_closed,
            running=None if one.running is None else _view_round(one.running),
        )

    @override
    def view_standing(self, task: int, identity: Identity) -> StandingView:
        standing = self.state.tasks[task].standings.get(identity, Standing())
        return StandingView(
            reputation=standing.reputation,
            gain_average=standing.gain_average,
            quarantined_until=standing.quarantined_until,
            unpaid=standing.vesting.total,
        )

    def _tick(self, event: Call | Wake) -> tuple[Effect, ...]:
        self.state, effects = tick(self.state, event, chain=self._chain)
        for effect in effects:
            if isinstance(effect, ScheduleWake):
                heapq.heappush(self._due, (effect.at_ms, next(self._serials), effect))
        return effects


def _view_round(running: Round) -> RoundView:
    return RoundView(
        number=running.number,
        phase=running.phase.value,
        deadline_ms=running.deadline_ms,
        pot=running.pot,
        bonds=tuple(update.bond for update in running.updates),
        trainers=tuple(update.trainer.address for update in running.updates),
        weights=tuple(update.weight for update in running.updates),
        cursor=running.cursor,
        rung=running.rung,
        level=running.level,
        threshold=running.threshold,
    )
