"""What trainers and validators commit to, in the words of the chain: task, round, who.

The preimages are those that the contract `rounds` checks; `fl.rules.scorecard` says what is in
them. A salt is secret until the reveal and has 32 bytes.
"""

from typing import Final

from fl.rules.scorecard import Place, commit_scores, commit_update
from primitives.ids import Address, Digest

SALT_SIZE_BYTES: Final = 32


def update_commitment(
    task: int, round_number: int, *, trainer: Address, root: bytes, salt: bytes
) -> Digest:
    """Return what a trainer commits to before anybody may know the root of its update."""
    _check(root, salt)
    return Digest(commit_update(Place(task, round_number, trainer), root=root, salt=salt))


def scores_commitment(
    task: int, round_number: int, *, validator: Address, card: bytes, salt: bytes
) -> Digest:
    """Return what a validator commits to before anybody may know its scorecard."""
    _check(salt)
    return Digest(commit_scores(Place(task, round_number, validator), card=card, salt=salt))


def _check(*parts: bytes) -> None:
    # The chain could never open a commitment to anything else.
    for part in parts:
        assert len(part) == SALT_SIZE_BYTES, f"{len(part)} bytes, not {SALT_SIZE_BYTES}"
