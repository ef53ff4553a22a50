"""Blobs: give public ones to anybody, take new ones from members; both stream."""

import asyncio
from typing import Annotated, Final

import msgspec
from aiohttp import web

from node.blobs.errors import NoSuchBlobError
from node.blobs.manifest import Access as BlobAccess
from node.blobs.manifest import BlobId, blob_id
from node.blobs.store import BlobStore
from node.rpc import schemas
from node.rpc.errors import BadRequestError, UnavailableError
from node.rpc.route import Access, AnyAsk, Ask, Medium, NoBody, NoParameters, Octets, Route
from primitives.cid import Cid

LEAVES_AT_ONCE: Final = 4
"""A megabyte in memory for each reader."""

CidText = Annotated[
    str,
    msgspec.Meta(
        pattern="^(b[a-z2-7]{58}|[0-9a-f]{64})$",
        description="A CID in base32, or the 32-byte digest in it, as contracts name blobs.",
    ),
]


class AskedBlob(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A blob by its content id."""

    cid: CidText


def _store(ask: AnyAsk) -> BlobStore:
    if ask.context.blobs is None:
        raise UnavailableError("this node keeps no blobs")
    return ask.context.blobs


def _named(text: str) -> BlobId:
    return BlobId(bytes.fromhex(text)) if len(text) == 64 else blob_id(Cid.parse(text))


def shown(store: BlobStore, blob: BlobId) -> schemas.BlobStat:
    """Return a blob as the API tells it."""
    stat = store.stat(blob)
    return schemas.BlobStat(
        cid=str(stat.cid),
        id=blob.hex(),
        size_bytes=stat.size_bytes,
        is_public=stat.access is BlobAccess.PUBLIC,
    )


def _public(store: BlobStore, text: str) -> BlobId:
    blob = _named(text)
    if not store.is_public(blob):
        raise NoSuchBlobError(f"no public blob {text} is here")
    return blob


async def show_blob(ask: Ask[AskedBlob, NoBody]) -> schemas.BlobStat:
    """Return what is known of a public blob."""
    store = _store(ask)
    return await ask.read(lambda: shown(store, _public(store, ask.asked.cid)))


async def send_blob(ask: Ask[AskedBlob, NoBody]) -> web.StreamResponse:
    """Send the content of a public blob, chunk by chunk."""
    store = _store(ask)
    blob = _public(store, ask.asked.cid)
    with store.in_use(blob):
        manifest = store.manifest(blob)
        response = web.StreamResponse(
            headers={
                "Content-Type": Medium.OCTETS.value,
                "Content-Length": str(manifest.size_bytes),
                "Server": "hanse",
                "X-Content-Type-Options": "nosniff",
            }
        )
        await response.prepare(ask.request)
        for first in range(0, manifest.leaf_count, LEAVES_AT_ONCE):
            leaves = await asyncio.to_thread(store.leaves, blob, first=first, count=LEAVES_AT_ONCE)
            for leaf in leaves:
                await response.write(leaf)
    await response.write_eof()
    return response


async def put_blob(ask: Ask[AskedBlob, Octets]) -> schemas.BlobStat:
    """Keep content under the id that it must have."""
    cid = Cid.parse(ask.asked.cid) if ask.asked.cid.startswith("b") else None
    if cid is None:
        raise BadRequestError("give the whole CID, b..., not only its digest")
    return await _received(ask, expected=cid.encode())


async def post_blob(ask: Ask[NoParameters, Octets]) -> schemas.BlobStat:
    """Keep content and return its id."""
    return await _received(ask, expected=None)


async def _received(ask: AnyAsk, *, expected: bytes | None) -> schemas.BlobStat:
    store, uploads = _store(ask), ask.context.uploads
    if uploads is None:
        raise UnavailableError("this node takes no blobs")
    # What the operator brings stays; what others bring may go when room is needed.
    pin = "operator" if ask.caller.is_operator else None
    async with uploads.spooled(
        ask.request, of=ask.caller.address, bytes_max=ask.limits.uploads_bytes_max
    ) as path:
        cid = await asyncio.to_thread(
            store.put_file, path, access=BlobAccess.PUBLIC, pin=pin, expected=expected
        )
    return await ask.read(lambda: shown(store, blob_id(cid)))


ROUTES = (
    Route(
        method="GET",
        path="/v1/blobs/{cid}",
        name="blob",
        summary="The content of a public blob.",
        handler=send_blob,
        asked=AskedBlob,
        medium=Medium.OCTETS,
        cost=16,
        tag="blobs",
    ),
    Route(
        method="PUT",
        path="/v1/blobs/{cid}",
        name="put_blob",
        summary="Keep content under the id that it must have.",
        handler=put_blob,
        asked=AskedBlob,
        body=Octets,
        answer=schemas.BlobStat,
        access=Access.MEMBER,
        refusals=(409, 422),
        cost=32,
        tag="blobs",
    ),
    Route(
        method="POST",
        path="/v1/blobs",
        name="post_blob",
        summary="Keep content and return its id.",
        handler=post_blob,
        body=Octets,
        answer=schemas.BlobStat,
        access=Access.MEMBER,
        refusals=(409, 422),
        cost=32,
        tag="blobs",
    ),
    Route(
        method="GET",
        path="/v1/blobs/{cid}/stat",
        name="blob_stat",
        summary="What is known of a public blob.",
        handler=show_blob,
        asked=AskedBlob,
        answer=schemas.BlobStat,
        tag="blobs",
    ),
)
