"""Give everybody an identity, and offer the task of a study on the chain.

The sponsor's own worker looks at the base model and writes W_0, while the nodes start; the first
validator keeps the blobs, from where all others fetch them.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from devnet.local.errors import DevnetError
from devnet.local.founding import account_key, sponsor_key
from devnet.local.network import LocalNetwork
from devnet.local.plan import Part, Plan
from devnet.local.purse import Purse
from devnet.local.record import Division, record_task
from devnet.local.study import Study
from fl.jobs.client import JobTerms, WorkerClient
from fl.jobs.launch import WORKER_MODULE, WorkerCommand
from fl.jobs.local_terms import LocalTerms, Unit
from fl.jobs.results import PrepareResult
from fl.jobs.subject import AdapterShape, ModelKind
from fl.jobs.work import PrepareJob
from node.duties.gas import call_gas
from node.duties.publishing import Prices, TaskOrder, Windows
from node.federation import calls
from node.federation.document import Guidance, write_document
from node.ledger.transaction import Call
from node.vm.types import INT
from node.vm.values import ValueCodec
from primitives.hashing import sha256
from primitives.ids import ChainId, Digest, Gas, Grain

PREPARE_MS_MAX: Final = 1_800_000
REGISTER_GAS: Final = Gas(3_000_000)
PUBLISH_GAS: Final = Gas(3_000_000)
_MS_PER_S: Final = 1_000
_NUMBER: Final = ValueCodec.of_type((), INT)


@dataclass(frozen=True, slots=True)
class Sponsor:
    """Whoever offers the task."""

    network: LocalNetwork
    purse: Purse

    @classmethod
    async def of(cls, network: LocalNetwork) -> "Sponsor":
        """Return the sponsor that was founded with a network."""
        key = await asyncio.to_thread(sponsor_key, network.folder)
        client = network.client(network.names_of(Part.VALIDATOR)[0])
        chain_id = ChainId(bytes.fromhex(network.record.chain_id))
        return cls(network, Purse(client, key, chain_id))

    async def register(self) -> None:
        """Give every trainer, and the sponsor, an identity.

        Raises:
            NodeAnswerError: the chain refuses.
        """
        network, chain_id = self.network, self.purse.chain_id
        async with asyncio.TaskGroup() as group:
            group.create_task(
                self._call(
                    calls.register("devnet", role="agent", organisation="devnet"), REGISTER_GAS
                )
            )
            for name in network.names_of(Part.TRAINER):
                key = await asyncio.to_thread(
                    account_key, network.folder, network.record.node(name)
                )
                purse = Purse(self.purse.client, key, chain_id)
                group.create_task(
                    purse.carry_out(calls.register(name), gas_limit=REGISTER_GAS),
                    name=f"register {name}",
                )

    async def offer(self, prepared: PrepareResult) -> int:
        """Create the task of a prepared model; return its number, which the record keeps.

        Raises:
            NodeAnswerError: the chain refuses the terms.
        """
        network, order = self.network, _order(self.network)
        model = await self.purse.client.put_blob(Path(prepared.weights.path))
        # The operator of the node gives it, so that it stays.
        raw = write_document(order.document(prepared))
        document = await self.purse.client.put_blob(raw)
        number = await self._create(order, document=document.id, model=model.id)
        network.record = replace(network.record, task=number)
        await asyncio.to_thread(record_task, network.folder, number)
        return number

    async def _create(self, order: TaskOrder, *, document: str, model: str) -> int:
        offer = order.offer(
            document=Digest(bytes.fromhex(document)), model=Digest(bytes.fromhex(model))
        )
        escrow = Grain(order.prices.reward * order.prices.rounds)
        call = calls.create_task(offer, escrow=escrow)
        receipt = await self.purse.carry_out(call, gas_limit=call_gas(updates=0, seats=0))
        number = _NUMBER.decode(bytes.fromhex(receipt.result))
        assert isinstance(number, int), "create_task returns a number"
        await self._call(calls.publish(number, title=order.title), PUBLISH_GAS)
        return number

    async def _call(self, call: Call, gas_limit: Gas) -> None:
        await self.purse.carry_out(call, gas_limit=gas_limit)


async def prepare_model(network: LocalNetwork) -> PrepareResult:
    """Look at the base model and write W_0 into the folder of the network; no node has to run.

    Raises:
        DevnetError: the network has no examples, and so no task.
        JobFailedError: the base model cannot be loaded.
    """
    plan = network.record.plan
    module = plan.study.worker_module or WORKER_MODULE
    command = WorkerCommand(module=module, device="cpu", threads=plan.threads)
    job = PrepareJob(subject=_order(network).subject(), folder=str(network.folder / "sponsor"))
    async with WorkerClient(command, clock=network.clock) as worker:
        return await worker.run(job, terms=JobTerms(deadline_ms=PREPARE_MS_MAX))


def _order(network: LocalNetwork) -> TaskOrder:
    if network.record.division is None:
        raise DevnetError("this devnet was founded without examples: ask for --rounds")
    return order_of(network.record.plan, network.record.division)


def order_of(plan: Plan, division: Division) -> TaskOrder:
    """Return the task that a plan asks for."""
    study = plan.study
    trainers = len(plan.of(Part.TRAINER))
    return TaskOrder(
        title="devnet",
        description=f"{study.source} with {study.model}",
        source=study.model,
        local_source=study.model_place,
        kind=ModelKind(division.kind),
        label_names=division.label_names,
        adapter=AdapterShape(
            rank=study.rank,
            alpha=2 * study.rank,
            layers=study.layers or None,
            seed=sha256(b"devnet %d" % plan.seed),
        ),
        local=local_terms(study, seed=plan.seed),
        byzantine_percent=study.byzantine_percent,
        tokens_max=study.tokens,
        held_out=Guidance(examples_min=1),
        windows=windows(study),
        # One slot for each trainer: the round need not wait for more.
        slots=max(1, trainers),
        ready=trainers,
        prices=Prices(rounds=plan.rounds),
    )


def windows(study: Study) -> Windows:
    """Return how long phases last at most.

    Whoever gives slow machines more time for the scores of all updates gives them half of it for
    the aggregate and for the guard, which evaluates two models.
    """
    usual = Windows()
    scoring = study.score_s * _MS_PER_S
    return Windows(
        training=study.train_s * _MS_PER_S,
        scoring=scoring,
        aggregation=max(usual.aggregation, scoring // 2),
        guard=max(usual.guard, scoring // 2),
    )


def local_terms(study: Study, *, seed: int) -> LocalTerms:
    """Return how a trainer trains in a round."""
    return LocalTerms(
        unit=Unit.STEPS,
        length=-(-study.samples // study.batch),
        batch_size=study.batch,
        max_length=study.tokens,
        learning_rate_nano=study.learning_rate_nano,
        schedule=study.schedule,
        rate_kept_percent=study.rate_kept_percent,
        adjustment_percent=study.adjustment_percent,
        seed=seed,
    )
