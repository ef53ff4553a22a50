"""Families of models whose layers return, are asked for, or do more than hidden states."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    DebertaV2Config,
    DebertaV2ForSequenceClassification,
    GPTJConfig,
    GPTJForCausalLM,
    GPTNeoConfig,
    GPTNeoForCausalLM,
    ModernBertConfig,
    ModernBertForSequenceClassification,
    MPNetConfig,
    MPNetForSequenceClassification,
    PretrainedConfig,
    PreTrainedModel,
    XLNetConfig,
    XLNetForSequenceClassification,
)

from fl.jobs.subject import ModelKind
from fl.training.adapters import Adapter
from fl.training.models import LoadedModel
from fl.training.scoring.errors import UnscorableModelError
from fl.training.scoring.evaluation import Evaluation
from tests.training.scoring.scenes import (
    LABELS,
    adapt,
    in_memory,
    random_examples,
    random_states,
    swapped_losses,
)
from tests.training.tiny_models import END, FILL, VOCABULARY

EXACT = 1e-5

NAMED: dict[str, Any] = {"vocab_size": VOCABULARY, "bos_token_id": END, "eos_token_id": END}
ENCODER: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "pad_token_id": FILL,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "max_position_embeddings": 64,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
RELATIVE: dict[str, Any] = {
    **ENCODER,
    "relative_attention": True,
    "pos_att_type": ["p2c", "c2p"],
    "pooler_dropout": 0.0,
    "pooler_hidden_size": 16,
}
MODERN: dict[str, Any] = {
    **{name: value for name, value in ENCODER.items() if not name.endswith("_prob")},
    **{f"{name}_token_id": END for name in ("bos", "eos", "cls", "sep")},
    "global_attn_every_n_layers": 2,
}
NARROW: dict[str, Any] = {"n_layer": 3, "n_head": 2, **NAMED}
NEO: dict[str, Any] = {
    "hidden_size": 16,
    "num_layers": 3,
    "num_heads": 2,
    "attention_types": [[["global", "local", "global"], 1]],
    "window_size": 8,
}
FAMILIES = {
    "mpnet": (MPNetForSequenceClassification, MPNetConfig(**ENCODER), ("q", "v")),
    "deberta-v2": (
        DebertaV2ForSequenceClassification,
        DebertaV2Config(**RELATIVE),
        ("query_proj", "value_proj"),
    ),
    "modernbert": (ModernBertForSequenceClassification, ModernBertConfig(**MODERN), ("Wqkv",)),
    "gpt-j": (
        GPTJForCausalLM,
        GPTJConfig(n_embd=16, n_positions=64, rotary_dim=4, **NARROW),
        ("q_proj", "v_proj"),
    ),
    "bloom": (BloomForCausalLM, BloomConfig(hidden_size=16, **NARROW), ("query_key_value",)),
    "gpt-neo": (GPTNeoForCausalLM, GPTNeoConfig(**NEO, **NAMED), ("q_proj", "v_proj")),
}
CONVOLUTION: dict[str, Any] = {"conv_kernel_size": 3, "conv_act": "gelu"}
CONVOLVED = DebertaV2Config(**RELATIVE, **CONVOLUTION)
TRANSPOSED = XLNetConfig(
    vocab_size=VOCABULARY, d_model=16, n_layer=3, n_head=2, d_inner=32, summary_last_dropout=0.0
)


def adapter_of(
    kind: type[PreTrainedModel],
    config: PretrainedConfig,
    *,
    like: LoadedModel,
    targets: tuple[str, ...],
    layers: tuple[int, ...] | None,
) -> Adapter:
    is_classifier = "Sequence" in kind.__name__
    config.use_cache = False
    for name in ("resid_pdrop", "embd_pdrop", "attn_pdrop", "hidden_dropout", "attention_dropout"):
        setattr(config, name, 0.0)
    if is_classifier:
        config.num_labels = LABELS
    # As it starts, so narrow a model would tell all tokens apart by next to nothing.
    config.initializer_range = 0.3
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(9)
        loaded = in_memory(kind(config), like=like)
    if not is_classifier:
        loaded = replace(loaded, kind=ModelKind.CAUSAL_LM, labels=0)
    return adapt(loaded, targets=targets, layers=layers)


@pytest.mark.parametrize("layers", [None, (1, 2), (2,)])
@pytest.mark.parametrize("family", FAMILIES)
def test_losses_are_those_of_the_model_whichever_layers_are_recalled(
    family: str, layers: tuple[int, ...] | None, bert: LoadedModel
) -> None:
    kind, config, targets = FAMILIES[family]
    adapter = adapter_of(kind, config, like=bert, targets=targets, layers=layers)
    layout = adapter.tensor_layout()
    states = random_states(adapter, layout, count=3)
    examples = random_examples(adapter.loaded.kind, count=6)
    expected = swapped_losses(adapter, states, examples, layout)
    found = Evaluation(adapter, examples, layout=layout, count=3).losses(states, count=3)
    assert expected.std(axis=0).min() > 100 * EXACT
    assert np.abs(found - expected).max() < EXACT


@pytest.mark.parametrize(
    ("kind", "config", "targets", "layers"),
    [
        (DebertaV2ForSequenceClassification, CONVOLVED, ("query_proj", "value_proj"), (1, 2)),
        (XLNetForSequenceClassification, TRANSPOSED, ("layer_1",), None),
        (XLNetForSequenceClassification, TRANSPOSED, ("layer_1",), (1, 2)),
    ],
    ids=["convolved", "transposed", "transposed and recalled"],
)
def test_model_that_cannot_be_spliced_is_refused_by_name(
    kind: type[PreTrainedModel],
    config: PretrainedConfig,
    targets: tuple[str, ...],
    layers: tuple[int, ...] | None,
    bert: LoadedModel,
) -> None:
    adapter = adapter_of(kind, config, like=bert, targets=targets, layers=layers)
    layout = adapter.tensor_layout()
    examples = random_examples(ModelKind.CLASSIFICATION, count=6)
    states = random_states(adapter, layout, count=3)
    evaluation = Evaluation(adapter, examples, layout=layout, count=3)
    with pytest.raises(UnscorableModelError, match=kind.__name__):
        evaluation.losses(states, count=3)


def test_lack_of_memory_is_no_fault_of_the_model(bert: LoadedModel) -> None:
    kind, config, targets = FAMILIES["bloom"]
    adapter = adapter_of(kind, config, like=bert, targets=targets, layers=None)
    layout = adapter.tensor_layout()
    states = random_states(adapter, layout, count=1)
    examples = random_examples(ModelKind.CAUSAL_LM, count=1)
    evaluation = Evaluation(adapter, examples, layout=layout, count=1)

    def fail(*_: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    adapter.loaded.model.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="can't allocate memory"):
        evaluation.losses(states, count=1)
