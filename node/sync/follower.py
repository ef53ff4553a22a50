"""Follows a chain without a seat: from certificate to certificate, and through every epoch.

    gossip, or a question ---> certificate ---> commits ---> store ---> execute ---> compare

Guards: a commit is executed only if it leads to a checkpoint that a quorum of the epoch certified;
what comes out must be that very checkpoint, or the node stops and keeps its database. Blocks and
commits are stored as consensus stores them, so that this node serves others in turn.

The block store of an epoch in which this node will hold a seat is for consensus alone: so
`catch_up` stops where the running epoch begins, unless it is told to go on.
"""

import asyncio
import enum
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog

from consensus.commit import CommittedSubDag
from consensus.committee import EpochContext
from consensus.events import StoreBlocks, StoreCommit
from node.chain.chain import Chain
from node.chain.errors import CommitteeUnknownError, StateDivergedError
from node.execution.commit import Closing
from node.ledger.checkpoint import Certificate, Checkpoint
from node.ledger.staking.queries import seats_of
from node.signatures.checks import Foresee, foresee_nothing
from node.storage.block_store import LmdbBlockStore
from node.sync.client import SyncClient
from node.sync.commits import CommitFetcher, Stretch, SubDags
from node.sync.foresight import execute_in_order
from node.sync.limits import DEFAULT_LIMITS, SyncLimits
from node.sync.news import CertificateNews
from node.sync.race import first_of_use
from node.sync.threads import in_thread
from node.sync.wire import CertificateRequest
from p2p.host import Host
from p2p.wire.peer_id import PeerId
from primitives.clock import Clock
from primitives.ids import CommitIndex, Epoch, Height

HEIGHT_MAX: Final = Height(2**63 - 1)
PASSED_MAX: Final = 256
"""Certificates that were heard and wait for the state to reach them; the oldest are forgotten."""
POLL_PAUSE_S: Final = 0.1
"""At least, between two questions: what anybody claims by gossip must not make us flood others."""

_log = structlog.get_logger("sync.follower")


def never() -> bool:
    """Return False: what goes on until this holds goes on until it is cancelled."""
    return False


class Reach(enum.Enum):
    """How far to catch up."""

    RUNNING_EPOCH = "running-epoch"
    """To where the epoch begins that still runs: consensus itself leads a validator on."""

    NEWEST = "newest"
    """To the newest certificate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaughtUp:
    """Where catching up led.

    Args:
        epoch: that of the next commit.
        height: of the state.
        commits: that were executed on the way.
        answers: peers that said how far they are; with none, nothing is known about the others.
        newest: the newest certified checkpoint of the running epoch that a peer showed, None if
            none did: then the epoch may not have begun, or has nothing to certify yet.
    """

    epoch: Epoch
    height: Height
    commits: int
    answers: int
    newest: Checkpoint | None


class Follower:
    """Brings one chain to where its peers are; one task at a time uses it."""

    def __init__(
        self,
        chain: Chain,
        host: Host,
        *,
        clock: Clock,
        news: CertificateNews | None = None,
        limits: SyncLimits = DEFAULT_LIMITS,
        foresee: Foresee = foresee_nothing,
    ) -> None:
        self._chain = chain
        self._foresee = foresee
        self._clock = clock
        self._news = news
        self._limits = limits
        self._client = SyncClient(host, chain_id=chain.chain_id, clock=clock, limits=limits)
        self._fetcher = CommitFetcher(self._client, limits=limits)
        self._store: tuple[Epoch, LmdbBlockStore] | None = None
        self._suspicion = asyncio.Event()
        self._polled: Epoch | None = None
        self._passed: deque[Certificate] = deque(maxlen=PASSED_MAX)
        if news is not None:
            news.watch(self._passed.append)

    async def catch_up(
        self, reach: Reach = Reach.RUNNING_EPOCH, *, until: Callable[[], bool] = never
    ) -> CaughtUp:
        """Execute what peers can prove, until none of them can prove more.

        Without a peer it waits a while for one, and then goes on alone.

        Args:
            reach: how far.
            until: ends it earlier; looked at between certificates, and so wherever an epoch ends.

        Raises:
            StateDivergedError: this node computed another state than is certified; it must stop.
            TooFarBehindError: no peer keeps the next commits; a snapshot helps.
            StorageError: something did not become durable; the node must stop.
        """
        began = self._chain.head.height
        await self._client.await_peers()
        while True:
            found = await self._survey()
            goal = max(
                (certificate for certificate in found if certificate is not None),
                key=lambda certificate: certificate.checkpoint.height,
                default=None,
            )
            if goal is None or until() or not self._is_of_use(goal, reach):
                head = self._chain.head
                return CaughtUp(
                    epoch=head.epoch,
                    height=head.height,
                    commits=head.height - began,
                    answers=len(found),
                    newest=None if goal is None else goal.checkpoint,
                )
            await self._walk(goal)

    async def is_epoch_over(self) -> bool:
        """Tell whether a peer can prove that a quorum has closed the running epoch."""
        found = await self._survey()
        return any(
            goal is not None and self._is_of_use(goal, Reach.RUNNING_EPOCH) for goal in found
        )

    async def follow(self, *, until: Callable[[], bool] = never) -> None:
        """Execute commits as they are certified, until something holds that is looked at between.

        Raises:
            StateDivergedError: this node computed another state than is certified; it must stop.
            TooFarBehindError: no peer keeps the next commits; a snapshot helps.
            StorageError: something did not become durable; the node must stop.
        """
        await self.catch_up(Reach.NEWEST, until=until)
        while not until():
            certificate = self._heard()
            if certificate is None:
                certificate = await first_of_use([self._listen, self._poll], stagger_ms=0)
                assert certificate is not None, "both go on until there is one"
            await self._walk(certificate)

    async def _listen(self) -> Certificate | None:
        """Wait for a certificate by gossip that leads on in the running epoch."""
        while True:
            if self._news is None:
                await asyncio.Event().wait()
            else:
                await self._news.stir()
            found = self._heard()
            if found is not None:
                return found
            # What cannot be verified yet may be of the epoch after ours.
            self._suspicion.set()

    async def _poll(self) -> Certificate | None:
        """Ask for a certificate now and then: gossip may have passed us by."""
        while True:
            # A new epoch may have begun without us, whose first certificates we could not verify.
            epoch = self._chain.head.epoch
            if epoch == self._polled:
                await asyncio.sleep(POLL_PAUSE_S)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._limits.poll_ms / 1_000):
                        await self._suspicion.wait()
            self._suspicion.clear()
            self._polled = epoch
            found = await self._client.obtain_now(
                partial(self._ask_certificate, self._request()), stagger_ms=self._limits.stagger_ms
            )
            if found is not None:
                return found

    def _heard(self) -> Certificate | None:
        """Return a certificate that was heard and leads on in the running epoch."""
        newest = None if self._news is None else self._news.newest
        if newest is None:
            return None
        head, checkpoint = self._chain.head, newest.checkpoint
        is_ahead = checkpoint.epoch == head.epoch and checkpoint.height > head.height
        return newest if is_ahead else None

    async def _survey(self) -> list[Certificate | None]:
        """Ask all peers how far the running epoch leads; those who know nothing newer say None."""
        request = self._request()

        async def ask(peer: PeerId) -> tuple[Certificate | None]:
            return (await self._ask_certificate(request, peer),)

        return [answer for (answer,) in await self._client.survey(ask)]

    def _request(self) -> CertificateRequest:
        """Return the question for the newest certificate of the running epoch.

        Above the newest one that is here and executed: one that contradicts what was executed must
        come to light, even if it is below the head.
        """
        head, certified = self._chain.head, self._chain.certified
        above = 0 if certified is None else min(certified.checkpoint.height, head.height)
        return CertificateRequest(head.epoch, Height(above), HEIGHT_MAX)

    async def _ask_certificate(
        self, request: CertificateRequest, peer: PeerId
    ) -> Certificate | None:
        seats = seats_of(self._chain.members_of(request.epoch))
        return await self._client.certificate(peer, request, seats=seats)

    def _is_of_use(self, goal: Certificate, reach: Reach) -> bool:
        return reach is Reach.NEWEST or goal.checkpoint.next_committee is not None

    async def _walk(self, goal: Certificate) -> None:
        """Go to a certificate of the running epoch, over others if it is far."""
        while True:
            head = self._chain.head
            target = goal
            if goal.checkpoint.height - head.height > self._limits.span_commits:
                target = await self._nearer(goal)
            await self._advance(target)
            await self._keep_passed()
            if target is goal:
                return

    async def _keep_passed(self) -> None:
        """Keep what was heard about commits that are executed by now, for proofs."""
        while self._passed and self._passed[0].checkpoint.height <= self._chain.head.height:
            # One from so long ago that its committee is forgotten is of no use to anybody.
            with suppress(CommitteeUnknownError):
                await self._chain.add_certificate(self._passed.popleft())

    async def _nearer(self, goal: Certificate) -> Certificate:
        """Return a certificate on the way to the goal, the goal itself if there is none."""
        head = self._chain.head
        wanted = Height(head.height + self._limits.span_commits)
        request = CertificateRequest(head.epoch, head.height, wanted)
        found = await self._client.obtain_now(
            partial(self._ask_certificate, request), stagger_ms=self._limits.stagger_ms
        )
        if found is None or found.checkpoint.height >= goal.checkpoint.height:
            return goal
        return found

    async def _advance(self, target: Certificate) -> None:
        """Execute the commits up to a certificate, and keep it."""
        head, checkpoint = self._chain.head, target.checkpoint
        if checkpoint.height > head.height:
            if checkpoint.commit_index - head.commit_index != checkpoint.height - head.height:
                raise self._diverged(checkpoint)
            stretch = Stretch(
                context=self._chain.context(),
                target=checkpoint,
                first=CommitIndex(head.commit_index + 1),
                height=head.height,
            )
            await self._fetcher.fetch(stretch, partial(self._take, stretch))
            _log.info(
                "followed",
                epoch=checkpoint.epoch,
                commit=checkpoint.commit_index,
                height=checkpoint.height,
            )
        await self._chain.add_certificate(target)

    async def _take(self, stretch: Stretch, found: SubDags) -> None:
        """Store and execute sub-DAGs that are certified."""
        await in_thread(partial(self._keep, stretch.context, found))
        await execute_in_order(found, partial(self._execute, stretch), foresee=self._foresee)
        if found[-1].index == stretch.target.commit_index:
            self._compare(stretch.target)

    async def _execute(self, stretch: Stretch, sub_dag: CommittedSubDag) -> None:
        is_last = sub_dag.index == stretch.target.commit_index
        # Only what closes an epoch names a committee, whether by its time or by agreement.
        closes = is_last and stretch.target.next_committee is not None
        closing = Closing.FORCED if closes else Closing.BY_TIME
        await self._chain.execute(sub_dag, closing=closing)

    def _compare(self, certified: Checkpoint) -> None:
        if self._chain.checkpoint_at(certified.height) != certified:
            raise self._diverged(certified)

    def _diverged(self, certified: Checkpoint) -> StateDivergedError:
        own = self._chain.checkpoint_at(certified.height)
        actual = self._chain.head.state_root if own is None else own.state_root
        _log.error(
            "this node has another state than is certified",
            height=certified.height,
            certified=certified.state_root.hex(),
            own=actual.hex(),
        )
        return StateDivergedError(
            number=certified.number,
            height=certified.height,
            expected=certified.state_root,
            actual=actual,
        )

    def _keep(self, context: EpochContext, found: list[CommittedSubDag]) -> None:
        """Store commits and blocks durably, as consensus does; in a thread."""
        if self._store is None or self._store[0] != context.epoch:
            store = LmdbBlockStore.open(self._chain.environment, self._chain.writer, context)
            self._store = (context.epoch, store)
        store = self._store[1]
        for sub_dag in found:
            store.append(StoreBlocks(sub_dag.blocks))
            store.append(StoreCommit(sub_dag.commit, sub_dag.digest, None))
        store.sync()
