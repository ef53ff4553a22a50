"""The composition root: from a configuration to one running node. It decides nothing.

Everything that the node is made of is opened here, in the order in which it stands on each other,
and closed in the opposite one; one TaskGroup holds what runs. When a part fails, the node stops.
"""

import asyncio
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Final

import structlog

from consensus.core import Core
from consensus.parameters import Tuning
from fl.jobs.client import WorkerClient
from node.blobs.bounds import BlobBounds, divided
from node.blobs.collector import BlobCollector
from node.blobs.fetcher import BlobFetcher
from node.blobs.sealed import SealedUpdates
from node.blobs.server import BlobServer
from node.blobs.store import ENVIRONMENT_FOLDER, BlobStore
from node.chain.chain import Chain
from node.chain.limits import KEPT_VERSIONS_MIN, ChainLimits
from node.chain.opening import LEDGER_NAME
from node.chain.reader import ContractReader
from node.config.sections import Config, MempoolSection, NetworkSection, StorageSection
from node.config.watched import WatchedTasks, chosen_tasks
from node.duties.outfit import (
    BlobParts,
    Keys,
    learning_of,
    open_equipment,
    open_room,
    open_steward,
    report_missing_examples,
    roles_of,
    worker_command,
)
from node.duties.status import DutyStatus, RoundTimes
from node.duties.steward import Steward, Wishes
from node.duties.wallet import Wallet
from node.federation.gathering import Gatherer
from node.federation.views import FederationReader
from node.ledger.genesis import GENESIS_BYTES_MAX
from node.ledger.transaction import Evidence
from node.mempool.ledger_view import ChainLedger
from node.mempool.limits import PoolLimits
from node.mempool.mempool import Mempool
from node.rpc.context import NodeContext
from node.rpc.limits import RpcLimits
from node.rpc.log_ring import LogRing
from node.rpc.round_shelf import RoundShelf
from node.rpc.round_watch import RoundWatch
from node.rpc.server import RpcServer, RpcSettings
from node.rpc.uploads import Uploads
from node.running.certificate_gaps import CertificateGaps
from node.running.clock import SystemClock
from node.running.own_keys import OwnKeys
from node.running.peering import Peering, open_peering
from node.running.readiness import Readiness
from node.running.residence import ResidenceKeeper
from node.running.turns import Turns
from node.signatures.checks import SignatureChecks
from node.signatures.service import SignatureService
from node.signatures.verified import VerifiedSignatures
from node.storage.disk import Reserve
from node.storage.environment import MapLimits
from node.sync.follower import Follower
from node.sync.limits import DEFAULT_LIMITS, SyncLimits
from node.sync.news import CertificateNews
from node.sync.server import SyncServer
from node.validator.validator import Surroundings, Validator
from primitives.errors import ConfigurationError, HanseError
from primitives.ids import Address, ChainId, Gas
from primitives.keys import PrivateKey

BLOBS_FOLDER: Final = "blobs"
UPLOADS_FOLDER: Final = "uploads"
ROUNDS_FOLDER: Final = "rounds"
BURST_S: Final = 4
"""How long a client of the API may have saved up its rate."""

ACCUSATION_GAS: Final = Gas(20_000_000)

_log: Final = structlog.get_logger("node")


@dataclass(frozen=True, slots=True, kw_only=True)
class Foundation:
    """What a node stands on before anything is opened.

    Attributes:
        genesis: the bytes of the genesis file.
    """

    config: Config
    keys: OwnKeys
    genesis: bytes
    logs: LogRing
    clock: SystemClock

    @property
    def version(self) -> str:
        """Return the version of this program."""
        return metadata.version("hanse")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """An open node.

    Attributes:
        parts: what has to run, by name.
        url: of its API; empty if there is none.
    """

    parts: Mapping[str, Callable[[], Coroutine[None, None, None]]]
    url: str
    chain: Chain
    mempool: Mempool
    peering: Peering
    turns: Turns
    steward: Steward | None


@asynccontextmanager
async def open_node(foundation: Foundation, *, stop: asyncio.Event) -> AsyncIterator[Node]:
    """Open every part of a node; none of them runs yet.

    Raises:
        HanseError: a part cannot be opened; the message says which and why.
    """
    async with AsyncExitStack() as opening:
        yield await _Opening(foundation, opening, stop=stop).node()


class _Opening:
    """Opens the parts of one node, each once, in the order in which they need each other."""

    def __init__(
        self, foundation: Foundation, resources: AsyncExitStack, *, stop: asyncio.Event
    ) -> None:
        self._config = foundation.config
        self._keys = foundation.keys
        self._clock = foundation.clock
        self._foundation = foundation
        self._resources = resources
        self._stop = stop
        self._envelopes: SealedUpdates | None = None
        self._gatherer: Gatherer | None = None
        self._parts: dict[str, Callable[[], Coroutine[None, None, None]]] = {}

    async def node(self) -> Node:
        """Open them all."""
        verified = VerifiedSignatures()
        chain = self._resources.enter_context(self._chain(verified))
        peering = await self._peering(chain.chain_id)
        mempool = await self._mempool(chain, peering, verified)
        news = CertificateNews(chain, peering.pubsub)
        blobs = self._blobs(chain)
        wallet = self._wallet(chain, mempool)
        steward = await self._steward(chain, peering, blobs=blobs, wallet=wallet)
        turns = self._turns(chain, peering, news, mempool=mempool, wallet=wallet)
        sync = SyncServer(peering.host, chain, clock=self._clock)
        gaps = CertificateGaps(chain, peering.host, clock=self._clock)
        self._parts |= {
            "certificate gaps": gaps.run,
            "discovery": peering.discovery.run,
            "mempool": mempool.run,
            "sync server": sync.run,
            "turns": turns.run,
        }
        node = Node(
            parts=self._parts,
            url="",
            chain=chain,
            mempool=mempool,
            peering=peering,
            turns=turns,
            steward=steward,
        )
        return replace(node, url=await self._api(node, blobs, news))

    def _chain(self, verified: VerifiedSignatures) -> Chain:
        return Chain.open(
            self._config.folder,
            genesis=self._foundation.genesis,
            node_id=self._keys.peer.public_key,
            clock=self._clock,
            limits=chain_limits(self._config.storage),
            check=verified.check,
        )

    async def _peering(self, chain_id: ChainId) -> Peering:
        return await self._resources.enter_async_context(
            open_peering(
                self._config.network,
                identity=self._keys.peer,
                chain_id=chain_id,
                version=self._foundation.version,
                folder=self._config.folder,
                clock=self._clock,
            )
        )

    async def _mempool(
        self, chain: Chain, peering: Peering, verified: VerifiedSignatures
    ) -> Mempool:
        service = await self._resources.enter_async_context(SignatureService(clock=self._clock))
        ledger = self._resources.enter_context(ChainLedger(chain))
        return Mempool(
            ledger,
            peering.pubsub,
            SignatureChecks(service, verified),
            clock=self._clock,
            limits=pool_limits(self._config.mempool),
        )

    def _blobs(self, chain: Chain) -> BlobStore:
        store = self._resources.enter_context(
            BlobStore.open(
                self._config.folder / BLOBS_FOLDER,
                chain_id=chain.chain_id,
                node_id=self._keys.peer.public_key,
                clock=self._clock,
                bounds=blob_bounds(self._config.storage),
            )
        )
        self._parts["blob collector"] = BlobCollector(store).run
        folder = self._config.folder
        databases = (folder / LEDGER_NAME, folder / BLOBS_FOLDER / ENVIRONMENT_FOLDER)
        self._parts["residence"] = ResidenceKeeper(databases).run
        return store

    def _wallet(self, chain: Chain, mempool: Mempool) -> Wallet | None:
        account = self._keys.account
        return None if account is None else Wallet(account, chain, mempool.submit)

    async def _steward(
        self, chain: Chain, peering: Peering, *, blobs: BlobStore, wallet: Wallet | None
    ) -> Steward | None:
        """Open what takes part in rounds; the blobs are served by every node."""
        host = peering.host
        BlobServer(host, blobs, chain_id=chain.chain_id)
        fetcher = BlobFetcher(host, blobs, chain_id=chain.chain_id)
        self._envelopes = envelopes = SealedUpdates(fetcher, chain_id=chain.chain_id)
        self._gatherer = Gatherer(fetcher)
        learning = learning_of(self._config)
        roles = roles_of(self._config.node.roles, learning)
        report_missing_examples(self._config.node.roles, learning)
        if wallet is None or not roles:
            return None
        room = open_room(
            chain,
            BlobParts(
                store=blobs,
                fetcher=fetcher,
                envelopes=envelopes,
                peers=lambda: host.connections.peers,
                random_bytes=secrets.token_bytes,
            ),
            keys=Keys(account=wallet.key, consensus=self._keys.consensus),
        )
        worker = await self._resources.enter_async_context(
            WorkerClient(worker_command(self._config.worker), clock=self._clock)
        )
        equipment = open_equipment(
            chain,
            wallet=wallet,
            blobs=room,
            worker=worker,
            learning=learning,
            folder=self._config.folder,
        )
        steward = open_steward(
            chain,
            equipment,
            roles=roles,
            clock=self._clock,
            wishes=self._wishes(),
        )
        self._parts["duties"] = steward.run
        return steward

    def _wishes(self) -> Wishes:
        config = self._config
        tasks = chosen_tasks(config.training)
        return Wishes(
            tasks=WatchedTasks(config.folder, environ=os.environ, tasks=tasks),
            versions_kept=config.storage.kept_models or None,
        )

    def _turns(
        self,
        chain: Chain,
        peering: Peering,
        news: CertificateNews,
        *,
        mempool: Mempool,
        wallet: Wallet | None,
    ) -> Turns:
        async def accuse(evidence: Evidence) -> None:
            assert wallet is not None, "who has a seat has an account"
            try:
                await wallet.send(evidence, gas_limit=ACCUSATION_GAS)
            except HanseError as error:
                # Somebody else may have reported it first; the chain goes on either way.
                _log.warning("evidence was not taken", reason=str(error))

        surroundings = Surroundings(
            host=peering.host,
            payload=mempool,
            publish=news.publish,
            accuse=accuse,
            foresee=mempool.signatures.foresee,
            clock=self._clock,
            tuning=Tuning(
                min_round_delay_ms=self._config.consensus.round_delay_ms,
                idle_round_delay_ms=self._config.consensus.idle_round_delay_ms,
                laden_round_delay_ms=self._config.consensus.laden_round_delay_ms,
            ),
            folder=self._config.folder,
        )

        def make_validator(key: PrivateKey) -> Validator:
            return Validator(chain, key, surroundings)

        return Turns(
            chain,
            Follower(
                chain,
                peering.host,
                clock=self._clock,
                news=news,
                limits=sync_limits(self._config.network, key=self._keys.consensus, chain=chain),
                foresee=mempool.signatures.foresee,
            ),
            news,
            key=self._keys.consensus,
            make_validator=make_validator,
        )

    async def _api(self, node: Node, blobs: BlobStore, news: CertificateNews) -> str:
        """Open the API last: whoever it answers finds everything there."""
        section = self._config.rpc
        if not section.listen:
            return ""
        host, port = _endpoint(section.listen)
        contracts = ContractReader(node.chain)
        account = self._keys.account
        shelf = RoundShelf(self._config.folder / ROUNDS_FOLDER, chain_id=node.chain.chain_id)
        rounds = RoundWatch(node.chain, shelf)
        self._parts["round watch"] = rounds.run
        context = NodeContext(
            name=self._config.node.name,
            version=self._foundation.version,
            roles=tuple(role.value for role in self._config.node.roles),
            clock=self._clock,
            chain=node.chain,
            contracts=contracts,
            federation=FederationReader(contracts),
            mempool=node.mempool,
            started_ms=self._clock.monotonic_ms(),
            operator=None if account is None else Address(account.public.raw),
            host=node.peering.host,
            pubsub=node.peering.pubsub,
            blobs=blobs,
            envelopes=self._envelopes,
            gatherer=self._gatherer,
            uploads=Uploads(
                _emptied(self._config.folder / UPLOADS_FOLDER),
                reserve=Reserve(bytes_max=self._config.storage.disk_reserve),
            ),
            duties=None if node.steward is None else _Duties(node.steward),
            logs=self._foundation.logs,
            rounds=rounds,
            consensus=partial(_running_core, node.turns),
            is_ready=Readiness(node.chain, news, clock=self._clock).is_near_present,
            request_shutdown=self._stop.set,
        )
        settings = RpcSettings(
            host=host,
            port=port,
            hosts=section.hosts,
            origins=section.cors,
            limits=RpcLimits(
                body_bytes_max=section.body_bytes_max,
                rate_per_s=section.rate_per_s,
                burst=BURST_S * section.rate_per_s,
            ),
        )
        server = await self._resources.enter_async_context(RpcServer(context, settings))
        return server.url


@dataclass(frozen=True, slots=True)
class _Duties:
    """The steward as the API sees it."""

    steward: Steward

    def status(self) -> DutyStatus:
        return self.steward.status()

    def rounds(self) -> tuple[RoundTimes, ...]:
        return self.steward.times()


def _running_core(turns: Turns) -> Core | None:
    driver = None if turns.validator is None else turns.validator.driver
    return driver.cores[-1] if driver is not None and driver.cores else None


def chain_limits(section: StorageSection) -> ChainLimits:
    """Return how much of the past a chain keeps."""
    return ChainLimits(
        kept_versions=max(KEPT_VERSIONS_MIN, section.kept_versions),
        kept_history=section.kept_history or None,
        kept_epochs=section.kept_epochs,
        map=MapLimits(reserve=Reserve(bytes_max=section.disk_reserve)),
    )


def blob_bounds(section: StorageSection) -> BlobBounds:
    """Return how much of the disk blobs may take."""
    return divided(section.blob_bytes_max, reserve=Reserve(bytes_max=section.disk_reserve))


def pool_limits(section: MempoolSection) -> PoolLimits:
    """Return what the mempool may hold."""
    return PoolLimits(bytes_max=section.bytes_max, per_sender_max=section.per_sender_max)


def sync_limits(section: NetworkSection, *, key: PrivateKey | None, chain: Chain) -> SyncLimits:
    """Return how to follow; who rules alone and names no peer has nobody to wait for."""
    own = None if key is None else key.public.raw
    is_alone = [one.keys.consensus_key for one in chain.members()] == [own]
    if is_alone and not section.peers:
        return replace(DEFAULT_LIMITS, peers_wait_ms=0)
    return DEFAULT_LIMITS


def read_genesis_file(config: Config) -> bytes:
    """Return the bytes of the genesis file that a configuration names.

    Raises:
        ConfigurationError: it cannot be read.
    """
    path = config.path(config.network.genesis)
    try:
        with path.open("rb") as file:
            return file.read(GENESIS_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigurationError(
            f"network.genesis: {path}: {error.strerror}; copy the genesis file of the chain there"
        ) from error


def _emptied(folder: Path) -> Path:
    """Return a folder without what an earlier run left in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    return folder


def _endpoint(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 65_535:
        raise ConfigurationError(f"rpc.listen is {text!r}, must be HOST:PORT")
    return host.strip("[]"), int(port)
