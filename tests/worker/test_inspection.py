"""The facts about the updates of a round, from files to the scorecard's numbers."""

import dataclasses
import tracemalloc
from pathlib import Path

import msgspec
import numpy as np
import pytest

from fl.jobs.bounds import StoredBlob
from fl.jobs.errors import JobFailedError
from fl.jobs.work import NOBODY, Earlier
from fl.rules.scorecard import MALFORMED, REPLAY, VALID
from fl.rules.update.blob import encode_update
from fl.rules.update.header import Width
from fl.rules.update.layout import TensorLayout, TensorSpec
from fl.rules.update.norms import norm
from fl.worker.blobs import write_blob
from fl.worker.errors import BlobFileError, WrongJobError
from fl.worker.inspection import inspect
from tests.worker.places import quiet_desk
from tests.worker.vectors import FACTOR_A, FACTOR_B, expected, inspect_job, store, vectors


def test_facts_name_norms_copies_and_broken_blobs(tmp_path: Path) -> None:
    first, second, third = vectors(3)
    blobs = store(tmp_path, first, second, first, third)
    broken = write_blob(Path(blobs[0].path).read_bytes()[:-1], folder=tmp_path)
    result = inspect(inspect_job(*blobs, broken), quiet_desk(), threads=2)
    facts = result.facts
    assert [one.verdict for one in facts] == [VALID, VALID, VALID, VALID, MALFORMED]
    assert [one.original for one in facts] == [0, 1, 0, 3, 4]
    assert [one.norm for one in facts] == [norm(first), norm(second), norm(first), norm(third), 0]
    assert "size" in facts[4].fault
    assert not any(one.fault for one in facts[:4])


def test_repeated_global_delta_and_own_update_are_replays(tmp_path: Path) -> None:
    first, second, third, old = vectors(4)
    honest, repeated, own, delta = store(tmp_path, first, old, second, old)
    job = inspect_job(honest, repeated, own, *store(tmp_path, third), deltas=(delta,))
    result = inspect(job, quiet_desk(), threads=1)
    assert [one.verdict for one in result.facts] == [VALID, REPLAY, VALID, VALID]


def test_damage_of_this_disk_fails_the_job_instead_of_blaming_the_trainer(tmp_path: Path) -> None:
    blobs = store(tmp_path, *vectors(2))
    Path(blobs[1].path).write_bytes(b"rot")
    with pytest.raises(BlobFileError):
        inspect(inspect_job(*blobs), quiet_desk(), threads=1)


def test_round_without_updates_has_no_facts() -> None:
    assert inspect(inspect_job(), quiet_desk(), threads=1).facts == ()


def test_cancelled_inspection_ends(tmp_path: Path) -> None:
    desk = quiet_desk()
    desk.stop()
    with pytest.raises(JobFailedError, match="cancelled"):
        inspect(inspect_job(*store(tmp_path, np.ones(32, np.int32))), desk, threads=1)


def test_earlier_update_of_another_layout_is_named(tmp_path: Path) -> None:
    (blob,) = store(tmp_path, *vectors(1))
    other = write_blob(b"no blob", folder=tmp_path)
    job = msgspec.structs.replace(inspect_job(blob), earlier=(Earlier(other, NOBODY),))
    with pytest.raises(WrongJobError, match=other.path):
        inspect(job, quiet_desk(), threads=1)


@pytest.mark.parametrize("place", [NOBODY, 0, 2, 3])
def test_update_near_an_earlier_one_of_anybody_is_a_replay(tmp_path: Path, place: int) -> None:
    first, second, third, old = vectors(4)
    malformed = write_blob(b"no blob", folder=tmp_path)
    blobs = store(tmp_path, first, old + 3, second)
    earlier = tuple(Earlier(blob, place) for blob in store(tmp_path, third, old))
    job = msgspec.structs.replace(inspect_job(malformed, *blobs), earlier=earlier)
    result = inspect(job, quiet_desk(), threads=2)
    assert [one.verdict for one in result.facts] == [MALFORMED, VALID, REPLAY, VALID]


def test_only_the_own_earlier_update_may_come_again_at_another_length(tmp_path: Path) -> None:
    first, old = vectors(2)
    (earlier,) = store(tmp_path, old)
    job = inspect_job(*store(tmp_path, first, 2 * old))
    for place, verdict in ((1, VALID), (0, REPLAY), (NOBODY, REPLAY)):
        asked = msgspec.structs.replace(job, earlier=(Earlier(earlier, place),))
        facts = inspect(asked, quiet_desk(), threads=1).facts
        assert [one.verdict for one in facts] == [VALID, verdict]


def test_memory_holds_one_earlier_update_at_a_time(tmp_path: Path) -> None:
    trainers, earlier = 6, 16
    layout = TensorLayout.of([TensorSpec("head", (512, 256))])
    wanted = dataclasses.replace(expected(), layout=layout)
    dice = np.random.default_rng(3)

    def stored() -> StoredBlob:
        vector = dice.integers(-(1 << 20), 1 << 20, layout.size, dtype=np.int32)
        raw = encode_update(vector, expected=wanted, width=Width.INT32)
        return write_blob(raw, folder=tmp_path)

    job = msgspec.structs.replace(
        inspect_job(*(stored() for _ in range(trainers))),
        layout=layout,
        earlier=tuple(Earlier(stored(), place % trainers) for place in range(earlier)),
    )
    tracemalloc.start()
    try:
        inspect(job, quiet_desk(), threads=1)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Beside the vectors there are the spans of products, which do not grow with the layout.
    assert peak_bytes < (trainers + earlier // 2) * 4 * layout.size


def test_layout_that_is_not_canonical_is_refused(tmp_path: Path) -> None:
    job = inspect_job(*store(tmp_path, *vectors(1)))
    unsorted = msgspec.structs.replace(job, layout=TensorLayout((FACTOR_B, FACTOR_A)))
    with pytest.raises(WrongJobError, match=r"layout: 'q\.lora_A\.weight' after .* unsorted"):
        inspect(unsorted, quiet_desk(), threads=1)
