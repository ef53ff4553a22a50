"""Tokens: JSON Web Tokens in compact form, signed with Ed25519, and nothing else of that standard.

The algorithm is pinned, a header says who signed and nothing more, a token is for one chain and
lives an hour at most. `sub` is the account that asks; `kid` is the key that signed: the account's
own, or one that the account registered in the `identity` contract.

A JWT signs plain bytes, without our domain tags. It cannot be taken for a signature of ours: those
sign 32 bytes, and what a token signs is longer (`PrivateKey.sign_foreign` refuses 32 bytes).
Source: RFC 7515 (JWS), RFC 7519 (JWT), RFC 8037 ("EdDSA"), RFC 8725 (what to refuse).
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec

from node.rpc.errors import TokenError
from primitives.errors import BadSignatureError, InvalidKeyError
from primitives.ids import Address, ChainId
from primitives.keys import PrivateKey, PublicKey

TOKEN_LENGTH_MAX: Final = 1_024
LIFE_S_MAX: Final = 3_600
LIFE_S: Final = 300
SKEW_S: Final = 30
"""Clocks may differ by so much."""

_MS_PER_S: Final = 1_000
_Part = TypeVar("_Part")
_ALGORITHM: Final = "EdDSA"


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    alg: str
    kid: str
    typ: str = "JWT"


class _Claims(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    aud: str
    sub: str
    iat: int
    exp: int
    nbf: int | None = None
    iss: str | None = None
    jti: str | None = None


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who a valid token speaks for, and the key that signed it."""

    subject: Address
    key: PublicKey
    expires_ms: int

    @property
    def is_own_key(self) -> bool:
        """Tell whether the account's own key signed, not one that it registered."""
        return self.key.raw == self.subject


def write_token(
    key: PrivateKey,
    *,
    chain_id: ChainId,
    now_ms: int,
    subject: PublicKey | None = None,
    life_s: int = LIFE_S,
) -> str:
    """Return a token that the key signs, for its own account or the one it was registered by.

    Raises:
        TokenError: it would live longer than any node accepts.
    """
    if not 0 < life_s <= LIFE_S_MAX:
        raise TokenError(f"a token lives 1 to {LIFE_S_MAX} s, not {life_s}")
    issued_s = now_ms // _MS_PER_S
    header = _Header(alg=_ALGORITHM, kid=key.public.did_key)
    claims = _Claims(
        aud=chain_id.hex(),
        sub=(subject or key.public).did_key,
        iat=issued_s,
        exp=issued_s + life_s,
    )
    signed = f"{_segment(msgspec.json.encode(header))}.{_segment(msgspec.json.encode(claims))}"
    return f"{signed}.{_segment(key.sign_foreign(signed.encode('ascii')))}"


def read_token(text: str, *, chain_id: ChainId, now_ms: int) -> Bearer:
    """Return who the token speaks for; whether the key is the subject's is for the caller to see.

    Raises:
        TokenError: it is malformed, of another algorithm or chain, not yet or no longer valid,
            lives too long, or was not signed by the key that it names.
    """
    if len(text) > TOKEN_LENGTH_MAX or not text.isascii():
        raise TokenError(f"a token has at most {TOKEN_LENGTH_MAX} ASCII characters")
    parts = text.split(".")
    if len(parts) != 3:
        raise TokenError("a token has three parts")
    header = _decoded(_bytes_of(parts[0]), _Header)
    claims = _decoded(_bytes_of(parts[1]), _Claims)
    if header.alg != _ALGORITHM or header.typ != "JWT":
        raise TokenError(f"the algorithm must be {_ALGORITHM}, of type JWT")
    key = _key(header.kid)
    try:
        key.verify_foreign(f"{parts[0]}.{parts[1]}".encode("ascii"), _bytes_of(parts[2]))
    except BadSignatureError as error:
        raise TokenError("the signature does not hold") from error
    _check_claims(claims, chain_id=chain_id, now_s=now_ms // _MS_PER_S)
    subject = _key(claims.sub)
    return Bearer(Address(subject.raw), key, claims.exp * _MS_PER_S)


def _check_claims(claims: _Claims, *, chain_id: ChainId, now_s: int) -> None:
    if claims.aud != chain_id.hex():
        raise TokenError("the token is for another chain")
    if claims.iss is not None and claims.iss != claims.sub:
        raise TokenError("the issuer must be the subject")
    starts_s = max(claims.iat, claims.nbf or 0)
    if starts_s > now_s + SKEW_S:
        raise TokenError(f"the token is valid from {starts_s} s on, the time is {now_s} s")
    if claims.exp <= now_s - SKEW_S:
        raise TokenError(f"the token expired at {claims.exp} s, the time is {now_s} s")
    if not 0 < claims.exp - claims.iat <= LIFE_S_MAX:
        raise TokenError(f"a token may live at most {LIFE_S_MAX} s")


def _key(did_key: str) -> PublicKey:
    try:
        return PublicKey.from_did_key(did_key)
    except InvalidKeyError as error:
        raise TokenError(f"a token names its keys as did:key: {error}") from error


def _decoded(raw: bytes, kind: type[_Part]) -> _Part:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise TokenError(f"not the header or claims of a token: {error}") from error


def _segment(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=")


def _bytes_of(segment: str) -> bytes:
    try:
        raw = base64.b64decode(segment + "=" * (-len(segment) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise TokenError("a part of the token is not base64url") from error
    if _segment(raw) != segment:
        raise TokenError("a part of the token is not canonical base64url")
    return raw
