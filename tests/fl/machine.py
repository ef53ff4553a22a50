"""A Hypothesis state machine that drives rounds systems with honest and hostile actors.

Every call goes to all systems of `systems()`, which must answer alike and show the same; the first
is the reference. To compare the contract, subclass `RoundsMachine` and return both. What is checked
after each step and at the end: no grain is created, destroyed or stranded; every collection stays
within its bound; each round that is opened ends, once, with at most one aggregate; once the clock
runs and nobody acts, every round is over by a time that the terms give.
"""

import enum
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.strategies import SearchStrategy
from typing_extensions import override

from fl.rules.calls import Chain, Moment
from fl.rules.effects import (
    AggregateSelected,
    Burn,
    Effect,
    ModelCommitted,
    Pay,
    RoundEnded,
    RoundOpened,
)
from fl.rules.limits import DROPS, ONE, SEATS_MAX, STEP_PAUSE_MS, STEPS_MAX
from fl.rules.phase import Phase
from fl.rules.scorecard import MALFORMED, REPLAY, Place
from fl.rules.state import Identity
from primitives.ids import Address, Height, Power, TimestampMs
from tests.fl import cast
from tests.fl.cast import BAD_REPORT, OK_REPORT, SALT, Offer, Opinion, address
from tests.fl.system import METHODS, Answer, ReferenceSystem, Refused, RoundsSystem, TaskView

TRAINERS = cast.names("trainer", 5)
VALIDATORS = cast.names("validator", 4)
SPONSOR = "sponsor"
EVERYBODY = [*TRAINERS, *VALIDATORS, SPONSOR]
TASKS_MAX = 2
# So short that several rounds fit into one run; each still has a deadline of its own.
OFFERS = [
    Offer(reward=1_000_003, windows=(1_000,) * 7, slots=3),
    Offer(reward=1_000_000_007, windows=(2_000, 1_000, 1_500, 1_000, 1_000, 3_000, 1_000)),
    Offer(reward=0, windows=(1_000,) * 7, bond=1_000_001, epsilon=0, harm=0),
    Offer(
        reward=7,
        windows=(1_000,) * 7,
        slots=1,
        guard_bounds=(0,) * 2,
        identity_percent=100,
    ),
    Offer(reward=1_000_000_009, windows=(1_000,) * 7, slots=4, ready=2),
]
OPINIONS = [
    Opinion(),
    Opinion(alone=300, left_out=-20),
    Opinion(alone=-4_000, left_out=-400, norm=0),
    Opinion(alone=2_000, left_out=-(2**31), norm=2**63 - 1),
    Opinion(cluster=0),
    Opinion(original=0),
    Opinion(verdict=MALFORMED),
    Opinion(verdict=REPLAY),
    Opinion(verdict=9, original=99, cluster=99, norm=2**64 - 1),
    # Enough where the others give nothing, unless the task has reached a peak of 2,000.
    Opinion(alone=20),
]
# A peak that no later round can come up to: nothing is accepted ever after.
ABSURD = Opinion(alone=2**31 - 1)

TASK = st.integers(0, TASKS_MAX - 1)
TRAINER_SET = st.lists(st.sampled_from(TRAINERS), unique=True)
# Mostly everybody, or hardly any round would come as far as a vote.
VALIDATOR_SET = st.one_of(
    st.just(VALIDATORS),
    st.just(VALIDATORS[1:]),
    st.lists(st.sampled_from(VALIDATORS), unique=True),
)
SCORES = st.one_of(
    st.just([OPINIONS[0]] * len(TRAINERS)),
    st.just([OPINIONS[2]] * len(TRAINERS)),
    st.lists(st.sampled_from(OPINIONS), min_size=len(TRAINERS), max_size=len(TRAINERS)),
)
HOSTILE_INTS = st.sampled_from([-1, 0, 1, 2, 5, 63, 64, 65, 2**31, 2**63, 2**64, 2**255 - 1])
HOSTILE_BYTES = st.sampled_from([b"", b"x", b"h" * 32, b"h" * 33, b"c" * 57])
HOSTILE_ARGUMENTS: Mapping[str, Sequence[SearchStrategy[object]]] = {
    "top_up": [],
    "close_task": [],
    "open_round": [],
    "commit": [HOSTILE_BYTES],
    "reveal": [HOSTILE_BYTES, HOSTILE_BYTES],
    "attest": [HOSTILE_INTS],
    "commit_scores": [HOSTILE_BYTES],
    "reveal_scores": [HOSTILE_BYTES, HOSTILE_BYTES],
    "vote": [HOSTILE_BYTES],
    "report": [st.lists(HOSTILE_INTS, max_size=3).map(tuple)],
    "advance": [HOSTILE_INTS],
    "claim": [st.sampled_from(EVERYBODY).map(address), HOSTILE_INTS],
}
HOSTILE_CALLS = st.sampled_from(sorted(HOSTILE_ARGUMENTS)).flatmap(
    lambda method: st.tuples(
        st.just(method), st.one_of(TASK, HOSTILE_INTS), *HOSTILE_ARGUMENTS[method]
    )
)


ORDER = [phase.value for phase in Phase]


class Mishap(enum.Enum):
    """What goes wrong in a round that is played through."""

    NONE = enum.auto()
    TRAINER = enum.auto()
    HOLDERS = enum.auto()
    SCORER = enum.auto()
    SCORES = enum.auto()
    VOTE = enum.auto()
    RUNG = enum.auto()
    GUARD = enum.auto()


def round_ms_max(offer: Offer, *, updates: int, seats: int) -> int:
    """Return how long a round lasts at most when it is woken in time and nobody acts."""
    waiting = sum(offer.windows) + (len(DROPS) - 1) * sum(offer.windows[5:])
    steps = updates + len(DROPS) + updates + 1 + seats + 1
    return waiting + (steps + len(DROPS) + 2) * STEP_PAUSE_MS


class RoundsMachine(RuleBasedStateMachine):
    SCHEDULER_MAY_BE_LATE: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.all = self.systems()
        self.now_ms, self.height = 1_000, 1
        self.received = self.paid = 0
        self.offers: list[Offer] = []
        self.opened: list[tuple[int, int]] = []
        self.ended: list[tuple[int, int]] = []
        self.committed: list[tuple[int, int]] = []
        self.cards: dict[tuple[int, int, str], bytes] = {}
        self.registrations: list[Identity] = []
        self.set_chain(registered_at=1, heavy=-1)

    def systems(self) -> Sequence[RoundsSystem]:
        """Return the systems to compare, the reference first."""
        return [ReferenceSystem()]

    # What every rule uses.

    @property
    def moment(self) -> Moment:
        return Moment(TimestampMs(self.now_ms), Height(self.height))

    def set_chain(self, *, registered_at: int, heavy: int) -> None:
        powers = [Power(200 if index == heavy else 100) for index in range(len(VALIDATORS))]
        names = [*TRAINERS, *VALIDATORS]
        registered = {address(name): Height(registered_at) for name in names}
        committee = tuple((address(name), p) for name, p in zip(VALIDATORS, powers, strict=True))
        for system in self.all:
            system.set_chain(Chain(committee, registered))
        self.registrations += [Identity(who, height) for who, height in registered.items()]

    def call(self, method: str, *args: object, by: str, value: int = 0) -> Answer:
        answers = [
            system.call(method, args, sender=address(by), value=value, moment=self.moment)
            for system in self.all
        ]
        for other in answers[1:]:
            assert other == answers[0]
        if not isinstance(answers[0], Refused):
            self.received += value
            self.remember(answers[0])
        return answers[0]

    def wake(self) -> None:
        woken = [system.wake(self.moment) for system in self.all]
        for other in woken[1:]:
            assert other == woken[0]
        self.remember(woken[0])

    def remember(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case Pay(amount=amount) | Burn(amount=amount):
                    assert amount > 0
                    self.paid += amount
                case RoundOpened(task=task, round=number):
                    self.opened.append((task, number))
                case RoundEnded(task=task, round=number):
                    self.ended.append((task, number))
                case ModelCommitted(task=task, round=number):
                    self.committed.append((task, number))
                case AggregateSelected(weights=weights):
                    assert sum(weights) == ONE
                case _:
                    pass

    def view(self, task: int) -> TaskView:
        return self.all[0].view_task(task)

    def place(self, task: int, name: str) -> Place:
        running = self.view(task).running
        return Place(task, 0 if running is None else running.number, Address(address(name)))

    def scorecard(self, task: int, scores: Sequence[Opinion]) -> bytes:
        running = self.view(task).running
        return cast.card(scores[: 0 if running is None else len(running.trainers)])

    def pick(self, phase: Phase, choice: int) -> int:
        """Return a task in this phase, or any if none is."""
        there = [task for task in range(len(self.offers)) if self.is_in(task, phase)]
        return there[choice % len(there)] if there else choice % len(self.offers)

    def is_in(self, task: int, phase: Phase) -> bool:
        running = self.view(task).running
        return running is not None and running.phase == phase.value

    def is_any_in(self, phase: Phase) -> bool:
        return any(self.is_in(task, phase) for task in range(len(self.offers)))

    # What sponsors and the chain bring about.

    @initialize(offers=st.lists(st.sampled_from(OFFERS), min_size=TASKS_MAX, max_size=TASKS_MAX))
    def create_tasks(self, offers: list[Offer]) -> None:
        for offer in offers:
            self.call("create_task", *offer.args, by=SPONSOR, value=2 * offer.reward)
        self.offers = offers

    @rule(task=TASK, by=st.sampled_from(EVERYBODY), value=st.sampled_from([1, 10**6, 10**10]))
    def top_up(self, task: int, by: str, value: int) -> None:
        self.call("top_up", task, by=by, value=value)

    @rule(task=TASK)
    def open_round(self, task: int) -> None:
        self.call("open_round", task, by="anyone")

    @rule(task=TASK, by=st.sampled_from([SPONSOR, "trainer0"]), dice=st.integers(0, 9))
    def close_task(self, task: int, by: str, dice: int) -> None:
        if dice == 0:
            self.call("close_task", task, by=by)

    @rule(registered_at=st.integers(1, 2), heavy=st.integers(-1, 3))
    def change_registrations_and_powers(self, registered_at: int, heavy: int) -> None:
        self.set_chain(registered_at=registered_at, heavy=heavy)

    @rule(ms=st.sampled_from([0, 1, 7, 999, 1_000, 3_000, 40_000]), dice=st.integers(0, 3))
    def commit_later(self, ms: int, dice: int) -> None:
        self.now_ms += ms
        self.height += 1
        if dice or not self.SCHEDULER_MAY_BE_LATE:
            self.wake()

    @precondition(lambda self: self.all[0].next_wake_ms() is not None)
    @rule()
    def commit_when_due(self) -> None:
        self.wait_for_scheduler()

    # What trainers and validators do, well or badly.

    @precondition(lambda self: self.is_any_in(Phase.COMMIT))
    @rule(choice=TASK, trainers=TRAINER_SET, height=st.integers(0, 1))
    def commit_updates(self, choice: int, trainers: list[str], height: int) -> None:
        task = self.pick(Phase.COMMIT, choice)
        for name in trainers:
            root = cast.root_of(name)
            commitment = cast.update_commitment(self.place(task, name), root=root)
            self.call("commit", task, commitment, by=name, value=self.offers[task].bond)
            self.height += height

    @precondition(lambda self: self.is_any_in(Phase.REVEAL))
    @rule(choice=TASK, trainers=st.one_of(st.just(TRAINERS), TRAINER_SET))
    def reveal_updates(self, choice: int, trainers: list[str]) -> None:
        for name in trainers:
            task = self.pick(Phase.REVEAL, choice)
            self.call("reveal", task, cast.root_of(name), SALT, by=name)

    @precondition(lambda self: self.is_any_in(Phase.AVAILABILITY))
    @rule(choice=TASK, validators=VALIDATOR_SET, mask=st.sampled_from([31, 31, 31, 1, 2, 5]))
    def attest(self, choice: int, validators: list[str], mask: int) -> None:
        task = self.pick(Phase.AVAILABILITY, choice)
        for name in validators:
            for bit in range(len(TRAINERS)):
                self.call("attest", task, mask & 1 << bit, by=name)

    @precondition(lambda self: self.is_any_in(Phase.SCORE_COMMIT))
    @rule(choice=TASK, validators=VALIDATOR_SET, scores=SCORES, liar=SCORES)
    def commit_scores(
        self, choice: int, validators: list[str], scores: list[Opinion], liar: list[Opinion]
    ) -> None:
        task = self.pick(Phase.SCORE_COMMIT, choice)
        for name in validators:
            card = self.scorecard(task, liar if name == "validator3" else scores)
            place = self.place(task, name)
            commitment = cast.score_commitment(place, scores=card)
            if not isinstance(self.call("commit_scores", task, commitment, by=name), Refused):
                self.cards[task, place.round, name] = card

    @precondition(lambda self: self.is_any_in(Phase.SCORE_REVEAL))
    @rule(choice=TASK, validators=VALIDATOR_SET)
    def reveal_scores(self, choice: int, validators: list[str]) -> None:
        task = self.pick(Phase.SCORE_REVEAL, choice)
        for name in validators:
            card = self.cards.get((task, self.place(task, name).round, name), b"")
            self.call("reveal_scores", task, card, SALT, by=name)

    @precondition(lambda self: self.is_any_in(Phase.AGGREGATE))
    @rule(choice=TASK, validators=VALIDATOR_SET, liars=VALIDATOR_SET, dice=st.integers(0, 3))
    def vote(self, choice: int, validators: list[str], liars: list[str], dice: int) -> None:
        task = self.pick(Phase.AGGREGATE, choice)
        running = self.view(task).running
        honest = cast.aggregate_of(() if running is None else running.weights)
        for name in validators:
            lies = dice == 0 and name in liars
            self.call("vote", task, b"lie" + bytes(29) if lies else honest, by=name)

    @precondition(lambda self: self.is_any_in(Phase.GUARD))
    @rule(choice=TASK, validators=VALIDATOR_SET, changes=st.sampled_from([OK_REPORT, BAD_REPORT]))
    def report(self, choice: int, validators: list[str], changes: tuple[int, ...]) -> None:
        task = self.pick(Phase.GUARD, choice)
        for name in validators:
            self.call("report", task, changes, by=name)

    @rule(task=TASK, steps=st.integers(1, STEPS_MAX))
    def advance(self, task: int, steps: int) -> None:
        self.call("advance", task, steps, by="anyone")

    @rule(task=TASK, index=st.integers(0, 10**6))
    def claim(self, task: int, index: int) -> None:
        identity = self.registrations[index % len(self.registrations)]
        self.call("claim", task, identity.address, identity.registered_at, by="anyone")

    @rule(
        call=HOSTILE_CALLS, by=st.sampled_from(EVERYBODY), value=st.sampled_from([0, 0, 1, 10**6])
    )
    def call_with_rubbish(self, call: tuple[object, ...], by: str, value: int) -> None:
        method, *args = call
        assert isinstance(method, str)
        assert method in METHODS
        self.call(method, *args, by=by, value=value)

    @rule(task=TASK, scores=SCORES, mishap=st.sampled_from(Mishap), height=st.integers(0, 1))
    def play_round(self, task: int, scores: list[Opinion], mishap: Mishap, height: int) -> None:
        """Play what is left of a round with one mishap, up to SETTLE."""
        most = VALIDATORS[:-1]
        self.call("top_up", task, by=SPONSOR, value=self.offers[task].reward or 1)
        self.open_round(task)
        self.commit_updates(task, TRAINERS, height)
        self.wait_for(task, Phase.REVEAL)
        self.reveal_updates(task, TRAINERS[1:] if mishap is Mishap.TRAINER else TRAINERS)
        self.wait_for(task, Phase.AVAILABILITY)
        self.attest(task, most[1:] if mishap is Mishap.HOLDERS else VALIDATORS, 30)
        self.attest(task, VALIDATORS, 1)
        self.wait_for(task, Phase.SCORE_COMMIT)
        self.commit_scores(task, most if mishap is Mishap.SCORER else VALIDATORS, scores, scores)
        self.reveal_scores(task, most[1:] if mishap is Mishap.SCORES else most)
        self.wait_for(task, Phase.SELECT)
        self.call("advance", task, STEPS_MAX, by="anyone")
        for rung in range(len(DROPS)):
            self.vote(task, most[:1], most if mishap is Mishap.VOTE else [], 0)
            self.vote(task, VALIDATORS, [], 1)
            bad = mishap is Mishap.GUARD or (mishap is Mishap.RUNG and rung < len(DROPS) - 2)
            self.report(task, VALIDATORS, BAD_REPORT if bad else OK_REPORT)
            self.call("advance", task, STEPS_MAX, by="anyone")

    def wait_for(self, task: int, phase: Phase) -> None:
        """Let the scheduler work until the phase begins, or the round will not get there."""
        while (running := self.view(task).running) is not None:
            if ORDER.index(running.phase) >= ORDER.index(phase.value):
                return
            self.wait_for_scheduler()

    # What must hold.

    @invariant()
    def every_grain_has_an_owner(self) -> None:
        for system in self.all:
            assert system.balance() == self.received - self.paid

    @invariant()
    def systems_show_the_same(self) -> None:
        first, *others = self.all
        for task in range(len(self.offers)):
            for other in others:
                assert other.view_task(task) == first.view_task(task)
                for identity in self.registrations[-len(EVERYBODY) :]:
                    shown = other.view_standing(task, identity)
                    assert shown == first.view_standing(task, identity)

    @invariant()
    def everything_is_bounded(self) -> None:
        for task, offer in enumerate(self.offers):
            view = self.view(task)
            assert view.escrow >= 0
            if view.running is not None:
                assert 0 <= view.running.pot <= offer.reward
                assert len(view.running.trainers) <= offer.slots
                assert len(set(view.running.trainers)) == len(view.running.trainers)
                assert view.running.rung < len(DROPS)
                steps = 2 * len(view.running.trainers) + SEATS_MAX + 2
                assert 0 <= view.running.cursor <= steps

    @invariant()
    def every_round_ends_once_with_one_aggregate_at_most(self) -> None:
        assert len(set(self.ended)) == len(self.ended)
        assert len(set(self.committed)) == len(self.committed)
        running = [
            (task, view.running.number)
            for task in range(len(self.offers))
            if (view := self.view(task)).running is not None
        ]
        assert sorted([*self.ended, *running]) == sorted(self.opened)
        for task in range(len(self.offers)):
            numbers = [number for of, number in self.opened if of == task]
            assert all(later == earlier + 1 for earlier, later in pairwise(numbers))
            assert self.view(task).version == sum(of == task for of, _ in self.committed)

    @override
    def teardown(self) -> None:
        """Let everybody fall silent: rounds end in time, and all money finds its way out."""
        self.finish_rounds()
        for task in range(len(self.offers)):
            self.call("close_task", task, by=SPONSOR)
        self.now_ms += 7 * max((sum(offer.windows) for offer in self.offers), default=0)
        for identity in self.registrations:
            for task in range(len(self.offers)):
                who, height = identity
                self.call("claim", task, who, height, by="anyone")
        for system in self.all:
            assert system.balance() == 0
        assert self.received == self.paid

    def finish_rounds(self) -> None:
        self.wake()
        for task, offer in enumerate(self.offers):
            running = self.view(task).running
            if running is not None:
                length_ms = round_ms_max(
                    offer, updates=len(running.trainers), seats=len(VALIDATORS)
                )
                end_ms = self.now_ms + length_ms
                while self.view(task).running is not None:
                    assert self.all[0].next_wake_ms() is not None
                    self.wait_for_scheduler()
                    assert self.now_ms <= end_ms

    def wait_for_scheduler(self) -> None:
        due_ms = self.all[0].next_wake_ms()
        if due_ms is not None:
            self.now_ms = max(self.now_ms, due_ms)
            self.height += 1
            self.wake()
