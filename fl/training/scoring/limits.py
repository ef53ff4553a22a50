"""What an evaluation may use, and how that cuts it into chunks of variants and batches."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from fl.jobs.subject import ModelKind
from fl.training.adapters import Adapter

MEMORY_SIZE_BYTES: Final = 384 << 20
_FLOAT_SIZE_BYTES: Final = 4
# More tokens at a time are not faster on a CPU: the wide activations leave its caches (measured:
# 2,048 to 8,192 tokens are within noise of each other for MiniLM).
_CPU_TOKENS_MAX: Final = 4_096


def _never() -> bool:
    return False


def _nobody(_done: int, _total: int) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Limits:
    """What an evaluation may use.

    Attributes:
        memory_bytes: a third each for activations, for what is stacked, and for what is kept of the
            shared layers. One row under one variant is evaluated whatever it takes.
        should_stop: asked before each batch.
        progress: told how many batches are done, and of how many.
    """

    memory_bytes: int = MEMORY_SIZE_BYTES
    should_stop: Callable[[], bool] = _never
    progress: Callable[[int, int], None] = _nobody


DEFAULT_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class Cut:
    """How many variants go through the model together, with how many tokens of each."""

    variants: int
    tokens: int


def cut_for(
    adapter: Adapter, *, count: int, length_max: int, state_size: int, memory_bytes: int
) -> Cut:
    """Return the cut for so many variants, in chunks of nearly the same size.

    Args:
        adapter: in its model.
        count: of variants in all.
        length_max: tokens of the longest example.
        state_size: coordinates that differ between variants.
        memory_bytes: see `Limits`.
    """
    third = memory_bytes // 3
    tokens = max(1, third // _token_size_bytes(adapter))
    if adapter.device.type == "cpu":
        tokens = min(tokens, _CPU_TOKENS_MAX)
    together = min(tokens // length_max, third // (state_size * _FLOAT_SIZE_BYTES))
    chunks = -(-count // max(1, together))
    variants = -(-count // chunks)
    return Cut(variants=variants, tokens=max(1, tokens // variants))


def _token_size_bytes(adapter: Adapter) -> int:
    """Return about what one token holds at the widest point of a layer, or of the output."""
    config: Any = adapter.loaded.model.config
    width = config.hidden_size
    # Where it is None, as in GPT-Neo, the model takes four times the width itself.
    inner = getattr(config, "intermediate_size", None) or 4 * width
    numbers = 8 * width + 3 * inner
    if adapter.loaded.kind is ModelKind.CAUSAL_LM:
        numbers = max(numbers, 3 * config.vocab_size)
    return int(numbers * _FLOAT_SIZE_BYTES)
