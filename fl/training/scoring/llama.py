"""Llama as a language model, for many variants of its adapter at once.

What transformers does in many small steps (norms, rotations, repeated key heads) is done here in
few, which is what a small model's time goes to. The last layer feeds forward only for positions
whose next token is asked, where prompts make those a minority.
Source: Touvron et al. 2023, arXiv:2302.13971; the arithmetic is that of transformers' `LlamaModel`.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaRMSNorm
from typing_extensions import override

from fl.training.scoring.attention import Sight, attend, split_heads
from fl.training.scoring.batch import Batch
from fl.training.scoring.forward import Forward, Parts
from fl.training.scoring.loss import row_losses
from fl.training.scoring.sites import Sites

_LAYERS = "model.layers"


class LlamaForward(Forward):
    """The fast way through `LlamaForCausalLM`."""

    def __init__(self, model: LlamaForCausalLM, sites: Sites) -> None:
        # The stubs do not know the modules inside of modules.
        self._model: Any = model
        self._sites = sites
        self._layers: list[Any] = list(self._model.model.layers)
        self._first = sites.first_layer(_LAYERS, len(self._layers))

    @override
    def shared(self, ids: Tensor) -> Tensor:
        hidden: Tensor = self._model.model.embed_tokens(ids).view(1, ids.numel(), -1)
        turn = self._rotation(ids, hidden)
        for number in range(self._first):
            hidden = self._layer(number, hidden, turn=turn, rows=len(ids), parts={})
        return hidden

    @override
    def losses(self, batch: Batch, shared: Tensor, *, parts: Parts, variants: int) -> Tensor:
        places, hidden = batch.asked.places, shared
        assert places is not None
        turn = self._rotation(batch.ids, hidden)
        for number in range(self._first, len(self._layers)):
            is_last = number == len(self._layers) - 1
            hidden = self._layer(
                number,
                hidden,
                turn=turn,
                rows=len(batch.ids),
                parts=parts,
                places=places if is_last else None,
            )
        head = self._model.lm_head
        found = row_losses(
            _rms(self._model.model.norm, hidden),
            batch.asked,
            to_logits=lambda some: self._sites.project("lm_head", head, some, parts),
        )
        return found.expand(variants, -1)

    def _layer(
        self,
        number: int,
        hidden: Tensor,
        *,
        turn: "_Rotation",
        rows: int,
        parts: Parts,
        places: Tensor | None = None,
    ) -> Tensor:
        """Run one layer; with places, return those alone."""
        layer, path = self._layers[number], f"{_LAYERS}.{number}"
        seen = self._attention(number, hidden, turn=turn, rows=rows, parts=parts)
        if places is not None:
            seen, hidden = seen.index_select(1, places), hidden.index_select(1, places)
        at = f"{path}.self_attn.o_proj"
        middle = hidden + self._sites.project(at, layer.self_attn.o_proj, seen, parts)
        mlp, normed = layer.mlp, _rms(layer.post_attention_layernorm, middle)
        gate = self._sites.project(f"{path}.mlp.gate_proj", mlp.gate_proj, normed, parts)
        wide = self._sites.project(f"{path}.mlp.up_proj", mlp.up_proj, normed, parts)
        wide = mlp.act_fn(gate) * wide
        return middle + self._sites.project(f"{path}.mlp.down_proj", mlp.down_proj, wide, parts)

    def _attention(
        self, number: int, hidden: Tensor, *, turn: "_Rotation", rows: int, parts: Parts
    ) -> Tensor:
        layer, at = self._layers[number], f"{_LAYERS}.{number}.self_attn"
        attention, normed = layer.self_attn, _rms(layer.input_layernorm, hidden)
        query, key, value = (
            split_heads(
                self._sites.project(f"{at}.{name}", getattr(attention, name), normed, parts),
                rows=rows,
                size=attention.head_dim,
            )
            for name in ("q_proj", "k_proj", "v_proj")
        )
        return attend(
            turn.apply(query),
            turn.apply(key),
            value,
            scaling=attention.scaling,
            sight=Sight.UP_TO_OWN,
        )

    def _rotation(self, ids: Tensor, hidden: Tensor) -> "_Rotation":
        positions = torch.arange(ids.shape[1], device=ids.device).unsqueeze(0)
        cosine, sine = self._model.model.rotary_emb(hidden, positions)
        half = cosine.shape[-1] // 2
        return _Rotation(cosine[0, :, :half], sine[0, :, :half])


class _Rotation:
    """Rotary positions: the first half of a head and the second are coordinates of a plane each."""

    def __init__(self, cosine: Tensor, sine: Tensor) -> None:
        # (length, size / 2) each.
        self._cosine = cosine
        self._sine = sine

    def apply(self, split: Tensor) -> Tensor:
        """Return (variants or 1, rows, heads, length, size), contiguous."""
        left, right = split.chunk(2, dim=-1)
        turned = torch.empty(split.shape, dtype=split.dtype, device=split.device)
        first, second = turned.chunk(2, dim=-1)
        torch.mul(left, self._cosine, out=first).addcmul_(right, self._sine, value=-1)
        torch.mul(right, self._cosine, out=second).addcmul_(left, self._sine)
        return turned


def _rms(norm: LlamaRMSNorm, hidden: Tensor) -> Tensor:
    return functional.rms_norm(hidden, norm.weight.shape, norm.weight, norm.variance_epsilon)
