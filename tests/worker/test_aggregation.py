"""The next model, from files to files."""

import dataclasses
import tracemalloc
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from fl.jobs.results import AggregateResult
from fl.jobs.subject import LoraLayout
from fl.jobs.work import AggregateJob, OuterTerms, Weighted
from fl.rules.aggregation.outer import OuterRule
from fl.rules.aggregation.rule import Rule, aggregate
from fl.rules.aggregation.stacked import projected
from fl.rules.limits import ONE
from fl.rules.select import apportion
from fl.rules.update.blob import encode_model, encode_update
from fl.rules.update.header import BlobKind, Width
from fl.rules.update.layout import TensorLayout, TensorSpec
from fl.rules.update.norms import clip, norm
from fl.rules.update.rows import Int32s
from fl.worker import blobs
from fl.worker.aggregation import make_next_model
from fl.worker.blobs import read_vector, write_blob
from fl.worker.errors import BlobFileError, BlobWriteError, WrongJobError
from primitives.errors import MalformedBytesError
from tests.worker.places import quiet_desk
from tests.worker.vectors import (
    FACTOR_A,
    FACTOR_B,
    LAYOUT,
    MODEL_LAYOUT,
    aggregate_job,
    expected,
    store,
    store_model,
    vectors,
)


def _done(job: AggregateJob, *, threads: int = 1) -> AggregateResult:
    return make_next_model(job, quiet_desk(), threads=threads)


def _model(result: AggregateResult) -> Int32s:
    return read_vector(result.model, expected=expected(BlobKind.MODEL))


@pytest.mark.parametrize("rule", Rule)
def test_next_model_has_one_name_for_any_order_and_number_of_threads(
    tmp_path: Path, rule: Rule
) -> None:
    job = aggregate_job(tmp_path, store(tmp_path, *vectors(8)))
    job = msgspec.structs.replace(job, rule=rule, byzantine=2)
    turned = msgspec.structs.replace(job, updates=job.updates[::-1])
    assert _done(job) == _done(turned, threads=3)


@pytest.mark.parametrize("rule", Rule)
def test_updates_that_do_not_fit_into_memory_give_the_same_model_and_leave_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rule: Rule
) -> None:
    job = aggregate_job(tmp_path, store(tmp_path, *vectors(8)))
    job = msgspec.structs.replace(job, rule=rule, byzantine=2)
    expected_result = _done(job)
    files = sorted(Path(job.folder).iterdir())
    monkeypatch.setattr(blobs, "ASIDE_BYTES_MIN", 0)
    assert _done(job) == expected_result
    assert sorted(Path(job.folder).iterdir()) == files


def test_vectors_aside_take_no_memory_of_their_own_and_say_when_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blobs, "ASIDE_BYTES_MIN", 0)
    with blobs.vectors_aside(3, 5, folder=tmp_path) as room:
        assert isinstance(room, np.memmap)
        room[2] = 7
        assert room.sum() == 35
    with (
        pytest.raises(BlobWriteError, match="no room for"),
        blobs.vectors_aside(1 << 30, 1 << 30, folder=tmp_path),
    ):
        raise AssertionError("never here")


def _job_on_one_head(folder: Path, *, count: int, size: int) -> AggregateJob:
    """Return the job of a round whose updates and model are one tensor of so many numbers."""
    layout = TensorLayout.of([TensorSpec("head.weight", (size // 512, 512))])
    update, model = (
        dataclasses.replace(expected(kind), layout=layout)
        for kind in (BlobKind.UPDATE, BlobKind.MODEL)
    )
    dice = np.random.default_rng(5)
    stored = [
        write_blob(
            encode_update(
                dice.integers(-(1 << 20), 1 << 20, size, dtype=np.int32), expected=update
            ),
            folder=folder,
        )
        for _ in range(count)
    ]
    start = write_blob(encode_model(np.zeros(size, np.int32), expected=model), folder=folder)
    return msgspec.structs.replace(
        aggregate_job(folder, store(folder, *vectors(1))),
        updates=tuple(map(Weighted, stored, apportion(ONE, [1] * count))),
        layout=layout,
        model=start,
        model_layout=layout,
        rule=Rule.TRIMMED_MEAN,
        byzantine=2,
    )


def _peak_bytes(job: AggregateJob) -> int:
    tracemalloc.start()
    try:
        _done(job)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_trimmed_mean_of_vectors_on_disk_takes_the_memory_of_few_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count, size = 32, 1 << 18
    vectors_bytes = 4 * count * size
    job = _job_on_one_head(tmp_path, count=count, size=size)
    assert vectors_bytes < _peak_bytes(job), "as long as they fit, they are in memory"
    monkeypatch.setattr(blobs, "ASIDE_BYTES_MIN", vectors_bytes - 1)
    # A model, its state and what is written, and 2**14 columns of every update in int64.
    assert _peak_bytes(job) < vectors_bytes // 2


def test_mean_moves_what_the_round_trains_and_nothing_else(tmp_path: Path) -> None:
    up, down = np.full(32, 6, np.int32), np.full(32, -2, np.int32)
    job = aggregate_job(tmp_path, store(tmp_path, up, down))
    result = _done(msgspec.structs.replace(job, rule=Rule.MEAN))
    model, spans = _model(result), MODEL_LAYOUT.spans
    assert set(model[spans[FACTOR_A.name]]) == {1 << 24}
    assert set(model[spans[FACTOR_B.name]]) == {(1 << 24) + 2}
    assert set(read_vector(result.delta, expected=expected())) == {2}


def test_longer_updates_are_clipped_before_they_count(tmp_path: Path) -> None:
    (vector,) = vectors(1)
    job = aggregate_job(tmp_path, store(tmp_path, vector))
    clipped = msgspec.structs.replace(job, clip=norm(vector) // 2)
    assert _done(clipped).norm == pytest.approx(_done(job).norm / 2, rel=0.01)


def test_momentum_goes_from_round_to_round_through_its_file(tmp_path: Path) -> None:
    job = aggregate_job(tmp_path, store(tmp_path, np.full(32, 1_000, np.int32)))
    outer = OuterTerms(rule=OuterRule.NESTEROV, rate=ONE, momentum=ONE // 2)
    first = _done(msgspec.structs.replace(job, outer=outer))
    second = _done(msgspec.structs.replace(job, outer=outer, state=first.state))
    deltas = [read_vector(one.delta, expected=expected()) for one in (first, second)]
    # The moment is 1000, then 1500; a step is the delta and half of the moment.
    assert [set(delta) for delta in deltas] == [{1_500}, {1_750}]


def test_state_of_another_optimiser_is_refused(tmp_path: Path) -> None:
    job = aggregate_job(tmp_path, store(tmp_path, *vectors(1)))
    state = write_blob(bytes(8), folder=tmp_path)
    with pytest.raises(MalformedBytesError, match="a state of 8 bytes, not 0"):
        _done(msgspec.structs.replace(job, state=state))


def test_job_whose_parts_do_not_fit_is_refused_with_the_part(tmp_path: Path) -> None:
    blobs = store(tmp_path, *vectors(2))
    job = aggregate_job(tmp_path, blobs)
    replace = msgspec.structs.replace
    with pytest.raises(WrongJobError, match="weights sum to 5, not to 65536"):
        _done(replace(job, updates=(Weighted(blobs[0], 5),)))
    with pytest.raises(WrongJobError, match="2 of 2 updates"):
        _done(replace(job, byzantine=2))
    with pytest.raises(WrongJobError, match="outer optimiser: rate"):
        _done(replace(job, outer=OuterTerms(rate=1 << 40)))
    with pytest.raises(WrongJobError, match=r"the model has no tensor q\.lora_B\.weight"):
        _done(replace(job, model_layout=type(job.layout).of([FACTOR_A])))


def test_broken_update_is_named(tmp_path: Path) -> None:
    job = aggregate_job(tmp_path, store(tmp_path, *vectors(2)))
    broken = write_blob(b"\x80\x04\x95 a pickle", folder=tmp_path)
    spoilt = (Weighted(broken, job.updates[0].weight), job.updates[1])
    with pytest.raises(WrongJobError, match=f"{Path(broken.path).name}: .*pickle"):
        _done(msgspec.structs.replace(job, updates=spoilt))
    Path(broken.path).unlink()
    with pytest.raises(BlobFileError):
        _done(msgspec.structs.replace(job, updates=spoilt))


def _stacked_job(folder: Path, updates: list[Int32s], model: Int32s) -> AggregateJob:
    wanted = dataclasses.replace(expected(), layout=MODEL_LAYOUT)
    raw = [encode_update(one, expected=wanted, width=Width.INT32) for one in updates]
    job = aggregate_job(folder, tuple(write_blob(one, folder=folder) for one in raw))
    return msgspec.structs.replace(
        job,
        layout=MODEL_LAYOUT,
        model=store_model(folder, model),
        rule=Rule.MEAN,
        sharing=LoraLayout.STACK,
    )


def _seeded_model() -> Int32s:
    """Return a model whose A is four rows of the identity."""
    spans = MODEL_LAYOUT.spans
    model = np.zeros(MODEL_LAYOUT.size, np.int32)
    model[spans[FACTOR_A.name]] = np.eye(*FACTOR_A.shape, dtype=np.int32).reshape(-1) << 24
    dice = np.random.default_rng(2)
    model[spans[FACTOR_B.name]] = dice.integers(-(1 << 22), 1 << 22, LAYOUT.size, dtype=np.int32)
    return model


def _product(vector: Int32s) -> NDArray[np.float64]:
    spans, real = MODEL_LAYOUT.spans, vector / 2.0**24
    up = real[spans[FACTOR_B.name]].reshape(FACTOR_B.shape)
    product: NDArray[np.float64] = up @ real[spans[FACTOR_A.name]].reshape(FACTOR_A.shape)
    return product


def _both_moved(count: int) -> list[Int32s]:
    dice = np.random.default_rng(4)
    shape = (count, MODEL_LAYOUT.size)
    return list(dice.integers(-(1 << 22), 1 << 22, shape, dtype=np.int32))


def test_stacked_updates_make_the_mean_of_products_within_the_seeded_rows(tmp_path: Path) -> None:
    model, updates = _seeded_model(), _both_moved(4)
    result = _model(_done(_stacked_job(tmp_path, updates, model)))
    span = MODEL_LAYOUT.spans[FACTOR_A.name]
    np.testing.assert_array_equal(result[span], model[span])
    # The rows are the first four columns, so that is where all of the mean is, and the rest lost.
    exact = np.mean([_product(model + update) for update in updates], axis=0)
    np.testing.assert_allclose(_product(result)[:, :4], exact[:, :4], atol=1e-4)
    assert np.abs(exact[:, 4:]).max() > 0.01
    assert not _product(result)[:, 4:].any()


@pytest.mark.parametrize("rule", Rule)
def test_stacked_updates_are_projected_and_clipped_before_any_rule(
    tmp_path: Path, rule: Rule
) -> None:
    model, updates = _seeded_model(), _both_moved(8)
    job = msgspec.structs.replace(
        _stacked_job(tmp_path, updates, model), rule=rule, byzantine=2, clip=norm(updates[0]) // 2
    )
    steps = [
        clip(projected(one, model=model, layout=MODEL_LAYOUT), limit=job.clip) for one in updates
    ]
    weights = [one.weight for one in job.updates]
    wanted = aggregate(steps, weights, rule=rule, byzantine=2, radius=job.clip)
    result = _done(job, threads=2)
    np.testing.assert_array_equal(_model(result), model + wanted)
    turned = msgspec.structs.replace(job, updates=job.updates[::-1])
    assert _done(turned) == result


def test_stack_needs_pairs_of_factors_and_no_other_layout_moves_both(tmp_path: Path) -> None:
    job = _stacked_job(tmp_path, _both_moved(2), _seeded_model())
    replace = msgspec.structs.replace
    for sharing in (LoraLayout.ALT, LoraLayout.FFA):
        with pytest.raises(WrongJobError, match=r"lora_B\.weight' and its A move at once"):
            _done(replace(job, sharing=sharing))
    with pytest.raises(
        WrongJobError, match=r"lora_B\.weight' of shape .* beside an A of shape \(\)"
    ):
        _done(replace(job, layout=LAYOUT))
    with pytest.raises(WrongJobError, match=r"lora_A\.weight' stands beside no B"):
        _done(replace(job, layout=TensorLayout.of([FACTOR_A])))
    assert _done(replace(job, sharing=LoraLayout.FEDIT)) != _done(job)


@pytest.mark.parametrize("field", ["layout", "model_layout"])
def test_layout_that_is_not_canonical_is_refused(tmp_path: Path, field: str) -> None:
    job = aggregate_job(tmp_path, store(tmp_path, *vectors(1)))
    unsorted = TensorLayout((FACTOR_B, FACTOR_A))
    with pytest.raises(WrongJobError, match=rf"^{field}: 'q\.lora_A\.weight' after .* unsorted"):
        _done(msgspec.structs.replace(job, **{field: unsorted}))
