"""Transactions: submit them, and find out what became of them."""

from node.rpc import schemas
from node.rpc.errors import NotFoundError
from node.rpc.rendering import Renderer
from node.rpc.route import Ask, NoBody, NoParameters, Route
from node.rpc.routes.asked import AskedTransaction
from node.rpc.texts import parse_base64, parse_digest
from primitives.errors import InvalidTransactionError


async def submit(ask: Ask[NoParameters, schemas.SubmitRequest]) -> schemas.Submitted:
    """Put a transaction into the mempool."""
    transaction_id = await ask.context.mempool.submit(parse_base64(ask.body.raw))
    return schemas.Submitted(transaction_id=transaction_id.hex())


async def submit_many(
    ask: Ask[NoParameters, schemas.SubmitManyRequest],
) -> schemas.SubmittedMany:
    """Put several transactions into the mempool, in this order."""
    outcomes = [await _submitted(ask, raw) for raw in ask.body.raws]
    return schemas.SubmittedMany(outcomes=tuple(outcomes))


async def _submitted(
    ask: Ask[NoParameters, schemas.SubmitManyRequest], text: str
) -> schemas.SubmitOutcome:
    raw = parse_base64(text)
    try:
        transaction_id = await ask.context.mempool.submit(raw)
    except InvalidTransactionError as error:
        refusal = schemas.ErrorBody(code=error.code, message=str(error))
        return schemas.SubmitOutcome(refusal=refusal)
    return schemas.SubmitOutcome(transaction_id=transaction_id.hex())


async def show_transaction(ask: Ask[AskedTransaction, NoBody]) -> schemas.TransactionState:
    """Return what became of a transaction."""
    chain, transaction_id = ask.context.chain, parse_digest(ask.asked.id)

    def find() -> schemas.TransactionState:
        place = chain.find_transaction(transaction_id)
        receipt = None if place is None else chain.receipt(*place)
        if place is None or receipt is None:
            raise NotFoundError("no commit that is kept here has this transaction")
        height, index = place
        with chain.view() as state:
            renderer = Renderer(state, chain.machine.library)
            shown = renderer.receipt(receipt, height=height, index=index)
        certified = chain.certified
        return schemas.TransactionState(
            transaction_id=transaction_id.hex(),
            is_final=certified is not None and certified.checkpoint.height >= height,
            receipt=shown,
        )

    return await ask.read(find)


ROUTES = (
    Route(
        method="POST",
        path="/v1/transactions",
        name="submit",
        summary="Put a transaction into the mempool.",
        handler=submit,
        body=schemas.SubmitRequest,
        answer=schemas.Submitted,
        status=202,
        refusals=(422,),
        tag="transactions",
    ),
    Route(
        method="POST",
        path="/v1/transactions/batch",
        name="submit_many",
        summary="Put several transactions into the mempool, in this order.",
        handler=submit_many,
        body=schemas.SubmitManyRequest,
        answer=schemas.SubmittedMany,
        status=202,
        refusals=(422,),
        cost=4,
        tag="transactions",
    ),
    Route(
        method="GET",
        path="/v1/transactions/{id}",
        name="transaction",
        summary="What became of a transaction.",
        handler=show_transaction,
        asked=AskedTransaction,
        answer=schemas.TransactionState,
        tag="transactions",
    ),
)
