"""Write bytes as text the way multibase does: base58btc and base32 in lower case, prefix included.

Every byte string has exactly one text and no other text is accepted, since ids are compared as text
by people and programs. Source: the multibase table (prefixes "z" and "b") and RFC 4648, section 6.
"""

import base64
import binascii
from typing import Final

TEXT_LENGTH_MAX: Final = 128
"""Bound on the text to decode: base58 takes quadratic time, and every id here is shorter."""

_BASE58_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE58_VALUES: Final = {character: value for value, character in enumerate(_BASE58_ALPHABET)}


def encode_base58btc(raw: bytes) -> str:
    """Return "z" and the base58btc digits of the bytes."""
    rest = int.from_bytes(raw, "big")
    digits: list[str] = []
    while rest:
        rest, value = divmod(rest, 58)
        digits.append(_BASE58_ALPHABET[value])
    # A number has no leading zeros, so base58 writes each leading zero byte as one "1".
    zero_count = len(raw) - len(raw.lstrip(b"\0"))
    return "z" + "1" * zero_count + "".join(reversed(digits))


def decode_base58btc(text: str) -> bytes:
    """Return the bytes of a base58btc multibase text.

    Raises:
        ValueError: the text is too long, has another prefix, or a character outside the alphabet.
    """
    digits = _strip_prefix(text, "z")
    number = 0
    for character in digits:
        value = _BASE58_VALUES.get(character)
        if value is None:
            raise ValueError(f"{character!r} is not a base58 digit")
        number = number * 58 + value
    zero_count = len(digits) - len(digits.lstrip("1"))
    return bytes(zero_count) + number.to_bytes((number.bit_length() + 7) // 8, "big")


def encode_base32(raw: bytes) -> str:
    """Return "b" and the lower-case base32 digits of the bytes, without padding."""
    return "b" + base64.b32encode(raw).decode("ascii").rstrip("=").lower()


def decode_base32(text: str) -> bytes:
    """Return the bytes of a lower-case, unpadded base32 multibase text.

    Raises:
        ValueError: the text is too long, has another prefix, or is not the text of its bytes.
    """
    digits = _strip_prefix(text, "b")
    try:
        raw = base64.b32decode(digits.upper() + "=" * (-len(digits) % 8))
    except binascii.Error as error:
        raise ValueError(f"not base32: {error}") from error
    if encode_base32(raw) != text:
        # Upper case, padding, and stray bits in the last digit all decode, but only one text may.
        raise ValueError("not the canonical base32 text of its bytes")
    return raw


def _strip_prefix(text: str, prefix: str) -> str:
    if len(text) > TEXT_LENGTH_MAX:
        raise ValueError(f"{len(text)} characters > limit {TEXT_LENGTH_MAX}")
    if not text.startswith(prefix):
        raise ValueError(f"the multibase prefix is {text[:1]!r}, not {prefix!r}")
    return text[len(prefix) :]
