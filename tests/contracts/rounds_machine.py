"""The state machine of `tests.fl.machine`, with the contract beside the reference.

What only a chain has is left to the chain: every call is a commit of its own, except for updates
that are committed at one height; registrations are real, so they happen at the height that comes;
the committee is that of the chain. The scheduler is never late, since every commit wakes.

The reference also asks to be woken for phases that end within the same call. The contract does not,
so wake-ups are compared as far as they can do anything.
"""

from collections.abc import Sequence

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule
from typing_extensions import override

from fl.rules.calls import Chain, Moment
from fl.rules.effects import Effect, ScheduleWake
from fl.rules.phase import Phase
from fl.rules.state import Identity
from node.execution.local_chain import GENESIS_TIME_MS
from primitives.ids import Address, TimestampMs
from tests.contracts.rounds_system import ContractSystem
from tests.fl import cast
from tests.fl.cast import address
from tests.fl.machine import EVERYBODY, TASK, TRAINER_SET, TRAINERS, VALIDATORS, RoundsMachine
from tests.fl.system import Answer, ReferenceSystem, Refused, RoundsSystem


class QuietReference(ReferenceSystem):
    """The reference, without telling what it asks of the scheduler."""

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
        answer = super().call(method, args, sender=sender, value=value, moment=moment)
        return answer if isinstance(answer, Refused) else _told(answer)

    @override
    def wake(self, moment: Moment) -> tuple[Effect, ...]:
        return _told(super().wake(moment))

    def waiting(self) -> set[tuple[int, int, int]]:
        """Return the wake-ups that are waiting for the present phase of a running round."""
        return {
            (one.at_ms, one.task, one.serial)
            for _, _, one in self._due
            if self.state.tasks[one.task].running is not None
            and self.state.tasks[one.task].serial == one.serial
        }


class TwinMachine(RoundsMachine):
    SCHEDULER_MAY_BE_LATE = False

    def __init__(self) -> None:
        self.reference = QuietReference()
        self.contract = ContractSystem([*EVERYBODY, "anyone"])
        super().__init__()
        self.now_ms = int(GENESIS_TIME_MS) + 1_000

    @override
    def systems(self) -> Sequence[RoundsSystem]:
        return [self.reference, self.contract]

    @property
    @override
    def moment(self) -> Moment:
        return Moment(TimestampMs(self.now_ms), self.contract.height)

    @override
    def set_chain(self, *, registered_at: int, heavy: int) -> None:
        registered = self.contract.register([*TRAINERS, *VALIDATORS])
        for system in self.all:
            system.set_chain(Chain(self.contract.committee, registered))
        self.registrations += [Identity(who, height) for who, height in registered.items()]

    @override
    @precondition(lambda self: self.is_any_in(Phase.COMMIT))
    @rule(choice=TASK, trainers=TRAINER_SET, height=st.integers(0, 1))
    def commit_updates(self, choice: int, trainers: list[str], height: int) -> None:
        if height:
            super().commit_updates(choice, trainers, height)
            return
        task = self.pick(Phase.COMMIT, choice)
        args = {
            address(name): (
                task,
                cast.update_commitment(self.place(task, name), root=cast.root_of(name)),
            )
            for name in trainers
        }
        moment, value = self.moment, self.offers[task].bond
        expected = [
            self.reference.call("commit", given, sender=who, value=value, moment=moment)
            for who, given in args.items()
        ]
        answers = self.contract.call_together("commit", args, value=value, moment=moment)
        assert answers == expected
        for answer in answers:
            if not isinstance(answer, Refused):
                self.received += value
                self.remember(answer)

    @invariant()
    def the_same_wake_ups_are_waiting(self) -> None:
        running = {
            (at_ms, task, serial)
            for at_ms, task, serial in self.contract.waiting()
            if self.contract.is_current(task, serial)
        }
        assert running == self.reference.waiting()


def _told(effects: Sequence[Effect]) -> tuple[Effect, ...]:
    return tuple(effect for effect in effects if not isinstance(effect, ScheduleWake))
