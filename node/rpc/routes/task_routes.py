"""Federated tasks: terms, the round that runs, rounds that ended, models, identities."""

from typing import Annotated

import msgspec

from node.federation.views import FederationReader
from node.rpc import judgement_schemas
from node.rpc import round_schemas as schemas
from node.rpc.context import NodeContext
from node.rpc.errors import NotFoundError
from node.rpc.judgement_desk import JudgementDesk
from node.rpc.round_history import RoundIndex
from node.rpc.round_rendering import show_identity, show_model, show_round, show_task
from node.rpc.route import AnyAsk, Ask, Handler, NoBody, Route
from node.rpc.routes.asked import AskedModel, AskedRound, AskedTask, Number
from node.rpc.texts import AddressText, account_text, parse_address

TASKS_MAX = 50
VERSIONS_MAX = 100


class AskedTasks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A page of tasks."""

    first: Number = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=TASKS_MAX)] = 20


class AskedIdentity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An account."""

    address: AddressText


class AskedStanding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An account in a task."""

    task: Number
    address: AddressText


def _bound(ask: AnyAsk) -> FederationReader:
    """Return a reader of one state, so that all views of an answer belong together."""
    return ask.context.federation.at(ask.context.chain.head.height)


def _task(reader: FederationReader, number: int) -> schemas.Task:
    return show_task(
        number, reader.task(number), reader.terms(number), reader.catalogue_entry(number)
    )


async def list_tasks(ask: Ask[AskedTasks, NoBody]) -> schemas.Tasks:
    """Return a page of tasks."""

    def find() -> schemas.Tasks:
        reader = _bound(ask)
        count, asked = reader.task_count(), ask.asked
        numbers = range(asked.first, min(count, asked.first + asked.limit))
        return schemas.Tasks(count=count, tasks=tuple(_task(reader, one) for one in numbers))

    return await ask.read(find)


async def show_one_task(ask: Ask[AskedTask, NoBody]) -> schemas.Task:
    """Return one task."""
    return await ask.read(lambda: _task(_bound(ask), ask.asked.task))


async def show_running_round(ask: Ask[AskedTask, NoBody]) -> schemas.RunningRound:
    """Return the round that runs."""

    def find() -> schemas.RunningRound:
        state = _bound(ask).round(ask.asked.task)
        return schemas.RunningRound(round=None if state is None else show_round(state))

    return await ask.read(find)


def history_handler(index: RoundIndex) -> Handler:
    """Return the handler that shows what became of a round."""

    async def show_history(ask: Ask[AskedRound, NoBody]) -> schemas.RoundHistory:
        return await ask.read(
            lambda: index.history(ask.asked.task, ask.asked.round, federation=_bound(ask))
        )

    return show_history


async def show_one_model(ask: Ask[AskedModel, NoBody]) -> schemas.Model:
    """Return one version of a model."""
    task, version = ask.asked.task, ask.asked.version

    def find() -> schemas.Model:
        record = _bound(ask).model(task, version)
        if record is None:
            raise NotFoundError(f"task {task} has no version {version}; versions begin at 1")
        return show_model(record, task=task, version=version)

    return await ask.read(find)


async def show_one_identity(ask: Ask[AskedIdentity, NoBody]) -> schemas.Identity:
    """Return who an account is."""
    address = parse_address(ask.asked.address)
    return await ask.read(lambda: show_identity(_bound(ask).identity(address)))


async def show_standing(ask: Ask[AskedStanding, NoBody]) -> schemas.Standing:
    """Return what a task remembers of an account and owes it."""
    address, task = parse_address(ask.asked.address), ask.asked.task

    def find() -> schemas.Standing:
        reader = _bound(ask)
        reader.task(task)
        standing, vesting = reader.standing(task, address), reader.vesting(task, address)
        return schemas.Standing(
            address=account_text(address),
            reputation=str(standing.reputation),
            gain_average=str(standing.gain_average),
            harm_history=str(standing.harm_history),
            quarantined_until=standing.quarantined_until,
            vested=str(vesting.vested),
            vesting=str(sum(vesting.amounts)),
        )

    return await ask.read(find)


ROUTES = (
    Route(
        method="GET",
        path="/v1/tasks",
        name="tasks",
        summary="A page of federated tasks.",
        handler=list_tasks,
        asked=AskedTasks,
        answer=schemas.Tasks,
        cost=8,
        tag="tasks",
    ),
    Route(
        method="GET",
        path="/v1/tasks/{task}",
        name="task",
        summary="One federated task.",
        handler=show_one_task,
        asked=AskedTask,
        answer=schemas.Task,
        cost=2,
        tag="tasks",
    ),
    Route(
        method="GET",
        path="/v1/tasks/{task}/round",
        name="running_round",
        summary="The round that runs.",
        handler=show_running_round,
        asked=AskedTask,
        answer=schemas.RunningRound,
        cost=8,
        tag="tasks",
    ),
    Route(
        method="GET",
        path="/v1/tasks/{task}/standings/{address}",
        name="standing",
        summary="What a task remembers of an account and owes it.",
        handler=show_standing,
        asked=AskedStanding,
        answer=schemas.Standing,
        cost=4,
        tag="tasks",
    ),
    Route(
        method="GET",
        path="/v1/models/{task}/{version}",
        name="model",
        summary="One version of a model with what made it.",
        handler=show_one_model,
        asked=AskedModel,
        answer=schemas.Model,
        cost=2,
        tag="tasks",
    ),
    Route(
        method="GET",
        path="/v1/identities/{address}",
        name="identity",
        summary="Who an account is, and what its tokens may claim.",
        handler=show_one_identity,
        asked=AskedIdentity,
        answer=schemas.Identity,
        cost=4,
        tag="tasks",
    ),
)


class AskedVersions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A page of the versions of a task's model."""

    task: Number
    before: Number | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=VERSIONS_MAX)] = 25


def judgement_routes(desk: JudgementDesk) -> tuple[Route, ...]:
    """Return the routes that explain rounds."""

    async def show_judgement(ask: Ask[AskedRound, NoBody]) -> judgement_schemas.Judgement:
        task, number = ask.asked.task, ask.asked.round
        return await ask.read(lambda: desk.judgement(task, number, federation=_bound(ask)))

    async def list_versions(ask: Ask[AskedVersions, NoBody]) -> judgement_schemas.Versions:
        asked = ask.asked
        return await ask.read(
            lambda: desk.versions(
                asked.task, before=asked.before, limit=asked.limit, federation=_bound(ask)
            )
        )

    return (
        Route(
            method="GET",
            path="/v1/tasks/{task}/rounds/{round}/judgement",
            name="judgement",
            summary="Why a round ended as it did.",
            handler=show_judgement,
            asked=AskedRound,
            answer=judgement_schemas.Judgement,
            cost=32,
            tag="tasks",
        ),
        Route(
            method="GET",
            path="/v1/models/{task}",
            name="versions",
            summary="Versions of a model, the newest first.",
            handler=list_versions,
            asked=AskedVersions,
            answer=judgement_schemas.Versions,
            cost=16,
            tag="tasks",
        ),
    )


def task_routes(context: NodeContext) -> tuple[Route, ...]:
    """Return the routes of tasks, models and identities."""
    index = RoundIndex(context.chain)
    history = Route(
        method="GET",
        path="/v1/tasks/{task}/rounds/{round}",
        name="round_history",
        summary="What became of a round, as far as this node keeps its events.",
        handler=history_handler(index),
        asked=AskedRound,
        answer=schemas.RoundHistory,
        cost=16,
        tag="tasks",
    )
    return (*ROUTES, history, *judgement_routes(JudgementDesk(context, index)))
