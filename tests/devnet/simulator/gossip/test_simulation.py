"""What networks of gossip routers promise, with and without liars among them."""

import json
import os
import subprocess
import sys

import msgspec
import pytest
from typer.testing import CliRunner

from devnet.simulator.cli import app
from devnet.simulator.gossip.attackers import VICTIM
from devnet.simulator.gossip.report import Report
from devnet.simulator.gossip.scenario import WARM_UP_US, Scenario
from devnet.simulator.gossip.simulation import Simulation
from primitives.errors import ConfigurationError

SMALL = Scenario(nodes=16, seconds=10, dials=5)


def run(**scenario: object) -> Report:
    report = Simulation(msgspec.structs.replace(SMALL, **scenario)).run()
    assert report.verdict == "pass", report.reason + "\n" + report.replay
    return report


@pytest.mark.parametrize("latency", ["lan", "wan5:jitter"])
def test_every_message_reaches_every_node(latency: str) -> None:
    report = run(latency=latency)
    assert report.deliveries == report.messages * (SMALL.nodes - 1)
    assert report.mesh_min >= 5


@pytest.mark.parametrize("attack", ["spam", "flood", "withhold", "eclipse"])
def test_every_message_reaches_every_honest_node_whatever_the_others_do(attack: str) -> None:
    report = run(nodes=14, byzantine_permille=300, attacks=(attack,), seconds=9)
    assert (report.missed, report.honest_out) == (0, 0)
    if attack == "spam":
        assert report.attackers_out > 0


def test_sybils_on_few_addresses_do_not_get_into_the_mesh_of_their_victim() -> None:
    report = run(nodes=20, byzantine_permille=400, attacks=("eclipse",))
    commanders = report.byzantine["eclipse"]
    assert report.sybils == 10 * commanders == 80
    # Those who command them have addresses of their own.
    assert report.victim_mesh - report.victim_mesh_honest <= commanders
    assert report.victim_mesh_honest >= 2, "as many as the victim has to have dialled"
    assert report.attackers_out >= 40, "who shares an address with many is graylisted"


def test_nodes_tell_each_other_what_not_to_send() -> None:
    # Only payloads from a kilobyte on are worth an IDONTWANT.
    small, large = (run(size_bytes=size, flood_size_bytes_max=-1) for size in (1_000, 1_024))
    assert large.duplicates * 1.3 < small.duplicates


def test_flood_publishing_saves_hops() -> None:
    flooded, meshed = (
        run(nodes=20, seconds=9, flood_size_bytes_max=limit) for limit in (65_536, -1)
    )
    assert flooded.hops_mean < meshed.hops_mean


def test_node_behind_a_cut_is_missed_so_the_oracle_can_fail() -> None:
    simulation = Simulation(SMALL)
    links = [(3, node) for node in range(16)] + [(node, 3) for node in range(16)]
    simulation.scheduler.at(WARM_UP_US, simulation.network.block, links)
    report = simulation.run()
    assert report.verdict == "missed"
    assert report.missed >= report.messages


def test_honest_node_that_is_graylisted_by_another_is_unjust() -> None:
    simulation = Simulation(SMALL)

    def slander() -> None:
        router = simulation.nodes[VICTIM].router
        router.report_misbehaviour(next(iter(router.mesh_peers("simulation/blocks/1"))), count=99)

    simulation.scheduler.at(WARM_UP_US, slander)
    assert simulation.run().verdict == "unjust"


def test_same_seed_has_one_trace_and_another_seed_another() -> None:
    traces = [run(seed=seed, seconds=9, nodes=8).trace_hash for seed in (1, 1, 2)]
    assert traces[0] == traces[1] != traces[2]


@pytest.mark.slow
def test_same_seed_has_one_trace_under_three_hash_seeds() -> None:
    command = [sys.executable, "-m", "devnet.simulator", "gossip", "--nodes", "20"]
    command += ["--seconds", "10", "--byzantine", "0.3", "--json"]
    traces = {
        json.loads(
            subprocess.run(
                command,
                env=os.environ | {"PYTHONHASHSEED": hash_seed},
                capture_output=True,
                check=True,
            ).stdout
        )["trace_hash"]
        for hash_seed in ("0", "1", "4242")
    }
    assert len(traces) == 1


@pytest.mark.parametrize(
    ("scenario", "word"),
    [
        ({"attacks": ("spam", "spem")}, "spem"),
        ({"seconds": 8}, "at least 9 seconds"),
        ({"byzantine_permille": 1000}, "not all of them"),
        ({"nodes": 1}, "two nodes"),
    ],
)
def test_scenario_that_shows_nothing_gets_one_line(scenario: dict[str, object], word: str) -> None:
    with pytest.raises(ConfigurationError, match=word):
        Simulation(msgspec.structs.replace(SMALL, **scenario))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["every honest message reached", "hops mean", "replay: python -m"]),
        (["--grow", "6,8"], ["overhead", "pass"]),
        (["--json"], ['"verdict": "pass"', '"hops_mean"']),
    ],
)
def test_command_line_prints_hops_duplicates_and_bytes(
    arguments: list[str], words: list[str]
) -> None:
    command = ["gossip", "--nodes", "8", "--seconds", "9", "--rate", "1", *arguments]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert all(word in result.stdout for word in words)


@pytest.mark.slow
@pytest.mark.parametrize("permille", [0, 100, 300])
def test_hundred_nodes_hear_everything(permille: int) -> None:
    report = run(nodes=100, seconds=20, dials=10, byzantine_permille=permille)
    assert report.hops_max <= 5
    assert report.victim_mesh_honest >= 2


@pytest.mark.slow
def test_cost_of_a_message_does_not_grow_with_the_network() -> None:
    small, large = (
        run(nodes=nodes, seconds=15, dials=10, flood_size_bytes_max=-1) for nodes in (20, 200)
    )
    assert large.hops_mean < small.hops_mean + 1.5, "hops grow with the logarithm"
    assert large.overhead < small.overhead * 1.2
    assert large.duplicates < small.duplicates * 1.2
