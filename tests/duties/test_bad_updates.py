"""Trainers that send what is no update, or have nothing to train on: the others' round goes on."""

import io
import json
import pickle
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import nan
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import pytest
from structlog.testing import capture_logs
from typing_extensions import override

from fl.jobs.errors import FailureCode, JobFailedError
from fl.jobs.results import AnyResult, TrainResult
from fl.jobs.subject import ExampleSource, ModelKind
from fl.jobs.work import AnyJob, TrainJob
from fl.rules.effects import Reason
from fl.rules.update.blob import decode, encode_update
from fl.rules.update.header import HEADER_SIZE_BYTES_MAX, BlobKind, Expectation
from fl.rules.update.layout import TensorLayout, TensorSpec
from fl.training.errors import DivergedError
from fl.worker.blobs import write_blob
from fl.worker.examples import read_examples
from node.blobs.sealed import HEADERS_SIZE_BYTES_MAX
from node.duties.duty import Step
from primitives.cid import Cid
from primitives.errors import TrainingError
from primitives.hashing import sha256
from primitives.ids import Digest
from tests.duties.hamlet import LEARNING, ORDER, Hamlet, Villager, at_work, hamlet, toy
from tests.duties.toy import BASE, LAYOUTS, MODEL, TOKENIZER, ToyWorker, target_of

HONEST: Final = 3
BLOB_BYTES_MAX: Final = HEADER_SIZE_BYTES_MAX + 8 * MODEL.size
"""Of the toy task: what is longer is not fetched."""

Spoil = Callable[[bytes, Expectation], bytes]


@dataclass
class SpoilingWorker(ToyWorker):
    """Trains as all others do, and sends something else."""

    spoil: Spoil = lambda content, _: content

    @override
    def _perform(self, job: AnyJob) -> AnyResult:
        result = super()._perform(job)
        if not isinstance(job, TrainJob):
            return result
        assert isinstance(result, TrainResult)
        sound = Path(result.update.path)
        expected = Expectation(
            kind=BlobKind.UPDATE,
            base_model=Digest(BASE),
            tokenizer=Digest(TOKENIZER),
            layout=LAYOUTS[job.round % 2],
        )
        spoilt = write_blob(self.spoil(sound.read_bytes(), expected), folder=sound.parent)
        return msgspec.structs.replace(result, update=spoilt)


def cut_short(content: bytes, _: Expectation) -> bytes:
    return content[:-1]


def garbage(content: bytes, _: Expectation) -> bytes:
    return np.random.default_rng(7).bytes(len(content))


def pickled(content: bytes, expected: Expectation) -> bytes:
    return pickle.dumps(decode(content, expected=expected).vector)


def transposed(content: bytes, expected: Expectation) -> bytes:
    """Return as many numbers in another layout."""
    layout = TensorLayout.of(
        TensorSpec(one.name, one.shape[::-1]) for one in expected.layout.tensors
    )
    vector = decode(content, expected=expected).vector
    return encode_update(vector, expected=replace(expected, layout=layout))


def of_another_model(content: bytes, expected: Expectation) -> bytes:
    vector = decode(content, expected=expected).vector
    other = replace(expected, base_model=Digest(sha256(b"another model")))
    return encode_update(vector, expected=other)


def floats(_: bytes, expected: Expectation) -> bytes:
    """Return what is no number of ours, as numpy writes it."""
    file = io.BytesIO()
    odd = [np.inf, -np.inf, np.nan, 1e-45, -0.0]
    np.save(file, np.resize(odd, expected.layout.size).astype(np.float32))
    return file.getvalue()


def padded(content: bytes, _: Expectation) -> bytes:
    """Return as much as seats fetch."""
    return content.ljust(BLOB_BYTES_MAX, b"\0")


def padded_beyond(content: bytes, _: Expectation) -> bytes:
    # What is sealed may be longer by what stands before it.
    return content.ljust(BLOB_BYTES_MAX + HEADERS_SIZE_BYTES_MAX + 1, b"\0")


def spoiling(spoil: Spoil) -> SpoilingWorker:
    return SpoilingWorker(target_of(HONEST), spoil=spoil)


async def refusal(place: Hamlet, trainer: Villager) -> Reason:
    """Wait until the chain has refused the update of a trainer; return why."""
    found: list[Reason] = []

    def is_refused() -> bool:
        running = place.reader.round(0)
        update = None if running is None else running.update_of(trainer.who)
        if update is not None and update.reason is not None:
            found.append(update.reason)
        return bool(found)

    await place.until(is_refused)
    return found[0]


async def check_round_without(place: Hamlet, trainer: Villager) -> None:
    """Check that the first model was made by all others, who earned by it, and that all go on."""
    await place.until(lambda: place.version() == 1)
    await place.until(lambda: place.reader.task(0).rounds > 1 or place.phase() is None)
    model = place.reader.model(0, 1)
    assert model is not None
    others = {one.who for one in place.villagers if one is not trainer}
    assert set(model.contributors) == others
    earned = {one: sum(place.reader.vesting(0, one).amounts) for one in (*others, trainer.who)}
    assert {who for who, amount in earned.items() if amount} == others
    assert not any(task.done() for task in place.running.values())
    assert len(place.running) == len(place.villagers)
    assert place.square.failed == []


slow = pytest.mark.slow


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (pickled, "magic: .*a pickle, which is never read"),
        (of_another_model, "base model: expected .*"),
        pytest.param(cut_short, "size: expected .* bytes", marks=slow),
        pytest.param(garbage, "magic: ", marks=slow),
        pytest.param(transposed, "layout: ", marks=slow),
        pytest.param(floats, "magic: .*a numpy file", marks=slow),
        pytest.param(padded, f"size: .*{BLOB_BYTES_MAX}", marks=slow),
    ],
)
@pytest.mark.asyncio
async def test_malformed_update_earns_nothing_and_the_round_goes_on_without_it(
    tmp_path: Path, spoil: Spoil, fault: str
) -> None:
    with capture_logs() as logs:
        async with at_work(tmp_path, *map(toy, range(HONEST)), spoiling(spoil)) as place:
            spoiler = place.villagers[HONEST]
            assert await refusal(place, spoiler) is Reason.MALFORMED
            await check_round_without(place, spoiler)
    faults = [str(line["fault"]) for line in logs if line["event"] == "update is malformed"]
    assert len(faults) >= HONEST
    assert all(re.search(fault, one) for one in faults), faults


@pytest.mark.slow
@pytest.mark.asyncio
async def test_update_that_is_too_long_to_fetch_is_left_out_as_if_nobody_had_it(
    tmp_path: Path,
) -> None:
    worker = spoiling(padded_beyond)
    async with at_work(tmp_path, *map(toy, range(HONEST)), worker) as place:
        spoiler = place.villagers[HONEST]
        await check_round_without(place, spoiler)
        honest = [one for one in place.villagers if one is not spoiler]
        sent = spoiler.equipment.notebook.of_round(0, 0).update
        assert sent is not None
        assert not any(one.equipment.blobs.has(Cid.decode(sent.cid).digest) for one in honest)


@dataclass
class ReadingWorker(ToyWorker):
    """Reads the examples of a training as the real worker does, and fails as it does.

    Attributes:
        diverges: its loss is no number.
    """

    diverges: bool = False

    @override
    def _perform(self, job: AnyJob) -> AnyResult:
        if isinstance(job, TrainJob):
            try:
                read_examples(job.examples, kind=ModelKind.CLASSIFICATION)
                if self.diverges:
                    raise DivergedError(step=1, loss=nan)
            except TrainingError as error:
                raise JobFailedError(FailureCode.BAD_INPUT, str(error), cause=error.code) from error
        return super()._perform(job)


def write_rows(folder: Path, *rows: dict[str, str]) -> None:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    for half in ("train", "test"):
        (folder / f"{half}.jsonl").write_text(text)


def nothing(_: Path) -> None:
    """Leave the folder empty."""


def other_columns(folder: Path) -> None:
    write_rows(folder, {"body": "a film", "topic": "a"}, {"body": "no film", "topic": "b"})


def sound(folder: Path) -> None:
    write_rows(folder, {"text": "a film", "label": "a"}, {"text": "no film", "label": "b"})


@pytest.mark.parametrize(
    ("write", "reason", "until"),
    [
        (nothing, "no file ends with .*; it is empty", "task"),
        pytest.param(other_columns, "no text column among body, topic", "task", marks=slow),
        pytest.param(sound, "the loss is nan by step 1: lower", "round", marks=slow),
    ],
)
@pytest.mark.asyncio
async def test_trainer_that_cannot_train_says_so_once_and_the_round_goes_on_without_it(
    tmp_path: Path, write: Callable[[Path], None], reason: str, until: str
) -> None:
    examples = tmp_path / "examples"
    examples.mkdir()
    write(examples)
    unfit = ReadingWorker(target_of(HONEST), diverges=write is sound)
    learning = replace(LEARNING, train=ExampleSource(spec=str(examples)))
    with capture_logs() as logs:
        async with hamlet(tmp_path, validators=HONEST + 1) as place:
            nodes = [await place.settle(f"validator-{n}", toy(n)) for n in range(HONEST)]
            nodes.append(await place.settle(f"validator-{HONEST}", unfit, learning=learning))
            await place.register(*nodes)
            await place.offer(nodes[0], replace(ORDER, ready=HONEST))
            for node in nodes:
                place.start(node)
            await check_round_without(place, nodes[HONEST])
    said = [line for line in logs if line.get("step") == Step.TRAIN.value and line.get("error")]
    (line,) = (one for one in said if one["round"] == 0)
    assert (line["log_level"], line["again"]) == ("error", until)
    assert re.match(f"bad_input: .*{reason}", line["error"]), line["error"]
    assert unfit.jobs.count("ScoreJob") == 1
