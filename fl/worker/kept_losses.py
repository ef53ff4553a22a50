"""Keep what models lost on a validator's examples: a round's candidate is the next one's model.

Guards: what is kept is what the same evaluation would find again, bit for bit, for a place names
by content all that the losses follow from: the base model, the adapter, the examples, the state,
and how much memory decided on the batches.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from fl.jobs.subject import AdapterShape
from fl.training.models import LoadedModel
from fl.training.scoring.scores import Panel
from fl.training.scoring.terms import Losses

KEPT_MAX: Final = 16
"""The present model and the rungs of a ladder, for a few tasks."""

Int32s = NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What losses follow from beside the state of the adapter."""

    model: bytes
    tokenizer: bytes
    labels: int
    adapter: AdapterShape
    panel: bytes
    memory_bytes: int


def ground_of(
    loaded: LoadedModel, adapter: AdapterShape, panel: Panel, *, memory_bytes: int
) -> Ground:
    """Return the ground of an evaluation; the texts are named by their tokens."""
    return Ground(
        model=loaded.digest,
        tokenizer=loaded.tokenizer_digest,
        labels=loaded.labels,
        adapter=adapter,
        panel=_digest([panel.examples, *panel.probes]),
        memory_bytes=memory_bytes,
    )


class KeptLosses:
    """The losses that were asked for last; lost with the process, which costs an evaluation."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[Ground, bytes], Losses] = OrderedDict()

    def of(self, state: Int32s, *, ground: Ground, measure: Callable[[Int32s], Losses]) -> Losses:
        """Return the losses of a state of the adapter, measured only where they are not kept."""
        place = ground, hashlib.sha256(state.tobytes()).digest()
        losses = self._kept.get(place)
        if losses is None:
            losses = measure(state)
        self._kept[place] = losses
        self._kept.move_to_end(place)
        while len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
        return losses


def _digest(sets: Sequence[Sequence[object]]) -> bytes:
    return hashlib.sha256(msgspec.msgpack.encode(sets)).digest()
