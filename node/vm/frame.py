"""What a call knows about where, when and by whom it runs; fixed before its first instruction."""

import enum

import msgspec

from primitives.ids import Address, Height, TimestampMs


class Access(enum.Enum):
    """The most that a call may do."""

    READ = "read"
    WRITE = "write"


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """One call of one contract: the answers to its questions about itself and the chain."""

    self_address: Address
    """The contract that runs; its storage is the one read and written."""

    sender: Address
    """Who called: an account, or a contract on the stack."""

    value: int
    """The money that came with the call, in grains, already credited to the contract."""

    time_ms: TimestampMs
    """The time of the commit, the same for every call in it."""

    height: Height
    """The number of commits before this one."""

    beacon: bytes
    """32 bytes that nobody could know before the commit."""

    access: Access = Access.WRITE
    """The most that the call may do; READ below a view."""

    depth: int = 0
    """How many contracts wait on this call."""
