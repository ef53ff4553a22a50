"""Sealed updates reach the validators they are for, and stay private until they are published."""

import asyncio
from collections.abc import AsyncGenerator
from functools import partial
from pathlib import Path

import msgspec
import pytest

from fl.rules.update.root import blob_root
from node.blobs.errors import BadEnvelopeError, BlobRoomError, BlobUnavailableError
from node.blobs.manifest import MANIFEST_CODEC, Access, BlobId, blob_id
from node.blobs.messages import (
    BLOB_REQUEST_CODEC,
    ENVELOPES_PER_ANSWER_MAX,
    SEALED_ANSWER_CODEC,
    SEALED_REQUEST_CODEC,
    OpenBlob,
    SealedAnswer,
    blob_protocol,
    sealed_protocol,
)
from node.blobs.sealed import Opener, SealedRoot, SealedUpdates
from node.blobs.sealing import open_envelope, seal
from node.blobs.source import Memory, manifest_of
from node.chain.names import protocol
from p2p.errors import RequestRefusedError
from p2p.host import Host
from p2p.request import RequestServer, ask_once
from p2p.wire.peer_id import PeerId
from primitives.hashing import sha256
from tests.blobs.shelves import CHAIN, CHUNK, Keeper, content, opened, quarter
from tests.blobs.test_sealing import Rng, consensus_key, operator, recipients
from tests.dsl.virtual_time import LoopClock, in_virtual_time
from tests.p2p.town import now_s

BLOB = blob_protocol(protocol(CHAIN, "blob"))
SEALED = sealed_protocol(protocol(CHAIN, "sealed"))
UPDATE = content(3 * CHUNK + 1)
ROOT = SealedRoot(4, 2, blob_id(blob_root(UPDATE)))


def opener(name: str) -> Opener:
    return partial(open_envelope, operator=operator(name), consensus_key=consensus_key(name))


def envelope(*names: str, update: bytes = UPDATE) -> bytes:
    return seal(update, recipients=recipients(*names), rng=Rng())


async def fetched(keeper: Keeper, name: str, *holders: Keeper, deadline_ms: int = 60_000) -> bytes:
    await keeper.sealed.fetch(
        ROOT,
        opener=opener(name),
        holders=[holder.host.peer_id for holder in holders],
        deadline_ms=deadline_ms,
        size_bytes_max=len(UPDATE),
        pin="round/4/2",
    )
    return keeper.store.read(ROOT.root)


def answers(host: Host, *envelopes: BlobId) -> None:
    async def answer(asker: PeerId, body: bytes) -> AsyncGenerator[bytes, None]:
        yield SEALED_ANSWER_CODEC.encode(SealedAnswer(envelopes))

    host.handle(SEALED.name, RequestServer(SEALED, answer, clock=LoopClock()).serve)


@in_virtual_time
async def test_a_validator_gets_the_update_and_passes_the_envelope_on(tmp_path: Path) -> None:
    async with quarter(tmp_path) as place:
        trainer, first, second = [await place.keeper(number) for number in (1, 2, 3)]
        trainer.sealed.offer(ROOT, envelope("a", "b"))
        assert await fetched(first, "a", trainer) == UPDATE
        assert not first.store.is_public(ROOT.root)
        assert first.store.stat(ROOT.root).reasons == ("round/4/2",)
        for kept in trainer.sealed.known(ROOT):
            trainer.store.drop(kept)
        assert await fetched(second, "b", first) == UPDATE
        # Until it is published, nobody gets what was in the envelope.
        with pytest.raises(BlobUnavailableError):
            await trainer.fetcher.fetch(ROOT.root, deadline_ms=3_000, size_bytes_max=len(UPDATE))
        first.store.publish(ROOT.root)
        await trainer.fetcher.fetch(ROOT.root, deadline_ms=9_000, size_bytes_max=len(UPDATE))


@in_virtual_time
async def test_what_is_here_asks_nobody(tmp_path: Path) -> None:
    async with quarter(tmp_path) as place:
        alone = await place.keeper(1)
        alone.put(UPDATE, access=Access.PRIVATE)
        assert await fetched(alone, "a", deadline_ms=1) == UPDATE


@in_virtual_time
async def test_an_envelope_for_others_or_of_something_else_is_passed_over(tmp_path: Path) -> None:
    async with quarter(tmp_path) as place:
        liar, honest, near = [await place.keeper(number) for number in (1, 2, 3)]
        liar.sealed.offer(ROOT, envelope("b"))
        liar.sealed.offer(ROOT, envelope("a", update=b"another update"))
        liar.sealed.offer(ROOT, b"no envelope at all")
        with pytest.raises(BlobUnavailableError, match="envelope"):
            await fetched(near, "a", liar, deadline_ms=3_000)
        honest.sealed.offer(ROOT, envelope("a"))
        assert await fetched(near, "a", liar, honest) == UPDATE
        assert len(near.sealed.known(ROOT)) == 1
        assert not list(near.host.bans)


@in_virtual_time
async def test_an_envelope_that_is_too_long_is_not_fetched(tmp_path: Path) -> None:
    async with quarter(tmp_path) as place:
        liar, near = [await place.keeper(number) for number in (1, 2)]
        liar.sealed.offer(ROOT, content(len(UPDATE) + 20 * CHUNK, seed=5))
        with pytest.raises(BlobUnavailableError, match="over the limit"):
            await fetched(near, "a", liar, deadline_ms=3_000)
        assert near.store.total.blobs == 0


@in_virtual_time
async def test_an_envelope_that_is_too_long_is_not_opened_if_it_is_here_either(
    tmp_path: Path,
) -> None:
    async with quarter(tmp_path) as place:
        liar, near = [await place.keeper(number) for number in (1, 2)]
        long = envelope("a", update=content(len(UPDATE) + 20 * CHUNK, seed=5))
        near.put(long)
        liar.sealed.offer(ROOT, long)
        with pytest.raises(BlobUnavailableError, match="over the limit"):
            await fetched(near, "a", liar, deadline_ms=3_000)


@in_virtual_time
async def test_a_flood_of_envelopes_ends(tmp_path: Path) -> None:
    async with quarter(tmp_path) as place:
        near = await place.keeper(1)
        holders = []
        for number in range(4):
            other = await place.keeper(10 + number)
            ids = [
                blob_id(other.store.put(f"junk {number} {n}".encode(), access=Access.PUBLIC))
                for n in range(8)
            ]
            for blob in ids:
                other.sealed.offer(ROOT, other.store.read(blob))
            holders.append(other)
        with pytest.raises(BlobUnavailableError, match="32 envelopes"):
            await fetched(near, "a", *holders)


@in_virtual_time
async def test_answers_that_nobody_can_read_are_blamed(tmp_path: Path) -> None:
    async with quarter(tmp_path) as place:
        near = await place.keeper(1)
        stranger = await place.stranger(7)

        async def odd(asker: PeerId, body: bytes) -> AsyncGenerator[bytes, None]:
            yield b"\xc1"

        stranger.handle(SEALED.name, RequestServer(SEALED, odd, clock=LoopClock()).serve)
        with pytest.raises(BlobUnavailableError, match="envelopes: "):
            await near.sealed.fetch(
                ROOT,
                opener=opener("a"),
                holders=[stranger.peer_id, near.host.peer_id],
                deadline_ms=1_500,
                size_bytes_max=CHUNK,
            )
        answers(await place.stranger(8), BlobId(bytes(32)))


@in_virtual_time
async def test_a_hint_at_an_envelope_that_nobody_has_holds_nobody_up_for_ever(
    tmp_path: Path,
) -> None:
    async with quarter(tmp_path) as place:
        trainer, near = [await place.keeper(number) for number in (1, 2)]
        stranger = await place.stranger(7)
        answers(stranger, BlobId(bytes(32)))
        start_s = now_s()
        async with asyncio.TaskGroup() as group:
            fetching = group.create_task(
                near.sealed.fetch(
                    ROOT,
                    opener=opener("a"),
                    holders=[stranger.peer_id, trainer.host.peer_id],
                    deadline_ms=90_000,
                    size_bytes_max=len(UPDATE),
                ),
                name="fetch",
            )
            await asyncio.sleep(5)
            trainer.sealed.offer(ROOT, envelope("a"))
        assert fetching.done()
        assert now_s() - start_s < 40
        assert near.store.has(ROOT.root)


def makes_up(host: Host) -> None:
    """Have a host answer every question with as many ids as fit, new ones for every update."""

    async def answer(asker: PeerId, body: bytes) -> AsyncGenerator[bytes, None]:
        root = SEALED_REQUEST_CODEC.decode(body).root
        ids = (BlobId(sha256(root + bytes((n,)))) for n in range(ENVELOPES_PER_ANSWER_MAX))
        yield SEALED_ANSWER_CODEC.encode(SealedAnswer(tuple(ids)))

    host.handle(SEALED.name, RequestServer(SEALED, answer, clock=LoopClock()).serve)


@in_virtual_time
async def test_made_up_hints_of_the_first_peer_do_not_delay_the_envelope(tmp_path: Path) -> None:
    async with quarter(tmp_path) as place:
        trainer, near = [await place.keeper(number) for number in (1, 2)]
        stranger = await place.stranger(7)
        makes_up(stranger)
        trainer.sealed.offer(ROOT, envelope("a"))
        await near.sealed.fetch(
            ROOT,
            opener=opener("a"),
            holders=[stranger.peer_id, trainer.host.peer_id],
            deadline_ms=3_000,
            size_bytes_max=len(UPDATE),
        )
        assert near.store.has(ROOT.root)


@in_virtual_time
async def test_made_up_hints_at_lost_updates_starve_neither_other_updates_nor_models(
    tmp_path: Path,
) -> None:
    async with quarter(tmp_path) as place:
        trainer, near = [await place.keeper(number) for number in (1, 2)]
        stranger = await place.stranger(7)
        makes_up(stranger)
        lost = [SealedRoot(4, 2, BlobId(sha256(bytes((n,))))) for n in range(12)]
        holders = [stranger.peer_id, trainer.host.peer_id]

        async def search(sealed: SealedRoot) -> None:
            await near.sealed.fetch(
                sealed,
                opener=opener("a"),
                holders=holders,
                deadline_ms=20_000,
                size_bytes_max=len(UPDATE),
            )

        async def in_vain(sealed: SealedRoot) -> None:
            with pytest.raises(BlobUnavailableError):
                await search(sealed)

        async with asyncio.TaskGroup() as group:
            for sealed in lost:
                group.create_task(in_vain(sealed), name="lost")
            await asyncio.sleep(1)
            model = trainer.put(content(CHUNK, seed=3))
            async with asyncio.timeout(1):
                await near.fetcher.fetch(model, deadline_ms=9_000, size_bytes_max=CHUNK)
            # The trainer comes late, so everybody was asked before it had anything.
            late = group.create_task(search(ROOT), name="late")
            await asyncio.sleep(9)
            trainer.sealed.offer(ROOT, envelope("a"))
            async with asyncio.timeout(3):
                await late


@in_virtual_time
async def test_a_peer_that_never_answers_does_not_use_up_the_time(tmp_path: Path) -> None:
    async with quarter(tmp_path) as place:
        trainer, near = [await place.keeper(number) for number in (1, 2)]
        stranger = await place.stranger(7)

        async def silent(asker: PeerId, body: bytes) -> AsyncGenerator[bytes, None]:
            await asyncio.sleep(1_000)
            yield b""

        stranger.handle(SEALED.name, RequestServer(SEALED, silent, clock=LoopClock()).serve)
        trainer.sealed.offer(ROOT, envelope("a"))
        await near.sealed.fetch(
            ROOT,
            opener=opener("a"),
            holders=[stranger.peer_id, trainer.host.peer_id],
            deadline_ms=4_000,
            size_bytes_max=len(UPDATE),
        )


@in_virtual_time
async def test_an_envelope_that_comes_slowly_is_not_cut(tmp_path: Path) -> None:
    async with quarter(tmp_path) as place:
        near = await place.keeper(1)
        trainer = await place.stranger(7)
        raw = envelope("a")
        manifest = manifest_of(Memory(raw))
        opened_times: list[float] = []

        async def slow(asker: PeerId, body: bytes) -> AsyncGenerator[bytes, None]:
            assert isinstance(BLOB_REQUEST_CODEC.decode(body), OpenBlob)
            opened_times.append(now_s())
            yield MANIFEST_CODEC.encode(manifest)
            for index in range(manifest.leaf_count):
                await asyncio.sleep(2)
                yield raw[index * CHUNK : (index + 1) * CHUNK]

        trainer.handle(BLOB.name, RequestServer(BLOB, slow, clock=LoopClock()).serve)
        answers(trainer, blob_id(manifest.cid))
        await near.sealed.fetch(
            ROOT,
            opener=opener("a"),
            holders=[trainer.peer_id],
            deadline_ms=20_000,
            size_bytes_max=len(UPDATE),
        )
        assert len(opened_times) == 1


@in_virtual_time
async def test_questions_that_nobody_can_read_are_refused(tmp_path: Path) -> None:
    async with quarter(tmp_path) as place:
        near, far = [await place.keeper(number) for number in (1, 2)]
        connection = await near.host.connect(far.host.peer_id)
        for body in (b"", msgspec.msgpack.encode((-1, 0, ROOT.root))):
            with pytest.raises(RequestRefusedError):
                await ask_once(connection, SEALED, body)


@in_virtual_time
async def test_envelopes_are_remembered_until_the_round_is_settled(tmp_path: Path) -> None:
    async with quarter(tmp_path) as place:
        trainer = await place.keeper(1)
        kept = trainer.sealed.offer(ROOT, envelope("a"))
        trainer.sealed.offer(SealedRoot(4, 20, ROOT.root), envelope("b"))
        host = await place.stranger(9)
        fetcher = trainer.fetcher
        fetcher.host = host
        again = SealedUpdates(fetcher, chain_id=CHAIN)
        assert again.known(ROOT) == (kept,)
        again.forget(4, before=3)
        assert again.known(ROOT) == ()
        assert trainer.store.stat(kept).reasons == ()
        assert len(again.known(SealedRoot(4, 20, ROOT.root))) == 1


def test_an_opener_says_why() -> None:
    with pytest.raises(BadEnvelopeError):
        opener("c")(envelope("a"))


@in_virtual_time
async def test_no_room_for_an_update_is_our_own_failure(tmp_path: Path) -> None:
    async with quarter(tmp_path) as place:
        trainer, near = [await place.keeper(number) for number in (1, 2)]
        trainer.sealed.offer(ROOT, envelope("a"))
        with opened(tmp_path / "small", bytes_max=len(UPDATE) + CHUNK) as small:
            near.store.close()
            near.fetcher.store = small
            host = await place.stranger(9)
            near.fetcher.host = host
            sealed = SealedUpdates(near.fetcher, chain_id=CHAIN)
            small.put(content(2 * CHUNK, seed=8), access=Access.PUBLIC, pin="why")
            with pytest.raises(BlobRoomError):
                await sealed.fetch(
                    ROOT,
                    opener=opener("a"),
                    holders=[trainer.host.peer_id],
                    deadline_ms=9_000,
                    size_bytes_max=len(UPDATE),
                )
