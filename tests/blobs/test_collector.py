"""The folder of blobs stays below its bound, and what nobody needs goes by itself."""

import asyncio
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from node.blobs.bounds import divided
from node.blobs.collector import REST_S, BlobCollector
from node.blobs.manifest import Access, blob_id
from node.blobs.store import COLLECTED_MAX, KEPT_MS, BlobStore
from tests.blobs.shelves import CHAIN, CHUNK, NODE, Watch, content, opened

MIB = 1 << 20


def folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


@pytest.mark.asyncio
async def test_collector_drops_what_nobody_used_and_keeps_what_is_pinned(tmp_path: Path) -> None:
    clock = Watch()
    with opened(tmp_path, clock=clock) as store:
        pinned = blob_id(store.put(b"pinned", access=Access.PUBLIC, pin="a"))
        for number in range(COLLECTED_MAX + 3):
            store.put(b"%d" % number, access=Access.PUBLIC)
        clock.now_ms += KEPT_MS + 1
        fresh = blob_id(store.put(b"fresh", access=Access.PUBLIC))
        collector = BlobCollector(store, collect_s=0.001)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1 + 2 * REST_S):
                await collector.run()
        assert store.total.blobs == 2
        assert store.has(pinned)
        assert store.has(fresh)


@pytest.mark.asyncio
async def test_collector_waits_out_a_disk_without_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Watch()
    with opened(tmp_path, clock=clock) as store:
        store.put(b"old", access=Access.PUBLIC)
        clock.now_ms += KEPT_MS + 1
        collector = BlobCollector(store, collect_s=0.001)
        async with asyncio.TaskGroup() as tasks:
            with monkeypatch.context() as full:
                full.setattr(
                    os,
                    "statvfs",
                    lambda _: SimpleNamespace(f_bavail=0, f_frsize=4_096, f_blocks=1 << 20),
                )
                running = tasks.create_task(collector.run(), name="collector")
                await asyncio.sleep(0.1)
                assert store.total.blobs == 1
            async with asyncio.timeout(10):
                while store.total.blobs:  # noqa: ASYNC110 - the collector tells nobody
                    await asyncio.sleep(0.01)
            running.cancel()


@pytest.mark.slow
def test_folder_stays_below_its_bound_whatever_comes_and_goes(tmp_path: Path) -> None:
    total_bytes = 24 * MIB
    bounds = divided(total_bytes)
    with BlobStore.open(
        tmp_path,
        chain_id=CHAIN,
        node_id=NODE,
        clock=Watch(),
        bounds=bounds,
    ) as store:
        store.put(content(4 * CHUNK, seed=9_999), access=Access.PUBLIC, pin="keep")
        largest = 0
        for seed in range(150):
            size_bytes = 1_000 + seed * 7_919 % (4 * CHUNK)
            blob = blob_id(store.put(content(size_bytes, seed=seed), access=Access.PRIVATE))
            store.path(blob)
            largest = max(largest, folder_bytes(tmp_path))
        assert store.total.size_bytes > bounds.bytes_max // 2
        assert largest <= total_bytes
