"""Make a model again with what a node gives, each piece checked against a hash or a proof."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cli.blob import saved_checked
from cli.proven import ProvenFacts, learn_lineage
from cli.worker import worker
from fl.jobs.bounds import StoredBlob
from fl.jobs.client import JobTerms
from node.blobs.errors import BlobTooLongError
from node.federation.lineage import Lineage, WorkerCompute
from node.federation.views import FederationReader
from node.ledger.genesis import chain_id_of
from node.rpc.client import NodeClient
from node.rpc.errors import NodeAnswerError

_DEADLINE_MS = 3_600_000

Note = Callable[[str, str, str], None]
"""Takes what was checked, its hash, and a detail."""


class ClientBlobs:
    """The blobs of a node that is asked over its API; each is checked against its id."""

    def __init__(self, node: NodeClient, *, folder: Path) -> None:
        self._node = node
        self._folder = folder
        self._known: dict[bytes, StoredBlob] = {}

    async def stored(self, blob: bytes, *, size_bytes_max: int) -> StoredBlob:
        """Return a file with the content of a blob."""
        if blob not in self._known:
            stat = await self._node.blob_stat(blob.hex())
            if stat.size_bytes > size_bytes_max:
                raise BlobTooLongError(
                    f"{blob.hex()} has {stat.size_bytes} bytes, over the limit of {size_bytes_max}"
                )
            path = self._folder / f"{blob.hex()}.blob"
            cid = await saved_checked(self._node, blob, path)
            self._known[blob] = StoredBlob(str(path), cid.encode())
        return self._known[blob]

    async def content(self, blob: bytes, *, size_bytes_max: int) -> bytes:
        """Return the content of a blob."""
        stored = await self.stored(blob, size_bytes_max=size_bytes_max)
        return await asyncio.to_thread(Path(stored.path).read_bytes)


class Replay:
    """One verification."""

    def __init__(self, node: NodeClient, genesis: bytes, *, folder: Path, note: Note) -> None:
        self._node = node
        self._genesis = genesis
        self._folder = folder
        self._note = note

    async def run(self, task: int, version: int | None, *, start: bool, source: str | None) -> int:
        """Verify up to a version, by default the newest; return which that is.

        Raises:
            HanseError: something is not as the chain says; the message names it.
        """
        self._note("genesis", chain_id_of(self._genesis).hex(), "")
        facts = ProvenFacts(self._node, genesis=self._genesis)
        last = await learn_lineage(facts, task=task, version=version)
        reader = FederationReader(facts.views())
        numbers = sorted(facts.numbers)
        self._note("document", reader.terms(task).document.hex(), f"certificates {numbers}")
        for number in range(last + 1):
            # A node that joined late holds the newest only. What cannot be had is named below.
            with suppress(NodeAnswerError):
                await self._node.model_blobs(task, number)
        async with worker() as client:
            compute = WorkerCompute(client, terms=JobTerms(deadline_ms=_DEADLINE_MS))
            blobs = ClientBlobs(self._node, folder=self._folder)
            lineage = Lineage(reader, blobs, compute, folder=self._folder)
            if start:
                await lineage.check_start(task, source=source)
                self._note("W_0", self._parent_hex(reader, task), "made of its seed")
            async for made in lineage.replay(task, version=last):
                record = reader.model(task, made.version)
                assert record is not None, "a version that was made has a record"
                for root in record.roots:
                    self._note("update", root.hex(), "")
                detail = f"round {made.round}, {made.updates} updates"
                self._note(f"version {made.version}", record.model.hex(), detail)
        return last

    def _parent_hex(self, reader: FederationReader, task: int) -> str:
        first = reader.model(task, 1)
        return (reader.task(task).model if first is None else first.parent).hex()
