"""Room for uploads is shared: nobody gets more than a part, and what ends is given back."""

import pytest

from node.rpc.errors import UnavailableError
from node.rpc.uploads import UploadRoom
from primitives.ids import Address
from tests.chain.founded import address_of

ALICE, BOB, CAROL = map(address_of, ("alice", "bob", "carol"))


def claim(room: UploadRoom, size_bytes: int, *, of: Address) -> None:
    with room.claimed(size_bytes, of=of, bytes_max=100):
        pass


def test_one_account_cannot_keep_all_others_out() -> None:
    room = UploadRoom()
    with room.claimed(50, of=ALICE, bytes_max=100):
        with pytest.raises(UnavailableError, match="over your share of 50"):
            claim(room, 1, of=ALICE)
        with (
            room.claimed(50, of=BOB, bytes_max=100),
            pytest.raises(UnavailableError, match="100 bytes of uploads are on their way"),
        ):
            claim(room, 1, of=CAROL)
        claim(room, 50, of=CAROL)
    claim(room, 50, of=ALICE)


def test_upload_that_fails_gives_its_room_back() -> None:
    room = UploadRoom()
    with pytest.raises(ValueError, match="cut"), room.claimed(50, of=ALICE, bytes_max=100):
        raise ValueError("cut")
    claim(room, 50, of=ALICE)
