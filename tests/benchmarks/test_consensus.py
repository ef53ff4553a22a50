"""The benchmark of consensus runs, commits everything, and prints what it promises."""

import json

import pytest

from benchmarks import comparison, consensus
from benchmarks.comparison import Row, compare
from benchmarks.steady_state import WARM_UP_ROUNDS, Setting

TINY = consensus.Effort(windows=2, window_blocks=8, window_rounds_min=2, warm_up_rounds=6)
KEYS = {"case", "unit", "ours", "peer_name", "peer", "ratio", "goal", "met"}


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return consensus.measure_rows(TINY, sizes=(3, 4))


def test_rows_cover_cost_stages_and_header(rows: list[Row]) -> None:
    cases = [row.case for row in rows]
    assert cases[:3] == ["n=3", "n=4", "n=4, the budget"]
    assert "n=4, commit and linearise" in cases
    assert "n=4, header" in cases
    assert "n=3 to n=4, header per further ancestor" in cases
    assert len(set(cases)) == len(cases)


def test_costs_are_measured_beside_a_verification(rows: list[Row]) -> None:
    cost = rows[0]
    assert cost.peer_name == consensus.VERIFICATION
    assert cost.ours > 0
    assert cost.peer > 0
    assert cost.ratio == cost.ours / cost.peer
    assert cost.met is (cost.ratio <= consensus.GOAL_VERIFICATIONS)


def test_json_is_the_last_line_and_one_object(
    rows: list[Row], capsys: pytest.CaptureFixture[str]
) -> None:
    comparison.run("consensus", lambda _is_quick: rows, ["--json"])
    outcome = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(outcome) == {"benchmark", "rows"}
    assert outcome["benchmark"] == "consensus"
    assert len(outcome["rows"]) == len(rows)
    assert all(set(row) == KEYS for row in outcome["rows"])


def test_table_alone_is_printed_without_json(
    rows: list[Row], capsys: pytest.CaptureFixture[str]
) -> None:
    patience = []

    def note(is_quick: bool) -> list[Row]:
        patience.append(is_quick)
        return rows

    comparison.run("consensus", note, ["--quick"])
    assert patience == [True]
    assert "{" not in capsys.readouterr().out


def test_row_without_a_goal_is_neither_met_nor_missed() -> None:
    row = compare("any", "us", 3.0, peer_name="another", peer=2.0)
    assert (row.ratio, row.goal, row.met) == (1.5, None, None)


def test_quorum_of_ancestors_makes_smaller_headers() -> None:
    few = consensus.Run(Setting(7, ancestors_count=5))
    many = consensus.Run(Setting(7))
    few.advance(4)
    many.advance(4)
    assert few.header_bytes() < many.header_bytes()


def test_memory_stands_still_once_rounds_leave_it() -> None:
    path = consensus.Run(Setting(4))
    path.advance(WARM_UP_ROUNDS)
    before = path.subject.memory["vertices"]
    path.advance(20)
    assert path.subject.memory["vertices"] == before


def test_figure_beside_nothing_is_a_row_too() -> None:
    assert compare("found", "errors", 0.0, peer_name="peer", peer=0.0, goal=1.0).met
    assert not compare("found", "errors", 2.0, peer_name="peer", peer=0.0, goal=1.0).met
