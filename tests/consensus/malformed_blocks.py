"""One row per way to break one rule of block validity (consensus.md 2.2), and no other.

A row changes a block that is valid, and its author signs the result, so that nothing but the
broken rule can refuse it. Each row names the error class, hence the reason code, that must come.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import msgspec

from consensus.block import (
    HEADER_BYTES_MAX,
    HEADER_CODEC,
    INT64_MAX,
    BlockRef,
    EquivocationReport,
    Header,
    SignedBlock,
    genesis_ref,
)
from consensus.committee import EpochContext
from consensus.errors import (
    AncestorCountError,
    AncestorOrderError,
    AncestorRoundError,
    CommitVoteError,
    DuplicateAncestorError,
    GenesisAncestorError,
    GenesisRoundError,
    HeaderFormatError,
    OwnAncestorError,
    ParentQuorumError,
    PayloadLimitError,
    PayloadMismatchError,
    ReportError,
    StaleAncestorError,
    UnknownAncestorAuthorError,
    UnknownAuthorError,
    WrongEpochError,
    WrongVersionError,
)
from consensus.parameters import Parameters
from primitives.errors import InvalidBlockError
from primitives.ids import AuthorityIndex, Digest, Round
from tests.consensus.builders import Forge, digest_of, phantom, vote
from tests.dsl.committee import context_of

PARAMETERS: Final = Parameters(
    gc_depth=5,
    transaction_bytes_max=40,
    payload_bytes_max=100,
    transactions_max=4,
    reports_max=2,
)
PAYLOAD: Final = (b"a" * 10, b"b" * 20, b"c" * 30)
ROUND: Final = 20
OWN: Final = 1

Header_ = msgspec.structs.replace


class Bench:
    """A valid block of round 20 that uses every field, and the means to spoil it."""

    def __init__(self, powers: Sequence[int]) -> None:
        self.context: EpochContext = context_of(powers, parameters=PARAMETERS)
        self.forge = Forge(self.context)
        self.size = len(powers)
        self.others = [author for author in range(self.size) if author != OWN]
        self.parents = [phantom(ROUND - 1, author) for author in range(self.size)]
        self.header = self.forge.header(
            ROUND,
            OWN,
            self.parents,
            payload=PAYLOAD,
            votes=tuple(vote(index + 1, digest_of(index)) for index in range(self.size)),
            reports=(report(17, 0), report(ROUND, 2)),
            timestamp_ms=1_000,
        )

    def signed(self, header: Header | None = None, payload: tuple[bytes, ...] = PAYLOAD) -> SignedBlock:
        """Sign a header with the key of its author."""
        return self.forge.sign(header or self.header, payload)

    def change(self, **changes: object) -> SignedBlock:
        """Sign the valid header with some fields replaced."""
        return self.signed(msgspec.structs.replace(self.header, **changes))

    def on(self, ancestors: Sequence[BlockRef], **changes: object) -> SignedBlock:
        """Sign the valid header with these ancestors, in this order."""
        return self.change(ancestors=tuple(ancestors), **changes)

    def ancestors(self, *replaced: BlockRef) -> list[BlockRef]:
        """Return the valid ancestors, those by the same authors replaced."""
        by_author = {ref.author: ref for ref in replaced}
        return [by_author.get(ref.author, ref) for ref in self.header.ancestors]

    def carrying(self, payload: tuple[bytes, ...]) -> SignedBlock:
        """Sign a header that commits to this payload, whatever the limits."""
        header = self.forge.header(ROUND, OWN, self.parents, payload=payload)
        return self.signed(header, payload)

    def raw(self, change: Callable[[bytes], bytes]) -> SignedBlock:
        """Sign changed header bytes."""
        raw = change(HEADER_CODEC.encode(self.header))
        return self.forge.sign_raw(raw, PAYLOAD, author=OWN)

    def fields(self, change: Callable[[list[object]], object]) -> SignedBlock:
        """Sign a header whose decoded array was changed in place or replaced."""
        fields = msgspec.msgpack.decode(HEADER_CODEC.encode(self.header))
        other = change(fields)
        raw = msgspec.msgpack.encode(fields if other is None else other)
        return self.forge.sign_raw(raw, PAYLOAD, author=OWN)

    def with_power(self, power_max: int) -> list[BlockRef]:
        """Return ancestors of which those of the round before hold at most this power.

        They hold it exactly, or the most below it that distinct authors can hold.
        """
        powers = self.context.committee.powers
        others = [
            chosen for count in range(self.size) for chosen in combinations(self.others, count)
        ]
        fitting = (chosen for chosen in others if _sum(powers, chosen) <= power_max)
        best = max(fitting, key=lambda chosen: _sum(powers, chosen))
        return self.ancestors(
            *(phantom(ROUND - 2, author) for author in range(self.size) if author not in {*best, OWN})
        )


def _sum(powers: Sequence[int], others: Sequence[int]) -> int:
    return powers[OWN] + sum(powers[author] for author in others)


def report(number: int, author: int) -> EquivocationReport:
    """Return a well-formed report on a slot."""
    first, second = sorted((phantom(number, author, "one"), phantom(number, author, "two")))
    return EquivocationReport(first, second)


@dataclass(frozen=True, slots=True)
class Malformed:
    """A rule, and a block that breaks it."""

    name: str
    error: type[InvalidBlockError]
    build: Callable[[Bench], SignedBlock]


def _put(place: int, value: object) -> Callable[[Bench], SignedBlock]:
    def build(bench: Bench) -> SignedBlock:
        def change(fields: list[object]) -> None:
            fields[place] = value

        return bench.fields(change)

    return build


def _put_ref(ref: object) -> Callable[[Bench], SignedBlock]:
    def build(bench: Bench) -> SignedBlock:
        def change(fields: list[object]) -> None:
            fields[6] = [ref]

        return bench.fields(change)

    return build
