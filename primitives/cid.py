"""Name content by its hash: CIDv1 with SHA-256, the same id that IPFS gives.

Only the two codecs this project stores are known, and each content has one binary and one text
form. Source: github.com/multiformats/cid, the multicodec table, and multihash 0x12 (sha2-256).
"""

import enum
from typing import Final, Self

import msgspec
from typing_extensions import override

from primitives.errors import MalformedCidError
from primitives.hashing import sha256
from primitives.ids import DIGEST_SIZE_BYTES, Digest
from primitives.multibase import decode_base32, encode_base32

CID_SIZE_BYTES: Final = 4 + DIGEST_SIZE_BYTES

_VERSION: Final = 0x01
_SHA2_256: Final = 0x12


class CidCodec(enum.Enum):
    """How the named bytes are read; the value is the multicodec, which fits one varint byte."""

    RAW = 0x55
    DAG_PB = 0x70


class Cid(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The id of one content; wire structs carry `encode()`, people see `str()`."""

    codec: CidCodec
    digest: Digest

    @classmethod
    def of_raw(cls, content: bytes) -> Self:
        """Return the id of bytes that are stored as they are."""
        return cls(codec=CidCodec.RAW, digest=sha256(content))

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Return the id with this binary form.

        Raises:
            MalformedCidError: another size, version, codec or hash.
        """
        if len(raw) != CID_SIZE_BYTES:
            raise MalformedCidError(f"a cid has {CID_SIZE_BYTES} bytes, these are {len(raw)}")
        version, codec_code, hash_code, digest_size_bytes = raw[:4]
        if version != _VERSION:
            raise MalformedCidError(f"expected cid version {_VERSION}, got {version}")
        if hash_code != _SHA2_256 or digest_size_bytes != DIGEST_SIZE_BYTES:
            raise MalformedCidError(
                f"expected a sha2-256 of {DIGEST_SIZE_BYTES} bytes, "
                f"got multihash {hash_code:#x} of {digest_size_bytes}"
            )
        try:
            codec = CidCodec(codec_code)
        except ValueError as error:
            raise MalformedCidError(f"unknown cid codec {codec_code:#x}") from error
        return cls(codec=codec, digest=Digest(raw[4:]))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the id with this text form, "b..." in base32.

        Raises:
            MalformedCidError: not canonical base32, or not a cid that `decode` accepts.
        """
        try:
            raw = decode_base32(text)
        except ValueError as error:
            raise MalformedCidError(f"not a cid: {error}") from error
        return cls.decode(raw)

    def encode(self) -> bytes:
        """Return the binary form: version, codec, multihash code, digest size, digest."""
        header = bytes((_VERSION, self.codec.value, _SHA2_256, DIGEST_SIZE_BYTES))
        return header + self.digest

    @override
    def __str__(self) -> str:
        """Return the text form, lower-case base32 with the multibase prefix "b"."""
        return encode_base32(self.encode())
