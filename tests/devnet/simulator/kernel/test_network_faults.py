"""What bad links do to single messages, each kind from its own dice."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devnet.simulator.kernel.network_faults import (
    LinkDisturber,
    LinkFaults,
    NetworkCounters,
    flip_bit,
)
from devnet.simulator.kernel.scheduler import Scheduler

DRAWS = 2_000
KINDS = {
    "lost": LinkFaults(loss_permille=200),
    "duplicated": LinkFaults(duplicate_permille=200),
    "reordered": LinkFaults(reorder_permille=200, reorder_us_max=1_000),
    "spiked": LinkFaults(spike_permille=200, spike_us_min=300_000, spike_us_max=3_000_000),
    "corrupted": LinkFaults(corrupt_permille=200),
}
DICE = {
    "lost": "loss",
    "duplicated": "duplicate",
    "reordered": "reorder",
    "spiked": "spike",
    "corrupted": "corrupt",
}


def _disturb(faults: LinkFaults) -> tuple[NetworkCounters, list[list[tuple[bytes, int]]]]:
    counters = NetworkCounters()
    disturber: LinkDisturber[bytes] = LinkDisturber(Scheduler(1), counters, None)
    disturber.faults = faults
    return counters, [disturber.disturb(b"message", 50_000) for _ in range(DRAWS)]


@pytest.mark.parametrize("kind", KINDS)
def test_each_fault_fires_as_often_as_asked_and_no_other_does(kind: str) -> None:
    counters, _ = _disturb(KINDS[kind])
    fired = {name: getattr(counters, name) for name in KINDS}
    assert 320 <= fired.pop(kind) <= 480
    assert set(fired.values()) == {0}


@pytest.mark.parametrize("kind", KINDS)
def test_each_fault_uses_only_its_own_dice(kind: str) -> None:
    scheduler, fresh = Scheduler(1), Scheduler(1)
    disturber: LinkDisturber[bytes] = LinkDisturber(scheduler, NetworkCounters(), None)
    disturber.faults = KINDS[kind]
    for _ in range(DRAWS):
        disturber.disturb(b"message", 50_000)
    used = [
        label
        for label in DICE.values()
        if scheduler.rng(f"network.{label}").random() != fresh.rng(f"network.{label}").random()
    ]
    assert used == [DICE[kind]]


def test_no_faults_leave_a_message_alone() -> None:
    _, fates = _disturb(LinkFaults())
    assert all(fate == [(b"message", 50_000)] for fate in fates)


def test_lost_message_leaves_nothing() -> None:
    counters, fates = _disturb(KINDS["lost"])
    assert sum(not fate for fate in fates) == counters.lost == counters.dropped


def test_delays_stay_in_their_ranges() -> None:
    _, reordered = _disturb(KINDS["reordered"])
    assert all(0 <= fate[0][1] - 50_000 <= 1_000 for fate in reordered)
    _, spiked = _disturb(KINDS["spiked"])
    extras_us = {fate[0][1] - 50_000 for fate in spiked} - {0}
    assert min(extras_us) >= 300_000
    assert max(extras_us) <= 3_000_000


def test_duplicate_comes_no_earlier_than_the_original() -> None:
    _, fates = _disturb(KINDS["duplicated"])
    twins = [fate for fate in fates if len(fate) == 2]
    assert twins
    assert all(first[1] <= second[1] and first[0] == second[0] for first, second in twins)


@given(st.binary(min_size=1), st.integers(0, 1000))
def test_flipped_payload_differs_in_one_bit(payload: bytes, seed: int) -> None:
    flipped = flip_bit(payload, Random(seed))
    difference = int.from_bytes(payload, "big") ^ int.from_bytes(flipped, "big")
    assert len(flipped) == len(payload)
    assert difference.bit_count() == 1


def test_object_is_damaged_by_the_hook_or_lost() -> None:
    always = LinkFaults(corrupt_permille=1000)
    counters = NetworkCounters()
    hooked = LinkDisturber(Scheduler(1), counters, lambda message, _rng: (message[0] + 1,))
    hooked.faults = always
    assert hooked.disturb((1,), 5) == [((2,), 5)]
    unreadable: LinkDisturber[tuple[int]] = LinkDisturber(Scheduler(1), counters, None)
    unreadable.faults = always
    assert unreadable.disturb((1,), 5) == []
    assert (counters.corrupted, counters.unreadable) == (2, 1)


def test_undamaged_twin_of_a_damaged_message_still_comes() -> None:
    both = LinkFaults(corrupt_permille=1000, duplicate_permille=1000)
    _, fates = _disturb(both)
    assert all(damaged[0] != b"message" and twin[0] == b"message" for damaged, twin in fates)
