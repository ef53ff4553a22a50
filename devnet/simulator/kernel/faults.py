"""Which faults a simulation may suffer, and how hard: one random plan per seed (swarm testing).

A random subset of the kinds finds more than all of them at once, because some faults hide others
(Groce et al. 2012, "Swarm testing"). The ranges are those of reliability.md and of the systems it
learned from: FoundationDB, TigerBeetle, Sui.
"""

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from devnet.simulator.kernel.choices import UnknownChoiceError
from devnet.simulator.kernel.clocks import RATE_ERROR_PERMILLE_MAX
from devnet.simulator.kernel.dice import chance, pick, uniform
from devnet.simulator.kernel.network_faults import LinkFaults

LOSS_PERMILLE_MAX = 300
DUPLICATE_PERMILLE_MAX = 500
REORDER_PERMILLE_MAX = 500
REORDER_US_MAX = 500_000
SPIKE_PERMILLE_MAX = 20
SPIKE_US_MIN = 300_000
SPIKE_US_MAX = 3_000_000
CORRUPT_PERMILLE_MAX = 20
SLOW_LINK_US_MAX = 500_000
SLOW_NODE_US_MAX = 10_000
SLOW_DISK_US_MEAN_MAX = 200_000
GAP_US_MIN = 1_000_000
GAP_US_MAX = 10_000_000

_SECOND_US = 1_000_000


class FaultKind(enum.StrEnum):
    """Everything that can go wrong with machines and wires; malice is not among it."""

    LOSS = "loss"
    DUPLICATION = "duplication"
    REORDER = "reorder"
    DELAY_SPIKES = "delay_spikes"
    CORRUPTION = "corruption"
    SLOW_LINKS = "slow_links"
    PARTITION_SYMMETRIC = "partition_symmetric"
    PARTITION_ASYMMETRIC = "partition_asymmetric"
    CLOG = "clog"
    CRASH = "crash"
    CRASH_AT_EFFECT = "crash_at_effect"
    PAUSE = "pause"
    SLOW_NODE = "slow_node"
    SLOW_DISK = "slow_disk"
    DISK_ERROR = "disk_error"
    CLOCK_DRIFT = "clock_drift"
    CLOCK_JUMP = "clock_jump"
    AMNESIA = "amnesia"
    ROLLBACK = "rollback"


# A disk that came back older than what was signed is an operator's mistake that no protocol can
# see by itself, so it has to be asked for by name.
ALL_FAULTS = tuple(kind for kind in FaultKind if kind is not FaultKind.ROLLBACK)

_BY_NAME = {kind.value: kind for kind in FaultKind}
_GROUPS = {
    "all": ALL_FAULTS,
    "none": (),
    "partition": (FaultKind.PARTITION_SYMMETRIC, FaultKind.PARTITION_ASYMMETRIC),
}

# Kinds that come and go, with how long one episode may last at most. A crash lasts until the
# restart; the others of length zero happen at one moment.
_EPISODE_US_MAX = {
    FaultKind.SLOW_LINKS: 10 * _SECOND_US,
    FaultKind.PARTITION_SYMMETRIC: 10 * _SECOND_US,
    FaultKind.PARTITION_ASYMMETRIC: 10 * _SECOND_US,
    FaultKind.CLOG: 5 * _SECOND_US,
    FaultKind.CRASH: 10 * _SECOND_US,
    FaultKind.CRASH_AT_EFFECT: 5 * _SECOND_US,
    FaultKind.PAUSE: 5 * _SECOND_US,
    FaultKind.SLOW_NODE: 5 * _SECOND_US,
    FaultKind.SLOW_DISK: 10 * _SECOND_US,
    FaultKind.DISK_ERROR: 5 * _SECOND_US,
    FaultKind.CLOCK_JUMP: 0,
    FaultKind.AMNESIA: 5 * _SECOND_US,
    FaultKind.ROLLBACK: 5 * _SECOND_US,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Episodes:
    """How often and how long a fault that comes and goes strikes."""

    kind: FaultKind
    gap_us_mean: int
    length_us_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPlan:
    """What one seed suffers; intensities of kinds that are off are zero."""

    kinds: tuple[FaultKind, ...] = ()
    links: LinkFaults = LinkFaults()  # noqa: RUF009 - frozen, so it can be shared
    episodes: tuple[Episodes, ...] = ()
    clock_rate_permille_max: int = 0
    slow_link_us: int = 0
    slow_node_us: int = 0
    slow_disk_us_mean: int = 0


def parse_faults(text: str) -> tuple[FaultKind, ...]:
    """Read `all`, `none`, `partition` (both sorts) or kinds, separated by commas.

    Raises:
        UnknownChoiceError: with one line that names the nearest kind.
    """
    chosen: set[FaultKind] = set()
    for word in (word.strip() for word in text.split(",")):
        if word in _GROUPS:
            chosen.update(_GROUPS[word])
        elif word in _BY_NAME:
            chosen.add(_BY_NAME[word])
        else:
            raise UnknownChoiceError("fault", word, (*_GROUPS, *_BY_NAME))
    return tuple(kind for kind in FaultKind if kind in chosen)


def draw_swarm(kinds: Sequence[FaultKind], dice: Callable[[str], Random]) -> FaultPlan:
    """Plan a random half of the kinds, at least one of them, at random intensities.

    Args:
        kinds: what is allowed.
        dice: gives the dice of a label, as `Scheduler.rng` does.
    """
    chooser = dice("faults.swarm")
    chosen = [kind for kind in kinds if chance(chooser, 500)]
    if kinds and not chosen:
        chosen = [pick(chooser, kinds)]
    return draw_plan(chosen, dice)


def draw_plan(kinds: Sequence[FaultKind], dice: Callable[[str], Random]) -> FaultPlan:
    """Plan exactly these kinds, at random intensities."""
    kinds = tuple(kind for kind in FaultKind if kind in kinds)

    def intensity(kind: FaultKind, value_max: int) -> int:
        return uniform(dice(f"faults.{kind}"), 1, value_max) if kind in kinds else 0

    return FaultPlan(
        kinds=kinds,
        links=LinkFaults(
            loss_permille=intensity(FaultKind.LOSS, LOSS_PERMILLE_MAX),
            duplicate_permille=intensity(FaultKind.DUPLICATION, DUPLICATE_PERMILLE_MAX),
            reorder_permille=intensity(FaultKind.REORDER, REORDER_PERMILLE_MAX),
            reorder_us_max=intensity(FaultKind.REORDER, REORDER_US_MAX),
            spike_permille=intensity(FaultKind.DELAY_SPIKES, SPIKE_PERMILLE_MAX),
            spike_us_min=SPIKE_US_MIN if FaultKind.DELAY_SPIKES in kinds else 0,
            spike_us_max=SPIKE_US_MAX if FaultKind.DELAY_SPIKES in kinds else 0,
            corrupt_permille=intensity(FaultKind.CORRUPTION, CORRUPT_PERMILLE_MAX),
        ),
        episodes=tuple(_draw_episodes(kind, dice) for kind in kinds if kind in _EPISODE_US_MAX),
        clock_rate_permille_max=intensity(FaultKind.CLOCK_DRIFT, RATE_ERROR_PERMILLE_MAX),
        slow_link_us=intensity(FaultKind.SLOW_LINKS, SLOW_LINK_US_MAX),
        slow_node_us=intensity(FaultKind.SLOW_NODE, SLOW_NODE_US_MAX),
        slow_disk_us_mean=intensity(FaultKind.SLOW_DISK, SLOW_DISK_US_MEAN_MAX),
    )


def _draw_episodes(kind: FaultKind, dice: Callable[[str], Random]) -> Episodes:
    """Draw how often a kind strikes and how long its longest episode is."""
    rng = dice(f"faults.{kind}.episodes")
    return Episodes(
        kind=kind,
        gap_us_mean=uniform(rng, GAP_US_MIN, GAP_US_MAX),
        length_us_max=uniform(rng, _EPISODE_US_MAX[kind] // 10, _EPISODE_US_MAX[kind]),
    )
