"""What duties need of the rest of the node, as narrow as they need it."""

import enum
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from fl.jobs.bounds import StoredBlob
from fl.jobs.client import JobTerms
from fl.jobs.progress import Progress
from fl.jobs.work import Job
from primitives.ids import Address, Digest

Result = TypeVar("Result")


@enum.unique
class Audience(enum.Enum):
    """Who may have a blob from this node."""

    EVERYBODY = "everybody"
    NOBODY = "nobody"


class Worker(Protocol):
    """What does jobs; `fl.jobs.client.WorkerClient` is one."""

    async def run(
        self,
        job: Job[Result],
        *,
        terms: JobTerms,
        on_progress: Callable[[Progress], None] = ...,
    ) -> Result:
        """Do one job.

        Raises:
            JobFailedError: it was not done.
        """
        ...


class BlobRoom(Protocol):
    """The blobs of this node, named by the digest that contracts store."""

    def has(self, blob: Digest) -> bool:
        """Tell whether the whole blob is here."""
        ...

    def read(self, blob: Digest, *, size_bytes_max: int) -> bytes:
        """Return a blob that is here."""
        ...

    async def stored(self, blob: Digest) -> StoredBlob:
        """Return the file of a blob that is here, for the worker."""
        ...

    async def spoiled(self, blob: Digest) -> None:
        """Have the file of a blob written anew when it is asked for next."""
        ...

    async def keep(self, made: StoredBlob, *, audience: Audience, reason: str) -> Digest:
        """Take in a file that the worker wrote, and keep it for a reason."""
        ...

    async def put(self, content: bytes, *, audience: Audience, reason: str) -> Digest:
        """Take in content that is in memory, and keep it for a reason."""
        ...

    async def pin(self, blob: Digest, reason: str) -> None:
        """Keep a blob that is here for one more reason."""
        ...

    async def open_up(self, blob: Digest) -> None:
        """Let everybody have a blob."""
        ...

    async def let_go(self, reason: str) -> None:
        """Keep blobs no longer for a reason."""
        ...

    def reasons(self) -> frozenset[str]:
        """Return the reasons for which anything is kept."""
        ...

    def is_crowded(self) -> bool:
        """Tell whether what must stay takes nearly all the room."""
        ...

    async def forget_envelopes(self, task: int, *, before: int) -> None:
        """Let the envelopes of the rounds before one go."""
        ...

    async def fetch(self, blob: Digest, *, size_bytes_max: int, reason: str) -> None:
        """Get a public blob from whoever has it.

        Raises:
            HanseError: nobody gave it.
        """
        ...

    async def fetch_sealed(
        self, update: "SealedUpdate", *, size_bytes_max: int, reason: str
    ) -> None:
        """Get an update that was sealed for those who have seats.

        Args:
            update: which one.
            size_bytes_max: of its content; what sealing adds is allowed for.
            reason: for which it is kept.

        Raises:
            HanseError: nobody gave one that opens to its root.
        """
        ...

    async def offer(self, update: "SealedUpdate") -> None:
        """Seal an update that is here for those who have seats, and give it to them."""
        ...

    def is_offered(self, update: "SealedUpdate") -> bool:
        """Tell whether it lies sealed here."""
        ...


class SealedUpdate(Protocol):
    """Which update, and who may read it."""

    @property
    def task(self) -> int:
        """Return the task."""
        ...

    @property
    def round(self) -> int:
        """Return the round."""
        ...

    @property
    def root(self) -> Digest:
        """Return what its content must be."""
        ...

    @property
    def trainer(self) -> Address:
        """Return whose it is."""
        ...

    @property
    def seats(self) -> Sequence[Address]:
        """Return the operators who may read it."""
        ...
