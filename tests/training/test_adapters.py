"""An adapter starts as nothing, has the names of peft, and moves what its layout says."""

import numpy as np
import pytest
import torch
from peft import get_peft_model_state_dict

from fl.jobs.subject import LoraLayout, Scaling
from fl.rules.update.layout import TensorLayout, TensorSpec
from fl.rules.update.parts import Part, part_of
from fl.training.adapters import Adapter, AdapterSpec, attach, detach, scale_of
from fl.training.errors import AdapterError, NotRepresentableError
from fl.training.models import LoadedModel

SPEC = AdapterSpec(rank=2, alpha=4)
TOKENS = torch.arange(24).view(2, 12)


def parts(layout: TensorLayout) -> set[Part]:
    return {part_of(spec.name) for spec in layout.tensors}


def names(adapter: Adapter) -> list[str]:
    return [spec.name for spec in adapter.tensor_layout().tensors]


@pytest.mark.parametrize("fixture", ["llama", "gpt2", "bert"])
def test_a_tensor_is_named_as_in_a_peft_file(fixture: str, request: pytest.FixtureRequest) -> None:
    adapter = attach(request.getfixturevalue(fixture), SPEC, seed=1)
    stored = get_peft_model_state_dict(adapter.model)
    assert names(adapter) == sorted(stored)
    for spec in adapter.tensor_layout().tensors:
        assert spec.shape == tuple(stored[spec.name].shape)


@pytest.mark.parametrize("fixture", ["llama", "gpt2"])
def test_a_fresh_adapter_changes_no_prediction(
    fixture: str, request: pytest.FixtureRequest
) -> None:
    loaded: LoadedModel = request.getfixturevalue(fixture)
    before = loaded.model(input_ids=TOKENS).logits
    adapter = attach(loaded, SPEC, seed=1)
    assert torch.equal(adapter.model(input_ids=TOKENS).logits, before)


def test_a_removed_adapter_leaves_the_model_as_it_was(bert: LoadedModel) -> None:
    before = {name: tensor.clone() for name, tensor in bert.model.state_dict().items()}
    for seed in (1, 2):
        adapter = attach(bert, SPEC, seed=seed)
        layout = adapter.tensor_layout()
        adapter.write(np.full(layout.size, 1 << 20, np.int32), layout)
        assert detach(adapter) is bert
    after = bert.model.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_the_seed_alone_decides_where_an_adapter_starts(llama: LoadedModel) -> None:
    starts = []
    for seed, noise in ((9, 1), (9, 2), (10, 1)):
        torch.manual_seed(noise)
        adapter = attach(llama, SPEC, seed=seed)
        starts.append(adapter.read_fixed(adapter.tensor_layout()).tobytes())
        detach(adapter)
    assert starts[0] == starts[1] != starts[2]


def test_attaching_leaves_the_random_numbers_of_the_caller(llama: LoadedModel) -> None:
    torch.manual_seed(3)
    state = torch.random.get_rng_state()
    attach(llama, SPEC, seed=1)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize(
    ("layout", "even", "odd"),
    [
        (LoraLayout.ALT, {Part.FACTOR_B, Part.HEAD}, {Part.FACTOR_A, Part.HEAD}),
        (LoraLayout.FFA, {Part.FACTOR_B, Part.HEAD}, {Part.FACTOR_B, Part.HEAD}),
        (LoraLayout.FEDIT, set(Part), set(Part)),
        (LoraLayout.STACK, set(Part), set(Part)),
    ],
)
def test_a_layout_says_what_a_round_trains(
    bert: LoadedModel, layout: LoraLayout, even: set[Part], odd: set[Part]
) -> None:
    adapter = attach(bert, AdapterSpec(rank=2, layout=layout), seed=1)
    assert parts(adapter.trainable_layout(0)) == parts(adapter.trainable_layout(6)) == even
    assert parts(adapter.trainable_layout(1)) == parts(adapter.trainable_layout(7)) == odd
    assert parts(adapter.tensor_layout()) == set(Part)


def test_written_numbers_are_read_again(bert: LoadedModel) -> None:
    adapter = attach(bert, SPEC, seed=1)
    whole = adapter.tensor_layout()
    part = adapter.trainable_layout(0)
    kept = adapter.read_fixed(adapter.trainable_layout(1))
    numbers = np.random.default_rng(1).integers(-(2**24), 2**24, part.size).astype(np.int32)
    adapter.write(numbers, part)
    assert adapter.read_fixed(part).tolist() == numbers.tolist()
    stored = get_peft_model_state_dict(adapter.model)
    for name, span in part.spans.items():
        assert (stored[name].flatten() * 2**24).tolist() == numbers[span].tolist()
    after = adapter.read_fixed(adapter.trainable_layout(1))
    only_a = [
        (before, now)
        for name, span in adapter.trainable_layout(1).spans.items()
        if part_of(name) is Part.FACTOR_A
        for before, now in zip(kept[span], after[span], strict=True)
    ]
    assert only_a
    assert all(before == now for before, now in only_a)
    assert adapter.read(whole).dtype == np.float32


def test_a_number_that_is_not_finite_is_not_read(llama: LoadedModel) -> None:
    adapter = attach(llama, SPEC, seed=1)
    name = names(adapter)[3]
    with torch.no_grad():
        adapter.tensors[name][0, 1] = float("nan")
    with pytest.raises(NotRepresentableError, match=f"tensor {name}, element 1: nan"):
        adapter.read_fixed(adapter.tensor_layout())


def test_chosen_layers_alone_are_adapted(llama: LoadedModel) -> None:
    spec = AdapterSpec(rank=2, layers=(1,), target_modules=("o_proj",))
    assert names(attach(llama, spec, seed=1)) == [
        "base_model.model.model.layers.1.self_attn.o_proj.lora_A.weight",
        "base_model.model.model.layers.1.self_attn.o_proj.lora_B.weight",
    ]


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (AdapterSpec(rank=0), "rank 0 is not in 1..256"),
        (AdapterSpec(rank=257), "rank 257 is not in 1..256"),
        (AdapterSpec(alpha=0), "alpha 0 is below 1"),
        (AdapterSpec(layers=()), "has layers 0 to 1"),
        (AdapterSpec(layers=(0, 2)), "has layers 0 to 1"),
        (AdapterSpec(target_modules=("nothing",)), r"has \['down_proj', .*'q_proj'"),
        (AdapterSpec(target_modules=("embed_tokens",)), "belongs to no linear layer"),
    ],
)
def test_a_spec_that_fits_nothing_is_refused(
    llama: LoadedModel, spec: AdapterSpec, reason: str
) -> None:
    with pytest.raises(AdapterError, match=reason):
        attach(llama, spec, seed=1)
    # Nothing of the failed try is left behind.
    attach(llama, SPEC, seed=1)


def test_a_second_adapter_is_refused(llama: LoadedModel) -> None:
    attach(llama, SPEC, seed=1)
    with pytest.raises(AdapterError, match="has an adapter already"):
        attach(llama, SPEC, seed=1)


def test_numbers_for_another_layout_are_refused(llama: LoadedModel) -> None:
    adapter = attach(llama, SPEC, seed=1)
    layout = adapter.tensor_layout()
    with pytest.raises(AdapterError, match="for a layout of"):
        adapter.write(np.zeros(layout.size + 1, np.int32), layout)
    with pytest.raises(AdapterError, match="has no tensor other"):
        adapter.read(TensorLayout.of([TensorSpec("other", (1,))]))
    with pytest.raises(AdapterError, match="has shape"):
        adapter.read(TensorLayout.of([TensorSpec(names(adapter)[0], (1, 2))]))


def test_the_scale_is_that_of_peft(llama: LoadedModel) -> None:
    for scaling, expected in ((Scaling.BY_RANK, 2.0), (Scaling.BY_ROOT, 4.0)):
        spec = AdapterSpec(rank=4, alpha=8, scaling=scaling)
        assert scale_of(spec) == expected
        adapter = attach(llama, spec, seed=1)
        layer = adapter.model.get_submodule("base_model.model.model.layers.0.self_attn.q_proj")
        assert layer.scaling["default"] == adapter.scale == expected  # type: ignore[index]
        detach(adapter)


def test_a_stack_of_more_rows_than_inputs_is_refused_and_leaves_the_model_clean(
    llama: LoadedModel,
) -> None:
    before = llama.model.state_dict().keys()
    with pytest.raises(AdapterError, match="orthonormal"):
        attach(llama, AdapterSpec(rank=256, layout=LoraLayout.STACK), seed=1)
    assert llama.model.state_dict().keys() == before
    assert attach(llama, SPEC, seed=1).tensors
