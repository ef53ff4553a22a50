"""Have here what the chain says a version was made of, wherever it lies now."""

import asyncio
from typing import Final

from fl.rules.update.blob import size_bytes_max
from node.blobs.fetcher import BlobFetcher
from node.blobs.manifest import BlobId
from node.federation.blob_source import NodeBlobs
from node.federation.pull import task_document, version_records
from node.federation.views import FederationReader

FETCH_MS: Final = 20_000
"""For one blob; whoever still wants it asks again, and goes on where this stopped."""


class Gatherer:
    """Fetches lineages into the store of a node.

    Only what the chain names is fetched, and no more of it than the task allows, so that nobody can
    fill the disk by asking. It is not pinned: it goes when room is needed.
    """

    def __init__(self, fetcher: BlobFetcher, *, deadline_ms: int = FETCH_MS) -> None:
        self._fetcher = fetcher
        self._deadline_ms = deadline_ms
        self._blobs = NodeBlobs(fetcher, deadline_ms=deadline_ms)

    async def gather(self, reader: FederationReader, *, task: int, version: int) -> list[BlobId]:
        """Return the ids of the document, the model and the updates of a version, all here.

        Raises:
            NoSuchTaskError: there is no such task.
            NoSuchVersionError: there is no such version; the first is 0.
            BlobUnavailableError: nobody gave one of them in time.
        """
        document = await task_document(reader, self._blobs, task=task)
        records = await asyncio.to_thread(version_records, reader, task=task, version=version)
        wanted = {BlobId(document.start): size_bytes_max(document.model_layout)}
        if records:
            record = records[-1]
            limit = size_bytes_max(document.layout_of(record.round))
            wanted = {BlobId(root): limit for root in record.roots}
            wanted[BlobId(record.model)] = size_bytes_max(document.model_layout)
        for blob, size_bytes in wanted.items():
            await self._fetcher.fetch(
                blob, deadline_ms=self._deadline_ms, size_bytes_max=size_bytes
            )
        return [BlobId(reader.terms(task).document), *wanted]
