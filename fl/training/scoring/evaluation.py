"""Losses of many variants of one adapter on the same examples, in one pass over the shared layers.

Theory of operation. A variant is a state of the adapter. Examples are cut into batches of equal
length. For each batch the layers below the first adapted one run once, and their result is kept for
all variants; the rest runs for as many variants at a time as memory allows, stacked along one axis,
where frozen weights are multiplied in one product and low-rank parts in batched ones. No adapter is
ever loaded into the model, so nothing is written to it and nothing has to be put back.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fl.rules.update.layout import TensorLayout
from fl.training.adapters import Adapter
from fl.training.examples.tokens import Encoded
from fl.training.scoring.batch import Batch, check_examples, cut
from fl.training.scoring.choice import choose_forward
from fl.training.scoring.errors import ScoringError, ScoringStoppedError
from fl.training.scoring.exact import exactly
from fl.training.scoring.limits import DEFAULT_LIMITS, Cut, Limits, cut_for
from fl.training.scoring.sites import Sites, stack

States = Iterable[NDArray[np.int32]]
"""States of an adapter, (size,) each, in fixed point; made one after another to save memory."""


class Evaluation:
    """A set of examples, ready to be evaluated under any number of states of an adapter.

    What the layers below the first adapted one gave is kept between calls, so an evaluation serves
    all votes of a round. The base model must not change meanwhile; the adapter may.

    Args:
        adapter: in its model, whose weights are float32.
        examples: tokenised.
        layout: which tensors the states hold; the other ones are those of the adapter.
        count: about how many states a call will bring.
        limits: of memory and patience.

    Raises:
        ScoringError: an example cannot be scored, or the model is not in float32.
        UnscorableModelError: the adapter is of a kind that cannot be stacked.
    """

    def __init__(
        self,
        adapter: Adapter,
        examples: Sequence[Encoded],
        *,
        layout: TensorLayout,
        count: int,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        kind = adapter.loaded.kind
        check_examples(examples, kind)
        _check_precision(adapter)
        self._adapter = adapter
        self._layout = layout
        self._limits = limits
        self._sites = Sites.of(adapter.model)
        self._forward = choose_forward(adapter, self._sites)
        length_max = max(len(example.ids) for example in examples)
        self._cut: Cut = cut_for(
            adapter,
            count=count,
            length_max=length_max,
            state_size=layout.size,
            memory_bytes=limits.memory_bytes,
        )
        self._size = len(examples)
        self._batches = list(
            cut(examples, kind=kind, tokens_max=self._cut.tokens, device=adapter.device)
        )
        self._shared: dict[int, Tensor] = {}
        self._spare_bytes = limits.memory_bytes // 3

    def losses(self, states: States, *, count: int) -> NDArray[np.float32]:
        """Return the loss of each example under each state.

        Args:
            states: `count` of them.
            count: how many.

        Returns:
            (count, examples) float32: mean negative log likelihood of what an example asks.

        Raises:
            ScoringStoppedError: the limits said so.
        """
        found = np.empty((count, self._size), np.float32)
        start = 0
        with exactly(self._adapter.model, self._adapter.device):
            for chunk in _chunks(states, self._cut.variants):
                for batch, losses in self._chunk(chunk, start=start, count=count):
                    found[start : start + len(chunk), batch.indices] = losses.cpu().numpy()
                start += len(chunk)
        if start != count:
            raise ScoringError(f"{start} states came where {count} were announced")
        return found

    def _chunk(
        self, states: list[NDArray[np.int32]], *, start: int, count: int
    ) -> Iterator[tuple[Batch, Tensor]]:
        parts = {
            path: stack(site, states, layout=self._layout, adapter=self._adapter)
            for path, site in self._sites.all.items()
        }
        total = count * len(self._batches)
        for number, batch in enumerate(self._batches):
            done = start * len(self._batches) + number * len(states)
            if self._limits.should_stop():
                raise ScoringStoppedError(done=done, total=total)
            self._limits.progress(done, total)
            shared = self._shared_of(number, batch)
            yield batch, self._forward.losses(batch, shared, parts=parts, variants=len(states))
        self._limits.progress((start + len(states)) * len(self._batches), total)

    def _shared_of(self, number: int, batch: Batch) -> Tensor:
        kept = self._shared.get(number)
        if kept is not None:
            return kept
        shared = self._forward.shared(batch.ids)
        if shared.nbytes <= self._spare_bytes:
            self._spare_bytes -= shared.nbytes
            self._shared[number] = shared
        return shared


def _chunks(states: States, size: int) -> Iterator[list[NDArray[np.int32]]]:
    rest = iter(states)
    while chunk := list(islice(rest, size)):
        yield chunk


def _check_precision(adapter: Adapter) -> None:
    for name, parameter in adapter.model.named_parameters():
        if parameter.dtype is not torch.float32:
            raise ScoringError(
                f"{name} is {parameter.dtype}: load the model in float32 to score with it"
            )
