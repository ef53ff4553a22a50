"""Prepare a task, and train for a round of it."""

from pathlib import Path

from fl.jobs.local_terms import NANO, LocalTerms, Unit
from fl.jobs.progress import Stage
from fl.jobs.results import PrepareResult, TrainResult
from fl.jobs.work import PrepareJob, TrainJob
from fl.rules.update.blob import encode_model, encode_update, represented
from fl.rules.update.header import BlobKind
from fl.rules.update.norms import norm
from fl.training.local import Hooks, LocalResult, Progress, train_local
from fl.training.settings import Epochs, FedAvg, FedProx, LocalTraining, Steps
from fl.worker.blobs import write_blob
from fl.worker.desk import Desk
from fl.worker.examples import read_examples
from fl.worker.shelf import ModelShelf, expectation_of

MICRO = 1_000_000
MICRONATS_MAX = 2**63 - 1
RATE_MIN = 1 / NANO


def prepare(job: PrepareJob, desk: Desk, *, shelf: ModelShelf) -> PrepareResult:
    """Look at the base model, and write W_0."""
    with shelf.adapted(job.subject, desk) as adapter:
        expected = expectation_of(adapter, BlobKind.MODEL)
        content = encode_model(adapter.read_fixed(expected.layout), expected=expected)
        desk.report(Stage.WRITING)
        return PrepareResult(
            model=expected.base_model,
            tokenizer=expected.tokenizer,
            layout=expected.layout,
            layouts=(adapter.trainable_layout(0), adapter.trainable_layout(1)),
            weights=write_blob(content, folder=Path(job.folder)),
        )


def train(job: TrainJob, desk: Desk, *, shelf: ModelShelf) -> TrainResult:
    """Train what the round trains, and write the update."""
    with shelf.adapted(job.subject, desk) as adapter:
        desk.report(Stage.READING, note=job.examples.spec)
        examples = read_examples(job.examples, kind=job.subject.frozen.kind)
        desk.report(Stage.TRAINING)
        run = train_local(
            adapter,
            examples,
            training_of(job.terms, round_number=job.round),
            round_number=job.round,
            hooks=_hooks(desk, job.terms),
        )
        expected = expectation_of(adapter, BlobKind.UPDATE, round_number=job.round)
    width = job.terms.width
    desk.report(Stage.WRITING, note=_on_parts(run, job.terms))
    content = encode_update(run.delta, expected=expected, width=width)
    sent = represented(run.delta, layout=expected.layout, width=width)
    return TrainResult(
        update=write_blob(content, folder=Path(job.folder)),
        norm=norm(sent),
        losses_micronats=(micronats_of(run.loss_before), micronats_of(run.loss_after)),
        steps=run.steps,
        tokens=run.tokens,
        samples=run.samples,
        parts=run.parts,
    )


def training_of(terms: LocalTerms, *, round_number: int) -> LocalTraining:
    """Return the settings of a run in a round, from their wire form."""
    kept = (terms.rate_kept_percent / 100) ** round_number
    return LocalTraining(
        length=(Steps if terms.unit is Unit.STEPS else Epochs)(terms.length),
        batch_size=terms.batch_size,
        max_length=terms.max_length,
        parts=terms.parts,
        # A rate of nothing would be refused, and after very many rounds there is no other.
        learning_rate=max(RATE_MIN, terms.learning_rate_nano / NANO * kept),
        schedule=terms.schedule,
        adjustment=terms.adjustment_percent / 100,
        weight_decay=terms.weight_decay_nano / NANO,
        gradient_norm_max=terms.gradient_norm_max_nano / NANO,
        objective=FedProx(terms.prox_nano / NANO) if terms.prox_nano else FedAvg(),
        seed=terms.seed,
        checkpointing=terms.checkpointing,
        prompt_loss=terms.prompt_loss,
    )


def _hooks(desk: Desk, terms: LocalTerms) -> Hooks:
    total = terms.length if terms.unit is Unit.STEPS else 0

    def report(progress: Progress) -> None:
        desk.report(
            Stage.TRAINING,
            done=progress.step,
            total=total,
            loss_micronats=micronats_of(progress.loss),
        )

    return Hooks(progress=report, should_stop=desk.is_stopped)


def micronats_of(loss: float) -> int:
    """Return a finite loss in micro-nats; one beyond all messages is the greatest of them."""
    return max(-MICRONATS_MAX, min(MICRONATS_MAX, round(loss * MICRO)))


def _on_parts(run: LocalResult, terms: LocalTerms) -> str:
    if run.parts == terms.parts:
        return ""
    return f"memory was short: batches went through the model in {run.parts} parts"
