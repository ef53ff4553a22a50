"""What the tables must show, as rows beside the clean federation or a limit."""

from collections.abc import Iterable, Iterator, Mapping
from statistics import fmean
from typing import Final

import msgspec

from benchmarks.comparison import Row, compare
from benchmarks.poisoning.cells import FEDAVG, POQ, PROBED, Cell, Found

POINTS: Final = "points below clean FedAvg"
DETECTED: Final = ("signflip", "scaling", "labelflip")
UNPAID: Final = ("zero", "copycat", "replay")
FALSE_ALARMS: Final = 0.01
LOSS_MAX: Final[Mapping[int, float]] = {0: 0.3, 40: 1.0, 50: 2.0}
MISSED_PERCENT_MAX: Final = 1.0
BACKDOOR_POINTS_MAX: Final = 5.0
LYING_POINTS_MAX: Final = 1.0

Results = Mapping[Cell, Found]


def clean(seed: int) -> Cell:
    """Return the cell of FedAvg in floats that nobody attacks: the peer of all others.

    Its clients train as all do, with the adjustment: what that gains is no merit of a defence.
    """
    return Cell(attack="none", rule=FEDAVG, percent=0, seed=seed)


def loss(results: Results, cell: Cell) -> float:
    """Return by how many points a federation stays below the clean one of its seed."""
    return 100 * (results[clean(cell.seed)].accuracy - results[cell].accuracy)


def mean_loss(results: Results, cells: Iterable[Cell]) -> float:
    """Return the mean over seeds of the paired differences."""
    return fmean(loss(results, cell) for cell in cells)


def detection(results: Results, attack: str) -> float | None:
    """Return the share of attackers whose score in round one gives them away.

    The threshold is the score under which one honest trainer in a hundred is.
    """
    found = [
        one
        for cell, one in results.items()
        if cell.attack == attack and cell.rounds == 1 and cell.rule == POQ
    ]
    honest = sorted(score for one in found for score in one.honest_scores)
    attackers = [score for one in found for score in one.attacker_scores]
    if not honest or not attackers:
        return None
    threshold = honest[int(FALSE_ALARMS * len(honest))]
    return sum(score < threshold for score in attackers) / len(attackers)


def without_goals(rows: Iterable[Row]) -> list[Row]:
    """Return the rows of a run whose texts are too few for its goals."""
    return [msgspec.structs.replace(row, goal=None, met=None) for row in rows]


def rows_of(results: Results) -> list[Row]:
    """Return every row that the results allow."""
    return [
        *_clean_rows(results),
        *_worst_rows(results),
        *_detection_rows(results),
        *_pay_rows(results),
        *_backdoor_rows(results),
        *_lying_rows(results),
    ]


def table_cells(results: Results) -> dict[tuple[str, str, int], list[Cell]]:
    """Return the cells of the great table by attack, rule and percent: one for each seed."""
    groups: dict[tuple[str, str, int], list[Cell]] = {}
    for cell in results:
        is_usual = cell == Cell(
            attack=cell.attack, rule=cell.rule, percent=cell.percent, seed=cell.seed
        )
        if is_usual and cell.rule != FEDAVG:
            groups.setdefault((cell.attack, cell.rule, cell.percent), []).append(cell)
    return groups


def worst(results: Results, rule: str, percent: int) -> tuple[str, float] | None:
    """Return the attack under which a rule loses most, and how much."""
    losses = [
        (mean_loss(results, cells), attack)
        for (attack, its_rule, its_percent), cells in table_cells(results).items()
        if (its_rule, its_percent) == (rule, percent)
    ]
    if not losses:
        return None
    points, attack = max(losses)
    return attack, points


def _clean_rows(results: Results) -> Iterator[Row]:
    cells = table_cells(results).get(("none", POQ, 0))
    if cells:
        yield _limit("poq, nobody attacks", POINTS, mean_loss(results, cells), LOSS_MAX[0])


def _worst_rows(results: Results) -> Iterator[Row]:
    table = table_cells(results)
    for rule in dict.fromkeys(rule for _, rule, _ in table):
        for percent in sorted({percent for _, its, percent in table if its == rule} - {0}):
            found = worst(results, rule, percent)
            if found is None:
                continue
            attack, points = found
            goal = LOSS_MAX.get(percent) if rule == POQ else None
            yield _limit(f"{rule}, {percent} % {attack}", POINTS, points, goal)


def _detection_rows(results: Results) -> Iterator[Row]:
    for attack in DETECTED:
        share = detection(results, attack)
        if share is not None:
            missed, unit = 100 * (1 - share), "% missed in round one, 1 % false alarms"
            yield _limit(f"poq, {attack} found", unit, missed, MISSED_PERCENT_MAX)


def _pay_rows(results: Results) -> Iterator[Row]:
    for attack in UNPAID:
        paid = [
            one
            for (its, rule, percent), cells in table_cells(results).items()
            if (its, rule) == (attack, POQ) and percent
            for one in (results[cell] for cell in cells)
        ]
        if paid:
            ours = float(sum(one.attacker_pay for one in paid))
            honest = fmean(one.honest_pay for one in paid)
            yield compare(
                f"poq, {attack} paid",
                "grains",
                ours,
                peer_name="an honest trainer",
                peer=honest,
                goal=0.0,
            )


def _backdoor_rows(results: Results) -> Iterator[Row]:
    table = table_cells(results)
    for rule in dict.fromkeys(rule for _, rule, _ in table):
        cells = table.get(("backdoor", rule, 20))
        if cells:
            success = 100 * fmean(results[cell].backdoor for cell in cells)
            open_anyway = 100 * fmean(results[clean(cell.seed)].backdoor for cell in cells)
            goal = BACKDOOR_POINTS_MAX if rule in (POQ, PROBED) else None
            case, unit = f"{rule}, 20 % backdoor opens", "points above clean"
            yield _limit(case, unit, success - open_anyway, goal)


def _lying_rows(results: Results) -> Iterator[Row]:
    groups: dict[tuple[str, int, int], list[Cell]] = {}
    for cell in results:
        if cell.validators != 7:
            groups.setdefault((cell.lie, cell.liars, cell.silent), []).append(cell)
    for (lie, liars, silent), cells in sorted(groups.items()):
        share = 100 * (liars + silent) // cells[0].validators
        points = mean_loss(results, cells)
        if silent:
            nulls = fmean(results[cell].nulls for cell in cells)
            case = f"poq, {share} % of stake silent, {nulls:.0f} null rounds"
            yield _limit(case, POINTS, points, None)
        else:
            goal = LYING_POINTS_MAX if share < 50 else None
            yield _limit(f"poq, {share} % of stake lies ({lie})", POINTS, points, goal)


def _limit(case: str, unit: str, ours: float, goal: float | None) -> Row:
    """Return a row whose peer is the greatest figure that is good enough."""
    limit = goal if goal is not None else 1.0
    name = "the limit" if goal is not None else "one"
    row = compare(case, unit, ours, peer_name=name, peer=limit)
    return row if goal is None else compare(case, unit, ours, peer_name=name, peer=limit, goal=1.0)
