"""Offer a task: look at the base model, write W_0 and the document, and create it on the chain."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fl.jobs.client import JobTerms
from fl.jobs.local_terms import LocalTerms
from fl.jobs.progress import Progress
from fl.jobs.results import PrepareResult
from fl.jobs.subject import AdaptedModel, AdapterShape, FrozenModel, ModelKind
from fl.jobs.work import OuterTerms, Pins, PrepareJob
from fl.rules.aggregation.rule import Rule
from fl.rules.limits import (
    IDENTITY_PERCENT_MAX,
    IDENTITY_PERCENT_MIN,
    MEASURES_MAX,
    ONE,
    WINDOW_MS_MAX,
    WINDOW_MS_MIN,
)
from node.duties.equipment import ATTEMPTS_MAX
from node.duties.gas import call_gas
from node.duties.ports import Audience, BlobRoom, Worker
from node.duties.wallet import Wallet
from node.federation import calls
from node.federation.document import Guidance, TaskDocument, write_document
from node.ledger.receipt import Receipt
from node.vm.types import INT
from node.vm.values import ValueCodec
from primitives.cid import Cid
from primitives.ids import Digest, Grain

PREPARE_MS_MAX: Final = 3_600_000
GRAINS: Final = 10**9
_NUMBER: Final = ValueCodec.of_type((), INT)
_PERCENT: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """How long the phases of a round last at most, in ms; they end early when all have acted.

    Args:
        training: COMMIT: training, and the transaction that commits to its result; it ends early
            only with the updates that `TaskOrder.ready` asks for.
        reveal: a transaction of each trainer.
        availability: fetching all updates, and a transaction of each validator.
        scoring: of all updates, by the slowest validator.
        score_reveal: a transaction of each validator.
        aggregation: of all updates.
        guard: an evaluation of two models.
    """

    training: int = 60_000
    reveal: int = 10_000
    availability: int = 20_000
    scoring: int = 120_000
    score_reveal: int = 10_000
    aggregation: int = 60_000
    guard: int = 60_000

    def as_terms(self) -> tuple[int, ...]:
        """Return them in the order of the phases, within the bounds of the chain."""
        ordered = (
            self.training,
            self.reveal,
            self.availability,
            self.scoring,
            self.score_reveal,
            self.aggregation,
            self.guard,
        )
        return tuple(max(WINDOW_MS_MIN, min(WINDOW_MS_MAX, one)) for one in ordered)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """By how much a new model may be worse, in 100 micro-nats, as the median validator measures.

    Args:
        loss: on all examples, classes weighed as in scores.
        each_class: on those of each class; watched as far as the chain has room for measures.
        each_probe: on each set of probes.
        probes: how many sets each validator must have.
    """

    loss: int = 500
    each_class: int = 2_500
    each_probe: int = 2_500
    probes: int = 0

    def as_bounds(self, *, classes: int) -> tuple[int, ...]:
        """Return the bounds in the order of a report: the loss, classes, probes."""
        every = (self.loss, *(self.each_class,) * classes, *(self.each_probe,) * self.probes)
        # A report is cut where the bounds end, so that probes cannot be without all classes.
        return every if len(every) <= MEASURES_MAX else every[:1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """The money of a task, in grains.

    Args:
        reward: for one round.
        bond: that each update puts down.
        rounds: that the escrow pays for.
    """

    reward: int = 100 * GRAINS
    bond: int = GRAINS
    rounds: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOrder:
    """What a sponsor wants.

    Args:
        source: of the base model, as other nodes know it.
        local_source: as this node has it; empty: the same.
        slots: updates in one round, at most.
        ready: updates with which a round goes on at once, for a consortium that knows its trainers;
            0: training takes its whole window, and who has a better reputation displaces others.
        identity_percent: the most that one trainer gets of the pot; 0: twice an even share.
        clip: norm to which updates are cut in the first round, 2**16 for one.
    """

    title: str
    source: str
    kind: ModelKind
    description: str = ""
    local_source: str = ""
    label_names: tuple[str, ...] = ()
    adapter: AdapterShape = field(default_factory=AdapterShape)
    local: LocalTerms = field(default_factory=LocalTerms)
    rule: Rule = Rule.TRIMMED_MEAN
    byzantine_percent: int = 0
    outer: OuterTerms = field(default_factory=OuterTerms)
    penalty: int = 0
    tokens_max: int = 128
    held_out: Guidance = field(default_factory=Guidance)
    windows: Windows = field(default_factory=Windows)
    guard: Guard = field(default_factory=Guard)
    prices: Prices = field(default_factory=Prices)
    slots: int = 16
    ready: int = 0
    identity_percent: int = 0
    epsilon: int = 0
    band_min: int = 10
    harm: int = 100
    clip: int = 16 * ONE
    clip_min: int = ONE // 16
    round_pause_ms: int = 0

    def subject(self) -> AdaptedModel:
        """Return the base model with its adapter, as this node has it."""
        frozen = FrozenModel(
            source=self.local_source or self.source,
            kind=self.kind,
            labels=len(self.label_names),
        )
        return AdaptedModel(frozen=frozen, adapter=self.adapter)

    def document(self, prepared: PrepareResult) -> TaskDocument:
        """Return what trainers and validators need to know."""
        return TaskDocument(
            title=self.title,
            description=self.description,
            source=self.source,
            kind=self.kind,
            label_names=self.label_names,
            pins=Pins(model=prepared.model, tokenizer=prepared.tokenizer),
            adapter=self.adapter,
            model_layout=prepared.layout,
            layouts=prepared.layouts,
            start=Cid.decode(prepared.weights.cid).digest,
            rule=self.rule,
            byzantine_percent=self.byzantine_percent,
            outer=self.outer,
            local=self.local,
            penalty=self.penalty,
            tokens_max=self.tokens_max,
            held_out=self.held_out,
            round_pause_ms=self.round_pause_ms,
        )

    def offer(self, *, document: Digest, model: Digest) -> calls.Offer:
        """Return the terms for the chain."""
        even = -(-2 * _PERCENT // self.slots)
        percent = self.identity_percent or even
        return calls.Offer(
            document=document,
            model=model,
            reward=self.prices.reward,
            bond=self.prices.bond,
            slots=self.slots,
            ready=self.ready,
            epsilon=self.epsilon,
            band_min=self.band_min,
            harm=self.harm,
            clip=self.clip,
            clip_min=self.clip_min,
            windows=self.windows.as_terms(),
            guard_bounds=self.guard.as_bounds(classes=len(self.label_names)),
            identity_percent=max(IDENTITY_PERCENT_MIN, min(IDENTITY_PERCENT_MAX, percent)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StartModel:
    """W_0 and the document of a task, in the store of this node for everybody to fetch."""

    document: Digest
    model: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedTask:
    """A task on the chain."""

    number: int
    start: StartModel
    receipt: Receipt


def _unheard(_: Progress) -> None:
    """Let a report go."""


async def publish_model(
    order: TaskOrder,
    *,
    worker: Worker,
    blobs: BlobRoom,
    folder: Path,
    on_progress: Callable[[Progress], None] = _unheard,
) -> StartModel:
    """Write W_0 and the document into the store; the worker writes to the folder first.

    Raises:
        JobFailedError: the base model cannot be loaded here.
        BadDocumentError: the order contradicts itself.
    """
    job = PrepareJob(subject=order.subject(), folder=str(folder))
    terms = JobTerms(deadline_ms=PREPARE_MS_MAX, attempts=ATTEMPTS_MAX)
    prepared = await worker.run(job, terms=terms, on_progress=on_progress)
    raw = write_document(order.document(prepared))
    reason = f"published {Cid.decode(prepared.weights.cid)}"
    model = await blobs.keep(prepared.weights, audience=Audience.EVERYBODY, reason=reason)
    document = await blobs.put(raw, audience=Audience.EVERYBODY, reason=reason)
    return StartModel(document=document, model=model)


async def create_task(order: TaskOrder, start: StartModel, *, wallet: Wallet) -> PublishedTask:
    """Create the task with an escrow for its rounds.

    Raises:
        InvalidTransactionError: it may not enter; the account may be short of money.
        TransactionFailedError: the chain refused the terms.
        TransactionLostError: it was not executed in time.
    """
    offer = order.offer(document=start.document, model=start.model)
    escrow = Grain(order.prices.reward * order.prices.rounds)
    call = calls.create_task(offer, escrow=escrow)
    receipt = await wallet.carry_out(call, gas_limit=call_gas(updates=0, seats=0))
    number = _NUMBER.decode(receipt.result)
    assert isinstance(number, int), "create_task returns a number"
    return PublishedTask(number=number, start=start, receipt=receipt)


async def publish_task(
    order: TaskOrder,
    *,
    worker: Worker,
    blobs: BlobRoom,
    wallet: Wallet,
    folder: Path,
) -> PublishedTask:
    """Offer a task: `publish_model`, then `create_task`."""
    start = await publish_model(order, worker=worker, blobs=blobs, folder=folder)
    return await create_task(order, start, wallet=wallet)
