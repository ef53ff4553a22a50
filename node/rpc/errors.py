"""Why the API refuses: one class, one stable code and one HTTP status for each reason.

HanseError (primitives.errors)
  RpcError
    BadRequestError, HostRefusedError, UnauthorizedError, ForbiddenError, NotFoundError,
    MethodRefusedError, DeadlineError, LengthRequiredError, BodyTooLargeError, MediaTypeError,
    ExpectationError, UpgradeError, ConflictError, RateLimitError, HeaderTooLargeError,
    UnavailableError
  TokenError: a token that does not hold
  NodeAnswerError: what the client raises for a refusal
  NodeUnreachableError: what the client raises when there is no answer

Other families have a status here as well, so that a rule of the ledger has the same code in an
answer, in the mempool and in a receipt.
"""

from typing import ClassVar, Final

from node.blobs.errors import (
    BadBlobError,
    BlobRoomError,
    BlobUnavailableError,
    NoSuchBlobError,
)
from node.chain.errors import CommitteeUnknownError, NoContractError, NotCertifiedError
from node.federation.errors import NoSuchVersionError
from node.federation.views import NoSuchTaskError
from node.storage.errors import DiskReserveError
from node.storage.state_errors import StatePrunedError
from primitives.errors import (
    BadSignatureError,
    HanseError,
    InvalidKeyError,
    InvalidTransactionError,
    MalformedBytesError,
    MalformedCidError,
    VmError,
)


class RpcError(HanseError):
    """Refuse a request; the message is shown to whoever asked."""

    code: ClassVar[str] = "rpc"
    status: ClassVar[int] = 500


class BadRequestError(RpcError):
    """The request has not the form that the route takes."""

    code = "bad-request"
    status = 400


class HostRefusedError(RpcError):
    """The name in the Host header is none of this node's."""

    code = "host-refused"
    status = 421


class UnauthorizedError(RpcError):
    """There is no token, or it does not hold."""

    code = "unauthorized"
    status = 401


class ForbiddenError(RpcError):
    """The token holds and does not allow this, or a foreign web page asked."""

    code = "forbidden"
    status = 403


class NotFoundError(RpcError):
    """There is no such path, or nothing at it."""

    code = "not-found"
    status = 404


class MethodRefusedError(RpcError):
    """The path exists and does not take this method."""

    code = "method-not-allowed"
    status = 405

    def __init__(self, message: str, *, allowed: str) -> None:
        super().__init__(message)
        self.allowed = allowed


class DeadlineError(RpcError):
    """The request was not there in time, or answering it took too long."""

    code = "deadline"
    status = 408


class LengthRequiredError(RpcError):
    """A body without a Content-Length, or in another transfer encoding."""

    code = "length-required"
    status = 411


class BodyTooLargeError(RpcError):
    """The body is larger than the route takes."""

    code = "body-too-large"
    status = 413


class MediaTypeError(RpcError):
    """The body is of another media type than the route takes."""

    code = "media-type"
    status = 415


class ExpectationError(RpcError):
    """The client expects what this server does not know."""

    code = "expectation"
    status = 417


class UpgradeError(RpcError):
    """Only a WebSocket is served at this path."""

    code = "upgrade-required"
    status = 426


class ConflictError(RpcError):
    """The node cannot do this in its present state."""

    code = "conflict"
    status = 409


class RateLimitError(RpcError):
    """The client asks more than its share."""

    code = "rate-limit"
    status = 429

    def __init__(self, message: str, *, wait_s: int) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class HeaderTooLargeError(RpcError):
    """The headers are longer than 16 KiB together."""

    code = "header-too-large"
    status = 431


class UnavailableError(RpcError):
    """The node has not the part that could answer, or not yet."""

    code = "unavailable"
    status = 503


class TokenError(HanseError):
    """Refuse a token; the message says why."""

    code: ClassVar[str] = "token"


class NodeAnswerError(HanseError):
    """Carry the refusal of a node to the caller of the client.

    Args:
        code: of the error on the node, see the room that raised it.
    """

    def __init__(self, message: str, *, status: int, code: str) -> None:
        super().__init__(message)
        self.status = status
        # The node's code in place of the class's own, so that callers compare one thing.
        self.answer_code = code


class NodeUnreachableError(HanseError):
    """Report that a node gave no answer that could be read."""

    code: ClassVar[str] = "node-unreachable"


_STATUSES: Final[tuple[tuple[type[HanseError], int], ...]] = (
    (NoContractError, 404),
    (NotCertifiedError, 404),
    (CommitteeUnknownError, 404),
    (NoSuchTaskError, 404),
    (NoSuchVersionError, 404),
    (BlobUnavailableError, 404),
    (NoSuchBlobError, 404),
    (StatePrunedError, 410),
    (DiskReserveError, 503),
    (BlobRoomError, 409),
    (BadBlobError, 422),
    (InvalidTransactionError, 422),
    (VmError, 422),
    (InvalidKeyError, 400),
    (MalformedCidError, 400),
    (MalformedBytesError, 400),
    (BadSignatureError, 400),
)


def status_of(error: HanseError) -> int:
    """Return the HTTP status of a refusal; 500 for what no client can cause."""
    if isinstance(error, RpcError):
        return error.status
    for family, status in _STATUSES:
        if isinstance(error, family):
            return status
    return 500
