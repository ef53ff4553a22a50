"""Tables: one codec for the keys and one for the values, and a checksum with every record.

LMDB has no page checksums: of 150 flipped bits 130 were read back as data (measured). So each
record carries a CRC-32 over table, key and value, and whatever is read is checked first. The
table is part of it, since a damaged page pointer leads to sound pages of another table.
"""

import struct
from pathlib import Path
from typing import Any, Final, Generic, Protocol, TypeVar, cast
from zlib import crc32

from node.storage.errors import CorruptRecordError, KeySizeError
from primitives.errors import MalformedBytesError

K = TypeVar("K")
V = TypeVar("V")
P = TypeVar("P", bound=tuple[Any, ...])

KEY_SIZE_BYTES_MAX: Final = 511
"""What LMDB is built with."""

CHECKSUM_SIZE_BYTES: Final = 4


class ValueCodec(Protocol[V]):
    """One way to write a value; `primitives.codec.Codec` is one."""

    def encode(self, value: V, /) -> bytes:
        """Return the encoding."""
        ...

    def decode(self, raw: bytes, /) -> V:
        """Return the value.

        Raises:
            MalformedBytesError: it is not the encoding of a value.
        """
        ...


class RawBytes:
    """A key or a value that is bytes already."""

    __slots__ = ()

    def encode(self, value: bytes, /) -> bytes:
        """Return the bytes."""
        return value

    def decode(self, raw: bytes, /) -> bytes:
        """Return the bytes."""
        return raw


class Number:
    """An integer of 64 bits without sign, in the order of its size."""

    __slots__ = ()

    def encode(self, value: int, /) -> bytes:
        """Return eight bytes, most significant first."""
        return value.to_bytes(8, "big")

    def decode(self, raw: bytes, /) -> int:
        """Return the integer."""
        if len(raw) != 8:
            raise MalformedBytesError(f"{len(raw)} bytes are no number of 64 bits")
        return int.from_bytes(raw, "big")


class Packed(Generic[P]):
    """A tuple of integers and byte strings of fixed sizes; sorts as the tuple does.

    Args:
        layout: the fields as `struct` names them, without the byte order: "QQ32s".
    """

    __slots__ = ("_struct",)

    def __init__(self, layout: str) -> None:
        assert not set(layout) - set("QIHBs0123456789"), "only unsigned fields keep the order"
        self._struct = struct.Struct(f">{layout}")

    def encode(self, value: P, /) -> bytes:
        """Return the fields one after another."""
        return self._struct.pack(*value)

    def decode(self, raw: bytes, /) -> P:
        """Return the fields."""
        if len(raw) != self._struct.size:
            raise MalformedBytesError(f"{len(raw)} bytes, not {self._struct.size}")
        return cast("P", self._struct.unpack(raw))


class Table(Generic[K, V]):
    """What one named database of an environment holds; a constant, bound to no environment.

    Args:
        name: never changes, since every checksum covers it.
        key: must keep the order of the keys, if the table is ever scanned.
    """

    __slots__ = ("_encode", "_seed", "key", "name", "value")

    def __init__(self, name: str, *, key: ValueCodec[K], value: ValueCodec[V]) -> None:
        self.name = name
        self.key = key
        self.value = value
        self._encode = value.encode
        self._seed = crc32(name.encode("ascii"))

    def encode_key(self, key: K) -> bytes:
        """Return the key as it is stored.

        Raises:
            KeySizeError: it is empty or too long.
        """
        raw = self.key.encode(key)
        if not 0 < len(raw) <= KEY_SIZE_BYTES_MAX:
            raise KeySizeError(table=self.name, size_bytes=len(raw), limit=KEY_SIZE_BYTES_MAX)
        return raw

    def seal(self, raw_key: bytes, value: V) -> bytes:
        """Return the value as it is stored: its checksum, then its encoding."""
        raw = self._encode(value)
        # The length of the key is in it: a damaged page may move the border of key and value.
        checksum = crc32(raw, crc32(raw_key, self._seed ^ len(raw_key)))
        return checksum.to_bytes(CHECKSUM_SIZE_BYTES, "big") + raw

    def unseal(self, raw_key: bytes, sealed: bytes, *, path: Path) -> V:
        """Return the value of a stored record; `path` is the environment, which an error names.

        Raises:
            CorruptRecordError: it is not what was written.
        """
        raw = self.check(raw_key, sealed, path=path)
        try:
            return self.value.decode(raw)
        except MalformedBytesError as error:
            raise self.corrupt(raw_key, path=path, reason=str(error)) from error

    def check(self, raw_key: bytes, sealed: bytes, *, path: Path) -> bytes:
        """Return the encoding of a stored value once its checksum is right.

        Raises:
            CorruptRecordError: it is not what was written.
        """
        raw = sealed[CHECKSUM_SIZE_BYTES:]
        checksum = crc32(raw, crc32(raw_key, self._seed ^ len(raw_key)))
        if checksum.to_bytes(CHECKSUM_SIZE_BYTES, "big") != sealed[:CHECKSUM_SIZE_BYTES]:
            raise self.corrupt(raw_key, path=path, reason="the checksum does not match")
        return raw

    def open_own(self, sealed: bytes) -> V:
        """Return the value of a record that this process sealed and that no disk has held."""
        return self.value.decode(sealed[CHECKSUM_SIZE_BYTES:])

    def decode_key(self, raw_key: bytes, *, path: Path) -> K:
        """Return the key of a stored record.

        Raises:
            CorruptRecordError: it is no key of this table.
        """
        try:
            return self.key.decode(raw_key)
        except MalformedBytesError as error:
            raise self.corrupt(raw_key, path=path, reason=str(error)) from error

    def corrupt(self, raw_key: bytes, *, path: Path, reason: str) -> CorruptRecordError:
        """Return the error that names this table, its environment and a key."""
        return CorruptRecordError(path=path, table=self.name, key=raw_key, reason=reason)


AnyTable = Table[Any, Any]
