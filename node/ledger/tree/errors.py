"""What the tree refuses: proofs and snapshots of others, and its own nodes when they are damaged.

    InvalidProofError
        UnboundProofError
        MalformedProofError
        InvalidSnapshotError
    StorageError
        DamagedNodeError
    LocalProtocolError
        OversizedEntryError

Blame: the first family costs whoever sent the proof, the second means this node's disk, the third
is a bug of ours.
"""

from typing import ClassVar

from primitives.errors import InvalidProofError, LocalProtocolError, StorageError


class UnboundProofError(InvalidProofError):
    """Refuse a proof that leads to another root."""

    code: ClassVar[str] = "state_proof_root"

    def __init__(self, *, expected: bytes, actual: bytes) -> None:
        super().__init__(f"the proof leads to root {actual.hex()}, not {expected.hex()}")
        self.expected = expected
        self.actual = actual


class MalformedProofError(InvalidProofError):
    """Refuse a proof that is no part of any tree."""

    code: ClassVar[str] = "state_proof_malformed"


class InvalidSnapshotError(InvalidProofError):
    """Refuse a piece of a snapshot, or a snapshot that was put together to another root."""

    code: ClassVar[str] = "state_snapshot"


class DamagedNodeError(StorageError):
    """Report a node or an entry that is not what was written, or is no longer there.

    Args:
        where: the address of a node in the log, or the place of an entry, in hexadecimal.
        reason: what is wrong with it.
    """

    code: ClassVar[str] = "state_node_damaged"

    def __init__(self, *, where: str, reason: str) -> None:
        super().__init__(f"state node {where}: {reason}")
        self.where = where
        self.reason = reason


class OversizedEntryError(LocalProtocolError):
    """Report a key or a value that is longer than the state takes; whoever wrote it has a bug."""

    code: ClassVar[str] = "state_entry_size"

    def __init__(self, *, part: str, size_bytes: int, limit: int) -> None:
        super().__init__(f"a {part} of {size_bytes} bytes > limit {limit}")
        self.part = part
        self.size_bytes = size_bytes
        self.limit = limit
