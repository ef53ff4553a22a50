"""Every rule of block validity, broken alone; and every limit, reached but not passed."""

from collections.abc import Callable

import msgspec
import pytest

from consensus.block import (
    INT64_MAX,
    SIGNED_BLOCK_CODEC,
    SignedBlock,
    header_digest,
)
from consensus.committee import Authority, Committee, EpochContext
from consensus.errors import BlockSignatureError, HeaderFormatError, WrongEpochError
from consensus.verifier import BlockVerifier
from primitives.errors import InvalidBlockError, MalformedBytesError
from primitives.hashing import Domain
from tests.consensus.bench import OWN, PAYLOAD, POWERS, ROUND, Bench, report
from tests.consensus.builders import Forge, digest_of, phantom, vote
from tests.consensus.malformed import MALFORMED, Malformed
from tests.dsl.committee import context_of, key_of

GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493

over_benches = pytest.mark.parametrize(
    "bench", [Bench(powers) for powers in POWERS], ids=["4", "7", "10", "uneven"]
)


def unsigned(signed: SignedBlock) -> SignedBlock:
    """Return the block with a signature that nobody made."""
    return msgspec.structs.replace(signed, signature=bytes(64))


@over_benches
def test_block_that_uses_every_field_is_valid(bench: Bench) -> None:
    signed = bench.signed(bench.header)
    block = bench.verifier.verify(signed)
    assert block.header == bench.header
    assert block.signed is signed
    assert (block.round, block.author) == (ROUND, OWN)
    assert block.ref.digest == header_digest(signed.header)


@over_benches
@pytest.mark.parametrize("row", MALFORMED, ids=lambda row: row.name.replace(" ", "-"))
def test_block_that_breaks_one_rule_is_refused_for_it(bench: Bench, row: Malformed) -> None:
    signed = row.build(bench)
    with pytest.raises(InvalidBlockError) as caught:
        bench.verifier.verify(signed)
    assert type(caught.value) is row.error
    # `parse` never sees a key, and a forged signature changes nothing: the rule came first.
    with pytest.raises(row.error):
        bench.verifier.parse(unsigned(signed))
    with pytest.raises(row.error):
        bench.verifier.verify(unsigned(signed))


def test_table_has_sixty_classes_and_every_code() -> None:
    assert len(MALFORMED) >= 60
    assert len({row.name for row in MALFORMED}) == len(MALFORMED)
    codes = {row.error.code for row in MALFORMED} | {BlockSignatureError.code}
    declared = {
        error.code
        for error in InvalidBlockError.__subclasses__()
        if error.__module__ == "consensus.errors"
    }
    assert codes == declared


VALID: list[tuple[str, Callable[[Bench], SignedBlock]]] = [
    ("exactly a quorum of parents", lambda b: b.on_power(b.context.committee.quorum)),
    ("own ancestor of the first round", lambda b: b.on_own(phantom(1, OWN))),
    ("own genesis after a long absence", lambda b: b.on_own(b.forge.genesis()[OWN])),
    ("weak link at the horizon", lambda b: b.on_last(phantom(ROUND - 5, b.size - 1))),
    ("an author left out", lambda b: b.on(b.header.ancestors[:-1])),
    ("first round", lambda b: b.at_round(1)),
    ("genesis as weak link", lambda b: b.at_round(5, b.forge.genesis()[-1])),
    ("highest round", lambda b: b.at_round(INT64_MAX)),
    ("time zero", lambda b: b.change(timestamp_ms=0)),
    ("the end of time", lambda b: b.change(timestamp_ms=INT64_MAX)),
    ("no payload", lambda b: b.carrying()),
    ("an empty item", lambda b: b.carrying(b"")),
    ("a payload at every limit", lambda b: b.carrying(bytes(40), bytes(40), bytes(19), b"x")),
    ("no votes", lambda b: b.change(commit_votes=())),
    ("vote for the last commit", lambda b: b.change(commit_votes=(vote(INT64_MAX, digest_of(1)),))),
    ("no reports", lambda b: b.change(reports=())),
    ("report from above", lambda b: b.change(reports=(report(ROUND + 9, 0),))),
    ("report on oneself", lambda b: b.change(reports=(report(1, OWN),))),
]


@over_benches
@pytest.mark.parametrize("build", [row[1] for row in VALID], ids=[row[0] for row in VALID])
def test_limit_that_is_reached_is_not_passed(
    bench: Bench, build: Callable[[Bench], SignedBlock]
) -> None:
    bench.verifier.verify(build(bench))


@over_benches
def test_commit_votes_up_to_committee_size_are_valid(bench: Bench) -> None:
    assert len(bench.header.commit_votes) == bench.size


def _with_high_s(signature: bytes) -> bytes:
    scalar = int.from_bytes(signature[32:], "little") + GROUP_ORDER
    return signature[:32] + scalar.to_bytes(32, "little")


def _flip(signature: bytes, place: int) -> bytes:
    return signature[:place] + bytes([signature[place] ^ 1]) + signature[place + 1 :]


FORGED: list[tuple[str, Callable[[Bench, SignedBlock], bytes]]] = [
    ("zeros", lambda _, __: bytes(64)),
    ("first half mauled", lambda _, s: _flip(s.signature, 0)),
    ("second half mauled", lambda _, s: _flip(s.signature, 40)),
    ("scalar plus group order", lambda _, s: _with_high_s(s.signature)),
    ("key of another seat", lambda _, s: _sign(s, seat=0)),
    ("key of nobody", lambda _, s: _sign(s, seat=99)),
    ("another domain", lambda _, s: _sign(s, domain=Domain.COMMIT)),
    ("header bytes, not digest", lambda _, s: key_of(OWN).sign(Domain.BLOCK_SIGNATURE, s.header)),
    ("another header", lambda b, _: b.change(timestamp_ms=7).signature),
    ("same slot of another chain", lambda b, _: _twin_elsewhere(b).signature),
]


def _sign(
    signed: SignedBlock, *, seat: int = OWN, domain: Domain = Domain.BLOCK_SIGNATURE
) -> bytes:
    return key_of(seat).sign(domain, header_digest(signed.header))


def _twin_elsewhere(bench: Bench) -> SignedBlock:
    """Return what the same author signed for the same slot of another chain."""
    powers = bench.context.committee.powers
    other = context_of(powers, parameters=bench.context.parameters, chain=2)
    return bench.change(genesis=other.genesis_digest)


@over_benches
@pytest.mark.parametrize("forge", [row[1] for row in FORGED], ids=[row[0] for row in FORGED])
def test_forged_signature_is_refused_and_names_the_same_block(
    bench: Bench, forge: Callable[[Bench, SignedBlock], bytes]
) -> None:
    signed = bench.signed(bench.header)
    mauled = msgspec.structs.replace(signed, signature=forge(bench, signed))
    assert mauled.signature != signed.signature
    assert bench.verifier.parse(mauled).ref == bench.verifier.verify(signed).ref
    with pytest.raises(BlockSignatureError):
        bench.verifier.verify(mauled)


@pytest.mark.parametrize("length", [0, 1, 63, 65, 128])
def test_signature_of_another_length_does_not_decode(length: int) -> None:
    bench = Bench(POWERS[0])
    signed = bench.signed(bench.header)
    raw = msgspec.msgpack.encode([signed.header, bytes(length), PAYLOAD])
    with pytest.raises(MalformedBytesError):
        SIGNED_BLOCK_CODEC.decode(raw)


def test_public_keys_that_swap_seats_void_both_signatures() -> None:
    bench = Bench(POWERS[0])
    seats = list(bench.context.committee.authorities)
    seats[0], seats[OWN] = seats[OWN], seats[0]
    swapped = BlockVerifier(_context(seats, bench.context))
    with pytest.raises(WrongEpochError):
        swapped.verify(bench.signed(bench.header))
    header = msgspec.structs.replace(
        bench.header, genesis=_context(seats, bench.context).genesis_digest
    )
    with pytest.raises(BlockSignatureError):
        swapped.verify(bench.signed(header))


def test_valid_block_of_one_epoch_is_refused_in_every_other() -> None:
    bench = Bench(POWERS[0])
    signed = bench.signed(bench.header)
    context = bench.context
    powers = context.committee.powers
    others = [
        context_of(powers, parameters=context.parameters, chain=2),
        context_of((*powers, 1), parameters=context.parameters),
        context_of((2, 1, 1, 1), parameters=context.parameters),
        context_of(powers),
        EpochContext(
            chain_id=context.chain_id,
            epoch=context.epoch,
            committee=context.committee,
            parameters=context.parameters,
            previous=digest_of("checkpoint"),
        ),
    ]
    assert len({other.genesis_digest for other in (context, *others)}) == 6
    for other in others:
        with pytest.raises(WrongEpochError):
            BlockVerifier(other).verify(signed)


def test_header_with_other_type_of_bytes_is_refused() -> None:
    bench = Bench(POWERS[0])
    signed = bench.signed(bench.header)
    view = msgspec.structs.replace(signed, header=bytearray(signed.header))
    with pytest.raises(HeaderFormatError):
        bench.verifier.verify(view)


def _context(seats: list[Authority], context: EpochContext) -> EpochContext:
    return EpochContext(
        chain_id=context.chain_id,
        epoch=context.epoch,
        committee=Committee(seats),
        parameters=context.parameters,
    )


def test_single_seat_needs_no_other_parent() -> None:
    context = context_of((5,))
    block = Forge(context).block(1, 0)
    assert BlockVerifier(context).verify(block.signed).ref == block.ref
