"""The options of `hanse devnet`, each with its bounds and its line of help."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from cli.model_publish import ADJUSTMENT, RATE_KEPT, RATE_MAX, RATE_MIN, RateFall
from cli.reals import real_between


class ModelSort(StrEnum):
    """What a model is trained for, as an option names it."""

    AUTO = "auto"
    CLASSIFICATION = "classification"
    CAUSAL = "causal"


Folder: TypeAlias = Annotated[
    Path,
    typer.Option(
        "--folder",
        envvar="HANSE_DEVNET",
        metavar="DIR",
        help="Of the network; `up` empties an old one.",
    ),
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Name: TypeAlias = Annotated[str, typer.Argument(metavar="NODE", help="node-0, or 0.")]

Nodes: TypeAlias = Annotated[
    int, typer.Option("-n", "--nodes", min=1, max=64, help="Nodes in all.")
]
Validators: TypeAlias = Annotated[
    int | None, typer.Option(min=1, help="The first so many validate. Default: all.")
]
Trainers: TypeAlias = Annotated[
    int | None, typer.Option(min=0, help="The last so many train. Default: all.")
]
Attackers: TypeAlias = Annotated[
    str, typer.Option(metavar="KIND:COUNT,...", help="Bad trainers: signflip:2,freerider:1.")
]
Liars: TypeAlias = Annotated[
    str, typer.Option(metavar="KIND:COUNT,...", help="Bad validators: inverted:1, colluding:1.")
]
Source: TypeAlias = Annotated[
    str,
    typer.Option("--data", metavar="DIR", help="Examples: a folder, hub:NAME or synthetic:..."),
]
Model: TypeAlias = Annotated[
    str, typer.Option(metavar="DIR", help="The base model: a folder, package:NAME or a hub id.")
]
Kind: TypeAlias = Annotated[ModelSort, typer.Option(help="What the model is trained for.")]
Group: TypeAlias = Annotated[
    str, typer.Option("--group", metavar="COLUMN", help="Divide by it, where there are no classes.")
]
Alpha: TypeAlias = Annotated[
    float,
    typer.Option(
        parser=real_between(1e-6, 1e6),
        metavar="NUMBER",
        help="Of the Dirichlet division; small: all differ.",
    ),
]
Rounds: TypeAlias = Annotated[int, typer.Option(min=0, max=1_000, help="Of training; 0: no task.")]
Samples: TypeAlias = Annotated[
    int | None, typer.Option(min=1, max=10**9, help="That each trainer learns from in a round.")
]
HeldOut: TypeAlias = Annotated[
    int | None,
    typer.Option("--held-out", min=1, max=10**6, help="Examples that each validator scores with."),
]
Tested: TypeAlias = Annotated[
    int | None, typer.Option("--tested", min=1, max=10**6, help="Test examples for the report.")
]
Tokens: TypeAlias = Annotated[
    int | None, typer.Option(min=2, max=10**6, help="At which a text is cut.")
]
Batch: TypeAlias = Annotated[
    int | None, typer.Option(min=1, max=65_536, help="Examples of a step.")
]
Rank: TypeAlias = Annotated[int | None, typer.Option(min=1, max=4_096, help="Of the adapter.")]
Layers: TypeAlias = Annotated[
    str,
    typer.Option(metavar="L,L,...", help="That get adapters, counted from 0: 4,5. Default: all."),
]
Rate: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--learning-rate",
        parser=real_between(RATE_MIN, RATE_MAX),
        metavar="NUMBER",
        help="Of training.",
    ),
]
Schedule: TypeAlias = Annotated[
    RateFall, typer.Option("--schedule", help="Of the learning rate within a round.")
]
RateKept: TypeAlias = Annotated[int | None, RATE_KEPT]
Adjustment: TypeAlias = Annotated[int | None, ADJUSTMENT]
TrainS: TypeAlias = Annotated[
    int | None,
    typer.Option("--train-seconds", min=1, max=10**6, help="How long a round waits for updates."),
]
ScoreS: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--score-seconds",
        min=1,
        max=10**6,
        help="How long it waits for scores at most; half of it for the aggregate and the guard.",
    ),
]
EpochS: TypeAlias = Annotated[
    int, typer.Option("--epoch-seconds", min=1, max=10**6, help="Of an epoch.")
]
AtOnce: TypeAlias = Annotated[
    int, typer.Option("--at-once", min=1, max=64, help="Workers that compute at one time.")
]
Threads: TypeAlias = Annotated[int, typer.Option(min=1, max=1_024, help="Of each worker.")]
Delay: TypeAlias = Annotated[
    str,
    typer.Option(
        "--latency", metavar="MS[,JITTER]", help="Of links between nodes, one way: 40 or 40,10."
    ),
]
Seed: TypeAlias = Annotated[
    int, typer.Option(min=0, max=2**63 - 1, help="Of everything that is drawn.")
]
Keep: TypeAlias = Annotated[bool, typer.Option("--keep", help="Leave it running at the end.")]
Groups: TypeAlias = Annotated[
    str, typer.Argument(metavar="A|B", help="Nodes with commas, groups with bars: '0,1|2,3'.")
]
Tps: TypeAlias = Annotated[
    int, typer.Option(min=1, max=100_000, help="Transfers a second, of all together.")
]
Seconds: TypeAlias = Annotated[int, typer.Option(min=1, max=3_600, help="How long.")]
