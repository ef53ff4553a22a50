"""A state on a disk: reading values that nobody read before, and what a change costs a commit.

A commit is settled once for all its transactions, so an instruction that writes pays its part of
that: the tree and LMDB, divided by the changes of a commit of ordinary size.
"""

import random
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

from typing_extensions import override

from node.ledger.overlay import StateReader
from node.ledger.tree.digests import place_of
from node.storage.environment import Environment
from node.storage.schema import Schema
from node.storage.stamp import Identity
from node.storage.state_restore import StateRestorer
from node.storage.state_store import StateStore
from node.storage.state_tables import STATE_TABLES
from node.storage.writer import Writer
from primitives.ids import ChainId, Height, TimestampMs

LOADED_AT_ONCE: Final = 20_000
COMMITS: Final = 5
CHANGES: Final = 2_000
"""Of one commit: a thousand transfers."""

VALUE_SIZE_BYTES: Final = 40
LONG_SIZE_BYTES: Final = 60_000
LONG_CHANGES: Final = 40

_SCHEMA: Final = Schema(purpose="state", tables=STATE_TABLES)
_IDENTITY: Final = Identity(chain_id=ChainId(bytes(32)), node_id=b"benchmark")


class Disk(StateReader):
    """A state in a temporary folder, read where it is; `open` makes one.

    Attributes:
        change_us: CPU of a commit for each change of a short value.
        byte_us: further CPU for each byte of a long one.
    """

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._dice = random.Random(1)
        self.change_us = 0.0
        self.byte_us = 0.0
        self._view = store.view()

    @classmethod
    def open(cls, contents: Mapping[bytes, bytes], stack: ExitStack) -> Self:
        """Put a state on the disk until the stack is closed."""
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        environment = stack.enter_context(
            Environment.open(
                Path(folder, "state"), schema=_SCHEMA, identity=_IDENTITY, now_ms=TimestampMs(0)
            )
        )
        writer = stack.enter_context(Writer.start(environment))
        restorer = StateRestorer.open(environment, writer)
        for part in _neighbours(contents):
            restorer.load(part)
        restorer.finish(Height(0), record=b"")
        disk = cls(StateStore.open(environment, writer))
        stack.callback(disk.close)
        return disk

    @override
    def get(self, key: bytes) -> bytes | None:
        return self._view.get(key)

    def settle(self, keys: Sequence[bytes]) -> None:
        """Measure what commits cost that change some of these keys."""
        self._view.close()
        short = [self._commit_us(keys, CHANGES, VALUE_SIZE_BYTES) for _ in range(COMMITS)]
        self.change_us = min(short) / CHANGES
        long = [self._commit_us(keys, LONG_CHANGES, LONG_SIZE_BYTES) for _ in range(COMMITS)]
        beyond = min(long) - LONG_CHANGES * self.change_us
        self.byte_us = max(0.0, beyond / (LONG_CHANGES * LONG_SIZE_BYTES))
        self._view = self._store.view()

    def close(self) -> None:
        """End reading."""
        self._view.close()

    def _commit_us(self, keys: Sequence[bytes], count: int, size_bytes: int) -> float:
        changed = sorted(self._dice.sample(keys, count))
        changes = {key: self._dice.randbytes(size_bytes) for key in changed}
        height = Height(self._store.height + 1)
        began = time.process_time()
        self._store.commit(height, changes, receipts=(), record=b"")
        return (time.process_time() - began) * 1e6


def _neighbours(contents: Mapping[bytes, bytes]) -> Iterator[dict[bytes, bytes]]:
    """Yield the contents in parts whose places in the tree are close."""
    keys = sorted(contents, key=place_of)
    for start in range(0, len(keys), LOADED_AT_ONCE):
        yield {key: contents[key] for key in keys[start : start + LOADED_AT_ONCE]}
