"""Fault plans: what an operator may ask for, and what a seed makes of it."""

import pytest

from devnet.simulator.kernel import faults as faults_module
from devnet.simulator.kernel.clocks import RATE_ERROR_PERMILLE_MAX
from devnet.simulator.kernel.faults import (
    ALL_FAULTS,
    FaultKind,
    FaultPlan,
    draw_plan,
    draw_swarm,
    parse_faults,
)
from devnet.simulator.kernel.network_faults import LinkFaults
from devnet.simulator.kernel.scheduler import Scheduler
from primitives.errors import ConfigurationError


def _swarm(seed: int) -> FaultPlan:
    return draw_swarm(ALL_FAULTS, Scheduler(seed).rng)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("none", ()),
        ("all", ALL_FAULTS),
        ("crash, loss", (FaultKind.LOSS, FaultKind.CRASH)),
        ("partition", (FaultKind.PARTITION_SYMMETRIC, FaultKind.PARTITION_ASYMMETRIC)),
        ("all,rollback", tuple(FaultKind)),
        ("loss,loss,none", (FaultKind.LOSS,)),
    ],
)
def test_faults_are_read_in_one_order(text: str, kinds: tuple[FaultKind, ...]) -> None:
    assert parse_faults(text) == kinds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("los", "unknown fault 'los'; did you mean 'loss'?"),
        ("loss,crash_at_efect", "did you mean 'crash_at_effect'?"),
        ("", "unknown fault ''; choose from all, none, partition, loss,"),
    ],
)
def test_unknown_fault_is_one_clear_line(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_faults(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_operator_error_of_restoring_a_backup_must_be_asked_for() -> None:
    assert FaultKind.ROLLBACK not in parse_faults("all")


def test_swarm_draws_a_random_half() -> None:
    plans = [_swarm(seed) for seed in range(100)]
    assert len({plan.kinds for plan in plans}) > 95
    for kind in ALL_FAULTS:
        assert 30 <= sum(kind in plan.kinds for plan in plans) <= 70


def test_swarm_is_never_empty_unless_nothing_is_allowed() -> None:
    for seed in range(20):
        assert draw_swarm([FaultKind.LOSS], Scheduler(seed).rng).kinds == (FaultKind.LOSS,)
    assert draw_swarm([], Scheduler(1).rng) == FaultPlan()


def test_plan_of_one_kind_has_no_other() -> None:
    dice = Scheduler(1).rng
    loss = draw_plan([FaultKind.LOSS], dice)
    assert loss == FaultPlan(
        kinds=(FaultKind.LOSS,), links=LinkFaults(loss_permille=loss.links.loss_permille)
    )
    crash = draw_plan([FaultKind.CRASH], dice)
    assert crash == FaultPlan(kinds=(FaultKind.CRASH,), episodes=crash.episodes)


def test_intensity_of_one_kind_does_not_depend_on_the_others() -> None:
    alone = draw_plan([FaultKind.SLOW_DISK], Scheduler(5).rng)
    together = draw_plan(ALL_FAULTS, Scheduler(5).rng)
    assert alone.slow_disk_us_mean == together.slow_disk_us_mean
    assert alone.episodes[0] in together.episodes


def test_intensities_stay_in_their_ranges_and_use_them() -> None:
    plans = [draw_plan(ALL_FAULTS, Scheduler(seed).rng) for seed in range(100)]
    for values, limit in [
        ([plan.links.loss_permille for plan in plans], faults_module.LOSS_PERMILLE_MAX),
        ([plan.links.duplicate_permille for plan in plans], faults_module.DUPLICATE_PERMILLE_MAX),
        ([plan.links.corrupt_permille for plan in plans], faults_module.CORRUPT_PERMILLE_MAX),
        ([plan.links.spike_us_max for plan in plans], faults_module.SPIKE_US_MAX),
        ([plan.clock_rate_permille_max for plan in plans], RATE_ERROR_PERMILLE_MAX),
        ([plan.slow_disk_us_mean for plan in plans], faults_module.SLOW_DISK_US_MEAN_MAX),
        ([plan.slow_node_us for plan in plans], faults_module.SLOW_NODE_US_MAX),
    ]:
        assert 0 < min(values) <= max(values) <= limit
        assert max(values) >= limit * 8 // 10
