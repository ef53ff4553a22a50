"""Where each thing stands in the state: one leading byte per table, then the table's own key.

The closed list of tables. Keys are bytes of any length up to 511; the tree hashes them.
"""

import enum
from typing import Final


@enum.unique
class Room(bytes, enum.Enum):
    """The leading byte of every key of one table."""

    CHAIN = b"\x01"
    """One record: what the chain knows about itself (height, time, epoch, base fee, supply)."""

    ACCOUNT = b"\x02"
    """By address."""

    CONTRACT = b"\x03"
    """By address: which code, who deployed it."""

    CODE = b"\x04"
    """By code digest: the bytecode module."""

    STORAGE = b"\x05"
    """By contract address and slot."""

    SCHEDULE = b"\x06"
    """Calls that contracts asked the chain to make later."""

    STAKING = b"\x07"
    """Everything of `node.ledger.staking`, which divides it by a second byte."""

    COMMITTEE = b"\x08"
    """By epoch: the committee that ruled in it, kept while evidence about it counts."""

    BLOCKHASH = b"\x09"
    """By height modulo a window: recent commit digests, for the random beacon."""


KEY_SIZE_BYTES_MAX: Final = 511
