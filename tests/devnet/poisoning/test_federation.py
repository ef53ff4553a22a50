"""The lab itself: federations of twenty on clusters of numbers, on the real rounds machine."""

from dataclasses import replace

import pytest

from benchmarks.poisoning.federation import (
    Defence,
    FedAvg,
    Federation,
    Geometry,
    backdoor_success,
    run,
)
from benchmarks.poisoning.quality import Panel, Quality
from devnet.attacks.poisoning.catalogue import ATTACKS
from devnet.attacks.poisoning.validators import Kind
from fl.rules.aggregation.rule import Rule
from fl.rules.effects import Outcome, Reason
from tests.devnet.poisoning.corpora import SETTING, clusters

CORPUS = clusters()


def _played(
    attack: str,
    *,
    attackers: int = 8,
    rule: Rule | None = None,
    quality: Quality | None = None,
    rounds: int = SETTING.rounds,
) -> tuple[Federation, Defence]:
    federation = Federation.open(
        CORPUS,
        replace(SETTING, rounds=rounds),
        attack=ATTACKS[attack],
        attackers=attackers,
        seed=1,
    )
    defence: Defence = FedAvg()
    if rule is not None:
        defence = Geometry(rule)
    if quality is not None:
        defence = Panel.seat(federation, quality)
    run(federation, defence)
    return federation, defence


def _judged(attack: str, **options: object) -> tuple[Federation, Panel]:
    quality = options.pop("quality", Quality())
    assert isinstance(quality, Quality)
    federation, panel = _played(attack, quality=quality, **options)  # type: ignore[arg-type]
    assert isinstance(panel, Panel)
    return federation, panel


def test_quality_survives_what_breaks_the_mean() -> None:
    clean, _ = _played("none", attackers=0)
    broken, _ = _played("ipm", rule=Rule.MEAN)
    judged, _ = _judged("ipm")
    assert broken.accuracies[-1] < clean.accuracies[-1] - 0.2
    assert judged.accuracies[-1] > clean.accuracies[-1] - 0.05


def test_same_seed_gives_the_same_model() -> None:
    first, _ = _judged("alie", rounds=2)
    second, _ = _judged("alie", rounds=2)
    assert (first.model == second.model).all()


@pytest.mark.parametrize(
    ("attack", "reasons"),
    [
        ("zero", {Reason.LOW_QUALITY}),
        ("copycat", {Reason.COPY}),
        ("signflip", {Reason.LOW_QUALITY}),
    ],
)
def test_who_adds_nothing_is_refused_and_never_paid(attack: str, reasons: set[Reason]) -> None:
    _, panel = _judged(attack, rounds=2)
    assert all({*panel.court.reasons(trainer)} == reasons for trainer in range(8))
    assert sum(panel.court.earned(trainer) for trainer in range(8)) == 0
    assert all(panel.court.earned(trainer) > 0 for trainer in range(8, 20))


@pytest.mark.parametrize("attack", ["gaussian", "noise"])
def test_noise_earns_only_what_points_the_right_way_by_chance(attack: str) -> None:
    _, panel = _judged(attack, rounds=2)
    honest = min(panel.court.earned(trainer) for trainer in range(8, 20))
    assert sum(panel.court.earned(trainer) for trainer in range(8)) < honest / 2


def test_one_zero_is_worth_nothing() -> None:
    _, panel = _judged("zero", attackers=1, rounds=1)
    assert panel.court.reasons(0) == [Reason.LOW_QUALITY]
    assert panel.court.earned(0) == 0


def test_sybils_share_what_one_trainer_earns() -> None:
    _, panel = _judged("sybil", rounds=1)
    honest = max(panel.court.earned(trainer) for trainer in range(8, 20))
    assert sum(panel.court.earned(trainer) for trainer in range(8)) <= 1.5 * honest


@pytest.mark.slow
@pytest.mark.parametrize("kind", Kind)
def test_liars_below_half_of_the_stake_change_little(kind: Kind) -> None:
    honest, _ = _judged("signflip", quality=Quality(liars=0))
    lied_to, _ = _judged("signflip", quality=Quality(liars=3, lie=kind))
    assert lied_to.accuracies[-1] > honest.accuracies[-1] - 0.03


def test_liars_with_most_of_the_stake_ruin_the_model() -> None:
    clean, _ = _played("none", attackers=0)
    ruined, _ = _judged("signflip", quality=Quality(liars=4))
    assert ruined.accuracies[-1] < clean.accuracies[-1] - 0.2


def test_a_third_that_keeps_its_scores_stops_the_model_and_harms_nothing() -> None:
    federation, panel = _judged("signflip", quality=Quality(liars=0, silent=3), rounds=2)
    assert panel.outcomes == [Outcome.NULL] * 2
    reasons = [panel.court.reasons(trainer) for trainer in range(20)]
    assert reasons == [[Reason.UNSCORED] * 2] * 20
    assert len(set(federation.accuracies)) == 1


@pytest.mark.slow
def test_model_replacement_opens_the_back_door_of_a_mean() -> None:
    clean, _ = _played("none", attackers=0)
    opened, _ = _played("backdoor", attackers=4, rule=Rule.MEAN)
    assert backdoor_success(opened) > backdoor_success(clean) + 0.2


@pytest.mark.parametrize("probes", [False, True])
def test_model_replacement_opens_no_back_door_where_updates_are_judged(*, probes: bool) -> None:
    federation, _ = _judged("backdoor", attackers=8, quality=Quality(probes=probes))
    assert backdoor_success(federation) < 0.05
    assert federation.accuracies[-1] > 0.9
