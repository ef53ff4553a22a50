"""Money at work: the price of gas, and what an account has staked."""

from node.ledger.chain import read_chain
from node.ledger.parameters import read_parameters
from node.ledger.staking.queries import Holding, holding_of
from node.ledger.staking.tables import read_roster
from node.ledger.staking.term import Term
from node.rpc import stake_schemas
from node.rpc.route import Ask, NoBody, NoParameters, Route
from node.rpc.routes.asked import AskedAddress
from node.rpc.texts import account_text, address_text, parse_address
from primitives.ids import Address, Height


async def show_fees(ask: Ask[NoParameters, NoBody]) -> stake_schemas.Fees:
    """Return what gas costs now."""

    def find() -> stake_schemas.Fees:
        with ask.context.chain.view() as state:
            record, parameters = read_chain(state), read_parameters(state)
        return stake_schemas.Fees(
            height=record.height,
            base_fee=str(record.base_fee),
            fee_min=str(parameters.fees.fee_min),
            gas_target=str(parameters.fees.gas_target),
            transaction_gas_max=str(parameters.limits.transaction_gas_max),
        )

    return await ask.read(find)


async def list_holdings(ask: Ask[AskedAddress, NoBody]) -> stake_schemas.Holdings:
    """Return what an account has at each validator."""
    address = parse_address(ask.asked.address)
    wanted = None if ask.asked.height is None else Height(ask.asked.height)

    def find() -> stake_schemas.Holdings:
        with ask.context.chain.view(wanted) as state:
            epoch = read_chain(state).epoch
            term = Term(epoch, read_parameters(state).staking)
            found = [
                (operator, holding_of(state, term=term, validator=operator, delegator=address))
                for operator in read_roster(state)
            ]
        return stake_schemas.Holdings(
            address=address_text(address),
            epoch=epoch,
            holdings=tuple(_shown(operator, one) for operator, one in found if _is_any(one)),
        )

    return await ask.read(find)


def _is_any(holding: Holding) -> bool:
    return bool(holding.free or holding.entering or holding.arrived or holding.leaving)


def _shown(operator: Address, holding: Holding) -> stake_schemas.Holding:
    return stake_schemas.Holding(
        validator=account_text(operator),
        free=str(holding.free),
        entering=str(holding.entering),
        arrived=str(holding.arrived),
        leaving=str(holding.leaving),
    )


ROUTES = (
    Route(
        method="GET",
        path="/v1/fees",
        name="fees",
        summary="What gas costs now.",
        handler=show_fees,
        answer=stake_schemas.Fees,
    ),
    Route(
        method="GET",
        path="/v1/accounts/{address}/holdings",
        name="holdings",
        summary="What an account has staked, and where.",
        handler=list_holdings,
        asked=AskedAddress,
        answer=stake_schemas.Holdings,
        refusals=(410,),
        cost=8,
    ),
)
