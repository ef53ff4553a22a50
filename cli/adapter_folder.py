"""Write a version of a model as a PEFT folder. This module loads torch; commands import it late."""

from pathlib import Path

from cli.model_pull import PulledModel
from fl.jobs.bounds import StoredBlob
from fl.jobs.progress import Progress
from fl.jobs.subject import AdaptedModel, Precision
from fl.rules.update.root import blob_root
from fl.training.export import export_adapter
from fl.training.lineage import Lineage, LineageStep, UsedUpdate
from fl.worker.desk import Desk
from fl.worker.machine import Machine
from fl.worker.shelf import ModelShelf
from node.running.clock import SystemClock


def write_folder(folder: Path, pulled: PulledModel, *, source: str) -> None:
    """Write the adapter, its configuration, its lineage and its card.

    Args:
        folder: is made where it is missing.
        pulled: the version.
        source: where the base model is on this machine; its digests must be those of the task.

    Raises:
        TrainingError: the base model is another, or is not here.
    """
    document = pulled.document
    content = pulled.blob.read_bytes()
    subject = AdaptedModel(
        frozen=document.frozen_from(source),
        adapter=document.adapter,
        weights=StoredBlob(str(pulled.blob.absolute()), blob_root(content).encode()),
        precision=Precision.FLOAT32,
    )
    shelf = ModelShelf(Machine(device="cpu", threads=1))
    with shelf.adapted(subject, Desk(_unheard, clock=SystemClock())) as adapter:
        export_adapter(folder, adapter, _lineage(pulled))


def _unheard(_: Progress) -> None:
    """Let a report go."""


def _lineage(pulled: PulledModel) -> Lineage:
    document = pulled.document
    return Lineage(
        title=_line(document.title),
        base_model_source=_line(document.source),
        base_model=document.pins.model.hex(),
        tokenizer=document.pins.tokenizer.hex(),
        layout=document.model_layout.digest.hex(),
        seed=document.adapter.seed.hex(),
        chain=pulled.chain,
        task=str(pulled.task),
        adjustment_percent=document.local.adjustment_percent if document.label_names else 0,
        steps=tuple(
            LineageStep(
                round=one.round,
                model=one.model,
                rule=document.rule.value,
                updates=tuple(
                    UsedUpdate(trainer=who, root=root, weight=int(weight))
                    for who, root, weight in zip(
                        one.contributors, one.roots, one.weights, strict=True
                    )
                ),
            )
            for one in pulled.history
        ),
    )


def _line(text: str) -> str:
    """Return a text of a stranger as it fits into a cell of a table."""
    cleaned = "".join(letter if letter.isprintable() and letter != "|" else " " for letter in text)
    return cleaned[:200]
