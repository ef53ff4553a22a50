"""Any model of transformers, for many variants of its adapter at once.

The model's own code runs on (variants * rows) rows of one length, with the adapted linear maps
replaced by ones that give each row its variant's part. The layers below the first adapted one
are replaced by ones that recall what they gave for one variant.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, NoReturn

from torch import Tensor, nn
from transformers import PreTrainedModel
from typing_extensions import override

from fl.training.scoring.batch import Batch
from fl.training.scoring.errors import UnscorableModelError
from fl.training.scoring.forward import Forward, Parts
from fl.training.scoring.loss import row_losses
from fl.training.scoring.projection import Frozen, Part, project
from fl.training.scoring.sites import Sites


class SplicedForward(Forward):
    """The way through a model whose layers stand in one list and take hidden states first."""

    def __init__(self, model: PreTrainedModel, sites: Sites) -> None:
        # The stubs know neither the call nor the outputs of a model in general.
        self._model: Any = model
        self._sites = sites
        # Keeping keys and values for a text to come would be for nothing.
        is_causal = hasattr(model, "lm_head")
        self._options = {"use_cache": False} if is_causal else {}
        path, self._layers = _layer_list(model)
        self._first = sites.first_layer(path, len(self._layers))

    @override
    def shared(self, ids: Tensor) -> Tensor:
        first = self._layers[self._first]
        with contextlib.ExitStack() as stack:
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
        with self._spliced(parts, variants), self._recalling(hidden):
            ids = batch.ids.repeat(variants, 1)
            found: Tensor = self._model(input_ids=ids, **self._options).logits
        flat = found.view(variants, -1, found.shape[-1])
        places = batch.asked.places
        chosen = flat if places is None else flat.index_select(1, places)
        return row_losses(chosen, batch.asked, to_logits=lambda some: some)

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
            self._layers[number] = _Recalled(hidden)
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
    """A layer whose result is known."""

    def __init__(self, hidden: Tensor) -> None:
        super().__init__()
        self._hidden = hidden

    @override
    def forward(self, *_arguments: object, **_options: object) -> Tensor:
        """Return what is known."""
        return self._hidden


class _ReachedError(Exception):
    """End a forward pass early."""

    def __init__(self, hidden: Tensor) -> None:
        super().__init__()
        self.hidden = hidden


def _stop_before(
    _layer: nn.Module, arguments: tuple[Tensor, ...], options: dict[str, Tensor]
) -> NoReturn:
    raise _ReachedError(arguments[0] if arguments else options["hidden_states"])


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
