"""The benchmark of the ledger executes real commits on a real disk and prints what it promises."""

import pytest

from benchmarks import ledger
from benchmarks.comparison import Row

SIZES = (1_100, 1_200)


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return ledger.measure_rows(ledger.Effort(sizes=SIZES, commits=2))


def test_every_size_is_measured_with_its_stages(rows: list[Row]) -> None:
    cases = [row.case for row in rows]
    for size in SIZES:
        for name in ("transfer", "contract call"):
            case = f"{name}, {size:,} accounts"
            assert [other for other in cases if other.startswith(case)] == [
                case,
                *(f"{case}: {stage}" for stage in ("execute", "tree", "disk")),
            ]


def test_a_transfer_is_held_against_one_verification(rows: list[Row]) -> None:
    total = rows[0]
    assert total.peer_name == ledger.VERIFICATION
    assert total.goal == ledger.VERIFICATIONS_GOAL
    assert total.ratio == total.ours / total.peer
    assert total.ours == pytest.approx(sum(row.ours for row in rows[1:4]))


def test_growth_with_the_state_has_a_goal(rows: list[Row]) -> None:
    growth = [row for row in rows if row.goal == ledger.GROWTH_GOAL]
    assert [row.case for row in growth] == [
        "transfer, 1,100 to 1,200 accounts",
        "contract call, 1,100 to 1,200 accounts",
    ]
