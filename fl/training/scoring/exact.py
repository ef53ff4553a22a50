"""Hold torch to float32 without shortcuts and to deterministic algorithms, for scoring.

Forward passes still differ in their last digits between devices and numbers of threads, which is
why losses are votes; but one validator that scores twice finds the same numbers.
"""

import contextlib
from collections.abc import Iterator

import torch
from torch import nn

from fl.training.determinism import repeatable


@contextlib.contextmanager
def exactly(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Turn TF32, gradients and training mode off; on leaving, all is as it was."""
    was_training = model.training
    precision = torch.get_float32_matmul_precision()
    was_tf32 = torch.backends.cudnn.allow_tf32
    model.eval()
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    try:
        with torch.inference_mode(), repeatable(device, seed=0):
            yield
    finally:
        torch.backends.cudnn.allow_tf32 = was_tf32
        torch.set_float32_matmul_precision(precision)
        model.train(was_training)
