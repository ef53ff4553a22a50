"""The messages between a client and its worker, and their one encoding.

The client says `Start`, `Cancel` and `Stop`; the worker says `Ready` once, `Alive` all the time,
`Progressed` while it works, and for each `Start` exactly one `Finished` or `Failed`. Numbers of
jobs are chosen by the client and never used twice in the life of a worker.
"""

from typing import Annotated, Final

import msgspec

from fl.jobs.bounds import Count
from fl.jobs.errors import FailureCode
from fl.jobs.framing import FRAME_SIZE_BYTES_MAX
from fl.jobs.progress import Progress
from fl.jobs.results import AnyResult
from fl.jobs.work import AnyJob
from primitives.codec import Codec

PROTOCOL_VERSION: Final = 1
REASON_LETTERS_MAX: Final = 2_000

Sentence = Annotated[str, msgspec.Meta(max_length=REASON_LETTERS_MAX)]


class _Message(
    msgspec.Struct,
    frozen=True,
    array_like=True,
    forbid_unknown_fields=True,
    tag_field="kind",
):
    """The root of both unions; the first array element tells which."""


class Start(_Message, frozen=True, tag=1):
    """Do this job now; the worker must be idle."""

    number: Count
    job: AnyJob


class Cancel(_Message, frozen=True, tag=2):
    """Stop the job soon; one that is done already is no error."""

    number: Count


class Stop(_Message, frozen=True, tag=3):
    """Finish, if a job runs, and leave."""


class Ready(_Message, frozen=True, tag=4):
    """The worker listens."""

    version: Count


class Alive(_Message, frozen=True, tag=5):
    """The worker runs, whatever its job does.

    Args:
        memory_bytes: its resident memory, as it measures that itself; 0: it cannot.
    """

    memory_bytes: Count


class Progressed(_Message, frozen=True, tag=6):
    """How far the job is."""

    number: Count
    progress: Progress


class Finished(_Message, frozen=True, tag=7):
    """The job is done, and what it wrote is in its place on disk."""

    number: Count
    result: AnyResult


class Failed(_Message, frozen=True, tag=8, kw_only=True):
    """The job is not done and left nothing visible behind.

    Args:
        cause: the code of an error of this project, or empty.
    """

    number: Count
    reason: FailureCode
    cause: Sentence
    message: Sentence


ToWorker = Start | Cancel | Stop
FromWorker = Ready | Alive | Progressed | Finished | Failed

TO_WORKER_CODEC: Codec[ToWorker] = Codec(ToWorker, size_bytes_max=FRAME_SIZE_BYTES_MAX)  # type: ignore[arg-type]
FROM_WORKER_CODEC: Codec[FromWorker] = Codec(FromWorker, size_bytes_max=FRAME_SIZE_BYTES_MAX)  # type: ignore[arg-type]
