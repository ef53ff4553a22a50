"""What the exit code of `hanse` says, for scripts; the root's --help lists them."""

import enum
from typing import ClassVar

from primitives.errors import ConfigurationError, HanseError


class ExitCode(enum.IntEnum):
    """Why a command ended."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    REFUSED = 4
    NO_CONNECTION = 5
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.DONE: "done",
    ExitCode.FAILED: "failed, as the one line on standard error says",
    ExitCode.USAGE: "used wrongly: an unknown command, option or value",
    ExitCode.NOT_FOUND: "what was asked for is not there",
    ExitCode.REFUSED: "refused by the chain, with the code of its rule",
    ExitCode.NO_CONNECTION: "no connection to the node",
    ExitCode.INTERRUPTED: "interrupted, as by Ctrl-C",
}


class NotThereError(ConfigurationError):
    """Report that what a command was asked about does not exist."""

    code: ClassVar[str] = "not_found"


class RefusedError(HanseError):
    """Report that the chain refused a transaction, or that it failed there.

    Args:
        reason: the code of the rule.
    """

    code: ClassVar[str] = "refused"


class WaitOverError(HanseError):
    """Report that what a command waited for did not happen in time; it may yet."""

    code: ClassVar[str] = "wait_over"


def exit_code_of(error: HanseError) -> ExitCode:
    """Return the exit code for an expected failure."""
    from devnet.local.errors import NoDevnetError, PlanError
    from node.keystore.errors import UnknownKeyError
    from node.rpc.errors import NodeAnswerError, NodeUnreachableError
    from primitives.errors import InvalidTransactionError

    match error:
        case PlanError():
            return ExitCode.USAGE
        case NotThereError() | UnknownKeyError() | NoDevnetError() | NodeAnswerError(status=404):
            return ExitCode.NOT_FOUND
        case RefusedError() | InvalidTransactionError() | NodeAnswerError(status=422):
            return ExitCode.REFUSED
        case NodeUnreachableError():
            return ExitCode.NO_CONNECTION
        case _:
            return ExitCode.FAILED
