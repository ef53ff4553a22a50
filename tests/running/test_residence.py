"""Maps of databases are given back once there is much of them."""

import asyncio
import sys
from pathlib import Path

import lmdb
import pytest

from node.running.residence import ResidenceKeeper
from node.storage.residence import mapped_bytes

SIZE_BYTES = 32 << 20


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is mapped")
@pytest.mark.asyncio
async def test_a_node_gives_its_maps_back_once_they_are_large(tmp_path: Path) -> None:
    with lmdb.open(str(tmp_path), map_size=2 * SIZE_BYTES, sync=False) as opened:
        with opened.begin(write=True) as writing:
            writing.put(b"key", bytes(SIZE_BYTES))
        with opened.begin() as reading:
            assert reading.get(b"key") == bytes(SIZE_BYTES)
        full = mapped_bytes()
        for bound, is_kept in ((full + SIZE_BYTES, True), (full - SIZE_BYTES // 2, False)):
            keeper = ResidenceKeeper([tmp_path], look_s=0.02, mapped_bytes_max=bound)
            async with asyncio.TaskGroup() as group:
                running = group.create_task(keeper.run(), name="residence")
                await asyncio.sleep(0.3)
                running.cancel()
            assert (mapped_bytes() > full - SIZE_BYTES // 2) == is_kept
