"""One event at work on one task: the task as it stands so far, and what follows for others.

The task is a value and is replaced, never changed, so a call that is refused half-way leaves
nothing behind.
"""

from collections.abc import Sequence
from dataclasses import replace

from fl.rules.calls import Chain, Moment
from fl.rules.effects import Burn, Effect, Pay, PhaseEntered, Purpose, ScheduleWake
from fl.rules.errors import Rule, require
from fl.rules.limits import STEP_PAUSE_MS
from fl.rules.phase import Phase
from fl.rules.state import Identity, Round, Seat, Standing, Task, Update
from fl.rules.vesting import Clock
from primitives.ids import Address, Grain, TimestampMs


class Turn:
    """Collect the changes and the effects of one event; the owner is `round.tick`."""

    __slots__ = ("chain", "effects", "moment", "task")

    def __init__(self, task: Task, *, moment: Moment, chain: Chain) -> None:
        self.task = task
        self.moment = moment
        self.chain = chain
        self.effects: list[Effect] = []

    @property
    def running(self) -> Round:
        """Return the running round.

        Raises:
            RefusedCallError: none is running.
        """
        running = self.task.running
        require(running, Rule.NO_ROUND)
        assert running is not None
        return running

    @running.setter
    def running(self, changed: Round) -> None:
        self.task = replace(self.task, running=changed)

    @property
    def clock(self) -> Clock:
        """Return how far the task has come."""
        return Clock(scored=self.task.scored, now_ms=self.moment.now_ms)

    def require_phase(self, phase: Phase) -> Round:
        """Return the running round if it is in this phase and the phase is not over.

        Raises:
            RefusedCallError: no round, another phase, or too late.
        """
        running = self.running
        require(running.phase is phase, Rule.WRONG_PHASE)
        require(self.moment.now_ms < running.deadline_ms, Rule.PHASE_OVER)
        return running

    def enter(self, phase: Phase) -> None:
        """Begin a phase and have the scheduler call when it ends, or when its next step is due."""
        now_ms, window = self.moment.now_ms, phase.window
        window_ms = 0 if window is None else self.task.terms.windows[window]
        deadline_ms = TimestampMs(now_ms + window_ms)
        self.running = replace(self.running, phase=phase, deadline_ms=deadline_ms, cursor=0)
        self.task = replace(self.task, serial=self.task.serial + 1)
        task, number = self.task.number, self.running.number
        self.effects.append(PhaseEntered(task, number, phase, deadline_ms))
        self.schedule(deadline_ms if window is not None else TimestampMs(now_ms + STEP_PAUSE_MS))

    def schedule(self, at_ms: TimestampMs) -> None:
        """Have the scheduler wake the present phase."""
        self.effects.append(ScheduleWake(at_ms, self.task.number, self.task.serial))

    def pay(self, to: Address, amount: int, purpose: Purpose) -> None:
        """Let money leave for an account; the caller takes it from where it was."""
        if amount:
            self.effects.append(Pay(to, Grain(amount), purpose))

    def burn(self, amount: int) -> None:
        """Let money leave for nobody; the caller takes it from where it was."""
        if amount:
            self.effects.append(Burn(Grain(amount)))

    def standing_of(self, identity: Identity) -> Standing:
        """Return what the task remembers of an identity, the initial standing if nothing."""
        return self.task.standings.get(identity, Standing())

    def put_standing(self, identity: Identity, standing: Standing) -> None:
        """Remember something of an identity."""
        self.task = replace(self.task, standings={**self.task.standings, identity: standing})

    def put_update(self, index: int, update: Update) -> None:
        """Replace one update of the round."""
        self.put_updates({index: update})

    def put_updates(self, changed: dict[int, Update]) -> None:
        """Replace some updates of the round."""
        updates = self.running.updates
        self.running = replace(
            self.running,
            updates=tuple(changed.get(index, update) for index, update in enumerate(updates)),
        )

    def put_seat(self, index: int, seat: Seat) -> None:
        """Replace one seat of the round."""
        seats = self.running.seats
        self.running = replace(self.running, seats=(*seats[:index], seat, *seats[index + 1 :]))

    def put_seats(self, seats: Sequence[Seat]) -> None:
        """Replace all seats of the round."""
        self.running = replace(self.running, seats=tuple(seats))
