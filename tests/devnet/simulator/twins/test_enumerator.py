"""The right rules pass; wrong ones do not.

`tests/mutants/catalogue.py` holds wrong commit rules whose suites name this file.
"""

import json
import os
import shlex
from collections.abc import Sequence

import pytest
from typer.testing import CliRunner
from typing_extensions import override

from consensus.committee import Authority, Committee
from devnet.simulator.cli import app
from devnet.simulator.twins.cast import Cast
from devnet.simulator.twins.enumerator import VIOLATIONS_MAX, Enumerator, Report
from devnet.simulator.twins.summary import render_walk
from primitives.ids import Power

SLOW_SECONDS = float(os.environ.get("HANSE_TWINS_SECONDS", "60"))


class QuorumOfValidity(Committee):
    """Takes f + 1 for a quorum: two of them need not share an honest author."""

    def __init__(self, authorities: Sequence[Authority]) -> None:
        super().__init__(authorities)
        self.quorum = self.validity


class QuorumOfTooMany(Committee):
    """Never has a quorum."""

    def __init__(self, authorities: Sequence[Authority]) -> None:
        super().__init__(authorities)
        self.quorum = Power(self.total_power + 1)


class QuorumOfFewer(Committee):
    """Fails where everybody is of one mind."""

    @override
    def is_quorum(self, author_mask: int) -> bool:
        if author_mask == self.everyone:
            raise ArithmeticError("too many")
        return super().is_quorum(author_mask)


def walk(nodes: int = 4, *, rounds: int = 4, start: int = 0, scenarios: int) -> Report:
    return Enumerator(Cast(nodes), rounds=rounds, seed=1).run(start=start, scenarios=scenarios)


@pytest.mark.parametrize(("nodes", "scenarios"), [(4, 120), (7, 6)])
def test_right_rules_pass(nodes: int, scenarios: int) -> None:
    report = walk(nodes, scenarios=scenarios)
    assert not report.violations
    assert report.scenarios == scenarios
    assert report.commits > 2 * scenarios
    assert report.equivocations > scenarios // 2


@pytest.mark.slow
@pytest.mark.parametrize(("nodes", "rounds"), [(4, 5), (4, 8), (7, 4)])
def test_right_rules_pass_for_a_while(nodes: int, rounds: int) -> None:
    walked = Enumerator(Cast(nodes), rounds=rounds, seed=2).run(cpu_s=SLOW_SECONDS / 3)
    assert not walked.violations


def test_quorum_of_validity_diverges_and_the_replay_shows_it() -> None:
    cast = Cast(4, committee=QuorumOfValidity)
    report = Enumerator(cast, rounds=4, seed=1).run(scenarios=60)
    violation = report.violations[0]
    assert report.verdict == violation.verdict == "diverged"
    assert len(report.violations) == VIOLATIONS_MAX
    words = shlex.split(violation.replay)
    assert words[-4:] == ["--start", str(violation.index), "--scenarios", "1"]
    again = Enumerator(cast, rounds=4, seed=1).run(start=violation.index, scenarios=1)
    assert again.violations == [violation]


def test_network_that_never_commits_makes_no_progress() -> None:
    cast = Cast(4, committee=QuorumOfTooMany)
    report = Enumerator(cast, rounds=1, seed=1).run(scenarios=1)
    assert report.verdict == "no-progress"
    assert "leaders of rounds [0, 0, 0]" in report.violations[0].reason


def test_exception_of_a_core_is_a_finding() -> None:
    cast = Cast(4, committee=QuorumOfFewer)
    report = Enumerator(cast, rounds=1, seed=1).run(scenarios=1)
    assert report.verdict == "crashed"
    assert report.violations[0].reason == "ArithmeticError('too many')"


def test_walk_resumes_where_it_ended() -> None:
    whole = walk(scenarios=4)
    parts = [walk(start=0, scenarios=3), walk(start=3, scenarios=1)]
    assert whole.commits == sum(part.commits for part in parts)


def test_walk_ends_with_the_space() -> None:
    size = Enumerator(Cast(4), rounds=1, seed=1).space.size
    assert walk(rounds=1, start=size - 2, scenarios=10).scenarios == 2


def test_walk_ends_in_time() -> None:
    report = Enumerator(Cast(4), rounds=1, seed=1).run(cpu_s=0.05)
    assert 0 < report.scenarios < report.space


def test_command_prints_one_json_object() -> None:
    options = ["--scenarios", "3", "--rounds", "2", "--start", "7", "--json"]
    result = CliRunner().invoke(app, ["twins", *options])
    assert result.exit_code == 0
    shown = json.loads(result.stdout)
    assert (shown["verdict"], shown["scenarios"], shown["violations"]) == ("pass", 3, [])
    assert (shown["seed"], shown["nodes"], shown["rounds"]) == (1, 4, 2)
    assert shown["space"] == (4 * 106) ** 2
    assert shown.keys() >= {"scenarios_per_s", "cpu_s"}


def test_summary_tells_how_to_replay(capsys: pytest.CaptureFixture[str]) -> None:
    cast = Cast(4, committee=QuorumOfTooMany)
    render_walk(Enumerator(cast, rounds=2, seed=1).run(scenarios=1))
    shown = capsys.readouterr().out
    assert "no-progress" in shown
    assert "round 2, leader" in shown
    assert "replay: python -m devnet.simulator twins --nodes 4 --rounds 2" in shown
