"""What all arms say together: figures, paired differences, and what must hold."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from benchmarks.comparison import Row, compare
from benchmarks.federated.settings import Arm, Record, Settings
from benchmarks.federated.statistics import (
    POINTS,
    Difference,
    Spread,
    differences_to,
    spreads_of,
)

EXACT: Final = 1e-4
"""The greatest relative error of our mean against the exact one."""

_ROWS: Final = {"accuracy": ("wrong answers", "points"), "perplexity": ("perplexity", "")}
"""What a row shows of a figure: less is better in every row."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The object that `--json` prints last.

    Args:
        rows: the share of wrong answers, or the perplexity, beside each other arm's.
        arms: figures on the test split by arm and name, shares from 0 to 1.
        samples: texts that went through training, by arm, mean over seeds.
        facts: what arms tell besides, by arm and name; the mean over seeds, of maxima the greatest.
        checks: what must hold, by name.
    """

    benchmark: str
    rows: tuple[Row, ...]
    settings: Settings
    seeds: tuple[int, ...]
    arms: dict[str, dict[str, Spread]]
    samples: dict[str, float]
    facts: dict[str, dict[str, float]]
    differences: tuple[Difference, ...]
    checks: dict[str, bool]


def sum_up(
    settings: Settings, records: Mapping[Arm, Sequence[Record]], seeds: tuple[int, ...]
) -> Outcome:
    """Return the figures of all arms and what they say about ours."""
    compared = [other for other in records if other not in (Arm.OURS, Arm.LOCAL)]
    figures = {arm.value: spreads_of(found) for arm, found in records.items()}
    differences = tuple(one for other in compared for one in differences_to(other, records))
    facts = {arm.value: _facts(found) for arm, found in records.items()}
    return Outcome(
        benchmark="federated",
        rows=tuple(_row(one, figures) for one in differences if one.figure in _ROWS),
        settings=settings,
        seeds=seeds,
        arms=figures,
        samples={
            arm.value: _mean([one.samples for one in found]) for arm, found in records.items()
        },
        facts=facts,
        differences=differences,
        checks=_checks(facts.get(Arm.OURS.value, {})),
    )


def _row(difference: Difference, figures: Mapping[str, Mapping[str, Spread]]) -> Row:
    ours, theirs = (
        POINTS * (1 - mean) if difference.figure == "accuracy" else mean
        for arm in (Arm.OURS, difference.other)
        for mean in (figures[arm.value][difference.figure].mean,)
    )
    case, unit = _ROWS[difference.figure]
    goal = None if difference.goal is None else (theirs + difference.goal) / theirs
    return compare(case, unit, ours, peer_name=difference.other.value, peer=theirs, goal=goal)


def _checks(ours: Mapping[str, float]) -> dict[str, bool]:
    """Return what must hold; the average is not among it where no round took an update."""
    checks: dict[str, bool] = {}
    if (error := ours.get("error_of_change_max")) is not None:
        checks["our mean is within 1e-4 of the exact one"] = error < EXACT
    if (checked := ours.get("export_checked")) is not None:
        checks["plain transformers and peft give our answers"] = ours["export_same"] == checked
    return checks


def _facts(records: Sequence[Record]) -> dict[str, float]:
    names = sorted({name for record in records for name in record.facts})
    return {
        name: (max if name.endswith("_max") else _mean)(
            [record.facts[name] for record in records if name in record.facts]
        )
        for name in names
    }


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
