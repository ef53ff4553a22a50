"""Write where a peer listens: a path of protocols and values, as text and as bytes.

`/ip4/127.0.0.1/tcp/4001/p2p/12D3KooW...` is one. An unknown code makes an address unreadable, not
the message that holds it: callers skip it. Source: github.com/multiformats/multiaddr.
"""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

from typing_extensions import override

from p2p.wire.peer_id import PeerId, check_peer_id, parse_peer_id, peer_id_text
from p2p.wire.protobuf import length_prefixed
from p2p.wire.varint import decode_varint, encode_varint
from primitives.errors import MalformedBytesError

MULTIADDR_SIZE_BYTES_MAX: Final = 512
"""Longer addresses are refused before they are read; the longest DNS name has 253 bytes."""

# The widest text for its bytes is "/p2p-circuit", twelve characters for two bytes.
_TEXT_LENGTH_MAX: Final = 6 * MULTIADDR_SIZE_BYTES_MAX
_CODES: Final = {
    "ip4": 0x04,
    "tcp": 0x06,
    "ip6": 0x29,
    "ip6zone": 0x2A,
    "dns": 0x35,
    "dns4": 0x36,
    "dns6": 0x37,
    "dnsaddr": 0x38,
    "udp": 0x0111,
    "p2p-circuit": 0x0122,
    "p2p": 0x01A5,
    "quic-v1": 0x01CD,
    "tls": 0x01C0,
    "ws": 0x01DD,
    "wss": 0x01DE,
}
_NAMES: Final = {code: name for name, code in _CODES.items()}
_SIZES_BYTES: Final = {"ip4": 4, "ip6": 16, "tcp": 2, "udp": 2}
_TEXTS: Final = frozenset({"dns", "dns4", "dns6", "dnsaddr", "ip6zone"})
_HOSTS: Final = frozenset({"ip4", "ip6", "dns", "dns4", "dns6"})
_PORT_MAX: Final = 65535


@dataclass(frozen=True, slots=True)
class TcpEndpoint:
    """A host, as an IP address or a DNS name, and a port."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Multiaddr:
    """An address: pairs of a protocol's name and its value, which is empty for some protocols."""

    parts: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the address with this text; "ipfs" is read as the old name of "p2p".

        Raises:
            MalformedBytesError: too long, an unknown protocol, or a value that does not fit it.
        """
        if len(text) > _TEXT_LENGTH_MAX or not text.startswith("/"):
            raise MalformedBytesError(f"{text[:80]!r} is not a multiaddr: it starts with '/'")
        words = iter(text.rstrip("/").split("/")[1:])
        parts = tuple(_parse_part(name, words) for name in words)
        if not parts:
            raise MalformedBytesError("an empty multiaddr")
        address = cls(parts)
        if len(address.encode()) > MULTIADDR_SIZE_BYTES_MAX:
            raise MalformedBytesError(f"a multiaddr has at most {MULTIADDR_SIZE_BYTES_MAX} bytes")
        return address

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Return the address with these bytes.

        Raises:
            MalformedBytesError: too long, an unknown protocol, or a value that does not fit it.
        """
        if not 0 < len(raw) <= MULTIADDR_SIZE_BYTES_MAX:
            raise MalformedBytesError(f"a multiaddr has 1 to {MULTIADDR_SIZE_BYTES_MAX} bytes")
        return cls(tuple(_decode_parts(raw)))

    @classmethod
    def of_tcp(cls, host: str, port: int) -> Self:
        """Return the address of a TCP port on an IP address or a DNS name."""
        try:
            name = f"ip{ipaddress.ip_address(host).version}"
        except ValueError:
            name = "dns"
        return cls.parse(f"/{name}/{host}/tcp/{port}")

    def encode(self) -> bytes:
        """Return the binary form."""
        return b"".join(_encode_part(name, value) for name, value in self.parts)

    @property
    def peer_id(self) -> PeerId | None:
        """The peer that the address ends in, if it names one."""
        match self.parts:
            case (*_, ("p2p", text)):
                return parse_peer_id(text)
            case _:
                return None

    def with_peer(self, peer_id: PeerId) -> "Multiaddr":
        """Return the address with the peer at its end."""
        return Multiaddr((*self.without_peer().parts, ("p2p", peer_id_text(peer_id))))

    def without_peer(self) -> "Multiaddr":
        """Return the address without the peer at its end; nothing may be left of it."""
        match self.parts:
            case (*rest, ("p2p", _)):
                return Multiaddr(tuple(rest))
            case _:
                return self

    @property
    def tcp(self) -> TcpEndpoint | None:
        """The endpoint, if this is plain TCP on a host, which is all that we dial."""
        match self.without_peer().parts:
            case ((host_name, host), ("tcp", port)) if host_name in _HOSTS:
                return TcpEndpoint(host, int(port))
            case _:
                return None

    @override
    def __str__(self) -> str:
        """Return the text form."""
        return "".join(f"/{name}/{value}" if value else f"/{name}" for name, value in self.parts)


def decode_known_addresses(raws: Iterator[bytes]) -> Iterator[Multiaddr]:
    """Yield the addresses that can be read; one bad address must not spoil its message."""
    for raw in raws:
        try:
            yield Multiaddr.decode(raw)
        except MalformedBytesError:
            continue


def _parse_part(name: str, words: Iterator[str]) -> tuple[str, str]:
    if name == "ipfs":
        name = "p2p"
    if name not in _CODES:
        raise MalformedBytesError(f"unknown multiaddr protocol {name[:32]!r}")
    if not _has_value(name):
        return name, ""
    value = next(words, "")
    return name, _decode_value(name, _encode_value(name, value))


def _has_value(name: str) -> bool:
    return name in _SIZES_BYTES or name in _TEXTS or name == "p2p"


def _decode_parts(raw: bytes) -> Iterator[tuple[str, str]]:
    offset = 0
    while offset < len(raw):
        code, offset = _read_varint(raw, offset)
        name = _NAMES.get(code)
        if name is None:
            raise MalformedBytesError(f"unknown multiaddr code {code:#x}")
        if not _has_value(name):
            yield name, ""
            continue
        size_bytes = _SIZES_BYTES.get(name)
        if size_bytes is None:
            size_bytes, offset = _read_varint(raw, offset)
        if size_bytes > len(raw) - offset:
            raise MalformedBytesError(f"the value of {name} ends after the multiaddr")
        yield name, _decode_value(name, raw[offset : offset + size_bytes])
        offset += size_bytes


def _read_varint(raw: bytes, offset: int) -> tuple[int, int]:
    read = decode_varint(raw, offset)
    if read is None:
        raise MalformedBytesError("the multiaddr ends inside a varint")
    return read


def _encode_part(name: str, value: str) -> bytes:
    code = encode_varint(_CODES[name])
    if not _has_value(name):
        return code
    raw = _encode_value(name, value)
    return code + raw if name in _SIZES_BYTES else code + length_prefixed(raw)


def _encode_value(name: str, value: str) -> bytes:
    try:
        match name:
            case "ip4":
                return ipaddress.IPv4Address(value).packed
            case "ip6":
                return ipaddress.IPv6Address(value).packed
            case "tcp" | "udp":
                return _encode_port(value)
            case "p2p":
                return parse_peer_id(value)
            case _:
                return value.encode()
    except ValueError as error:
        raise MalformedBytesError(f"{value[:80]!r} does not fit /{name}") from error


def _encode_port(value: str) -> bytes:
    if not (value.isascii() and value.isdecimal() and int(value) <= _PORT_MAX):
        raise MalformedBytesError(f"{value[:16]!r} is not a port")
    return int(value).to_bytes(2, "big")


def _decode_value(name: str, raw: bytes) -> str:
    match name:
        case "ip4":
            return str(ipaddress.IPv4Address(raw))
        case "ip6":
            return str(ipaddress.IPv6Address(raw))
        case "tcp" | "udp":
            return str(int.from_bytes(raw, "big"))
        case "p2p":
            return peer_id_text(check_peer_id(raw))
        case _:
            return _decode_name(name, raw)


def _decode_name(name: str, raw: bytes) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise MalformedBytesError(f"the value of {name} is not utf-8") from error
    if not text or "/" in text or not text.isprintable():
        raise MalformedBytesError(f"the value of {name} is not a name")
    return text
