"""How running a contract can end badly; the codes are written into receipts and never change."""

import enum
from typing import ClassVar

from primitives.errors import VmError


@enum.unique
class Trap(enum.IntEnum):
    """The closed list of reasons; the number is the stable code."""

    OUT_OF_GAS = 1
    """The gas of the frame does not cover the next charge; takes all the gas of the frame."""

    OVERFLOW = 2
    """A result does not fit into 256 bits with sign, or into the size asked for."""

    DIVISION_BY_ZERO = 3
    """A divisor is zero."""

    RANGE = 4
    """An operand is outside what the operation is defined for."""

    INDEX = 5
    """A place is outside the list, the bytes or the text."""

    UNWRAP = 6
    """An option that is unwrapped is none."""

    VALUE_SIZE = 7
    """A value would be longer than values may be."""

    MEMORY = 8
    """The transaction has allocated more than it may."""

    ENCODING = 9
    """Stored bytes or arguments are not the encoding of a value of the type."""

    REVERTED = 10
    """The contract gave up, with a message."""

    STATIC = 11
    """A call that must not write reached something that does."""

    REENTRANT = 12
    """The contract that is called is already running further down."""

    CALL_DEPTH = 13
    """Contracts call each other more deeply than they may."""

    NO_METHOD = 14
    """The contract has no method of that name that may be called from outside."""

    BAD_ARGUMENTS = 15
    """The arguments are not what the method takes."""

    BAD_CALL = 16
    """There is no code at the address, or its method has another signature than the caller said."""

    NOT_PAYABLE = 17
    """Money came with a call to a method that takes none."""

    INSUFFICIENT_BALANCE = 18
    """The contract does not have the money that it sends."""

    EVENT_LIMIT = 19
    """The transaction has emitted more events than it may."""

    SCHEDULE = 20
    """A call cannot be scheduled for this time, or too many are."""

    WRITE_LIMIT = 21
    """The transaction has written to storage more often than it may."""


class VmTrap(VmError):  # noqa: N818 - a trap is the word of the specification
    """Report that a contract ended in a trap.

    Args:
        trap: why.
        message: what the contract said, for REVERTED; else empty or a detail for people.
    """

    code: ClassVar[str] = "vm_trap"

    def __init__(self, trap: Trap, *, message: str = "") -> None:
        super().__init__(f"{trap.name.lower()}: {message}" if message else trap.name.lower())
        self.trap = trap
        self.message = message
