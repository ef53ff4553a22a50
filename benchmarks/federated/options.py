"""The command line of the federated benchmark."""

import argparse
from collections.abc import Sequence
from typing import Any, Final

from benchmarks.federated.settings import Arm, Division, Settings
from fl.jobs.local_terms import RateSchedule
from fl.jobs.subject import ModelKind
from fl.rules.aggregation.outer import OuterRule
from fl.rules.aggregation.rule import Rule
from fl.rules.limits import ONE
from fl.rules.update.norms import NORM_ONE

QUICK: Final[dict[str, Any]] = {
    "rounds": 2,
    "train_max": 160,
    "test_max": 96,
    "hold_out": 42,
    "max_length": 48,
    "layers": 1,
}
QUICK_CAUSAL: Final[dict[str, Any]] = {"train_max": 64, "test_max": 48}
"""Such texts are packed, none is cut."""

QUICK_SEEDS: Final = 2


def options_of(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.federated")
    _add_source(parser)
    _add_training(parser)
    _add_ours(parser)
    parser.add_argument("--seeds", type=int, help="how many (3)")
    parser.add_argument("--arms", type=_arms, default=tuple(Arm), help="such as ours,fedavg (all)")
    parser.add_argument("--jobs", type=int, default=2, help="processes, one arm and seed each")
    parser.add_argument("--threads", type=int, default=1, help="of each process")
    parser.add_argument("--export", default="", help="a folder for the adapters of our arm")
    parser.add_argument("--results", default="", help="a JSONL file, to go on where a run ended")
    parser.add_argument("--quick", action="store_true", help="few texts, about a minute")
    parser.add_argument("--json", action="store_true", help="print one object as the last line")
    options = parser.parse_args(arguments)
    options.seeds = options.seeds or (QUICK_SEEDS if options.quick else 3)
    return options


def settings_of(options: argparse.Namespace) -> Settings:
    """Return what decides the figures: what was given, then `--quick`, then the defaults."""
    given = {
        name: getattr(options, name)
        for name in Settings.__struct_fields__
        if getattr(options, name) is not None
    }
    # Packages are listed under a name with hyphens and imported under one without.
    prefix, colon, name = given["model"].rpartition("package:")
    given["model"] = f"{prefix}{colon}{name.replace('-', '_')}" if colon else given["model"]
    quick = QUICK if options.quick else {}
    if options.quick and options.task is ModelKind.CAUSAL_LM:
        quick = {**QUICK, **QUICK_CAUSAL}
    return Settings(**{**quick, **given})


def _add_source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, help="a folder, package:NAME or hub id")
    parser.add_argument("--data", required=True, help="a folder, hub:ID or synthetic:notes")
    parser.add_argument("--task", type=ModelKind, choices=list(ModelKind), help="(classification)")
    parser.add_argument("--clients", type=int, help="(8)")
    parser.add_argument("--alpha", type=float, help="of the Dirichlet draw (0.3)")
    parser.add_argument("--division", type=Division, choices=list(Division), help="(dirichlet)")
    parser.add_argument("--group", help="column of what belongs together, such as source")
    parser.add_argument("--train-max", type=int, help="texts of all clients (all)")
    parser.add_argument("--test-max", type=int, help="texts of the test split (all)")
    parser.add_argument("--hold-out", type=int, help="texts that only validators see (210)")


def _add_training(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, help="(10)")
    parser.add_argument("--local-steps", type=int, help="of a client in a round (one pass)")
    parser.add_argument("--batch-size", type=int, help="(4)")
    parser.add_argument("--max-length", type=int, help="tokens of a text (64)")
    parser.add_argument("--learning-rate", type=float, help="(4e-3)")
    parser.add_argument(
        "--schedule", type=RateSchedule, choices=list(RateSchedule), help="of that rate (linear)"
    )
    parser.add_argument("--rate-kept-percent", type=int, help="of it from round to round (100)")
    parser.add_argument(
        "--adjustment", type=float, help="tau of the logit adjustment, where it is used (0.75)"
    )
    parser.add_argument("--rank", type=int, help="(8)")
    parser.add_argument("--layers", type=int, help="adapt so many of the last layers (all)")


def _add_ours(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--validators", type=int, help="(7)")
    parser.add_argument("--rule", type=Rule, choices=list(Rule), help="(trimmed)")
    parser.add_argument(
        "--byzantine-percent", type=int, help="of the updates that the rule reckons with (25)"
    )
    parser.add_argument("--outer", type=OuterRule, choices=list(OuterRule), help="(plain)")
    parser.add_argument("--rate", type=_fixed, help="of the outer optimiser (1.0)")
    parser.add_argument("--clip", type=_norm, help="norm, of the first round (16)")


def _fixed(text: str) -> int:
    return round(float(text) * ONE)


def _norm(text: str) -> int:
    return round(float(text) * NORM_ONE)


def _arms(text: str) -> tuple[Arm, ...]:
    return tuple(Arm(name) for name in text.split(","))
