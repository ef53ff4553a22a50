"""Updates that the operator hands in by hand: sealed by whoever made them, given to validators."""

import asyncio

import msgspec

from node.blobs.manifest import BlobId
from node.blobs.sealed import SealedRoot
from node.blobs.sealing import check_envelope
from node.rpc import schemas
from node.rpc.errors import ConflictError, UnavailableError
from node.rpc.route import Access, Ask, Octets, Route
from node.rpc.routes.asked import Number
from node.rpc.routes.blob_routes import shown
from node.rpc.texts import DigestText


class AskedUpdate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An update of a round."""

    task: Number
    round: Number
    root: DigestText


async def offer_update(ask: Ask[AskedUpdate, Octets]) -> schemas.BlobStat:
    """Keep a sealed update until its round is over, and give it to whoever asks."""
    context, asked = ask.context, ask.asked
    envelopes, store, uploads = context.envelopes, context.blobs, context.uploads
    if envelopes is None or store is None or uploads is None:
        raise UnavailableError("this node takes no updates")
    running = await ask.read(lambda: context.federation.round(asked.task))
    if running is None or running.number != asked.round:
        raise ConflictError(f"round {asked.round} of task {asked.task} does not run")
    sealed = SealedRoot(asked.task, asked.round, BlobId(bytes.fromhex(asked.root)))
    async with uploads.spooled(
        ask.request, of=ask.caller.address, bytes_max=ask.limits.uploads_bytes_max
    ) as path:
        envelope = await asyncio.to_thread(path.read_bytes)
    # An update that came as it is would be public at once.
    await asyncio.to_thread(check_envelope, envelope)
    blob = await asyncio.to_thread(envelopes.offer, sealed, envelope)
    return await ask.read(lambda: shown(store, blob))


ROUTES = (
    Route(
        method="POST",
        path="/v1/tasks/{task}/rounds/{round}/updates/{root}",
        name="offer_update",
        summary="Give a sealed update to those who have seats in the running round.",
        handler=offer_update,
        asked=AskedUpdate,
        body=Octets,
        answer=schemas.BlobStat,
        access=Access.OPERATOR,
        refusals=(409, 422),
        cost=32,
        tag="tasks",
    ),
)
