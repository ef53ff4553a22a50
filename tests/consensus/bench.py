"""A valid block that uses every field, and the means to spoil one thing about it."""

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Final

import msgspec

from consensus.block import HEADER_CODEC, BlockRef, EquivocationReport, Header, SignedBlock
from consensus.parameters import Parameters
from consensus.verifier import BlockVerifier
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
POWERS: Final = ((1,) * 4, (1,) * 7, (1,) * 10, (4, 3, 2, 1, 1, 1, 1))


class Bench:
    """A block of round 20 by authority 1, on all blocks of round 19."""

    def __init__(self, powers: Sequence[int]) -> None:
        self.context = context_of(powers, parameters=PARAMETERS)
        self.verifier = BlockVerifier(self.context)
        self.forge = Forge(self.context)
        self.size = len(powers)
        self.header = self.forge.header(
            ROUND,
            OWN,
            [phantom(ROUND - 1, author) for author in range(self.size)],
            payload=PAYLOAD,
            votes=tuple(vote(index + 1, digest_of(index)) for index in range(self.size)),
            reports=(report(ROUND - 3, 0), report(ROUND, 2)),
            timestamp_ms=1_000,
        )

    def signed(self, header: Header, payload: tuple[bytes, ...] = PAYLOAD) -> SignedBlock:
        """Sign a header with the key of its author."""
        return self.forge.sign(header, payload)

    def change(self, **changes: object) -> SignedBlock:
        """Sign the valid header with some fields replaced."""
        return self.signed(msgspec.structs.replace(self.header, **changes))

    def on(self, ancestors: Sequence[BlockRef], **changes: object) -> SignedBlock:
        """Sign the valid header with these ancestors, in this order."""
        return self.change(ancestors=tuple(ancestors), **changes)

    def on_own(self, ref: BlockRef) -> SignedBlock:
        """Sign the valid header with another own ancestor."""
        return self.on([ref, *self.header.ancestors[1:]])

    def on_last(self, ref: BlockRef) -> SignedBlock:
        """Sign the valid header with the last ancestor, a light one, replaced."""
        return self.on([*self.header.ancestors[:-1], ref])

    def at_round(self, number: int, *ancestors: BlockRef) -> SignedBlock:
        """Sign a block of a low round on everybody's previous one, some of those replaced."""
        below = (
            self.forge.genesis()
            if number == 1
            else [phantom(number - 1, author) for author in range(self.size)]
        )
        by_author = {ref.author: ref for ref in (*below, *ancestors)}
        return self.signed(self.forge.header(number, OWN, by_author.values()), ())

    def carrying(self, *payload: bytes) -> SignedBlock:
        """Sign a header that commits to this payload, whatever the limits."""
        header = self.forge.header(ROUND, OWN, self.header.ancestors, payload=payload)
        return self.signed(header, payload)

    def raw(self, change: Callable[[bytes], bytes]) -> SignedBlock:
        """Sign changed header bytes."""
        raw = change(HEADER_CODEC.encode(self.header))
        return self.forge.sign_raw(raw, PAYLOAD, author=OWN)

    def field(self, place: int, value: object) -> SignedBlock:
        """Sign a header with any value, well typed or not, in one place of its array."""
        fields: list[object] = msgspec.msgpack.decode(HEADER_CODEC.encode(self.header))
        fields[place] = value
        return self.forge.sign_raw(msgspec.msgpack.encode(fields), PAYLOAD, author=OWN)

    def on_power(self, power_max: int) -> SignedBlock:
        """Sign a block whose parents hold this power, or the most below it that seats can."""
        others = [author for author in range(self.size) if author != OWN]
        choices = [
            {OWN, *chosen} for count in range(self.size) for chosen in combinations(others, count)
        ]
        fitting = [chosen for chosen in choices if self.power_of(chosen) <= power_max]
        best = max(fitting, key=self.power_of)
        return self.on(
            [
                ref if ref.author in best else phantom(ROUND - 2, ref.author)
                for ref in self.header.ancestors
            ]
        )

    def power_of(self, authors: set[int]) -> int:
        """Return the summed power of seats."""
        return sum(self.context.committee.powers[author] for author in authors)


def report(number: int, author: int) -> EquivocationReport:
    """Return a well-formed report on a slot."""
    first, second = sorted((phantom(number, author, "one"), phantom(number, author, "two")))
    return EquivocationReport(first, second)
