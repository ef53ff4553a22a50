"""The chain as a picture: the DAG of the last rounds, and rows of commits."""

from typing import Annotated

import msgspec
from aiohttp import web

from node.rpc import dag_schemas
from node.rpc.commit_row import CommitRow
from node.rpc.context import NodeContext
from node.rpc.dag_board import DagBoard
from node.rpc.dag_drawing import ROUNDS_MAX
from node.rpc.route import Ask, Medium, NoBody, Route
from node.rpc.texts import Whole


class AskedRounds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many of the last rounds at least; 10, 30 or 60 are shown."""

    rounds: Annotated[int, msgspec.Meta(ge=1, le=ROUNDS_MAX)] = 30


class AskedRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row of commits below a height, or from the head on."""

    before: Whole | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 25


def dag_routes(context: NodeContext, row: CommitRow) -> tuple[Route, ...]:
    """Return the routes of one node, which remember what they have read."""
    board = DagBoard(
        context.chain,
        consensus=context.consensus,
        name_of=context.federation.name_of,
        clock=context.clock,
    )

    async def show_dag(ask: Ask[AskedRounds, NoBody]) -> web.StreamResponse:
        raw = await board.picture(ask.asked.rounds, readers=ask.readers)
        return web.Response(body=raw, content_type=Medium.JSON.value)

    async def list_commits(ask: Ask[AskedRow, NoBody]) -> dag_schemas.Commits:
        return await ask.read(lambda: row.page(before=ask.asked.before, limit=ask.asked.limit))

    return (
        Route(
            method="GET",
            path="/v1/dag",
            name="dag",
            summary="The last rounds of the DAG.",
            handler=show_dag,
            asked=AskedRounds,
            answer=dag_schemas.Dag,
            cost=1,
        ),
        Route(
            method="GET",
            path="/v1/commits",
            name="commits",
            summary="Commits, the newest first.",
            handler=list_commits,
            asked=AskedRow,
            answer=dag_schemas.Commits,
            cost=2,
        ),
    )
