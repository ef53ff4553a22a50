"""Proof of Quality: validators score on what they hold out, the rounds machine decides."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.poisoning.chain import Court, Submission, Terms
from benchmarks.poisoning.federation import Federation
from benchmarks.poisoning.model import Crowd, Examples, Floats, Int32s, Shape, losses, train
from devnet.attacks.poisoning.validators import LIES, Ballot, Cartel, Kind
from fl.rules.aggregation.outer import OuterOptimizer
from fl.rules.aggregation.rule import Rule, aggregate
from fl.rules.effects import Outcome
from fl.rules.limits import HALVINGS, ONE
from fl.rules.phase import Phase
from fl.rules.scorecard import Facts, Record
from fl.rules.update.norms import clip, norm
from fl.rules.update.root import content_digest
from fl.rules.update.similarity import Candidate, find_facts
from fl.training.fixed_point import FRACTION_BITS
from fl.training.scoring.left_out import by_rule
from primitives.hashing import sha256

UNITS_PER_NAT: Final = 10_000
SCORE_MAX: Final = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """How Proof of Quality is set up.

    Attributes:
        rule: what is done with the accepted updates.
        byzantine_percent: of the updates that the rule reckons with, as tasks do by default.
        epsilon: the least threshold, in 100 micro-nats; what a round gains sets it higher.
        clip_slack: first clip, as a multiple of the norm of a run on a validator's own examples.
        loss_bound: of the guard, in 100 micro-nats; probes have the same.
        class_bound: of the guard, for each class: while a model learns how frequent the classes
            are, the loss of a rare one rises by more than a nat.
        probes: validators hold texts with triggers, and a score is the lesser of the gains on plain
            examples and on those.
        liars: the first so many validators lie.
        lie: how.
        silent: the last so many validators commit scores and do not reveal them.
    """

    rule: Rule = Rule.TRIMMED_MEAN
    byzantine_percent: int = 25
    epsilon: int = 0
    clip_slack: float = 1.0
    loss_bound: int = 100
    class_bound: int = 15_000
    probes: bool = False
    liars: int = 2
    lie: Kind = Kind.INVERTED
    silent: int = 0


@dataclass(slots=True)
class Panel:
    """The validators of one federation, and the chain that they vote on.

    Attributes:
        scores: of each round, the consensus score by trainer, None where there is none.
        outcomes: how each round ended.
    """

    court: Court
    quality: Quality
    scores: list[dict[int, int]] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    accepted: list[int] = field(default_factory=list)
    _before: dict[int, Ballot] = field(default_factory=dict)

    @classmethod
    def seat(cls, federation: Federation, quality: Quality) -> "Panel":
        """Create the task; its first clip comes from a run on what the first validator holds."""
        setting, corpus = federation.setting, federation.division.corpus
        bound, class_bound = quality.loss_bound, quality.class_bound
        terms = Terms(
            epsilon=quality.epsilon,
            clip=max(1 << 8, int(quality.clip_slack * _own_norm(federation))),
            guard_bounds=(
                bound,
                *((bound,) if quality.probes else ()),
                *(class_bound for _ in range(corpus.classes)),
            ),
        )
        court = Court(setting.trainers, setting.validators, terms, setting.rounds)
        court.create()
        return cls(court, quality)

    def end_round(self, federation: Federation, updates: Floats, round_number: int) -> None:
        """Play one round on the chain, and apply what it commits."""
        _Session(self, federation, federation.sent(updates, round_number), round_number).play()

    def say(self, index: int, ballot: Ballot, friends: Sequence[int]) -> Ballot:
        """Return what a validator says in place of what it found."""
        if index >= self.quality.liars:
            return ballot
        cartel = Cartel(frozenset(friends), self._before.get(index))
        return LIES[self.quality.lie](ballot, cartel)

    def remember(self, index: int, ballot: Ballot) -> None:
        """Keep what a validator found, for those who repeat themselves."""
        self._before[index] = ballot


@dataclass(slots=True)
class _Session:
    panel: Panel
    federation: Federation
    vectors: list[Int32s]
    number: int
    trainers: list[int] = field(default_factory=list)
    found: list[Ballot] = field(default_factory=list)

    @property
    def shape(self) -> Shape:
        return self.federation.setting.shape(self.federation.division.corpus)

    def play(self) -> None:
        court = self.panel.court
        self.trainers = court.submit(self._submissions())
        clipped = [clip(self.vectors[one], limit=court.task.clip) for one in self.trainers]
        if court.is_in(Phase.SCORE_COMMIT):
            court.score(self._cards(clipped), silent=self.panel.quality.silent)
            self._note()
        delta = np.zeros_like(self.vectors[0])
        while court.is_in(Phase.AGGREGATE):
            delta = self._aggregate(clipped)
            court.guard(sha256(delta.tobytes()), self._reports(delta))
        outcome = court.outcome().outcome
        self.panel.outcomes.append(outcome)
        if outcome is Outcome.COMMITTED:
            self.federation.apply(delta, self.number)
        else:
            self.federation.stay()

    def _submissions(self) -> list[Submission]:
        return [
            # An attacker who was handed an update commits after whoever made it.
            Submission(
                index, sha256(vector.tobytes()), is_late=index < self.federation.division.attackers
            )
            for index, vector in enumerate(self.vectors)
        ]

    def _cards(self, clipped: Sequence[Int32s]) -> dict[int, list[Record]]:
        facts = self._facts()
        attackers = self.federation.division.attackers
        friends = [index for index, one in enumerate(self.trainers) if one < attackers]
        self.found = self._ballots(clipped)
        cards = {}
        for index, ballot in enumerate(self.found):
            said = self.panel.say(index, ballot, friends)
            self.panel.remember(index, ballot)
            cards[index] = [
                Record(alone, left_out, fact)
                for alone, left_out, fact in zip(said.alone, said.left_out, facts, strict=True)
            ]
        return cards

    def _facts(self) -> list[Facts]:
        layout = self.shape.trained(self.number)
        sent = [self.vectors[one] for one in self.trainers]
        candidates = [Candidate(vector=v, content=content_digest(v, layout=layout)) for v in sent]
        return find_facts(
            candidates,
            norms=[norm(vector) for vector in sent],
            global_deltas=self.federation.deltas[self.number % 2],
        )

    def _ballots(self, clipped: Sequence[Int32s]) -> list[Ballot]:
        count, quality = len(clipped), self.panel.quality
        step = by_rule(
            clipped,
            limit=self.panel.court.task.clip,
            rule=quality.rule,
            byzantine_percent=quality.byzantine_percent,
        )
        everybody = range(count)
        kept = [[one for one in everybody if one != gone] for gone in everybody]
        tried = np.concatenate(
            [
                self.federation.setting.step * _real(clipped),
                _real([step(those) for those in (*kept, everybody)]),
            ]
        )
        return [_ballot(gains, count=count) for gains in self._gains(tried)]

    def _gains(self, tried: Floats) -> list[NDArray[np.float64]]:
        """Return by how much each step lowers the loss, for each validator.

        With probes it is the gain on those if that is less: a back door shows there.
        """
        bench = self.federation.division.bench
        sets = [bench.plain, bench.probed] if self.panel.quality.probes else [bench.plain]
        rises = [self._rises(tried, examples) for examples in sets]
        return [
            -np.max([one[:, part] @ bench.weights[part] for one in rises], axis=0)
            for part in bench.parts
        ]

    def _rises(self, steps: Floats, examples: Examples) -> Floats:
        """Return by how much each step raises the loss of each example."""
        model = self.federation.model
        states = np.repeat(model[None], len(steps) + 1, axis=0)
        states[1:, self.shape.places(self.number)] += steps
        found = losses(states, examples, shape=self.shape)
        rises: Floats = found[1:] - found[0]
        return rises

    def _note(self) -> None:
        court = self.panel.court
        running = court.task.running
        updates = () if running is None else running.updates
        judged = zip(self.trainers, updates, strict=False)
        self.panel.scores.append(
            {who: one.judged.consensus.score for who, one in judged if one.judged is not None}
        )
        self.panel.accepted.append(sum(one.weight > 0 for one in updates))

    def _aggregate(self, clipped: Sequence[Int32s]) -> Int32s:
        weights, percent = self.panel.court.weights(), self.panel.quality.byzantine_percent
        kept = [index for index, weight in enumerate(weights) if weight]
        delta = aggregate(
            [clipped[index] for index in kept],
            [weights[index] for index in kept],
            rule=self.panel.quality.rule,
            byzantine=max(0, min(len(kept) - 1, len(kept) * percent // 100)),
            radius=self.panel.court.task.clip,
        )
        shorter = OuterOptimizer(rate=ONE >> HALVINGS[self.panel.court.running.rung])
        return shorter.step(shorter.start(len(delta)), delta).applied

    def _reports(self, delta: Int32s) -> dict[int, tuple[int, ...]]:
        step = _real([delta])
        bench = self.federation.division.bench
        plain = self._rises(step, bench.plain)[0]
        labels = bench.plain.y.numpy()
        sets = [plain, self._rises(step, bench.probed)[0]] if self.panel.quality.probes else [plain]
        reports = {}
        for index, part in enumerate(bench.parts):
            measures = [float(one[part] @ bench.weights[part]) for one in sets]
            for label in range(self.shape.classes):
                chosen = plain[part][labels[part] == label]
                measures.append(float(chosen.mean()) if len(chosen) else 0.0)
            found = replace(self.found[index], changes=_units(np.array(measures)))
            reports[index] = self.panel.say(index, found, ()).changes
        return reports


def _ballot(gains: NDArray[np.float64], *, count: int) -> Ballot:
    """Return the votes of `fl.training.scoring.scores`: an update is worth the greater of both."""
    left_out = gains[-1] - gains[count:-1]
    return Ballot(_units(np.maximum(gains[:count], left_out * count / 2)), _units(left_out))


def _real(vectors: Sequence[Int32s]) -> Floats:
    real: Floats = np.ldexp(np.stack(vectors).astype(np.float64), -FRACTION_BITS)
    return real


def _units(nats: NDArray[np.float64]) -> tuple[int, ...]:
    return tuple(
        max(-SCORE_MAX, min(SCORE_MAX, round(value * UNITS_PER_NAT))) for value in nats.tolist()
    )


def _own_norm(federation: Federation) -> int:
    """Return the norm of what a run on the examples of the last validator gives."""
    setting = federation.setting
    bench = federation.division.bench
    indices = range(bench.parts[-1].start, bench.parts[-1].stop)
    own = train(
        federation.model,
        Crowd([bench.plain.part(indices)]),
        setting.local(0),
        shape=setting.shape(federation.division.corpus),
        round_number=0,
        seed=federation.seed,
    )
    return norm(federation.sent(own, 0)[0])
