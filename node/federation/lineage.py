"""Make a model again, version by version, from what the chain says it was made of.

Whoever does this trusts neither trainers nor validators: the records come from a certified state,
every update is the blob that its root names, and the aggregate is computed here with integers that
have one result. What remains of trust is the base model, which is pinned by digest, and W_0, which
its seed gives and a machine with torch can check.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fl.jobs.bounds import StoredBlob
from fl.jobs.client import JobTerms, WorkerClient
from fl.jobs.results import AggregateResult, PrepareResult
from fl.jobs.subject import AdaptedModel
from fl.jobs.work import AggregateJob, PrepareJob, Weighted
from fl.rules.limits import ONE
from fl.rules.update.blob import size_bytes_max
from node.blobs.manifest import blob_id
from node.federation.blob_source import BlobSource
from node.federation.document import TaskDocument
from node.federation.errors import BrokenLineageError, UnrecordedLineageError
from node.federation.jobs import RoundInputs, aggregate_job
from node.federation.pull import task_document, version_records
from node.federation.states import ModelRecord
from node.federation.views import FederationReader
from primitives.cid import Cid


class Compute(Protocol):
    """What does jobs."""

    async def aggregate(self, job: AggregateJob) -> AggregateResult:
        """Make the next model."""
        ...

    async def prepare(self, job: PrepareJob) -> PrepareResult:
        """Make W_0 from its seed; needs the base model."""
        ...


class WorkerCompute:
    """A worker process that does the jobs."""

    def __init__(self, client: WorkerClient, *, terms: JobTerms) -> None:
        self._client = client
        self._terms = terms

    async def aggregate(self, job: AggregateJob) -> AggregateResult:
        """Make the next model."""
        return await self._client.run(job, terms=self._terms)

    async def prepare(self, job: PrepareJob) -> PrepareResult:
        """Make W_0 from its seed."""
        return await self._client.run(job, terms=self._terms)


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionMade:
    """A version that was made again, bit for bit.

    Args:
        of: versions in all.
        updates: that went in.
        state: of the outer optimiser after it.
    """

    version: int
    of: int
    round: int
    updates: int
    weights: StoredBlob
    state: StoredBlob


class Lineage:
    """One task as a certified state tells of it.

    Args:
        reader: bound to the height of a certified checkpoint, so that all answers are of one state
            that the committee has signed.
        folder: where versions are made; all but the last are removed again.
    """

    def __init__(
        self, reader: FederationReader, blobs: BlobSource, compute: Compute, *, folder: Path
    ) -> None:
        self._reader = reader
        self._blobs = blobs
        self._compute = compute
        self._folder = folder

    async def check_start(self, task: int, *, source: str | None = None) -> None:
        """Make W_0 from the seed of the adapter, and the base model as this machine has it.

        Raises:
            BrokenLineageError: the task began with something else.
            JobFailedError: the base model is not there, or is another one.
        """
        document = await task_document(self._reader, self._blobs, task=task)
        frozen = document.frozen if source is None else document.frozen_from(source)
        subject = AdaptedModel(frozen=frozen, adapter=document.adapter)
        made = await self._compute.prepare(PrepareJob(subject=subject, folder=str(self._folder)))
        found = _id_of(made.weights)
        if found != document.start:
            raise BrokenLineageError(
                "the seed gives another start", version=0, expected=document.start, found=found
            )

    async def replay(self, task: int, *, version: int | None = None) -> AsyncIterator[VersionMade]:
        """Yield each version from 1 on as it has been made again.

        Raises:
            BrokenLineageError: one is not what the chain says; the message tells which.
            UnrecordedLineageError: the chain does not say what one was made of.
            BlobUnavailableError: nobody gave an update.
            JobFailedError: the worker failed.
        """
        document = await task_document(self._reader, self._blobs, task=task)
        records = version_records(self._reader, task=task, version=version)
        limit = size_bytes_max(document.model_layout)
        weights = await self._blobs.stored(document.start, size_bytes_max=limit)
        state: StoredBlob | None = None
        for number, record in enumerate(records, start=1):
            _check_record(record, version=number, parent=_id_of(weights))
            made = await self._made(document, record, weights=weights, state=state)
            found = _id_of(made.model)
            if found != record.model:
                raise BrokenLineageError(
                    f"made of {len(record.roots)} updates in round {record.round}",
                    version=number,
                    expected=record.model,
                    found=found,
                )
            self._remove(weights, state, made.delta, kept=(made.model, made.state))
            weights, state = made.model, made.state
            yield VersionMade(
                version=number,
                of=len(records),
                round=record.round,
                updates=len(record.roots),
                weights=weights,
                state=state,
            )

    async def _made(
        self,
        document: TaskDocument,
        record: ModelRecord,
        *,
        weights: StoredBlob,
        state: StoredBlob | None,
    ) -> AggregateResult:
        limit = size_bytes_max(document.layout_of(record.round))
        updates = [
            Weighted(await self._blobs.stored(root, size_bytes_max=limit), weight)
            for root, weight in zip(record.roots, record.weights, strict=True)
        ]
        inputs = RoundInputs(
            round=record.round,
            updates=updates,
            limit=record.limit,
            halvings=record.halvings,
            model=weights,
            state=state,
        )
        return await self._compute.aggregate(aggregate_job(document, inputs, folder=self._folder))

    def _remove(self, *blobs: StoredBlob | None, kept: tuple[StoredBlob, ...]) -> None:
        """Remove files that we made and need no more; those of the store are not ours."""
        for blob in blobs:
            if blob is not None and blob not in kept:
                path = Path(blob.path)
                if path.parent == self._folder:
                    path.unlink(missing_ok=True)


def _check_record(record: ModelRecord, *, version: int, parent: bytes) -> None:
    if record.parent != parent:
        raise BrokenLineageError(
            "it stands on another model", version=version, expected=record.parent, found=parent
        )
    count = len(record.contributors)
    if record.limit <= 0 or len(record.roots) != count or len(record.weights) != count:
        raise UnrecordedLineageError(
            f"version {version}: the chain has {len(record.roots)} roots and "
            f"{len(record.weights)} weights of {count} updates, and the limit {record.limit}"
        )
    if sum(record.weights) != ONE:
        raise UnrecordedLineageError(
            f"version {version}: the weights sum to {sum(record.weights)}, not to {ONE}"
        )


def _id_of(blob: StoredBlob) -> bytes:
    return blob_id(Cid.decode(blob.cid))
