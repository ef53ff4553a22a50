"""Scenarios drawn from their seed: committee, powers, latency, faults, attackers and every knob.

Identical constants everywhere hide bugs (FoundationDB's BUGGIFY), so batch sizes, windows and
timeouts shrink and grow per seed. The command that replays a seed needs nothing but the seed.
"""

from random import Random

from consensus.parameters import Parameters, Tuning
from devnet.simulator.kernel.dice import chance, pick
from devnet.simulator.validators.simulation import Scenario

SIZES = (4, 7, 10)
LATENCIES = ("lan", "lan:jitter:tail", "wan5", "wan5:jitter", "wan5:jitter:tail", "fixed:40")


def draw_scenario(seed: int, *, nodes: int | None, seconds: int) -> Scenario:
    """Draw the scenario of a seed, its committee size too if `nodes` is None."""
    # One generator, drawn from in a fixed order: the seed alone decides.
    rng = Random(seed)
    size = pick(rng, SIZES)
    size = size if nodes is None else nodes
    latency = pick(rng, LATENCIES)
    return Scenario(
        seed=seed,
        nodes=size,
        seconds=seconds,
        faults="swarm",
        byzantine="swarm",
        latency=latency,
        powers=pick(rng, ("equal", "uneven")),
        epoch_s=pick(rng, (None, None, 7, 15)),
        parameters=_draw_parameters(rng, size),
        tuning=_draw_tuning(rng, is_lan=latency.startswith("lan")),
        is_swarm=True,
    )


def _draw_parameters(rng: Random, size: int) -> Parameters:
    return Parameters(
        leaders_per_round=pick(rng, (1, 1, 2, size)),
        gc_depth=pick(rng, (15, 40, 100)),
        schedule_window=pick(rng, (5, 10, 30, 100)),
    )


def _draw_tuning(rng: Random, *, is_lan: bool) -> Tuning:
    if chance(rng, 300):
        return Tuning()
    return Tuning(
        # At LAN latency and no delay a second holds 500 rounds: no more faults, only more CPU.
        min_round_delay_ms=pick(rng, (20, 50, 100) if is_lan else (0, 20, 50, 100)),
        delta_initial_ms=pick(rng, (50, 250, 1_000)),
        backoff_after_rounds=pick(rng, (4, 12)),
        tick_ms=pick(rng, (100, 250)),
        fetch_timeout_ms=pick(rng, (300, 1_000)),
        fetch_refs_max=pick(rng, (20, 200)),
        fetch_blocks_max=pick(rng, (20, 200)),
        novelty_max=pick(rng, (2, 50, 500)),
        commit_batch=pick(rng, (5, 20, 100)),
        suspended_per_author_max=pick(rng, (30, 400)),
        missing_per_author_max=pick(rng, (40, 2_000)),
        push_lag_max=pick(rng, (0, 20)),
        idle_round_delay_ms=pick(rng, (0, 0, 200)),
    )
