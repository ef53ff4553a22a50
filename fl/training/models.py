"""Load the base model of a task: frozen, pinned by digest, safetensors only, no code of its own.

Dropout is off in every base model that is loaded: with frozen weights it would only add noise that
two machines cannot share.
"""

import enum
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch

from fl.jobs.subject import ModelKind
from fl.training.errors import MalformedModelError, UnsafeModelError, WrongModelError
from fl.training.model_digest import model_digest, read_config, tokenizer_digest
from fl.training.model_source import find_model
from primitives.ids import Digest

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

LABELS_MIN: Final = 2


@enum.unique
class Precision(enum.Enum):
    """In which type the frozen weights are kept and multiplied; adapters are float32 always.

    FLOAT32 leaves TF32 as torch has it; only scoring turns it off. BFLOAT16 is meant for GPUs that
    have it.
    """

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"

    @property
    def dtype(self) -> torch.dtype:
        """The torch type of the frozen weights."""
        return torch.bfloat16 if self is Precision.BFLOAT16 else torch.float32


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A base model with its tokenizer.

    Attributes:
        model: frozen, in training mode without dropout.
        labels: the classes of a classifier; 0 for a language model.
        digest: of the weights and the configuration, see `model_digest`.
        tokenizer_digest: of the tokenizer's files.
        source: what was asked for.
        folder: where it was found.
    """

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    kind: ModelKind
    labels: int
    digest: Digest
    tokenizer_digest: Digest
    source: str
    folder: Path

    @property
    def positions(self) -> int | None:
        """The tokens of the longest text that it reads; None where its configuration says none."""
        named = getattr(self.model.config, "max_position_embeddings", None)
        if not isinstance(named, int) or named < 1:
            return None
        # RoBERTa and its kin give the first token the position after that of padding.
        embeddings = [getattr(one, "position_embeddings", None) for one in self.model.modules()]
        paddings = [getattr(one, "padding_idx", None) for one in embeddings]
        return named - max((one + 1 for one in paddings if one is not None), default=0)


@dataclass(frozen=True, slots=True)
class Pins:
    """The digests that a task names; an absent one is not checked."""

    model: bytes | None = None
    tokenizer: bytes | None = None


UNPINNED: Final = Pins()


def load_model(
    source: str,
    *,
    kind: ModelKind,
    labels: int | None = None,
    device: str = "cpu",
    precision: Precision = Precision.FLOAT32,
    pins: Pins = UNPINNED,
) -> LoadedModel:
    """Load a base model; its digests are checked before anything else is read.

    Args:
        source: a folder, `package:NAME`, or a hub id, see `model_source`.
        kind: what it is for.
        labels: the number of classes of a classifier.
        device: as torch names it, such as `cpu` or `cuda:0`.
        precision: of the frozen weights.
        pins: the digests that the task names.

    Raises:
        ModelNotFoundError: the source names nothing that can be reached.
        UnsafeModelError: loading it could run code.
        MalformedModelError: a file is missing or damaged, or parts of the model are missing.
        WrongModelError: it is not the model or tokenizer that is pinned.
    """
    # transformers takes a second to import; whoever only names kinds of models does not need it.
    from fl.training.examples.batches import fill_token  # noqa: PLC0415
    from fl.training.weights import load_tokenizer, load_weights  # noqa: PLC0415

    count = _label_count(kind, labels)
    folder = find_model(source)
    digest = _pinned("base model", model_digest(folder), pins.model, source)
    tokens = _pinned("tokenizer", tokenizer_digest(folder), pins.tokenizer, source)
    _refuse_own_code(folder)
    model = load_weights(folder, labels=count, dtype=precision.dtype)
    tokenizer = load_tokenizer(folder)
    if kind is ModelKind.CLASSIFICATION:
        # Causal models read the class at the last token that is not this one, whatever the mask.
        model.config.get_text_config().pad_token_id = fill_token(tokenizer)
    return LoadedModel(
        model=_freeze(model, device),
        tokenizer=tokenizer,
        kind=kind,
        labels=count,
        digest=digest,
        tokenizer_digest=tokens,
        source=source,
        folder=folder,
    )


def _pinned(field: str, actual: Digest, expected: bytes | None, source: str) -> Digest:
    if expected is not None and expected != actual:
        raise WrongModelError(field=field, expected=expected, actual=actual, source=source)
    return actual


def _refuse_own_code(folder: Path) -> None:
    for name in ("config.json", "tokenizer_config.json"):
        path = folder / name
        if path.is_file() and "auto_map" in read_config(path):
            raise UnsafeModelError(
                f"{path} asks for code of its own (auto_map): only architectures that "
                "transformers ships are loaded"
            )


def _label_count(kind: ModelKind, labels: int | None) -> int:
    if kind is ModelKind.CAUSAL_LM:
        return 0
    if labels is None or labels < LABELS_MIN:
        raise MalformedModelError(f"a classifier needs at least {LABELS_MIN} labels, not {labels}")
    return labels


def _freeze(model: "PreTrainedModel", device: str) -> "PreTrainedModel":
    """Move a model, with no parameter left to train, and in training mode, as checkpointing needs.

    Training mode changes nothing else here, since dropout is off.
    """
    module: torch.nn.Module = model
    module.to(device).requires_grad_(requires_grad=False).train()
    return model
