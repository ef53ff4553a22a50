"""The tables of the state: the log of nodes, one record per version, and what each commit left.

| table            | by            | holds                                                  |
|------------------|---------------|--------------------------------------------------------|
| state_chunks     | chunk number  | a piece of the log of nodes, values and all            |
| state_versions   | height        | root, and where the log began and ended for it         |
| state_progress   | 0             | how far a snapshot has been put together, if one is    |
| commit_records   | height        | what the executor keeps of a commit                    |
| receipt_counts   | height        | how many receipts a commit has                         |
| receipt_pages    | height, index | receipts of a commit from an index on, encoded         |
"""

from typing import Annotated, Final

import msgspec

from node.ledger.tree.coverage import Coverage
from node.ledger.tree.log import CHUNK_NUMBER_FIRST
from node.ledger.tree.update import EMPTY, Root
from node.storage.table import AnyTable, Number, Packed, RawBytes, Table
from primitives.codec import Codec
from primitives.ids import DIGEST_SIZE_BYTES, Digest

INT64_MAX: Final = 2**63 - 1
PROGRESS_BYTES_MAX: Final = 1 << 20
PROGRESS_KEY: Final = 0

_Count = Annotated[int, msgspec.Meta(ge=0, le=INT64_MAX)]
_Digest = Annotated[
    Digest, msgspec.Meta(min_length=DIGEST_SIZE_BYTES, max_length=DIGEST_SIZE_BYTES)
]


class StateVersion(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True
):
    """One version of the state; grows only at the end.

    Args:
        digest: the state root.
        ref: where the root is in the log, 0 if there are no entries.
        tail_chunk: the first chunk that this version, or a later one, can need.
        next_chunk: the first chunk that this version cannot need.
        live_bytes: what this version takes in the log.
    """

    digest: _Digest
    ref: _Count
    tail_chunk: _Count
    next_chunk: _Count
    live_bytes: _Count

    @property
    def root(self) -> Root:
        """Return the root as the tree has it."""
        return Root(self.digest, self.ref)


NO_STATE: Final = StateVersion(
    digest=EMPTY.digest,
    ref=EMPTY.ref,
    tail_chunk=CHUNK_NUMBER_FIRST,
    next_chunk=CHUNK_NUMBER_FIRST,
    live_bytes=0,
)


class Progress(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True
):
    """A snapshot that is being put together.

    Args:
        target: the root that it must have in the end.
        coverage: what is missing.
        state: what is there.
    """

    target: _Digest
    coverage: Coverage
    state: StateVersion


CHUNKS: Final[Table[int, bytes]] = Table("state_chunks", key=Number(), value=RawBytes())
VERSIONS: Final[Table[int, StateVersion]] = Table(
    "state_versions", key=Number(), value=Codec(StateVersion, size_bytes_max=256)
)
PROGRESS: Final[Table[int, Progress]] = Table(
    "state_progress", key=Number(), value=Codec(Progress, size_bytes_max=PROGRESS_BYTES_MAX)
)
COMMIT_RECORDS: Final[Table[int, bytes]] = Table("commit_records", key=Number(), value=RawBytes())
RECEIPT_COUNTS: Final[Table[int, int]] = Table("receipt_counts", key=Number(), value=Number())
RECEIPT_PAGES: Final[Table[tuple[int, int], bytes]] = Table(
    "receipt_pages", key=Packed("QI"), value=RawBytes()
)

STATE_TABLES: Final[tuple[AnyTable, ...]] = (
    CHUNKS,
    VERSIONS,
    PROGRESS,
    COMMIT_RECORDS,
    RECEIPT_COUNTS,
    RECEIPT_PAGES,
)
"""What the schema of an environment must list for the state."""
