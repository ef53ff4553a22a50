"""Put the duties of a node together, from its configuration and the other rooms of the node."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from msgspec.structs import replace

from fl.jobs.launch import WorkerCommand, threads_left
from fl.jobs.subject import ExampleSource, Half
from node.blobs.sealing import RandomBytes
from node.blobs.store import BlobStore
from node.chain.chain import Chain
from node.chain.reader import ContractReader
from node.config.sections import Config, TrainingSection, WorkerSection
from node.config.sections import Role as NodeRole
from node.config.sources import placed_examples, placed_model
from node.duties.equipment import Equipment
from node.duties.notes import Notebook
from node.duties.planner import Planner
from node.duties.ports import BlobRoom, Worker
from node.duties.room import Circle, Envelopes, Fetcher, StoreRoom
from node.duties.salts import Salts
from node.duties.scene import Learning
from node.duties.situation import Role
from node.duties.steward import Steward, Wishes
from node.duties.wallet import Wallet
from node.federation.views import FederationReader
from p2p.wire.peer_id import PeerId
from primitives.clock import Clock
from primitives.ids import Address
from primitives.keys import PrivateKey, PublicKey

_log: Final = structlog.get_logger("node.duties")


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Whose duties they are.

    Args:
        account: that registers, bonds and is paid; of a validator, its operator.
        consensus: of its seat; None: it never has one.
    """

    account: PrivateKey
    consensus: PrivateKey | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobParts:
    """The parts of a `StoreRoom`.

    Args:
        peers: who may have an envelope, the likeliest first.
        random_bytes: a secret source.
    """

    store: BlobStore
    fetcher: Fetcher
    envelopes: Envelopes
    peers: Callable[[], Sequence[PeerId]]
    random_bytes: RandomBytes


def open_room(chain: Chain, parts: BlobParts, *, keys: Keys) -> StoreRoom:
    """Return the blobs of a node as its duties see them."""
    circle = Circle(
        operator=Address(keys.account.public.raw),
        consensus_key=keys.consensus,
        recipients=lambda seats: seat_keys(chain, seats),
        peers=parts.peers,
        random_bytes=parts.random_bytes,
    )
    return StoreRoom(
        store=parts.store, fetcher=parts.fetcher, envelopes=parts.envelopes, circle=circle
    )


def open_equipment(
    chain: Chain,
    *,
    wallet: Wallet,
    blobs: BlobRoom,
    worker: Worker,
    learning: Learning,
    folder: Path,
) -> Equipment:
    """Return what the duties of a node work with; their notes are in its folder."""
    return Equipment(
        reader=FederationReader(ContractReader(chain)),
        wallet=wallet,
        blobs=blobs,
        notebook=Notebook(folder / "duties"),
        worker=worker,
        salts=Salts(wallet.key),
        learning=learning,
    )


def open_steward(
    chain: Chain,
    equipment: Equipment,
    *,
    roles: frozenset[Role],
    clock: Clock,
    wishes: Wishes,
) -> Steward:
    """Return what runs the duties of a node."""
    return Steward(
        equipment,
        planner=Planner(roles=roles),
        chain=chain,
        committee=lambda: tuple(member.operator for member in chain.members()),
        clock=clock,
        wishes=wishes,
    )


def seat_keys(chain: Chain, seats: Sequence[Address]) -> list[tuple[Address, PublicKey]]:
    """Return the consensus keys of seats; one that has left the committee is left out."""
    keys = {one.operator: PublicKey(one.keys.consensus_key) for one in chain.members()}
    return [(seat, keys[seat]) for seat in seats if seat in keys]


def worker_command(section: WorkerSection) -> WorkerCommand:
    """Return how the worker of this node is started."""
    return WorkerCommand(
        module=section.module,
        options=tuple(section.options),
        device=section.device,
        threads=section.threads or threads_left(),
        memory_bytes_max=section.memory_bytes_max,
    )


def learning_of(config: Config) -> Learning:
    """Return the examples and base models of this node; folders count from that of the node."""
    section, folder = config.training, config.folder
    placed = {name: placed_model(one, folder=folder) for name, one in section.models.items()}
    models = tuple(sorted(placed.items()))
    train, held_out = (
        _source(section, placed_examples(spec, folder=folder), half=half) if spec else None
        for spec, half in ((section.examples, Half.TRAIN), (section.held_out, Half.HELD_OUT))
    )
    if train is not None and (held_out is None or held_out.spec == train.spec):
        # What is trained on is never read whole to score with, though both keys may name it.
        held_out = replace(train, half=Half.TEST)
    return Learning(train=train, held_out=held_out, models=models)


def roles_of(chosen: Collection[NodeRole], learning: Learning) -> frozenset[Role]:
    """Return what a node is willing and able to do, from the roles of its configuration."""
    roles: set[Role] = set()
    if NodeRole.TRAINER in chosen and learning.train is not None:
        roles.add(Role.TRAINER)
    if NodeRole.VALIDATOR in chosen:
        roles.add(Role.VALIDATOR)
        if learning.held_out is not None:
            roles.add(Role.SCORER)
    return frozenset(roles)


def report_missing_examples(chosen: Collection[NodeRole], learning: Learning) -> None:
    """Log if a validator has nothing to score with; a trainer without examples does not start."""
    if NodeRole.VALIDATOR in chosen and learning.held_out is None:
        _log.warning("this node does not score", hint="set training.held_out")


def _source(section: TrainingSection, spec: str, *, half: Half) -> ExampleSource:
    columns = section.columns
    return ExampleSource(
        spec=spec,
        half=half,
        text=columns.text or None,
        label=columns.label or None,
        prompt=columns.prompt or None,
        context=columns.context or None,
        answer=columns.answer or None,
    )
