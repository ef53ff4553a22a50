"""A script of one task, told in names: who commits, reveals, scores; what is not said is honest.

Every step returns the effects it had and the play remembers all of them; money is checked after
each, so that a scenario cannot pass while a grain is lost.
"""

from collections.abc import Iterable, Mapping, Sequence

from fl.rules.calls import Chain, Moment
from fl.rules.effects import (
    Anomaly,
    Burn,
    Effect,
    Pay,
    PhaseEntered,
    Purpose,
    Reason,
    RoundEnded,
    SlashRequest,
)
from fl.rules.phase import Phase
from fl.rules.scorecard import Place
from fl.rules.state import Identity, Round, Standing, Task
from primitives.ids import Address, Height, Power, TimestampMs
from tests.fl import cast
from tests.fl.cast import OK_REPORT, SALT, Offer, Opinion, address
from tests.fl.system import Answer, ReferenceSystem, Refused

HONEST = Opinion()
SPONSOR = "sponsor"


class Play:
    def __init__(
        self, *, trainers: int = 3, validators: int = 4, offer: Offer | None = None, rounds: int = 3
    ) -> None:
        self.offer = offer or Offer()
        self.trainers = cast.names("trainer", trainers)
        self.validators = cast.names("validator", validators)
        self.now_ms, self.height = 1_000_000, 10
        self.effects: list[Effect] = []
        self.received = 0
        self.system = ReferenceSystem()
        committee = tuple((address(name), Power(100)) for name in self.validators)
        registered = {address(name): Height(1) for name in [*self.trainers, *self.validators]}
        self.system.set_chain(Chain(committee, registered))
        self.must("create_task", self.offer.args, by=SPONSOR, value=rounds * self.offer.reward)

    # What can be asked.

    @property
    def moment(self) -> Moment:
        return Moment(TimestampMs(self.now_ms), Height(self.height))

    @property
    def task(self) -> Task:
        return self.system.state.tasks[0]

    @property
    def round(self) -> Round:
        assert self.task.running is not None
        return self.task.running

    @property
    def phase(self) -> Phase | None:
        return None if self.task.running is None else self.task.running.phase

    def standing(self, name: str) -> Standing:
        return self.task.standings.get(Identity(address(name), Height(1)), Standing())

    def paid(self, name: str, purpose: Purpose | None = None) -> int:
        return sum(
            one.amount
            for one in self.effects
            if isinstance(one, Pay) and one.to == address(name) and purpose in {None, one.purpose}
        )

    def earned(self, name: str) -> int:
        return self.standing(name).vesting.total

    def burned(self) -> int:
        return sum(one.amount for one in self.effects if isinstance(one, Burn))

    def reasons(self, name: str) -> list[Reason]:
        return [
            one.reason
            for one in self.effects
            if isinstance(one, Anomaly) and one.trainer == address(name)
        ]

    def slashes(self, name: str) -> list[SlashRequest]:
        return [
            one
            for one in self.effects
            if isinstance(one, SlashRequest) and one.who == address(name)
        ]

    def outcome(self) -> str:
        ended = [one for one in self.effects if isinstance(one, RoundEnded)]
        return ended[-1].outcome.value

    def phases(self) -> list[Phase]:
        return [one.phase for one in self.effects if isinstance(one, PhaseEntered)]

    # What can be done.

    def call(self, method: str, args: tuple[object, ...], *, by: str, value: int = 0) -> Answer:
        answer = self.system.call(method, args, sender=address(by), value=value, moment=self.moment)
        if not isinstance(answer, Refused):
            self.received += value
            self._remember(answer)
        return answer

    def must(
        self, method: str, args: tuple[object, ...], *, by: str, value: int = 0
    ) -> tuple[Effect, ...]:
        answer = self.call(method, args, by=by, value=value)
        assert not isinstance(answer, Refused), f"{method} by {by}: {answer}"
        return answer

    def refused(self, method: str, args: tuple[object, ...], *, by: str, value: int = 0) -> str:
        before = self.system.state
        answer = self.call(method, args, by=by, value=value)
        assert isinstance(answer, Refused), f"{method} by {by} was taken"
        assert self.system.state is before
        return answer.rule

    def wait(self, ms: int) -> None:
        """Let time pass, in steps of what the scheduler has to wake."""
        end = self.now_ms + ms
        while (due := self.system.next_wake_ms()) is not None and due <= end:
            self.now_ms = max(self.now_ms, due)
            self.height += 1
            self._remember(self.system.wake(self.moment))
        self.now_ms = end

    def close(self) -> None:
        """Wait for the end of the present phase."""
        self.wait(self.round.deadline_ms - self.now_ms)

    def open(self) -> None:
        self.must("open_round", (0,), by="anyone")

    def commit(self, *trainers: str, blobs: Mapping[str, str] | None = None) -> None:
        for name in trainers:
            self.must("commit", (0, self.commitment(name, blobs)), by=name, value=self.offer.bond)

    def commitment(self, name: str, blobs: Mapping[str, str] | None = None) -> bytes:
        root = cast.root_of((blobs or {}).get(name, name))
        return cast.update_commitment(self.place(name), root=root)

    def reveal(self, *trainers: str) -> None:
        for name in trainers:
            self.must("reveal", (0, cast.root_of(name), SALT), by=name)

    def attest(self, validators: Iterable[str] | None = None, held: int | None = None) -> None:
        bits = sum(1 << i for i, one in enumerate(self.round.updates) if one.root is not None)
        for name in self.validators if validators is None else validators:
            self.must("attest", (0, bits if held is None else held), by=name)

    def score(
        self,
        opinions: Mapping[str, Opinion] | None = None,
        *,
        liars: Mapping[str, Mapping[str, Opinion]] | None = None,
        silent: Sequence[str] = (),
        withheld: Sequence[str] = (),
    ) -> None:
        """Commit and reveal scores: `opinions` by trainer, for `liars` their own."""
        cards = {
            name: self.card((liars or {}).get(name, opinions or {}))
            for name in self.validators
            if name not in silent
        }
        for name, scores in cards.items():
            commitment = cast.score_commitment(self.place(name), scores=scores)
            self.must("commit_scores", (0, commitment), by=name)
        if self.phase is Phase.SCORE_COMMIT:
            self.close()
        for name, scores in cards.items():
            if self.phase is Phase.SCORE_REVEAL and name not in withheld:
                self.must("reveal_scores", (0, scores, SALT), by=name)
        if self.phase is Phase.SCORE_REVEAL:
            self.close()
        self.wait(200)

    def card(self, opinions: Mapping[str, Opinion]) -> bytes:
        by_address = {address(name): opinion for name, opinion in opinions.items()}
        return cast.card(
            [by_address.get(one.trainer.address, HONEST) for one in self.round.updates]
        )

    def vote(self, validators: Sequence[str] | None = None, aggregate: bytes | None = None) -> None:
        if aggregate is None:
            aggregate = cast.aggregate_of([one.weight for one in self.round.updates])
        for name in self.validators if validators is None else validators:
            self.must("vote", (0, aggregate), by=name)

    def report(
        self, validators: Sequence[str] | None = None, changes: tuple[int, ...] = OK_REPORT
    ) -> None:
        for name in self.validators if validators is None else validators:
            self.must("report", (0, changes), by=name)

    def until_scores(self, *trainers: str) -> None:
        """Play honestly up to the end of AVAILABILITY."""
        self.open()
        self.commit(*(trainers or self.trainers))
        self.close()
        self.reveal(*(trainers or self.trainers))
        self.attest()

    def until_vote(self, opinions: Mapping[str, Opinion] | None = None) -> None:
        self.until_scores()
        self.score(opinions)

    def run_out(self) -> None:
        """Let every deadline pass until the round is over."""
        while self.phase is not None:
            self.wait(max(1_000, self.round.deadline_ms - self.now_ms))

    def settle(self) -> None:
        self.wait(1_000)
        assert self.task.running is None

    def whole_round(self, opinions: Mapping[str, Opinion] | None = None) -> None:
        """Play a round in which everybody is honest."""
        self.until_vote(opinions)
        if self.phase is Phase.AGGREGATE:
            self.vote()
            self.report()
        self.settle()

    def whole_from_reveal(self, *trainers: str) -> None:
        """Play honestly from REVEAL to the end."""
        self.reveal(*(trainers or self.trainers))
        self.attest()
        self.score()
        self.vote()
        self.report()
        self.settle()

    def register(self, registered: Mapping[Address, int]) -> None:
        """Change who is registered at which height."""
        committee = tuple((address(name), Power(100)) for name in self.validators)
        heights = {who: Height(height) for who, height in registered.items()}
        self.system.set_chain(Chain(committee, heights))

    def place(self, name: str) -> Place:
        return Place(0, self.round.number, Address(address(name)))

    def _remember(self, effects: tuple[Effect, ...]) -> None:
        self.effects.extend(effects)
        paid = sum(one.amount for one in self.effects if isinstance(one, Pay | Burn))
        assert self.system.balance() == self.received - paid
