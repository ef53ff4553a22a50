"""Measure models on the test split, one after another; run as a child, with torch.

`python -m devnet.local.examination` reads an `Exam` as one line of JSON and then, line by line, the
path of a MODEL blob, or an empty line for the base model as its seed adapts it; each is answered
with a line of figures. It takes turns with the workers of the network.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from devnet.local.exam import Exam
from devnet.local.turns import Turns
from fl.jobs.subject import AdaptedModel, ExampleSource, Half
from fl.rules.update.blob import decode
from fl.rules.update.header import BlobKind
from fl.training.adapters import Adapter
from fl.training.replies import ask, figures_of
from fl.worker.blobs import BLOB_SIZE_BYTES_MAX
from fl.worker.desk import Desk
from fl.worker.examples import read_examples
from fl.worker.machine import Machine, MachineClock
from fl.worker.shelf import ModelShelf, expectation_of
from primitives.errors import HanseError

if TYPE_CHECKING:
    from fl.training.stream import Examples

EXIT_REFUSED: Final = 2


class Examiner:
    """Holds the base model and the texts between examinations."""

    def __init__(self, exam: Exam) -> None:
        self._exam = exam
        self._shelf = ModelShelf(Machine(device="cpu", threads=exam.threads))
        self._desk = Desk(lambda _: None, clock=MachineClock())
        self._turns = Turns(Path(exam.turns), at_once=exam.at_once)
        source = ExampleSource(spec=exam.test, half=Half.TEST, label_names=exam.label_names)
        self._texts: Examples = read_examples(source, kind=exam.frozen.kind)

    def measure(self, place: str) -> dict[str, float]:
        """Return the figures of a MODEL blob, or of W_0."""
        subject = AdaptedModel(frozen=self._exam.frozen, adapter=self._exam.adapter)
        with self._turns.turn(self._desk), self._shelf.adapted(subject, self._desk) as adapter:
            if place:
                _put_on(adapter, Path(place))
            replies = ask(adapter.model, adapter.loaded, self._texts, tokens_max=self._exam.tokens)
        return figures_of(replies, labels=self._exam.frozen.labels)


def _put_on(adapter: Adapter, place: Path) -> None:
    expected = expectation_of(adapter, BlobKind.MODEL)
    with place.open("rb") as file:
        content = file.read(BLOB_SIZE_BYTES_MAX)
    adapter.write(decode(content, expected=expected).vector, expected.layout)


def main() -> int:
    """Answer until the input ends; return the exit status."""
    lines = iter(sys.stdin.buffer.readline, b"")
    try:
        examiner = Examiner(msgspec.json.decode(next(lines), type=Exam))
        for line in lines:
            figures = examiner.measure(line.decode().rstrip("\n"))
            sys.stdout.buffer.write(msgspec.json.encode(figures) + b"\n")
            sys.stdout.buffer.flush()
    except (HanseError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
