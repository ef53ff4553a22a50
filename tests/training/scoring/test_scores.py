from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from fl.jobs.subject import ModelKind
from fl.rules.aggregation.outer import apply
from fl.rules.aggregation.rule import Rule
from fl.rules.limits import MEASURES_MAX, ONE
from fl.rules.update.norms import NORM_ONE, clip, norm, scale
from fl.training.adapters import Adapter
from fl.training.examples.tokens import Encoded
from fl.training.models import LoadedModel
from fl.training.scoring.errors import ScoringError
from fl.training.scoring.left_out import by_rule
from fl.training.scoring.scores import Panel, Scorer, halfway
from fl.training.scoring.terms import ScoringTerms, evened
from tests.training.scoring.scenes import LABELS, adapt, random_examples, swapped_losses

Int32s = NDArray[np.int32]
LIMIT = NORM_ONE
TERMS = ScoringTerms(clip=LIMIT)


@pytest.fixture(name="adapter")
def _adapter(bert: LoadedModel) -> Adapter:
    return adapt(bert, targets=("query", "value"))


@pytest.fixture(name="examples")
def _examples() -> list[Encoded]:
    return random_examples(ModelKind.CLASSIFICATION, count=30)


def random_updates(adapter: Adapter, *, count: int, spread: float = 0.05) -> list[Int32s]:
    dice = np.random.RandomState(23)
    size = adapter.trainable_layout(0).size
    return [np.rint(dice.normal(0, spread, size) * 2**24).astype(np.int32) for _ in range(count)]


def scorer(adapter: Adapter, panel: Panel, *, updates: int = 4) -> Scorer:
    return Scorer(adapter, panel, layout=adapter.trainable_layout(0), updates=updates)


def mean_losses(
    adapter: Adapter, states: Sequence[Int32s], examples: Sequence[Encoded]
) -> NDArray[np.float64]:
    found = swapped_losses(adapter, states, examples, adapter.trainable_layout(0))
    means: NDArray[np.float64] = found.astype(np.float64).mean(axis=1)
    return means


def test_scores_are_the_formulas_on_losses_of_swapped_adapters(
    adapter: Adapter, examples: list[Encoded]
) -> None:
    updates = random_updates(adapter, count=4)
    layout = adapter.trainable_layout(0)
    current = adapter.read_fixed(layout)
    aggregate = by_rule(updates, limit=LIMIT, rule=Rule.TRIMMED_MEAN)
    terms = ScoringTerms(clip=LIMIT, penalty=7)
    scores = scorer(adapter, Panel(examples=examples)).score(
        current, updates, terms=terms, aggregate=aggregate
    )
    half = [apply(current, scale(clip(update, limit=LIMIT), factor=ONE // 2)) for update in updates]
    rest = [[one for one in range(4) if one != left] for left in range(4)]
    wholes = [apply(current, aggregate(kept)) for kept in [[0, 1, 2, 3], *rest]]
    before, *alone = mean_losses(adapter, [current, *half], examples)
    together, *without = mean_losses(adapter, wholes, examples)
    for index, score in enumerate(scores):
        rho = 7 * norm(updates[index]) ** 2 / NORM_ONE**2
        assert abs(score.alone - ((before - alone[index]) * 10_000 - rho)) < 1.6
        assert abs(score.left_out - (without[index] - together) * 10_000) < 1.1
        beside = (without[index] - together) * 10_000 * 4 / 2 - rho
        assert abs(score.quality - max(score.alone, beside)) < 2.6


def test_with_probes_an_update_is_worth_what_it_gains_where_it_gains_least(
    adapter: Adapter, examples: list[Encoded]
) -> None:
    probe = random_examples(ModelKind.CLASSIFICATION, count=5, length_max=6)
    sets = [examples, probe, examples[:3]]
    updates = random_updates(adapter, count=4)
    current = adapter.read_fixed(adapter.trainable_layout(0))
    aggregate = by_rule(updates, limit=LIMIT, rule=Rule.TRIMMED_MEAN)
    panel = Panel(examples=examples, probes=sets[1:])
    scores = scorer(adapter, panel).score(current, updates, terms=TERMS, aggregate=aggregate)
    half = [apply(current, scale(clip(update, limit=LIMIT), factor=ONE // 2)) for update in updates]
    rest = [[one for one in range(4) if one != left] for left in range(4)]
    wholes = [apply(current, aggregate(kept)) for kept in [[0, 1, 2, 3], *rest]]
    losses = [mean_losses(adapter, [current, *half, *wholes], chosen) for chosen in sets]
    gains = np.min([one[0] - one[1:] for one in losses], axis=0) * 10_000
    alone, together, without = gains[:4], gains[4], gains[5:]
    for index, score in enumerate(scores):
        assert abs(score.alone - alone[index]) < 1.6
        assert abs(score.left_out - (together - without[index])) < 1.6
        assert abs(score.quality - max(alone[index], 2 * (together - without[index]))) < 3.1
    plain = (losses[0][0] - losses[0][1:5]) * 10_000
    assert (plain - alone).max() > 10, "a probe decides about one of them"


@pytest.mark.parametrize("tau", [0.5, 1.0])
def test_rare_classes_weigh_more_in_scores_and_in_the_loss_that_the_guard_looks_at(
    adapter: Adapter, examples: list[Encoded], tau: float
) -> None:
    common = [one for one in examples if one.labels == [0]]
    uneven = [*common * 4, *(one for one in examples if one.labels != [0])]
    (update,) = random_updates(adapter, count=1)
    current = adapter.read_fixed(adapter.trainable_layout(0))
    judge = scorer(adapter, Panel(examples=uneven, classes=LABELS, adjustment=tau))
    aggregate = by_rule([update], limit=LIMIT, rule=Rule.MEAN)
    (score,) = judge.score(current, [update], terms=TERMS, aggregate=aggregate)
    half = apply(current, scale(clip(update, limit=LIMIT), factor=ONE // 2))
    layout = adapter.trainable_layout(0)
    before, after = swapped_losses(adapter, [current, half], uneven, layout).astype(np.float64)
    weights = evened(np.array([one.labels[0] for one in uneven]), tau=tau)
    assert abs(score.alone - (before - after) @ weights * 10_000) < 1.6
    assert abs(score.changes.loss - (after - before) @ weights * 10_000) < 0.6
    plain = (before - after).mean() * 10_000
    assert abs(score.alone - plain) > 5, "the weights decide something"


def test_zero_update_scores_exactly_zero_alone(adapter: Adapter, examples: list[Encoded]) -> None:
    updates = [np.zeros_like(random_updates(adapter, count=1)[0])]
    current = adapter.read_fixed(adapter.trainable_layout(0))
    (score,) = scorer(adapter, Panel(examples=examples)).score(
        current, updates, terms=TERMS, aggregate=by_rule(updates, limit=LIMIT, rule=Rule.MEAN)
    )
    assert (score.alone, score.left_out, score.quality, score.error) == (0, 0, 0, 0)
    assert score.changes.loss == 0


def test_class_and_probe_votes_are_of_their_own_examples(
    adapter: Adapter, examples: list[Encoded]
) -> None:
    probe = random_examples(ModelKind.CLASSIFICATION, count=5, length_max=6)
    panel = Panel(examples=examples, probes=[probe, examples[:3]], classes=LABELS + 1)
    (update,) = random_updates(adapter, count=1)
    layout = adapter.trainable_layout(0)
    current = adapter.read_fixed(layout)
    judge = scorer(adapter, panel)
    changes = judge.compare(judge.measure(current), judge.measure(apply(current, update)))

    def expected(chosen: Sequence[Encoded]) -> float:
        before, after = mean_losses(adapter, [current, apply(current, update)], chosen)
        return float(after - before) * 10_000

    assert abs(changes.loss - expected(examples)) < 0.6
    for label in range(LABELS):
        own = [example for example in examples if example.labels == [label]]
        assert abs(changes.classes[label] - expected(own)) < 0.6
    assert changes.classes[LABELS] == 0
    assert abs(changes.probes[0] - expected(probe)) < 0.6
    assert abs(changes.probes[1] - expected(examples[:3])) < 0.6
    assert changes.measures == (changes.loss, *changes.classes, *changes.probes)
    assert len(changes.measures) <= MEASURES_MAX


def test_gradient_step_scores_above_its_opposite(adapter: Adapter, examples: list[Encoded]) -> None:
    # Heads that answer the most frequent class more often help on these examples.
    layout = adapter.trainable_layout(0)
    update = np.zeros(layout.size, np.int32)
    counts = np.bincount([example.labels[0] for example in examples], minlength=LABELS)
    (bias,) = [name for name in layout.spans if name.endswith("classifier.bias")]
    update[layout.spans[bias]] = ((counts - counts.mean()) / counts.sum() * 2**24).astype(np.int32)
    updates = [update, -update]
    scores = scorer(adapter, Panel(examples=examples)).score(
        adapter.read_fixed(layout),
        updates,
        terms=TERMS,
        aggregate=by_rule(updates, limit=LIMIT, rule=Rule.MEAN),
    )
    assert scores[0].alone > 0 > scores[1].alone
    assert scores[0].left_out > 0 > scores[1].left_out
    assert scores[0].changes.loss == -scores[0].alone


def test_update_that_harms_alone_and_helps_beside_the_others_counts_for_that(
    adapter: Adapter, examples: list[Encoded]
) -> None:
    layout = adapter.trainable_layout(0)
    current = adapter.read_fixed(layout)
    (bias,) = [name for name in layout.spans if name.endswith("classifier.bias")]
    updates = []
    for label in range(LABELS):
        update = np.zeros(layout.size, np.int32)
        places = np.arange(layout.size)[layout.spans[bias]]
        update[places[label]] = 12 << 24
        updates.append(update)
    scores = scorer(adapter, Panel(examples=examples)).score(
        current,
        updates,
        terms=ScoringTerms(clip=2**60),
        aggregate=by_rule(updates, limit=2**60, rule=Rule.MEAN),
    )
    # Each alone drives every answer into one class; together they cancel out.
    assert all(score.alone < 0 < score.quality for score in scores)


def test_many_updates_count_for_what_they_are_worth_alone(
    adapter: Adapter, examples: list[Encoded]
) -> None:
    updates = random_updates(adapter, count=33)
    scores = scorer(adapter, Panel(examples=examples), updates=33).score(
        adapter.read_fixed(adapter.trainable_layout(0)),
        updates,
        terms=TERMS,
        aggregate=by_rule(updates, limit=LIMIT, rule=Rule.MEAN),
    )
    assert all(score.quality == score.alone for score in scores)


def test_update_that_breaks_the_model_gets_a_finite_vote(
    adapter: Adapter, examples: list[Encoded]
) -> None:
    size = adapter.trainable_layout(0).size
    signs = np.random.RandomState(5).choice([-1, 1], size)
    updates = [(signs * (2**31 - 1)).astype(np.int32), np.zeros(size, np.int32)]
    terms = ScoringTerms(clip=2**60)
    scores = scorer(adapter, Panel(examples=examples)).score(
        adapter.read_fixed(adapter.trainable_layout(0)),
        updates,
        terms=terms,
        aggregate=by_rule(updates, limit=2**60, rule=Rule.MEAN),
    )
    assert scores[0].alone < -1_000
    assert scores[1].alone == 0


def test_language_models_are_scored_too(llama: LoadedModel) -> None:
    adapter = adapt(llama, targets=("q_proj",))
    examples = random_examples(ModelKind.CAUSAL_LM, count=9)
    updates = random_updates(adapter, count=3, spread=0.5)
    layout = adapter.trainable_layout(0)
    current = adapter.read_fixed(layout)
    aggregate = by_rule(updates, limit=2**40, rule=Rule.MEDIAN)
    scores = scorer(adapter, Panel(examples=examples)).score(
        current, updates, terms=ScoringTerms(clip=2**40), aggregate=aggregate
    )
    states = [current, *(halfway(current, update, limit=2**40) for update in updates)]
    before, *after = mean_losses(adapter, states, examples)
    for score, loss in zip(scores, after, strict=True):
        assert abs(score.alone - (before - loss) * 10_000) < 0.7
        assert score.changes.classes == ()


def test_round_without_updates_has_no_scores(adapter: Adapter, examples: list[Encoded]) -> None:
    found = scorer(adapter, Panel(examples=examples), updates=0).score(
        adapter.read_fixed(adapter.trainable_layout(0)),
        [],
        terms=TERMS,
        aggregate=lambda _: np.zeros(1, np.int32),
    )
    assert found == []


def test_vectors_of_another_layout_are_refused_by_number(
    adapter: Adapter, examples: list[Encoded]
) -> None:
    updates = random_updates(adapter, count=2)
    current = adapter.read_fixed(adapter.trainable_layout(0))
    judge = scorer(adapter, Panel(examples=examples))
    with pytest.raises(ScoringError, match="update 1 is int32"):
        judge.score(
            current,
            [updates[0], updates[1][:-1]],
            terms=TERMS,
            aggregate=by_rule(updates, limit=LIMIT, rule=Rule.MEAN),
        )
    with pytest.raises(ScoringError, match="the current state is float64"):
        judge.measure(current.astype(np.float64))


def test_panel_of_probes_alone_is_refused(adapter: Adapter, examples: list[Encoded]) -> None:
    with pytest.raises(ScoringError, match="no examples"):
        scorer(adapter, Panel(examples=[], probes=[examples]))
