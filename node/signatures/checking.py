"""Check claims one after the other: the work itself, wherever it is done.

The rules are those of `primitives.keys`, but for signatures whose tagged hash is known already. A
key that was found usable is remembered, since the finding costs as much as a signature.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

import nacl.exceptions
from nacl import bindings

from node.signatures.claims import SignatureClaim
from primitives.keys import PUBLIC_KEY_SIZE_BYTES, SIGNATURE_SIZE_BYTES

KEYS_KEPT_MAX: Final = 65_536
"""Usable keys that are remembered, about 8 MB; the oldest is forgotten first."""


class ClaimChecker:
    """Judges claims; belongs to one thread."""

    def __init__(self, *, keys_kept_max: int = KEYS_KEPT_MAX) -> None:
        self._keys_kept_max = keys_kept_max
        self._usable: OrderedDict[bytes, None] = OrderedDict()

    def check(self, claims: Iterable[SignatureClaim]) -> list[bool]:
        """Return whether each claim holds, in order."""
        return [self._holds(claim) for claim in claims]

    def _holds(self, claim: SignatureClaim) -> bool:
        # The library would read what follows a signature as part of the message.
        if len(claim.signature) != SIGNATURE_SIZE_BYTES or not self._is_usable(claim.key):
            return False
        try:
            bindings.crypto_sign_open(claim.signature + claim.digest, claim.key)
        except nacl.exceptions.BadSignatureError:
            return False
        return True

    def _is_usable(self, key: bytes) -> bool:
        if key in self._usable:
            return True
        if len(key) != PUBLIC_KEY_SIZE_BYTES:
            return False
        if not bindings.crypto_core_ed25519_is_valid_point(key):
            return False
        if len(self._usable) >= self._keys_kept_max:
            self._usable.popitem(last=False)
        self._usable[key] = None
        return True
