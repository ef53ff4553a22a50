"""Who takes part, what became of it, and the search over everything."""

from typing import Annotated

import msgspec

from node.rpc import participant_schemas as schemas
from node.rpc.commit_row import CommitRow
from node.rpc.context import NodeContext
from node.rpc.participant_index import ParticipantIndex
from node.rpc.route import Ask, NoBody, Route
from node.rpc.routes.asked import Number
from node.rpc.search_desk import SearchDesk
from node.rpc.texts import AddressText, parse_address

SEARCHED_LETTERS_MAX = 200


class AskedPeople(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A page of participants after an address."""

    after: AddressText | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50


class AskedPerson(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A participant."""

    address: AddressText


class AskedPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A participant in a task."""

    address: AddressText
    task: Number = 0


class AskedWords(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to look for."""

    q: Annotated[str, msgspec.Meta(min_length=1, max_length=SEARCHED_LETTERS_MAX)]


def participant_routes(context: NodeContext, row: CommitRow) -> tuple[Route, ...]:
    """Return the routes of one node, which remember what they have read."""
    index = ParticipantIndex(context)
    desk = SearchDesk(context, people=index, row=row)
    return (*_people_routes(context, index), _search_route(context, desk))


def _people_routes(context: NodeContext, index: ParticipantIndex) -> tuple[Route, ...]:

    async def list_participants(ask: Ask[AskedPeople, NoBody]) -> schemas.Participants:
        after = None if ask.asked.after is None else parse_address(ask.asked.after)
        return await ask.read(lambda: index.page(after=after, limit=ask.asked.limit))

    async def show_participant(ask: Ask[AskedPerson, NoBody]) -> schemas.Participant:
        address = parse_address(ask.asked.address)
        return await ask.read(lambda: index.one(address))

    async def show_part(ask: Ask[AskedPart, NoBody]) -> schemas.PartHistory:
        address, task = parse_address(ask.asked.address), ask.asked.task
        return await ask.read(lambda: index.history(address, task, federation=context.federation))

    return (
        Route(
            method="GET",
            path="/v1/participants",
            name="participants",
            summary="Everybody with an identity, a validator's pool or a part in a task.",
            handler=list_participants,
            asked=AskedPeople,
            answer=schemas.Participants,
            cost=8,
            tag="tasks",
        ),
        Route(
            method="GET",
            path="/v1/participants/{address}",
            name="participant",
            summary="One participant.",
            handler=show_participant,
            asked=AskedPerson,
            answer=schemas.Participant,
            cost=8,
            tag="tasks",
        ),
        Route(
            method="GET",
            path="/v1/participants/{address}/history",
            name="participant_history",
            summary="What a participant did in a task, round by round.",
            handler=show_part,
            asked=AskedPart,
            answer=schemas.PartHistory,
            cost=32,
            tag="tasks",
        ),
    )


def _search_route(context: NodeContext, desk: SearchDesk) -> Route:
    async def search(ask: Ask[AskedWords, NoBody]) -> schemas.Hits:
        hits = await ask.read(lambda: desk.search(ask.asked.q, federation=context.federation))
        return schemas.Hits(hits=tuple(hits))

    return Route(
        method="GET",
        path="/v1/search",
        name="search",
        summary="Find a hash, a did:key, a height, a task, or somebody by name.",
        handler=search,
        asked=AskedWords,
        answer=schemas.Hits,
        cost=16,
    )
