"""Read weights and tokenizers with transformers: safetensors only, and no code but its own.

Apart from `models`, for transformers takes a second to import.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from fl.training.errors import MalformedModelError

HEADS: Final = ("classifier", "score")
"""What the classification heads of transformers are called; a pretrained encoder has none."""

# What transformers raises where a file does not say what it should.
_DAMAGE: Final = (
    ArithmeticError,
    AttributeError,
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    SafetensorError,
    StrictDataclassError,
    TypeError,
    ValueError,
)
_DROPOUT_ENDINGS: Final = ("dropout", "dropout_prob", "_pdrop")


def load_weights(folder: Path, *, labels: int, dtype: torch.dtype) -> PreTrainedModel:
    """Load a classifier with so many labels, or a language model where there are none.

    Raises:
        MalformedModelError: a file is missing or damaged, or parts of the model are missing.
    """
    options: dict[str, Any] = {
        "dtype": dtype,
        "use_safetensors": True,
        "local_files_only": True,
        "trust_remote_code": False,
        "output_loading_info": True,
    }
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        loader: Any = AutoModelForCausalLM
        if labels:
            config.num_labels = labels
            loader = AutoModelForSequenceClassification
        options["config"] = _without_dropout(config)
        # The stubs of transformers know nothing of `output_loading_info`.
        with _quiet_loading():
            loaded: Any = loader.from_pretrained(folder, **options)
    except torch.OutOfMemoryError:
        raise
    except _DAMAGE as error:
        raise MalformedModelError(f"{folder}: {_first_line(error)}") from error
    model: PreTrainedModel
    model, report = loaded
    _check_complete(folder, report)
    return model


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Load a tokenizer.

    Raises:
        MalformedModelError: there is none, or a file is damaged.
    """
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except _DAMAGE as error:
        raise MalformedModelError(f"{folder}: {_first_line(error)}") from error
    return tokenizer


def _without_dropout(config: PretrainedConfig) -> PretrainedConfig:
    """Return the configuration with every dropout set to 0 and no cache of keys and values."""
    config.use_cache = False
    for name, value in config.to_dict().items():
        if name.endswith(_DROPOUT_ENDINGS) and isinstance(value, float | int):
            setattr(config, name, 0.0)
    return config


def _check_complete(folder: Path, report: dict[str, Any]) -> None:
    """Refuse parts that would start at random, but for the head, which the adapter's seed fills."""
    missing = sorted(name for name in report["missing_keys"] if name.split(".")[0] not in HEADS)
    if missing:
        raise MalformedModelError(
            f"{folder}: the weights lack {missing[0]}, and {len(missing) - 1} other tensors"
        )
    if report["mismatched_keys"]:
        wrong = sorted(str(entry[0]) for entry in report["mismatched_keys"])
        raise MalformedModelError(f"{folder}: tensor {wrong[0]} has another shape than config.json")


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]


@contextlib.contextmanager
def _quiet_loading() -> Iterator[None]:
    """Keep bars and reports of transformers off the terminal; `_check_complete` reads them."""
    verbosity = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
