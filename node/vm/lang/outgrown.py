"""Put every module before the verifier, and word the limits that a source can outgrow.

The language rules out all that the verifier rejects but sizes, which are known only when the code
is written. Any other rejection is a bug of the compiler and is not dressed up as a mistake of the
source.
"""

import ast
from collections.abc import Sequence
from typing import Final

from node.vm.lang.errors import ContractError, Position, Problem
from node.vm.lang.source import Source
from node.vm.limits import (
    CODE_BYTES_MAX,
    CONSTANTS_MAX,
    LOCALS_MAX,
    MODULE_BYTES_MAX,
    MODULE_LEAVES_MAX,
    NESTING_MAX,
    STACK_HEIGHT_MAX,
)
from node.vm.module import Module, encode_module
from node.vm.rejection import InvalidModuleError, Reason
from node.vm.verifier import verify
from primitives.errors import LocalProtocolError

_SPLIT: Final = "move a part of it into a method of its own"

_WORDS: Final[dict[Reason, tuple[str, str]]] = {
    Reason.CODE_SIZE: (f"the method takes more than {CODE_BYTES_MAX} bytes of code", _SPLIT),
    Reason.MODULE_LEAVES: (
        f"fields, events and signatures hold more than {MODULE_LEAVES_MAX} values together",
        "split the contract in two, or pass narrower records",
    ),
    Reason.STACK_OVERFLOW: (
        f"an expression of this method needs more than {STACK_HEIGHT_MAX} values at once",
        "give a part of it a name of its own",
    ),
    Reason.NESTING: (f"blocks and conditions nest more than {NESTING_MAX} deep", _SPLIT),
}


def checked_module(module: Module, *, nodes: Sequence[ast.FunctionDef], source: Source) -> Module:
    """Return the module, which may run and be deployed.

    Args:
        module: what was written.
        source: for the places of messages.
        nodes: where each function comes from.

    Raises:
        ContractError: it is larger than a module may be.
    """
    try:
        verify(module)
        encode_module(module)
    except InvalidModuleError as error:
        place = Position(1, 1) if error.function is None else source.locate(nodes[error.function])
        words = _WORDS.get(error.reason)
        if words is None:
            if error.reason is not Reason.TOO_MANY:
                raise
            words = (f"the {_where(error)} outgrows a limit: {error.detail}", _hint(error))
        raise _refusal(source, place, *words) from None
    except LocalProtocolError:
        message = f"the module takes more than {MODULE_BYTES_MAX} bytes"
        raise _refusal(source, Position(1, 1), message, "split the contract in two") from None
    return module


def _where(error: InvalidModuleError) -> str:
    return "contract" if error.function is None else "method"


def _hint(error: InvalidModuleError) -> str:
    if error.function is not None:
        return f"{_SPLIT}; it may have {LOCALS_MAX} variables, hidden ones included"
    return f"split the contract in two; it may have {CONSTANTS_MAX} different constants"


def _refusal(source: Source, place: Position, message: str, hint: str) -> ContractError:
    return ContractError((Problem(source.file, place.line, place.column, message, hint),))
