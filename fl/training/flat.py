"""Keep the tensors that a round trains, and their gradients, in one vector each.

The optimiser, clipping and the proximal term then take one call each instead of one for each
tensor, and setting the gradients to zero writes one block of memory.
"""

from collections.abc import Sequence

import torch


class FlatParameters:
    """Tensors as views of one float32 vector, in the order given; their gradients likewise.

    Attributes:
        values: (size,) float32, a parameter; writing to it writes to the tensors.
    """

    def __init__(self, tensors: Sequence[torch.nn.Parameter]) -> None:
        joined = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
        self.values = torch.nn.Parameter(joined)
        self.values.grad = torch.zeros_like(joined)
        start = 0
        for tensor in tensors:
            end = start + tensor.numel()
            tensor.data = joined[start:end].view(tensor.shape)
            tensor.grad = self.values.grad[start:end].view(tensor.shape)
            start = end

    @property
    def gradient(self) -> torch.Tensor:
        """The gradients of all tensors; (size,) float32."""
        assert self.values.grad is not None
        return self.values.grad

    def clip_gradient(self, norm_max: float) -> None:
        """Scale the gradient down to the norm, without asking the device what it was."""
        norm = torch.linalg.vector_norm(self.gradient)
        self.gradient.mul_(torch.clamp(norm_max / (norm + 1e-6), max=1.0))
