import copy

import numpy as np
import pytest
import torch
from transformers import RobertaConfig, RobertaForSequenceClassification

from fl.jobs.subject import LoraLayout, ModelKind
from fl.training.adapters import Adapter
from fl.training.models import LoadedModel
from fl.training.scoring.batch import cut
from fl.training.scoring.choice import choose_forward
from fl.training.scoring.errors import ScoringError, ScoringStoppedError, UnscorableModelError
from fl.training.scoring.evaluation import Evaluation
from fl.training.scoring.limits import Limits, cut_for
from fl.training.scoring.sites import Sites, stack
from fl.training.scoring.spliced import SplicedForward
from tests.training.scoring.scenes import (
    LABELS,
    adapt,
    in_memory,
    random_examples,
    random_states,
    swapped_losses,
)
from tests.training.tiny_models import VOCABULARY

# In nats, of losses from 1 to 6.
EXACT = 1e-5

CASES = [
    ("bert", ("query", "value"), None),
    ("bert", ("query", "value"), (1,)),
    ("bert", ("key", "dense"), (0,)),
    ("bert", ("query", "key", "value", "dense"), None),
    ("llama", ("q_proj", "v_proj"), None),
    ("llama", ("q_proj", "v_proj"), (1,)),
    ("llama", ("k_proj", "o_proj", "gate_proj", "up_proj", "down_proj"), None),
    ("gpt2", ("c_attn",), None),
    ("gpt2", ("c_attn", "c_fc"), (1,)),
]


@pytest.fixture(
    name="adapter", params=CASES, ids=lambda case: f"{case[0]}-{'+'.join(case[1])}-{case[2]}"
)
def _case(request: pytest.FixtureRequest) -> Adapter:
    model, targets, layers = request.param
    loaded: LoadedModel = request.getfixturevalue(model)
    return adapt(loaded, targets=targets, layers=layers)


def evaluate(adapter: Adapter, *, count: int = 5, memory_bytes: int = 1 << 28) -> float:
    layout = adapter.tensor_layout()
    states = random_states(adapter, layout, count=count)
    examples = random_examples(adapter.loaded.kind, count=14)
    expected = swapped_losses(adapter, states, examples, layout)
    evaluation = Evaluation(
        adapter, examples, layout=layout, count=count, limits=Limits(memory_bytes=memory_bytes)
    )
    found = evaluation.losses(states, count=count)
    # The variants must differ, or this would prove nothing.
    assert expected.std(axis=0).min() > 100 * EXACT
    return float(np.abs(found - expected).max())


def test_losses_are_those_of_swapping_adapters_through_peft(adapter: Adapter) -> None:
    assert evaluate(adapter) < EXACT


@pytest.mark.parametrize(("model", "targets"), [("bert", "query"), ("llama", "v_proj")])
@pytest.mark.parametrize("layers", [None, (1,)])
def test_way_through_any_model_agrees_with_the_fast_ways(
    model: str,
    targets: str,
    layers: tuple[int, ...] | None,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    adapter = adapt(request.getfixturevalue(model), targets=(targets,), layers=layers)
    monkeypatch.setattr(
        "fl.training.scoring.evaluation.choose_forward",
        lambda adapter, sites: SplicedForward(adapter.loaded.model, sites),
    )
    assert evaluate(adapter) < EXACT


def test_head_of_several_maps_is_stacked_map_by_map(bert: LoadedModel) -> None:
    adapter = adapt(in_memory(_roberta(), like=bert), targets=("query",), layers=(1,))
    assert evaluate(adapter) < EXACT


def test_head_with_something_else_than_linear_maps_is_refused_by_name(bert: LoadedModel) -> None:
    model = _roberta()
    model.classifier.add_module("norm", torch.nn.LayerNorm(4))
    adapter = adapt(in_memory(model, like=bert), targets=("query",))
    with pytest.raises(UnscorableModelError, match=r"classifier\.norm is a LayerNorm"):
        Sites.of(adapter.model)


def _roberta() -> RobertaForSequenceClassification:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(9)
        config = RobertaConfig(
            vocab_size=VOCABULARY,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=64,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            pad_token_id=0,
        )
        config.num_labels = LABELS
        return RobertaForSequenceClassification(config)


def test_known_models_take_the_fast_way(
    bert: LoadedModel, llama: LoadedModel, gpt2: LoadedModel
) -> None:
    chosen = [
        type(choose_forward(adapter, Sites.of(adapter.model))).__name__
        for adapter in (
            adapt(bert, targets=("query",)),
            adapt(llama, targets=("q_proj",)),
            adapt(gpt2, targets=("c_attn",)),
        )
    ]
    assert chosen == ["BertForward", "LlamaForward", "SplicedForward"]


@pytest.mark.parametrize(
    ("layout", "round_number"), [(LoraLayout.ALT, 0), (LoraLayout.ALT, 1), (LoraLayout.FEDIT, 0)]
)
@pytest.mark.parametrize("model", ["bert", "llama"])
def test_tensors_that_a_round_leaves_alone_are_those_of_the_adapter(
    layout: LoraLayout, round_number: int, model: str, request: pytest.FixtureRequest
) -> None:
    targets = ("query", "dense") if model == "bert" else ("q_proj", "down_proj")
    adapter = adapt(request.getfixturevalue(model), targets=targets, layout=layout)
    everything = adapter.tensor_layout()
    adapter.write(random_states(adapter, everything, count=1)[0], everything)
    trained = adapter.trainable_layout(round_number)
    states = random_states(adapter, trained, count=3)
    examples = random_examples(adapter.loaded.kind, count=5)
    expected = swapped_losses(adapter, states, examples, trained)
    found = Evaluation(adapter, examples, layout=trained, count=3).losses(states, count=3)
    assert np.abs(found - expected).max() < EXACT


@pytest.mark.parametrize("memory_bytes", [1, 200_000, 2_000_000])
@pytest.mark.parametrize("model", ["bert", "llama"])
def test_losses_do_not_depend_on_how_the_work_is_cut(
    memory_bytes: int, model: str, request: pytest.FixtureRequest
) -> None:
    targets = ("query",) if model == "bert" else ("q_proj", "v_proj")
    adapter = adapt(request.getfixturevalue(model), targets=targets, layers=(1,))
    assert evaluate(adapter, count=5, memory_bytes=memory_bytes) < EXACT


def test_less_memory_means_fewer_variants_and_tokens_at_a_time(bert: LoadedModel) -> None:
    adapter = adapt(bert, targets=("query",))

    def sizes(memory_bytes: int) -> tuple[int, int]:
        found = cut_for(adapter, count=33, length_max=16, state_size=400, memory_bytes=memory_bytes)
        return found.variants, found.tokens

    assert sizes(1) == (1, 1)
    assert sizes(1 << 28) == (33, 4_096 // 33)
    # Chunks of one size: 33 = 11 + 11 + 11, not 16 + 16 + 1.
    assert sizes(3 * 4 * (8 * 16 + 3 * 32) * 16 * 16) == (11, 16 * 16 // 11)


def test_evaluation_leaves_the_adapter_and_the_settings_of_torch_as_they_were(
    bert: LoadedModel,
) -> None:
    adapter = adapt(bert, targets=("query",))
    layout = adapter.tensor_layout()
    before = copy.deepcopy(adapter.model.state_dict())
    modules = [type(module) for module in adapter.model.modules()]
    examples = random_examples(ModelKind.CLASSIFICATION, count=3)
    states = random_states(adapter, layout, count=2)
    Evaluation(adapter, examples, layout=layout, count=2).losses(states, count=2)
    after = adapter.model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert [type(module) for module in adapter.model.modules()] == modules
    assert adapter.model.training
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.is_grad_enabled()


def test_model_is_whole_again_after_a_way_through_it_failed(gpt2: LoadedModel) -> None:
    adapter = adapt(gpt2, targets=("c_attn",), layers=(1,))
    layout, sites = adapter.tensor_layout(), Sites.of(adapter.model)
    states = random_states(adapter, layout, count=2)
    parts = {
        path: stack(site, states, layout=layout, adapter=adapter)
        for path, site in sites.all.items()
    }
    (batch,) = cut(
        random_examples(ModelKind.CAUSAL_LM, count=1),
        kind=ModelKind.CAUSAL_LM,
        tokens_max=99,
        device=adapter.device,
    )
    modules = [type(module) for module in adapter.model.modules()]
    forward = SplicedForward(adapter.loaded.model, sites)
    with pytest.raises(UnscorableModelError, match="GPT2LMHeadModel"), torch.no_grad():
        forward.losses(batch, forward.shared(batch.ids), parts=parts, variants=3)
    assert [type(module) for module in adapter.model.modules()] == modules


def test_second_call_reuses_the_shared_layers_and_agrees(bert: LoadedModel) -> None:
    adapter = adapt(bert, targets=("query",), layers=(1,))
    layout = adapter.tensor_layout()
    examples = random_examples(ModelKind.CLASSIFICATION, count=4)
    states = random_states(adapter, layout, count=3)
    evaluation = Evaluation(adapter, examples, layout=layout, count=3)
    first = evaluation.losses(states, count=3)
    again = evaluation.losses(states[:2], count=2)
    assert np.array_equal(first[:2], again)


def test_shared_layers_run_once_for_all_variants(bert: LoadedModel) -> None:
    adapter = adapt(bert, targets=("query",), layers=(1,))
    layout = adapter.tensor_layout()
    examples = random_examples(ModelKind.CLASSIFICATION, count=4)
    seen: list[int] = []
    encoder = adapter.loaded.model.get_submodule(
        "bert.encoder.layer.0.intermediate.intermediate_act_fn"
    )
    encoder.register_forward_hook(lambda _module, _inputs, output: seen.append(output[0].numel()))
    states = random_states(adapter, layout, count=6)
    Evaluation(adapter, examples, layout=layout, count=6).losses(states, count=6)
    inner = adapter.loaded.model.config.intermediate_size
    # The rows that enter are (1, tokens): no padding, and no variant twice.
    assert sum(seen) == inner * sum(len(example.ids) for example in examples)


def test_stopping_says_how_far_it_came(bert: LoadedModel) -> None:
    adapter = adapt(bert, targets=("query",))
    layout = adapter.tensor_layout()
    told: list[tuple[int, int]] = []
    limits = Limits(
        should_stop=lambda: len(told) == 2,
        progress=lambda done, total: told.append((done, total)),
    )
    examples = [*random_examples(ModelKind.CLASSIFICATION, count=6)]
    evaluation = Evaluation(adapter, examples, layout=layout, count=2, limits=limits)
    with pytest.raises(ScoringStoppedError) as stopped:
        evaluation.losses(random_states(adapter, layout, count=2), count=2)
    assert [done for done, _ in told] == [0, 2]
    assert stopped.value.done == 4
    assert stopped.value.total == told[0][1]


def test_missing_states_are_noticed(bert: LoadedModel) -> None:
    adapter = adapt(bert, targets=("query",))
    layout = adapter.tensor_layout()
    examples = random_examples(ModelKind.CLASSIFICATION, count=2)
    evaluation = Evaluation(adapter, examples, layout=layout, count=3)
    with pytest.raises(ScoringError, match="2 states came where 3 were announced"):
        evaluation.losses(random_states(adapter, layout, count=2), count=3)


def test_model_in_half_precision_is_refused_by_name(bert: LoadedModel) -> None:
    adapter = adapt(bert, targets=("query",))
    bert.model.bfloat16()
    examples = random_examples(ModelKind.CLASSIFICATION, count=2)
    with pytest.raises(ScoringError, match=r"word_embeddings.* is torch.bfloat16"):
        Evaluation(adapter, examples, layout=adapter.tensor_layout(), count=1)


def test_adapter_without_a_list_of_layers_is_refused(bert: LoadedModel) -> None:
    adapter = adapt(bert, targets=("query",))
    with pytest.raises(UnscorableModelError, match="Linear has no list of layers"):
        SplicedForward(torch.nn.Linear(2, 2), Sites.of(adapter.model))  # type: ignore[arg-type]
