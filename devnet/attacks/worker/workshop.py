"""Do every job as an honest worker does it, and turn the result of training into the attack's."""

import tempfile
from collections import deque
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from devnet.attacks.poisoning.catalogue import ATTACKS, Attack, Poison
from devnet.attacks.poisoning.scene import Scene
from devnet.attacks.poisoning.texts import add_backdoor, flip_labels
from devnet.attacks.worker.ring import Ring
from devnet.attacks.worker.spoils import Spoils
from fl.jobs.bounds import StoredBlob
from fl.jobs.results import AnyResult, TrainResult
from fl.jobs.subject import ExampleSource, ModelKind
from fl.jobs.work import AnyJob, TrainJob
from fl.rules.update.blob import decode, encode_update, represented
from fl.rules.update.header import Expectation, read_header
from fl.rules.update.norms import norm
from fl.rules.update.similarity import GLOBAL_DELTAS_MAX
from fl.training.examples.example import LabelledText
from fl.training.fixed_point import FRACTION_BITS, LIMIT
from fl.worker.blobs import BLOB_SIZE_BYTES_MAX, read_content, write_blob
from fl.worker.desk import Desk
from fl.worker.loop import Craft
from fl.worker.machine import Machine
from fl.worker.workshop import Workshop
from primitives.errors import ConfigurationError
from primitives.ids import Digest

TARGET: Final = 0
"""The class that a back door opens to."""

replace = msgspec.structs.replace


class AttackingWorkshop:
    """An honest workshop whose training jobs are poisoned on the way in and out.

    Args:
        ring: what other attackers let this one know.
        spoils: what this one can read of others; None: nothing.
        honest: does the jobs; None: the workshop of `fl.worker`.
    """

    def __init__(
        self,
        machine: Machine,
        *,
        attack: Attack,
        ring: Ring,
        spoils: Spoils | None = None,
        honest: Craft | None = None,
    ) -> None:
        self._honest: Craft = Workshop(machine) if honest is None else honest
        self._attack = attack
        self._ring = ring
        self._spoils = Spoils(None) if spoils is None else spoils
        self._past: dict[Digest, deque[NDArray[np.float64]]] = {}

    def perform(self, job: AnyJob, desk: Desk) -> AnyResult:
        """Do one job.

        Raises:
            HanseError: what an honest worker raises, or the attack does not fit the job.
        """
        if not isinstance(job, TrainJob) or self._attack is ATTACKS["none"]:
            return self._honest.perform(job, desk)
        with tempfile.TemporaryDirectory() as folder:
            poisoned = _poisoned(job, self._attack.poison, Path(folder))
            result = self._honest.perform(poisoned, desk)
        assert isinstance(result, TrainResult)
        return self._crafted(job, result)

    def _crafted(self, job: TrainJob, result: TrainResult) -> TrainResult:
        expected, own = _read(result.update)
        layout = expected.layout
        ring = self._ring.share(own, round_number=job.round)
        seen = self._spoils.updates(expected)
        past = self._past.setdefault(layout.digest, deque(maxlen=GLOBAL_DELTAS_MAX))
        index = self._ring.number
        scene = Scene(
            own=own,
            honest=np.stack(seen) if seen else ring,
            ring=ring,
            past=tuple(past),
            index=index,
            attackers=max(self._ring.attackers, len(ring)),
            trainers=max(self._ring.trainers, len(ring)),
            dice=np.random.default_rng([job.terms.seed, job.round, index]),
        )
        # What it added itself is all that it knows of what rounds add.
        past.append(own)
        vector = _quantised(self._attack.craft(scene))
        width = job.terms.width
        content = encode_update(vector, expected=expected, width=width)
        update = write_blob(content, folder=Path(job.folder))
        self._ring.admit(update.cid.hex())
        self._spoils.sent(content)
        return replace(
            result,
            update=update,
            norm=norm(represented(vector, layout=layout, width=width)),
        )


def _poisoned(job: TrainJob, poison: Poison, folder: Path) -> TrainJob:
    if poison is Poison.NONE:
        return job
    if job.subject.frozen.kind is not ModelKind.CLASSIFICATION:
        raise ConfigurationError("labels can only be poisoned where there are classes")
    from fl.worker.examples import read_examples  # noqa: PLC0415 - it loads torch, seconds long

    honest = [
        one
        for one in read_examples(job.examples, kind=ModelKind.CLASSIFICATION)
        if isinstance(one, LabelledText)
    ]
    poisoned = (
        flip_labels(honest, classes=job.subject.frozen.labels)
        if poison is Poison.LABELS
        else add_backdoor(honest, target=TARGET)
    )
    lines = [msgspec.json.encode({"text": one.text, "label": one.label}) for one in poisoned]
    # Without a test file, some of the lines would be held out as a test.
    for name in ("train.jsonl", "test.jsonl"):
        (folder / name).write_bytes(b"\n".join(lines) + b"\n")
    return replace(job, examples=ExampleSource(spec=str(folder), text="text", label="label"))


def _read(blob: StoredBlob) -> tuple[Expectation, NDArray[np.float64]]:
    content = read_content(blob, size_bytes_max=BLOB_SIZE_BYTES_MAX)
    header, _ = read_header(content)
    expected = Expectation(
        kind=header.kind,
        base_model=Digest(header.base_model),
        tokenizer=Digest(header.tokenizer),
        layout=header.layout,
    )
    vector = decode(content, expected=expected).vector
    return expected, np.ldexp(vector.astype(np.float64), -FRACTION_BITS)


def _quantised(update: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return the update at scale 2**24; what is out of range becomes the greatest in range."""
    scaled = np.rint(np.ldexp(update, FRACTION_BITS))
    return np.clip(scaled, -LIMIT, LIMIT).astype(np.int32)
