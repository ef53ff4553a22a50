"""Leave a task group that somebody else's context manager owns."""

import asyncio
from types import TracebackType


async def leave(
    tasks: asyncio.TaskGroup,
    kind: type[BaseException] | None,
    error: BaseException | None,
    trace: TracebackType | None,
) -> None:
    """Wait for the tasks of a group; what its owner's caller raised stays what it is.

    A task group wraps the error of its body. Here the body is the code of whoever uses a host, and
    one wrong address must reach that code as one error.
    """
    if isinstance(error, Exception):
        kind, error, trace = None, None, None
    await tasks.__aexit__(kind, error, trace)
