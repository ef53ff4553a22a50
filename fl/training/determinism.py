"""Make torch give equal bytes for equal inputs, for as long as a context lasts."""

import contextlib
import os
from collections.abc import Iterator
from typing import Any, Final

import torch

# cuBLAS picks its way of adding by the memory it finds, unless the workspace is fixed.
_CUBLAS_SETTING: Final = "CUBLAS_WORKSPACE_CONFIG"
_CUBLAS_WORKSPACE: Final = ":4096:8"

# Before anything is multiplied: torch asks for it once a process, and goes on with what it found.
os.environ.setdefault(_CUBLAS_SETTING, _CUBLAS_WORKSPACE)


@contextlib.contextmanager
def repeatable(device: torch.device, *, seed: int) -> Iterator[None]:
    """Seed torch and hold it to deterministic algorithms; on leaving, both are as they were.

    Equal inputs give equal bytes on one kind of device with one number of threads. Between devices,
    sums are still added in other orders.
    """
    was_strict = torch.are_deterministic_algorithms_enabled()
    # The module is an object that the stubs do not know.
    memory: Any = torch.utils.deterministic
    was_filling = memory.fill_uninitialized_memory
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        torch.use_deterministic_algorithms(mode=True)
        # Filling every new tensor finds bugs of kernels, and costs a pass over memory each time.
        memory.fill_uninitialized_memory = False
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(mode=was_strict)
            memory.fill_uninitialized_memory = was_filling
