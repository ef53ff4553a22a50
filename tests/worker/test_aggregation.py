"""The next model, from files to files."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from fl.jobs.results import AggregateResult
from fl.jobs.work import AggregateJob, OuterTerms, Weighted
from fl.rules.aggregation.outer import OuterRule
from fl.rules.aggregation.rule import Rule
from fl.rules.limits import ONE
from fl.rules.update.header import BlobKind
from fl.rules.update.norms import norm
from fl.rules.update.rows import Int32s
from fl.worker.aggregation import make_next_model
from fl.worker.blobs import read_vector, write_blob
from fl.worker.errors import BlobFileError, WrongJobError
from primitives.errors import MalformedBytesError
from tests.worker.places import quiet_desk
from tests.worker.vectors import (
    FACTOR_A,
    FACTOR_B,
    MODEL_LAYOUT,
    aggregate_job,
    expected,
    store,
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
