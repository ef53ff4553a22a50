"""The bounds of the values in jobs and results, and how they name files."""

from typing import Annotated, Final

import msgspec

from primitives.cid import CID_SIZE_BYTES
from primitives.ids import DIGEST_SIZE_BYTES

PATH_LETTERS_MAX: Final = 4_096

Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]
Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
PathText = Annotated[str, msgspec.Meta(min_length=1, max_length=PATH_LETTERS_MAX)]
DigestBytes = Annotated[
    bytes, msgspec.Meta(min_length=DIGEST_SIZE_BYTES, max_length=DIGEST_SIZE_BYTES)
]
CidBytes = Annotated[bytes, msgspec.Meta(min_length=CID_SIZE_BYTES, max_length=CID_SIZE_BYTES)]


class StoredBlob(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A file on the disk that node and worker share.

    Args:
        path: absolute.
        cid: binary, of the whole content; whoever reads the file checks it.
    """

    path: PathText
    cid: CidBytes
