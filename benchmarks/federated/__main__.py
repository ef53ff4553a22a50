"""Run the benchmark and print its tables."""

import sys
from collections.abc import Sequence

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.comparison import TABLE_COLUMNS
from benchmarks.federated.measure import measure
from benchmarks.federated.options import options_of
from benchmarks.federated.outcome import Outcome
from benchmarks.federated.settings import Arm
from fl.jobs.subject import ModelKind
from primitives.errors import HanseError


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    options = options_of(arguments)
    try:
        outcome = measure(options)
    except (HanseError, ValueError) as error:
        sys.exit(f"error: {error}")
    _print(outcome)
    if options.json:
        print(msgspec.json.encode(outcome).decode())


def _print(outcome: Outcome) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=TABLE_COLUMNS)
    console.print(_arms_table(outcome))
    console.print(_differences_table(outcome))
    for arm in (Arm.FEDIT, Arm.OURS):
        error = outcome.facts.get(arm.value, {}).get("error_of_product_mean")
        if error is not None:
            console.print(f"{arm.value}: relative error of the average product {error:.3g}")
    for name, holds in outcome.checks.items():
        console.print(f"{name}: {'yes' if holds else 'NO'}")


def _arms_table(outcome: Outcome) -> Table:
    is_class = outcome.settings.task is ModelKind.CLASSIFICATION
    names = ("accuracy", "f1", "precision", "recall") if is_class else ("perplexity", "accuracy")
    table = Table(title="on the test split", title_justify="left", box=box.SIMPLE)
    for heading in ("arm", *names, "loss", "texts trained on"):
        table.add_column(heading, justify="left" if heading == "arm" else "right")
    for arm, figures in outcome.arms.items():
        cells = [f"{figures[name].mean:.4f} ± {figures[name].deviation:.4f}" for name in names]
        table.add_row(arm, *cells, f"{figures['loss'].mean:.4f}", f"{outcome.samples[arm]:,.0f}")
    return table


def _differences_table(outcome: Outcome) -> Table:
    table = Table(title="ours less the other arm", title_justify="left", box=box.SIMPLE)
    for heading in ("other arm", "figure", "difference", "95 % interval", "goal", "met"):
        table.add_column(heading, justify="left" if heading in {"other arm", "figure"} else "right")
    for one in outcome.differences:
        table.add_row(
            one.other.value,
            one.figure,
            f"{one.mean:+.2f} {one.unit}",
            f"{one.low:+.2f} to {one.high:+.2f}",
            "" if one.goal is None else f"at least -{one.goal:g}",
            "" if one.met is None else ("yes" if one.met else "no"),
        )
    return table


if __name__ == "__main__":
    main()
