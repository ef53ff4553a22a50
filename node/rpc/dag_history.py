"""The last commits of the running epoch as consensus stored them, remembered: they never change.

Every node stores them, with a seat or without. Belongs to the reader threads; a lock keeps them
apart.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from consensus.block import HEADER_CODEC, BlockRef, Header
from consensus.commit import Commit, commit_digest
from node.chain.chain import Chain
from node.chain.head import Head
from node.sync.serving import stored_blocks
from primitives.ids import CommitIndex, Digest, Epoch

COMMITS_MAX: Final = 512
"""That are remembered; the rounds of one answer hold fewer leaders."""

HEADERS_MAX: Final = 8_192
COMMITS_READ_MAX: Final = 64
"""At a time; behind the head there are a few that wait for their execution."""


@dataclass(frozen=True, slots=True)
class LeaderCommit:
    """A commit, by the block that it orders.

    Args:
        digest: of the commit.
        blocks: of its sub-DAG.
    """

    index: CommitIndex
    leader: BlockRef
    digest: bytes
    blocks: tuple[BlockRef, ...]


class DagHistory:
    """The commits of the last rounds of one chain."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._epoch = Epoch(0)
        self._commits: dict[int, LeaderCommit] = {}
        self._newest = 0
        self._headers: OrderedDict[Digest, Header] = OrderedDict()
        self._lock = threading.Lock()

    def commits(self, head: Head, *, rounds: int) -> list[LeaderCommit]:
        """Return the commits of so many last rounds of the epoch of the head, the newest first.

        Those behind the head are among them: they are stored before they are executed.
        """
        with self._lock:
            if head.epoch != self._epoch:
                self._epoch = head.epoch
                self._newest = 0
                self._commits.clear()
                self._headers.clear()
            newest = self._read_on(head.commit_index)
            found: list[LeaderCommit] = []
            for index in range(newest, max(0, newest - COMMITS_MAX), -1):
                commit = self._commit(index)
                if commit is None or commit.leader.round <= self._floor(newest, rounds=rounds):
                    break
                found.append(commit)
            return found

    def headers(self, refs: list[BlockRef]) -> dict[Digest, Header]:
        """Return the headers of blocks, by digest, those that are stored."""
        with self._lock:
            unknown = tuple(ref for ref in refs if ref.digest not in self._headers)
            store = stored_blocks(self._chain, self._epoch)
            for ref in unknown:
                for signed in store.read_blocks((ref,)):
                    self._headers[ref.digest] = HEADER_CODEC.decode(signed.header)
            known = self._headers
            found: dict[Digest, Header] = {
                ref.digest: known[ref.digest] for ref in refs if ref.digest in known
            }
            while len(known) > HEADERS_MAX:
                known.popitem(last=False)
            return found

    def _floor(self, newest: int, *, rounds: int) -> int:
        top = self._commit(newest)
        return 0 if top is None else max(0, top.leader.round - rounds)

    def _read_on(self, executed: int) -> int:
        """Read what was stored behind the newest known commit; return the newest index."""
        newest = max(executed, self._newest)
        store = stored_blocks(self._chain, self._epoch)
        found = store.read_commits(CommitIndex(newest + 1), CommitIndex(newest + COMMITS_READ_MAX))
        self._newest = self._keep(found[-1]).index if found else newest
        for commit in found[:-1]:
            self._keep(commit)
        return self._newest

    def _commit(self, index: int) -> LeaderCommit | None:
        known = self._commits.get(index)
        if known is not None or index <= 0:
            return known
        store = stored_blocks(self._chain, self._epoch)
        found = store.read_commits(CommitIndex(index), CommitIndex(index))
        return self._keep(found[0]) if found else None

    def _keep(self, commit: Commit) -> LeaderCommit:
        kept = LeaderCommit(
            CommitIndex(commit.index), commit.leader, commit_digest(commit), commit.blocks
        )
        self._commits[commit.index] = kept
        if len(self._commits) > COMMITS_MAX:
            # The lowest index, which is not the first that was read.
            del self._commits[min(self._commits)]
        return kept
