"""Training moves what the round trains, repeats bit for bit, and gives up without a trace."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from fl.jobs.local_terms import Checkpointing, RateSchedule
from fl.jobs.subject import LoraLayout
from fl.rules.update.parts import Part, part_of
from fl.training.adapters import Adapter, AdapterSpec, attach
from fl.training.errors import (
    DivergedError,
    NoExamplesError,
    NotRepresentableError,
    OutOfMemoryError,
    SettingError,
    TrainingStoppedError,
)
from fl.training.local import REPORT_STEPS, Hooks, LocalResult, Progress, train_local
from fl.training.models import LoadedModel
from fl.training.settings import Epochs, FedProx, LocalTraining, Steps
from tests.training.sample_texts import LABELLED, PLAIN

BRIEF = LocalTraining(length=Steps(4), batch_size=4, max_length=32, learning_rate=0.01, seed=1)
SPEC = AdapterSpec(rank=2)


def train(
    loaded: LoadedModel, training: LocalTraining = BRIEF, *, round_number: int = 0
) -> LocalResult:
    """Train a fresh adapter, whose model must not have one yet, and take it out again."""
    adapter = attach(loaded, AdapterSpec(rank=2, layout=LoraLayout.FEDIT), seed=1)
    try:
        examples = LABELLED if loaded.labels else PLAIN
        return train_local(adapter, examples, training, round_number=round_number)
    finally:
        adapter.model.unload()


def bytes_of(adapter: Adapter) -> bytes:
    return adapter.read(adapter.tensor_layout()).tobytes()


@pytest.mark.parametrize("fixture", ["llama", "gpt2", "bert"])
def test_training_lowers_the_loss(fixture: str, request: pytest.FixtureRequest) -> None:
    training = dataclasses.replace(BRIEF, length=Steps(15), learning_rate=0.03)
    result = train(request.getfixturevalue(fixture), training)
    assert result.loss_after < result.loss_before - 0.04
    assert result.steps == 15


@pytest.mark.parametrize("fixture", ["llama", "bert"])
def test_a_seed_gives_the_same_bytes_again(fixture: str, request: pytest.FixtureRequest) -> None:
    loaded = request.getfixturevalue(fixture)
    results = []
    for seed, noise in ((1, 5), (1, 6), (2, 5)):
        torch.manual_seed(noise)
        training = dataclasses.replace(BRIEF, seed=seed)
        results.append(train(loaded, training))
    deltas = [result.delta.tobytes() for result in results]
    assert deltas[0] == deltas[1] != deltas[2]
    assert results[0].loss_after == results[1].loss_after


@pytest.mark.parametrize("length", [Steps(4), Epochs(2)])
def test_a_rate_that_falls_to_nothing_moves_less_and_settles(
    bert: LoadedModel, length: Steps | Epochs
) -> None:
    """Of n equal strides a falling rate leaves (n + 1) / 2, and the last is an n-th of one."""
    runs = {
        schedule: train(bert, dataclasses.replace(BRIEF, length=length, schedule=schedule))
        for schedule in RateSchedule
    }
    falling, constant = runs[RateSchedule.LINEAR], runs[RateSchedule.CONSTANT]
    assert falling.steps == constant.steps > 2
    ratio = np.abs(falling.delta).sum() / np.abs(constant.delta).sum()
    assert ratio == pytest.approx((falling.steps + 1) / (2 * falling.steps), abs=0.15)


@pytest.mark.parametrize("schedule", RateSchedule)
def test_the_first_step_has_the_whole_rate(bert: LoadedModel, schedule: RateSchedule) -> None:
    one = dataclasses.replace(BRIEF, length=Steps(1))
    first = train(bert, dataclasses.replace(one, schedule=schedule))
    assert first.delta.tobytes() == train(bert, one).delta.tobytes()


@pytest.mark.parametrize("round_number", [0, 1])
def test_only_what_the_round_trains_moves(bert: LoadedModel, round_number: int) -> None:
    adapter = attach(bert, SPEC, seed=1)
    whole = adapter.tensor_layout()
    # B must not be zero, or A has no gradient.
    start = np.random.default_rng(1).integers(-(2**22), 2**22, whole.size).astype(np.int32)
    adapter.write(start, whole)
    result = train_local(adapter, LABELLED, BRIEF, round_number=round_number)
    changed = adapter.read_fixed(whole) != start
    moved = {part_of(name) for name, span in whole.spans.items() if changed[span].any()}
    factor = Part.FACTOR_A if round_number else Part.FACTOR_B
    assert moved == {factor, Part.HEAD}
    assert result.layout == adapter.trainable_layout(round_number)
    trained = np.concatenate([start[whole.spans[spec.name]] for spec in result.layout.tensors])
    difference = adapter.read_fixed(result.layout) - trained
    # The sum is rounded to float32 once, the difference is not.
    assert np.abs(difference - result.delta).max() <= 1


def test_the_result_counts_what_was_seen(llama: LoadedModel) -> None:
    training = dataclasses.replace(BRIEF, length=Epochs(1))
    result = train(llama, training)
    tokens = sum(len(example.text) + 1 for example in PLAIN)
    assert result.tokens == tokens
    assert result.samples == -(-tokens // 32)
    assert result.steps == -(-result.samples // 4)


@pytest.mark.parametrize(
    "frugal",
    [
        dataclasses.replace(BRIEF, parts=3),
        dataclasses.replace(BRIEF, checkpointing=Checkpointing.ON),
    ],
)
def test_less_memory_gives_the_same_result(llama: LoadedModel, frugal: LocalTraining) -> None:
    whole, result = train(llama), train(llama, frugal)
    # Four steps move a number by up to 0.04; what is left is rounding in another order.
    assert np.abs(result.delta - whole.delta).max() < 2**24 * 1e-4
    assert result.loss_after == pytest.approx(whole.loss_after, abs=1e-4)


@pytest.mark.parametrize(
    ("checkpointing", "passes"), [(Checkpointing.OFF, 1), (Checkpointing.ON, 2)]
)
def test_checkpointing_is_a_second_pass_and_off_again_afterwards(
    llama: LoadedModel, checkpointing: Checkpointing, passes: int
) -> None:
    seen: list[bool] = []
    attention = llama.model.get_submodule("model.layers.1.self_attn")
    hook = attention.register_forward_hook(lambda *_: seen.append(torch.is_grad_enabled()))
    try:
        result = train(llama, dataclasses.replace(BRIEF, checkpointing=checkpointing))
    finally:
        hook.remove()
    assert sum(seen) == passes * result.steps
    assert not llama.model.is_activation_checkpointing


def test_fedprox_stays_closer_to_where_the_round_began(bert: LoadedModel) -> None:
    training = dataclasses.replace(BRIEF, length=Steps(8))
    norms = [
        float(
            np.linalg.norm(train(bert, dataclasses.replace(training, objective=FedProx(mu))).delta)
        )
        for mu in (0.0, 1.0, 100.0)
    ]
    assert norms[0] > norms[1] > norms[2]


def test_fedprox_without_weight_is_fedavg(bert: LoadedModel) -> None:
    with_term = train(bert, dataclasses.replace(BRIEF, objective=FedProx(0.0)))
    assert with_term.delta.tobytes() == train(bert).delta.tobytes()


def test_layers_below_the_first_adapted_one_keep_no_graph(llama: LoadedModel) -> None:
    spec = AdapterSpec(rank=2, layers=(1,))
    adapter = attach(llama, spec, seed=1)
    has_graph: dict[int, bool] = {}

    def watch(layer: int) -> None:
        module = adapter.model.get_submodule(f"base_model.model.model.layers.{layer}")
        module.register_forward_hook(
            lambda _module, _inputs, output: has_graph.update({layer: output.requires_grad})
        )

    watch(0)
    watch(1)
    stop = Hooks(should_stop=lambda: bool(has_graph))
    with pytest.raises(TrainingStoppedError):
        train_local(adapter, PLAIN, BRIEF, round_number=0, hooks=stop)
    assert has_graph == {0: False, 1: True}


def test_progress_is_reported_now_and_then(bert: LoadedModel) -> None:
    reports: list[Progress] = []
    adapter = attach(bert, SPEC, seed=1)
    training = dataclasses.replace(BRIEF, length=Steps(2 * REPORT_STEPS + 3))
    hooks = Hooks(progress=reports.append)
    result = train_local(adapter, LABELLED, training, round_number=0, hooks=hooks)
    assert [report.step for report in reports] == [1, 10, 20, 23]
    assert reports[-1].tokens == result.tokens
    assert all(math.isfinite(report.loss) for report in reports)


def test_a_run_that_is_stopped_leaves_the_adapter_as_it_was(bert: LoadedModel) -> None:
    adapter = attach(bert, SPEC, seed=1)
    before = bytes_of(adapter)
    answers = iter([False, False, True])
    hooks = Hooks(should_stop=lambda: next(answers))
    with pytest.raises(TrainingStoppedError, match="stopped after 2 steps") as stop:
        train_local(adapter, LABELLED, BRIEF, round_number=0, hooks=hooks)
    assert stop.value.step == 2
    assert bytes_of(adapter) == before
    assert all(tensor.requires_grad for tensor in adapter.tensors.values())


def test_a_loss_that_is_not_a_number_is_an_error_and_no_update(bert: LoadedModel) -> None:
    adapter = attach(bert, SPEC, seed=1)
    before = bytes_of(adapter)
    with torch.no_grad():
        bert.model.get_parameter("bert.pooler.dense.bias").fill_(float("nan"))
    with pytest.raises(DivergedError, match="the loss is nan by step 1: lower the learning rate"):
        train_local(adapter, LABELLED, BRIEF, round_number=0)
    assert bytes_of(adapter) == before


def test_numbers_that_run_away_are_an_error_and_no_update(bert: LoadedModel) -> None:
    adapter = attach(bert, SPEC, seed=1)
    before = bytes_of(adapter)
    training = dataclasses.replace(BRIEF, learning_rate=1e4)
    with pytest.raises((DivergedError, NotRepresentableError)):
        train_local(adapter, LABELLED, training, round_number=0)
    assert bytes_of(adapter) == before


def test_nothing_to_learn_from_is_an_error(bert: LoadedModel) -> None:
    adapter = attach(bert, SPEC, seed=1)
    with pytest.raises(NoExamplesError):
        train_local(adapter, [], BRIEF, round_number=0)


class _SmallMemory:
    """Lets a forward pass run out of memory when it has more rows than fit."""

    def __init__(
        self, loaded: LoadedModel, *, rows_max: int, shortage: Exception | None = None
    ) -> None:
        self.rows_max = rows_max
        self.shortage = shortage or torch.OutOfMemoryError("CUDA out of memory")
        self.passes: list[int] = []
        loaded.model.register_forward_pre_hook(self._enter, with_kwargs=True)

    def _enter(
        self, _module: torch.nn.Module, _inputs: object, named: dict[str, torch.Tensor]
    ) -> None:
        rows = len(named["input_ids"])
        if rows > self.rows_max:
            raise self.shortage
        self.passes.append(rows)


@pytest.mark.parametrize(
    "shortage",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED"),
        MemoryError(),
    ],
    ids=str,
)
def test_a_batch_that_does_not_fit_is_split(bert: LoadedModel, shortage: Exception) -> None:
    expected = train(bert, dataclasses.replace(BRIEF, parts=4))
    memory = _SmallMemory(bert, rows_max=1, shortage=shortage)
    result = train(bert)
    assert result.parts == 4
    assert set(memory.passes) == {1}
    assert result.delta.tobytes() == expected.delta.tobytes()


def test_a_row_that_does_not_fit_is_an_error(bert: LoadedModel) -> None:
    _SmallMemory(bert, rows_max=0)
    with pytest.raises(OutOfMemoryError, match="lower max_length"):
        train(bert)


def test_other_errors_are_not_taken_for_a_lack_of_memory(bert: LoadedModel) -> None:
    adapter = attach(bert, SPEC, seed=1)

    def fail(*_: object) -> None:
        raise RuntimeError("the cable fell out")

    bert.model.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="the cable fell out"):
        train_local(adapter, LABELLED, BRIEF, round_number=0)


def test_texts_longer_than_the_model_can_read_are_refused(bert: LoadedModel) -> None:
    with pytest.raises(SettingError, match="max_length is 65, it must be at most 64"):
        train(bert, dataclasses.replace(BRIEF, max_length=65))


@pytest.mark.parametrize(
    "wrong",
    [
        {"length": Steps(0)},
        {"length": Epochs(-1)},
        {"batch_size": 0},
        {"max_length": 1},
        {"parts": 0},
        {"learning_rate": float("nan")},
        {"learning_rate": 0.0},
        {"gradient_norm_max": 0.0},
        {"weight_decay": -0.1},
        {"objective": FedProx(-1.0)},
        {"objective": FedProx(float("nan"))},
        {"seed": -1},
    ],
)
def test_a_setting_out_of_bounds_is_named(wrong: dict[str, object]) -> None:
    (name,) = wrong
    setting = "mu" if name == "objective" else name
    with pytest.raises(SettingError, match=f"{setting} is ") as refusal:
        dataclasses.replace(BRIEF, **wrong).check()  # type: ignore[arg-type]
    assert refusal.value.setting == setting
