"""A task with real blobs and real aggregates on a chain whose `rounds` says what a test wants.

The stand-in for `rounds` passes on what it is told, so that a lineage can also be made wrong.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import numpy as np

from fl.jobs.bounds import StoredBlob
from fl.jobs.results import AggregateResult, PrepareResult
from fl.jobs.subject import AdapterShape, ModelKind
from fl.jobs.work import AggregateJob, OuterTerms, PrepareJob, Weighted
from fl.rules.aggregation.outer import OuterRule
from fl.rules.limits import ONE
from fl.rules.select import apportion
from fl.rules.update.blob import encode_model, encode_update
from fl.rules.update.header import BlobKind, Expectation, Width
from fl.rules.update.layout import TensorLayout
from fl.worker.aggregation import make_next_model
from node.blobs.manifest import Access, BlobId, blob_id
from node.blobs.store import BlobStore
from node.contracts.standard import ACQUAINTANCES, standard_contract
from node.execution.founding import compiled_contract
from node.execution.local_chain import LocalChain
from node.federation.document import TaskDocument, write_document
from node.federation.jobs import RoundInputs, aggregate_job
from node.ledger.contract import genesis_contract_address
from node.ledger.genesis import GenesisContract
from primitives.ids import Digest
from tests.worker.places import quiet_desk
from tests.worker.vectors import FACTOR_A, MODEL_LAYOUT, PINS
from tests.worker.vectors import LAYOUT as EVEN

ODD = TensorLayout.of([FACTOR_A])
LIMIT = 1 << 24
NOWHERE = StoredBlob("nowhere", bytes(36))

ROUNDS = """
class IRegistry(Interface):
    @external
    def add_version(
        self, task: Int, version: Int, round: Int, parent: Bytes, model: Bytes, clip: Int,
        limit: Int, halvings: Int, contributors: List[Address], roots: List[Bytes],
        weights: List[Int], scores: List[Int],
    ): ...


class Task(Record):
    sponsor: Address
    model: Bytes
    clip: Int
    escrow: Int
    version: Int
    rounds: Int
    scored: Int
    serial: Int
    is_running: Bool
    is_closing: Bool
    is_closed: Bool


class Terms(Record):
    document: Bytes
    reward: Int
    bond: Int
    slots: Int
    ready: Int
    epsilon: Int
    band_min: Int
    harm: Int
    clip_min: Int
    windows: List[Int]
    guard_bounds: List[Int]
    identity_percent: Int


class Rounds(Contract):
    registry: Address
    count: Int
    task: Task
    terms: Terms

    @init
    def start(self, identity: Address, registry: Address, reputation: Address, disputes: Address):
        self.registry = registry

    @external
    def begin(self, document: Bytes, model: Bytes):
        self.count = 1
        self.task.model = model
        self.terms.document = document

    @external
    def add_version(
        self, version: Int, round: Int, parent: Bytes, model: Bytes, limit: Int, halvings: Int,
        contributors: List[Address], roots: List[Bytes], weights: List[Int],
    ):
        IRegistry(self.registry).add_version(
            0, version, round, parent, model, limit, limit, halvings, contributors, roots, weights,
            weights,
        )
        self.task.model = model

    @view
    def task_count(self) -> Int:
        return self.count

    @view
    def task_of(self, task: Int) -> Task:
        return self.task

    @view
    def terms_of(self, task: Int) -> Terms:
        return self.terms
"""


@functools.cache
def _founded() -> tuple[GenesisContract, ...]:
    others = [genesis_contract_address(name) for name in ACQUAINTANCES["rounds"]]
    rounds = compiled_contract("rounds", ROUNDS, *others)
    return (*(standard_contract(name) for name in ACQUAINTANCES if name != "rounds"), rounds)


DOCUMENT = TaskDocument(
    title="small",
    source="package:tiny",
    kind=ModelKind.CLASSIFICATION,
    label_names=("no", "yes"),
    pins=PINS,
    adapter=AdapterShape(rank=4),
    model_layout=MODEL_LAYOUT,
    layouts=(EVEN, ODD),
    start=bytes(32),
    byzantine_percent=20,
    outer=OuterTerms(rule=OuterRule.NESTEROV, rate=45_875, momentum=58_982),
)


class LocalCompute:
    """Does jobs in this process, as a worker does them."""

    def __init__(self) -> None:
        self.start = NOWHERE

    async def aggregate(self, job: AggregateJob) -> AggregateResult:
        return make_next_model(job, quiet_desk(), threads=1)

    async def prepare(self, job: PrepareJob) -> PrepareResult:
        assert job.subject.adapter == DOCUMENT.adapter
        return PrepareResult(
            model=PINS.model,
            tokenizer=PINS.tokenizer,
            layout=MODEL_LAYOUT,
            layouts=(EVEN, ODD),
            weights=self.start,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What is written into the registry."""

    round: int
    parent: bytes
    model: bytes
    limit: int
    halvings: int
    roots: Sequence[bytes]
    weights: Sequence[int]


@dataclass
class History:
    """A task and its versions; blobs are in the store, records on the chain once `publish`ed."""

    store: BlobStore
    folder: Path
    chain: LocalChain = field(default_factory=lambda: LocalChain(contracts=_founded()))
    versions: list[Version] = field(default_factory=list)
    document: TaskDocument = DOCUMENT
    weights: StoredBlob = NOWHERE
    state: StoredBlob | None = None

    def begin(self) -> BlobId:
        model = np.arange(MODEL_LAYOUT.size, dtype=np.int32) << 16
        start = self._put(encode_model(model, expected=_expected(BlobKind.MODEL, MODEL_LAYOUT)))
        self.document = msgspec.structs.replace(DOCUMENT, start=start)
        self.weights, self.state = self.store.stored(start), None
        document = self._put(write_document(self.document))
        self.chain.contract("rounds").begin(document, start)
        return document

    async def add(
        self, round_number: int, *, updates: int = 3, halvings: int = 0, seed: int = 1
    ) -> Version:
        """Make a version of random updates."""
        layout = self.document.layout_of(round_number)
        dice = np.random.default_rng(seed * 100 + round_number)
        shape = (updates, layout.size)
        expected = _expected(BlobKind.UPDATE, layout)
        roots = [
            self._put(encode_update(one, expected=expected, width=Width.INT16))
            for one in dice.integers(-(1 << 22), 1 << 22, shape, dtype=np.int32)
        ]
        weights = apportion(ONE, range(1, updates + 1))
        weighted = [
            Weighted(self.store.stored(root), weight)
            for root, weight in zip(roots, weights, strict=True)
        ]
        inputs = RoundInputs(
            round=round_number,
            updates=weighted,
            limit=LIMIT,
            halvings=halvings,
            model=self.weights,
            state=self.state,
        )
        job = aggregate_job(self.document, inputs, folder=self.folder)
        made = await LocalCompute().aggregate(job)
        parent = self.versions[-1].model if self.versions else self.document.start
        model = blob_id(self.store.put_file(Path(made.model.path), access=Access.PUBLIC))
        self.weights, self.state = made.model, made.state
        version = Version(
            round=round_number,
            parent=parent,
            model=model,
            limit=LIMIT,
            halvings=halvings,
            roots=roots,
            weights=weights,
        )
        self.versions.append(version)
        return version

    def publish(self, **changes: object) -> None:
        """Write the records of all versions to the chain, the last one with changes."""
        last = replace(self.versions[-1], **changes)  # type: ignore[arg-type]
        for number, one in enumerate([*self.versions[:-1], last], start=1):
            self.chain.contract("rounds").add_version(
                number,
                one.round,
                one.parent,
                one.model,
                one.limit,
                one.halvings,
                [self.chain.account(f"trainer {n}") for n in range(len(one.roots))],
                list(one.roots),
                list(one.weights),
            )

    def _put(self, raw: bytes) -> BlobId:
        return blob_id(self.store.put(raw, access=Access.PUBLIC))


def _expected(kind: BlobKind, layout: TensorLayout) -> Expectation:
    return Expectation(
        kind=kind,
        base_model=Digest(PINS.model),
        tokenizer=Digest(PINS.tokenizer),
        layout=layout,
    )
