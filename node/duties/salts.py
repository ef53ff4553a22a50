"""Salts of commitments, that follow from the account's key: a restart or a lost disk loses none.

Guards: without the key nobody can tell a salt from dice, so a commitment hides what it commits to;
and no two tasks, rounds or purposes share one. The key of the salts is the digest of a signature,
which Ed25519 makes the same every time and which never leaves this module.
"""

import enum
import hmac
from hashlib import sha256

from primitives.hashing import Domain, tagged_hash
from primitives.keys import PrivateKey

_NUMBER_SIZE_BYTES = 8


@enum.unique
class Purpose(enum.Enum):
    """What a salt is for; the value is hashed."""

    UPDATE = b"update"
    SCORES = b"scores"


class Salts:
    """The salts of one account."""

    def __init__(self, key: PrivateKey) -> None:
        signature = key.sign(Domain.ROUND_SALT, b"")
        self._secret = tagged_hash(Domain.ROUND_SALT, signature)

    def salt(self, task: int, round_number: int, purpose: Purpose) -> bytes:
        """Return the 32 bytes for one commitment."""
        numbers = (task, round_number)
        place = b"".join(number.to_bytes(_NUMBER_SIZE_BYTES, "big") for number in numbers)
        return hmac.digest(self._secret, place + purpose.value, sha256)
