"""Where signatures are checked: a Protocol, and the plain way, in the event loop."""

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol

from node.signatures.checking import ClaimChecker
from node.signatures.claims import SignatureClaim

SLICE_CLAIMS: Final = 16
"""Checked between two turns of the loop: a millisecond."""


class Verifier(Protocol):
    """Where many signatures are checked."""

    async def verify(self, claims: Sequence[SignatureClaim]) -> list[bool]:
        """Return whether each claim holds, in order."""
        ...


class InlineVerifier:
    """Checks in the event loop, a slice at a time: for tools, and while nothing better runs."""

    def __init__(self) -> None:
        self._checker = ClaimChecker()

    async def verify(self, claims: Sequence[SignatureClaim]) -> list[bool]:
        """Return whether each claim holds, in order; others have their turn in between."""
        verdicts: list[bool] = []
        for start in range(0, len(claims), SLICE_CLAIMS):
            if start:
                await asyncio.sleep(0)
            verdicts += self._checker.check(claims[start : start + SLICE_CLAIMS])
        return verdicts
