"""Check transactions' signatures once, wherever they come from first: memory, then the verifier."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, TypeAlias

from node.ledger.transaction import SIGNED_TRANSACTION_CODEC, encoded_transaction_id
from node.signatures.claims import SignatureClaim
from node.signatures.verified import VerifiedSignatures
from node.signatures.verifier import Verifier
from primitives.errors import MalformedBytesError
from primitives.ids import Digest
from primitives.keys import SIGNATURE_SIZE_BYTES

SLICE_ITEMS: Final = 64
"""Transactions looked at between two turns of the loop."""

Foresee: TypeAlias = Callable[[Iterable[bytes]], Awaitable[None]]
"""Checks the signatures of transactions, so that whoever executes them only remembers."""


async def foresee_nothing(payload: Iterable[bytes]) -> None:
    """Leave all signatures to the execution: for tools, and where nothing better runs."""
    del payload


class SignatureChecks:
    """A verifier and what it has found out."""

    def __init__(self, verifier: Verifier, verified: VerifiedSignatures) -> None:
        self._verifier = verifier
        self.verified = verified

    async def check(self, claims: Sequence[SignatureClaim]) -> list[bool]:
        """Return whether each claim holds; the digests are the ids of transactions."""
        verdicts = [self.verified.knows(Digest(claim.digest), claim.signature) for claim in claims]
        places = [place for place, is_known in enumerate(verdicts) if not is_known]
        if not places:
            return verdicts
        found = await self._verifier.verify([claims[place] for place in places])
        for place, holds in zip(places, found, strict=True):
            verdicts[place] = holds
            if holds:
                self.verified.remember(Digest(claims[place].digest), claims[place].signature)
        return verdicts

    async def foresee(self, payload: Iterable[bytes]) -> None:
        """Check what is about to be executed, so that the executor only remembers.

        What is no transaction, or not signed, is left to the executor, which says why.
        """
        claims = []
        for place, raw in enumerate(payload):
            if place % SLICE_ITEMS == SLICE_ITEMS - 1:
                await asyncio.sleep(0)
            # Most were checked when they came by gossip: then a hash is all that it takes.
            if self.verified.knows(encoded_transaction_id(raw), raw[-SIGNATURE_SIZE_BYTES:]):
                continue
            try:
                signed = SIGNED_TRANSACTION_CODEC.decode(raw)
            except MalformedBytesError:
                continue
            name = encoded_transaction_id(raw)
            claims.append(SignatureClaim(signed.transaction.sender, name, signed.signature))
        await self.check(claims)
