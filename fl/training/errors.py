"""Why loading, training or exporting cannot go on.

    TrainingError
        ModelNotFoundError
        ModelTooLargeError
        UnsafeModelError
        MalformedModelError
        WrongModelError
        AdapterError
            MalformedAdapterError
        NotRepresentableError
        SettingError
        NoExamplesError
        DivergedError
        TrainingStoppedError
        OutOfMemoryError

Each message is one line: what is wrong, where, and what to do.
"""

from typing import ClassVar

from primitives.errors import TrainingError


class ModelNotFoundError(TrainingError):
    """Report that a source names no model that can be reached."""

    code: ClassVar[str] = "model_not_found"


class ModelTooLargeError(TrainingError):
    """Refuse to download a model that is larger than the caller allows."""

    code: ClassVar[str] = "model_too_large"


class UnsafeModelError(TrainingError):
    """Refuse a model whose loading could run code: pickled weights, or code of its own."""

    code: ClassVar[str] = "unsafe_model"


class MalformedModelError(TrainingError):
    """Refuse a model folder with a file that is missing, damaged or does not fit the others."""

    code: ClassVar[str] = "malformed_model"


class WrongModelError(TrainingError):
    """Refuse a base model or tokenizer that is not the one that the task pins.

    Args:
        field: `base model` or `tokenizer`.
        expected: the pinned digest.
        actual: the digest of what was found.
        source: where it was found.
    """

    code: ClassVar[str] = "wrong_model"

    def __init__(self, *, field: str, expected: bytes, actual: bytes, source: str) -> None:
        super().__init__(
            f"the {field} in {source} has digest {actual.hex()}, the task pins {expected.hex()}: "
            "use the model and revision that the task names"
        )
        self.field = field
        self.expected = expected
        self.actual = actual


class AdapterError(TrainingError):
    """Refuse an adapter that does not fit its base model."""

    code: ClassVar[str] = "adapter"


class MalformedAdapterError(AdapterError):
    """Refuse an adapter folder with a file that is missing, damaged or does not fit the model."""

    code: ClassVar[str] = "malformed_adapter"


class NotRepresentableError(TrainingError):
    """Refuse a number that has no fixed-point form: NaN, infinite, or out of range.

    Args:
        tensor: the name of the tensor that holds it.
        index: its place in the flattened tensor.
        value: the number.
    """

    code: ClassVar[str] = "not_representable"

    def __init__(self, *, tensor: str, index: int, value: float) -> None:
        super().__init__(
            f"tensor {tensor}, element {index}: {value} has no fixed-point form "
            "(it must be finite and below 128 in magnitude): lower the learning rate"
        )
        self.tensor = tensor
        self.index = index
        self.value = value


class SettingError(TrainingError):
    """Refuse a setting of a training run.

    Args:
        setting: its name.
        value: what it was.
        wanted: what it must be, in words.
    """

    code: ClassVar[str] = "training_setting"

    def __init__(self, setting: str, value: float, wanted: str) -> None:
        super().__init__(f"{setting} is {value}, it must be {wanted}")
        self.setting = setting
        self.value = value


class NoExamplesError(TrainingError):
    """Report that there is nothing to train on, or that the examples do not fit the model."""

    code: ClassVar[str] = "no_examples"


class DivergedError(TrainingError):
    """Report that the loss of a training run is not finite.

    Args:
        step: the last step that was looked at; the loss went wrong at or before it.
        loss: what it was.
    """

    code: ClassVar[str] = "diverged"

    def __init__(self, *, step: int, loss: float) -> None:
        super().__init__(
            f"the loss is {loss} by step {step}: lower the learning rate or check the texts"
        )
        self.step = step
        self.loss = loss


class TrainingStoppedError(TrainingError):
    """Report that training ended because its caller asked for that.

    Args:
        step: the steps that were done.
    """

    code: ClassVar[str] = "training_stopped"

    def __init__(self, *, step: int) -> None:
        super().__init__(f"stopped after {step} steps, as asked")
        self.step = step


class OutOfMemoryError(TrainingError):
    """Report that one example alone does not fit into memory.

    Args:
        token_count: tokens of the smallest part that was tried.
    """

    code: ClassVar[str] = "out_of_memory"

    def __init__(self, *, token_count: int) -> None:
        super().__init__(
            f"a batch of {token_count} tokens does not fit into memory: "
            "lower max_length, or turn gradient checkpointing on"
        )
        self.token_count = token_count
