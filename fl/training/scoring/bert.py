"""BERT with a classifier, for many variants of its adapter at once.

The classifier reads the first token alone, so the last layer asks, and feeds forward, for that one
token of each row: its keys and values are all that the other tokens still give. Of the last layer's
twelve parts of work (four square projections, two of four times the width) two remain.
Source: Devlin et al. 2019, arXiv:1810.04805; the arithmetic is that of transformers' `BertModel`.
"""

from typing import Any

from torch import Tensor
from transformers.models.bert.modeling_bert import BertForSequenceClassification
from typing_extensions import override

from fl.training.scoring.attention import Sight, attend, first_positions, split_heads
from fl.training.scoring.batch import Batch
from fl.training.scoring.forward import Forward, Parts
from fl.training.scoring.loss import row_losses
from fl.training.scoring.sites import Sites

_LAYERS = "bert.encoder.layer"


class BertForward(Forward):
    """The fast way through `BertForSequenceClassification`."""

    def __init__(self, model: BertForSequenceClassification, sites: Sites) -> None:
        # The stubs do not know the modules inside of modules.
        self._model: Any = model
        self._sites = sites
        self._layers: list[Any] = list(self._model.bert.encoder.layer)
        self._first = sites.first_layer(_LAYERS, len(self._layers))

    @override
    def shared(self, ids: Tensor) -> Tensor:
        hidden: Tensor = self._model.bert.embeddings(ids).view(1, ids.numel(), -1)
        for number in range(self._first):
            hidden = self._layer(number, hidden, rows=len(ids), parts={})
        return hidden

    @override
    def losses(self, batch: Batch, shared: Tensor, *, parts: Parts, variants: int) -> Tensor:
        hidden = shared
        for number in range(self._first, len(self._layers)):
            hidden = self._layer(number, hidden, rows=len(batch.ids), parts=parts)
        pooler, classifier = self._model.bert.pooler, self._model.classifier
        pooled = self._sites.project("bert.pooler.dense", pooler.dense, hidden, parts)
        found = row_losses(
            pooler.activation(pooled),
            batch.asked,
            to_logits=lambda some: self._sites.project("classifier", classifier, some, parts),
        )
        return found.expand(variants, -1)

    def _layer(self, number: int, hidden: Tensor, *, rows: int, parts: Parts) -> Tensor:
        """Run one layer; the last one returns the first position of each row alone."""
        layer, path = self._layers[number], f"{_LAYERS}.{number}"
        is_last = number == len(self._layers) - 1
        asked = first_positions(hidden, rows) if is_last else hidden
        seen = self._attention(number, asked, hidden, rows=rows, parts=parts)
        output, at = layer.attention.output, f"{path}.attention.output.dense"
        middle = output.LayerNorm(self._sites.project(at, output.dense, seen, parts) + asked)
        wide = self._sites.project(
            f"{path}.intermediate.dense", layer.intermediate.dense, middle, parts
        )
        wide = layer.intermediate.intermediate_act_fn(wide)
        narrow = self._sites.project(f"{path}.output.dense", layer.output.dense, wide, parts)
        normed: Tensor = layer.output.LayerNorm(narrow + middle)
        return normed

    def _attention(
        self, number: int, asked: Tensor, hidden: Tensor, *, rows: int, parts: Parts
    ) -> Tensor:
        attention = self._layers[number].attention.self
        at = f"{_LAYERS}.{number}.attention.self"
        query = self._sites.project(f"{at}.query", attention.query, asked, parts)
        key = self._sites.project(f"{at}.key", attention.key, hidden, parts)
        value = self._sites.project(f"{at}.value", attention.value, hidden, parts)
        size = attention.attention_head_size
        return attend(
            *(split_heads(one, rows=rows, size=size) for one in (query, key, value)),
            scaling=attention.scaling,
            sight=Sight.ALL,
        )
