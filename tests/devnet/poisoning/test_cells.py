"""The tables of the poisoning benchmark, from results that were made up."""

from pathlib import Path

from benchmarks.poisoning.cells import POQ, Cell, Found, ResultsFile
from benchmarks.poisoning.goals import (
    clean,
    detection,
    loss,
    rows_of,
    table_cells,
    without_goals,
    worst,
)

SETTING = "a setting"


def _found(cell: Cell, accuracy: float = 0.8, **fields: object) -> Found:
    return Found(cell=cell, setting=SETTING, accuracy=accuracy, backdoor=0.0, **fields)  # type: ignore[arg-type]


def _poq(attack: str, percent: int, seed: int = 0, rounds: int = 0) -> Cell:
    return Cell(attack=attack, rule=POQ, percent=percent, seed=seed, rounds=rounds)


def test_finished_cells_are_read_back_and_those_of_other_settings_are_not(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    found = _found(_poq("ipm", 40), refusals={"malformed": 2})
    ResultsFile(path, setting=SETTING).append(found)
    assert ResultsFile(path, setting=SETTING).read() == {found.cell: found}
    assert ResultsFile(path, setting="another").read() == {}


def test_line_that_was_cut_off_is_done_again(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    file = ResultsFile(path, setting=SETTING)
    file.append(_found(_poq("ipm", 40)))
    path.write_bytes(path.read_bytes() + b'{"cell":{"attack":')
    assert list(file.read()) == [_poq("ipm", 40)]
    file.append(_found(_poq("alie", 40)))
    assert list(file.read()) == [_poq("ipm", 40), _poq("alie", 40)]


def test_loss_is_measured_against_the_clean_federation_of_the_same_seed() -> None:
    cell = _poq("ipm", 40, seed=3)
    results = {clean(3): _found(clean(3), 0.85), cell: _found(cell, 0.84)}
    assert round(loss(results, cell), 6) == 1.0


def test_worst_attack_is_the_one_with_the_greatest_mean_loss() -> None:
    cells = {_poq("ipm", 40): 0.80, _poq("alie", 40): 0.79, clean(0): 0.85}
    results = {cell: _found(cell, accuracy) for cell, accuracy in cells.items()}
    found = worst(results, POQ, 40)
    assert found is not None
    assert found[0] == "alie"
    assert worst(results, POQ, 50) is None


def test_single_rounds_and_other_juries_stay_out_of_the_great_table() -> None:
    single = _poq("ipm", 40, rounds=1)
    jury = Cell(attack="ipm", rule=POQ, percent=40, seed=0, validators=10)
    results = {cell: _found(cell) for cell in (single, jury, _poq("ipm", 40))}
    assert list(table_cells(results).values()) == [[_poq("ipm", 40)]]


def test_detection_counts_attackers_below_all_but_one_honest_trainer_in_a_hundred() -> None:
    cell = _poq("signflip", 40, rounds=1)
    found = _found(cell, honest_scores=tuple(range(100, 200)), attacker_scores=(-5, 50, 100, 150))
    assert detection({cell: found}, "signflip") == 0.75
    assert detection({}, "signflip") is None


def test_paid_copies_miss_the_goal_and_unpaid_ones_meet_it() -> None:
    cell = _poq("copycat", 40)
    for pay, met in ((0, True), (1, False)):
        results = {
            clean(0): _found(clean(0)),
            cell: _found(cell, attacker_pay=pay, honest_pay=5.0),
        }
        assert [row.met for row in rows_of(results) if "paid" in row.case] == [met]


def test_too_few_texts_have_no_goals() -> None:
    cell = _poq("none", 0)
    results = {clean(0): _found(clean(0)), cell: _found(cell)}
    assert any(row.goal is not None for row in rows_of(results))
    assert all(row.goal is None for row in without_goals(rows_of(results)))
