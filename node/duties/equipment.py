"""What all duties of a node work with."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import msgspec
import structlog

from fl.jobs.bounds import StoredBlob
from fl.jobs.client import JobTerms
from fl.jobs.errors import JobFailedError
from fl.jobs.progress import Progress
from fl.jobs.work import Job, WarmJob
from node.duties.gas import call_gas
from node.duties.notes import Notebook
from node.duties.ports import BlobRoom, Result, Worker
from node.duties.salts import Salts
from node.duties.scene import Learning, Scene
from node.duties.verdicts import is_damage
from node.duties.wallet import Wallet
from node.federation.views import FederationReader
from node.ledger.receipt import Receipt
from node.ledger.transaction import Call
from primitives.cid import Cid
from primitives.ids import Address

ATTEMPTS_MAX: Final = 3
"""How often a job is done again after the worker died of it."""

WARM_MS_MAX: Final = 600_000

JOB_MS_MAX: Final = 7 * 24 * 3_600_000
"""A job is broken off when the chain goes on without it; this is for a chain that does not."""

_log: Final = structlog.get_logger("node.duties")


@dataclass(frozen=True, slots=True, kw_only=True)
class Equipment:
    """What all duties of a node work with."""

    reader: FederationReader
    wallet: Wallet
    blobs: BlobRoom
    notebook: Notebook
    worker: Worker
    salts: Salts
    learning: Learning

    @property
    def who(self) -> Address:
        """Return the account of this node."""
        return self.wallet.address

    async def call(self, scene: Scene, action: Call) -> Receipt:
        """Send a call of the task's contract, and wait until it is done."""
        running = scene.round
        updates = scene.terms.slots if running is None else len(running.updates)
        seats = len(scene.member.committee) if running is None else len(running.seats)
        return await self.wallet.carry_out(action, gas_limit=call_gas(updates=updates, seats=seats))

    async def warm(self) -> None:
        """Have the worker load what its jobs need; one that cannot says so again when asked."""
        try:
            await self.worker.run(WarmJob(), terms=JobTerms(deadline_ms=WARM_MS_MAX))
        except JobFailedError as error:
            _log.info("worker was not warmed", reason=error.reason.value, error=str(error))

    async def work(self, job: Job[Result], on_progress: Callable[[Progress], None]) -> Result:
        """Have the worker do a job.

        Raises:
            JobFailedError: it was not done; if a file was damaged, the next attempt gets others.
        """
        terms = JobTerms(deadline_ms=JOB_MS_MAX, attempts=ATTEMPTS_MAX)
        try:
            return await self.worker.run(job, terms=terms, on_progress=on_progress)
        except JobFailedError as error:
            if is_damage(error):
                # Only the message says which file it was, and any of them is soon written anew.
                for blob in blobs_of(job):
                    await self.blobs.spoiled(Cid.decode(blob.cid).digest)
            raise


def blobs_of(part: object) -> Iterator[StoredBlob]:
    """Yield the blobs that a job, or a part of one, names."""
    if isinstance(part, StoredBlob):
        yield part
    elif isinstance(part, msgspec.Struct):
        for name in part.__struct_fields__:
            yield from blobs_of(getattr(part, name))
    elif isinstance(part, tuple):
        for one in part:
            yield from blobs_of(one)
