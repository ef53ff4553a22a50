"""What a model must offer so that many variants of its adapter can be evaluated together."""

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor

from fl.training.scoring.batch import Batch
from fl.training.scoring.projection import Part

Parts = Mapping[str, Part]
"""What the variants have at each place that the adapter changes, by path."""


class Forward(Protocol):
    """A model in two halves: what all variants share, and what differs."""

    def shared(self, ids: Tensor) -> Tensor:
        """Run the layers below the first one that is adapted.

        Args:
            ids: (rows, length) int64, no padding.

        Returns:
            (1, rows * length, width) float32.
        """
        ...

    def losses(self, batch: Batch, shared: Tensor, *, parts: Parts, variants: int) -> Tensor:
        """Run the rest for all variants.

        Args:
            batch: whose ids were given to `shared`.
            shared: what that returned; it is left as it is.
            parts: of each adapted place.
            variants: how many there are.

        Returns:
            (variants, rows) float32, the mean negative log likelihood of each row.
        """
        ...
