"""Divide examples among the nodes and write each part into its folder; run as a child.

`python -m devnet.local.division` reads a `DivisionOrder` as JSON from its standard input and
answers with a `Division` on its standard output. As a child, its memory is given back before nodes
start, and whoever only asks for the status of a network never loads what reads examples.

A node finds its own part in `examples/`: train.jsonl is what it trains on, test.jsonl what it
scores with. A file that a node has no use for holds one line, so that no reader takes the absence
of a test file as a wish to hold something out.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from devnet.local.record import Division, DivisionOrder
from devnet.local.study import TINY_MODEL, Study
from fl.training.examples.columns import Columns
from fl.training.examples.example import LabelledText, PlainText
from fl.training.examples.partition import dirichlet, iid
from fl.training.examples.reading import Dataset
from fl.training.examples.shuffle import permutation
from fl.training.examples.sources import open_labelled, open_plain, open_source
from primitives.errors import ConfigurationError, HanseError

EXIT_REFUSED: Final = 2
EXAMPLES_MIN: Final = 4
"""Of each trainer, however skewed the division is."""

Texts = Dataset[LabelledText] | Dataset[PlainText]


def divide(order: DivisionOrder) -> Division:
    """Write every part, and say how large they are.

    Raises:
        ExamplesError: the source cannot be read.
        ConfigurationError: it has too few examples, or none of the kind.
    """
    study = order.study
    texts = _opened(study)
    held, dealt = _cut(texts, order)
    parts = _dealt(texts, dealt, order)
    trained = dict(zip(order.trainers, parts, strict=True))
    shards = {
        place: held[turn :: len(order.validators)] for turn, place in enumerate(order.validators)
    }
    for place, folder in enumerate(order.folders):
        train, test = trained.get(place, []), shards.get(place, [])
        spare = (train or test)[:1]
        examples = Path(folder) / "examples"
        _write(examples / "train.jsonl", texts, train or spare)
        _write(examples / "test.jsonl", texts, test or spare)
    tested = permutation(len(texts.test), seed=0)[: study.tested]
    _write_test(Path(order.test), texts, sorted(tested))
    everybody = range(len(order.folders))
    return Division(
        kind="classification" if texts.label_names else "causal",
        label_names=texts.label_names,
        trained=tuple(len(trained.get(place, ())) for place in everybody),
        held_out=tuple(len(shards.get(place, ())) for place in everybody),
        tested=len(tested),
        counts=tuple(_counts(texts, trained.get(place, ())) for place in everybody),
    )


def _opened(study: Study) -> Texts:
    columns = Columns(group=study.group or None)
    match study.kind:
        case "classification":
            return open_labelled(study.source, columns=columns)
        case "causal":
            return open_plain(study.source, columns=columns)
        case _ if study.model == TINY_MODEL:
            return open_plain(study.source, columns=columns)
        case _:
            return open_source(study.source, columns=columns)


def _cut(texts: Texts, order: DivisionOrder) -> tuple[list[int], list[int]]:
    """Return what validators hold out, and what trainers get."""
    shuffled = permutation(len(texts.train), seed=order.seed, stream="devnet")
    held = order.study.held_out * len(order.validators)
    wanted = held + EXAMPLES_MIN * len(order.trainers)
    if len(shuffled) < wanted:
        raise ConfigurationError(
            f"{order.study.source} has {len(shuffled)} examples to learn from, and "
            f"{wanted} are needed: ask for less with --held-out"
        )
    rest = shuffled[held:]
    return shuffled[:held], rest[: order.examples_max or None]


def _dealt(texts: Texts, dealt: Sequence[int], order: DivisionOrder) -> list[list[int]]:
    clients = len(order.trainers)
    if not clients:
        return []
    kinds = _kinds(texts, dealt)
    parts = (
        dirichlet(
            kinds,
            clients=clients,
            alpha=order.study.alpha,
            seed=order.seed,
            examples_min=EXAMPLES_MIN,
        )
        if kinds
        else iid(len(dealt), clients=clients, seed=order.seed)
    )
    return [[dealt[one] for one in part] for part in parts]


def _kinds(texts: Texts, dealt: Sequence[int]) -> list[int]:
    """Return by what texts differ: their class, or who wrote them; nothing if that is not known."""
    groups = texts.train.groups
    if texts.label_names:
        return [int(texts.train.numbers[one]) for one in dealt]
    if not len(groups):
        return []
    names = {name: number for number, name in enumerate(sorted(set(groups)))}
    return [names[groups[one]] for one in dealt]


def _counts(texts: Texts, part: Sequence[int]) -> tuple[int, ...]:
    numbers = [int(texts.train.numbers[one]) for one in part]
    return tuple(numbers.count(label) for label in range(len(texts.label_names)))


def _write(path: Path, texts: Texts, part: Sequence[int]) -> None:
    _write_lines(path, [texts.train[one] for one in part], texts.label_names)


def _write_test(folder: Path, texts: Texts, part: Sequence[int]) -> None:
    chosen: list[LabelledText | PlainText] = [texts.test[one] for one in part]
    _write_lines(folder / "test.jsonl", chosen, texts.label_names)
    _write_lines(folder / "train.jsonl", chosen[:1], texts.label_names)


def _write_lines(
    path: Path, examples: Sequence[LabelledText | PlainText], names: Sequence[str]
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for example in examples:
            file.write(msgspec.json.encode(_row(example, names)) + b"\n")


def _row(example: LabelledText | PlainText, names: Sequence[str]) -> dict[str, str]:
    match example:
        case LabelledText(text=text, label=label):
            # By its name: where names are numerals, a number would be taken for another of them.
            return {"text": text, "label": names[label]}
        case PlainText(prompt=""):
            return {"text": example.text}
        case PlainText():
            # A reader puts a line's end after the prompt again.
            return {"prompt": example.prompt.removesuffix("\n"), "answer": example.answer}


def main() -> int:
    """Do the order on standard input; return the exit status."""
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=DivisionOrder)
    try:
        division = divide(order)
    except (HanseError, ValueError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_REFUSED
    sys.stdout.buffer.write(msgspec.json.encode(division))
    return 0


if __name__ == "__main__":
    sys.exit(main())
