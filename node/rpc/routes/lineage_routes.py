"""What a version of a model was made of, so that a node that joined late can serve it too."""

from node.rpc import schemas
from node.rpc.errors import UnavailableError
from node.rpc.route import Ask, NoBody, Route
from node.rpc.routes.asked import AskedModel
from node.rpc.routes.blob_routes import shown


async def gather_blobs(ask: Ask[AskedModel, NoBody]) -> schemas.Gathered:
    """Return the blobs that the chain names for a version, fetched from peers if need be."""
    context, asked = ask.context, ask.asked
    gatherer, store = context.gatherer, context.blobs
    if gatherer is None or store is None:
        raise UnavailableError("this node fetches no blobs")
    found = await gatherer.gather(context.federation, task=asked.task, version=asked.version)
    return await ask.read(
        lambda: schemas.Gathered(blobs=tuple(shown(store, blob) for blob in found))
    )


ROUTES = (
    Route(
        method="GET",
        path="/v1/models/{task}/{version}/blobs",
        name="model_blobs",
        summary="The document, model and updates of a version, fetched from peers if need be.",
        handler=gather_blobs,
        asked=AskedModel,
        answer=schemas.Gathered,
        cost=16,
        asks_peers=True,
        tag="tasks",
    ),
)
