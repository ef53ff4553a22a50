"""One optimiser step: the gradient of a batch, in as many parts as memory needs, then AdamW."""

import torch
from torch import Tensor

from fl.jobs.shortage import is_shortage
from fl.training.adapters import Adapter
from fl.training.errors import OutOfMemoryError
from fl.training.examples.batches import Batch
from fl.training.flat import FlatParameters
from fl.training.loss import Rows, rows_of, summed_loss
from fl.training.settings import FedProx, LocalTraining
from fl.training.stream import asks_loss


class Stepper:
    """Moves the tensors that a round trains; everything else stays.

    Args:
        adapter: in its model.
        flat: what is moved.
        training: how.
        adjustment: what logits of a classifier get added, (classes,) float32; None: nothing.

    Attributes:
        parts: pieces in which a batch passes through the model; grows when memory does not suffice.
    """

    def __init__(
        self,
        adapter: Adapter,
        flat: FlatParameters,
        training: LocalTraining,
        *,
        adjustment: Tensor | None = None,
    ) -> None:
        self.parts = training.parts
        self._adjustment = None if adjustment is None else adjustment.to(adapter.device)
        self._adapter = adapter
        self._flat = flat
        self._norm_max = training.gradient_norm_max
        self._rate = training.learning_rate
        objective = training.objective
        self._mu = objective.mu if isinstance(objective, FedProx) else 0.0
        self._start = flat.values.detach().clone() if self._mu else None
        self._optimizer = torch.optim.AdamW(
            [flat.values],
            lr=self._rate,
            weight_decay=training.weight_decay,
            fused=True,
        )

    def step(self, batch: Batch, *, share: float) -> Tensor:
        """Take one step, and return the mean loss before it; () float32 on the device.

        Args:
            batch: what to learn from.
            share: of the learning rate; 0 to 1.

        Raises:
            OutOfMemoryError: not even one row fits into memory; nothing was changed.
        """
        self._optimizer.param_groups[0]["lr"] = self._rate * share
        loss = self._in_parts(batch)
        if self._start is not None:
            self._flat.gradient.add_(self._flat.values.detach() - self._start, alpha=self._mu)
        self._flat.clip_gradient(self._norm_max)
        self._optimizer.step()
        return loss

    @torch.no_grad()
    def measure(self, batch: Batch) -> Tensor:
        """Return the mean loss of a batch; () float32 on the device."""
        pieces = split(batch, self.parts, self._adapter.device)
        asked = sum(piece.asked for piece in pieces)
        return torch.stack([self._loss(piece) for piece in pieces]).sum() / asked

    def _in_parts(self, batch: Batch) -> Tensor:
        while True:
            try:
                return self._gradient(batch)
            except (RuntimeError, MemoryError) as error:
                if not is_shortage(error):
                    raise
                if self.parts >= len(batch.input_ids):
                    tokens = batch.input_ids.shape[1]
                    raise OutOfMemoryError(token_count=tokens) from error
            # Outside of the handler, for the traceback holds on to the tensors of the failed try.
            self.parts *= 2
            if self._adapter.device.type == "cuda":
                torch.cuda.empty_cache()

    def _gradient(self, batch: Batch) -> Tensor:
        self._flat.gradient.zero_()
        pieces = split(batch, self.parts, self._adapter.device)
        asked = sum(piece.asked for piece in pieces)
        total = torch.zeros((), device=self._adapter.device)
        for piece in pieces:
            loss = self._loss(piece) / asked
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        return total

    def _loss(self, rows: Rows) -> Tensor:
        return summed_loss(self._adapter, rows, adjustment=self._adjustment)


def split(batch: Batch, parts: int, device: torch.device) -> list[Rows]:
    """Cut a batch by rows into at most so many pieces; those that ask for no loss are left out."""
    if parts == 1:
        return [rows_of(batch, device)]
    rows = len(batch.input_ids)
    size = -(-rows // parts)
    spans = [slice(start, start + size) for start in range(0, rows, size)]
    cut = [
        Batch(batch.input_ids[span], batch.attention_mask[span], batch.labels[span])
        for span in spans
    ]
    return [rows_of(piece, device) for piece in cut if asks_loss(piece)]
