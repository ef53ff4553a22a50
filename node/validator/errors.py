"""What ends a validator, beside storage that fails."""

from typing import ClassVar

from primitives.errors import HanseError, StorageError
from primitives.ids import Epoch


class SeatLostError(HanseError):
    """Report that the epoch that begins now has no seat for this node; it goes on as a full node.

    Args:
        epoch: the one that begins.
    """

    code: ClassVar[str] = "seat-lost"

    def __init__(self, epoch: Epoch) -> None:
        super().__init__(f"no seat in epoch {epoch}")
        self.epoch = epoch


class StateDivergedError(StorageError):
    """Report that a quorum certified another state than ours: this node must stop.

    Its database is kept, so that somebody can find out why.

    Args:
        number: of the checkpoint.
        own: digest of what we computed.
        certified: digest of what the quorum signed; None: votes are split so that none can be.
    """

    code: ClassVar[str] = "state-diverged"

    def __init__(self, number: int, *, own: bytes | None, certified: bytes | None) -> None:
        ours = "nothing yet" if own is None else own.hex()[:16]
        theirs = "no checkpoint can get a quorum" if certified is None else certified.hex()[:16]
        super().__init__(
            f"checkpoint {number}: we computed {ours}, the quorum: {theirs}. The node stops and "
            "keeps its database; start it with an empty one to follow the quorum"
        )
        self.number = number
