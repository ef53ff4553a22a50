"""Who holds which texts: clients, validators, and the test split that nobody learns from.

Everything follows from the seed but the texts of the test split, which are the same for all seeds
so that differences between arms can be paired text by text.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.federated.settings import Division, Settings
from fl.jobs.subject import ModelKind
from fl.training.examples.columns import Columns
from fl.training.examples.example import LabelledText, PlainText
from fl.training.examples.partition import by_group, dirichlet, iid
from fl.training.examples.reading import Dataset
from fl.training.examples.shuffle import permutation
from fl.training.examples.sources import open_labelled, open_plain
from fl.training.stream import Examples

CLIENT_EXAMPLES_MIN: Final = 8
TEST_SEED: Final = 0

Texts = Dataset[LabelledText] | Dataset[PlainText]


@dataclass(frozen=True, slots=True)
class Field:
    """The texts of one seed.

    Attributes:
        clients: what each holds.
        pooled: all of that together.
        shards: what each validator holds; none of it is trained on in any arm.
        test: what figures are taken on.
        labels: the number of classes; 0 for texts to write.
    """

    clients: tuple[Examples, ...]
    pooled: Examples
    shards: tuple[Examples, ...]
    test: Examples
    labels: int


@functools.lru_cache(maxsize=1)
def open_texts(settings: Settings) -> Texts:
    """Read the source; a process that runs several arms does that once."""
    columns = Columns(group=settings.group or None)
    if settings.task is ModelKind.CLASSIFICATION:
        return open_labelled(settings.data, columns=columns)
    return open_plain(settings.data, columns=columns)


def lay_out(texts: Texts, settings: Settings, *, seed: int) -> Field:
    """Divide the texts.

    Raises:
        ValueError: there are too few, or no groups where the division needs them.
    """
    order = permutation(len(texts.train), seed=seed, stream="field")
    held, rest = order[: settings.hold_out], order[settings.hold_out :]
    chosen = np.sort(np.array(rest[: settings.train_max or None], dtype=np.int64))
    parts = _divide(texts, chosen, settings, seed=seed)
    tested = permutation(len(texts.test), seed=TEST_SEED)[: settings.test_max or None]
    return Field(
        clients=tuple(_take(texts, chosen[part].tolist()) for part in parts),
        pooled=_take(texts, chosen.tolist()),
        shards=tuple(_take(texts, held[one :: settings.validators]) for one in _judges(settings)),
        test=_texts(texts.test, sorted(tested)),
        labels=len(texts.label_names),
    )


def _judges(settings: Settings) -> range:
    if settings.hold_out < settings.validators:
        raise ValueError(
            f"{settings.validators} validators need a text each, --hold-out is {settings.hold_out}"
        )
    return range(settings.validators)


def _divide(
    texts: Texts,
    chosen: NDArray[np.int64],
    settings: Settings,
    *,
    seed: int,
) -> list[list[int]]:
    """Return for each client places in `chosen`."""
    count, groups = len(chosen), texts.train.groups
    if settings.division is Division.GROUPS and not len(groups):
        raise ValueError("a division by groups needs --group COLUMN")
    match settings.division:
        case Division.IID:
            return iid(count, clients=settings.clients, seed=seed)
        case Division.GROUPS:
            return by_group([groups[int(one)] for one in chosen], clients=settings.clients)
        case Division.DIRICHLET:
            return dirichlet(
                _kinds(texts, chosen.tolist(), settings),
                clients=settings.clients,
                alpha=settings.alpha,
                seed=seed,
                examples_min=CLIENT_EXAMPLES_MIN,
            )


def _kinds(texts: Texts, chosen: Sequence[int], settings: Settings) -> list[int]:
    groups = texts.train.groups
    if texts.label_names and not settings.group:
        return [int(texts.train.numbers[one]) for one in chosen]
    if not len(groups):
        raise ValueError("texts without classes need --group COLUMN, or --division iid")
    names = sorted(set(groups))
    return [names.index(groups[one]) for one in chosen]


def _take(texts: Texts, indices: Sequence[int]) -> Examples:
    return _texts(texts.train, indices)


def _texts(split: Examples, indices: Sequence[int]) -> Examples:
    # In memory, for they are read again in every round.
    taken: Examples = [split[one] for one in indices]  # type: ignore[assignment]
    return taken
