"""What whole networks promise, each claim on one small run."""

import json
import os
import subprocess
import sys
from itertools import pairwise

import pytest

from consensus.parameters import Parameters, Tuning
from devnet.simulator.validators.simulation import Scenario, Simulation
from devnet.simulator.validators.swarm import draw_scenario
from primitives.errors import ConfigurationError

NO_DELAY = Tuning(min_round_delay_ms=0)
ONE_WAY_US = 50_000


@pytest.mark.parametrize("nodes", [4, 7])
def test_good_case_takes_exactly_three_delays_for_leaders_and_four_for_all(nodes: int) -> None:
    simulation = Simulation(
        Scenario(nodes=nodes, seconds=9, latency="fixed:50", tuning=NO_DELAY, payload_per_s=1)
    )
    report = simulation.run()
    assert report.verdict == "pass"
    assert report.commits > 100
    assert set(simulation.ledger.leader_latencies_us) == {3 * ONE_WAY_US}
    assert max(simulation.ledger.latencies_us) == 4 * ONE_WAY_US
    assert report.latency_delays_p50 in {3, 4}
    assert report.latency_delays_max == 4


def test_all_leaders_per_round_commit_every_block_in_three_delays() -> None:
    parameters = Parameters(leaders_per_round=4, schedule_window=1_000)
    simulation = Simulation(
        Scenario(seconds=9, latency="fixed:50", tuning=NO_DELAY, parameters=parameters)
    )
    assert simulation.run().verdict == "pass"
    assert set(simulation.ledger.latencies_us) == {3 * ONE_WAY_US}


def test_crashed_validator_costs_one_timeout_a_slot_and_none_after_the_boundary() -> None:
    parameters = Parameters(schedule_window=20, gc_depth=60)
    simulation = Simulation(
        Scenario(
            seconds=12,
            latency="fixed:10",
            byzantine="silent:1",
            tuning=NO_DELAY,
            parameters=parameters,
        )
    )
    report = simulation.run()
    assert report.verdict == "pass"
    core = simulation.validators[0].current.core
    times = simulation.ledger.advanced_us[0]
    gaps = [after - before for before, after in pairwise(times)]
    timeout_us = 2 * 1000 * Tuning().delta_initial_ms
    assert max(gaps[:20]) <= timeout_us + 6 * 10_000
    assert max(gaps[20:]) <= 4 * 10_000, "a timeout after the schedule boundary"
    assert all(3 not in core.leaders(core.clock_round + ahead) for ahead in range(50))


@pytest.mark.parametrize(
    ("pacemaker", "verdict"), [("repaired", "pass"), ("jumping", "no-progress")]
)
def test_round_jump_adversary_stalls_the_chain_only_without_the_repair(
    pacemaker: str, verdict: str
) -> None:
    report = Simulation(Scenario(seconds=12, byzantine="denier:1", pacemaker=pacemaker)).run()
    assert report.verdict == verdict, report.reason
    if verdict == "pass":
        assert report.commits > 100
    else:
        assert report.commits == 0
        assert report.rounds > 100, "it must stall although rounds go by"


def test_more_than_f_equivocators_break_safety_so_the_oracle_can_fail() -> None:
    verdicts = {
        Simulation(Scenario(seed=seed, seconds=15, byzantine="twins:2", latency="wan5"))
        .run()
        .verdict
        for seed in range(4)
    }
    assert verdicts != {"pass"}


def test_same_seed_has_one_trace_under_three_hash_seeds() -> None:
    command = [sys.executable, "-m", "devnet.simulator", "run", "--seed", "11", "--nodes", "4"]
    command += ["--seconds", "15", "--swarm", "--json"]
    hashes = {
        json.loads(
            subprocess.run(
                command,
                env=os.environ | {"PYTHONHASHSEED": hash_seed},
                capture_output=True,
                check=False,
            ).stdout
        )["trace_hash"]
        for hash_seed in ("0", "1", "4242")
    }
    assert len(hashes) == 1


def test_same_seed_twice_in_one_process_has_one_trace() -> None:
    scenario = draw_scenario(5, nodes=4, seconds=12)
    assert Simulation(scenario).run().trace_hash == Simulation(scenario).run().trace_hash


@pytest.mark.parametrize("seed", [3, 13, 30, 100, 146, 168, 218])
def test_seeds_that_once_failed_pass(seed: int) -> None:
    report = Simulation(draw_scenario(seed, nodes=4, seconds=18)).run()
    assert report.verdict == "pass", report.reason + "\n" + report.replay


def test_epochs_follow_each_other_and_keep_committing() -> None:
    report = Simulation(Scenario(seconds=20, epoch_s=4, powers="uneven")).run()
    assert report.verdict == "pass"
    assert report.epochs >= 4


@pytest.mark.parametrize(
    ("byzantine", "word"), [("twinz:1", "twins"), ("twins:x", "twins:1"), ("twins:4", "honest")]
)
def test_bad_byzantine_text_gets_one_line_that_helps(byzantine: str, word: str) -> None:
    with pytest.raises(ConfigurationError, match=word):
        Simulation(Scenario(byzantine=byzantine))
