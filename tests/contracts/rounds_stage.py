"""A script of one task on the chain, told in names: who commits, reveals, scores, votes."""

from collections.abc import Iterable, Sequence

from fl.rules.calls import Chain, Moment
from fl.rules.effects import Anomaly, Burn, Effect, Pay, Reason
from fl.rules.phase import Phase
from fl.rules.scorecard import Place
from fl.rules.state import Identity
from node.vm.engine import Engine
from primitives.ids import TimestampMs
from tests.contracts.rounds_system import ContractSystem
from tests.fl import cast
from tests.fl.cast import OK_REPORT, SALT, Offer, Opinion, address
from tests.fl.system import Refused, RoundView, StandingView

SPONSOR = "sponsor"
HONEST = Opinion()


class Stage:
    """People who are registered, a committee, and a task with money for some rounds."""

    def __init__(
        self,
        *,
        trainers: int = 3,
        validators: int = 4,
        offer: Offer | None = None,
        rounds: int = 3,
        engine: Engine | None = None,
    ) -> None:
        self.offer = offer or Offer()
        self.trainers = cast.names("trainer", trainers)
        self.validators = cast.names("validator", validators)
        people = [*self.trainers, *self.validators]
        self.system = ContractSystem(
            [*people, SPONSOR, "anyone", "newcomer"], validators=validators, engine=engine
        )
        registered = self.system.register([*people, "newcomer"])
        self.system.set_chain(Chain(self.system.committee, registered))
        self.now_ms = int(self.system.chain.now_ms)
        self.effects: list[Effect] = []
        self.must("create_task", *self.offer.args, by=SPONSOR, value=rounds * self.offer.reward)

    # What can be asked.

    @property
    def moment(self) -> Moment:
        return Moment(TimestampMs(self.now_ms), self.system.height)

    @property
    def running(self) -> RoundView:
        running = self.system.view_task(0).running
        assert running is not None
        return running

    @property
    def phase(self) -> str | None:
        running = self.system.view_task(0).running
        return None if running is None else running.phase

    def standing(self, name: str) -> StandingView:
        who = address(name)
        return self.system.view_standing(0, Identity(who, self.system.registered_at(who)))

    def place(self, name: str) -> Place:
        return Place(0, self.running.number, address(name))

    def paid(self, name: str) -> int:
        return sum(
            one.amount for one in self.effects if isinstance(one, Pay) and one.to == address(name)
        )

    def burned(self) -> int:
        return sum(one.amount for one in self.effects if isinstance(one, Burn))

    def reasons(self, name: str) -> list[Reason]:
        return [
            one.reason
            for one in self.effects
            if isinstance(one, Anomaly) and one.trainer == address(name)
        ]

    # What can be done.

    def must(self, method: str, *args: object, by: str, value: int = 0) -> None:
        answer = self.system.call(method, args, sender=address(by), value=value, moment=self.moment)
        assert not isinstance(answer, Refused), f"{method} by {by}: {answer}"
        self.effects.extend(answer)

    def refused(self, method: str, *args: object, by: str, value: int = 0) -> str:
        answer = self.system.call(method, args, sender=address(by), value=value, moment=self.moment)
        assert isinstance(answer, Refused), f"{method} by {by} was taken"
        return answer.rule

    def wait(self, ms: int) -> None:
        """Let time pass, with a commit whenever somebody is to be woken."""
        end_ms = self.now_ms + ms
        while (due_ms := self.system.next_wake_ms()) is not None and due_ms <= end_ms:
            self.now_ms = max(self.now_ms, due_ms)
            self.effects.extend(self.system.wake(self.moment))
        self.now_ms = end_ms

    def close(self) -> None:
        """Wait for the end of the present phase."""
        self.wait(self.running.deadline_ms - self.now_ms)

    def commit(self, names: Iterable[str]) -> None:
        for name in names:
            commitment = cast.update_commitment(self.place(name), root=cast.root_of(name))
            self.must("commit", 0, commitment, by=name, value=self.offer.bond)

    def reveal(self, names: Iterable[str]) -> None:
        for name in names:
            self.must("reveal", 0, cast.root_of(name), SALT, by=name)

    def attest(self, held: int) -> None:
        for name in self.validators:
            self.must("attest", 0, held, by=name)

    def score(self, opinions: Sequence[Opinion], *, withheld: Sequence[str] = ()) -> None:
        """Have everybody commit to the same opinions, and reveal them but for some."""
        card = cast.card(opinions)
        for name in self.validators:
            commitment = cast.score_commitment(self.place(name), scores=card)
            self.must("commit_scores", 0, commitment, by=name)
        for name in self.validators:
            if name not in withheld:
                self.must("reveal_scores", 0, card, SALT, by=name)
        if self.phase == Phase.SCORE_REVEAL.value:
            self.close()
        self.wait(100)

    def vote(self, *, liars: Sequence[str] = ()) -> None:
        aggregate = cast.aggregate_of(self.running.weights)
        for name in self.validators:
            self.must("vote", 0, bytes(32) if name in liars else aggregate, by=name)

    def report(self, changes: tuple[int, ...] = OK_REPORT) -> None:
        for name in self.validators:
            self.must("report", 0, changes, by=name)

    def until_scores(self) -> None:
        """Play honestly up to the end of AVAILABILITY."""
        self.must("open_round", 0, by="anyone")
        self.commit(self.trainers)
        self.close()
        self.reveal(self.trainers)
        self.attest((1 << len(self.trainers)) - 1)

    def whole_round(self, opinions: Sequence[Opinion] | None = None) -> None:
        """Play a round in which everybody acts."""
        self.until_scores()
        self.score(opinions or [HONEST] * len(self.trainers))
        if self.phase == Phase.AGGREGATE.value:
            self.vote()
            self.report()
        self.wait(1_000)
        assert self.phase is None
