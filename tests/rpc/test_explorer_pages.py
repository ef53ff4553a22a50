"""The page is served whole, kept by browsers as it may be, and nothing outside of it ever is."""

import asyncio
import gzip
import re
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from node.rpc.explorer.folder import (
    INDEX,
    PLACEHOLDER,
    STATIC,
    Folder,
    read_folder,
    shipped_folder,
    tree_of,
)
from node.rpc.explorer.pages import POLICY
from node.rpc.limits import RpcLimits
from tests.chain.founded import genesis_file
from tests.rpc.stage import Stage, open_stage
from tests.rpc.wire import exchange, statuses

FILES = sorted(path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.is_file())
FOREIGN = re.compile(
    r"""(?:https?:)?//(?!www\.w3\.org/(?:1999/xhtml|2000/svg))[\w-]+(?:\.[\w-]+)+"""
)
WRITES_MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc"
)


@pytest_asyncio.fixture(name="stage", scope="module", loop_scope="module")
async def _stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with open_stage(tmp_path_factory.mktemp("node"), genesis=genesis_file()) as stage:
        yield stage


@pytest_asyncio.fixture(name="session", scope="module", loop_scope="module")
async def _session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        yield session


on_a_node = pytest.mark.asyncio(loop_scope="module")


def tree() -> str:
    return f"/explorer/{shipped_folder().tree}"


@on_a_node
@pytest.mark.parametrize("path", ["/", "/explorer"])
async def test_door_leads_to_the_page(
    stage: Stage, session: aiohttp.ClientSession, path: str
) -> None:
    async with session.get(stage.server.url + path, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (302, "/explorer/")


@on_a_node
async def test_page_names_its_tree_and_is_asked_for_anew(
    stage: Stage, session: aiohttp.ClientSession
) -> None:
    async with session.get(f"{stage.server.url}/explorer/") as answer:
        text = gzip.decompress(await answer.read())
        assert answer.headers["Cache-Control"] == "no-cache"
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert PLACEHOLDER not in text
    assert f'"{tree()}/main.js"'.encode() in text


@on_a_node
async def test_every_file_of_the_folder_is_served_and_kept_for_ever(
    stage: Stage, session: aiohttp.ClientSession
) -> None:
    assert len(FILES) > 1
    for path in FILES:
        if path == INDEX:
            continue
        async with session.get(f"{stage.server.url}{tree()}/{path}") as answer:
            raw = await answer.read()
            assert answer.status == 200, path
            assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
            is_packed = answer.headers.get("Content-Encoding") == "gzip"
            assert (gzip.decompress(raw) if is_packed else raw) == (STATIC / path).read_bytes()


@on_a_node
async def test_head_fields_keep_the_browser_with_this_node(
    stage: Stage, session: aiohttp.ClientSession
) -> None:
    for path in ("/", "/explorer/", f"{tree()}/main.js"):
        async with session.get(stage.server.url + path, allow_redirects=False) as answer:
            assert answer.headers["Content-Security-Policy"] == POLICY
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert "Set-Cookie" not in answer.headers
    assert "unsafe" not in POLICY
    assert "*" not in POLICY


@on_a_node
@pytest.mark.parametrize("accepted", ["identity", "br", "gzip;q=0", ""])
async def test_file_comes_plain_for_who_takes_no_gzip(
    stage: Stage, session: aiohttp.ClientSession, accepted: str
) -> None:
    url = f"{stage.server.url}{tree()}/main.js"
    async with session.get(url, headers={"Accept-Encoding": accepted}) as answer:
        assert "Content-Encoding" not in answer.headers
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert await answer.read() == (STATIC / "main.js").read_bytes()


@on_a_node
@pytest.mark.parametrize("path", ["/explorer/", "main.js"])
@pytest.mark.parametrize("encoding", ["gzip", "identity"])
async def test_known_bytes_are_not_sent_again(
    stage: Stage, session: aiohttp.ClientSession, path: str, encoding: str
) -> None:
    url = stage.server.url + (path if path.startswith("/") else f"{tree()}/{path}")
    fields = {"Accept-Encoding": encoding}
    async with session.get(url, headers=fields) as answer:
        etag = answer.headers["ETag"]
    for known in (etag, f'"other", W/{etag}', "*"):
        async with session.get(url, headers={**fields, "If-None-Match": known}) as answer:
            assert (answer.status, await answer.read()) == (304, b"")
            assert answer.headers["ETag"] == etag
    async with session.get(url, headers={**fields, "If-None-Match": '"other"'}) as answer:
        assert answer.status == 200


@on_a_node
async def test_head_says_what_get_would(stage: Stage, session: aiohttp.ClientSession) -> None:
    for path in ("/explorer/", f"{tree()}/main.js"):
        async with session.get(stage.server.url + path) as asked:
            length = len(await asked.read())
        async with session.head(stage.server.url + path) as answer:
            assert await answer.read() == b""
            assert answer.status == 200
            assert int(answer.headers["Content-Length"]) == length
            assert answer.headers["ETag"] == asked.headers["ETag"]


@on_a_node
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
async def test_page_can_only_be_read(
    stage: Stage, session: aiohttp.ClientSession, method: str
) -> None:
    for path in ("/", "/explorer/", f"{tree()}/main.js"):
        async with session.request(method, stage.server.url + path) as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


@on_a_node
async def test_file_that_is_not_there_is_one_line(
    stage: Stage, session: aiohttp.ClientSession
) -> None:
    for path in (f"{tree()}/none.js", "/explorer/0123456789abcdef/main.js", f"{tree()}/"):
        async with session.get(stage.server.url + path) as answer:
            assert answer.status == 404
            assert b"\n" not in await answer.read()


TRICKS = (
    "{tree}/../folder.py",
    "{tree}/%2e%2e/folder.py",
    "{tree}/..%2ffolder.py",
    "{tree}/%2e%2e%2f%2e%2e%2fserver.py",
    "{tree}/views/..%5c..%5cfolder.py",
    "{tree}//main.js",
    "{tree}/./main.js",
    "{tree}/main.js/",
    "{tree}/main.js%00.css",
    "{tree}/main%2ejs",
    "{tree}/index.html",
    "{tree}/MAIN.JS",
    "{tree}/main.js;a=b",
    "/explorer/../explorer/folder.py",
    "/explorer/%7Btree%7D/main.js",
    "/explorer/static/main.js",
    "/explorer//etc/passwd",
    "/%65xplorer/",
    "//explorer/",
)


@on_a_node
@pytest.mark.parametrize("trick", TRICKS)
async def test_no_way_of_writing_a_path_leads_elsewhere(stage: Stage, trick: str) -> None:
    path = trick.format(tree=tree())
    answers = await exchange(
        stage.port,
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode(),
    )
    assert statuses(answers) in ([404], [400])


@on_a_node
async def test_page_is_not_for_other_names_of_the_node(stage: Stage) -> None:
    answers = await exchange(
        stage.port, b"GET /explorer/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    )
    assert statuses(answers) == [421]


@pytest.mark.parametrize("path", FILES)
def test_file_mentions_no_foreign_host_and_writes_no_markup(path: str) -> None:
    if Path(path).suffix in (".js", ".css", ".html", ".svg"):
        text = (STATIC / path).read_text(encoding="utf-8")
        assert FOREIGN.findall(text) == []
        assert WRITES_MARKUP.findall(text) == []


def test_page_has_no_script_or_style_of_its_own() -> None:
    text = (STATIC / INDEX).read_text(encoding="utf-8")
    assert re.findall(r"<script(?![^>]*\ssrc=)[^>]*>", text) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=|javascript:", text) == []


def a_folder(place: Path, **files: bytes) -> Folder:
    for name, raw in {"index.html": b"<p>{tree}", **files}.items():
        path = place / name.replace("__", "/").replace("_js", ".js")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
    return read_folder(place)


def test_tree_changes_with_every_name_and_byte() -> None:
    files = {"a.js": b"1", "b.js": b"2"}
    others = ({"a.js": b"2", "b.js": b"1"}, {"a.js": b"1"}, {"a.js": b"1", "views/b.js": b"2"})
    names = {tree_of(one.items()) for one in (files, *others)}
    assert len(names) == 4
    assert tree_of(reversed(files.items())) == tree_of(files.items())


def test_folder_reads_one_level_and_no_links(tmp_path: Path) -> None:
    secret = tmp_path / "secret.js"
    secret.write_bytes(b"secret")
    place = tmp_path / "static"
    place.mkdir()
    (place / "link.js").symlink_to(secret)
    (place / ".hidden.js").write_bytes(b"")
    (place / "notes.md").write_bytes(b"")
    folder = a_folder(place, main_js=b"1", views__chain_js=b"2", a__b__deep_js=b"3")
    assert set(folder.files) == {"main.js", "views/chain.js"}
    assert folder.index.plain == b"<p>" + folder.tree.encode()


def test_folder_without_a_page_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_folder(tmp_path)


@pytest.mark.asyncio
async def test_files_of_the_page_come_to_a_client_that_has_asked_too_much(tmp_path: Path) -> None:
    limits = RpcLimits(rate_per_s=1, burst=1)
    async with (
        open_stage(tmp_path, genesis=genesis_file(), limits=limits) as stage,
        aiohttp.ClientSession(stage.server.url) as session,
    ):
        paths = ["/health", "/health", "/explorer/", f"{tree()}/main.js", "/none"]
        answers = [await session.get(path) for path in paths]
        assert [answer.status for answer in answers] == [200, 429, 200, 200, 429]


@pytest.mark.asyncio
async def test_who_asks_for_the_page_and_does_not_read_is_cut(tmp_path: Path) -> None:
    limits = RpcLimits(deadline_ms=200, idle_ms=60_000)
    async with open_stage(tmp_path, genesis=genesis_file(), limits=limits) as stage:
        page = f"GET {tree()}/style.css HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        with socket.create_connection(("127.0.0.1", stage.port)) as deaf:
            deaf.setblocking(False)
            with suppress(BlockingIOError):
                while True:
                    deaf.send(page * 100)
            async with asyncio.timeout(10):
                # The one that asks is the other.
                while "rpc_connections 1.0" not in await stage.client.metrics():  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
