"""Name the integers and byte strings that the rooms exchange.

Each name is a `NewType`, so mypy refuses a round where an epoch is meant. A name carries no bounds:
wire structs add their own with `Annotated`, since msgspec takes each kind of bound only once.
"""

from typing import Final, NewType

DIGEST_SIZE_BYTES: Final = 32

Round = NewType("Round", int)
"""The height of a block in the DAG; genesis blocks have round 0."""

AuthorityIndex = NewType("AuthorityIndex", int)
"""The place of a validator in the committee of one epoch."""

Epoch = NewType("Epoch", int)
"""The term of one committee; the first is 0."""

Power = NewType("Power", int)
"""Voting power in a committee."""

CommitIndex = NewType("CommitIndex", int)
"""The place of a commit in the total order."""

TimestampMs = NewType("TimestampMs", int)
"""Milliseconds since the Unix epoch."""

DurationMs = NewType("DurationMs", int)
"""A span of milliseconds."""

SizeBytes = NewType("SizeBytes", int)
"""A number of bytes."""

Grain = NewType("Grain", int)
"""An amount of the smallest unit of money, 10**-9 HANSE."""

Gas = NewType("Gas", int)
"""Work that a transaction pays for."""

Height = NewType("Height", int)
"""The number of commits since genesis, over all epochs; the version of the state after them."""

Address = NewType("Address", bytes)
"""The 32 bytes that name an account: an Ed25519 public key, or the digest that names a contract."""

Digest = NewType("Digest", bytes)
"""A SHA-256 digest, 32 bytes."""

ChainId = NewType("ChainId", bytes)
"""The digest that names one chain, 32 bytes; every signature covers it."""
