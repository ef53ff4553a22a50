"""Blobs stream both ways; only public ones leave, and only what was promised stays."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from fl.rules.update.root import blob_root
from node.blobs.manifest import Access, blob_id
from node.blobs.store import BlobStore
from node.rpc.errors import NodeAnswerError
from node.storage.disk import Reserve
from tests.chain.founded import genesis_file
from tests.rpc.stage import PLENTY, Stage, open_stage
from tests.rpc.wire import exchange, statuses

pytestmark = pytest.mark.asyncio(loop_scope="module")

LONG = bytes(range(256)) * 4_097
CID = str(blob_root(LONG))


@pytest_asyncio.fixture(name="stage", scope="module", loop_scope="module")
async def _stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with open_stage(tmp_path_factory.mktemp("node"), genesis=genesis_file()) as stage:
        yield stage


def store_of(stage: Stage) -> BlobStore:
    assert stage.context.blobs is not None
    return stage.context.blobs


def uploads_of(stage: Stage) -> list[Path]:
    assert stage.context.uploads is not None
    return list(stage.context.uploads.folder.iterdir())


async def test_blob_goes_in_and_comes_out_whole(stage: Stage, tmp_path: Path) -> None:
    path = tmp_path / "long"
    path.write_bytes(LONG)
    async with stage.client_of() as operator:
        by_name = await operator.put_blob(path, cid=CID)
        assert by_name == await operator.put_blob(LONG)
    assert (by_name.cid, by_name.size_bytes, by_name.is_public) == (CID, len(LONG), True)
    assert await stage.client.blob(CID) == LONG
    assert await stage.client.save_blob(by_name.id, tmp_path / "copy") == len(LONG)
    assert (tmp_path / "copy").read_bytes() == LONG
    assert await stage.client.blob_stat(by_name.id) == by_name
    assert store_of(stage).stat(blob_id(blob_root(LONG))).reasons == ("operator",)
    assert uploads_of(stage) == []


async def test_file_that_cannot_be_written_is_told_as_such(stage: Stage, tmp_path: Path) -> None:
    async with stage.client_of() as operator:
        stat = await operator.put_blob(LONG)
    with pytest.raises(FileNotFoundError):
        await stage.client.save_blob(stat.id, tmp_path / "nowhere" / "copy")
    (tmp_path / "there").touch()
    with pytest.raises(FileExistsError):
        await stage.client.save_blob(stat.id, tmp_path / "there")
    with pytest.raises(NodeAnswerError):
        await stage.client.save_blob(bytes(32).hex(), tmp_path / "nowhere" / "copy")


async def test_empty_blob_is_a_blob(stage: Stage) -> None:
    async with stage.client_of() as operator:
        stat = await operator.put_blob(b"")
    assert stat.size_bytes == 0
    assert await stage.client.blob(stat.cid) == b""


async def test_private_blob_is_as_if_it_were_not_here(stage: Stage) -> None:
    cid = await asyncio.to_thread(store_of(stage).put, b"sealed", access=Access.PRIVATE)
    for question in (stage.client.blob(str(cid)), stage.client.blob_stat(str(cid))):
        with pytest.raises(NodeAnswerError) as caught:
            await question
        assert (caught.value.status, caught.value.answer_code) == (404, "blob_missing")


async def test_content_must_be_what_its_name_says(stage: Stage) -> None:
    async with stage.client_of() as operator:
        with pytest.raises(NodeAnswerError) as caught:
            await operator.put_blob(b"other content", cid=CID)
    assert (caught.value.status, caught.value.answer_code) == (422, "blob_bad")
    assert uploads_of(stage) == []


@pytest.mark.parametrize("cid", ["b" + "a" * 58, "bafy", "0" * 63, "b" + "1" * 58])
async def test_other_names_are_refused(stage: Stage, cid: str) -> None:
    with pytest.raises(NodeAnswerError) as caught:
        await stage.client.blob(cid)
    assert caught.value.status == 400


async def test_digest_alone_is_no_promise_of_content(stage: Stage) -> None:
    async with stage.client_of() as operator:
        with pytest.raises(NodeAnswerError, match="whole CID"):
            await operator.put_blob(b"x", cid="0" * 64)


async def test_store_that_is_full_says_so(stage: Stage) -> None:
    async with stage.client_of() as operator:
        with pytest.raises(NodeAnswerError) as caught:
            await operator.put_blob(bytes((1 << 24) + 1))
    assert (caught.value.status, caught.value.answer_code) == (409, "blob_room")


async def uploading(stage: Stage, size_bytes: int) -> asyncio.StreamWriter:
    """Begin an upload that does not go on; the server has it when this returns."""
    head = (
        b"POST /v1/blobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n"
        b"Content-Length: %d\r\nAuthorization: Bearer " % size_bytes
    )
    _, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    writer.write(head + stage.token().encode() + b"\r\n\r\n" + bytes(1_000))
    await _uploads_are(stage, 1)
    return writer


async def _uploads_are(stage: Stage, count: int) -> None:
    async with asyncio.timeout(5):
        while len(uploads_of(stage)) != count:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.01)


async def test_upload_that_ends_early_leaves_nothing(stage: Stage) -> None:
    before = store_of(stage).total.blobs
    writer = await uploading(stage, 1_000_000)
    writer.transport.abort()
    await _uploads_are(stage, 0)
    assert store_of(stage).total.blobs == before


async def test_uploads_together_are_bounded_until_one_of_them_ends(tmp_path: Path) -> None:
    limits = replace(PLENTY, uploads_bytes_max=2_000_000)
    async with (
        open_stage(tmp_path, genesis=genesis_file(), limits=limits) as stage,
        stage.client_of() as operator,
    ):
        writer = await uploading(stage, 900_000)
        with pytest.raises(NodeAnswerError, match="900000 bytes of your uploads") as caught:
            await operator.put_blob(bytes(200_000))
        assert (caught.value.status, caught.value.answer_code) == (503, "unavailable")
        assert (await operator.put_blob(bytes(100_000))).size_bytes == 100_000
        writer.transport.abort()
        await _uploads_are(stage, 0)
        assert (await operator.put_blob(bytes(200_000))).size_bytes == 200_000


async def test_no_upload_takes_what_the_disk_must_keep(tmp_path: Path) -> None:
    everything = Reserve(percent=100, bytes_max=1 << 62)
    async with (
        open_stage(tmp_path, genesis=genesis_file(), reserve=everything) as stage,
        stage.client_of() as operator,
    ):
        with pytest.raises(NodeAnswerError, match="disk of this node is nearly full") as caught:
            await operator.put_blob(LONG)
        assert (caught.value.status, caught.value.answer_code) == (503, "unavailable")
        assert str(tmp_path) not in str(caught.value)
        assert uploads_of(stage) == []


async def test_reader_that_leaves_early_costs_nothing(stage: Stage) -> None:
    request = (
        f"GET /v1/blobs/{CID} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    )
    _, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    writer.write(request)
    await writer.drain()
    writer.transport.abort()
    assert statuses(await exchange(stage.port, request))[0] == 200
