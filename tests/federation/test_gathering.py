"""A node that joined late gets what a version was made of, and only what the chain names."""

from pathlib import Path

import pytest

from node.blobs.errors import BlobUnavailableError
from node.blobs.manifest import BlobId
from node.federation.errors import NoSuchVersionError
from node.federation.gathering import Gatherer
from node.federation.views import FederationReader, NoSuchTaskError
from tests.blobs.shelves import quarter
from tests.dsl.virtual_time import in_virtual_time
from tests.federation.history import History
from tests.federation.local_caller import LocalCaller


@in_virtual_time
async def test_late_node_gathers_the_lineage_of_each_version_from_its_peers(tmp_path: Path) -> None:
    async with quarter(tmp_path) as place:
        keeper, late = await place.keeper(1), await place.keeper(2)
        history = History(keeper.store, tmp_path / "made")
        history.begin()
        versions = [await history.add(number) for number in (0, 1)]
        history.publish()
        reader = FederationReader(LocalCaller(history.chain))
        gatherer = Gatherer(late.fetcher, deadline_ms=5_000)

        for number in range(3):
            found = await gatherer.gather(reader, task=0, version=number)
            assert all(late.store.has(blob) for blob in found)
            assert late.store.is_public(found[0])
            if number:
                made = versions[number - 1]
                assert set(found[1:]) == {BlobId(made.model), *map(BlobId, made.roots)}
        assert late.store.total.pinned_bytes == 0

        with pytest.raises(NoSuchVersionError):
            await gatherer.gather(reader, task=0, version=3)
        with pytest.raises(NoSuchTaskError):
            await gatherer.gather(reader, task=1, version=0)


@in_virtual_time
async def test_what_nobody_gives_in_time_is_named(tmp_path: Path) -> None:
    async with quarter(tmp_path) as place:
        keeper, late = await place.keeper(1), await place.keeper(2)
        history = History(keeper.store, tmp_path / "made")
        history.begin()
        made = await history.add(0)
        history.publish(roots=[b"r" * 32, *made.roots[1:]])
        reader = FederationReader(LocalCaller(history.chain))
        with pytest.raises(BlobUnavailableError, match="72" * 32):
            await Gatherer(late.fetcher, deadline_ms=3_000).gather(reader, task=0, version=1)
