"""How values look in JSON: digests in hex, addresses as did:key, large integers as decimal text.

Every value has one text, except that an address may be given as a did:key or in hex. Integers that
may exceed 2**53 are texts, since the numbers of most JSON readers are 64-bit floats.
"""

import base64
import binascii
import functools
from typing import Annotated, Final

import msgspec

from node.rpc.errors import BadRequestError
from primitives.errors import InvalidKeyError
from primitives.ids import Address, Digest
from primitives.keys import PublicKey
from primitives.multibase import decode_base58btc

SAFE_INTEGER_MAX: Final = 2**53 - 1
_DID_KEY_PREFIX: Final = "did:key:"
_ED25519_PUB: Final = b"\xed\x01"

HEX32_PATTERN: Final = "^[0-9a-f]{64}$"
DID_PATTERN: Final = "^did:key:z6Mk[1-9A-HJ-NP-Za-km-z]{44}$"
ADDRESS_PATTERN: Final = "^(did:key:z6Mk[1-9A-HJ-NP-Za-km-z]{44}|[0-9a-f]{64})$"

Whole = Annotated[
    int,
    msgspec.Meta(ge=0, le=SAFE_INTEGER_MAX),
]
"""A count, a height, an epoch or a time: far below 2**53."""

BigWhole = Annotated[
    str,
    msgspec.Meta(pattern="^(0|[1-9][0-9]{0,77})$", description="An integer as decimal text."),
]
"""Money in grains, gas, stake, power, weights."""

BigInteger = Annotated[
    str,
    msgspec.Meta(pattern="^(0|-?[1-9][0-9]{0,77})$", description="An integer as decimal text."),
]
"""The same, where it may be negative."""

DigestText = Annotated[
    str, msgspec.Meta(pattern=HEX32_PATTERN, description="32 bytes as lower-case hex.")
]
AddressText = Annotated[
    str,
    msgspec.Meta(
        pattern=ADDRESS_PATTERN,
        description="A did:key, or 32 bytes as lower-case hex; contracts have only the latter.",
    ),
]
HexText = Annotated[
    str, msgspec.Meta(pattern="^([0-9a-f]{2})*$", description="Bytes as lower-case hex.")
]
Base64Text = Annotated[
    str,
    msgspec.Meta(
        pattern="^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
        description="Bytes as base64 with padding.",
    ),
]
PeerText = Annotated[
    str,
    msgspec.Meta(pattern="^[1-9A-HJ-NP-Za-km-z]{32,64}$", description="A libp2p peer id."),
]


def account_text(address: bytes) -> str:
    """Return the did:key of an account."""
    return PublicKey(address).did_key


@functools.lru_cache(maxsize=4_096)
def address_text(address: bytes) -> str:
    """Return an address that may be an account's or a contract's: did:key if a key fits it."""
    try:
        return PublicKey.from_raw(address).did_key
    except InvalidKeyError:
        return address.hex()


def parse_address(text: str) -> Address:
    """Return the address that a did:key or hex names, whether or not a key fits it.

    Raises:
        BadRequestError: the text is neither.
    """
    if not text.startswith(_DID_KEY_PREFIX):
        return Address(_unhex(text, size_bytes=32, what="an address"))
    try:
        raw = decode_base58btc(text[len(_DID_KEY_PREFIX) :])
    except ValueError as error:
        raise BadRequestError(f"not a did:key: {error}") from error
    if len(raw) != 34 or not raw.startswith(_ED25519_PUB):
        raise BadRequestError("the did:key is not of an Ed25519 key")
    return Address(raw[2:])


def parse_digest(text: str) -> Digest:
    """Return the digest of 64 hex digits.

    Raises:
        BadRequestError: the text is something else.
    """
    return Digest(_unhex(text, size_bytes=32, what="a digest"))


def parse_base64(text: str) -> bytes:
    """Return the bytes of base64 text in its one form.

    Raises:
        BadRequestError: the text is something else.
    """
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequestError(f"not base64: {error}") from error
    if base64_text(raw) != text:
        raise BadRequestError("not the canonical base64 text of its bytes")
    return raw


def base64_text(raw: bytes) -> str:
    """Return base64 with padding."""
    return base64.b64encode(raw).decode("ascii")


def _unhex(text: str, *, size_bytes: int, what: str) -> bytes:
    if len(text) != 2 * size_bytes or text != text.lower():
        raise BadRequestError(f"{what} has {2 * size_bytes} lower-case hex digits")
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise BadRequestError(f"{what} has {2 * size_bytes} lower-case hex digits") from error
