"""The nemesis: every kind of fault really happens, limits hold, and peace is peace."""

import pytest

from devnet.simulator.kernel.clocks import WALL_ORIGIN_MS
from devnet.simulator.kernel.faults import ALL_FAULTS, FaultKind, FaultPlan, draw_plan, draw_swarm
from devnet.simulator.kernel.nemesis import HEALED_RATE_PERMILLE_MAX, Nemesis
from devnet.simulator.kernel.network import LinkOrder
from tests.devnet.simulator.kernel.toy import SyncHabit, World, chaotic_world

HEAL_AT_S = 20


def _world(
    seed: int, kinds: tuple[FaultKind, ...], *, habit: SyncHabit = SyncHabit.BEFORE_SENDING
) -> tuple[World, Nemesis]:
    # A slow sync leaves crashes room to hit while it runs.
    world = World(seed, habit=habit, sync_us=20_000)
    for machine in world.machines:
        machine.start()
    plan = draw_plan(kinds, world.scheduler.rng)
    return world, world.suffer(plan, heal_at_us=HEAL_AT_S * 1_000_000)


def _repeats(world: World) -> int:
    """Count the numbers that a node said twice."""
    return sum(len(numbers) - len(set(numbers)) for numbers in world.record.spoken.values())


@pytest.mark.parametrize("kind", list(FaultKind))
def test_each_kind_of_fault_fires(kind: FaultKind) -> None:
    for seed in range(5):
        world, nemesis = _world(seed, (kind,))
        world.run(HEAL_AT_S // 2)
        assert nemesis.fired_counts().keys() == {kind}
        if nemesis.fired_counts()[kind] > 0:
            return
    pytest.fail(f"{kind} never fired")


def test_no_plan_hurts_nobody() -> None:
    world, nemesis = _world(1, ())
    world.run(HEAL_AT_S)
    counters = world.network.counters
    assert nemesis.fired_counts() == {}
    assert counters.dropped == counters.duplicated == 0
    assert all(machine.counters.crashes == 0 for machine in world.machines)


def test_never_more_machines_are_down_than_allowed() -> None:
    kinds = (FaultKind.CRASH, FaultKind.CRASH_AT_EFFECT, FaultKind.DISK_ERROR, FaultKind.AMNESIA)
    for seed in range(5):
        world, _ = _world(seed, kinds)
        down_count = 0
        while world.scheduler.now_us < HEAL_AT_S * 1_000_000:
            world.scheduler.step()
            down_count = max(down_count, sum(not machine.is_up for machine in world.machines))
        assert down_count == 1


def test_never_more_machines_lose_their_memory_than_allowed() -> None:
    world, nemesis = _world(3, (FaultKind.AMNESIA,))
    forgetful: set[int] = set()
    while world.scheduler.now_us < HEAL_AT_S * 1_000_000:
        world.scheduler.step()
        forgetful.update(
            machine.node
            for machine in world.machines
            if not machine.is_up and not machine.disk.records("numbers")
        )
    assert nemesis.fired_counts()[FaultKind.AMNESIA] >= 2
    assert len(forgetful) == 1


@pytest.mark.parametrize("seed", range(5))
def test_peace_leaves_no_fault_behind(seed: int) -> None:
    world, nemesis = _world(seed, tuple(FaultKind))
    world.run(HEAL_AT_S)
    assert nemesis.is_healed
    nemesis.heal()
    before = world.network.counters
    dropped, slowed, clogged = before.dropped, before.slowed, before.clogged
    heard_count = world.record.heard_count
    now_us = world.scheduler.now_us
    for machine in world.machines:
        assert machine.is_up
        assert not machine.is_paused
        assert not machine.has_planned_crash
        assert not machine.disk.will_fail
        assert machine.processing_us == machine.disk.slow_us_mean == 0
        assert abs(machine.clock.rate_error_permille) <= HEALED_RATE_PERMILLE_MAX
        wall_error_ms = machine.now().wall_ms - WALL_ORIGIN_MS - now_us // 1000
        assert abs(wall_error_ms) <= 1
    world.run(HEAL_AT_S + 10)
    after = world.network.counters
    assert (after.dropped, after.slowed, after.clogged) == (dropped, slowed, clogged)
    # 10 s, a beat each 60 ms, 4 nodes, 3 listeners, each answering.
    assert world.record.heard_count - heard_count > 3_500


def test_healing_disarms_what_has_not_struck_yet() -> None:
    world, nemesis = _world(1, ())
    for machine in world.machines:
        machine.crash_before_effect(100)
        machine.disk.fail_next_sync()
        machine.disk.slow_us_mean = 1_000_000
    nemesis.heal()
    world.run(HEAL_AT_S)
    assert all(machine.counters.crashes == 0 for machine in world.machines)
    assert all(machine.counters.timers > 100 for machine in world.machines)


def test_programs_that_sync_before_they_send_never_repeat_themselves() -> None:
    kinds = tuple(kind for kind in ALL_FAULTS if kind is not FaultKind.AMNESIA)
    for seed in range(6):
        world, _ = _world(seed, kinds)
        world.run(HEAL_AT_S)
        assert _repeats(world) == 0


def test_programs_that_send_before_they_sync_are_caught() -> None:
    kinds = (FaultKind.CRASH, FaultKind.CRASH_AT_EFFECT)
    worlds = [_world(seed, kinds, habit=SyncHabit.AFTER_SENDING)[0] for seed in range(6)]
    for world in worlds:
        world.run(HEAL_AT_S)
    assert sum(_repeats(world) > 0 for world in worlds) >= 3


def test_amnesia_and_rollback_make_programs_repeat_themselves() -> None:
    for kind in (FaultKind.AMNESIA, FaultKind.ROLLBACK):
        world, nemesis = _world(2, (kind,))
        world.run(HEAL_AT_S)
        assert nemesis.fired_counts()[kind] > 0
        assert _repeats(world) > 0


def test_swarm_runs_on_ordered_links_too() -> None:
    world = World(4, order=LinkOrder.FIFO, node_count=7)
    for machine in world.machines:
        machine.start()
    plan = draw_swarm(ALL_FAULTS, world.scheduler.rng)
    world.suffer(plan, heal_at_us=5_000_000, amnesiacs_max=2)
    world.run(6)
    assert world.record.heard_count > 1_000


def test_lone_node_has_no_links_to_cut() -> None:
    world = World(1, node_count=1)
    plan = draw_plan(tuple(FaultKind), world.scheduler.rng)
    assert isinstance(plan, FaultPlan)
    nemesis = world.suffer(plan, heal_at_us=5_000_000)
    world.run(6)
    assert nemesis.fired_counts()[FaultKind.PARTITION_SYMMETRIC] == 0


def test_same_seed_gives_the_same_run_within_one_process() -> None:
    first, first_nemesis = chaotic_world(11)
    second, second_nemesis = chaotic_world(11)
    assert first.scheduler.trace_hash() == second.scheduler.trace_hash()
    assert first_nemesis.fired_counts() == second_nemesis.fired_counts()
    assert chaotic_world(12)[0].scheduler.trace_hash() != first.scheduler.trace_hash()
