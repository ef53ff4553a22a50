"""Any model of transformers, for many variants of its adapter at once.

The model's own code runs on (variants * rows) rows of one length, with the adapted linear maps
replaced by ones that give each row its variant's part. The layers below the first adapted one
are replaced by ones that recall what they gave for one variant.

Not every model bears that: XLNet wants the tokens first and the rows second, T5 hands a bias from
layer to layer, and DeBERTa-v2 may convolve after its first layer. So the first batch is also run
for one variant alone with nothing recalled, and must give the same.
"""

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import Any, Final, NoReturn

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from typing_extensions import override

from fl.jobs.shortage import is_shortage
from fl.training.scoring.batch import Batch
from fl.training.scoring.errors import UnscorableModelError
from fl.training.scoring.forward import Forward, Parts
from fl.training.scoring.loss import row_losses
from fl.training.scoring.projection import Frozen, Head, LowRank, Part, project
from fl.training.scoring.sites import Sites

# Of logits; what one variant gives and the same one among others differ in their last digits.
_TOLERANCE: Final = 1e-3
# What a model raises that does more with its layers, or with what they return, than was foreseen.
_MISFITS: Final = (AttributeError, LookupError, RuntimeError, TypeError, ValueError)


class SplicedForward(Forward):
    """The way through a model whose layers stand in one list and take hidden states first.

    Raises:
        UnscorableModelError: the model has no list of layers; later, that it cannot be spliced.
    """

    def __init__(self, model: PreTrainedModel, sites: Sites) -> None:
        # The stubs know neither the call nor the outputs of a model in general.
        self._model: Any = model
        self._sites = sites
        # Keeping keys and values for a text to come would be for nothing.
        is_causal = hasattr(model, "lm_head")
        self._options = {"use_cache": False} if is_causal else {}
        path, self._layers = _layer_list(model)
        self._first = sites.first_layer(path, len(self._layers))
        # What each layer that is recalled returns beside hidden states; None: it returns no tuple.
        self._extras: list[int | None] = [None] * self._first
        self._variants_proven = 0

    @override
    def shared(self, ids: Tensor) -> Tensor:
        with self._or_unscorable(), contextlib.ExitStack() as stack:
            for number, layer in enumerate(self._layers[: self._first]):
                stack.callback(layer.register_forward_hook(partial(self._note, number)).remove)
            first = self._layers[self._first]
            stop = first.register_forward_pre_hook(_stop_before, with_kwargs=True)
            stack.callback(stop.remove)
            try:
                self._model(input_ids=ids, **self._options)
            except _ReachedError as reached:
                return reached.hidden.reshape(1, ids.numel(), -1)
        raise UnscorableModelError(f"{type(self._model).__name__} does not run its list of layers")

    @override
    def losses(self, batch: Batch, shared: Tensor, *, parts: Parts, variants: int) -> Tensor:
        hidden = shared.view(*batch.ids.shape, -1).repeat(variants, 1, 1)
        with self._or_unscorable():
            with self._recalling(hidden):
                found = self._logits(batch.ids, parts=parts, variants=variants)
            if variants > self._variants_proven:
                self._prove(found[-1], batch.ids, parts=parts)
                self._variants_proven = variants
        places = batch.asked.places
        chosen = found if places is None else found.index_select(1, places)
        return row_losses(chosen, batch.asked, to_logits=lambda some: some)

    def _logits(self, ids: Tensor, *, parts: Parts, variants: int) -> Tensor:
        """Return (variants, rows or rows * length, classes or vocabulary)."""
        with self._spliced(parts, variants):
            found: Tensor = self._model(input_ids=ids.repeat(variants, 1), **self._options).logits
        return found.view(variants, -1, found.shape[-1])

    def _prove(self, found: Tensor, ids: Tensor, *, parts: Parts) -> None:
        """Refuse a model that gives something else for the last variant alone, nothing recalled."""
        last = {path: _last(part) for path, part in parts.items()}
        (expected,) = self._logits(ids, parts=last, variants=1)
        is_same = torch.allclose(found, expected, _TOLERANCE, _TOLERANCE, equal_nan=True)
        if not is_same:
            name = type(self._model).__name__
            raise UnscorableModelError(f"{name} gives other losses with the variants side by side")

    @contextlib.contextmanager
    def _or_unscorable(self) -> Iterator[None]:
        try:
            yield
        except _MISFITS as error:
            if is_shortage(error):
                raise
            name = type(self._model).__name__
            reason = str(error).strip().split("\n")[0]
            raise UnscorableModelError(
                f"{name} cannot be run with the variants side by side: {reason}"
            ) from error

    def _note(self, number: int, _layer: nn.Module, _arguments: object, output: object) -> None:
        self._extras[number] = len(output) - 1 if isinstance(output, tuple) else None

    @contextlib.contextmanager
    def _spliced(self, parts: Parts, variants: int) -> Iterator[None]:
        originals = {path: self._model.get_submodule(path) for path in self._sites.all}
        for path, site in self._sites.all.items():
            self._model.set_submodule(path, _Varied(site.linear, parts[path], variants))
        try:
            yield
        finally:
            for path, original in originals.items():
                self._model.set_submodule(path, original)

    @contextlib.contextmanager
    def _recalling(self, hidden: Tensor) -> Iterator[None]:
        originals = list(self._layers[: self._first])
        for number in range(self._first):
            self._layers[number] = _Recalled(originals[number], hidden, self._extras[number])
        try:
            yield
        finally:
            for number, original in enumerate(originals):
                self._layers[number] = original


class _Varied(nn.Module):
    """A linear map on (variants * rows, ..., in)."""

    def __init__(self, linear: Frozen, part: Part, variants: int) -> None:
        super().__init__()
        self._linear = linear
        self._part = part
        self._variants = variants

    @override
    def forward(self, activations: Tensor) -> Tensor:
        """Return (variants * rows, ..., out)."""
        flat = activations.reshape(self._variants, -1, activations.shape[-1])
        found = project(self._linear, self._part, flat)
        return found.reshape(*activations.shape[:-1], found.shape[-1])


class _Recalled(nn.Module):
    """A layer whose result is known; what else is asked of it the layer itself answers.

    Args:
        layer: in whose place it is.
        hidden: what that gives.
        extras: what that returns beside; None: it returns no tuple.
    """

    def __init__(self, layer: nn.Module, hidden: Tensor, extras: int | None) -> None:
        super().__init__()
        self._layer = layer
        self._result = hidden if extras is None else (hidden, *[None] * extras)

    @override
    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("_layer"), name)

    @override
    def forward(self, *_arguments: object, **_options: object) -> object:
        """Return what is known."""
        return self._result


class _ReachedError(Exception):
    """End a forward pass early."""

    def __init__(self, hidden: Tensor) -> None:
        super().__init__()
        self.hidden = hidden


def _stop_before(
    _layer: nn.Module, arguments: tuple[Tensor, ...], options: dict[str, Tensor]
) -> NoReturn:
    raise _ReachedError(arguments[0] if arguments else options["hidden_states"])


def _last(part: Part) -> Part:
    """Return what the last variant has."""
    match part:
        case LowRank():
            return LowRank(down=part.down[-1:], up=part.up[-1:])
        case Head():
            return Head(part.weight[-1:], None if part.bias is None else part.bias[-1:])


def _layer_list(model: PreTrainedModel) -> tuple[str, nn.ModuleList]:
    """Return the longest list of modules: the layers, in every model with one stack of them."""
    lists = [
        (path, module)
        for path, module in model.named_modules()
        if isinstance(module, nn.ModuleList)
    ]
    if not lists:
        raise UnscorableModelError(f"{type(model).__name__} has no list of layers")
    return max(lists, key=lambda one: len(one[1]))
