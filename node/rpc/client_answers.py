"""What a client makes of answers: values, or one of two errors, whatever the server sent."""

from typing import Final, TypeVar

import aiohttp
import msgspec

from node.rpc import schemas
from node.rpc.errors import NodeAnswerError, NodeUnreachableError

ANSWER_BYTES_MAX: Final = 256 << 20
ERROR_LENGTH_MAX: Final = 300

Answer = TypeVar("Answer")


def said(error: Exception) -> str:
    """Return what an error of the network says, in one line of a bounded length."""
    return " ".join((str(error) or type(error).__name__).split())[:ERROR_LENGTH_MAX]


async def bounded(answer: aiohttp.ClientResponse) -> bytes:
    """Return the body of an answer.

    Raises:
        NodeUnreachableError: it is too long.
    """
    pieces, size_bytes = [], 0
    async for piece in answer.content.iter_any():
        pieces.append(piece)
        size_bytes += len(piece)
        if size_bytes > ANSWER_BYTES_MAX:
            raise NodeUnreachableError(f"the answer is longer than {ANSWER_BYTES_MAX} bytes")
    return b"".join(pieces)


def decoded(raw: bytes, kind: type[Answer]) -> Answer:
    """Return what an answer says.

    Raises:
        NodeUnreachableError: it is none of this kind.
    """
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NodeUnreachableError(
            f"the node answers what this client cannot read: {error}"
        ) from error


def refusal(status: int, raw: bytes) -> NodeAnswerError:
    """Return the error that an answer stands for."""
    try:
        body = msgspec.json.decode(raw, type=schemas.ErrorBody)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return NodeAnswerError(f"the server answered {status}", status=status, code="http")
    return NodeAnswerError(body.message, status=status, code=body.code)
