"""Run a module of ours as a child, and read its one answer."""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

import msgspec

from devnet.local.errors import ChildFailedError

ANSWER_BYTES_MAX: Final = 64 << 20
_SAID_LETTERS_MAX: Final = 2_000

Answer = TypeVar("Answer")


async def ask_child(
    module: str,
    question: msgspec.Struct,
    kind: type[Answer],
    *,
    options: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Answer:
    """Start `python -m module`, give it a question as JSON, and return its answer.

    Raises:
        ChildFailedError: it ended with another status than 0; the message is what it said.
    """
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *options,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **(environment or {})},
    )
    try:
        out, said = await child.communicate(msgspec.json.encode(question))
    except asyncio.CancelledError:
        child.kill()
        await child.wait()
        raise
    if child.returncode != 0:
        words = said.decode(errors="replace").strip()[-_SAID_LETTERS_MAX:]
        raise ChildFailedError(words or f"{module} ended with {child.returncode}")
    if len(out) > ANSWER_BYTES_MAX:
        raise ChildFailedError(f"{module} answered {len(out)} bytes > {ANSWER_BYTES_MAX}")
    try:
        return msgspec.json.decode(out, type=kind)
    except msgspec.MsgspecError as error:
        raise ChildFailedError(f"{module} answered what cannot be read: {error}") from error
