"""Rows of commits, remembered: what is once durable never changes, and every page asks for it.

Belongs to the reader threads; a lock keeps them apart.
"""

import heapq
import threading
from typing import Final

import msgspec

from node.chain.chain import Chain
from node.rpc.dag_schemas import CommitLine, Commits
from node.rpc.rendering import show_checkpoint
from primitives.ids import Height

LINES_MAX: Final = 16_384
"""Commits that are remembered, the newest of those that were asked for: some 10 MB."""

SEARCHED_MAX: Final = 2_048
"""Of the newest commits, when a digest is looked for."""

RECEIPTS_READ_MAX: Final = 1_024
"""A row that had to read so many ends early: it is read under a lock, in one of few threads."""


class CommitRow:
    """The commits of one chain, as lines."""

    def __init__(self, chain: Chain, *, lines_max: int = LINES_MAX) -> None:
        self._chain = chain
        self._lines_max = lines_max
        self._lines: dict[int, CommitLine] = {}
        self._lowest: list[int] = []
        self._heights: dict[str, int] = {}
        self._names: dict[int, tuple[str, ...]] = {}
        self._lock = threading.Lock()

    def page(self, *, before: int | None, limit: int) -> Commits:
        """Return up to so many commits below a height, or from the head on, the newest first."""
        chain = self._chain
        head, certified = chain.head.height, chain.certified
        final = None if certified is None else certified.checkpoint.height
        below = head + 1 if before is None else min(before, head + 1)
        with self._lock:
            lines = self._below(below, limit=limit)
        lowest = lines[-1].height if lines else below
        return Commits(
            head=head,
            certified_height=final,
            commits=tuple(_marked(line, final=final) for line in lines),
            # The genesis is no commit, though there is a record of it.
            is_complete=lowest <= 1 or chain.record_at(Height(lowest - 1)) is None,
        )

    def find(self, digest: str) -> int | None:
        """Return the height of the commit that a digest names, None if it is none of the last.

        It may be that of the commit, its checkpoint, its state root or its receipts root; the
        newest stands for all that share one, as idle commits share a state.
        """
        with self._lock:
            self._below(self._chain.head.height + 1, limit=SEARCHED_MAX)
            return self._heights.get(digest)

    def _below(self, height: int, *, limit: int) -> list[CommitLine]:
        found: list[CommitLine] = []
        receipts_read = 0
        for number in range(height - 1, max(0, height - 1 - limit), -1):
            line = self._lines.get(number)
            if line is None:
                line = self._read(Height(number))
                if line is None:
                    break
                receipts_read += line.receipts
            found.append(line)
            if receipts_read > RECEIPTS_READ_MAX:
                break
        return found

    def _read(self, height: Height) -> CommitLine | None:
        record, receipts = self._chain.record_at(height), self._chain.receipts(height)
        if record is None or receipts is None:
            return None
        line = CommitLine(
            height=height,
            epoch=record.epoch,
            commit_index=record.commit_index,
            digest=record.commit_digest.hex(),
            time_ms=record.time_ms,
            receipts=len(receipts),
            gas_used=str(sum(receipt.gas_used for receipt in receipts)),
            fees=str(sum(receipt.fee for receipt in receipts)),
            is_final=False,
            checkpoint=None if record.checkpoint is None else record.checkpoint.number,
        )
        names = [line.digest]
        if record.checkpoint is not None:
            shown = show_checkpoint(record.checkpoint)
            names += [shown.digest, shown.state_root, shown.receipts_root]
        self._keep(line, tuple(names))
        return line

    def _keep(self, line: CommitLine, names: tuple[str, ...]) -> None:
        """Remember a line and forget the lowest: who pages through the past evicts no newer one."""
        height = line.height
        self._lines[height], self._names[height] = line, names
        for name in names:
            self._heights[name] = max(height, self._heights.get(name, 0))
        heapq.heappush(self._lowest, height)
        if len(self._lowest) > self._lines_max:
            lowest = heapq.heappop(self._lowest)
            del self._lines[lowest]
            for name in self._names.pop(lowest):
                if self._heights.get(name) == lowest:
                    del self._heights[name]


def _marked(line: CommitLine, *, final: int | None) -> CommitLine:
    if final is None or line.height > final:
        return line
    return msgspec.structs.replace(line, is_final=True)
