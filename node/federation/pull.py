"""Gather what an operator takes away: a version of a model, its document, and how it came to be."""

from typing import Final

import msgspec

from fl.jobs.bounds import StoredBlob
from fl.rules.update.blob import size_bytes_max
from node.federation.blob_source import BlobSource
from node.federation.document import DOCUMENT_SIZE_BYTES_MAX, TaskDocument, read_document
from node.federation.errors import BrokenLineageError, NoSuchVersionError
from node.federation.states import ModelRecord
from node.federation.views import FederationReader

VERSIONS_MAX: Final = 100_000


class PulledModel(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a model.

    Args:
        weights: the MODEL blob.
        records: of the versions from 1 to this one.
    """

    task: int
    version: int
    document: TaskDocument
    weights: StoredBlob
    records: tuple[ModelRecord, ...]


async def pull(
    reader: FederationReader, blobs: BlobSource, *, task: int, version: int | None = None
) -> PulledModel:
    """Return a version of the model of a task, the newest by default.

    Raises:
        NoSuchTaskError: there is no such task.
        NoSuchVersionError: there is no such version.
        BlobUnavailableError: nobody gave its blob or its document.
    """
    document = await task_document(reader, blobs, task=task)
    records = version_records(reader, task=task, version=version)
    blob = records[-1].model if records else document.start
    limit = size_bytes_max(document.model_layout)
    return PulledModel(
        task=task,
        version=len(records),
        document=document,
        weights=await blobs.stored(blob, size_bytes_max=limit),
        records=records,
    )


async def task_document(reader: FederationReader, blobs: BlobSource, *, task: int) -> TaskDocument:
    """Return the document of a task, checked against what the chain began with.

    Raises:
        NoSuchTaskError: there is no such task.
        BlobUnavailableError: nobody gave it.
        MalformedBytesError: it is no document.
        BadDocumentError: it contradicts itself.
        BrokenLineageError: it begins with another model than the task.
    """
    raw = await blobs.content(reader.terms(task).document, size_bytes_max=DOCUMENT_SIZE_BYTES_MAX)
    document = read_document(raw)
    first = reader.model(task, 1)
    start = reader.task(task).model if first is None else first.parent
    if start != document.start:
        raise BrokenLineageError(
            "the document begins with another model",
            version=0,
            expected=start,
            found=document.start,
        )
    return document


def version_records(
    reader: FederationReader, *, task: int, version: int | None = None
) -> tuple[ModelRecord, ...]:
    """Return the records of the versions from 1 on, up to one or the newest.

    Raises:
        NoSuchVersionError: there is no such version.
    """
    newest = reader.latest_version(task)
    last = newest if version is None else version
    if not 0 <= last <= min(newest, VERSIONS_MAX):
        raise NoSuchVersionError(f"task {task} has versions 0 to {newest}, not {last}")
    found = (reader.model(task, number) for number in range(1, last + 1))
    return tuple(record for record in found if record is not None)
