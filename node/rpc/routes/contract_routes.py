"""Contracts: what they are, their views and their events."""

from typing import Annotated

import msgspec

from node.chain.errors import NoContractError
from node.chain.index import EventPlace
from node.execution.library import Entry
from node.ledger.account import balance_of
from node.ledger.contract import genesis_contract_address, read_contract
from node.ledger.receipt import Event
from node.rpc import schemas
from node.rpc.errors import BadRequestError, NotFoundError
from node.rpc.rendering import Renderer
from node.rpc.route import Ask, NoBody, Route
from node.rpc.routes.asked import Limit
from node.rpc.texts import ADDRESS_PATTERN, Whole, address_text, parse_address
from node.rpc.values import from_json, to_json
from node.vm.module import METHOD_KINDS
from node.vm.verified import VerifiedFunction
from primitives.ids import Address, Height

ContractText = Annotated[
    str,
    msgspec.Meta(
        pattern=f"{ADDRESS_PATTERN[:-1]}|^[a-z][a-z0-9_-]{{0,30}}$",
        description="A contract: 32 bytes as lower-case hex, or its name in the genesis file.",
    ),
]
_SLOT_MAX = 2**31 - 1


class AskedContract(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A contract by address, or by its name in the genesis file."""

    contract: ContractText


class AskedEvents(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Events of one contract within some heights, after a place."""

    contract: ContractText
    first_height: Whole = 0
    last_height: Whole | None = None
    limit: Limit = 100
    after_height: Whole | None = None
    after_receipt: Annotated[int, msgspec.Meta(ge=0, le=_SLOT_MAX)] = _SLOT_MAX
    after_event: Annotated[int, msgspec.Meta(ge=0, le=_SLOT_MAX)] = _SLOT_MAX


def contract_address(text: str) -> Address:
    """Return the contract that a text names."""
    is_address = len(text) == 64 or text.startswith("did:")
    return parse_address(text) if is_address else genesis_contract_address(text)


async def show_contract(ask: Ask[AskedContract, NoBody]) -> schemas.Contract:
    """Return what a contract is and can be asked."""
    chain, address = ask.context.chain, contract_address(ask.asked.contract)

    def find() -> schemas.Contract:
        with chain.view() as state:
            record = read_contract(state, address)
            entry = chain.machine.library.at(state, address)
            if record is None or entry is None:
                raise NotFoundError(f"there is no contract {ask.asked.contract}")
            return schemas.Contract(
                address=address.hex(),
                name=entry.module.module.name,
                code_digest=record.code_digest.hex(),
                deployer=address_text(record.deployer),
                height=record.height,
                balance=str(balance_of(state, address)),
                methods=tuple(
                    _method(entry, function)
                    for function in entry.module.functions
                    if function.kind in METHOD_KINDS
                ),
            )

    return await ask.read(find)


def _method(entry: Entry, function: VerifiedFunction) -> schemas.Method:
    table = entry.module.types
    return schemas.Method(
        name=function.name,
        kind=function.kind.name.lower(),
        params=tuple(table.name(param) for param in function.params),
        result=table.name(function.result),
    )


async def call_view(ask: Ask[AskedContract, schemas.ViewRequest]) -> schemas.ViewAnswer:
    """Call a view of a contract."""
    address = contract_address(ask.asked.contract)
    chain, wanted = ask.context.chain, ask.body
    height = None if wanted.height is None else Height(wanted.height)

    def call() -> schemas.ViewAnswer:
        with chain.view(height) as state:
            entry = chain.machine.library.at(state, address)
        if entry is None:
            raise NoContractError(address=address)
        place = entry.module.function_named(wanted.method)
        if place is None or entry.module.functions[place].kind not in METHOD_KINDS:
            raise NotFoundError(f"the contract has no method {wanted.method}")
        function, table = entry.module.functions[place], entry.module.types
        if len(function.params) != len(wanted.args):
            raise BadRequestError(
                f"{wanted.method} takes {len(function.params)} arguments, not {len(wanted.args)}"
            )
        arguments = [
            from_json(table, param, given)
            for param, given in zip(function.params, wanted.args, strict=True)
        ]
        result = ask.context.contracts.call(address, wanted.method, *arguments, height=height)
        return schemas.ViewAnswer(result=to_json(table, function.result, result))

    return await ask.read(call)


async def list_events(ask: Ask[AskedEvents, NoBody]) -> schemas.Events:
    """Return events of a contract in the order of the chain."""
    asked, chain = ask.asked, ask.context.chain
    address = contract_address(asked.contract)

    def find() -> schemas.Events:
        places = chain.events(
            address,
            first_height=Height(asked.first_height),
            last_height=None if asked.last_height is None else Height(asked.last_height),
            limit=asked.limit,
            after=_after(asked, address),
        )
        with chain.view() as state:
            renderer = Renderer(state, chain.machine.library)
            shown = tuple(renderer.placed(place) for place in places)
        return schemas.Events(events=shown, is_complete=len(shown) < asked.limit)

    return await ask.read(find)


def _after(asked: AskedEvents, contract: Address) -> EventPlace | None:
    if asked.after_height is None:
        return None
    return EventPlace(
        height=Height(asked.after_height),
        receipt_index=asked.after_receipt,
        event_index=asked.after_event,
        event=Event(contract, "", b""),
    )


ROUTES = (
    Route(
        method="GET",
        path="/v1/contracts/{contract}",
        name="contract",
        summary="What a contract is and can be asked.",
        handler=show_contract,
        asked=AskedContract,
        answer=schemas.Contract,
        tag="contracts",
    ),
    Route(
        method="POST",
        path="/v1/contracts/{contract}/view",
        name="view",
        summary="Call a view of a contract; it changes nothing.",
        handler=call_view,
        asked=AskedContract,
        body=schemas.ViewRequest,
        answer=schemas.ViewAnswer,
        refusals=(410, 422),
        cost=8,
        tag="contracts",
    ),
    Route(
        method="GET",
        path="/v1/contracts/{contract}/events",
        name="events",
        summary="Events of a contract in the order of the chain.",
        handler=list_events,
        asked=AskedEvents,
        answer=schemas.Events,
        cost=8,
        tag="contracts",
    ),
)
