"""A copy for the worker that the disk damaged costs one job, after which it is written anew."""

from pathlib import Path

import pytest
from typing_extensions import override

from fl.jobs.bounds import StoredBlob
from fl.jobs.errors import FailureCode, JobFailedError
from fl.jobs.results import AnyResult
from fl.jobs.work import AnyJob, Earlier, InspectJob, Pins
from fl.worker.errors import BlobFileError
from node.blobs.manifest import BlobId
from node.duties.duty import Step
from node.duties.equipment import blobs_of
from primitives.cid import Cid
from tests.duties.hamlet import hamlet
from tests.duties.test_round import outcomes
from tests.duties.toy import BASE, LAYOUTS, TOKENIZER, ToyWorker, target_of


class CheckingWorker(ToyWorker):
    """Says of a damaged file what a worker in a process of its own says."""

    @override
    def _perform(self, job: AnyJob) -> AnyResult:
        try:
            return super()._perform(job)
        except BlobFileError as error:
            raise JobFailedError(FailureCode.BAD_INPUT, str(error), cause=error.code) from error


@pytest.mark.asyncio
async def test_damaged_copy_is_written_anew_for_the_next_attempt(tmp_path: Path) -> None:
    async with hamlet(tmp_path, validators=1) as place:
        node = await place.settle("validator-0", CheckingWorker(target_of(0)))
        await place.register(node)
        await place.offer(node)
        copy = node.store.path(BlobId(place.reader.task(0).model))
        copy.write_bytes(bytes(copy.stat().st_size))
        place.start(node)
        await place.until(lambda: place.version() == 1, limit_s=20)
        assert outcomes(node.steward.times()[0], Step.TRAIN) == ["job_failed", "done"]


def test_blobs_of_a_job_are_found_wherever_it_names_them() -> None:
    named = [StoredBlob(f"/{n}", Cid.of_raw(bytes([n])).encode()) for n in range(3)]
    job = InspectJob(
        updates=(named[0],),
        earlier=(Earlier(named[1], 0),),
        global_deltas=(named[2],),
        pins=Pins(model=BASE, tokenizer=TOKENIZER),
        layout=LAYOUTS[0],
    )
    assert list(blobs_of(job)) == named
