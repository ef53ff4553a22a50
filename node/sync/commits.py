"""Fetches certified commits: their digests first, then ranges of them from several peers at once.

    certificate ---> spine, downwards ---> ranges, upwards and side by side ---> in order

A short way to the certificate takes one answer: the commits come with their blocks, and the digests
are read off them. At most `ranges_max` answers are in memory, each of bounded size.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias, TypeVar

from consensus.commit import Commit, CommittedSubDag
from consensus.committee import EpochContext
from consensus.verifier import BlockVerifier
from node.ledger.checkpoint import Checkpoint
from node.sync.assembly import Assembly
from node.sync.client import Ask, SyncClient
from node.sync.errors import FalseAnswerError, TooFarBehindError
from node.sync.limits import SyncLimits
from node.sync.spine import Spine
from node.sync.wire import SPINE_COMMITS_MAX, AbsentPiece, CommitsPiece, RangeRequest, SpineRequest
from p2p.wire.peer_id import PeerId, peer_id_text
from primitives.errors import HanseError, InvalidCommitError
from primitives.ids import CommitIndex

BULK_STAGGER_MS: Final = 2_000
"""A large answer takes longer; to ask for it twice would only make it slower."""

SPINE_DIGESTS_MAX: Final = 1 << 20
"""How many commits may lie between two certificates; 32 MB of digests."""

SubDags: TypeAlias = list[CommittedSubDag]
T = TypeVar("T")
Take: TypeAlias = Callable[[SubDags], Awaitable[None]]
FetchRange: TypeAlias = Callable[[CommitIndex, CommitIndex], Coroutine[None, None, SubDags]]


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is to be fetched: the commits of an epoch after those that are here.

    Args:
        context: of the epoch.
        target: the certified checkpoint that they lead to.
        first: index of the first commit.
        height: of this node, for the error.
    """

    context: EpochContext
    target: Checkpoint
    first: CommitIndex
    height: int

    @property
    def count(self) -> int:
        """Return how many commits it has."""
        return self.target.commit_index - self.first + 1


class CommitFetcher:
    """Hands over certified sub-DAGs in order."""

    def __init__(self, client: SyncClient, *, limits: SyncLimits) -> None:
        self._client = client
        self._limits = limits
        # How often a peer that is far enough said that it has no more what was asked for.
        self._gone_count = 0

    async def fetch(self, stretch: Stretch, take: Take) -> None:
        """Hand over the sub-DAGs of a stretch in order, a few at a time.

        Raises:
            TooFarBehindError: no peer has them any more, or none answers.
        """
        if stretch.count > SPINE_DIGESTS_MAX:
            raise _too_far(stretch, stretch.first)
        verifier = BlockVerifier(stretch.context)
        if stretch.count <= self._limits.direct_commits_max:
            found = await self._client.obtain_now(
                partial(self._ask_directly, stretch, verifier),
                stagger_ms=self._limits.stagger_ms,
            )
            if found is not None:
                await take(found)
                return
        spine = Spine(stretch.target, first=stretch.first)
        await self._learn_spine(stretch, spine)
        with single_error():
            await self._take_ranges(stretch, partial(self._range, stretch, spine, verifier), take)

    async def _ask_directly(
        self, stretch: Stretch, verifier: BlockVerifier, peer: PeerId
    ) -> SubDags | None:
        """Ask for all of a short stretch; None if the peer does not have all of it."""
        last = stretch.target.commit_index
        assembly = await self._assemble(peer, stretch, stretch.first, last)
        if len(assembly.commits) < stretch.count:
            return None
        spine = Spine(stretch.target, first=stretch.first)

        def verified() -> SubDags:
            spine.extend(reversed(assembly.commits))
            return assembly.verify(spine, first=stretch.first, verifier=verifier)

        return await _judged(verified, peer)

    async def _learn_spine(self, stretch: Stretch, spine: Spine) -> None:
        while not spine.is_whole:
            question = partial(self._ask_spine, stretch, spine)
            if await self._obtain(question) is None:
                raise _too_far(stretch, stretch.first)

    async def _ask_spine(self, stretch: Stretch, spine: Spine, peer: PeerId) -> Spine | None:
        """Extend the spine by what a peer has; None if that is nothing."""
        last = spine.wanted
        first = CommitIndex(max(stretch.first, last - SPINE_COMMITS_MAX + 1))
        request = SpineRequest(stretch.context.epoch, first, last)
        async with aclosing(self._client.pieces(peer, request)) as pieces:
            async for piece in pieces:
                if isinstance(piece, AbsentPiece):
                    self._note_absence(piece, stretch)
                    break
                if not isinstance(piece, CommitsPiece):
                    raise FalseAnswerError("blocks nobody asked for", peer=peer_id_text(peer))
                # Another peer may have brought some of them meanwhile, if this one was slow.
                news = [commit for commit in piece.commits if commit.index <= spine.wanted]
                if not spine.is_whole:
                    _extend(spine, news, peer)
        return spine if spine.is_whole or spine.wanted < last else None

    async def _take_ranges(self, stretch: Stretch, fetch: FetchRange, take: Take) -> None:
        """Fetch ranges side by side, and hand them over in order meanwhile."""
        size = self._limits.range_commits
        end = stretch.target.commit_index
        starts = deque(range(stretch.first, end + 1, size))
        under_way: deque[asyncio.Task[SubDags]] = deque()
        following = stretch.first
        async with asyncio.TaskGroup() as group:
            while starts or under_way:
                while starts and len(under_way) < self._limits.ranges_max:
                    first = CommitIndex(starts.popleft())
                    last = CommitIndex(min(first + size - 1, end))
                    work = fetch(first, last)
                    under_way.append(group.create_task(work, name="fetch commits"))
                last = CommitIndex(min(following + size - 1, end))
                found = await under_way.popleft()
                await take(found)
                # The answer may have ended early, since it was large enough.
                while found[-1].index < last:
                    found = await fetch(CommitIndex(found[-1].index + 1), last)
                    await take(found)
                following = CommitIndex(last + 1)

    async def _range(
        self,
        stretch: Stretch,
        spine: Spine,
        verifier: BlockVerifier,
        first: CommitIndex,
        last: CommitIndex,
    ) -> SubDags:
        """Return sub-DAGs from an index on: the whole range, or what fits into an answer."""

        async def ask(peer: PeerId) -> SubDags | None:
            assembly = await self._assemble(peer, stretch, first, last)
            work = partial(assembly.verify, spine, first=first, verifier=verifier)
            return await _judged(work, peer) or None

        found = await self._obtain(ask)
        if found is None:
            raise _too_far(stretch, first)
        return found

    async def _assemble(
        self, peer: PeerId, stretch: Stretch, first: CommitIndex, last: CommitIndex
    ) -> Assembly:
        assembly = Assembly(count_max=last - first + 1)
        request = RangeRequest(stretch.context.epoch, first, last)
        async with aclosing(self._client.pieces(peer, request)) as pieces:
            async for piece in pieces:
                if isinstance(piece, AbsentPiece):
                    self._note_absence(piece, stretch)
                    break
                try:
                    assembly.add(piece)
                except InvalidCommitError as error:
                    raise FalseAnswerError(str(error), peer=peer_id_text(peer)) from error
        return assembly

    async def _obtain(self, question: Ask[T]) -> T | None:
        """Return an answer; None once peers have said for long enough that nobody has one."""
        gone_before = self._gone_count
        return await self._client.obtain(
            question,
            stagger_ms=BULK_STAGGER_MS,
            is_hopeless=lambda: self._gone_count > gone_before,
        )

    def _note_absence(self, piece: AbsentPiece, stretch: Stretch) -> None:
        # A peer that is behind as well has it not yet; that it was pruned is another matter.
        if piece.height >= stretch.target.height:
            self._gone_count += 1


def _extend(spine: Spine, commits: Iterable[Commit], peer: PeerId) -> None:
    try:
        spine.extend(commits)
    except InvalidCommitError as error:
        raise FalseAnswerError(str(error), peer=peer_id_text(peer)) from error


async def _judged(work: Callable[[], SubDags], peer: PeerId) -> SubDags:
    """Verify in a thread, for signatures take a while; blame the peer for what is wrong."""
    try:
        return await asyncio.to_thread(work)
    except InvalidCommitError as error:
        raise FalseAnswerError(str(error), peer=peer_id_text(peer)) from error


def _too_far(stretch: Stretch, index: int) -> TooFarBehindError:
    return TooFarBehindError(epoch=stretch.context.epoch, index=index, height=stretch.height)


@contextmanager
def single_error() -> Iterator[None]:
    """Raise the first expected error of a task group in place of the group."""
    try:
        yield
    except ExceptionGroup as group:
        expected = group.subgroup(HanseError)
        if expected is None:
            raise
        error: BaseException = expected
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from group
